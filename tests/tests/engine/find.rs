//! Which workspace a name stands for.

use agent_workspace_tests::engine::{Container, Engine};

use crate::{fails, succeeds};

#[test]
fn the_name_given_to_create_works_everywhere() {
    for typed in ["My Task!", "my-task", "agent-ws-my-task", "MY_TASK"] {
        let engine = Engine::start();
        let created = succeeds(&engine, &["create", "--no-clone", "--name", typed, "--image", "ready:1"]);
        assert_eq!(created.text("/workspace"), "agent-ws-my-task", "{typed}");
        for verb in ["describe", "stop", "start", "rm"] {
            succeeds(&engine, &[verb, typed]);
        }
    }
}

#[test]
fn names_that_an_earlier_launcher_spelled_otherwise_are_found() {
    let engine = Engine::start();
    engine.has(Container::workspace("ws-foo").state("exited"));
    assert_eq!(succeeds(&engine, &["describe", "ws-foo"]).text("/workspace/workspace"), "agent-ws-ws-foo");
    assert_eq!(succeeds(&engine, &["start", "ws-foo"]).text("/workspace"), "agent-ws-ws-foo");
    let again = succeeds(&engine, &["create", "--no-clone", "--name", "ws-foo"]);
    assert_eq!((again.text("/workspace"), again.at("/created")), ("agent-ws-ws-foo", &false.into()));
    assert_eq!(engine.containers().len(), 1);
    succeeds(&engine, &["rm", "ws-foo"]);
    assert_eq!(engine.containers().len(), 0);
}

#[test]
fn the_name_of_today_wins_over_the_one_of_yesterday() {
    let engine = Engine::start();
    engine.has(Container::workspace("ws-foo"));
    engine.has(Container::workspace("foo"));
    assert_eq!(succeeds(&engine, &["describe", "ws-foo"]).text("/workspace/workspace"), "agent-ws-foo");
}

#[test]
fn full_names_of_another_prefix_are_found_as_they_are_listed() {
    let engine = Engine::start();
    engine.has(Container::unmarked("team-x").label("agent-kit.workspace", "1"));
    assert_eq!(succeeds(&engine, &["stop", "team-x"]).text("/workspace"), "team-x");
}

#[test]
fn prefixes_come_from_the_environment_in_the_order_of_the_contract() {
    for (env, name) in [
        (&[("AGENT_WORKSPACE_PREFIX", "new"), ("CODEX_WORKSPACE_PREFIX", "old")][..], "new-a"),
        (&[("CODEX_WORKSPACE_PREFIX", "old")], "old-a"),
        (&[("AGENT_WORKSPACE_PREFIX", "")], "agent-ws-a"),
    ] {
        let engine = Engine::start();
        let mut launcher = engine.launcher(["create", "--no-clone", "--name", "a", "--image", "ready:1"]).json();
        for (variable, value) in env {
            launcher = launcher.env(*variable, *value);
        }
        assert_eq!(launcher.run().expect(0).document().text("/workspace"), name);
        assert_eq!(engine.volume_names(), [format!("{name}-home"), format!("{name}-work")]);
    }
}

#[test]
fn a_prefix_that_no_container_can_have_is_refused_before_any_call() {
    let engine = Engine::start();
    for prefix in ["-x", "UPPER", "a b", "x/y"] {
        let launcher = engine.launcher(["ls"]).env("AGENT_WORKSPACE_PREFIX", prefix);
        crate::failure(&launcher, 2, "invalid_environment");
    }
    assert_eq!(engine.calls(), [""; 0]);
}

#[test]
fn an_old_workspace_without_labels_can_be_stopped_described_and_removed() {
    let engine = Engine::start();
    engine.has(Container::unmarked("agent-ws-a"));
    succeeds(&engine, &["describe", "a"]);
    assert_eq!(*succeeds(&engine, &["stop", "a"]).at("/changed"), true);
    let removed = succeeds(&engine, &["rm", "a"]);
    assert_eq!(removed.at("/removed").as_array().map(Vec::len), Some(3));
    assert_eq!((engine.containers().len(), engine.volumes().len()), (0, 0));
}

#[test]
fn the_beginning_of_an_id_is_not_a_name() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    let id = engine.containers()[0].id[..12].to_owned();
    for verb in ["describe", "stop", "rm"] {
        fails(&engine, &[verb, &id], 3, "workspace_not_found");
    }
    assert_eq!(engine.state_of("agent-ws-a"), "running");
}

#[test]
fn what_is_not_there_is_not_found_by_every_verb() {
    let engine = Engine::start();
    engine.has(Container::workspace("other"));
    for args in [&["describe", "a"][..], &["start", "a"], &["stop", "a"], &["rm", "a"], &["tunnel", "a", "--detach"]] {
        let document = fails(&engine, args, 3, "workspace_not_found");
        assert_eq!(document.text("/error/details/workspace"), "agent-ws-a", "{args:?}");
    }
    assert_eq!(engine.state_of("agent-ws-other"), "running");
}

#[test]
fn a_dead_or_unknown_container_can_still_be_named() {
    for state in ["dead", "hibernating"] {
        let engine = Engine::start();
        engine.has(Container::workspace("a").state(state));
        succeeds(&engine, &["describe", "a"]);
        succeeds(&engine, &["rm", "a", "--force"]);
        assert_eq!(engine.state_of("agent-ws-a"), "gone");
    }
}
