//! Commands that are cut off: by a signal, by the clock, by being killed. Nothing of them stays, or it is recognised.

use std::process::Child;

use agent_workspace_tests::live::until;
use agent_workspace_tests::place::{GitHost, Place};
use agent_workspace_tests::{Launcher, Ran};
use rustix::process::{Pid, Signal, kill_process};

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a process");
}

/// A create whose clone never ends, at the moment when it waits for it.
fn hanging<'a>(place: &'a Place, host: &'a GitHost) -> impl Fn() -> (Launcher, Child) + 'a {
    move || {
        let before = host.asked().len();
        let create = host.trusted(place, place.launcher(["create", &host.repository(), "--name", "cut"])).json();
        let child = host.until_cloning(create.spawn(), before);
        (create, child)
    }
}

/// What of a state folder runs.
fn runs(place: &Place) -> Vec<String> {
    Place::processes(place.state().to_str().expect("text"))
}

#[test]
fn a_signal_or_the_clock_takes_everything_back() {
    let Some(place) = Place::walled("signals") else { return };
    let host = GitHost::new(&place, true);
    let create = hanging(&place, &host);
    for (signal, code, name) in [(Signal::INT, 130, "interrupted"), (Signal::TERM, 143, "terminated")] {
        let (_, child) = create();
        send(&child, signal);
        let document = Ran::of(child).expect(code).document();
        assert_eq!(document.error_code(), name);
        assert_eq!(document.text("/error/details/phase"), "clone");
        assert_eq!((place.entries(), runs(&place)), (Vec::new(), Vec::new()));
    }
    let create = host.trusted(&place, place.launcher(["create", &host.repository(), "--name", "cut"])).json();
    let late = create.arg("--timeout=3s").run().expect(124).document();
    assert_eq!(late.error_code(), "timeout");
    assert_eq!((place.entries(), runs(&place)), (Vec::new(), Vec::new()));
}

#[test]
fn a_create_that_is_killed_is_finished_by_the_next_or_pruned() {
    let Some(place) = Place::walled("killed creates") else { return };
    let host = GitHost::new(&place, true);
    let create = hanging(&place, &host);
    let (_, child) = create();
    send(&child, Signal::KILL);
    assert_eq!(Ran::of(child).code, 137);
    // It is there, without its clone, and nothing that was made of it is lost on anybody.
    assert_eq!(place.document(["ls"], 0).text("/workspaces/0/status"), "running");
    assert_eq!(place.document(["prune"], 0).at("/removed").to_string(), "[]", "it may be at work");
    let pruned = place.document(["prune", "--older-than", "0", "--dry-run"], 0);
    assert_eq!(pruned.text("/kept/0/reason"), "half_made");
    // The clone that was cut off still waits in there, and prune leaves alone what is at work.
    place.document(["stop", "cut"], 0);
    let pruned = place.document(["prune", "--older-than", "0"], 0);
    assert_eq!(pruned.text("/removed/0/reason"), "half_made");
    assert_eq!((place.entries(), runs(&place)), (Vec::new(), Vec::new()));
    let made = place.create("cut");
    assert_eq!(*made.at("/created"), true);
}

#[test]
fn a_create_that_is_killed_at_any_moment_leaves_what_the_next_one_takes_up() {
    let Some(place) = Place::walled("creates killed at any moment") else { return };
    for step in 0..12_u64 {
        let child = place.launcher(["create", "--no-clone", "--name", "moment"]).json().spawn();
        std::thread::sleep(std::time::Duration::from_millis(step * 15));
        // It may be over by then.
        send(&child, Signal::KILL);
        let _ = Ran::of(child);
        let made = place.create("moment");
        Place::does(&made, "true");
        assert_eq!(place.entries(), ["agent-ws-moment"]);
        place.document(["rm", "moment"], 0);
        assert_eq!((place.entries(), runs(&place)), (Vec::new(), Vec::new()), "after {step} steps");
    }
}

#[test]
fn workspaces_that_are_started_and_stopped_at_once_end_nothing_of_each_other() {
    let Some(place) = Place::walled("starts and stops at once") else { return };
    let place = &place;
    // Each ends its namespaces while others are given theirs, whose numbers are the same.
    std::thread::scope(|scope| {
        for name in ["one", "two", "three", "four", "five", "six", "seven", "eight"] {
            scope.spawn(move || {
                let made = place.create(name);
                for _ in 0..30 {
                    Place::does(&made, "sleep 0.05");
                    place.document(["stop", name], 0);
                    place.document(["start", name], 0);
                }
                place.document(["rm", name], 0);
            });
        }
    });
    assert_eq!((place.entries(), runs(place)), (Vec::new(), Vec::new()));
}

#[test]
fn an_rm_that_is_cut_off_leaves_no_half_workspace_and_prune_ends_it() {
    let Some(place) = Place::walled("a removal that is cut off") else { return };
    place.create("half");
    place.document(["stop", "half"], 0);
    // As it is between the two steps of a removal.
    let trash = place.state().join("workspaces/.trash-agent-ws-half-0123456789abcdef");
    std::fs::rename(place.workspace("agent-ws-half"), &trash).expect("a file");
    std::fs::create_dir(place.state().join("workspaces/.view-0123456789abcdef")).expect("a file");
    std::fs::create_dir(place.workspace("agent-ws-begun")).expect("a file");
    assert_eq!(place.document(["ls"], 0).at("/workspaces").to_string(), "[]");
    assert_eq!(place.document(["prune"], 0).at("/removed").to_string(), "[]", "they may be at work");
    let pruned = place.document(["prune", "--older-than", "0"], 0);
    let mut reasons: Vec<_> = pruned
        .at("/removed")
        .as_array()
        .expect("as documented")
        .iter()
        .map(|left| (left["kind"].as_str().expect("as documented"), left["reason"].as_str().expect("as documented")))
        .collect();
    reasons.sort_unstable();
    assert_eq!(reasons, [("folder", "half_removed"), ("folder", "never_started"), ("folder", "viewer")]);
    assert_eq!(place.entries(), Vec::<String>::new());
}

#[test]
fn an_answer_that_nobody_takes_takes_the_workspace_back() {
    let Some(place) = Place::walled("an answer that nobody takes") else { return };
    let mut command = place.launcher(["create", "--no-clone", "--name", "full"]).json().command();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a file");
    let status = command.stdout(full).stderr(std::process::Stdio::null()).status().expect("a process");
    assert_eq!(status.code(), Some(1));
    assert_eq!((place.entries(), runs(&place)), (Vec::new(), Vec::new()));
}

#[test]
fn commands_that_are_killed_in_the_middle_are_done_by_the_next_ones() {
    let Some(place) = Place::walled("commands killed in the middle") else { return };
    let made = place.create("middle");
    for step in 0..10_u64 {
        for verb in ["stop", "start"] {
            let child = place.launcher([verb, "middle"]).json().spawn();
            std::thread::sleep(std::time::Duration::from_millis(step * 12));
            send(&child, Signal::KILL);
            let _ = Ran::of(child);
        }
        place.document(["start", "middle"], 0);
        Place::does(&made, "true");
        let held = runs(&place).iter().filter(|said| said.contains("cmdline")).count();
        assert_eq!(held, 2, "one holder and the first process inside: {:?}", runs(&place));
    }
    for step in 0..10_u64 {
        place.create("gone");
        let child = place.launcher(["rm", "gone"]).json().spawn();
        std::thread::sleep(std::time::Duration::from_millis(step * 12));
        send(&child, Signal::KILL);
        let _ = Ran::of(child);
        place.document(["rm", "gone", "--if-exists"], 0);
        assert_eq!(place.document(["ls"], 0).at("/workspaces").as_array().map(Vec::len), Some(1));
    }
    place.document(["prune", "--older-than", "0"], 0);
    assert_eq!(place.entries(), ["agent-ws-middle"]);
}

#[test]
fn many_commands_at_once_on_one_name_leave_a_whole_workspace_or_none() {
    let Some(place) = Place::walled("many commands at once") else { return };
    for _ in 0..3 {
        let create = || place.launcher(["create", "--no-clone", "--name", "busy"]).json();
        let commands = [
            create(),
            place.launcher(["rm", "--if-exists", "busy"]).json(),
            create(),
            place.launcher(["ls"]).json(),
            place.launcher(["stop", "busy"]).json(),
            place.launcher(["start", "busy"]).json(),
            place.launcher(["rm", "--if-exists", "busy"]).json(),
            create(),
        ];
        let running: Vec<_> = commands.iter().map(Launcher::spawn).collect();
        for child in running {
            // Whoever comes too late or too early is told so, in a document.
            let ran = Ran::of(child);
            assert!([0, 3, 4].contains(&ran.code), "{}: {}", ran.code, ran.stdout);
            let _ = ran.document();
        }
        let made = place.create("busy");
        Place::does(&made, "true");
        assert_eq!(place.entries(), ["agent-ws-busy"]);
        place.document(["rm", "busy"], 0);
        assert_eq!((place.entries(), runs(&place)), (Vec::new(), Vec::new()));
    }
}

#[test]
fn a_holder_that_somebody_kills_leaves_a_stopped_workspace_and_nothing_beside_the_next_one() {
    let Some(place) = Place::walled("a killed holder") else { return };
    let made = place.create("held");
    let sleeps = format!("{}3", Place::sleeper());
    Place::does(&made, &format!("{sleeps} >/dev/null 2>&1 &"));
    let holder = std::fs::read_to_string(place.workspace("agent-ws-held").join("holder")).expect("a file");
    let number = holder.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
    kill_process(Pid::from_raw(number).expect("a number"), Signal::KILL).expect("a process");
    until("it is seen as stopped", || place.document(["ls"], 0).text("/workspaces/0/status") == "stopped");
    assert_eq!(Place::inside(&made, "true").code, 125);
    assert_eq!(*place.document(["start", "held"], 0).at("/changed"), true);
    assert_eq!(Place::processes(&sleeps), Vec::<String>::new());
    Place::does(&made, "true");
    place.document(["rm", "held"], 0);
    assert_eq!((place.entries(), runs(&place)), (Vec::new(), Vec::new()));
}
