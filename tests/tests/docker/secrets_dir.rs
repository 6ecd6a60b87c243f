//! Secrets of this machine inside a workspace: whatever their path, and never more than was asked for.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use agent_workspace_tests::Launcher;
use agent_workspace_tests::live::{Answer, Image, Live, docker, try_docker};
use serde_json::json;

/// A folder with a file in it that every user may use.
fn secrets(live: &Live, name: &str) -> PathBuf {
    let dir = live.folder().canonicalize().expect("a folder").join(name);
    std::fs::create_dir_all(&dir).expect("a folder");
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o777)).expect("ours");
    std::fs::write(dir.join("key"), "from the host").expect("a file");
    dir
}

fn creating(live: &Live, name: &str, dir: &Path, flags: &[&str]) -> Launcher {
    let launcher =
        live.launcher(&format!("create --no-clone --name {name} --image {} --secrets-dir", Image::Agent.name()));
    flags.iter().fold(launcher.arg(dir), |launcher, flag| launcher.arg(*flag))
}

const LOOK: &str = "id -un; cat \"$CODEX_SECRET_DIR/key\"; printf ' at %s' \"$CODEX_SECRET_DIR\"";

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn paths_of_every_kind_are_mounted_as_they_are() {
    let live = Live::new();
    let kinds = ["a b", "a:b:ro", "a,b=c", "it's \"quoted\"", "größe-日本", "$(id)`id`", "back\\slash", "line\nend"];
    for (number, kind) in kinds.into_iter().enumerate() {
        let dir = secrets(&live, kind);
        let name = format!("kind{number}");
        let made = Answer::to(&creating(&live, &name, &dir, &[])).ok();
        assert_eq!(made.warnings(), [""; 0], "{kind}");
        assert_eq!(made.text("/secrets/dir"), dir.to_str().expect("UTF-8"));
        assert_eq!(live.inside(&name, LOOK), "agent\nfrom the host at /home/agent/codex_secrets");
        live.inside(&name, "echo from inside >\"$CODEX_SECRET_DIR/written\"");
        assert_eq!(std::fs::read_to_string(dir.join("written")).expect("a file"), "from inside\n");
        // What is the host's is nobody's unsaved work, and stays when the workspace goes.
        live.json(&format!("rm {name}")).ok();
        assert!(dir.join("key").exists(), "{kind}");
    }
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn readonly_secrets_cannot_be_changed_from_inside_not_even_by_root() {
    let live = Live::new();
    let dir = secrets(&live, "ro");
    let flags = ["--secrets-readonly", "--secrets-mount", "~/a b/$(id)'ö/"];
    let made = Answer::to(&creating(&live, "ro", &dir, &flags)).ok();
    let mount = "/home/agent/a b/$(id)'ö";
    assert_eq!(made.warnings(), [""; 0]);
    let said = json!({ "enabled": true, "dir": dir, "mount": mount, "codex_profile": null, "readonly": true });
    assert_eq!((made.at("/secrets"), live.json("describe ro").ok().at("/secrets")), (&said, &said));
    assert_eq!(live.inside("ro", LOOK), format!("agent\nfrom the host at {mount}"));
    for user in ["agent", "0"] {
        let full = live.full("ro");
        let ran = try_docker(["exec", "-u", user, &full, "sh", "-c", "echo x >\"$CODEX_SECRET_DIR/key\""]);
        assert_ne!(ran.code, 0, "{user} can write");
    }
    assert_eq!(std::fs::read_to_string(dir.join("key")).expect("a file"), "from the host");
    // What the engine made on the way to the mount is the user's.
    assert_eq!(live.inside("ro", "stat -c %U '/home/agent/a b'; touch '/home/agent/a b/mine'"), "agent");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_relative_folder_is_that_of_the_working_directory_and_no_volume() {
    let live = Live::new();
    let dir = secrets(&live, "sec");
    let launcher = creating(&live, "relative", Path::new("sec"), &["--output=json"]);
    let mut command = launcher.command();
    let output = command.current_dir(dir.parent().expect("a folder")).output().expect("the binary starts");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(live.inside("relative", LOOK), "agent\nfrom the host at /home/agent/codex_secrets");
    assert_eq!(try_docker(["volume", "inspect", "sec"]).code, 1);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn neither_the_home_nor_an_engines_socket_gets_inside() {
    let live = Live::new();
    let home = secrets(&live, "home");
    symlink(&home, live.folder().join("link")).expect("a link");
    for dir in ["/", "/run", "/var/run", "home", "link", "home/..", "link/../home", "nosuch", "home/key"] {
        let dir = if dir.starts_with('/') { PathBuf::from(dir) } else { live.folder().join(dir) };
        let launcher = creating(&live, "refused", &dir, &[]).env("HOME", home.as_os_str());
        let refused = Answer::to(&launcher).fails(2, "invalid_secrets");
        assert!(refused.at("/error/hint").is_string(), "{}", dir.display());
    }
    let inside = secrets(&live, "home/secrets");
    Answer::to(&creating(&live, "fine", &inside, &[]).env("HOME", home.as_os_str())).ok();
    assert_eq!(live.containers(), [live.full("fine")]);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_workspace_that_is_there_keeps_the_secrets_it_was_made_with() {
    let live = Live::new();
    let (one, other) = (secrets(&live, "one"), secrets(&live, "other"));
    let made = Answer::to(&creating(&live, "there", &one, &[])).ok();
    let again = Answer::to(&creating(&live, "there", &one, &[])).ok();
    assert_eq!((again.at("/created"), again.at("/secrets")), (&json!(false), made.at("/secrets")));
    assert_eq!(again.warnings(), [""; 0]);
    let differs = Answer::to(&creating(&live, "there", &other, &["--secrets-readonly"])).ok();
    assert_eq!((differs.warnings(), differs.at("/secrets")), (vec!["spec_differs"], made.at("/secrets")));
    assert_eq!(live.inside("there", LOOK), "agent\nfrom the host at /home/agent/codex_secrets");
    let none = live.json(&format!("create --no-clone --name there --no-secrets --image {}", Image::Agent.name())).ok();
    assert_eq!(none.warnings(), ["spec_differs"]);

    live.create("--no-clone --name without").ok();
    let without = Answer::to(&creating(&live, "without", &one, &[])).ok();
    assert_eq!((without.warnings(), without.at("/secrets/enabled")), (vec!["spec_differs"], &json!(false)));
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn secrets_of_a_workspace_of_the_first_launcher_are_read_off_its_container() {
    let live = Live::new();
    let dir = secrets(&live, "first");
    let full = live.full("first");
    docker([
        "run",
        "-d",
        "--init",
        "--name",
        &full,
        "--label",
        "agent-kit.workspace=1",
        "-v",
        &format!("{full}-work:/work"),
        "-v",
        &format!("{full}-home:/home/agent"),
        "-v",
        &format!("{}:/home/agent/s:rw", dir.display()),
        "-e",
        "CODEX_SECRET_DIR=/home/agent/s",
        &Image::Agent.name(),
        "sleep",
        "600",
    ]);
    let said =
        json!({ "enabled": true, "dir": dir, "mount": "/home/agent/s", "codex_profile": null, "readonly": false });
    assert_eq!(*live.json("describe first").ok().at("/secrets"), said);
    assert_eq!(*live.create("--no-clone --name first").ok().at("/secrets"), said);
    live.json("rm first").ok();
    assert!(dir.join("key").exists());
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn secrets_that_the_user_cannot_use_are_said_to_be_so() {
    let live = Live::new();
    let set = |path: &Path, mode: u32| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("ours");
    let dir = secrets(&live, "closed");
    let warned = |name: &str, flags: &[&str]| {
        let made = Answer::to(&creating(&live, name, &dir, flags)).ok();
        let warnings = made.warnings().join(",");
        (warnings, made.0["warnings"].to_string())
    };
    set(&dir.join("key"), 0o600);
    let (codes, text) = warned("file", &[]);
    assert!(codes == "secrets_unreadable" && text.contains("cannot all be read"), "{text}");
    assert_eq!(warned("owner", &["--user", "0"]).0, "");
    set(&dir.join("key"), 0o644);
    set(&dir, 0o755);
    let (codes, text) = warned("write", &[]);
    assert!(codes == "secrets_unreadable" && text.contains("cannot all be written"), "{text}");
    assert_eq!(warned("read", &["--secrets-readonly"]).0, "");
    set(&dir, 0o700);
    assert!(warned("folder", &["--secrets-readonly"]).1.contains("--user 0"));
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn only_what_is_mounted_is_left_out_of_the_look_for_unsaved_work() {
    let live = Live::new();
    let dir = secrets(&live, "mine");
    let mount = "/work/[s]* x";
    Answer::to(&creating(&live, "look", &dir, &["--secrets-mount", mount])).ok();
    live.inside("look", "cd \"$CODEX_SECRET_DIR\"; git init -q repository; touch repository/new");
    live.json("rm look").ok();
    Answer::to(&creating(&live, "look", &dir, &["--secrets-mount", mount])).ok();
    live.inside("look", "mkdir '/work/s x'; touch '/work/s x/file'");
    let refused = live.json("rm look").fails(5, "unsaved_work");
    assert_eq!(refused.text("/error/details/unsaved/0/path"), "/work/s x/file");
    // The variable alone hides nothing.
    let file = live.file("env", "CODEX_SECRET_DIR=/work/s\n");
    live.create(&format!("--no-clone --name variable --env-file {file}")).ok();
    live.inside("variable", "mkdir /work/s; touch /work/s/file");
    live.json("rm variable").fails(5, "unsaved_work");
}

/// A folder of secrets that teaches zsh to switch profiles: it writes down what it was given.
fn with_profiles(live: &Live) -> PathBuf {
    let dir = secrets(live, "profiles");
    let function = "codex-use() {
        echo noise; print -r -- \"$#:$1\" >>$CODEX_SECRET_DIR/used
        [[ $1 != broken ]] || { echo 'profile broken: no auth.json' >&2; return 3 }
    }";
    std::fs::write(dir.join("codex.zsh"), function).expect("a file");
    dir
}

fn applying(live: &Live, image: Image, name: &str, dir: &Path, profile: &str) -> Answer {
    let line = format!("create --no-clone --name {name} --image {} --secrets-dir", image.name());
    Answer::to(&live.launcher(&line).arg(dir).arg("--codex-profile").arg(profile))
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_profile_is_applied_by_zshs_function_and_writes_back() {
    let live = Live::new();
    let dir = with_profiles(&live);
    let used = || std::fs::read_to_string(dir.join("used")).unwrap_or_default();
    let made = applying(&live, Image::Tools, "zsh", &dir, "work").ok();
    assert_eq!((made.text("/secrets/codex_profile"), used().as_str()), ("work", "1:work\n"));
    assert!(made.at("/timings_ms/profile").is_u64());
    // Names that a shell would make something of are one word to the end. The workspace is there already.
    for hostile in ["$(cd;touch${IFS}owned)", "';cd;touch${IFS}owned;'", "`id`", "a\\b*"] {
        applying(&live, Image::Tools, "zsh", &dir, hostile).ok();
        assert_eq!(used().lines().last(), Some(format!("1:{hostile}").as_str()));
    }
    assert_eq!(live.inside("zsh", "find / -name owned 2>/dev/null || true"), "");
    let before = used();
    for refused in ["a b; touch /tmp/owned", "../work", "", "-x"] {
        applying(&live, Image::Tools, "zsh", &dir, refused).fails(2, "usage");
    }
    assert_eq!(used(), before);

    let failed = applying(&live, Image::Tools, "zsh", &dir, "broken").fails(1, "profile_failed");
    assert!(failed.text("/error/causes/0").contains("profile broken: no auth.json"), "{}", failed.0);
    assert_eq!(failed.at("/error/details/status"), 3);
    assert_eq!(live.row("zsh").expect("a row")["status"], "running");
    applying(&live, Image::Tools, "new", &dir, "broken").fails(1, "profile_failed");
    assert_eq!(live.containers(), [live.full("zsh")]);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_program_for_profiles_is_preferred_and_one_must_be_there() {
    let live = Live::new();
    let dir = with_profiles(&live);
    for image in [Image::Agent, Image::Busybox] {
        let missing = applying(&live, image, "without", &dir, "work").fails(9, "image_unusable");
        assert!(missing.text("/error/message").contains("codex-use"), "{}", missing.0);
    }
    live.nothing_is_left();

    applying(&live, Image::Tools, "program", &dir, "work").ok();
    let program = "printf '#!/bin/sh\necho \"program:$#:$1\" >>$CODEX_SECRET_DIR/used\n' >/usr/local/bin/codex-use";
    live.inside_as_root("program", &format!("{program}; chmod 755 /usr/local/bin/codex-use"));
    applying(&live, Image::Tools, "program", &dir, "play").ok();
    assert_eq!(std::fs::read_to_string(dir.join("used")).expect("a file"), "1:work\nprogram:1:play\n");

    live.create("--no-clone --name bare").ok();
    let refused = applying(&live, Image::Agent, "bare", &dir, "work").fails(4, "wrong_state");
    assert!(refused.text("/error/hint").contains("--secrets-dir"), "{}", refused.0);
}
