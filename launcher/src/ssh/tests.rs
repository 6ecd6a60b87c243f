//! The machine at the far end of a connection, with a real SSH server on this host.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Client, Connection, RemoteTarget, SshMachine};
use crate::error::{Error, Result};
use crate::machine::{Command, Machine, Output, Secret, Who};

/// A server that ends with its test.
struct Server {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join(".ssh");
        std::fs::create_dir_all(&here).unwrap();
        for name in ["host", "id_ed25519"] {
            let made = Process::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f", name])
                .current_dir(&here)
                .status();
            assert!(made.unwrap().success());
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let here = here.display();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {here}/host\nAuthorizedKeysFile {here}/id_ed25519.pub\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        );
        std::fs::write(folder.path().join("sshd_config"), config).unwrap();
        // Where the server, run by root, locks up what it does not trust; Debian's service makes it.
        let _ = std::fs::create_dir_all("/run/sshd");
        let mut sshd = Process::new("/usr/sbin/sshd");
        sshd.args(["-D", "-f"]).arg(folder.path().join("sshd_config")).stdin(Stdio::null()).stderr(Stdio::null());
        let child = sshd.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "sshd does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, folder, port }
    }

    /// A machine as it is reached without `ssh` and its configuration.
    async fn machine(&self) -> SshMachine {
        let user = crate::host::Host::os().user_name();
        let client = Client { home: self.folder.path().to_owned(), user, ..Client::default() };
        let target = RemoteTarget::parse(&format!("127.0.0.1:{}", self.port)).unwrap();
        SshMachine::new(Connection::open(&client, &target, true).await.unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(words: &[&str]) -> Command {
    Command { argv: words.iter().map(|word| (*word).to_owned()).collect(), who: Who::User, stdin: None }
}

async fn run(machine: &SshMachine, words: &[&str]) -> Output {
    machine.run(command(words), &mut |_| {}).await.unwrap()
}

#[tokio::test]
#[ignore = "starts an SSH server: run ./dev test"]
async fn streams_status_and_signal_come_apart() {
    let server = Server::start();
    let machine = server.machine().await;
    let ended = run(&machine, &["sh", "-c", "echo out; echo err >&2; exit 7"]).await;
    assert_eq!(ended, Output { status: 7, stdout: "out\n".to_owned(), stderr: "err\n".to_owned() });
    assert_eq!(run(&machine, &["sh", "-c", "kill -TERM $$"]).await.status, 143);
    assert_eq!(run(&machine, &["/nonexistent/program"]).await.status, 127);
    let words = ["printf", "%s|", "a b", "", "it's", "$HOME", "`id`", "\\", "*", "line\nend", "ä"];
    assert_eq!(run(&machine, &words).await.stdout, "a b||it's|$HOME|`id`|\\|*|line\nend|ä|");
}

#[tokio::test]
#[ignore = "starts an SSH server: run ./dev test"]
async fn much_goes_in_and_out_at_once() {
    let server = Server::start();
    let machine = server.machine().await;
    let much = "0123456789abcdef".repeat(60_000);
    let cat = command(&["cat"]).reading(Some(Secret::new(much.clone())));
    assert!(machine.run(cat, &mut |_| {}).await.unwrap().stdout == much);
    // Who does not read is not waited for.
    let deaf = command(&["true"]).reading(Some(Secret::new("x".repeat(8 << 20))));
    assert_eq!(machine.run(deaf, &mut |_| {}).await.unwrap().status, 0);
    // What is more than a megabyte is cut, and the command goes on to its end.
    let long = run(&machine, &["sh", "-c", "head -c 3000000 /dev/zero; exit 3"]).await;
    assert_eq!((long.stdout.len(), long.status), (1 << 20, 3));
}

#[tokio::test]
#[ignore = "starts an SSH server: run ./dev test"]
async fn one_connection_carries_more_commands_than_a_server_takes_channels() {
    let server = Server::start();
    let machine = Arc::new(server.machine().await);
    // Commands that nobody waits for any more give their places back.
    for _ in 0..15 {
        let forgotten = run(&machine, &["sleep", "1"]);
        let _ = tokio::time::timeout(Duration::from_millis(30), forgotten).await;
    }
    let all = (0..25).map(|number| {
        let machine = Arc::clone(&machine);
        async move { run(&machine, &["sh", "-c", "sleep 0.05; echo $1", "sh", &number.to_string()]).await.stdout }
    });
    let said = futures_util::future::join_all(all).await;
    let expected: Vec<_> = (0..25).map(|number| format!("{number}\n")).collect();
    assert_eq!(said, expected);
}

#[tokio::test]
#[ignore = "starts an SSH server: run ./dev test"]
async fn a_folder_comes_as_a_tar_and_what_is_not_there_is_said() {
    let server = Server::start();
    let machine = server.machine().await;
    let folder = server.folder.path().join("a folder");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("file"), "x".repeat(2 << 20)).unwrap();
    let mut bytes = Vec::new();
    let mut take = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    machine.fetch(folder.to_str().unwrap(), &mut take).await.unwrap();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let sizes: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.map(|entry| (entry.path().unwrap().into_owned(), entry.size())).unwrap())
        .collect();
    assert_eq!(sizes[1], (Path::new("a folder/file").to_owned(), 2 << 20));
    let absent = machine.fetch("/nonexistent/x", &mut |_| Ok(())).await.unwrap_err();
    assert_eq!(absent.code(), agent_workspace_contract::ErrorCode::GuestFailed);
    // The taker's own failure ends it.
    let mut full = |_: &[u8]| -> Result<()> { Err(Error::new(agent_workspace_contract::ErrorCode::DiskFull, "full")) };
    let ended = machine.fetch(folder.to_str().unwrap(), &mut full).await.unwrap_err();
    assert_eq!(ended.code(), agent_workspace_contract::ErrorCode::DiskFull);
}

#[tokio::test]
#[ignore = "starts an SSH server: run ./dev test"]
async fn a_connection_that_is_cut_in_the_middle_is_said() {
    let mut server = Server::start();
    let machine = server.machine().await;
    let cut = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let children = format!("/proc/{0}/task/{0}/children", server.child.id());
        for child in std::fs::read_to_string(children).unwrap_or_default().split_whitespace() {
            let _ = Process::new("kill").args(["-KILL", child]).status();
        }
        let _ = server.child.kill();
    };
    let mut deaf = |_: &[u8]| {};
    let (ended, ()) = tokio::join!(machine.run(command(&["sleep", "30"]), &mut deaf), cut);
    assert_eq!(ended.unwrap_err().code(), agent_workspace_contract::ErrorCode::HostUnreachable);
}

/// Where the session of the next test goes; it is run by that test alone.
const SERVER: &str = "AGENT_WORKSPACE_TEST_ATTACH";

#[tokio::test]
#[ignore = "is run on a terminal by another test"]
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it talks to the test that runs it")]
async fn a_session() {
    let Ok(server) = std::env::var(SERVER) else { return };
    let (port, home) = server.split_once(' ').unwrap();
    let user = crate::host::Host::os().user_name();
    let client = Client { home: home.into(), user, ..Client::default() };
    let target = RemoteTarget::parse(&format!("127.0.0.1:{port}")).unwrap();
    let machine = SshMachine::new(Connection::open(&client, &target, true).await.unwrap());
    let script =
        "trap 'echo heard the key' INT; stty size; echo ready; until read -r line; do :; done; stty size; exit 7";
    let status = machine.attach(command(&["sh", "-c", script])).await.unwrap();
    println!("it ended with {status}");
}

#[test]
#[ignore = "starts an SSH server: run ./dev test"]
fn a_session_has_the_size_of_the_terminal_its_keys_go_there_and_its_status_comes_back() {
    let server = Server::start();
    let mut session = Process::new(std::env::current_exe().unwrap());
    session.args(["--exact", "ssh::tests::a_session", "--ignored", "--nocapture"]);
    session.env(SERVER, format!("{} {}", server.port, server.folder.path().display()));
    let mut terminal = agent_workspace_tests::live::Terminal::run(&session);
    terminal.wait_for("24 80");
    terminal.wait_for("ready");
    // The key ends nothing here; it is for the program there.
    terminal.types(b"\x03");
    terminal.wait_for("heard the key");
    terminal.resize(30, 100);
    // The size goes its own way, which is not that of the keys.
    std::thread::sleep(Duration::from_millis(500));
    terminal.types(b"\r");
    terminal.wait_for("30 100");
    terminal.wait_for("it ended with 7");
    assert!(terminal.end().success());
    assert!(terminal.is_as_before(), "and the terminal is as it was");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(150))]
    #[test]
    #[ignore = "asks ssh-keygen: run ./dev test"]
    fn hosts_are_found_where_ssh_finds_them(
        patterns in proptest::collection::vec("!?[ab*?.]{1,4}|\\[[ab*]{1,2}\\]:2|\\[[ab?]{1,2}\\]:[2*]", 1..4),
        name in "[ab.]{1,4}|\\[[ab]{1,2}\\]:2",
        hashed in proptest::bool::ANY,
    ) {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known");
        // What is hashed is a name, not a pattern.
        let hosts = if hashed { patterns[0].replace(['*', '?', '!'], "a") } else { patterns.join(",") };
        std::fs::write(&file, format!("{hosts} {key}\n")).unwrap();
        if hashed {
            let done = Process::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&file).output().unwrap();
            proptest::prop_assert!(done.status.success());
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let found = Process::new("ssh-keygen").args(["-F", &name, "-f"]).arg(&file).output().unwrap();
        proptest::prop_assert_eq!(super::known_hosts::Known::mentioned(&text, &name), found.status.success(), "{}", text);
    }
}
