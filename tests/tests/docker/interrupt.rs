//! Signals, time limits and removals in the middle: one document, and nothing of this call left.

use std::time::Duration;

use agent_workspace_tests::Document;
use agent_workspace_tests::live::{
    Answer, FaultProxy, Image, Live, Repository, Running, Terminal, Wrong, docker, try_docker, until,
};
use rustix::process::Signal;
use serde_json::json;

/// A clone that has begun and does not end.
fn held_clone(live: &Live, repository: &Repository, name: &str) -> Running {
    let clone = Running::start(&live.creating(Image::Agent, &format!("{} --name {name}", repository.slug())).json());
    repository.wait_until_reached();
    clone
}

/// The files and folders that a clone in a workspace has left.
fn remains(live: &Live, name: &str) -> String {
    live.inside(name, "find /work /tmp -name '.clone-*' -o -name 'tmp.*'")
}

/// Waits for the end of every git in a workspace; what is told to end takes a moment.
fn git_ends(live: &Live, name: &str) {
    until("git has ended", || live.inside(name, "pgrep -a git || true").is_empty());
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_signal_takes_back_what_was_made() {
    let live = Live::new();
    for (signal, exit, code) in
        [(Signal::INT, 130, "interrupted"), (Signal::TERM, 143, "terminated"), (Signal::HUP, 143, "terminated")]
    {
        let repository = live.held_repository(code);
        let clone = held_clone(&live, &repository, "signal");
        clone.signal(signal);
        let document = clone.answer().within(Duration::from_secs(20)).fails(exit, code);
        assert_eq!(document.at("/error/retryable"), false);
        assert!(document.0.pointer("/error/details/left_behind").is_none(), "{}", document.0);
        live.nothing_is_left();
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_the_engine_is_still_making_when_the_launcher_ends_is_taken_back_or_removed() {
    let live = Live::new();
    // However late the signal is, it never gets to its end.
    let repository = live.held_repository("early");
    let line = format!("{} --name early", repository.slug());
    let seen_first = |signal: Signal| {
        let create = Running::start(&live.creating(Image::Agent, &line).json());
        // An engine lists a container some time before it shows it by its name; that moment is meant.
        until("the engine lists it", || !live.listed("early").is_null());
        create.signal(signal);
        create.answer()
    };
    for _ in 0..3 {
        let document = seen_first(Signal::INT).fails(130, "interrupted");
        assert!(document.0.pointer("/error/details/left_behind").is_none(), "{}", document.0);
        live.nothing_is_left();

        assert_eq!(seen_first(Signal::KILL).ran.code, 128 + 9);
        live.json("rm early --force").ok();
        live.nothing_is_left();
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_signal_in_any_phase_takes_back_what_this_call_made_and_only_that() {
    let live = Live::new();
    let line = "acme/hello --name phase --tunnel-detach";
    live.create("--no-clone --name phase").ok();
    live.inside("phase", "echo mine >/work/mine.txt");
    live.json("rm phase --keep-volumes").ok();
    let kept = live.volumes();
    let whole = FaultProxy::watching(live.folder());
    Answer::to(&live.creating(Image::Agent, line).env("DOCKER_HOST", whole.address())).ok();
    let of_tunnel = whole.requests().len() - 2;
    live.json("rm phase --keep-volumes").ok();
    live.inside_volume(&kept[1], "rm -r acme");

    for number in 1..=whole.requests().len() {
        let (signal, exit, code) =
            if number % 2 == 0 { (Signal::INT, 130, "interrupted") } else { (Signal::TERM, 143, "terminated") };
        let engine = FaultProxy::with(live.folder(), Wrong::Stall, number);
        let create = Running::start(&live.creating(Image::Agent, line).json().env("DOCKER_HOST", engine.address()));
        until("it comes to the request", || engine.struck());
        create.signal(signal);
        let document = create.answer().fails(exit, code);
        assert!(document.0.pointer("/error/details/left_behind").is_none(), "{number}: {}", document.0);
        if number < of_tunnel {
            assert_eq!((live.containers(), live.volumes()), (vec![], kept.clone()), "{number}: {}", document.0);
            // A clone that had ended is whole, and the next create takes it for its own; of one that had not, nothing is.
            let ended = number == of_tunnel - 1;
            let left = live.inside_volume(&kept[1], "ls -A; rm -rf acme");
            assert_eq!(left, if ended { "acme\nmine.txt" } else { "mine.txt" }, "{number}: {}", document.0);
        } else {
            // The workspace was finished; only its tunnel was not.
            assert_eq!(document.text("/error/details/workspace"), live.full("phase"));
            assert_eq!(live.inside("phase", "cat /work/mine.txt; pgrep -fa '[c]ode tunnel' || true"), "mine");
            live.json("rm phase --keep-volumes").ok();
            live.inside_volume(&kept[1], "rm -rf acme");
        }
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_removal_that_is_cut_off_says_what_it_leaves_and_the_next_one_removes_it() {
    let live = Live::new();
    live.create("--no-clone --name cut").ok();
    // After the look and the order for the container: the one for a volume.
    let engine = FaultProxy::with(live.folder(), Wrong::Stall, 3);
    let rm = Running::start(&live.launcher("rm cut --force").json().env("DOCKER_HOST", engine.address()));
    until("it comes to a volume", || engine.struck());
    rm.signal(Signal::INT);
    let document = rm.answer().fails(130, "interrupted");
    let (left, volumes) = (document.at("/error/details/left_behind").to_string(), live.volumes());
    assert_eq!((live.containers().len(), volumes.is_empty()), (0, false), "{}", document.0);
    assert!(volumes.iter().all(|volume| left.contains(volume)), "{}", document.0);

    live.json("rm cut --force").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_second_signal_ends_it_at_once_and_the_document_says_what_stays() {
    let live = Live::new();
    let repository = live.held_repository("twice");
    let clone = held_clone(&live, &repository, "twice");
    // An engine that takes its time with the taking back.
    docker(["pause", &live.full("twice")]);
    clone.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(300));
    clone.signal(Signal::INT);
    let document = clone.answer().within(Duration::from_secs(10)).fails(130, "interrupted");
    let left = document.at("/error/details/left_behind").to_string();
    assert!(left.contains(&live.full("twice")), "{}", document.0);
    let _ = try_docker(["unpause", &live.full("twice")]);
    live.json("rm twice --force --if-exists").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_person_can_end_a_clone_from_the_keyboard() {
    let live = Live::new();
    let repository = live.held_repository("keyboard");
    let line = format!("{} --name keyboard", repository.slug());
    let mut terminal = Terminal::run(&live.creating(Image::Agent, &line).command());
    repository.wait_until_reached();
    terminal.types(b"\x03");
    assert_eq!(terminal.end().code(), Some(130), "{}", terminal.shown());
    assert!(terminal.is_as_before());
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_signal_that_was_ignored_from_the_start_ends_nothing() {
    let live = Live::new();
    let repository = live.held_repository("nohup");
    let launcher = live.creating(Image::Agent, &format!("{} --name nohup", repository.slug())).json();
    let clone = Running::start_ignoring_hangups(&launcher);
    repository.wait_until_reached();
    clone.signal(Signal::HUP);
    std::thread::sleep(Duration::from_millis(200));
    repository.release();
    clone.answer().ok();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_time_limit_takes_back_what_was_made() {
    let live = Live::new();
    let repository = live.held_repository("limit");
    let answer = live.create(&format!("{} --name limit --timeout 3s", repository.slug()));
    let document = answer.within(Duration::from_secs(20)).fails(124, "timeout");
    assert_eq!(
        (document.at("/error/retryable"), document.at("/error/details/timeout_ms")),
        (&json!(true), &json!(3000))
    );
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_signal_while_coming_back_leaves_the_workspace_and_no_half_clone() {
    let live = Live::new();
    live.create("--no-clone --name back").ok();
    live.inside("back", "echo mine >/work/mine.txt");
    let repository = live.held_repository("back");
    let clone = held_clone(&live, &repository, "back");
    assert!(remains(&live, "back").contains(".clone-"));
    clone.signal(Signal::INT);
    clone.answer().fails(130, "interrupted");
    assert_eq!(remains(&live, "back"), "");
    git_ends(&live, "back");
    assert_eq!(live.inside("back", "cat /work/mine.txt"), "mine");
    assert_eq!(live.row("back").expect("a row")["status"], "running");

    repository.release();
    live.create(&format!("{} --name back", repository.slug())).ok();
    assert_eq!(remains(&live, "back"), "");
}

/// Two creates of one workspace: one that made it, in the middle of its clone, and one that joined and waits for that.
fn two_creates(live: &Live, repository: &Repository, name: &str) -> [Running; 2] {
    let first = held_clone(live, repository, name);
    let second = Running::start(&live.creating(Image::Agent, &format!("{} --name {name}", repository.slug())).json());
    until("the second create counts on the workspace", || {
        !live.inside(name, "ls /tmp/.agent-workspace-joined 2>/dev/null || true").is_empty()
    });
    [first, second]
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_workspace_that_somebody_joined_is_not_taken_from_them() {
    let live = Live::new();
    let repository = live.held_repository("joined");
    let [first, second] = two_creates(&live, &repository, "joined");
    first.signal(Signal::INT);
    first.answer().fails(130, "interrupted");
    repository.release();
    let document = second.answer().ok();
    assert_eq!(document.text("/status"), "running");
    git_ends(&live, "joined");
    assert_eq!(
        live.inside("joined", &format!("git -C {} status -sb", document.text("/path"))),
        "## main...origin/main"
    );
    assert_eq!(remains(&live, "joined"), "");
    // And it is a workspace like any other from then on.
    live.create(&format!("{} --name joined", repository.slug())).ok();
    live.json("rm joined").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn the_last_of_those_who_fail_takes_it_back() {
    let live = Live::new();
    let repository = live.held_repository("last");
    let [first, second] = two_creates(&live, &repository, "last");
    first.signal(Signal::INT);
    first.answer().fails(130, "interrupted");
    second.signal(Signal::TERM);
    second.answer().fails(143, "terminated");
    live.nothing_is_left();

    // In the other order: who joined and failed takes nothing from who made it.
    let repository = live.held_repository("maker");
    let [first, second] = two_creates(&live, &repository, "maker");
    second.signal(Signal::INT);
    second.answer().fails(130, "interrupted");
    repository.release();
    assert_eq!(first.answer().ok().at("/created"), true);
    // What is told to end takes a moment.
    until("the second has cleaned up", || remains(&live, "maker").is_empty());
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_a_killed_launcher_leaves_is_listed_and_can_be_removed() {
    let live = Live::new();
    let repository = live.held_repository("killed");
    let clone = held_clone(&live, &repository, "killed");
    clone.signal(Signal::KILL);
    let ran = clone.answer().ran.expect(128 + 9);
    assert_eq!(ran.stdout, "");
    assert_eq!(live.row("killed").expect("a row")["status"], "running");
    // Nobody has worked in it, and half a clone is no work.
    live.json("rm killed").ok();
    live.nothing_is_left();

    let clone = held_clone(&live, &repository, "killed");
    clone.signal(Signal::KILL);
    let _ = clone.answer();
    live.json("rm killed --force").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_clone_goes_on_after_the_launcher_was_killed_and_the_next_create_takes_it_or_makes_its_own() {
    let live = Live::new();
    let repository = live.held_repository("again");
    let clone = held_clone(&live, &repository, "again");
    clone.signal(Signal::KILL);
    let _ = clone.answer();
    repository.release();
    let again = live.create(&format!("{} --name again", repository.slug())).ok();
    assert_eq!(again.at("/created"), false);
    assert_eq!(live.inside("again", &format!("git -C /work/{} status --porcelain", repository.slug())), "");
    git_ends(&live, "again");
    until("the first clone has cleaned up", || remains(&live, "again").is_empty());
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_container_removed_during_the_clone_is_a_conflict() {
    let live = Live::new();
    let repository = live.held_repository("gone");
    let clone = held_clone(&live, &repository, "gone");
    docker(["rm", "-f", &live.full("gone")]);
    let document = clone.answer().fails(4, "container_vanished");
    assert_eq!(document.text("/error/details/workspace"), live.full("gone"));
    live.nothing_is_left();

    // Stopped by somebody instead.
    let repository = live.held_repository("stopped");
    let clone = held_clone(&live, &repository, "stopped");
    let stopped: Document = live.json("stop stopped").ok();
    assert_eq!(stopped.at("/changed"), true);
    clone.answer().fails(4, "container_vanished");
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn two_removals_at_once_are_both_satisfied_or_find_nothing() {
    let live = Live::new();
    for before in ["start", "stop"] {
        live.create("acme/hello --name both").ok();
        live.json(&format!("{before} both")).ok();
        let launcher = live.launcher("rm both").json();
        let both = [Running::start(&launcher), Running::start(&launcher)].map(Running::answer);
        for answer in both {
            let document = answer.ran.document();
            // Not there any more, or going at this moment; never a failure that somebody has to look after.
            assert!([0, 3, 4].contains(&answer.ran.code), "{}", document.0);
        }
        live.nothing_is_left();
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_workspace_that_its_maker_gave_up_and_could_not_remove_stays_with_what_is_in_it() {
    let live = Live::new();
    live.create("--no-clone --name given-up").ok();
    let marks = "/tmp/.agent-workspace-joined";
    live.inside("given-up", &format!("mkdir -p {marks}; : >{marks}/abandoned; echo mine >/work/mine.txt"));
    // At this moment its maker may be taking it back, which is nobody else's to do.
    live.create("--no-clone --name given-up").fails(4, "container_vanished");
    assert_eq!(live.inside("given-up", "cat /work/mine.txt"), "mine");
    live.inside("given-up", &format!("touch -d '3 minutes ago' {marks}/abandoned"));
    assert_eq!(live.create("--no-clone --name given-up").ok().at("/created"), false);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn who_is_content_with_a_workspace_whose_clone_was_cut_off_keeps_it() {
    let live = Live::new();
    let repository = live.held_repository("content");
    let clone = held_clone(&live, &repository, "content");
    clone.signal(Signal::KILL);
    let _ = clone.answer();
    live.create("--no-clone --name content").ok();
    live.json("stop content").ok();
    let document = live.json("prune --older-than 0").ok();
    assert_eq!(document.at("/removed").as_array().map(Vec::len), Some(0), "{}", document.0);
    assert_eq!(live.row("content").expect("a row")["status"], "stopped");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_removal_during_a_clone_leaves_nothing_of_either() {
    let live = Live::new();
    let repository = live.held_repository("rm");
    let clone = held_clone(&live, &repository, "rm");
    live.json("rm rm").ok();
    clone.answer().fails(4, "container_vanished");
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_volume_that_somebody_else_holds_is_kept_and_named() {
    let live = Live::new();
    live.create("--no-clone --name held").ok();
    let volume = format!("{}-work", live.full("held"));
    live.stranger(Image::Busybox, &format!("--name stranger{} -v {volume}:/x", live.id()));
    let document = live.json("rm held --force").fails(8, "partial");
    assert_eq!(document.text("/error/details/failed/0/id"), volume);
    assert_eq!(live.volumes(), [volume.as_str()]);
    assert_eq!(live.containers(), [""; 0]);

    let _ = try_docker(["rm", "-f", &format!("stranger{}", live.id())]);
    live.json("rm held --force").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_create_that_fails_leaves_volumes_that_were_there_before() {
    let live = Live::new();
    live.create("--no-clone --name kept").ok();
    live.inside("kept", "echo mine >/work/mine.txt");
    live.json("rm kept --keep-volumes").ok();
    Answer::to(&live.creating(Image::Agent, "acme/nosuch --name kept")).fails(6, "git_auth_missing");
    assert_eq!(live.containers(), [""; 0]);
    assert_eq!(live.volumes().len(), 2);
    live.create("--no-clone --name kept").ok();
    assert_eq!(live.inside("kept", "cat /work/mine.txt"), "mine");
}
