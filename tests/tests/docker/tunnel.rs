//! Tunnels, with a stand-in for the VS Code CLI: it says what the real one says and opens nothing.

use std::time::Duration;

use agent_workspace_tests::live::{Answer, Image, Live, Running, Terminal, until};
use rustix::process::Signal;
use serde_json::{Value, json};

/// What the stand-in is to do from now on.
fn mode(live: &Live, name: &str, mode: &str) {
    live.inside(name, &format!("echo mode={mode} >/home/agent/.code-standin"));
}

/// How many tunnels run in a workspace.
fn tunnels(live: &Live, name: &str) -> usize {
    live.inside(name, "pgrep -fa '[c]ode tunnel' || true").lines().count()
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_tunnel_in_the_background_says_how_to_log_in_and_is_one() {
    let live = Live::new();
    live.create("--no-clone --name code").ok();
    let opened = live.json("tunnel code --detach").ok();
    assert_eq!((opened.text("/workspace"), opened.text("/tunnel_name")), (live.full("code").as_str(), "code"));
    assert_eq!((opened.at("/detach"), opened.at("/already_running")), (&json!(true), &json!(false)));
    assert_eq!(opened.text("/log_path"), "/home/agent/.agents-env/logs/code-tunnel.log");
    assert_eq!(opened.at("/login"), &json!({ "url": "https://github.com/login/device", "code": "1234-ABCD" }));
    assert_eq!(tunnels(&live, "code"), 1);
    assert!(live.inside("code", "cat /home/agent/.agents-env/logs/code-tunnel.log").contains("1234-ABCD"));

    // It stays, and it is the one that is told of whatever name is asked for.
    let again = live.json("tunnel code --detach --name other").within(Duration::from_secs(5)).ok();
    assert_eq!((again.text("/tunnel_name"), again.at("/already_running")), ("code", &json!(true)));
    assert_eq!(again.warnings(), ["tunnel_already_running"]);
    assert_eq!(again.text("/login/code"), "1234-ABCD");
    assert_eq!(tunnels(&live, "code"), 1);
    assert_eq!(live.json("rm code").ok().at("/changed"), true);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_tunnel_that_is_logged_in_asks_for_nothing() {
    let live = Live::new();
    live.create("--no-clone --name ready").ok();
    mode(&live, "ready", "ready");
    let opened = live.json("tunnel ready --detach --name 'My'").ok();
    assert_eq!((opened.text("/tunnel_name"), opened.at("/login")), ("my", &Value::Null));
    let text = live.text("tunnel ready --detach").expect(0).stdout;
    assert_eq!(text, "tunnel: my (ran already)\nlog: /home/agent/.agents-env/logs/code-tunnel.log\n");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn two_starts_at_once_make_one_tunnel() {
    let live = Live::new();
    live.create("--no-clone --name twice").ok();
    let launcher = live.launcher("tunnel twice --detach").json();
    let both = [Running::start(&launcher), Running::start(&launcher)].map(|running| running.answer().ok());
    let before: Vec<&Value> = both.iter().map(|document| document.at("/already_running")).collect();
    assert!(before.contains(&&json!(true)) && before.contains(&&json!(false)), "{before:?}");
    assert!(both.iter().all(|document| document.text("/login/code") == "1234-ABCD"));
    assert_eq!(tunnels(&live, "twice"), 1);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_tunnel_that_dies_is_a_failure_with_its_last_words() {
    let live = Live::new();
    live.create("--no-clone --name dies").ok();
    mode(&live, "dies", "die");
    let failed = live.json("tunnel dies --detach").fails(1, "tunnel_failed");
    assert_eq!(failed.text("/error/details/log/1"), "error refreshing token: the stand-in was told to die");
    assert_eq!(tunnels(&live, "dies"), 0);
    // In front it is the same failure; and the next start is not held up by the last.
    let text = live.text("tunnel dies").expect(1);
    assert!(text.stderr.contains("told to die"), "{}", text.stderr);
    mode(&live, "dies", "ready");
    live.json("tunnel dies --detach").within(Duration::from_secs(5)).ok();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_silent_tunnel_is_waited_for_and_then_left_to_itself() {
    let live = Live::new();
    live.create("--no-clone --name silent").ok();
    mode(&live, "silent", "silent");
    let opened = live.json("tunnel silent --detach").within(Duration::from_secs(25)).ok();
    assert_eq!((opened.at("/already_running"), opened.at("/login")), (&json!(false), &Value::Null));
    assert_eq!(tunnels(&live, "silent"), 1);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_a_tunnel_lacks_is_said() {
    let live = Live::new();
    live.create_from(Image::Debian, "--no-clone --name plain").ok();
    live.json("tunnel plain --detach").fails(9, "tunnel_cli_missing");
    assert_eq!(live.text("tunnel plain").expect(9).stdout, "");
    // Wrong flags are wrong before anything is asked of the engine.
    let nowhere = |line: &str| Answer::to(&live.launcher(line).env("DOCKER_HOST", "unix:///nonexistent"));
    nowhere("tunnel plain --detach --name exactly-twentyone-char").fails(2, "invalid_tunnel_name");
    let usage = nowhere("tunnel plain").fails(2, "usage");
    assert!(usage.text("/error/message").contains("--output json requires --detach"));
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_stopped_workspace_is_started_for_its_tunnel_and_names_are_made_to_fit() {
    let live = Live::new();
    let long = "acme-a-very-long-repository-20260122-123456";
    live.create(&format!("--no-clone --name {long}")).ok();
    live.json(&format!("stop {long}")).ok();
    let opened = live.json(&format!("tunnel {long} --detach")).ok();
    let name = opened.text("/tunnel_name");
    assert!(name.len() == 20 && name.starts_with("acme-a-very-lon-"), "{name}");
    assert_eq!(live.row(long).expect("a row")["status"], "running");

    // The tunnel ends with its workspace, and the next one is a new one.
    live.json(&format!("stop {long}")).within(Duration::from_secs(3)).ok();
    live.json(&format!("start {long}")).ok();
    assert_eq!(tunnels(&live, long), 0);
    let opened = live.json(&format!("tunnel {long} --detach --name mine")).ok();
    assert_eq!((opened.text("/tunnel_name"), opened.at("/already_running")), ("mine", &json!(false)));
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn create_opens_a_tunnel_and_keeps_the_workspace_when_it_fails() {
    let live = Live::new();
    let made = live.create("acme/hello --name both --tunnel-detach").ok();
    assert_eq!((made.at("/created"), made.text("/tunnel/tunnel_name")), (&json!(true), "both"));
    assert_eq!(made.text("/tunnel/login/code"), "1234-ABCD");

    let failed = live.create_from(Image::Debian, "acme/hello --name half --tunnel-detach").fails(8, "partial");
    assert_eq!(failed.text("/error/details/workspace"), live.full("half"));
    assert_eq!(failed.text("/error/details/failed/0/code"), "tunnel_cli_missing");
    assert_eq!(failed.at("/error/details/created"), true);
    assert_eq!(live.inside("half", "git -C /work/acme/hello branch --show-current"), "main");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn in_front_of_a_person_the_tunnel_has_the_terminal() {
    let live = Live::new();
    live.create("--no-clone --name front").ok();
    let mut terminal = Terminal::run(&live.launcher("tunnel front").command());
    terminal.wait_for("use code 1234-ABCD");
    assert_eq!(tunnels(&live, "front"), 1);
    assert!(!terminal.is_as_before(), "keys go through as they are");
    terminal.types(b"\x03");
    let status = terminal.end();
    assert_eq!(status.code(), Some(0), "{}", terminal.shown());
    assert!(terminal.is_as_before(), "the terminal is left as it was");
    until("the tunnel has ended", || tunnels(&live, "front") == 0);

    // The same when it fails, and when the launcher is told to end from outside.
    mode(&live, "front", "die");
    let mut terminal = Terminal::run(&live.launcher("tunnel front").command());
    assert_eq!(terminal.end().code(), Some(1), "{}", terminal.shown());
    assert!(terminal.shown().contains("told to die") && terminal.is_as_before(), "{}", terminal.shown());
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_terminal_is_left_as_it_was_when_the_launcher_is_told_to_end() {
    let live = Live::new();
    live.create("--no-clone --name told").ok();
    let mut terminal = Terminal::run(&live.launcher("tunnel told").command());
    terminal.wait_for("use code 1234-ABCD");
    terminal.signal_program(Signal::TERM);
    assert_eq!(terminal.end().code(), Some(143), "{}", terminal.shown());
    assert!(terminal.is_as_before(), "the terminal is left as it was");
    until("the tunnel has ended", || tunnels(&live, "told") == 0);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_workspace_outlives_the_tunnel_that_create_opened_in_front() {
    let live = Live::new();
    for (name, signal, exit) in [("key", None, 0), ("term", Some(Signal::TERM), 143)] {
        let line = format!("acme/hello --name {name} --tunnel");
        let mut terminal = Terminal::run(&live.creating(Image::Agent, &line).command());
        terminal.wait_for("use code 1234-ABCD");
        match signal {
            None => terminal.types(b"\x03"),
            Some(signal) => terminal.signal_program(signal),
        }
        assert_eq!(terminal.end().code(), Some(exit), "{}", terminal.shown());
        assert!(terminal.is_as_before());
        until("the tunnel has ended", || tunnels(&live, name) == 0);
        assert_eq!(live.inside(name, "git -C /work/acme/hello branch --show-current"), "main");
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn without_a_terminal_the_tunnel_speaks_on_stderr_and_ends_with_the_launcher() {
    let live = Live::new();
    live.create("--no-clone --name pipe").ok();
    let tunnel = Running::start(&live.launcher("tunnel pipe"));
    until("the tunnel runs", || tunnels(&live, "pipe") == 1);
    std::thread::sleep(Duration::from_millis(300));
    tunnel.signal(Signal::INT);
    let ran = tunnel.answer().within(Duration::from_secs(20)).ran.expect(130);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("use code 1234-ABCD"), "{}", ran.stderr);
    until("the tunnel has ended", || tunnels(&live, "pipe") == 0);
}
