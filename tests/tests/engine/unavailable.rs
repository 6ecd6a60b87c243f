//! Engines that are not there, not engines, too old, full, or in no mood.

use std::fs::Permissions;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use agent_workspace_tests::engine::{Container, Engine, Fault, When};
use agent_workspace_tests::{Document, Launcher, Ran};

use crate::{fails, failure};

/// Every command that talks to an engine.
const COMMANDS: [&[&str]; 10] = [
    &["ls"],
    &["describe", "a"],
    &["start", "a"],
    &["stop", "a"],
    &["prune"],
    &["rm", "a"],
    &["tunnel", "a", "--detach"],
    &["create", "o/r", "--name", "a", "--image", "ready:1"],
    &["create", "--no-clone", "--name", "ws-a"],
    &["image", "build"],
];

/// Every command against the engine of this address.
fn all_at(address: &str) -> Vec<Document> {
    let at = |args: &&[&str]| {
        let launcher = Launcher::new(args.iter().copied()).env("DOCKER_HOST", address);
        let document = failure(&launcher, 7, "engine_unavailable");
        assert_eq!(*document.at("/error/retryable"), true, "{args:?}");
        assert!(document.text("/error/details/address").contains("://"), "{args:?}");
        assert!(!document.text("/error/hint").is_empty(), "{args:?}");
        document
    };
    COMMANDS.iter().map(at).collect()
}

#[test]
fn an_engine_that_does_not_run_is_unavailable_and_its_address_is_named() {
    for document in all_at("unix:///nonexistent/docker.sock") {
        assert!(document.text("/error/message").contains("no engine runs at unix:///nonexistent/docker.sock"));
    }
}

#[test]
fn where_nothing_was_made_nothing_is_said_to_be_left_behind() {
    for document in all_at("unix:///nonexistent/docker.sock") {
        assert!(document.0["error"]["details"].get("left_behind").is_none(), "{document:?}");
    }
}

#[test]
fn a_socket_that_nobody_listens_on_is_unavailable() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("docker.sock");
    drop(UnixListener::bind(&socket).expect("a socket"));
    assert!(socket.exists());
    for document in all_at(&format!("unix://{}", socket.display())) {
        assert!(document.text("/error/message").starts_with("no engine runs at"), "{document:?}");
    }
}

#[test]
fn a_socket_without_permission_is_unavailable_and_names_the_group() {
    let folder = tempfile::tempdir().expect("a folder");
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).expect("a folder");
    let socket = closed.join("docker.sock");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    // The superuser may connect to anything, so the launcher is run by nobody then, from where nobody may reach it.
    let binary = folder.path().join("agent-workspace");
    std::fs::copy(Launcher::binary(), &binary).expect("a copy");
    allow(folder.path(), 0o755);
    allow(&closed, 0);
    let mut command = Command::new(&binary);
    command.args(["ls", "--output=json"]).env_clear().env("DOCKER_HOST", format!("unix://{}", socket.display()));
    if rustix::process::geteuid().is_root() {
        command.uid(65534);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Another test's child may have inherited the copy while it was being written, for as long as it takes to start.
    let child = loop {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            started => break started.expect("it starts"),
        }
    };
    let document = Ran::of(child).expect(7).document();
    allow(&closed, 0o755);
    assert_eq!(document.error_code(), "engine_unavailable");
    assert!(document.text("/error/hint").contains("usermod -aG docker"), "{document:?}");
}

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

#[test]
fn a_tcp_address_that_refuses_is_unavailable() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    all_at(&format!("tcp://127.0.0.1:{port}"));
}

#[test]
fn an_ssh_address_without_ssh_is_unavailable_and_says_what_is_missing() {
    let launcher = Launcher::new(["ls"]).env("DOCKER_HOST", "ssh://me@far.test").env("PATH", "/nonexistent");
    let document = failure(&launcher, 7, "engine_unavailable");
    assert!(document.text("/error/message").contains("ssh is not installed"), "{document:?}");
}

#[test]
fn a_server_that_is_no_web_server_is_no_engine() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("tcp://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n");
            let _ = stream.read(&mut [0; 1024]);
        }
    });
    all_at(&address);
}

#[test]
fn an_answer_that_is_not_http_is_no_engines() {
    everything_goes_wrong(&Fault::not_http(), 7, "engine_unavailable");
}

#[test]
fn a_web_server_is_no_engine() {
    for status in [200, 404, 502] {
        everything_goes_wrong(&Fault::page(status), 7, "engine_unavailable");
    }
}

#[test]
fn an_engine_that_hangs_up_is_unavailable() {
    everything_goes_wrong(&Fault::cut(), 7, "engine_unavailable");
}

#[test]
fn an_engine_that_forbids_is_unavailable_to_us() {
    everything_goes_wrong(&Fault::refusal(403, "authorization denied by plugin"), 7, "engine_unavailable");
}

#[test]
fn an_engine_that_fails_at_everything_is_an_engine_error() {
    for args in COMMANDS.iter().filter(|args| args[0] != "image") {
        let engine = Engine::start();
        engine.goes_wrong(When::From(1), Fault::refusal(500, "database is locked"));
        let document = fails(&engine, args, 1, "engine_error");
        assert!(document.text("/error/causes/0").contains("database is locked"), "{document:?}");
    }
}

fn everything_goes_wrong(fault: &Fault, exit: i32, code: &str) {
    std::thread::scope(|scope| {
        for args in COMMANDS {
            scope.spawn(move || {
                let engine = Engine::start();
                engine.goes_wrong(When::From(1), fault.clone());
                fails(&engine, args, exit, code);
            });
        }
    });
}

#[test]
fn an_engine_that_is_too_old_is_unsupported_at_the_first_answer() {
    for args in COMMANDS {
        let engine = Engine::start();
        engine.has(Container::workspace("b"));
        engine.speaks("1.24");
        let document = fails(&engine, args, 9, "engine_too_old");
        assert_eq!(document.text("/error/details/api_version"), "1.24", "{args:?}");
        let left = engine.made_by_create();
        assert!(left.is_empty() || document.0["error"]["details"].get("left_behind").is_some(), "{args:?}: {left:?}");
    }
}

#[test]
fn an_engine_that_is_too_old_is_left_as_it_was() {
    let engine = Engine::start();
    engine.speaks("1.24");
    fails(&engine, &["create", "o/r", "--name", "a", "--image", "ready:1"], 9, "engine_too_old");
    assert_eq!(engine.made_by_create(), [""; 0]);
}

#[test]
fn an_engine_of_any_later_version_will_do() {
    for api in ["1.40", "1.41", "1.52", "2.0"] {
        let engine = Engine::start();
        engine.speaks(api);
        engine.json(["ls"]).expect(0).document();
    }
}

#[test]
fn a_full_disk_is_named_wherever_it_strikes() {
    let full = Fault::refusal(500, "mkdir /var/lib/docker/overlay2/abc: no space left on device");
    for (method, end) in [
        ("POST", "/containers/create"),
        ("POST", "/start"),
        ("POST", "/exec"),
        ("POST", "/images/create"),
        ("POST", "/build"),
    ] {
        let engine = Engine::start();
        engine.goes_wrong(When::every(method, end), full.clone());
        fails(&engine, &["create", "o/r", "--name", "a"], 1, "disk_full");
        assert_eq!(engine.made_by_create(), [""; 0], "{end}");
    }
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("exited"));
    engine.goes_wrong(When::every("POST", "/start"), full);
    fails(&engine, &["start", "a"], 1, "disk_full");
}

#[test]
fn addresses_that_cannot_be_used_are_wrong_and_not_unavailable() {
    for address in ["ftp://x", "unix://relative", "tcp://h:99999", "ssh://-oProxyCommand=x"] {
        let launcher = Launcher::new(["ls"]).env("DOCKER_HOST", address);
        let document = failure(&launcher, 2, "invalid_environment");
        assert!(document.text("/error/message").contains("DOCKER_HOST"), "{document:?}");
    }
}

#[test]
fn a_docker_context_that_is_not_there_is_wrong_and_not_the_default_engine() {
    let launcher = Launcher::new(["ls"]).env("DOCKER_CONTEXT", "nosuch");
    failure(&launcher, 2, "invalid_environment");
}
