//! `create` of a name that is there already.

use agent_workspace_tests::engine::{Container, Engine, Reply, Script};

use crate::{fails, succeeds};

const FIRST: [&str; 6] = ["create", "o/r", "--name", "a", "--image", "ready:1"];

#[test]
fn the_second_create_comes_back_to_the_first() {
    let engine = Engine::start();
    let first = succeeds(&engine, &FIRST);
    engine.answers(Script::Clone, Reply::says("result=kept\n"));
    let second = succeeds(&engine, &FIRST);
    assert_eq!((first.at("/created"), second.at("/created")), (&true.into(), &false.into()));
    for pointer in ["/workspace", "/repo", "/path", "/image", "/status", "/transport"] {
        assert_eq!(first.at(pointer), second.at(pointer), "{pointer}");
    }
    assert_eq!(second.warnings(), [""; 0]);
    assert_eq!(engine.containers().len(), 1);
}

#[test]
fn every_requested_difference_is_a_warning_and_what_is_there_is_reported() {
    let engine = Engine::start();
    succeeds(&engine, &FIRST);
    let flags =
        ["--image", "plain:1", "--memory", "1g", "--cpus", "2", "--network", "lan", "--user", "u", "--label", "k=v"];
    let document = succeeds(&engine, &[&["create", "o/r", "--name", "a"][..], &flags].concat());
    assert_eq!(document.text("/image"), "ready:1");
    assert_eq!(document.warnings(), ["spec_differs"; 6]);
}

#[test]
fn a_stopped_one_is_started() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("exited"));
    let document = succeeds(&engine, &["create", "--no-clone", "--name", "a"]);
    assert_eq!((document.at("/created"), document.text("/status")), (&false.into(), "running"));
    assert_eq!(engine.state_of("agent-ws-a"), "running");
}

#[test]
fn another_repository_is_a_conflict_that_touches_nothing() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").label("agent-kit.repo", "o/other").state("exited"));
    let document = fails(&engine, &FIRST, 4, "spec_conflict");
    assert_eq!(document.text("/error/details/repo"), "o/other");
    assert_eq!(engine.state_of("agent-ws-a"), "exited");
}

#[test]
fn an_origin_of_another_repository_in_the_clones_place_is_a_conflict_too() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    let reply = Reply::fails(82, "").and_says("origin=https://github.com/o/other.git\n");
    engine.answers(Script::Clone, reply);
    let document = fails(&engine, &FIRST, 4, "spec_conflict");
    assert!(document.text("/error/message").contains("o/other"), "{document:?}");
    assert_eq!(engine.state_of("agent-ws-a"), "running");
}

#[test]
fn repositories_differ_by_more_than_their_case() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").label("agent-kit.repo", "O/R"));
    assert_eq!(*succeeds(&engine, &FIRST).at("/created"), false);
}

#[test]
fn if_exists_fail_is_a_conflict_that_touches_nothing() {
    for flag in [&["--if-exists", "fail"][..], &["--if-exists=fail"]] {
        let engine = Engine::start();
        engine.has(Container::workspace("a").state("exited"));
        let document = fails(&engine, &[&FIRST[..], flag].concat(), 4, "workspace_exists");
        assert_eq!(document.text("/error/details/workspace"), "agent-ws-a");
        assert_eq!(engine.state_of("agent-ws-a"), "exited");
        assert_eq!(engine.volume_names(), ["agent-ws-a-home", "agent-ws-a-work"]);
    }
}

#[test]
fn a_workspace_of_an_old_launcher_is_joined_by_name_and_volume() {
    let engine = Engine::start();
    engine.has(Container::unmarked("agent-ws-a"));
    assert_eq!(*succeeds(&engine, &["create", "--no-clone", "--name", "a"]).at("/created"), false);
}

/// Fails when one of these commands does anything to a container that has the name and is no workspace.
fn a_stranger_stays(commands: &[&[&str]]) {
    for state in ["running", "exited", "paused", "created"] {
        for args in commands {
            let engine = Engine::start();
            engine.has(Container::stranger("agent-ws-a").state(state));
            engine.has_volume("agent-ws-a-work");
            let ran = engine.json(args.iter().copied());
            let of_it = |call: &String| call.contains("<agent-ws-a>") || call.ends_with("/volumes/agent-ws-a-work");
            let touched = engine.calls().into_iter().find(of_it);
            assert_eq!(touched, None, "{args:?} on a {state} stranger: {}", ran.stdout);
            assert_eq!(ran.document().error_code(), "name_taken", "{args:?} on a {state} stranger");
            assert_eq!(ran.code, 4, "{args:?}");
            assert_eq!(engine.state_of("agent-ws-a"), state);
            assert_eq!(engine.volume_names(), ["agent-ws-a-work"]);
        }
    }
}

#[test]
fn a_stranger_of_that_name_is_neither_joined_nor_removed() {
    let forced = ["rm", "a", "--force", "--if-exists"];
    a_stranger_stays(&[&FIRST, &["rm", "a"], &["rm", "a", "--force"], &forced]);
}

#[test]
fn a_stranger_of_that_name_is_neither_started_nor_stopped() {
    a_stranger_stays(&[&["start", "a"], &["stop", "a"], &["tunnel", "a", "--detach"]]);
}

#[test]
fn a_stranger_under_no_prefix_is_no_workspace_for_anything() {
    let engine = Engine::start();
    engine.has(Container::stranger("postgres"));
    for args in [&["describe", "postgres"][..], &["stop", "postgres"], &["rm", "postgres", "--force"]] {
        fails(&engine, args, 4, "name_taken");
    }
    assert_eq!(engine.state_of("postgres"), "running");
}

#[test]
fn names_made_of_the_time_never_join_what_is_there() {
    let engine = Engine::start();
    let names: Vec<String> = std::thread::scope(|scope| {
        let create = || succeeds(&engine, &["create", "o/r", "--image", "ready:1"]).text("/workspace").to_owned();
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(create)).collect();
        runs.into_iter().map(|run| run.join().expect("a create")).collect()
    });
    let mut apart = names.clone();
    apart.sort();
    apart.dedup();
    assert_eq!(apart.len(), 4, "{names:?}");
}

#[test]
fn of_many_creates_of_one_name_one_makes_it() {
    let engine = Engine::start();
    let made: Vec<bool> = std::thread::scope(|scope| {
        let create = || succeeds(&engine, &["create", "--no-clone", "--name", "a", "--image", "ready:1"]);
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(create)).collect();
        runs.into_iter().map(|run| run.join().expect("a create").at("/created") == true).collect()
    });
    assert_eq!(made.iter().filter(|made| **made).count(), 1, "{made:?}");
}
