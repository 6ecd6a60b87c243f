//! Properties of what is said from inside a workspace, where whoever works there decides what is said.

use agent_workspace_contract::TunnelReport;
use async_trait::async_trait;

use super::{check_document, check_error, check_shown};
use crate::error::{Error, Result};
use crate::guest::{Lines, clone, joined, prepare, tunnel as guest, unsaved_work, vm};
use crate::machine::{Command, Listener, Machine, Output, Reader, Secret, Sink, Writer};
use crate::output::Progress;
use crate::workspace::repo_spec::Host;
use crate::workspace::{GitRef, RepoSpec, TunnelName};

/// A machine in which every command ends the same way.
struct Parrot(Output);

#[async_trait]
impl Machine for Parrot {
    async fn run(&self, _: Command, listener: Listener<'_>) -> Result<Output> {
        self.0.stderr.as_bytes().chunks(7).for_each(listener);
        Ok(self.0.clone())
    }

    async fn attach(&self, _: Command) -> Result<i64> {
        Ok(self.0.status)
    }

    async fn fetch(&self, _: &str, _: Sink<'_>) -> Result<()> {
        unreachable!("nothing is brought out of it")
    }

    async fn pipe(&self, _: Command, _: Reader<'_>, _: Writer<'_>) -> Result<Output> {
        Ok(self.0.clone())
    }

    fn transport(&self, _: &str, _: &str) -> agent_workspace_contract::Transport {
        unreachable!("nobody enters it")
    }
}

impl Parrot {
    /// The first byte chooses the status: one of the scripts' own, of git or of signals. Then comes stdout, and after
    /// a NUL stderr.
    fn hear(bytes: &[u8]) -> Option<Self> {
        let (&first, said) = bytes.split_first()?;
        let status = match first & 15 {
            0..=4 => 0,
            own @ 5..=11 => 75 + i64::from(own),
            12 => 1,
            13 => 128,
            14 => 130,
            _ => 137,
        };
        let (stdout, stderr) = match said.iter().position(|byte| *byte == 0) {
            Some(end) => (&said[..end], &said[end + 1..]),
            None => (said, &[][..]),
        };
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Some(Self(Output { status, stdout: text(stdout), stderr: text(stderr) }))
    }
}

/// Waits for what is done in a machine that answers at once.
fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let Ok(runtime) = runtime else { panic!("no runtime: {runtime:?}") };
    runtime.block_on(work)
}

fn progress() -> Progress {
    Progress::new(true, false, false)
}

/// An error with words from inside: it can be told, and does not repeat all of them.
fn check_words(error: &Error) {
    check_error(error);
    assert!(error.causes().len() < 32, "{} causes", error.causes().len());
}

/// Whatever git and the script say, a clone ends as one or in an error that can be told. The lowest bits of the status
/// byte's other half choose what was asked for.
pub(super) fn clone(bytes: &[u8]) {
    let Some(machine) = Parrot::hear(bytes) else { return };
    let chosen = |bit: u8| bytes[0] & bit != 0;
    let repo = Host::parse("git.test").and_then(|host| RepoSpec::parse("o/r", &host));
    let (Ok(repo), Ok(git_ref)) = (repo, GitRef::parse("main")) else { panic!("these are a repository and a ref") };
    let wanted = clone::Clone {
        repo,
        dest: "/work/o/r".to_owned(),
        git_ref: chosen(16).then_some(git_ref),
        submodules: chosen(32),
        token: chosen(64).then(|| Secret::new("hunter2")),
        id: "0123456789abcdef".to_owned(),
        finished: None,
    };
    match wait(clone::run(&machine, &wanted, &progress())) {
        Ok(_) => assert_eq!(machine.0.status, 0),
        Err(error) => check_words(&error),
    }
    if let Err(error) = wait(clone::abort(&machine, &wanted.dest, &wanted.id)) {
        check_words(&error);
    }
}

/// Whatever a tunnel writes into its log, the login is an address and a code, and lines come whole however they are
/// cut.
pub(super) fn tunnel(bytes: &[u8]) {
    let Some(machine) = Parrot::hear(bytes) else { return };
    let Ok(name) = TunnelName::parse("demo") else { panic!("this is a name") };
    match wait(guest::start(&machine, &name, "0123456789abcdef")) {
        Ok(running) => check_running(running),
        Err(error) => check_words(&error),
    }
    if let Err(error) = wait(guest::foreground(&machine, &name, "0123456789abcdef", false, &progress())) {
        check_words(&error);
    }
    check_lines(&bytes[1..], usize::from(bytes[0]));
}

fn check_running(running: guest::Running) {
    if let Some(login) = &running.login {
        let word = |text: &str| !text.chars().any(char::is_whitespace);
        assert!(login.url.starts_with("https://") && word(&login.url), "{login:?}");
        assert!(login.code.as_deref().is_none_or(word), "{login:?}");
    }
    let report = TunnelReport {
        workspace: "agent-ws-demo".to_owned(),
        tunnel_name: running.name,
        detach: true,
        already_running: running.before,
        log_path: guest::log(&crate::machine::Places::default()),
        login: running.login,
    };
    check_document(&report);
    check_shown(&report);
}

fn check_lines(bytes: &[u8], cut: usize) {
    let cut = cut.min(bytes.len());
    let read = |pieces: [&[u8]; 2]| {
        let (mut lines, mut read) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.feed(piece, |line, end| read.push((line.to_owned(), end)));
        }
        read
    };
    let whole = read([bytes, &[]]);
    assert_eq!(read([&bytes[..cut], &bytes[cut..]]), whole, "cut at {cut}");
    assert_eq!(whole.len(), bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count());
}

/// Whatever the other scripts report, what is made of it can be told.
pub(super) fn reports(bytes: &[u8]) {
    let Some(machine) = Parrot::hear(bytes) else { return };
    match wait(unsaved_work::find(&machine, &["/work", "/srv/o/r"])) {
        Ok(found) => {
            for item in found {
                let said = item.to_string();
                assert!(said.starts_with(&item.path) && !said.contains('\n'), "{said:?}");
            }
        }
        Err(error) => check_words(&error),
    }
    let ended = [
        wait(prepare::run(&machine, "agent", bytes[0] & 32 != 0)).err(),
        wait(joined::join(&machine, "0123456789abcdef")).err(),
        wait(joined::leave(&machine, "0123456789abcdef")).err(),
        wait(vm::take_in(&machine, "0123456789abcdef", |_, _| {})).err(),
        wait(vm::initialize(&machine, &[], |_, _| {}, |_| {})).err(),
        wait(vm::live(&machine)).err(),
    ];
    ended.into_iter().flatten().for_each(|error| check_words(&error));
}
