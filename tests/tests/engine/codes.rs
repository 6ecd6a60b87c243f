//! Every error code of the contract, provoked. A new code does not compile until it is provoked here, or it is said
//! where.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use agent_workspace_contract::ErrorCode;
use agent_workspace_tests::engine::{Container, Engine, Fault, Reply, Script, When};
use agent_workspace_tests::{Launcher, Ran};

use crate::interrupted;

const CREATE: [&str; 6] = ["create", "o/r", "--name", "a", "--image", "ready:1"];

/// A create whose clone ends like this.
fn clone(status: i64, stderr: &str) -> Ran {
    let engine = Engine::start();
    engine.answers(Script::Clone, Reply::fails(status, stderr));
    engine.json(CREATE.iter().chain(&["--ref", "main"]))
}

/// A command on an engine that is set up first.
fn on(set_up: impl FnOnce(&Engine), args: &[&str]) -> Ran {
    let engine = Engine::start();
    set_up(&engine);
    engine.json(args.iter().copied())
}

/// A command with a configuration.
fn configured(text: &str, args: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    std::fs::write(&file, text).expect("a file");
    Launcher::new(args.iter().copied()).json().env("AGENT_WORKSPACE_CONFIG", file).run()
}

/// A command that needs no engine.
fn alone(args: &[&str]) -> Ran {
    Launcher::new(args.iter().copied()).json().run()
}

fn workspace(engine: &Engine) {
    engine.has(Container::workspace("a"));
}

/// A create that is sent a signal while it clones.
fn signalled(signal: &str) -> Ran {
    let engine = Engine::start();
    engine.answers(Script::Clone, Reply::hangs());
    interrupted::interrupted(&engine, &CREATE, "POST /exec/<clone>/start", signal)
}

/// A launcher that may open no more than the files it is born with.
fn without_files() -> Ran {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 4; exec \"$0\" \"$@\""]).arg(Launcher::binary()).args(["ls", "--output", "json"]);
    let command = command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ran::of(command.spawn().expect("a shell"))
}

/// The one failure that cannot be a document: its event stands in for it.
fn without_room() -> Ran {
    let full = File::options().write(true).open("/dev/full").expect("/dev/full is there");
    let mut command = Launcher::new(["--version", "--log-format", "json"]).json().command();
    let command = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
    Ran::of(command.spawn().expect("the binary starts"))
}

/// A command on a state that is set up first in its folder.
fn remembering(set_up: impl FnOnce(&Path), args: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let launcher = |args: &[&str]| {
        Launcher::new(args.iter().copied()).env("AGENT_WORKSPACE_STATE_DIR", folder.path()).json().run()
    };
    assert_eq!(launcher(&["vm-host", "add", "h", "box", "--no-check"]).code, 0);
    set_up(folder.path());
    launcher(args)
}

fn provoked(code: ErrorCode) -> Option<Ran> {
    Some(match code {
        // By real SSH servers, in the suite `machines`: `hosts.rs`, `vms.rs` and `agents.rs`.
        ErrorCode::AgentBusy
        | ErrorCode::AgentExists
        | ErrorCode::GrantElsewhere
        | ErrorCode::ShellNotFound
        | ErrorCode::VmInUse
        | ErrorCode::HostKeyChanged
        | ErrorCode::HostKeyUnknown
        | ErrorCode::PortTaken
        | ErrorCode::SshAuthFailed
        | ErrorCode::VmExists
        | ErrorCode::VmHostInUse
        | ErrorCode::VmNotReady
        | ErrorCode::VmUnsuitable => return None,
        ErrorCode::AgentNotFound => remembering(|_| {}, &["agent", "describe", "a"]),
        ErrorCode::CapabilityAbsent => alone(&["--supports", "nosuch"]),
        ErrorCode::CloneFailed => clone(128, "fatal: early EOF"),
        ErrorCode::ConfigExists => configured("", &["config", "init"]),
        ErrorCode::ConfigInvalid => configured("a = 1", &["prune"]),
        ErrorCode::ContainerVanished => {
            let stopped = Fault::refusal(409, "container abc is not running");
            on(|engine| engine.goes_wrong(When::first("POST", "/exec"), stopped), &CREATE)
        }
        ErrorCode::CredentialsFailed => {
            let engine = Engine::start();
            engine.answers(Script::GitAuth, Reply::fails(82, "fatal: unable to get credential storage lock"));
            engine.launcher(CREATE).arg("--setup-git").env("GH_TOKEN", "x").json().run()
        }
        ErrorCode::DiskFull => {
            let full = Fault::refusal(500, "mkdir: no space left on device");
            on(|engine| engine.goes_wrong(When::Nth(1), full), &CREATE)
        }
        ErrorCode::EngineError => {
            on(|engine| engine.goes_wrong(When::Nth(1), Fault::refusal(500, "database is locked")), &["ls"])
        }
        ErrorCode::EngineTooOld => on(|engine| engine.speaks("1.24"), &["ls"]),
        ErrorCode::EngineUnavailable => Launcher::new(["ls"]).json().env("DOCKER_HOST", "unix:///nonexistent").run(),
        ErrorCode::FieldAbsent => Launcher::new(["field", "/a"]).json().stdin("{}").run(),
        ErrorCode::GitAuthFailed => clone(128, "fatal: Authentication failed"),
        ErrorCode::GitAuthMissing => clone(128, "fatal: could not read Username for 'https://github.com'"),
        ErrorCode::GitUnreachable => clone(128, "fatal: unable to access: Could not resolve host: github.com"),
        ErrorCode::GitUntrusted => clone(128, "fatal: unable to access: server certificate verification failed"),
        ErrorCode::GuestFailed => clone(85, "the folder /work/o cannot be written by agent"),
        ErrorCode::HostUnreachable => remembering(|_| {}, &["vm-host", "add", "a", "127.0.0.1:1"]),
        ErrorCode::ImageBuildFailed => on(|engine| engine.build_fails("exit code: 100"), &["image", "build"]),
        ErrorCode::ImageNotFound => on(|_| {}, &["create", "o/r", "--image", "nosuch:1", "--no-pull"]),
        ErrorCode::ImageUnusable => clone(80, ""),
        ErrorCode::InputRequired => alone(&["create", "--no-clone"]),
        ErrorCode::Internal => without_files(),
        ErrorCode::Interrupted => signalled("INT"),
        ErrorCode::InvalidDocument => Launcher::new(["field", "/a"]).json().stdin("{").run(),
        ErrorCode::InvalidEnvironment => Launcher::new(["ls"]).json().env("DOCKER_HOST", "ftp://x").run(),
        ErrorCode::InvalidHost => alone(&["vm-host", "add", "a", "b c"]),
        ErrorCode::InvalidImage => alone(&["create", "o/r", "--image", "?"]),
        ErrorCode::InvalidName => alone(&["describe", "!!!"]),
        ErrorCode::InvalidRef => alone(&["create", "o/r", "--ref", "a b"]),
        ErrorCode::InvalidRepo => alone(&["create", "owner"]),
        ErrorCode::InvalidSecrets => alone(&["create", "o/r", "--secrets-dir", "/nonexistent"]),
        ErrorCode::InvalidTunnelName => alone(&["tunnel", "a", "--detach", "--name", "exactly-twentyone-char"]),
        ErrorCode::NameTaken => on(|engine| engine.has(Container::stranger("agent-ws-a")), &CREATE),
        ErrorCode::NetworkNotFound => on(|_| {}, &[&CREATE[..], &["--network", "nosuch"]].concat()),
        ErrorCode::OutputFailed => without_room(),
        ErrorCode::Partial => {
            let in_use = Fault::refusal(409, "volume is in use");
            let set_up = |engine: &Engine| {
                workspace(engine);
                engine.goes_wrong(When::every("DELETE", "/agent-ws-a-home"), in_use);
            };
            on(set_up, &["rm", "a"])
        }
        ErrorCode::PathOccupied => clone(81, ""),
        ErrorCode::ProfileFailed => {
            let engine = Engine::start();
            engine.answers(Script::CodexProfile, Reply::fails(81, "no such profile").and_says("status=1\n"));
            let folder = tempfile::tempdir().expect("a folder");
            let launcher = engine.launcher(CREATE).arg("--secrets-dir").arg(folder.path());
            launcher.arg("--codex-profile=p").json().run()
        }
        ErrorCode::RefConflict => clone(84, ""),
        ErrorCode::RefNotFound => clone(83, ""),
        ErrorCode::RegistryAuthFailed => {
            let refuses = |engine: &Engine| engine.registry_refuses("r.test/x:1", 500, "unauthorized: access denied");
            on(refuses, &["create", "o/r", "--image", "r.test/x:1"])
        }
        ErrorCode::RepoNotFound => clone(128, "fatal: repository 'https://github.com/o/r.git/' not found"),
        ErrorCode::RescueFailed => alone(&["rm", "a", "--rescue", "/nonexistent/folder"]),
        ErrorCode::SpecConflict => {
            on(|engine| engine.has(Container::workspace("a").label("agent-kit.repo", "o/other")), &CREATE)
        }
        ErrorCode::SshConfigFailed => {
            let home = tempfile::tempdir().expect("a folder");
            std::fs::create_dir_all(home.path().join(".ssh/config.d/agent-workspace.conf")).expect("a folder");
            let launcher = Launcher::new(["vm", "ssh-config", "--install"]).env("HOME", home.path());
            launcher.env("AGENT_WORKSPACE_STATE_DIR", home.path().join("state")).json().run()
        }
        ErrorCode::StateFailed => {
            let broken = |folder: &Path| std::fs::write(folder.join("state.db"), "x".repeat(4096)).expect("a file");
            remembering(broken, &["vm", "list"])
        }
        ErrorCode::StateTooNew => {
            let newer = |folder: &Path| {
                let mut bytes = std::fs::read(folder.join("state.db")).expect("a file");
                // Where a database of SQLite says its version.
                bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
                std::fs::write(folder.join("state.db"), bytes).expect("a file");
            };
            remembering(newer, &["vm", "list"])
        }
        ErrorCode::TemplateNotFound => configured("", &["create", "o/r", "--template", "nosuch"]),
        ErrorCode::Terminated => signalled("TERM"),
        ErrorCode::Timeout => {
            on(|engine| engine.goes_wrong(When::From(1), Fault::silence()), &["ls", "--timeout", "100ms"])
        }
        ErrorCode::TunnelCliMissing => tunnel(80),
        ErrorCode::TunnelFailed => tunnel(81),
        ErrorCode::Unhealthy => Launcher::new(["doctor"]).json().env("DOCKER_HOST", "unix:///nonexistent").run(),
        ErrorCode::UnsavedWork => {
            let set_up = |engine: &Engine| {
                workspace(engine);
                engine.answers(Script::UnsavedWork, Reply::says("files\t1\t/work/x\n"));
            };
            on(set_up, &["rm", "a"])
        }
        ErrorCode::Unsupported => alone(&["ls", "--backend", "nosuch"]),
        ErrorCode::Usage => alone(&["ls", "--bogus"]),
        ErrorCode::VmBusy => {
            let mut held = None;
            let hold = |folder: &Path| {
                let file = File::create(folder.join("vm-a.lock")).expect("a file");
                file.lock().expect("nobody else has it");
                held = Some(file);
            };
            remembering(hold, &["vm", "create", "a", "--host", "127.0.0.1:1"])
        }
        ErrorCode::VmHostExists => remembering(|_| {}, &["vm-host", "add", "h", "other", "--no-check"]),
        ErrorCode::VmHostNotFound => remembering(|_| {}, &["vm-host", "remove", "a"]),
        ErrorCode::VmNotFound => remembering(|_| {}, &["vm", "delete", "a"]),
        ErrorCode::WorkspaceExists => on(workspace, &[&CREATE[..], &["--if-exists", "fail"]].concat()),
        ErrorCode::WorkspaceNotFound => on(|_| {}, &["describe", "a"]),
        ErrorCode::WrongState => {
            let set_up = |engine: &Engine| {
                workspace(engine);
                engine.goes_wrong(When::Nth(2), Fault::refusal(409, "container is marked for removal"));
            };
            on(set_up, &["stop", "a"])
        }
    })
}

fn tunnel(status: i64) -> Ran {
    let set_up = |engine: &Engine| {
        workspace(engine);
        engine.answers(Script::Tunnel, Reply::fails(status, ""));
    };
    on(set_up, &["tunnel", "a", "--detach"])
}

#[test]
fn every_error_code_can_be_provoked() {
    for code in ErrorCode::ALL.iter().copied() {
        let Some(ran) = provoked(code) else { continue };
        let name = code.as_str();
        assert_eq!(ran.code, i32::from(code.exit().code()), "{name}: {}{}", ran.stdout, ran.stderr);
        if code == ErrorCode::OutputFailed {
            let event = ran.stderr.lines().last().and_then(|line| serde_json::from_str(line).ok());
            let event: serde_json::Value = event.expect("the last line of stderr is an event");
            assert_eq!(event["error"]["code"], name);
            continue;
        }
        let document = ran.document();
        assert_eq!(document.error_code(), name, "{}", ran.stdout);
        assert_eq!(*document.at("/error/retryable"), code.retryable(), "{name}");
    }
}

#[test]
fn errors_for_people_are_a_sentence_and_the_same_exit_code_and_nothing_on_stdout() {
    let engine = Engine::start();
    engine.answers(Script::Clone, Reply::fails(83, ""));
    let ran = engine.text(CREATE.iter().chain(&["--ref", "nosuch", "--quiet"])).expect(3);
    assert_eq!(ran.stdout, "");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines[0], "error: o/r has no ref \"nosuch\"");
    assert!(lines.last().is_some_and(|line| line.starts_with("hint: ")), "{lines:?}");
}
