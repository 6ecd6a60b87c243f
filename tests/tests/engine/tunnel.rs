//! `tunnel`, and `create --tunnel-detach`.

use agent_workspace_tests::engine::{Container, Engine, Reply, Script};
use serde_json::{Value, json};

use crate::{fails, succeeds};

const LOGIN: &str = "name=a\nbefore=no\nlog * Visual Studio Code Server\n\
                     log To grant access to the server, please log into https://github.com/login/device and use code 1234-ABCD\n";

fn workspace(reply: Reply) -> Engine {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    engine.answers(Script::Tunnel, reply);
    engine
}

#[test]
fn the_login_is_in_the_document() {
    let document = succeeds(&workspace(Reply::says(LOGIN)), &["tunnel", "a", "--detach"]);
    assert_eq!(document.at("/login"), &json!({ "url": "https://github.com/login/device", "code": "1234-ABCD" }));
    assert_eq!((document.text("/tunnel_name"), document.at("/detach")), ("a", &true.into()));
    assert_eq!(*document.at("/already_running"), false);
    assert_eq!(document.text("/log_path"), "/home/agent/.agents-env/logs/code-tunnel.log");
}

#[test]
fn people_read_the_login_on_stdout() {
    let ran = workspace(Reply::says(LOGIN)).text(["tunnel", "a", "--detach"]).expect(0);
    assert!(ran.stdout.contains("log in: https://github.com/login/device\ncode: 1234-ABCD\n"), "{}", ran.stdout);
}

#[test]
fn a_tunnel_that_runs_already_is_reported_by_its_live_name() {
    let engine = workspace(Reply::says("name=other\nbefore=yes\nlog Open this link in your browser\n"));
    let document = succeeds(&engine, &["tunnel", "a", "--detach", "--name", "wanted"]);
    assert_eq!((document.text("/tunnel_name"), document.at("/already_running")), ("other", &true.into()));
    assert_eq!(document.at("/login"), &Value::Null);
    assert_eq!(document.warnings(), ["tunnel_already_running"]);
}

#[test]
fn a_tunnel_cannot_drive_the_terminal_by_its_name() {
    let ran = workspace(Reply::says("name=a\u{1b}[2Jb\nbefore=yes\n")).text(["tunnel", "a", "--detach"]).expect(0);
    assert!(ran.stderr.contains("warn: "), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}') && !ran.stdout.contains('\u{1b}'), "{ran:?}");
}

#[test]
fn a_tunnel_that_died_shows_the_end_of_its_log() {
    let engine = workspace(Reply::fails(81, "").and_says("log starting\nlog error: token expired\n"));
    let document = fails(&engine, &["tunnel", "a", "--detach"], 1, "tunnel_failed");
    assert_eq!(document.at("/error/causes"), &json!(["starting", "error: token expired"]));
    assert_eq!(engine.state_of("agent-ws-a"), "running");
}

#[test]
fn an_image_without_the_cli_cannot_have_tunnels() {
    fails(&workspace(Reply::fails(80, "")), &["tunnel", "a", "--detach"], 9, "tunnel_cli_missing");
}

#[test]
fn any_other_failure_of_the_script_is_the_guests() {
    let engine = workspace(Reply::fails(1, "mkdir: read-only file system\n"));
    let document = fails(&engine, &["tunnel", "a", "--detach"], 1, "guest_failed");
    assert!(document.text("/error/causes/0").contains("read-only"), "{document:?}");
}

#[test]
fn a_stopped_workspace_is_started_for_its_tunnel() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("exited"));
    succeeds(&engine, &["tunnel", "a", "--detach"]);
    assert_eq!(engine.state_of("agent-ws-a"), "running");
}

#[test]
fn names_are_made_from_the_workspaces_or_taken_as_typed() {
    let engine = Engine::start();
    engine.has(Container::workspace("octocat-hello-world-20260122-084652"));
    let args = ["tunnel", "octocat-hello-world-20260122-084652", "--detach"];
    assert_eq!(succeeds(&engine, &args).text("/tunnel_name"), "octocat-hello-world");
    assert_eq!(succeeds(&engine, &[&args[..], &["--name", "My Name!"]].concat()).text("/tunnel_name"), "my-name");
    let (words, user) = engine.runs(Script::Tunnel).pop().expect("an exec");
    assert_eq!(words[..2], ["start", "my-name"]);
    assert_eq!(user, "agent");
}

#[test]
fn a_tunnel_in_front_says_its_words_on_stderr_and_its_answer_on_stdout() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    let ran = engine.text(["tunnel", "a"]).expect(0);
    assert_eq!(ran.stdout, "tunnel: a\nlog: /home/agent/.agents-env/logs/code-tunnel.log\n");
    assert!(ran.stderr.contains("Open this link in your browser"), "{}", ran.stderr);
    let modes: Vec<String> = engine.runs(Script::Tunnel).into_iter().map(|(words, _)| words[0].clone()).collect();
    assert_eq!(modes, ["look", "foreground"]);
}

#[test]
fn create_reports_the_tunnel_it_opened() {
    let engine = Engine::start();
    let args = ["create", "--no-clone", "--name", "a", "--image", "ready:1", "--tunnel-detach"];
    let document = succeeds(&engine, &args);
    assert_eq!(document.text("/tunnel/tunnel_name"), "a");
    assert_eq!(document.text("/tunnel/workspace"), "agent-ws-a");
}

#[test]
fn create_whose_tunnel_fails_is_partial_and_keeps_the_workspace() {
    let engine = Engine::start();
    engine.answers(Script::Tunnel, Reply::fails(81, "").and_says("log no network\n"));
    let args = ["create", "--no-clone", "--name", "a", "--image", "ready:1", "--tunnel-detach"];
    let document = fails(&engine, &args, 8, "partial");
    assert_eq!(document.text("/error/details/failed/0/code"), "tunnel_failed");
    assert_eq!(document.text("/error/details/workspace"), "agent-ws-a");
    assert_eq!(engine.state_of("agent-ws-a"), "running");
}
