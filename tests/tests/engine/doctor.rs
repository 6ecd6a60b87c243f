//! `doctor`: every check is always made, whatever the engine does, and each that failed has a fix.

use std::time::{Duration, Instant};

use agent_workspace_tests::engine::{Container, Engine, Fault, VOLUME_BYTES, When};
use agent_workspace_tests::{Document, Launcher};
use serde_json::Value;

use crate::{fails, failure, succeeds};

const ALL: [&str; 11] = [
    "launcher",
    "environment",
    "config",
    "prefix",
    "address",
    "engine",
    "api_version",
    "image",
    "disk",
    "leftovers",
    "git",
];

fn engine() -> Engine {
    let engine = Engine::start();
    engine.has_ready_image(concat!("agent-workspace:", env!("CARGO_PKG_VERSION")));
    engine
}

/// The check of this name, after seeing that none is missing.
fn check<'a>(document: &'a Document, name: &str) -> &'a Value {
    let checks = document.at("/checks").as_array().expect("a list");
    assert_eq!(checks.iter().map(|check| check["check"].as_str().unwrap_or_default()).collect::<Vec<_>>(), ALL);
    checks.iter().find(|check| check["check"] == name).expect("it is there")
}

fn statuses(document: &Document) -> Vec<&str> {
    ALL.map(|name| check(document, name)["status"].as_str().expect("a word")).to_vec()
}

#[test]
fn an_engine_that_is_well_is_healthy_and_is_only_asked() {
    let engine = engine();
    engine.speaks("1.42");
    engine.has(Container::workspace("a"));
    engine.has_volume_of("agent-ws-b-work", "agent-ws-b", "0a");
    let document = succeeds(&engine, &["doctor"]);
    assert_eq!(*document.at("/healthy"), true);
    assert_eq!(check(&document, "engine")["message"], "Docker 20.10.24 on linux/amd64 answers");
    assert_eq!(check(&document, "api_version")["message"], "1.42; 1.40 is the oldest supported");
    let disk = check(&document, "disk")["message"].as_str().expect("a sentence");
    assert!(disk.contains(&format!("the volumes of workspaces take {}.0 KiB", 3 * VOLUME_BYTES / 1024)), "{disk}");
    let left = check(&document, "leftovers");
    assert_eq!((&left["status"], &left["message"]), (&"warning".into(), &"1 volume without a container".into()));
    assert_eq!(left["fix"], "agent-workspace prune --dry-run");
    assert!(engine.calls().iter().all(|call| call.starts_with("GET ")), "{:?}", engine.calls());
}

#[test]
fn an_engine_that_is_not_there_fails_one_check_and_hides_none() {
    let launcher = Launcher::new(["doctor"]).env("DOCKER_HOST", "unix:///nonexistent");
    let document = failure(&launcher, 1, "unhealthy");
    assert_eq!(*document.at("/healthy"), false);
    let engine = ["ok", "failed", "skipped", "skipped", "skipped", "skipped"];
    assert_eq!(statuses(&document), [&["ok"; 4][..], &engine[..], &["ok"]].concat());
    assert_eq!(check(&document, "engine")["fix"], "unset DOCKER_HOST");
    assert_eq!(*document.at("/error/details/failed"), serde_json::json!(["engine"]));
    assert_eq!(*document.at("/error/hint"), "unset DOCKER_HOST");
}

#[test]
fn an_engine_that_says_nothing_is_left_within_seconds() {
    for from in [1, 2] {
        let engine = engine();
        engine.goes_wrong(When::From(from), Fault::silence());
        let since = Instant::now();
        let document = fails(&engine, &["doctor"], 1, "unhealthy");
        assert!(since.elapsed() < Duration::from_secs(12), "{:?}", since.elapsed());
        let expected = if from == 1 { "failed" } else { "ok" };
        assert_eq!(check(&document, "engine")["status"], expected);
    }
}

#[test]
fn a_question_that_goes_wrong_hides_no_other() {
    for (path, name) in [("/volumes", "leftovers"), ("/info", "disk"), ("/containers/json", "leftovers")] {
        let engine = engine();
        engine.goes_wrong(When::every("GET", path), Fault::refusal(500, "database is locked"));
        let document = fails(&engine, &["doctor"], 1, "unhealthy");
        let failed: Vec<_> = ALL.into_iter().filter(|name| check(&document, name)["status"] == "failed").collect();
        assert_eq!(failed, [name]);
        assert!(check(&document, name)["message"].as_str().is_some_and(|said| said.contains("database is locked")));
        assert!(!check(&document, name)["fix"].is_null());
    }
}

#[test]
fn sizes_that_are_not_said_are_no_failure() {
    let engine = engine();
    engine.speaks("1.42");
    engine.goes_wrong(When::every("GET", "/system/df"), Fault::silence());
    let document = succeeds(&engine, &["doctor"]);
    assert!(check(&document, "disk")["message"].as_str().is_some_and(|said| said.contains("not known")));
}

#[test]
fn an_engine_that_would_count_everything_for_the_volumes_is_not_asked_what_they_take() {
    let engine = engine();
    engine.has_volume_of("agent-ws-b-work", "agent-ws-b", "0a");
    let document = succeeds(&engine, &["doctor"]);
    assert!(check(&document, "disk")["message"].as_str().is_some_and(|said| said.contains("not known")));
    assert!(!engine.calls().iter().any(|call| call.contains("/system/df")), "{:?}", engine.calls());
}

#[test]
fn an_engine_that_is_too_old_says_its_version() {
    let engine = engine();
    engine.speaks("1.24");
    let document = fails(&engine, &["doctor"], 1, "unhealthy");
    assert_eq!(check(&document, "engine")["status"], "ok");
    let api = check(&document, "api_version");
    assert!(api["message"].as_str().is_some_and(|said| said.starts_with("1.24, ")), "{api}");
    assert!(api["fix"].as_str().is_some_and(|fix| fix.contains("apt-get install")), "{api}");
}

#[test]
fn an_image_that_is_not_there_is_a_warning_with_the_command_that_makes_it() {
    let engine = Engine::start();
    let document = succeeds(&engine, &["doctor"]);
    let image = check(&document, "image");
    assert_eq!((&image["status"], &image["fix"]), (&"warning".into(), &"agent-workspace image build".into()));
    let named = engine.launcher(["doctor"]).json().env("AGENT_ENV_IMAGE", "ready:1").run().expect(0).document();
    assert_eq!(check(&named, "image")["status"], "ok");
}

#[test]
fn what_is_wrong_in_the_environment_is_found_and_everything_else_is_still_looked_at() {
    for (name, value, wrong) in [
        ("AGENT_WORKSPACE_PREFIX", "!!", "prefix"),
        ("AGENT_WORKSPACE_BACKEND", "cloud", "environment"),
        ("AGENT_ENV_IMAGE", "", "environment"),
    ] {
        let engine = engine();
        let document = failure(&engine.launcher(["doctor"]).env(name, value), 1, "unhealthy");
        assert_eq!(check(&document, wrong)["status"], "failed");
        assert!(!check(&document, wrong)["fix"].is_null());
        assert_eq!(statuses(&document).iter().filter(|status| **status == "ok").count(), 10, "{document:?}");
    }
    let launcher = Launcher::new(["doctor"]).env("DOCKER_CONTEXT", "nosuch");
    let document = failure(&launcher, 1, "unhealthy");
    assert_eq!(check(&document, "address")["status"], "failed");
}

#[test]
fn people_get_a_line_a_check_on_stdout_and_the_failure_on_stderr() {
    let ran = Launcher::new(["doctor"]).env("DOCKER_HOST", "unix:///nonexistent").run().expect(1);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), ALL.len(), "{}", ran.stdout);
    assert!(lines[5].starts_with("failed   engine ") && lines[5].ends_with("(fix: unset DOCKER_HOST)"), "{}", lines[5]);
    assert!(ran.stderr.starts_with("error: something does not work: engine\n"), "{}", ran.stderr);
}
