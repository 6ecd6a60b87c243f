//! Signals and clocks: what was made goes, what was there stays, and the answer is a document all the same.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use agent_workspace_tests::engine::{CREATE_ID, Container, Engine, Fault, Reply, Script, When};
use agent_workspace_tests::{Document, Ran};

use crate::failure;

const CREATE: [&str; 6] = ["create", "o/r", "--name", "a", "--image", "ready:1"];

fn send(signal: &str, child: &Child) {
    let words = ["-c", "kill -s \"$0\" \"$1\"", signal, &child.id().to_string()];
    assert!(Command::new("sh").args(words).status().expect("a shell").success(), "{signal} is sent");
}

/// Starts it, waits for a request that begins like this, sends the signal, and waits for its end.
pub(crate) fn interrupted(engine: &Engine, args: &[&str], at: &str, signal: &str) -> Ran {
    let child = engine.launcher(args.iter().copied()).json().spawn();
    engine.wait_for(at);
    send(signal, &child);
    Ran::of(child)
}

/// The same, ending with this code.
fn ended(engine: &Engine, args: &[&str], at: &str, signal: &str, exit: i32) -> Document {
    interrupted(engine, args, at, signal).expect(exit).document()
}

#[test]
fn a_signal_during_the_clone_takes_the_new_workspace_back() {
    for (signal, exit, code) in [("INT", 130, "interrupted"), ("TERM", 143, "terminated"), ("HUP", 143, "terminated")] {
        let engine = Engine::start();
        engine.has(Container::stranger("postgres"));
        engine.has_volume("agent-ws-a-work");
        engine.answers(Script::Clone, Reply::hangs());
        let document = ended(&engine, &CREATE, "POST /exec/<clone>/start", signal, exit);
        assert_eq!(document.error_code(), code);
        assert_eq!(engine.made_by_create(), [""; 0], "{signal}");
        assert_eq!(engine.state_of("postgres"), "running");
        assert_eq!(engine.volume_names(), ["agent-ws-a-work"], "it was there before");
        assert!(document.0["error"]["details"].get("left_behind").is_none(), "{document:?}");
    }
}

#[test]
fn a_signal_during_the_clone_into_an_old_workspace_takes_the_half_clone_back_alone() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    engine.answers(Script::Clone, Reply::hangs());
    ended(&engine, &CREATE, "POST /exec/<clone>/start", "INT", 130);
    assert_eq!(engine.state_of("agent-ws-a"), "running");
    assert_eq!(engine.volumes().len(), 2);
    let aborts = engine.runs(Script::CloneAbort);
    assert_eq!(aborts.len(), 1);
    assert_eq!(aborts[0].0[0], "/work/o/r");
}

#[test]
fn a_workspace_that_another_create_has_come_back_to_stays_when_the_first_is_interrupted() {
    let engine = Engine::start();
    engine.answers(Script::Clone, Reply::hangs());
    let first = engine.launcher(CREATE).json().spawn();
    engine.wait_for("POST /exec/<clone>/start");
    crate::succeeds(&engine, &["create", "--no-clone", "--name", "a"]);
    send("INT", &first);
    let document = Ran::of(first).expect(130).document();
    assert_eq!(engine.state_of("agent-ws-a"), "running");
    assert_eq!(engine.volumes().len(), 2);
    assert!(document.text("/error/details/left_behind/0").contains("another create"), "{document:?}");
}

#[test]
fn a_signal_while_the_engine_prepares_takes_everything_back() {
    let engine = Engine::start();
    engine.answers(Script::Prepare, Reply::hangs());
    let args = ["create", "o/r", "--name", "a", "--image", "plain:1"];
    ended(&engine, &args, "POST /exec/<prepare>/start", "TERM", 143);
    assert_eq!(engine.made_by_create(), [""; 0]);
}

#[test]
fn a_container_that_the_engine_makes_after_the_signal_goes_too() {
    let engine = Engine::start();
    engine.goes_wrong(When::first("POST", "/containers/create"), Fault::silence());
    let child = engine.launcher(CREATE).json().spawn();
    engine.wait_for("POST /containers/create");
    send("INT", &child);
    // It has looked, and found nothing yet; the engine finishes what it was asked.
    engine.wait_for("GET /containers/json");
    let id = engine.create_body()["Labels"][CREATE_ID].as_str().expect("an id").to_owned();
    engine.has(Container::workspace("a").label(CREATE_ID, &id));
    let ran = Ran::of(child).expect(130);
    assert_eq!(ran.document().error_code(), "interrupted");
    assert_eq!(engine.state_of("agent-ws-a"), "gone");
}

#[test]
fn a_container_that_the_engine_lists_before_it_shows_it_is_waited_for() {
    let engine = Engine::start();
    engine.goes_wrong(When::first("POST", "/containers/create"), Fault::silence().after_doing_it());
    for look in 1..=3 {
        let when = When::Call("GET /containers/<agent-ws-a>/json".to_owned(), look);
        engine.goes_wrong(when, Fault::refusal(404, "No such container: agent-ws-a"));
    }
    let document = ended(&engine, &CREATE, "POST /containers/create", "HUP", 143);
    assert!(document.0["error"]["details"].get("left_behind").is_none(), "{document:?}");
    assert_eq!(engine.made_by_create(), [""; 0]);
}

#[test]
fn what_could_not_be_taken_back_is_said() {
    let engine = Engine::start();
    engine.answers(Script::Clone, Reply::hangs());
    engine.goes_wrong(When::every("GET", "/containers/json"), Fault::refusal(500, "database is locked"));
    let document = ended(&engine, &CREATE, "POST /exec/<clone>/start", "INT", 130);
    assert_eq!(document.at("/error/details/left_behind").as_array().map(Vec::len), Some(1));
    assert!(document.text("/error/details/left_behind/0").contains("agent-ws-a"), "{document:?}");
    assert_eq!(engine.made_by_create()[0], "agent-ws-a");
}

#[test]
fn a_signal_during_a_look_before_removal_removes_nothing() {
    for state in ["exited", "paused", "running"] {
        let engine = Engine::start();
        engine.has(Container::workspace("a").state(state));
        engine.answers(Script::UnsavedWork, Reply::hangs());
        ended(&engine, &["rm", "a"], "POST /exec/<unsaved-work>/start", "INT", 130);
        assert_eq!((engine.containers().len(), engine.state_of("agent-ws-a").as_str()), (1, state));
        assert_eq!(engine.volumes().len(), 2);
    }
}

#[test]
fn what_a_removal_that_was_cut_off_has_left_is_said_and_stays() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    // The engine goes on with it.
    engine.goes_wrong(When::first("DELETE", ""), Fault::silence().after_doing_it());
    let document = ended(&engine, &["rm", "a", "--force"], "DELETE /containers/", "INT", 130);
    let said = document.at("/error/details/left_behind").to_string();
    assert!(said.contains("agent-ws-a-work") && said.contains("agent-ws-a-home"), "{document:?}");
    assert!(document.text("/error/hint").contains("agent-workspace rm agent-ws-a"), "{document:?}");
    assert_eq!((engine.state_of("agent-ws-a").as_str(), engine.volumes().len()), ("gone", 2));

    // What was kept on purpose is not left.
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    engine.goes_wrong(When::first("DELETE", ""), Fault::silence().after_doing_it());
    let document = ended(&engine, &["rm", "a", "--keep-volumes"], "DELETE /containers/", "INT", 130);
    assert!(document.0["error"]["details"].get("left_behind").is_none(), "{document:?}");

    // An order that the engine has not taken removes nothing.
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    engine.goes_wrong(When::first("DELETE", ""), Fault::silence());
    let document = ended(&engine, &["rm", "a", "--force"], "DELETE /containers/", "INT", 130);
    assert!(document.0["error"]["details"].get("left_behind").is_none(), "{document:?}");
    assert_eq!((engine.state_of("agent-ws-a").as_str(), engine.volumes().len()), ("running", 2));
}

#[test]
fn a_signal_during_a_question_is_answered_at_once() {
    for args in [&["ls"][..], &["describe", "a"], &["stop", "a"], &["image", "build"]] {
        let engine = Engine::start();
        engine.goes_wrong(When::From(1), Fault::silence());
        let at = if args[0] == "image" { "POST /build" } else { "GET /containers/" };
        ended(&engine, args, at, "INT", 130);
    }
}

#[test]
fn a_silent_engine_is_left_when_the_time_is_over() {
    for args in [&["ls"][..], &["describe", "a"], &["start", "a"], &["rm", "a"], &["tunnel", "a", "--detach"]] {
        for flag in [&["--timeout", "300ms"][..], &["--timeout=300ms"]] {
            let engine = Engine::start();
            engine.goes_wrong(When::From(1), Fault::silence());
            let since = Instant::now();
            let launcher = engine.launcher(args.iter().chain(flag).copied());
            let document = failure(&launcher, 124, "timeout");
            assert_eq!(document.at("/error/details/timeout_ms"), 300, "{args:?}");
            assert_eq!(*document.at("/error/retryable"), true);
            assert!(since.elapsed() < Duration::from_secs(5), "{args:?} took {:?}", since.elapsed());
        }
    }
}

#[test]
fn a_clone_that_hangs_is_taken_back_when_the_time_is_over() {
    let engine = Engine::start();
    engine.answers(Script::Clone, Reply::hangs());
    let launcher = engine.launcher(CREATE.iter().chain(&["--timeout", "300ms"]));
    failure(&launcher, 124, "timeout");
    assert_eq!(engine.made_by_create(), [""; 0]);
}

#[test]
fn a_create_that_the_engine_does_not_answer_is_looked_for_when_the_time_is_over() {
    let engine = Engine::start();
    engine.goes_wrong(When::first("POST", "/containers/create"), Fault::silence().after_doing_it());
    let launcher = engine.launcher(CREATE.iter().chain(&["--timeout", "300ms"]));
    failure(&launcher, 124, "timeout");
    assert_eq!(engine.made_by_create(), [""; 0]);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let engine = Engine::start();
    engine.goes_wrong(When::From(1), Fault::silence());
    let mut child = engine.launcher(CREATE).json().spawn();
    engine.wait_for("POST /containers/create");
    send("INT", &child);
    engine.wait_for("GET /containers/json");
    send("INT", &child);
    let until = Instant::now() + Duration::from_secs(3);
    while child.try_wait().expect("it is ours").is_none() {
        if Instant::now() > until {
            child.kill().expect("it is ours");
            panic!("it still runs");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let document = Ran::of(child).expect(130).document();
    assert!(document.0["error"]["details"].get("left_behind").is_some(), "{document:?}");
}

#[test]
fn what_is_left_behind_is_not_said_to_be_removed() {
    let engine = Engine::start();
    engine.answers(Script::Clone, Reply::hangs());
    engine.goes_wrong(When::every("GET", "/containers/json"), Fault::refusal(500, "database is locked"));
    let document = ended(&engine, &CREATE, "POST /exec/<clone>/start", "INT", 130);
    assert!(!document.text("/error/message").contains("was removed"), "{document:?}");
}

#[test]
fn people_get_the_exit_code_and_a_sentence() {
    let engine = Engine::start();
    engine.answers(Script::Clone, Reply::hangs());
    let child = engine.launcher(CREATE).spawn();
    engine.wait_for("POST /exec/<clone>/start");
    send("INT", &child);
    let ran = Ran::of(child).expect(130);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("error: interrupted by SIGINT"), "{}", ran.stderr);
}
