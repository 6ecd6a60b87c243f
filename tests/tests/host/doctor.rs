//! `doctor` on this machine: the same checks as with an engine, and how to mend each.

use agent_workspace_tests::Document;
use agent_workspace_tests::place::Place;
use serde_json::Value;

fn check<'a>(document: &'a Document, name: &str) -> &'a Value {
    document
        .at("/checks")
        .as_array()
        .expect("as documented")
        .iter()
        .find(|check| check["check"] == name)
        .expect("as documented")
}

#[test]
fn a_machine_without_bubblewrap_is_healthy_and_is_told_how_to_get_it() {
    let place = Place::new();
    let bare = place.folder().join("bare");
    std::fs::create_dir(&bare).expect("a file");
    let document = place.launcher(["doctor"]).env("PATH", bare).json().run().expect(0).document();
    let engine = check(&document, "engine");
    assert_eq!(
        (engine["status"].as_str(), engine["fix"].as_str()),
        (Some("warning"), Some("sudo apt-get install bubblewrap"))
    );
    assert_eq!(check(&document, "git")["fix"], "sudo apt-get install git");
    for name in ["image", "api_version"] {
        assert_eq!(check(&document, name)["status"], "skipped");
    }
}

#[test]
fn what_is_left_over_and_a_folder_that_cannot_be_used_are_findings() {
    let place = Place::new();
    let old = place.state().join("workspaces/.trash-agent-ws-x-0123456789abcdef");
    std::fs::create_dir_all(&old).expect("a file");
    let mut touch = std::process::Command::new("touch");
    assert!(touch.args(["-d", "2 hours ago"]).arg(&old).status().expect("a process").success());
    let document = place.launcher(["doctor"]).json().run().expect(0).document();
    assert_eq!(check(&document, "leftovers")["message"], "1 folder that a cut-off command has left");
    assert_eq!(check(&document, "leftovers")["fix"], "agent-workspace prune --dry-run");
    let typed = place.launcher(["doctor", "--backend", "host"]).json().run().expect(0).document();
    assert_eq!(check(&typed, "leftovers")["fix"], "agent-workspace prune --backend host --dry-run");
    let file = place.folder().join("file");
    std::fs::write(&file, "").expect("a file");
    let document =
        place.launcher(["doctor"]).env("AGENT_WORKSPACE_STATE_DIR", "relative").json().run().expect(1).document();
    assert_eq!(check(&document, "address")["status"], "failed");
    assert_eq!(check(&document, "address")["fix"], "unset AGENT_WORKSPACE_STATE_DIR");
}
