//! Somebody else removes or stops the container between two calls.

use agent_workspace_tests::engine::{Container, Engine, Fault, Reply, Script, When};

use crate::{fails, succeeds};

const PLAIN: [&str; 6] = ["create", "o/r", "--name", "a", "--image", "plain:1"];
const GONE: &str = "No such container: agent-ws-a";

/// A create that finds its container gone at the first request of this kind.
fn gone_at(method: &'static str, end: &str) -> Engine {
    let engine = Engine::start();
    engine.goes_wrong(When::first(method, end), Fault::refusal(404, GONE));
    engine
}

#[test]
fn a_new_container_that_is_gone_before_it_is_looked_at_has_vanished() {
    fails(&gone_at("GET", "/json"), &PLAIN, 4, "container_vanished");
}

#[test]
fn a_new_container_that_is_gone_before_its_start_has_vanished() {
    fails(&gone_at("POST", "/start"), &PLAIN, 4, "container_vanished");
}

#[test]
fn a_new_container_that_is_being_removed_before_its_start_has_vanished() {
    let engine = Engine::start();
    let going = Fault::refusal(409, "container is marked for removal and cannot be started");
    engine.goes_wrong(When::first("POST", "/start"), going);
    fails(&engine, &PLAIN, 4, "container_vanished");
    assert_eq!(engine.made_by_create(), [""; 0]);
}

#[test]
fn a_new_container_that_is_gone_before_its_first_command_has_vanished() {
    let engine = gone_at("POST", "/exec");
    // What is looked at after the failed command is gone as well.
    engine.goes_wrong(When::Call("GET /containers/<agent-ws-a>/json".to_owned(), 2), Fault::refusal(404, GONE));
    fails(&engine, &PLAIN, 4, "container_vanished");
}

#[test]
fn a_container_that_is_stopped_before_the_clone_has_vanished() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    engine.goes_wrong(When::first("POST", "/exec"), Fault::refusal(409, "container abc is not running"));
    fails(&engine, &["create", "o/r", "--name", "a"], 4, "container_vanished");
}

#[test]
fn a_command_that_is_not_begun_as_its_container_is_killed_has_vanished_with_it() {
    let words = "OCI runtime exec failed: unable to start container process: read init-p: connection reset by peer";
    for status in [126, 137] {
        let engine = Engine::start();
        engine.answers(Script::Clone, Reply::fails(status, "").and_says(words));
        // The new container, and the first look after the command: it still runs.
        let third = When::Call("GET /containers/<agent-ws-a>/json".to_owned(), 3);
        engine.goes_wrong(third, Fault::refusal(404, GONE));
        fails(&engine, &["create", "o/r", "--name", "a", "--image", "ready:1"], 4, "container_vanished");
    }
}

#[test]
fn an_exec_that_is_gone_has_vanished_with_its_container() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    engine.goes_wrong(When::Nth(4), Fault::refusal(404, "No such exec instance"));
    fails(&engine, &["rm", "a"], 4, "container_vanished");
    assert_eq!(engine.volumes().len(), 2);
}

#[test]
fn what_is_gone_when_it_is_to_be_started_or_stopped_is_not_found() {
    for (verb, state) in [("start", "exited"), ("stop", "running"), ("start", "paused")] {
        let engine = Engine::start();
        engine.has(Container::workspace("a").state(state));
        engine.goes_wrong(When::Nth(2), Fault::refusal(404, GONE));
        fails(&engine, &[verb, "a"], 3, "workspace_not_found");
    }
}

#[test]
fn what_is_being_removed_is_in_the_wrong_state() {
    for (verb, state) in [("start", "exited"), ("stop", "running")] {
        let engine = Engine::start();
        engine.has(Container::workspace("a").state(state));
        engine.goes_wrong(When::Nth(2), Fault::refusal(409, "container is marked for removal and cannot be started"));
        fails(&engine, &[verb, "a"], 4, "wrong_state");
    }
}

#[test]
fn a_name_that_is_free_again_when_it_is_looked_at_is_taken() {
    let engine = Engine::start();
    let in_use = Fault::refusal(409, "Conflict. The container name \"/agent-ws-a\" is already in use");
    engine.goes_wrong(When::first("POST", "/containers/create"), in_use);
    assert_eq!(*succeeds(&engine, &PLAIN).at("/created"), true);
}

#[test]
fn an_image_that_is_gone_again_after_its_pull_is_not_pulled_for_ever() {
    let engine = Engine::start();
    engine.registry_has("debian:1");
    engine.goes_wrong(When::every("POST", "/containers/create"), Fault::refusal(404, "No such image: debian:1"));
    fails(&engine, &["create", "--no-clone", "--name", "a", "--image", "debian:1"], 3, "image_not_found");
    assert_eq!(engine.calls().iter().filter(|call| call.starts_with("POST /images")).count(), 1);
}

/// A workspace that was running when it was looked for, and is not any more.
fn stopped_meanwhile() -> Engine {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    let running = engine.containers()[0].inspected().to_string();
    succeeds(&engine, &["stop", "a"]);
    engine.goes_wrong(When::call("GET /containers/agent-ws-a/json"), Fault::body(&running));
    engine
}

#[test]
fn what_is_stopped_or_being_removed_when_it_is_looked_into_is_looked_into_from_beside() {
    let engine = stopped_meanwhile();
    succeeds(&engine, &["rm", "a"]);
    assert_eq!((engine.containers().len(), engine.volumes().len()), (0, 0));

    let engine = stopped_meanwhile();
    engine.answers(Script::UnsavedWork, Reply::says("files\t1\t/work/x\n"));
    fails(&engine, &["rm", "a"], 5, "unsaved_work");
    assert_eq!((engine.state_of("agent-ws-a").as_str(), engine.volumes().len()), ("exited", 2));
}

#[test]
fn a_source_that_is_removed_before_its_view_has_its_volumes_is_not_copied_as_if_it_were_empty() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("exited"));
    // It goes while the view is made.
    engine.goes_wrong(When::call("GET /containers/<agent-ws-a>/json"), Fault::refusal(404, GONE));
    fails(&engine, &["copy", "a", "--name", "b"], 4, "container_vanished");
    assert_eq!(engine.made_by_create(), [""; 0]);
}
