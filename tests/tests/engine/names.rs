//! Completion: names of workspaces come from the engine, in one call, and only where one is named.

use agent_workspace_tests::engine::{Container, Engine, Fault, When};

fn complete(engine: &Engine, words: &[&str]) -> String {
    let index = (words.len() - 1).to_string();
    let question = ["__complete", "--wrapper", "--shell", "zsh", "--index", &index, "--"];
    let ran = engine.launcher(question.iter().chain(words).copied()).run().expect(0);
    assert_eq!(ran.stderr, "", "{words:?}");
    ran.stdout
}

fn engine() -> Engine {
    let engine = Engine::start();
    engine.has(Container::workspace("beta").label("agent-kit.repo", "o/r\tx\u{1b}[2J").state("exited"));
    engine.has(Container::workspace("alpha"));
    engine.has(Container::workspace("ws-odd"));
    engine.has(Container::unmarked("team-x").label("agent-kit.workspace", "1"));
    engine.has(Container::stranger("postgres"));
    engine
}

#[test]
fn workspaces_are_offered_by_the_name_that_leads_back_to_them() {
    let engine = engine();
    assert_eq!(
        complete(&engine, &["agent-workspace", "rm", ""]),
        "agent-ws-ws-odd\trunning\nalpha\trunning\nbeta\tstopped  o/r x [2J\nteam-x\trunning\n"
    );
    assert_eq!(complete(&engine, &["awe", "al"]), "alpha\trunning\n");
    assert_eq!(complete(&engine, &["awm", "alpha", "team-x", "a"]), "agent-ws-ws-odd\trunning\n");
    assert_eq!(complete(&engine, &["aw", "rsync", "pull", "b"]), "beta\tstopped  o/r x [2J\n:files\n");
    assert_eq!(engine.calls().len(), 4, "{:?}", engine.calls());
}

#[test]
fn words_that_are_known_without_an_engine_ask_none() {
    let engine = engine();
    for words in [
        &["agent-workspace", ""][..],
        &["agent-workspace", "rm", "-"],
        &["agent-workspace", "ls", "--output="],
        &["agent-workspace", "create", ""],
        &["awr", ""],
        &["awe", "alpha", ""],
        &["awc", "--auth", ""],
        &["awm", "--all", ""],
    ] {
        complete(&engine, words);
    }
    assert_eq!(engine.calls(), [""; 0]);
}

#[test]
fn an_engine_that_goes_wrong_offers_nothing_and_says_nothing() {
    for fault in [Fault::cut(), Fault::not_http(), Fault::page(404), Fault::refusal(500, "database is locked")] {
        let engine = engine();
        engine.goes_wrong(When::From(1), fault);
        assert_eq!(complete(&engine, &["agent-workspace", "rm", ""]), "");
    }
}
