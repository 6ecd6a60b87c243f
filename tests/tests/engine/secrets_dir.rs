//! Secrets of the host: what is asked for, what is refused before anything is asked, what is said of what is there.

use std::os::unix::fs::symlink;
use std::path::Path;

use agent_workspace_tests::Launcher;
use agent_workspace_tests::engine::{Container, Engine, Reply, Script};
use serde_json::json;

use crate::{failure, succeeds};

const CREATE: [&str; 6] = ["create", "--no-clone", "--name", "a", "--image", "ready:1"];

/// A folder of secrets whose name has everything in it that means something somewhere.
fn awkward(folder: &Path) -> String {
    let dir = folder.canonicalize().expect("a folder").join("a b:c,d'e\"f=\\ö$(id)");
    std::fs::create_dir(&dir).expect("a folder");
    dir.to_str().expect("UTF-8").to_owned()
}

fn creating(engine: &Engine, dir: &str, flags: &[&str]) -> Launcher {
    engine.launcher(CREATE.iter().chain(&["--secrets-dir", dir]).chain(flags).copied())
}

#[test]
fn secrets_are_one_mount_more_and_a_variable() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = awkward(folder.path());
    for (flags, mount, readonly) in [
        (&[][..], "/home/agent/codex_secrets", false),
        (&["--secrets-readonly"], "/home/agent/codex_secrets", true),
        (&["--secrets-mount", "~/my secrets/"], "/home/agent/my secrets", false),
        (&["--secrets-mount=/run//secrets", "--secrets-readonly"], "/run/secrets", true),
    ] {
        let engine = Engine::start();
        let document = creating(&engine, &dir, flags).json().run().expect(0).document();
        let said = json!({
            "enabled": true, "dir": dir, "mount": mount, "codex_profile": null, "readonly": readonly
        });
        assert_eq!(*document.at("/secrets"), said);
        let body = engine.create_body();
        let bind = &body["HostConfig"]["Mounts"][2];
        assert_eq!((&bind["Type"], &bind["Source"], &bind["Target"]), (&json!("bind"), &json!(dir), &json!(mount)));
        assert_eq!(bind["ReadOnly"], readonly);
        let env = body["Env"].as_array().expect("a list");
        assert!(env.contains(&json!(format!("CODEX_SECRET_DIR={mount}"))), "{env:?}");
        // Any command that asks the engine sees what the engine sees.
        assert_eq!(*succeeds(&engine, &["describe", "a"]).at("/secrets"), said);
    }
}

#[test]
fn without_secrets_there_is_no_mount_no_variable_and_no_call_more() {
    let engine = Engine::start();
    let launcher = engine.launcher(CREATE).env("DEFAULT_SECRETS_MOUNT", "/other").json();
    let document = launcher.run().expect(0).document();
    let none = json!({ "enabled": false, "dir": null, "mount": null, "codex_profile": null, "readonly": false });
    assert_eq!(*document.at("/secrets"), none);
    assert_eq!(engine.calls().len(), 3);
    assert!(!engine.create_body().to_string().contains("CODEX_SECRET_DIR"));
    assert_eq!(engine.create_body()["HostConfig"]["Mounts"].as_array().map(Vec::len), Some(2));
    assert_eq!(*succeeds(&engine, &["describe", "a"]).at("/secrets"), none);
    // Who says none means it.
    let engine = Engine::start();
    let flags = ["--secrets-dir", "/nonexistent", "--secrets-readonly", "--no-secrets"];
    assert_eq!(*succeeds(&engine, &[&CREATE[..], &flags].concat()).at("/secrets"), none);
}

#[test]
fn secrets_cost_one_look() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::start();
    let dir = awkward(folder.path());
    let _ = creating(&engine, &dir, &[]).run().expect(0);
    assert_eq!(
        engine.calls()[3..],
        ["POST /containers/<agent-ws-a>/exec", "POST /exec/<secrets>/start", "GET /exec/<secrets>/json"]
    );
    assert_eq!(engine.runs(Script::Secrets).pop().expect("a look").1, "agent");
    // Coming back looks at nothing: what is mounted cannot have changed.
    let engine = Engine::start();
    engine.has(Container::workspace("a").bind(&dir, "/home/agent/codex_secrets", true).env("CODEX_SECRET_DIR=/x"));
    let _ = creating(&engine, &dir, &[]).run().expect(0);
    assert_eq!(engine.runs(Script::Secrets), []);
}

#[test]
fn folders_between_the_home_and_the_mount_are_given_to_the_user() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::start();
    let mount = ["--secrets-mount", "~/.config/tool/secrets"];
    let _ = creating(&engine, &awkward(folder.path()), &mount).run().expect(0);
    let runs = engine.runs(Script::Secrets);
    assert_eq!(runs[0].0, ["own", "/home/agent/.config/tool/secrets", "/home/agent"].map(str::to_owned));
    assert_eq!((runs[0].1.as_str(), runs.len()), ("0", 2));
}

#[test]
fn secrets_that_the_user_cannot_use_are_a_warning() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = awkward(folder.path());
    for result in ["unreadable", "unwritable"] {
        let engine = Engine::start();
        engine.answers(Script::Secrets, Reply::says(format!("result={result}\nuser=1000\nowner=1234\n")));
        let document = creating(&engine, &dir, &[]).json().run().expect(0).document();
        assert_eq!(document.warnings(), ["secrets_unreadable"]);
        assert!(document.text("/warnings/0/message").contains("--user 1234"), "{}", document.0);
    }
    // A look that fails in another way fails the create, and nothing stays.
    let engine = Engine::start();
    engine.answers(Script::Secrets, Reply::fails(126, "no ls"));
    failure(&creating(&engine, &dir, &[]), 1, "guest_failed");
    assert_eq!(engine.made_by_create(), [""; 0]);
}

#[test]
fn relative_folders_are_those_of_the_working_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    let real = folder.path().canonicalize().expect("a folder").join("sec");
    std::fs::create_dir(&real).expect("a folder");
    let engine = Engine::start();
    let mut command = creating(&engine, "./sec", &["--output=json"]).command();
    let command = command.current_dir(folder.path());
    let output = command.stdin(std::process::Stdio::null()).output().expect("the binary starts");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(engine.create_body()["HostConfig"]["Mounts"][2]["Source"], real.to_str().expect("UTF-8"));
}

#[test]
fn what_must_not_be_mounted_is_refused_before_anything_is_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let secrets = home.join("secrets");
    std::fs::create_dir_all(&secrets).expect("a folder");
    std::fs::write(home.join("file"), "").expect("a file");
    symlink(&home, folder.path().join("link")).expect("a link");
    let engine = Engine::start();
    let socket = engine.socket();
    symlink(socket.parent().expect("a folder"), folder.path().join("engine")).expect("a link");
    let path = |name: &str| folder.path().join(name).display().to_string();
    // A daemon's socket of any kind lets what is inside ask it for things.
    std::fs::create_dir_all(folder.path().join("agent/below")).expect("a folder");
    let _agent = std::os::unix::net::UnixListener::bind(folder.path().join("agent/below/S.agent")).expect("a socket");
    for dir in [
        "",
        "/",
        "nosuch",
        "/run",
        "/var/run",
        "/proc",
        "/proc/sys",
        "/dev",
        "/sys",
        "/etc",
        "/usr/lib",
        "/var",
        &path("agent"),
        &path("home"),
        &path("link"),
        &path(""),
        &path("home/file"),
        &path("engine"),
    ] {
        let launcher = creating(&engine, dir, &[]).env("HOME", &home);
        let document = failure(&launcher, 2, "invalid_secrets");
        assert!(document.at("/error/hint").is_string(), "{dir}");
    }
    let secrets = secrets.to_str().expect("UTF-8");
    for mount in ["", "x", "/", "/work", "/home/agent", "/home", "~user", "/etc/x", "/usr", "/a/../b"] {
        failure(&creating(&engine, secrets, &["--secrets-mount", mount]), 2, "invalid_secrets");
    }
    failure(&creating(&engine, secrets, &[]).env("DEFAULT_SECRETS_MOUNT", "/proc"), 2, "invalid_environment");
    assert_eq!(engine.calls(), [""; 0]);
}

#[test]
fn an_engine_elsewhere_cannot_see_our_folders_and_is_not_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = awkward(folder.path());
    for address in ["ssh://nosuch.test", "tcp://192.0.2.1:2375"] {
        let launcher = Launcher::new(CREATE).env("DOCKER_HOST", address).arg("--secrets-dir").arg(&dir);
        let document = failure(&launcher, 9, "unsupported");
        assert!(document.text("/error/message").contains(address), "{}", document.0);
    }
}

#[test]
fn an_engine_that_does_not_see_the_folder_says_so_and_nothing_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = awkward(folder.path());
    let engine = Engine::start();
    let message = format!("invalid mount config for type \"bind\": bind source path does not exist: {dir}");
    let when = agent_workspace_tests::engine::When::Nth(1);
    engine.goes_wrong(when, agent_workspace_tests::engine::Fault::refusal(400, &message));
    let document = failure(&creating(&engine, &dir, &[]), 2, "invalid_secrets");
    assert_eq!(document.text("/error/details/dir"), dir);
    assert_eq!(engine.made_by_create(), [""; 0]);
}

#[test]
fn other_secrets_than_those_that_are_there_are_a_difference() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = awkward(folder.path());
    let first = |engine: &Engine| {
        // As the first launcher made them: the variable says where.
        let made = Container::workspace("a").bind(&dir, "/home/agent/s", true).env("CODEX_SECRET_DIR=/home/agent/s");
        engine.has(made);
    };
    let warnings = |engine: &Engine, flags: &[&str]| {
        let document = succeeds(engine, &[&CREATE[..], flags].concat());
        let texts = document.at("/warnings").as_array().expect("a list").clone();
        let texts: Vec<String> =
            texts.iter().map(|warning| warning["message"].as_str().unwrap_or_default().to_owned()).collect();
        assert_eq!(document.warnings(), vec!["spec_differs"; texts.len()]);
        (texts, document)
    };
    let engine = Engine::start();
    first(&engine);
    let (told, document) = warnings(&engine, &[]);
    assert_eq!(told, [""; 0]);
    assert_eq!((document.text("/secrets/dir"), document.text("/secrets/mount")), (dir.as_str(), "/home/agent/s"));
    assert_eq!(warnings(&engine, &["--secrets-dir", &dir, "--secrets-mount", "~/s"]).0, [""; 0]);
    assert_eq!(warnings(&engine, &["--secrets-dir", &dir]).0.len(), 1);
    assert_eq!(warnings(&engine, &["--no-secrets"]).0.len(), 1);
    let readonly = ["--secrets-dir", &dir, "--secrets-mount", "~/s", "--secrets-readonly"];
    let (told, document) = warnings(&engine, &readonly);
    assert!(told[0].contains("read-only"), "{told:?}");
    assert_eq!(*document.at("/secrets/readonly"), false);

    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    let (told, document) = warnings(&engine, &["--secrets-dir", &dir]);
    assert!(told[0].contains("made without"), "{told:?}");
    assert_eq!(*document.at("/secrets/enabled"), false);
}
