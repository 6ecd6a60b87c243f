//! `ls`: one broken workspace never hides the others.

use agent_workspace_tests::engine::{Container, Engine, Fault, When};
use serde_json::Value;

use crate::{fails, succeeds};

fn names(engine: &Engine) -> Vec<String> {
    let document = succeeds(engine, &["ls"]);
    let rows = document.at("/workspaces").as_array().expect("a list").clone();
    rows.iter().map(|row| row["workspace"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn labelled_workspaces_are_listed_newest_first_and_strangers_are_not() {
    let engine = Engine::start();
    engine.has(Container::workspace("old"));
    engine.has(Container::stranger("postgres"));
    engine.has(Container::workspace("new"));
    assert_eq!(names(&engine), ["agent-ws-new", "agent-ws-old"]);
}

#[test]
fn workspaces_of_other_prefixes_are_listed_by_their_label() {
    let engine = Engine::start();
    engine.has(Container::unmarked("team-x").label("agent-kit.workspace", "1"));
    assert_eq!(names(&engine), ["team-x"]);
}

#[test]
fn old_workspaces_are_listed_only_when_none_has_a_label() {
    let engine = Engine::start();
    engine.has(Container::unmarked("agent-ws-old"));
    assert_eq!(names(&engine), ["agent-ws-old"]);
    engine.has(Container::workspace("new"));
    assert_eq!(names(&engine), ["agent-ws-new"]);
}

#[test]
fn a_state_of_tomorrow_is_a_row_with_a_problem() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("hibernating"));
    engine.has(Container::workspace("b"));
    let document = succeeds(&engine, &["ls"]);
    assert_eq!(document.text("/workspaces/0/status"), "running");
    assert_eq!(document.text("/workspaces/1/status"), "unknown");
    assert_eq!(document.text("/workspaces/1/problems/0/code"), "unknown_state");
}

#[test]
fn every_state_of_the_engine_has_a_word() {
    let engine = Engine::start();
    for (state, word) in [
        ("created", "creating"),
        ("running", "running"),
        ("restarting", "running"),
        ("paused", "paused"),
        ("exited", "stopped"),
        ("removing", "stopped"),
        ("dead", "broken"),
        ("", "unknown"),
    ] {
        engine.has(Container::workspace("a").state(state));
        assert_eq!(succeeds(&engine, &["ls"]).text("/workspaces/0/status"), word, "{state}");
        assert_eq!(succeeds(&engine, &["describe", "a"]).text("/workspace/status"), word, "{state}");
        engine.loses("agent-ws-a");
    }
}

#[test]
fn labels_that_are_null_are_no_labels() {
    let engine = Engine::start();
    engine.has(Container::unmarked("agent-ws-a").null_labels());
    assert_eq!(names(&engine), ["agent-ws-a"]);
    let document = succeeds(&engine, &["describe", "a"]);
    assert_eq!(document.at("/workspace/repo"), &Value::Null);
}

#[test]
fn rows_that_say_nearly_nothing_are_rows_all_the_same() {
    let engine = Engine::start();
    let text = r#"[{"Id":"1","Names":null,"Labels":{"agent-kit.workspace":"1"},"Mounts":null,"State":null},{"Id":"2","Names":["/agent-ws-b"]}]"#;
    engine.goes_wrong(When::Nth(1), Fault::body(text));
    let document = succeeds(&engine, &["ls"]);
    assert_eq!(document.text("/workspaces/1/workspace"), "agent-ws-b");
    assert_eq!(document.text("/workspaces/1/status"), "unknown");
}

#[test]
fn a_label_of_ours_that_is_broken_breaks_no_row() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").label("agent-workspace.spec", "{").label("agent-kit.created-at", "yesterday"));
    assert_eq!(names(&engine), ["agent-ws-a"]);
    assert_eq!(succeeds(&engine, &["describe", "a"]).text("/workspace/path"), "/work");
}

#[test]
fn for_programs_without_json_rows_are_tab_separated_with_empty_columns_kept() {
    let engine = Engine::start();
    engine.has(Container::workspace("b").label("agent-kit.repo", "o/r").state("exited"));
    engine.has(Container::workspace("a"));
    let ran = engine.text(["ls"]).expect(0);
    assert_eq!(
        ran.stdout,
        "agent-ws-a\trunning\t\t2026-01-22T08:46:54Z\nagent-ws-b\tstopped\to/r\t2026-01-22T08:46:53Z\n"
    );
    assert_eq!(ran.stderr, "");
}

#[test]
fn no_workspaces_are_no_lines_and_an_empty_list() {
    let engine = Engine::start();
    assert_eq!(engine.text(["ls"]).expect(0).stdout, "");
    assert_eq!(succeeds(&engine, &["ls"]).at("/workspaces"), &serde_json::json!([]));
}

#[test]
fn a_web_server_has_no_workspaces_to_list_or_describe() {
    let engine = Engine::start();
    engine.goes_wrong(When::From(1), Fault::page(404));
    for args in [&["ls"][..], &["describe", "a"], &["stop", "a"], &["rm", "a", "--if-exists"]] {
        fails(&engine, args, 7, "engine_unavailable");
    }
}
