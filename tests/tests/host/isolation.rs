//! The walls, from inside: what is there, what can be written, who can be reached.

use agent_workspace_tests::Launcher;
use agent_workspace_tests::place::{GitHost, Place};

#[test]
fn nothing_of_the_caller_is_inside() {
    let Some(place) = Place::walled("walls") else { return };
    let secret = place.folder().join("secret");
    std::fs::write(&secret, "canary").expect("a file");
    let socket = place.folder().join("engine.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a file");
    let made = place.launcher(["create", "--no-clone", "--name", "walls"]).env("GH_TOKEN", "canary-of-a-token").json();
    let made = made.run().expect(0).document();
    let cannot = |what: &str| {
        let ran = Place::inside(&made, what);
        // 125 would say that nobody came in.
        assert!(![0, 125].contains(&ran.code), "{what}: {} {}", ran.code, ran.stdout);
    };
    for path in [
        secret.to_str().expect("text"),
        socket.to_str().expect("text"),
        "/root",
        "/etc/shadow",
        "/etc/ssh",
        "/sys/kernel",
    ] {
        cannot(&format!("ls -d \"{path}\""));
    }
    for path in ["/run/docker.sock", "/var/run/docker.sock", "/run/systemd", "/run/user", "/run/dbus"] {
        cannot(&format!("ls -d {path}"));
    }
    // Other workspaces, and what is written down of its own.
    place.create("other");
    cannot(&format!("ls -d \"{}\"", place.state().display()));
    let listed = Place::inside(&made, "ls /home; ls -A /run; ls /proc | grep -c '^[0-9]'").expect(0).stdout;
    let mut lines = listed.lines();
    assert_eq!(lines.next(), Some("agent"));
    assert!(
        lines.next().expect("as documented").parse::<u32>().expect("as documented") < 10,
        "processes of others are seen: {listed}"
    );
    // Neither does anything that runs inside show the caller's environment.
    let everything = Place::inside(&made, "cat /proc/[0-9]*/environ /etc/agent-workspace/environment; env").stdout;
    assert!(!everything.contains("canary") && !everything.contains("AGENT_WORKSPACE_STATE_DIR"), "{everything}");
}

#[test]
fn only_its_own_folders_can_be_written_and_no_rights_be_had() {
    let Some(place) = Place::walled("what can be written") else { return };
    let made = place.create("writes");
    for path in ["/work/x", "/home/agent/x", "/tmp/x", "/dev/shm/x"] {
        Place::does(&made, &format!("touch {path}"));
    }
    for path in ["/x", "/etc/x", "/etc/passwd", "/usr/x", "/bin/x", "/run/x", "/dev/x", "/var/x", "/home/x", "/proc/x"]
    {
        assert_ne!(Place::inside(&made, &format!("echo x >>{path}")).code, 0, "{path} can be written");
    }
    // Root's settings of the machine least of all, also when root runs this. What is written is what is there.
    let setting = "/proc/sys/kernel/core_pattern";
    let before = std::fs::read_to_string(setting).expect("a setting");
    let write = format!("cat {setting} >/tmp/before && cat /tmp/before >{setting}");
    assert_ne!(Place::inside(&made, &write).code, 0, "{setting} can be written");
    let writable = "find /proc/sys /proc/irq /proc/bus /proc/fs /proc/sysrq-trigger /proc/acpi -type f -writable 2>/dev/null | head -3";
    let found = Place::inside(&made, writable).expect(0).stdout;
    let is_machines = |path: &&str| !path.starts_with("/proc/sys/net/") && !path.starts_with("/proc/sys/user/");
    assert_eq!(found.lines().find(is_machines), None);
    assert_eq!(std::fs::read_to_string(setting).expect("a setting"), before);
    let status =
        Place::inside(&made, "grep -E '^(CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs)' /proc/self/status").expect(0);
    let expected =
        "CapInh:0000000000000000 CapPrm:0000000000000000 CapEff:0000000000000000 CapAmb:0000000000000000 NoNewPrivs:1";
    assert_eq!(status.stdout.replace('\t', "").lines().collect::<Vec<_>>().join(" "), expected);
    for what in ["mount -t tmpfs x /work", "mount -o remount,rw /usr", "umount /usr", "chown 0 /work/x", "kill -9 1"] {
        let ran = Place::inside(&made, &format!("{what} && [ \"{what}\" != 'kill -9 1' ]"));
        assert_ne!(ran.code, 0, "{what}");
    }
    // It is still there.
    Place::does(&made, "true");
}

#[test]
fn what_the_workspace_puts_on_its_path_is_not_run_on_the_way_in() {
    let Some(place) = Place::walled("the way in") else { return };
    let made = place.create("path");
    let plant = "mkdir -p ~/.local/bin; for name in nsenter setpriv env sh setsid; do printf '#!/bin/sh\\ntouch /work/was-run\\n' >~/.local/bin/$name; chmod +x ~/.local/bin/$name; done";
    Place::does(&made, plant);
    let words = made
        .at("/transport/exec")
        .as_array()
        .expect("as documented")
        .iter()
        .map(|word| word.as_str().expect("as documented"));
    let words: Vec<_> = words.collect();
    let mut command = std::process::Command::new(words[0]);
    command.args(&words[1..]).args(["/bin/ls", "/work"]);
    let ran = agent_workspace_tests::live::run_with_input(&mut command, "").expect(0);
    assert_eq!(ran.stdout, "");
}

#[test]
fn what_the_caller_has_open_is_not_open_inside() {
    let Some(place) = Place::walled("open files") else { return };
    let made = place.create("open");
    let words = made.at("/transport/exec").as_array().expect("as documented");
    let mut command = std::process::Command::new("/bin/bash");
    command.args(["-c", "exec 5</etc 27</etc; exec \"$@\"", "bash"]);
    command.args(words.iter().map(|word| word.as_str().expect("as documented")));
    command.args(["sh", "-c", "for fd in 5 27; do [ ! -e /proc/self/fd/$fd ] || echo $fd; done; echo \"$0\"", "it's"]);
    let ran = agent_workspace_tests::live::run_with_input(&mut command, "").expect(0);
    assert_eq!(ran.stdout, "it's\n");
}

#[test]
fn a_link_where_secrets_are_mounted_is_followed_by_nobody() {
    let Some(place) = Place::walled("links") else { return };
    let secrets = place.folder().join("secrets");
    std::fs::create_dir(&secrets).expect("a folder");
    let create = place.launcher(["create", "--no-clone", "--name", "link", "--secrets-mount", "/work/in/secrets"]);
    let _ = create.arg("--secrets-dir").arg(&secrets).run().expect(0);
    place.document(["stop", "link"], 0);
    let workspace = place.workspace("agent-ws-link");
    std::fs::remove_dir_all(workspace.join("work/in")).expect("a folder");
    let outside = place.folder().join("outside");
    std::fs::create_dir(&outside).expect("a folder");
    let target = format!("/oldroot{}", outside.display());
    std::os::unix::fs::symlink(target, workspace.join("work/in")).expect("a link");
    let refused = place.document(["start", "link"], 2);
    assert_eq!(refused.error_code(), "invalid_secrets");
    assert!(std::fs::read_dir(&outside).expect("a folder").next().is_none());
}

#[test]
fn a_workspace_runs_on_when_somebody_inside_ends_every_sleep() {
    let Some(place) = Place::walled("sleeps") else { return };
    let made = place.create("sleeps");
    let end = "for about in /proc/[0-9]*; do [ \"$(cat $about/comm)\" != sleep ] || kill ${about#/proc/}; done";
    Place::does(&made, end);
    std::thread::sleep(std::time::Duration::from_millis(300));
    Place::does(&made, "true");
}

#[test]
fn strict_walls_have_no_network_and_refuse_what_needs_one() {
    let Some(place) = Place::walled("strict walls") else { return };
    let made = place.document(["create", "--no-clone", "--name", "strict", "--isolation", "strict"], 0);
    assert_eq!(made.text("/isolation"), "strict");
    assert_eq!(Place::inside(&made, "grep -c : /proc/net/dev").expect(0).stdout, "1\n");
    assert_eq!(Place::inside(&made, "ls /sys/class/net 2>/dev/null; true").stdout, "");
    place.document(["stop", "strict"], 0);
    place.document(["start", "strict"], 0);
    assert_eq!(Place::inside(&made, "grep -c : /proc/net/dev").expect(0).stdout, "1\n");
    let clone = place.document(["create", "o/r", "--name", "x", "--isolation", "strict"], 2);
    assert_eq!(clone.error_code(), "usage");
}

#[test]
fn walls_that_are_required_are_there_or_nothing_is() {
    let place = Place::new();
    // Without bubblewrap on the path there is nothing to put them up with.
    let bare = place.folder().join("bare");
    std::fs::create_dir(&bare).expect("a file");
    let create = |isolation: &str| {
        let args = ["create", "--no-clone", "--name", "x", "--isolation", isolation];
        place.launcher(args).env("PATH", bare.clone()).json().run()
    };
    for isolation in ["require", "strict"] {
        let document = create(isolation).expect(9).document();
        assert_eq!(document.error_code(), "unsupported");
        assert!(document.text("/error/hint").contains("sudo apt-get install bubblewrap"));
    }
    assert!(!place.state().exists(), "what is refused leaves nothing");
    if let Some(place) = Place::walled("walls that are required") {
        let made = place.document(["create", "--no-clone", "--name", "x", "--isolation", "require"], 0);
        assert_eq!(made.text("/isolation"), "process");
        assert_eq!(made.at("/warnings").to_string(), "[]");
        let again = place.document(["create", "--no-clone", "--name", "x", "--isolation", "strict"], 0);
        assert_eq!(again.text("/warnings/0/code"), "spec_differs");
    }
}

#[test]
fn secrets_are_shared_as_asked_and_in_no_argument_or_environment() {
    let Some(place) = Place::walled("secrets") else { return };
    let secrets = place.folder().join("secrets");
    std::fs::create_dir(&secrets).expect("a file");
    std::fs::write(secrets.join("file"), "a secret").expect("a file");
    let create =
        |name: &str| place.launcher(["create", "--no-clone", "--name", name]).arg("--secrets-dir").arg(&secrets).json();
    let made = create("writes").run().expect(0).document();
    let mount = made.text("/secrets/mount");
    assert_eq!(made.text("/secrets/dir"), secrets.to_str().expect("text"));
    let script = format!("cat {mount}/file; [ \"$CODEX_SECRET_DIR\" = {mount} ] && echo new >{mount}/new");
    assert_eq!(Place::inside(&made, &script).expect(0).stdout, "a secret");
    assert!(secrets.join("new").exists());
    let made = create("reads").arg("--secrets-readonly").run().expect(0).document();
    assert_ne!(Place::inside(&made, &format!("echo x >{mount}/file")).code, 0);
    for name in ["writes", "reads"] {
        // What is mounted is not the workspace's, and does not go with it.
        place.document(["rm", name], 0);
    }
    assert!(secrets.join("file").exists());
    let own = place.launcher(["create", "--no-clone", "--name", "x"]).arg("--secrets-dir").arg(place.state()).json();
    std::fs::create_dir_all(place.state()).expect("a file");
    assert_eq!(own.run().expect(2).document().error_code(), "invalid_secrets");
}

#[test]
fn a_token_that_is_to_be_kept_is_kept_for_one_host_and_the_workspaces_user() {
    let Some(place) = Place::walled("a kept token") else { return };
    let create = place.launcher(["create", "--no-clone", "--name", "git", "--setup-git", "--host", "git.test:8443"]);
    let made = create.env("GH_TOKEN", "a-kept-token").json().run().expect(0).document();
    let ask = "printf 'protocol=https\\nhost=%s\\n\\n' \"$0\" | GIT_TERMINAL_PROMPT=0 git credential fill 2>/dev/null | grep password";
    let asked = |host: &str| Place::inside(&made, &ask.replace("$0", host)).stdout;
    assert_eq!(asked("git.test:8443"), "password=a-kept-token\n");
    assert_eq!(asked("other.test"), "");
    let kept = place.workspace("agent-ws-git").join("home/.agents-env/git-credentials");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(kept).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);
    // A tool's own file is no work of anybody.
    place.document(["rm", "git"], 0);
}

#[test]
fn a_token_is_in_no_argument_environment_or_file_while_it_is_used_and_afterwards() {
    let Some(place) = Place::walled("the canary") else { return };
    let host = GitHost::new(&place, true);
    let canary = format!("canary-{}", std::process::id());
    let create: Launcher = host.trusted(&place, place.launcher(["create", &host.repository(), "--name", "canary"]));
    let mut child = host.until_cloning(create.env("GH_TOKEN", canary.clone()).json().spawn(), 0);
    let own = format!("{} environ", child.id());
    let found: Vec<_> = Place::processes(&canary).into_iter().filter(|said| !said.starts_with(&own)).collect();
    assert_eq!(found, Vec::<String>::new());
    let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT);
    assert_eq!(child.wait().expect("a process").code(), Some(130));
    assert_eq!(Place::processes(&canary), Vec::<String>::new());
    assert_eq!(place.entries(), Vec::<String>::new(), "what was interrupted leaves nothing");
}
