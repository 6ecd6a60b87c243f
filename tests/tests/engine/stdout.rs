//! A stdout that takes no answer, after the work is done.

use std::fs::File;
use std::process::{Command, Stdio};

use agent_workspace_tests::engine::{Container, Engine};
use agent_workspace_tests::{Launcher, Ran};

const CREATE: [&str; 6] = ["create", "--no-clone", "--name", "a", "--image", "ready:1"];

#[test]
fn a_reader_that_has_gone_is_no_error() {
    for json in [false, true] {
        let engine = Engine::start();
        engine.has(Container::workspace("a"));
        let launcher = engine.launcher(["ls"]);
        let mut command = if json { launcher.json() } else { launcher }.command();
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let child =
            command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let ran = Ran::of(child).expect(0);
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn a_full_device_is_an_error_that_is_said_on_stderr_and_a_new_workspace_goes_again() {
    for (json, existing, state) in
        [(false, false, "gone"), (true, false, "gone"), (false, true, "running"), (true, true, "running")]
    {
        let engine = Engine::start();
        if existing {
            engine.has(Container::workspace("a"));
        }
        let launcher = engine.launcher(CREATE).arg("--quiet");
        let mut command = if json { launcher.json() } else { launcher }.command();
        let full = File::options().write(true).open("/dev/full").expect("/dev/full is there");
        let child =
            command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let ran = Ran::of(child).expect(1);
        assert!(ran.stderr.contains("the answer could not be written to stdout"), "{}", ran.stderr);
        assert_eq!(engine.state_of("agent-ws-a"), state, "existing: {existing}");
    }
}

#[test]
fn a_full_device_is_an_event_for_programs() {
    let engine = Engine::start();
    let mut command = engine.launcher(["ls", "--log-format", "json"]).json().command();
    let full = File::options().write(true).open("/dev/full").expect("/dev/full is there");
    let child = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let ran = Ran::of(child).expect(1);
    let last: serde_json::Value = serde_json::from_str(ran.stderr.lines().last().expect("an event")).expect("JSON");
    assert_eq!(last["error"]["code"], "output_failed");
}

#[test]
fn without_a_stdout_nothing_is_written_to_what_has_its_number() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    let ran = without(">&-", &engine, &["stop", "a", "--output", "json"]);
    let ran = ran.expect(0);
    assert_eq!(ran.stdout, "");
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert_eq!(engine.state_of("agent-ws-a"), "exited");
    assert_eq!(engine.calls().len(), 2, "{:?}", engine.calls());
}

#[test]
fn a_stderr_that_is_closed_is_nobodys_problem() {
    let engine = Engine::start();
    without("2>&-", &engine, &[&CREATE[..], &["--output", "json"]].concat()).expect(0).document();
}

/// Runs with a stream that the shell has closed.
fn without(closed: &str, engine: &Engine, args: &[&str]) -> Ran {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("exec \"$0\" \"$@\" {closed}")).arg(Launcher::binary()).args(args);
    command.env_clear().env("DOCKER_HOST", format!("unix://{}", engine.socket().display()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ran::of(command.spawn().expect("a shell"))
}
