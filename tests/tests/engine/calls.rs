//! What the engine is asked, call by call. A call more is a wait more for somebody.

use agent_workspace_tests::Launcher;
use agent_workspace_tests::engine::{Container, Engine};

use crate::{fails, succeeds};

fn asked(engine: &Engine, args: &[&str]) -> Vec<String> {
    succeeds(engine, args);
    engine.calls()
}

#[test]
fn ls_is_one_call() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    engine.has(Container::workspace("b"));
    assert_eq!(asked(&engine, &["ls"]), [r#"GET /containers/json?all=1&filters={"label":["agent-kit.workspace=1"]}"#]);
}

#[test]
fn ls_without_labelled_workspaces_looks_for_old_ones_by_name() {
    let engine = Engine::start();
    assert_eq!(
        asked(&engine, &["ls"]),
        [
            r#"GET /containers/json?all=1&filters={"label":["agent-kit.workspace=1"]}"#,
            r#"GET /containers/json?all=1&filters={"name":["^/?agent-ws-"]}"#,
        ]
    );
}

#[test]
fn describe_is_one_call() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    assert_eq!(asked(&engine, &["describe", "a"]), ["GET /containers/agent-ws-a/json"]);
}

#[test]
fn stop_is_two_calls() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    assert_eq!(
        asked(&engine, &["stop", "a"]),
        ["GET /containers/agent-ws-a/json", "POST /containers/<agent-ws-a>/stop?t=10"]
    );
    assert_eq!(engine.state_of("agent-ws-a"), "exited");
}

#[test]
fn stopping_what_is_stopped_is_one_call() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("exited"));
    let document = succeeds(&engine, &["stop", "a"]);
    assert_eq!((document.at("/changed"), document.text("/status")), (&false.into(), "stopped"));
    assert_eq!(engine.calls(), ["GET /containers/agent-ws-a/json"]);
}

#[test]
fn start_is_two_calls() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("exited"));
    assert_eq!(
        asked(&engine, &["start", "a"]),
        ["GET /containers/agent-ws-a/json", "POST /containers/<agent-ws-a>/start"]
    );
    assert_eq!(engine.state_of("agent-ws-a"), "running");
}

#[test]
fn what_is_paused_is_thawed_and_not_started() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("paused"));
    assert_eq!(asked(&engine, &["start", "a"])[1..], ["POST /containers/<agent-ws-a>/unpause"]);
    assert_eq!(engine.state_of("agent-ws-a"), "running");
}

#[test]
fn what_is_paused_is_thawed_before_it_is_stopped() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("paused"));
    assert_eq!(
        asked(&engine, &["stop", "a"])[1..],
        ["POST /containers/<agent-ws-a>/unpause", "POST /containers/<agent-ws-a>/stop?t=10"]
    );
    assert_eq!(engine.state_of("agent-ws-a"), "exited");
}

#[test]
fn create_on_an_image_made_for_workspaces_is_three_calls() {
    let engine = Engine::start();
    assert_eq!(
        asked(&engine, &["create", "--no-clone", "--name", "a", "--image", "ready:1"]),
        [
            "POST /containers/create?name=agent-ws-a",
            "GET /containers/<agent-ws-a>/json",
            "POST /containers/<agent-ws-a>/start",
        ]
    );
}

#[test]
fn create_on_any_other_image_prepares_it_and_then_clones() {
    let engine = Engine::start();
    assert_eq!(
        asked(&engine, &["create", "o/r", "--name", "a", "--image", "plain:1"])[3..],
        [
            "POST /containers/<agent-ws-a>/exec",
            "POST /exec/<prepare>/start",
            "GET /exec/<prepare>/json",
            "POST /containers/<agent-ws-a>/exec",
            "POST /exec/<clone>/start",
            "GET /exec/<clone>/json",
        ]
    );
}

#[test]
fn coming_back_to_a_running_workspace_is_two_calls() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    assert_eq!(
        asked(&engine, &["create", "--no-clone", "--name", "a", "--image", "ready:1"]),
        ["POST /containers/create?name=agent-ws-a", "GET /containers/agent-ws-a/json"]
    );
}

#[test]
fn coming_back_to_a_workspace_that_may_still_be_in_the_making_leaves_a_mark() {
    let engine = Engine::start();
    let args = ["create", "--no-clone", "--name", "a", "--image", "ready:1"];
    succeeds(&engine, &args);
    assert_eq!(
        asked(&engine, &args)[5..],
        ["POST /containers/<agent-ws-a>/exec", "POST /exec/<joined>/start", "GET /exec/<joined>/json"]
    );
}

#[test]
fn rm_looks_before_it_removes() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    let mut calls = asked(&engine, &["rm", "a"]);
    // Volumes go at once, in whatever order.
    calls[5..].sort();
    assert_eq!(
        calls,
        [
            "GET /containers/agent-ws-a/json",
            "POST /containers/<agent-ws-a>/exec",
            "POST /exec/<unsaved-work>/start",
            "GET /exec/<unsaved-work>/json",
            "DELETE /containers/<agent-ws-a>?force=true&v=true",
            "DELETE /volumes/agent-ws-a-home",
            "DELETE /volumes/agent-ws-a-work",
        ]
    );
}

#[test]
fn rm_of_what_is_stopped_is_two_calls_more_than_rm_of_what_runs() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("exited"));
    let mut calls = asked(&engine, &["rm", "a"]);
    calls[8..].sort();
    assert_eq!(
        calls,
        [
            "GET /containers/agent-ws-a/json",
            "POST /containers/create?name=agent-ws-a-view-<id>",
            "POST /containers/<agent-ws-a-view-<id>>/start",
            "POST /containers/<agent-ws-a-view-<id>>/exec",
            "POST /exec/<unsaved-work>/start",
            "GET /exec/<unsaved-work>/json",
            "DELETE /containers/<agent-ws-a-view-<id>>?force=true&v=true",
            "DELETE /containers/<agent-ws-a>?force=true&v=true",
            "DELETE /volumes/agent-ws-a-home",
            "DELETE /volumes/agent-ws-a-work",
        ]
    );
}

#[test]
fn the_number_of_a_user_that_was_made_inside_is_asked_for_beside_the_create() {
    let engine = Engine::start();
    let plain = Container::unmarked("agent-ws-a").label("agent-kit.workspace", "1");
    engine.has(plain.label("agent-workspace.version", "0").state("exited"));
    let mut calls = asked(&engine, &["rm", "a"]);
    calls[1..3].sort();
    assert_eq!(calls[1], "GET /containers/<agent-ws-a>/archive?path=/etc/passwd");
    assert_eq!((calls[2].as_str(), calls.len()), ("POST /containers/create?name=agent-ws-a-view-<id>", 11));
}

#[test]
fn rm_force_does_not_look() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("exited"));
    let calls = asked(&engine, &["rm", "a", "--force"]);
    assert_eq!(calls.len(), 4, "{calls:?}");
    assert!(!calls.iter().any(|call| call.contains("exec") || call.contains("start")), "{calls:?}");
}

#[test]
fn rm_of_an_old_workspace_asks_beside_the_removal_whether_there_is_a_volume_more() {
    for (flags, most) in [(&["rm", "a"][..], 8), (&["rm", "a", "--force"], 5)] {
        let engine = Engine::start();
        engine.has(Container::old_workspace("a"));
        let calls = asked(&engine, flags);
        assert!(calls.contains(&"GET /volumes/agent-ws-a-agent-home".to_owned()), "{calls:?}");
        assert_eq!(calls.len(), most, "{calls:?}");
    }
}

#[test]
fn what_is_wrong_before_the_engine_matters_asks_it_nothing() {
    let engine = Engine::start();
    for args in [
        &["create"][..],
        &["create", "--no-clone"],
        &["create", "owner"],
        &["create", "o/r", "--name", "!!!"],
        &["create", "o/r", "--bogus"],
        &["create", "o/r", "--image", "UPPER:case:twice"],
        &["create", "o/r", "--ref", "a b"],
        &["create", "o/r", "--memory", "1"],
        &["create", "o/r", "--label", "agent-kit.workspace=1"],
        &["create", "o/r", "--env-file", "/nonexistent"],
        &["create", "o/r", "--tunnel"],
        &["create", "o/r", "--backend", "nosuch"],
        &["create", "o/r", "--secrets-mount", "/x"],
        &["describe"],
        &["describe", "!!!"],
        &["rm"],
        &["rm", "!!!"],
        &["rm", "a", "--volumes", "--keep-volumes"],
        &["start", "..."],
        &["stop", "---"],
        &["stop", "a", "--timeout", "soon"],
        &["ls", "--bogus"],
        &["ls", "--backend", "nosuch"],
        &["doctor", "--backend", "nosuch"],
        &["prune", "--older-than", "soon"],
        &["prune", "a"],
        &["tunnel", "a"],
        &["tunnel", "a", "--detach", "--name", "exactly-twentyone-char"],
        &["image", "build", "--base", "?"],
        &["nosuch"],
        &["field", "workspace"],
        &["--supports", "nosuch"],
        &["--requires", ">=99"],
        &["--requires", "latest"],
    ] {
        let ran = engine.json(args.iter().copied());
        let document = ran.document();
        assert!([1, 2, 9].contains(&ran.code), "{args:?}: {}", ran.stdout);
        assert_ne!(document.error_code(), "internal", "{args:?}");
    }
    assert_eq!(engine.calls(), [""; 0]);
}

#[test]
fn what_is_known_without_the_engine_asks_it_nothing() {
    let engine = Engine::start();
    for args in [
        &["--version"][..],
        &["--help"],
        &["help", "create"],
        &["create", "--help"],
        &["capabilities"],
        &["schema"],
        &["--supports", "version"],
        &["--requires", ">=0.1"],
        &["parse-repo", "o/r"],
        &["completion", "bash"],
    ] {
        succeeds(&engine, args);
    }
    assert_eq!(engine.launcher(["field", "/a"]).stdin(r#"{"a":1}"#).run().expect(0).stdout, "1\n");
    assert_eq!(engine.calls(), [""; 0]);
}

#[test]
fn an_engine_is_found_by_its_address_alone_and_no_version_is_put_into_paths() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    let bare = Launcher::new(["describe", "a"]).env("DOCKER_HOST", engine.socket()).json();
    assert_eq!(bare.run().expect(0).document().text("/workspace/name"), "a");
    fails(&engine, &["describe", "b"], 3, "workspace_not_found");
    assert!(engine.requests().iter().all(|request| request.path.starts_with("/containers/")), "{:?}", engine.calls());
}
