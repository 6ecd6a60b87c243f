//! SSH as `~/.ssh/config` says, against a real server on this host: who is believed, who is let in, and over what way.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use agent_workspace_tests::live::{SshServer, run_with_input, until};
use agent_workspace_tests::{Document, Launcher, Ran};

/// A server, and a client with files of its own.
struct Way {
    folder: tempfile::TempDir,
    server: SshServer,
}

impl Way {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = SshServer::start(folder.path());
        Self { folder, server }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).expect("a file")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).expect("a file");
    }

    fn configure(&self, lines: &str) {
        let mut config = std::fs::File::options().append(true).open(self.file("ssh_config")).expect("a file");
        config.write_all(lines.as_bytes()).expect("a line");
    }

    /// The server's host as known_hosts names it, and its key.
    fn host_and_key(&self) -> (String, String) {
        let key = self.read("host.pub");
        let key: Vec<&str> = key.split_whitespace().take(2).collect();
        (format!("[127.0.0.1]:{}", self.server.port()), key.join(" "))
    }

    fn adding(&self, name: &str, host: &str) -> Launcher {
        Launcher::new(["vm-host", "add", name, host])
            .env("PATH", self.server.path())
            .env("AGENT_WORKSPACE_STATE_DIR", self.file("state"))
            .json()
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }

    fn add(&self, name: &str) -> Launcher {
        self.adding(name, &self.host())
    }

    fn keygen(&self, words: &[&str]) {
        let mut command = Command::new("ssh-keygen");
        command.arg("-q").args(words).current_dir(self.folder.path());
        assert_eq!(run_with_input(&mut command, "").code, 0, "ssh-keygen {words:?}");
    }
}

fn ok(launcher: &Launcher) -> Document {
    launcher.run().expect(0).document()
}

fn fails(launcher: &Launcher, exit: i32, code: &str) -> Document {
    let document = launcher.run().expect(exit).document();
    assert_eq!(document.error_code(), code, "{document:?}");
    document
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn a_host_that_is_known_is_asked_what_it_is() {
    let way = Way::new();
    let added = ok(&way.add("here"));
    assert_eq!((added.text("/vm_host/os"), added.at("/changed")), ("linux", &true.into()));
    assert_eq!(added.text("/host_key/believed"), "known");
    assert!(!added.at("/vm_host/last_seen_at").is_null());
    assert_eq!(ok(&way.add("here")).at("/changed"), false);
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn a_host_that_is_not_known_is_refused_with_its_fingerprint_until_it_is_accepted() {
    let way = Way::new();
    let (host, key) = way.host_and_key();
    for (hashed, name) in [("no", "one"), ("yes", "two")] {
        way.write(
            "known_hosts",
            "other ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ",
        );
        way.configure(&format!("HashKnownHosts {hashed}\n"));
        let refused = fails(&way.add(name), 6, "host_key_unknown");
        let mut fingerprint = Command::new("ssh-keygen");
        let listed = run_with_input(fingerprint.arg("-lf").arg(way.file("host.pub")), "").stdout;
        assert!(listed.contains(refused.text("/error/details/fingerprint")), "{listed}");
        assert!(refused.text("/error/hint").contains("--accept-new-host-key"));
        let pasted = format!("ssh -o StrictHostKeyChecking=ask -p {} -- 127.0.0.1 true", way.server.port());
        assert!(refused.text("/error/hint").contains(&pasted), "ssh takes no HOST:PORT: {refused:?}");
        assert!(!way.read("known_hosts").contains(&key), "it was not believed");

        ok(&way.add(name).arg("--accept-new-host-key"));
        let known = way.read("known_hosts");
        assert_eq!(known.lines().count(), 2, "on a line of its own: {known}");
        ok(&way.add(name));
        // What we wrote down is what ssh finds.
        let mut found = Command::new("ssh-keygen");
        found.args(["-F", &host, "-f"]).arg(way.file("known_hosts"));
        assert_eq!(run_with_input(&mut found, "").code, 0, "{known}");
        // The first setting of a configuration counts.
        let config = way.read("ssh_config").replace("HashKnownHosts no\n", "");
        way.write("ssh_config", &config);
    }
    assert!(way.read("known_hosts").contains("|1|"), "names are hashed where that is configured");
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn a_host_with_another_key_or_a_revoked_one_is_always_refused() {
    let way = Way::new();
    let (host, key) = way.host_and_key();
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    way.configure("StrictHostKeyChecking no\n");
    for known in [
        format!("{host} {other}\n"),
        format!("@revoked * {key}\n"),
        format!("{host} {key}\n@revoked\t{host}\t{}\n", key.replace(' ', "\t")),
    ] {
        way.write("known_hosts", &known);
        for launcher in [way.add("a"), way.add("a").arg("--accept-new-host-key")] {
            fails(&launcher, 6, "host_key_changed");
        }
        assert_eq!(way.read("known_hosts"), known, "nothing is learned");
    }
    // What the hint says forgets the host where it is known.
    way.write("known_hosts", &format!("{host} {other}\n"));
    let refused = fails(&way.add("a"), 6, "host_key_changed");
    let forget = format!("ssh-keygen -f {} -R '{host}'", way.file("known_hosts").display());
    assert!(refused.text("/error/hint").contains(&forget), "{refused:?}");
    way.write("known_hosts", &format!("{host} {key}\n"));
    ok(&way.add("known"));
    way.write("revoked", &format!("{key}\n"));
    way.configure(&format!("RevokedHostKeys {}\n", way.file("revoked").display()));
    fails(&way.add("a").arg("--accept-new-host-key"), 6, "host_key_changed");
    std::fs::remove_file(way.file("state").join("state.db")).expect("the state");
    assert!(!way.file("state").join("state.db").exists(), "nothing is remembered");
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn a_configuration_that_accepts_new_hosts_is_heeded() {
    let way = Way::new();
    way.write("known_hosts", "");
    way.configure("StrictHostKeyChecking accept-new\n");
    ok(&way.add("a"));
    assert!(way.read("known_hosts").contains(&way.host_and_key().1));
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn keys_of_every_kind_are_taken() {
    let way = Way::new();
    for kind in ["ecdsa", "rsa", "ed25519"] {
        let file = format!("key-{kind}");
        way.keygen(&["-t", kind, "-N", "", "-f", &file]);
        std::fs::copy(way.file(&format!("{file}.pub")), way.file("user.pub")).expect("a key");
        std::fs::copy(way.file(&file), way.file("user")).expect("a key");
        ok(&way.add(kind));
    }
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn a_certificate_beside_the_key_is_taken() {
    let way = Way::new();
    way.keygen(&["-t", "ed25519", "-N", "", "-f", "ca"]);
    let me = run_with_input(Command::new("id").arg("-un"), "").stdout;
    way.keygen(&["-s", "ca", "-I", "me", "-n", me.trim(), "user.pub"]);
    // What the server reads as authorized keys.
    way.write("user.pub", &format!("cert-authority {}", way.read("ca.pub")));
    ok(&way.add("a"));
    std::fs::remove_file(way.file("user-cert.pub")).expect("a certificate");
    fails(&way.add("a"), 6, "ssh_auth_failed");
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn who_is_not_let_in_is_told_what_was_tried() {
    let way = Way::new();
    way.keygen(&["-t", "ed25519", "-N", "", "-f", "other"]);
    std::fs::copy(way.file("other"), way.file("user")).expect("a key");
    let refused = fails(&way.add("a"), 6, "ssh_auth_failed");
    assert!(refused.text("/error/causes/0").contains("/user: refused"), "{refused:?}");
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(way.file("user"), mode(0o640)).expect("a key");
    let refused = fails(&way.add("a"), 6, "ssh_auth_failed");
    assert!(refused.text("/error/causes/0").contains("others can read it"), "{refused:?}");
    std::fs::remove_file(way.file("user")).expect("a key");
    let refused = fails(&way.add("a"), 6, "ssh_auth_failed");
    assert_eq!(refused.text("/error/causes/0"), "there is no agent and no key file");
}

/// An agent of one test.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    fn start(folder: &Path) -> Self {
        let socket = folder.join("agent");
        let mut command = Command::new("ssh-agent");
        command.args(["-D", "-a"]).arg(&socket).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().expect("ssh-agent is installed");
        until("the agent listens", || socket.exists());
        Self { child, socket }
    }

    fn add(&self, key: &Path, passphrase: &str) {
        let asking = key.with_extension("ask");
        std::fs::write(&asking, format!("#!/bin/sh\necho '{passphrase}'\n")).expect("a file");
        std::fs::set_permissions(&asking, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("a program");
        let mut command = Command::new("ssh-add");
        command.arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket);
        command.env("SSH_ASKPASS", &asking).env("SSH_ASKPASS_REQUIRE", "force");
        assert_eq!(run_with_input(&mut command, "").code, 0);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn an_encrypted_key_is_used_by_the_agent_and_nobody_is_asked() {
    for kind in ["ed25519", "rsa"] {
        let way = Way::new();
        for name in ["user", "user.pub"] {
            std::fs::remove_file(way.file(name)).expect("a key");
        }
        way.keygen(&["-t", kind, "-N", "secret words", "-f", "user"]);
        let refused = fails(&way.add("a"), 6, "ssh_auth_failed");
        assert!(refused.text("/error/causes/0").contains("encrypted"), "{refused:?}");
        assert!(refused.text("/error/hint").contains("ssh-add"), "{refused:?}");
        let agent = Agent::start(way.folder.path());
        let with_agent = way.add("a").env("SSH_AUTH_SOCK", &agent.socket);
        fails(&with_agent, 6, "ssh_auth_failed");
        agent.add(&way.file("user"), "secret words");
        ok(&with_agent);
        way.configure("IdentityAgent none\n");
        fails(&with_agent, 6, "ssh_auth_failed");
    }
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn an_agent_that_hangs_keeps_no_key_file_from_being_used() {
    let way = Way::new();
    let _silent = std::os::unix::net::UnixListener::bind(way.file("agent")).expect("a socket");
    ok(&way.add("a").env("SSH_AUTH_SOCK", way.file("agent")));
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn jump_hosts_and_proxy_commands_lead_there() {
    let way = Way::new();
    let port = way.server.port();
    way.configure(&format!(
        "Host far\n  HostName 127.0.0.1\n  Port {port}\n  ProxyJump near,nearer\n\
         Host near nearer\n  HostName 127.0.0.1\n  Port {port}\n\
         Host proxied\n  HostName 127.0.0.1\n  Port {port}\n  ProxyCommand ssh -W %h:%p near\n\
         Host round\n  ProxyJump about\nHost about\n  ProxyJump round\n\
         Host behind\n  HostName 127.0.0.1\n  Port {port}\n  ProxyJump stranger\n\
         Host stranger\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias stranger\n"
    ));
    ok(&way.adding("far", "far"));
    ok(&way.adding("proxied", "proxied"));
    let circle = fails(&way.adding("circle", "round"), 7, "host_unreachable");
    assert!(circle.text("/error/causes/0").contains("circle"), "{circle:?}");
    let refused = fails(&way.adding("behind", "behind"), 6, "host_key_unknown");
    assert_eq!(refused.text("/error/details/host"), "stranger", "who stands in the way is looked at as well");
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn what_runs_to_reach_a_machine_is_given_no_token() {
    let way = Way::new();
    let port = way.server.port();
    let seen = way.file("seen");
    way.configure(&format!(
        "Match originalhost proxied exec \"env >>{0}\"\n  HostName 127.0.0.1\n  Port {port}\n  \
         ProxyCommand sh -c 'env >>{0}; exec ssh -W %h:%p near'\n\
         Host near\n  HostName 127.0.0.1\n  Port {port}\n",
        seen.display()
    ));
    let adding = way.adding("proxied", "proxied").env("SEEN_BY_BOTH", "yes");
    let tokens = ["GH_TOKEN", "GITHUB_TOKEN", "GIT_CREDENTIALS_A", "GIT_CREDENTIALS_"];
    ok(&tokens.iter().fold(adding, |adding, token| adding.env(*token, "canary-of-this-test")));
    let seen = way.read("seen");
    assert!(seen.matches("SEEN_BY_BOTH=yes").count() >= 2, "{seen}");
    assert!(!seen.contains("canary-of-this-test"), "{seen}");
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn without_ssh_its_defaults_hold() {
    let way = Way::new();
    let home = way.file("home/.ssh");
    std::fs::create_dir_all(&home).expect("a folder");
    std::fs::copy(way.file("user"), home.join("id_ed25519")).expect("a key");
    let adding = way.add("a").env("PATH", "/nonexistent").env("HOME", way.file("home"));
    fails(&adding, 6, "host_key_unknown");
    ok(&adding.clone().arg("--accept-new-host-key"));
    assert_eq!(ok(&adding).at("/changed"), false);
    let known = std::fs::read_to_string(home.join("known_hosts")).expect("a file");
    assert!(known.contains(&way.host_and_key().1), "{known}");
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn a_proxy_command_that_hangs_does_not_outlive_the_command() {
    let way = Way::new();
    let process = way.file("process");
    way.configure(&format!(
        "ConnectTimeout 1\nHost hung\n  ProxyCommand sh -c 'echo $$ >{}; exec sleep 600'\n",
        process.display()
    ));
    fails(&way.adding("hung", "hung"), 7, "host_unreachable");
    let process = way.read("process");
    until("it has ended", || !Path::new("/proc").join(process.trim()).exists());
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn a_host_that_does_not_answer_is_given_up_within_its_time() {
    let way = Way::new();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    way.configure("ConnectTimeout 1\n");
    for host in [format!("127.0.0.1:{}", silent.local_addr().expect("an address").port()), format!("127.0.0.1:{free}")]
    {
        let since = Instant::now();
        let refused = fails(&way.adding("a", &host), 7, "host_unreachable");
        assert_eq!(refused.at("/error/retryable"), true);
        assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    }
}

/// Runs with something to read at descriptor 3.
fn with_descriptor(launcher: &Launcher, file: &Path) -> Ran {
    let command = launcher.command();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "exec \"$0\" \"$@\" 3<\"$FILE\""])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("FILE", file);
    run_with_input(&mut shell, "")
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn an_encrypted_key_is_opened_with_the_passphrase_of_a_descriptor() {
    for kind in ["ed25519", "rsa"] {
        let way = Way::new();
        for name in ["user", "user.pub"] {
            std::fs::remove_file(way.file(name)).expect("a key");
        }
        way.keygen(&["-t", kind, "-N", "secret words", "-f", "user"]);
        let adding = way.add("a").arg("--passphrase-fd=3");
        way.write("passphrase", "other words\n");
        let wrong = with_descriptor(&adding, &way.file("passphrase")).expect(6);
        let refused = wrong.document();
        assert_eq!(refused.error_code(), "ssh_auth_failed");
        assert!(refused.text("/error/causes/0").contains("not with the passphrase"), "{refused:?}");
        assert!(!format!("{wrong:?}").contains("other words"), "it is said nowhere");
        way.write("passphrase", "secret words\nand more\n");
        let _ = with_descriptor(&adding, &way.file("passphrase")).expect(0);
        // By a pipe, and before the command.
        let piped = Launcher::new(["--passphrase-fd", "0", "vm-host", "add", "a", &way.host()])
            .env("PATH", way.server.path())
            .env("AGENT_WORKSPACE_STATE_DIR", way.file("state"))
            .json();
        ok(&piped.clone().stdin("secret words"));
        fails(&piped.stdin(""), 2, "usage");
        fails(&adding, 2, "usage");
    }
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn a_key_of_the_agent_is_used_with_the_certificate_of_a_file() {
    let way = Way::new();
    way.keygen(&["-t", "ed25519", "-N", "", "-f", "ca"]);
    let me = run_with_input(Command::new("id").arg("-un"), "").stdout;
    way.keygen(&["-s", "ca", "-I", "me", "-n", me.trim(), "user.pub"]);
    let agent = Agent::start(way.folder.path());
    // The agent holds the key alone, and the certificate is in a file of its own.
    std::fs::rename(way.file("user-cert.pub"), way.file("certificate")).expect("a certificate");
    agent.add(&way.file("user"), "");
    std::fs::remove_file(way.file("user")).expect("a key");
    way.write("user.pub", &format!("cert-authority {}", way.read("ca.pub")));
    let with_agent = way.add("a").env("SSH_AUTH_SOCK", &agent.socket);
    way.configure("IdentitiesOnly no\n");
    let config = way.read("ssh_config").replace("IdentitiesOnly yes\n", "");
    way.write("ssh_config", &config);
    fails(&with_agent, 6, "ssh_auth_failed");
    way.configure(&format!("CertificateFile {}\n", way.file("certificate").display()));
    ok(&with_agent);
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn a_host_that_an_authority_vouches_for_is_believed() {
    let way = Way::new();
    let (host, key) = way.host_and_key();
    way.keygen(&["-t", "ed25519", "-N", "", "-f", "ca"]);
    let authority = way.read("ca.pub");
    let certified = |principals: &str, more: &[&str]| {
        let words = [&["-s", "ca", "-I", "host", "-h", "-n", principals][..], more, &["host.pub"]].concat();
        way.keygen(&words);
        way.server.reload(&format!("HostCertificate {}\n", way.file("host-cert.pub").display()));
    };
    way.write("known_hosts", &format!("@cert-authority 127.0.0.* {authority}"));
    fails(&way.add("a"), 6, "host_key_unknown");
    certified("127.0.0.1,other", &[]);
    let added = ok(&way.add("a"));
    assert_eq!((added.text("/host_key/believed"), added.text("/host_key/key_type")), ("certified", "ssh-ed25519"));
    assert_eq!(way.read("known_hosts").lines().count(), 1, "nothing is learned");

    // A revoked key or authority vouches for nothing, whatever is accepted.
    for revoked in [&key, authority.trim()] {
        way.write("known_hosts", &format!("@cert-authority {host} {authority}@revoked * {revoked}\n"));
        fails(&way.add("a").arg("--accept-new-host-key"), 6, "host_key_changed");
    }
    // What does not count is a host by its plain key.
    way.write("known_hosts", &format!("@cert-authority other {authority}"));
    fails(&way.add("a"), 6, "host_key_unknown");
    way.write("known_hosts", &format!("@cert-authority {host} {authority}"));
    ok(&way.add("a"));
    for (principals, more, why) in [
        ("other", &[][..], "made out to other"),
        ("127.0.0.1", &["-V", "20200101:20200102"], "not valid at this time"),
        ("127.0.0.1", &["-O", "critical:something=x"], "conditions"),
    ] {
        certified(principals, more);
        let refused = fails(&way.add("a"), 6, "host_key_unknown");
        assert!(refused.text("/error/causes/0").contains(why), "{refused:?}");
    }
    way.write("known_hosts", &format!("@cert-authority {host} {authority}{host} {key}\n"));
    assert_eq!(ok(&way.add("a")).text("/host_key/believed"), "known");
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn a_connection_that_is_lost_in_the_middle_of_the_login_is_no_refused_key() {
    let way = Way::new();
    let between = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = between.local_addr().expect("an address").port();
    way.write("known_hosts", &way.read("known_hosts").replace(&way.server.port().to_string(), &port.to_string()));
    let agent = std::os::unix::net::UnixListener::bind(way.file("agent")).expect("a socket");
    let server = way.server.port();
    std::thread::spawn(move || {
        let (client, _) = between.accept().expect("a client");
        let host = std::net::TcpStream::connect(("127.0.0.1", server)).expect("the server");
        let pass = |mut from: std::net::TcpStream, mut to: std::net::TcpStream| {
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        };
        pass(client.try_clone().expect("a stream"), host.try_clone().expect("a stream"));
        pass(host.try_clone().expect("a stream"), client.try_clone().expect("a stream"));
        // The agent is asked after the host has proved who it is, and before a key is offered.
        let _asking = agent.accept().expect("somebody asks");
        for stream in [client, host] {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    });
    let lost = way.adding("a", &format!("127.0.0.1:{port}")).env("SSH_AUTH_SOCK", way.file("agent"));
    fails(&lost, 7, "host_unreachable");
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn a_host_that_has_heard_enough_keys_is_no_lost_one() {
    let way = Way::new();
    for number in 0..8 {
        let name = format!("wrong{number}");
        way.keygen(&["-t", "ed25519", "-N", "", "-f", &name]);
    }
    let wrong: String =
        (0..8).map(|number| format!("IdentityFile {}\n", way.file(&format!("wrong{number}")).display())).collect();
    let config = way.read("ssh_config");
    way.write("ssh_config", &format!("{wrong}{config}"));
    let refused = fails(&way.add("a"), 6, "ssh_auth_failed");
    assert!(refused.text("/error/message").contains("hung up"), "{refused:?}");
}
