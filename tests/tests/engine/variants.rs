//! Images and engines that need a container made in another way than the plain one.

use agent_workspace_tests::engine::{CREATE_ID, Container, Engine, Fault, Reply, Script, When};
use serde_json::Value;

use crate::{fails, succeeds};

const CREATE: [&str; 6] = ["create", "--no-clone", "--name", "a", "--image", "plain:1"];

/// The bodies of the requests that made containers.
fn bodies(engine: &Engine) -> Vec<Value> {
    let creates = engine.requests().into_iter().filter(|request| request.path == "/containers/create");
    creates.map(|request| request.json()).collect()
}

/// What an engine says when a program is not in the image.
fn not_found(program: &str) -> Fault {
    let message = format!(
        "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create \
         failed: unable to start container process: exec: \"{program}\": executable file not found in $PATH: unknown"
    );
    Fault::refusal(400, &message)
}

#[test]
fn an_engine_without_an_init_makes_containers_without_one() {
    for (method, end) in [("POST", "/containers/create"), ("POST", "/start")] {
        let engine = Engine::start();
        engine.goes_wrong(When::first(method, end), not_found("docker-init"));
        succeeds(&engine, &CREATE);
        let inits: Vec<Value> = bodies(&engine).iter().map(|body| body["HostConfig"]["Init"].clone()).collect();
        assert_eq!(inits, [true, false], "{end}");
        assert_eq!(engine.containers().len(), 1, "{end}");
    }
}

#[test]
fn an_entrypoint_that_is_not_in_its_image_is_left_out_with_a_warning() {
    let engine = Engine::start();
    engine.goes_wrong(When::first("POST", "/start"), not_found("/docker-entrypoint.sh"));
    let document = succeeds(&engine, &CREATE);
    assert_eq!(document.warnings(), ["entrypoint_skipped"]);
    let bodies = bodies(&engine);
    assert!(bodies[0].get("Entrypoint").is_none_or(Value::is_null), "{}", bodies[0]);
    assert_eq!(bodies[1]["Entrypoint"], serde_json::json!([""]));
    assert_eq!(engine.containers().len(), 1);
}

#[test]
fn an_image_without_a_shell_cannot_be_a_workspace() {
    let engine = Engine::start();
    engine.goes_wrong(When::every("POST", "/start"), not_found("sh"));
    let document = fails(&engine, &CREATE, 9, "image_unusable");
    assert_eq!(document.text("/error/details/image"), "plain:1");
    assert_eq!(engine.made_by_create(), [""; 0]);
}

#[test]
fn a_user_that_the_image_does_not_have_is_named() {
    let engine = Engine::start();
    let message = "unable to find user me: no matching entries in passwd file";
    engine.goes_wrong(When::every("POST", "/start"), Fault::refusal(400, message));
    let args = [&CREATE[..], &["--user", "me"]].concat();
    assert_eq!(fails(&engine, &args, 9, "image_unusable").text("/error/details/user"), "me");
    let engine = Engine::start();
    engine.answers(Script::Prepare, Reply::fails(80, ""));
    assert_eq!(fails(&engine, &args, 9, "image_unusable").text("/error/details/user"), "me");
    assert_eq!(engine.made_by_create(), [""; 0]);
}

#[test]
fn a_user_that_was_asked_for_is_prepared_even_in_an_image_made_for_workspaces() {
    let engine = Engine::start();
    succeeds(&engine, &["create", "--no-clone", "--name", "a", "--image", "ready:1", "--user", "me"]);
    let (words, user) = engine.runs(Script::Prepare).pop().expect("it is prepared");
    assert_eq!(words, ["me", "/work", "/home/agent", "asked"].map(str::to_owned));
    assert_eq!(user, "0", "only the superuser can");
}

#[test]
fn a_container_that_ends_at_once_is_made_again_without_its_entrypoint() {
    let engine = Engine::start();
    // The first exec finds it ended, and so does the look at it.
    engine.goes_wrong(When::first("POST", "/exec"), Fault::refusal(409, "container abc is not running"));
    engine.goes_wrong(
        When::Call("GET /containers/<agent-ws-a>/json".to_owned(), 2),
        Fault::body(r#"{"Id":"abc","Name":"/agent-ws-a","State":{"Status":"exited","ExitCode":0}}"#),
    );
    assert_eq!(succeeds(&engine, &CREATE).warnings(), ["entrypoint_skipped"]);
    assert_eq!(engine.containers().len(), 1);
    let id = &bodies(&engine)[1]["Labels"][CREATE_ID];
    assert_eq!(*id, bodies(&engine)[0]["Labels"][CREATE_ID], "it is one create");
}

#[test]
fn a_workspace_that_was_cut_off_before_it_was_prepared_is_prepared_when_come_back_to() {
    let engine = Engine::start();
    let cut_off = Container::unmarked("agent-ws-a").label("agent-kit.workspace", "1").state("created");
    engine.has(cut_off.label("agent-workspace.version", "0.2.0"));
    succeeds(&engine, &["create", "--no-clone", "--name", "a"]);
    assert_eq!(engine.runs(Script::Prepare).len(), 1);
    assert_eq!(engine.state_of("agent-ws-a"), "running");
}
