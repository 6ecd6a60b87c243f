//! Where a create was when it failed, and what `--keep-on-failure` keeps.

use agent_workspace_tests::engine::{Container, Engine, Fault, Reply, Script, When};

use crate::{fails, failure, succeeds};

const CREATE: [&str; 6] = ["create", "o/r", "--name", "a", "--image", "ready:1"];
const KEEP: [&str; 7] = ["create", "o/r", "--name", "a", "--image", "ready:1", "--keep-on-failure"];

#[test]
fn a_failure_names_the_phase_it_happened_in() {
    let phase = |set_up: &dyn Fn(&Engine), args: &[&str], exit: i32, code: &str| {
        let engine = Engine::start();
        set_up(&engine);
        fails(&engine, args, exit, code).text("/error/details/phase").to_owned()
    };
    let plain = ["create", "o/r", "--name", "a", "--image", "plain:1"];
    let create =
        |engine: &Engine| engine.goes_wrong(When::first("POST", "/containers/create"), Fault::refusal(500, "no"));
    let start = |engine: &Engine| engine.goes_wrong(When::first("POST", "/start"), Fault::refusal(500, "no"));
    let prepare = |engine: &Engine| engine.answers(Script::Prepare, Reply::fails(1, "no"));
    let clone = |engine: &Engine| engine.answers(Script::Clone, Reply::fails(128, "fatal: early EOF"));
    assert_eq!(phase(&create, &CREATE, 1, "engine_error"), "create");
    assert_eq!(phase(&start, &CREATE, 1, "engine_error"), "start");
    assert_eq!(phase(&prepare, &plain, 1, "guest_failed"), "prepare");
    assert_eq!(phase(&clone, &CREATE, 1, "clone_failed"), "clone");
    assert_eq!(phase(&|_| (), &["create", "o/r", "--name", "a", "--image", "no:1"], 3, "image_not_found"), "image");
}

#[test]
fn a_time_that_runs_out_names_the_phase_it_ran_out_in() {
    let engine = Engine::start();
    engine.answers(Script::Clone, Reply::hangs());
    let document = failure(&engine.launcher(CREATE.iter().chain(&["--timeout", "300ms"])), 124, "timeout");
    assert_eq!(document.text("/error/details/phase"), "clone");
}

#[test]
fn what_a_failed_create_has_made_is_kept_for_a_look_where_that_was_asked_for() {
    let engine = Engine::start();
    engine.answers(Script::Clone, Reply::fails(128, "fatal: early EOF"));
    let document = fails(&engine, &KEEP, 1, "clone_failed");
    assert_eq!(document.text("/error/details/kept"), "agent-ws-a");
    assert!(document.0["error"]["details"].get("undone").is_none(), "{document:?}");
    assert_eq!(engine.state_of("agent-ws-a"), "running");
    assert_eq!(engine.volume_names(), ["agent-ws-a-home", "agent-ws-a-work"]);
    // Then it is removed like any other, or made whole by the same create.
    engine.answers(Script::Clone, Reply::says("result=cloned\n"));
    assert_eq!(succeeds(&engine, &KEEP).at("/created"), false);
    succeeds(&engine, &["rm", "--force", "a"]);
    assert_eq!(engine.made_by_create(), [""; 0]);
}

#[test]
fn it_is_not_said_that_something_is_kept_where_nothing_was_made() {
    let engine = Engine::start();
    let args = ["create", "--no-clone", "--name", "a", "--image", "no:1", "--keep-on-failure"];
    let document = fails(&engine, &args, 3, "image_not_found");
    assert!(document.0["error"]["details"].get("kept").is_none(), "{document:?}");
    // Nor is somebody else's workspace of that name.
    engine.has(Container::workspace("a").label("agent-kit.repo", "o/other"));
    let document = fails(&engine, &KEEP, 4, "spec_conflict");
    assert!(document.0["error"]["details"].get("kept").is_none(), "{document:?}");
}

#[test]
fn what_could_not_be_undone_comes_with_the_command_that_removes_it() {
    let engine = Engine::start();
    engine.answers(Script::Clone, Reply::fails(128, "fatal: early EOF"));
    engine.goes_wrong(When::every("GET", "/containers/json"), Fault::refusal(500, "database is locked"));
    let document = fails(&engine, &CREATE, 1, "clone_failed");
    assert_eq!(document.text("/error/hint"), "remove what is left: agent-workspace rm agent-ws-a");
}

#[test]
fn nobody_is_told_to_remove_by_force_what_may_be_somebody_elses() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    engine.goes_wrong(When::first("POST", "/containers/create"), Fault::cut());
    engine.goes_wrong(When::every("GET", "/containers/json"), Fault::refusal(500, "database is locked"));
    let document = fails(&engine, &["create", "--no-clone", "--name", "a"], 7, "engine_unavailable");
    assert!(document.text("/error/details/left_behind/0").contains("agent-ws-a"), "{document:?}");
    assert!(!document.0.to_string().contains("rm --force"), "{document:?}");
}

#[test]
fn what_the_engine_was_still_making_is_named_when_it_is_kept() {
    let engine = Engine::start();
    engine.goes_wrong(When::first("POST", "/containers/create"), Fault::silence().after_doing_it());
    let document = failure(&engine.launcher(KEEP.iter().chain(&["--timeout", "300ms"])), 124, "timeout");
    assert_eq!(document.text("/error/details/kept"), "agent-ws-a");
    assert_eq!(document.text("/error/details/phase"), "create");
}
