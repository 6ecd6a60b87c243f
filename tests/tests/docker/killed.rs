//! Launchers that are killed and can take nothing back: the next `create` of the name completes what is there, and
//! `prune` removes it.

use agent_workspace_tests::Document;
use agent_workspace_tests::live::{Answer, FaultProxy, Image, Live, Running, Wrong, docker, until};
use rustix::process::Signal;

/// Runs a line until its request of this number is held, and kills it there. `false` when it came to its end before.
fn killed_at(live: &Live, line: &str, image: Option<Image>, number: usize) -> bool {
    let engine = FaultProxy::with(live.folder(), Wrong::Stall, number);
    let launcher = match image {
        Some(image) => live.creating(image, line),
        None => live.launcher(line),
    };
    let mut running = Running::start(&launcher.env("DOCKER_HOST", engine.address()).json());
    until("the request is held", || engine.requests().len() >= number || !running.runs());
    let is_held = running.runs();
    if is_held {
        running.signal(Signal::KILL);
    }
    let answer = running.answer();
    assert_eq!(answer.ran.code, if is_held { 128 + 9 } else { 0 }, "{}{}", answer.ran.stdout, answer.ran.stderr);
    is_held
}

/// What `prune` removes of any age.
fn pruned(live: &Live, flags: &str) -> Document {
    live.json(&format!("prune --older-than 0 {flags}")).ok()
}

fn count(document: &Document, list: &str) -> usize {
    document.at(&format!("/{list}")).as_array().expect("a list").len()
}

/// Whether the workspace is there with a whole clone that is as the host has it.
fn is_whole(live: &Live, name: &str) -> bool {
    live.row(name).is_some_and(|row| row["status"] == "running")
        && live.inside(
            name,
            "git -C /work/acme/hello status --porcelain -b; ls -d /work/acme/.clone-* 2>/dev/null || true",
        ) == "## main...origin/main"
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_create_that_is_killed_at_any_request_is_completed_by_the_next_one() {
    let live = Live::new();
    let mut number = 1;
    while killed_at(&live, "acme/hello --name killed", Some(Image::Debian), number) {
        live.create_from(Image::Debian, "acme/hello --name killed").ok();
        assert!(is_whole(&live, "killed"), "request {number}");
        // It is finished, whoever finished it: nothing is left over.
        assert_eq!(count(&pruned(&live, "--force"), "removed"), 0, "request {number}");
        live.json("rm killed").ok();
        live.nothing_is_left();
        number += 1;
    }
    assert!(number > 6, "a create of {} requests", number - 1);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_create_that_is_killed_at_any_request_is_removed_by_prune() {
    let live = Live::new();
    let mut number = 1;
    while killed_at(&live, "acme/hello --name killed", Some(Image::Debian), number) {
        let made = live.containers().len() + live.volumes().len();
        let document = pruned(&live, "");
        // Where only the last answer is missing, it is finished and stays.
        if count(&document, "removed") == 0 && made > 0 {
            assert!(is_whole(&live, "killed"), "request {number}: {}", document.0);
            live.json("rm killed").ok();
        } else {
            assert_eq!(
                (made, count(&document, "removed")),
                (if number == 1 { 0 } else { 3 }, made),
                "request {number}"
            );
        }
        live.nothing_is_left();
        number += 1;
    }
    assert!(number > 6, "a create of {} requests", number - 1);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_a_killed_create_has_made_is_left_alone_while_it_is_young() {
    let live = Live::new();
    assert!(killed_at(&live, "--no-clone --name young", Some(Image::Busybox), 2));
    let document = live.json("prune").ok();
    assert_eq!((count(&document, "removed"), count(&document, "kept")), (0, 1), "{}", document.0);
    assert_eq!((live.containers().len(), live.volumes().len()), (1, 2));
    assert_eq!(count(&pruned(&live, ""), "removed"), 3);
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_clone_that_goes_on_after_its_launcher_was_killed_is_protected_and_finishes_the_workspace() {
    let live = Live::new();
    let repository = live.held_repository("on");
    let line = format!("{} --name on", repository.slug());
    let clone = Running::start(&live.creating(Image::Agent, &line).json());
    repository.wait_until_reached();
    clone.signal(Signal::KILL);
    let _ = clone.answer();
    for flags in ["", "--force"] {
        let document = pruned(&live, flags);
        assert_eq!((count(&document, "removed"), count(&document, "kept")), (0, 3), "{}", document.0);
        assert!(document.text("/kept/0/why").contains("runs in it"), "{}", document.0);
    }

    repository.release();
    let path = format!("/work/{}", repository.slug());
    until("the clone has ended", || {
        live.inside("on", &format!("test -d {path}/.git && ! pgrep git && echo yes || true")) == "yes"
    });
    let document = pruned(&live, "--force");
    assert_eq!((count(&document, "removed"), count(&document, "kept")), (0, 0), "{}", document.0);
    assert_eq!(live.create(&line).ok().at("/created"), false);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_clone_that_was_cut_off_with_its_container_is_half_made_and_work_in_it_is_not_lost() {
    let live = Live::new();
    for (restarted, name) in [(false, "stopped"), (true, "restarted")] {
        let repository = live.held_repository(name);
        let clone =
            Running::start(&live.creating(Image::Agent, &format!("{} --name {name}", repository.slug())).json());
        repository.wait_until_reached();
        clone.signal(Signal::KILL);
        let _ = clone.answer();
        live.inside(name, "echo mine >/work/mine.txt");
        docker(["stop", "-t", "0", &live.full(name)]);
        if restarted {
            docker(["start", &live.full(name)]);
        }
        let document = pruned(&live, "");
        assert!(document.text("/kept/0/why").contains("/work/mine.txt"), "{}", document.0);
        assert_eq!(live.row(name).expect("a row")["status"], if restarted { "running" } else { "stopped" });
        assert_eq!(live.containers().len(), 1, "what looked is gone");

        live.json(&format!("start {name}")).ok();
        live.inside(name, "rm /work/mine.txt; git clone -q https://git.test/acme/hello /work/other");
        let document = pruned(&live, "");
        assert!(document.text("/kept/0/why").contains("/work/other/"), "clean, and somebody's own: {}", document.0);
        live.inside(name, "rm -r /work/other");
        if !restarted {
            live.json(&format!("stop {name}")).ok();
        }
        let document = pruned(&live, "");
        assert_eq!(count(&document, "removed"), 3, "{}", document.0);
        assert_eq!(document.text("/removed/0/reason"), "half_made");
        live.nothing_is_left();
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_a_killed_rm_looked_with_goes_and_the_workspace_stays() {
    let live = Live::new();
    live.create("acme/hello --name looked").ok();
    live.json("stop looked").ok();
    // Asked for, made, started: the next request would look.
    assert!(killed_at(&live, "rm looked", None, 4));
    assert_eq!(live.containers().len(), 2);
    let document = pruned(&live, "");
    assert_eq!((count(&document, "removed"), document.text("/removed/0/reason")), (1, "viewer"), "{}", document.0);
    assert_eq!(live.containers(), [live.full("looked")]);
    // What looks for a command that is gone keeps nobody from removing.
    assert!(killed_at(&live, "rm looked", None, 4));
    live.json("rm looked").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_prune_that_is_killed_can_be_run_again() {
    let live = Live::new();
    let leave_volumes = || {
        if live.volumes().is_empty() {
            live.create_from(Image::Busybox, "--no-clone --name again").ok();
            live.json("rm again --keep-volumes").ok();
        }
    };
    leave_volumes();
    let whole = FaultProxy::watching(live.folder());
    Answer::to(&live.launcher("prune --older-than 0").env("DOCKER_HOST", whole.address())).ok();
    let requests = whole.requests();
    assert!(requests.len() >= 6, "{requests:?}");
    for number in 1..=requests.len() {
        leave_volumes();
        killed_at(&live, "prune --older-than 0", None, number);
        Answer::to(&live.launcher("prune --older-than 0")).ok();
        live.nothing_is_left();
    }
}
