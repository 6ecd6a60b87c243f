//! `describe --user --workdir`: how to enter as somebody else or elsewhere, without a call more.

use agent_workspace_tests::engine::{Container, Engine};
use serde_json::{Value, json};

use crate::{fails, succeeds};

fn words(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().map(|word| word.as_str().expect("a word")).collect()
}

/// What a transport's words say of user and folder.
fn said<'a>(words: &[&'a str]) -> (&'a str, &'a str) {
    let after = |flag: &str| words[words.iter().position(|word| *word == flag).expect("the flag") + 1];
    (after("-u"), after("-w"))
}

#[test]
fn the_transport_is_of_the_user_and_the_folder_that_are_asked_for() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    for (flags, user, workdir) in [
        (&[][..], "agent", "/work"),
        (&["--user", "root"], "root", "/work"),
        (&["--user=1000:1000"], "1000:1000", "/work"),
        (&["--workdir", "/"], "agent", "/"),
        (&["--workdir", "o/r"], "agent", "/work/o/r"),
        (&["--user", "root", "--workdir", "/etc//ssl/"], "root", "/etc/ssl"),
        (&["--workdir=/home/agent/My Files"], "agent", "/home/agent/My Files"),
    ] {
        let document = succeeds(&engine, &[&["describe", "a"], flags].concat());
        assert_eq!(
            (document.text("/transport/user"), document.text("/transport/workdir")),
            (user, workdir),
            "{flags:?}"
        );
        for way in ["/transport/exec", "/transport/tty"] {
            let words = words(document.at(way));
            assert_eq!(said(&words), (user, workdir), "{flags:?}");
            assert_eq!(words.last(), Some(&"agent-ws-a"));
        }
        assert_eq!(document.at("/workspace/path"), &json!("/work"), "the row is of the workspace itself");
    }
    let shown = engine.text(["describe", "a", "--user", "root", "--workdir", "/srv"]).expect(0).stdout;
    assert!(shown.contains("-u root -w /srv agent-ws-a"), "{shown}");
}

#[test]
fn that_costs_no_call_more() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    succeeds(&engine, &["describe", "a", "--user", "nobody", "--workdir", "/nowhere"]);
    assert_eq!(engine.calls(), ["GET /containers/agent-ws-a/json"]);
}

#[test]
fn what_is_no_user_or_no_folder_is_wrong_before_any_call() {
    let engine = Engine::start();
    for flags in [
        ["--user", ""],
        ["--user", "a b"],
        ["--user", "a:b:c"],
        ["--user=-x", "--workdir=/"],
        ["--workdir", ""],
        ["--workdir", "~/x"],
        ["--workdir", "../x"],
        ["--workdir", "/work/../etc"],
        ["--workdir", "a\nb"],
    ] {
        let document = fails(&engine, &[&["describe", "a"], &flags[..]].concat(), 2, "usage");
        let flag = flags[0].split('=').next().expect("a flag");
        assert!(document.text("/error/message").contains(flag), "{document:?}");
    }
    assert_eq!(engine.calls(), [""; 0]);
}
