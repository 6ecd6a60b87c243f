//! What `create` makes of what the clone says.

use agent_workspace_tests::engine::{Container, Engine, Fault, Reply, Script, When};

use crate::{fails, succeeds};

const CREATE: [&str; 6] = ["create", "o/r", "--name", "a", "--image", "ready:1"];

/// Every way a clone ends, with what the launcher makes of it.
const ENDS: [(i64, &str, i32, &str); 16] = [
    (80, "", 9, "image_unusable"),
    (81, "", 4, "path_occupied"),
    (82, "", 4, "spec_conflict"),
    (83, "", 3, "ref_not_found"),
    (84, "", 4, "ref_conflict"),
    (85, "the folder /work/o cannot be written by agent", 1, "guest_failed"),
    (128, "fatal: could not read Username for 'https://github.com': terminal prompts disabled", 6, "git_auth_missing"),
    (128, "remote: Invalid username or password.\nfatal: Authentication failed", 6, "git_auth_failed"),
    (128, "fatal: unable to access: The requested URL returned error: 403", 6, "git_auth_missing"),
    (128, "fatal: unable to access: server certificate verification failed", 6, "git_untrusted"),
    (
        128,
        "remote: Repository not found.\nfatal: repository 'https://github.com/o/r.git/' not found",
        3,
        "repo_not_found",
    ),
    (128, "fatal: unable to access: Could not resolve host: github.com", 7, "git_unreachable"),
    (128, "fatal: unable to access: Failed to connect to github.com port 443", 7, "git_unreachable"),
    (128, "fatal: write error: No space left on device", 1, "disk_full"),
    (128, "fatal: early EOF", 1, "clone_failed"),
    (137, "", 1, "clone_failed"),
];

#[test]
fn every_failure_has_a_code_and_leaves_nothing_of_a_new_workspace() {
    for (status, stderr, exit, code) in ENDS {
        let engine = Engine::start();
        engine.has_volume("agent-ws-a-work");
        engine.answers(Script::Clone, Reply::fails(status, stderr));
        let document = fails(&engine, &[&CREATE[..], &["--ref", "main"]].concat(), exit, code);
        assert!(document.0["error"]["details"].get("left_behind").is_none(), "{document:?}");
        assert_eq!(engine.made_by_create(), [""; 0], "{status} {stderr}");
        assert_eq!(engine.volume_names(), ["agent-ws-a-work"], "a volume that was there before stays");
    }
}

#[test]
fn every_failure_leaves_a_workspace_that_was_there_as_it_was() {
    for (status, stderr, exit, code) in ENDS {
        let engine = Engine::start();
        engine.has(Container::workspace("a"));
        engine.answers(Script::Clone, Reply::fails(status, stderr));
        fails(&engine, &CREATE, exit, code);
        assert_eq!(engine.state_of("agent-ws-a"), "running");
        assert_eq!(engine.volumes().len(), 2);
        assert_eq!(engine.runs(Script::CloneAbort).len(), 1, "its half clone goes, and nothing else");
    }
}

#[test]
fn the_clone_is_told_what_was_asked_for() {
    let engine = Engine::start();
    let args = ["create", "o/r", "--name", "a", "--image", "ready:1", "--ref", "v1", "--dir", "src"];
    succeeds(&engine, &[&args[..], &["--host", "git.test", "--recurse-submodules"]].concat());
    let (words, user) = engine.runs(Script::Clone).pop().expect("a clone");
    let id = engine.create_body()["Labels"]["agent-workspace.create-id"].as_str().expect("an id").to_owned();
    let finished = format!("/home/agent/.agents-env/finished-{id}");
    assert_eq!(
        words,
        ["https://git.test/o/r.git", "/work/src", "v1", "git.test", "yes", "no", id.as_str(), "no", &finished]
            .map(str::to_owned)
    );
    assert_eq!(user, "agent");
}

#[test]
fn a_clone_that_is_on_no_volume_is_a_warning() {
    let engine = Engine::start();
    let document = succeeds(&engine, &[&CREATE[..], &["--dir", "/srv/r"]].concat());
    assert_eq!(document.warnings(), ["path_not_persistent"]);
    assert_eq!(document.text("/path"), "/srv/r");
}

#[test]
fn gits_words_cannot_drive_the_callers_terminal() {
    let engine = Engine::start();
    engine.answers(Script::Clone, Reply::fails(128, "remote: \u{1b}]0;owned\u{7}\nfatal: \u{1b}[2Jgone\n"));
    let ran = engine.text(CREATE).expect(1);
    assert!(!ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\u{7}'), "{:?}", ran.stderr);
    assert!(ran.stderr.contains("gone"), "{}", ran.stderr);
}

#[test]
fn a_connection_that_breaks_during_the_clone_leaves_nothing() {
    let engine = Engine::start();
    engine.goes_wrong(When::call("POST /exec/<clone>/start"), Fault::cut_in_the_middle());
    let ran = engine.json(CREATE);
    assert_ne!(ran.code, 0);
    ran.document();
    assert_eq!(engine.made_by_create(), [""; 0]);
}

#[test]
fn a_connection_that_breaks_during_the_clone_is_worth_a_retry() {
    let engine = Engine::start();
    engine.goes_wrong(When::call("POST /exec/<clone>/start"), Fault::cut_from_exec());
    let launcher = engine.launcher(CREATE.iter().chain(&["--timeout", "10s"]));
    crate::failure(&launcher, 7, "engine_unavailable");
}
