//! What `create --setup-git` and `--codex-profile` ask for, and what is made of every answer.

use agent_workspace_tests::Launcher;
use agent_workspace_tests::engine::{Container, Engine, Reply, Script};

use crate::failure;

const CREATE: [&str; 6] = ["create", "--no-clone", "--name", "a", "--image", "ready:1"];

/// Every way it ends, with what the launcher makes of it.
const ENDS: [(i64, &str, i32, &str); 8] = [
    (80, "", 9, "image_unusable"),
    (81, "error validating token: HTTP 401: Bad credentials (https://git.test/api/v3/)", 6, "git_auth_failed"),
    (81, "Get \"https://git.test/api/v3/\": x509: certificate signed by unknown authority", 6, "git_untrusted"),
    (81, "error connecting to git.test", 7, "git_unreachable"),
    (81, "unknown flag: --with-token", 1, "credentials_failed"),
    (82, "fatal: unable to get credential storage lock: Permission denied", 1, "credentials_failed"),
    (83, "", 1, "credentials_failed"),
    (84, "", 1, "credentials_failed"),
];

fn keeping(engine: &Engine, flags: &[&str]) -> Launcher {
    engine.launcher(CREATE.iter().chain(&["--setup-git"]).chain(flags).copied()).env("GH_TOKEN", "a-token")
}

#[test]
fn every_failure_fails_the_create_and_leaves_nothing_of_a_new_workspace() {
    for (status, stderr, exit, code) in ENDS {
        let engine = Engine::start();
        engine.answers(Script::GitAuth, Reply::fails(status, stderr));
        let document = failure(&keeping(&engine, &[]), exit, code);
        assert!(document.at("/error/hint").is_string(), "{}", document.0);
        assert_eq!(engine.made_by_create(), [""; 0], "{status} {stderr}");
    }
}

#[test]
fn every_failure_leaves_a_workspace_that_was_there() {
    for (status, stderr, exit, code) in ENDS {
        let engine = Engine::start();
        engine.has(Container::workspace("a"));
        engine.answers(Script::GitAuth, Reply::fails(status, stderr));
        failure(&keeping(&engine, &[]), exit, code);
        assert_eq!((engine.state_of("agent-ws-a").as_str(), engine.volumes().len()), ("running", 2));
    }
}

#[test]
fn it_is_one_step_as_the_user_with_the_host_as_a_word_and_the_token_on_stdin() {
    for (flags, host) in [
        (&[][..], "github.com"),
        (&["--host", "git.test:8443"], "git.test:8443"),
        (&["https://other.test/o/r"], "other.test"),
    ] {
        let engine = Engine::start();
        let document = keeping(&engine, flags).json().run().expect(0).document();
        assert!(document.at("/timings_ms/credentials").is_u64(), "{}", document.0);
        assert_eq!(engine.runs(Script::GitAuth), [(vec![host.to_owned()], "agent".to_owned())]);
        let told: Vec<_> = engine.requests().into_iter().map(|request| request.stdin).collect();
        assert_eq!(told.concat(), b"a-token\n");
        assert_eq!(document.warnings().is_empty(), host != "other.test", "{host}");
    }
}

#[test]
fn an_existing_workspace_is_given_credentials_too() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    let document = keeping(&engine, &[]).json().run().expect(0).document();
    assert_eq!(*document.at("/created"), false);
    assert_eq!(engine.runs(Script::GitAuth).len(), 1);
}

#[test]
fn without_a_token_nothing_is_asked() {
    let engine = Engine::start();
    let launcher = engine.launcher(CREATE).arg("--setup-git").env("GH_TOKEN", "");
    let document = failure(&launcher, 6, "git_auth_missing");
    assert_eq!(document.text("/error/details/host"), "github.com");
    assert_eq!(engine.calls(), [""; 0]);
}

/// A create with a folder of secrets and a profile.
fn with_profile(engine: &Engine, folder: &tempfile::TempDir, profile: &str) -> Launcher {
    let launcher = engine.launcher(CREATE).arg("--secrets-dir").arg(folder.path());
    launcher.arg("--codex-profile").arg(profile)
}

#[test]
fn a_profile_is_applied_as_the_user_and_its_name_is_a_word_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    for profile in ["work", "$(id);'x'"] {
        let engine = Engine::start();
        let document = with_profile(&engine, &folder, profile).json().run().expect(0).document();
        assert_eq!(document.text("/secrets/codex_profile"), profile);
        assert!(document.at("/timings_ms/profile").is_u64());
        assert_eq!(engine.runs(Script::CodexProfile), [(vec![profile.to_owned()], "agent".to_owned())]);
    }
}

#[test]
fn a_hostile_profile_is_refused_before_anything_is_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::start();
    for profile in ["", "a b; id", "../x", "a/b", "a\nb"] {
        failure(&with_profile(&engine, &folder, profile), 2, "usage");
    }
    assert_eq!(engine.calls(), [""; 0]);
}

#[test]
fn a_profile_that_cannot_be_applied_fails_the_create_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    for (reply, exit, code, words) in [
        (Reply::fails(80, ""), 9, "image_unusable", "codex-use"),
        (Reply::fails(81, "a\nno such profile\n").and_says("status=3\n"), 1, "profile_failed", "no such profile"),
        (Reply::fails(81, ""), 1, "profile_failed", "said nothing"),
        (Reply::fails(126, "sh: not found"), 1, "guest_failed", "not found"),
    ] {
        let engine = Engine::start();
        engine.answers(Script::CodexProfile, reply);
        let document = failure(&with_profile(&engine, &folder, "work"), exit, code);
        assert!(document.0["error"].to_string().contains(words), "{}", document.0);
        assert_eq!(document.text("/error/details/profile"), "work");
        assert_eq!(engine.made_by_create(), [""; 0], "{code}");
    }
}

#[test]
fn a_workspace_without_secrets_can_be_given_no_profile() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("exited"));
    let document = failure(&with_profile(&engine, &folder, "work"), 4, "wrong_state");
    assert!(document.text("/error/hint").contains("--secrets-dir"), "{}", document.0);
    assert_eq!(engine.state_of("agent-ws-a"), "exited", "it was not even started");
    // One that has them can, and is told when they are others than was asked for.
    let engine = Engine::start();
    engine.has(Container::workspace("a").bind("/s", "/home/agent/s", true).env("CODEX_SECRET_DIR=/home/agent/s"));
    let document = with_profile(&engine, &folder, "work").json().run().expect(0).document();
    assert_eq!((document.text("/secrets/codex_profile"), document.text("/secrets/dir")), ("work", "/s"));
    assert_eq!(document.warnings(), ["spec_differs"]);
}
