//! `create --plan`: the very request, and not one call.

use agent_workspace_tests::Launcher;
use agent_workspace_tests::engine::{CREATE_ID, Engine};
use serde_json::Value;

use crate::{fails, succeeds};

/// A request without what differs from call to call.
fn timeless(mut body: Value) -> Value {
    let labels = body["Labels"].as_object_mut().expect("labels");
    labels.remove(CREATE_ID).expect("an id");
    labels.remove("agent-kit.created-at").expect("a time");
    for mount in body["HostConfig"]["Mounts"].as_array_mut().expect("mounts") {
        if let Some(labels) = mount["VolumeOptions"]["Labels"].as_object_mut() {
            labels.remove(CREATE_ID).expect("an id");
        }
    }
    body
}

#[test]
fn a_plan_is_what_the_engine_will_be_asked_for() {
    for flags in [
        &[][..],
        &["--isolation", "strict", "--network", "lan"],
        &["--cpus", "2", "--memory", "1g", "--user", "1000:1000", "--label", "a=b"],
    ] {
        let engine = Engine::start();
        engine.has_network("lan");
        let create = [&["create", "o/r", "--name", "a", "--image", "ready:1"][..], flags].concat();
        let plan = succeeds(&engine, &[&create[..], &["--plan"]].concat());
        assert_eq!(engine.calls(), [""; 0], "it touches nothing");
        succeeds(&engine, &create);
        assert_eq!(timeless(plan.at("/plan/container").clone()), timeless(engine.create_body()), "{flags:?}");
        assert_eq!(plan.text("/workspace"), "agent-ws-a");
        assert_eq!(plan.text("/plan/volumes/0/id"), "agent-ws-a-work");
    }
}

#[test]
fn a_plan_needs_no_engine_and_refuses_what_create_refuses() {
    let plan = |args: &[&str]| {
        let words = ["create", "--plan"].iter().chain(args).copied();
        Launcher::new(words)
            .env("DOCKER_HOST", "unix:///nonexistent")
            .env("GH_TOKEN", "canary-of-the-plan")
            .json()
            .run()
    };
    let ran = plan(&["o/r"]).expect(0);
    assert!(!ran.stdout.contains("canary"), "{}", ran.stdout);
    let document = ran.document();
    assert_eq!(document.text("/plan/steps/4/phase"), "clone");
    assert_eq!(plan(&["o/r", "--ref=-x"]).expect(2).document().error_code(), "invalid_ref");
}

#[test]
fn people_read_the_steps() {
    let ran = Launcher::new(["up", "o/r", "--name", "a", "--plan"]).run().expect(0);
    assert!(ran.stdout.starts_with("workspace: agent-ws-a\nrepo: o/r\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("\nvolume: agent-ws-a-work on /work\n"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("step 5: clone https://github.com/o/r.git into /work/o/r, without a token\n"),
        "{}",
        ran.stdout
    );
}

#[test]
fn what_must_not_be_mounted_is_not_planned_either() {
    let engine = Engine::start();
    let folder = engine.socket().parent().expect("a folder").display().to_string();
    let plan = ["create", "--no-clone", "--name", "a", "--plan", "--secrets-dir", &folder];
    fails(&engine, &plan, 2, "invalid_secrets");
    let other = tempfile::tempdir().expect("a folder");
    let secrets = other.path().to_str().expect("temporary folders are UTF-8");
    let plan = ["create", "--no-clone", "--name", "a", "--plan", "--secrets-dir", secrets];
    let elsewhere = engine.launcher(plan).env("DOCKER_HOST", "ssh://nowhere.test").json().run();
    assert_eq!(elsewhere.expect(9).document().error_code(), "unsupported");
    assert_eq!(engine.calls(), [""; 0]);
}

#[test]
fn a_limit_of_the_whole_stands_beside_those_of_the_steps() {
    let engine = Engine::start();
    let document = succeeds(&engine, &["create", "o/r", "--plan", "--timeout", "90s"]);
    assert_eq!(
        (document.at("/plan/timeout_ms"), document.at("/plan/steps/0/limit_ms")),
        (&90_000.into(), &3_600_000.into())
    );
}
