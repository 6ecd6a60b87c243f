//! A host reached by SSH, as a machine.

use std::borrow::Cow;
use std::sync::Arc;

use agent_workspace_contract::{ErrorCode, Quoting, Transport};
use async_trait::async_trait;
use russh::ChannelMsg;
use tokio::io::AsyncWriteExt;

use super::connect::{Connection, Ended, From, Hear};
use super::quoting::join;
use crate::error::{Error, Result};
use crate::host;
use crate::machine::{
    Command, Listener, Machine, Output, Places, Reader, Secret, Sink, Who, Writer, not_taken, packing, terminal,
};

/// More than any of our scripts says; a command that says more is cut.
const LONGEST_STDOUT: usize = 1 << 20;
/// Enough of stderr to explain a failure.
const LONGEST_STDERR: usize = 16 << 10;
/// What the login shell may say before our command, of which only its end is looked at.
const LONGEST_NOISE: usize = 64 << 10;
/// As much of that as a message about it has room for.
const LONGEST_TOLD: usize = 500;
/// Root, for who is not.
const SUDO: [&str; 3] = ["sudo", "-n", "--"];
/// Says on both streams where the command's own words begin, then becomes the command.
const BEGIN: &str = r#"printf '\n%s\n' "$0"; printf '\n%s\n' "$0" >&2; exec "$@""#;

/// A host by one of its connections.
#[derive(Clone)]
pub struct SshMachine {
    connection: Arc<Connection>,
    /// What stands before the words of a command that is not root's.
    enter: Vec<String>,
    places: Option<Places>,
}

impl SshMachine {
    /// The host at the far end; commands run as who logged in, and as root by `sudo`.
    pub fn new(connection: Arc<Connection>) -> Self {
        Self { connection, enter: Vec::new(), places: None }
    }

    /// The same for commands of somebody else, whom these words make of who logged in. Root's are root's all the same.
    #[must_use]
    pub fn entering(self, enter: Vec<String>) -> Self {
        Self { enter, ..self }
    }

    /// The same host as another of its users is there: with the environment of a fresh login and no session of PAM, in the
    /// groups that it has now, in its home. What is run by root stays so.
    #[must_use]
    pub fn acting_as(&self, user: &str, places: Places) -> Self {
        let become_root: &[&str] = if self.connection.user() == "root" { &[] } else { &SUDO };
        let become_user = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--reset-env", "--"];
        let begin_at_home = ["env", "-C", &places.home];
        let words = become_root.iter().chain(&become_user).chain(&begin_at_home);
        let enter = words.map(|word| (*word).to_owned()).collect();
        Self { connection: Arc::clone(&self.connection), enter, places: Some(places) }
    }

    /// The words that run a command as who is to run it.
    fn words(&self, command: &Command) -> Vec<String> {
        let prefix = match command.who {
            Who::User => self.enter.clone(),
            Who::Root if self.connection.user() == "root" => Vec::new(),
            Who::Root => SUDO.map(str::to_owned).to_vec(),
        };
        prefix.into_iter().chain(command.argv.iter().cloned()).collect()
    }

    /// Runs words and gives what they themselves say: what the login shell says before is not theirs.
    async fn exec(&self, words: &[String], stdin: Reader<'_>, heard: &mut dyn Hear) -> Result<Ended> {
        let mark = format!("agent-workspace-{}", host::fresh_id()?);
        let begin = ["exec", "sh", "-c", BEGIN, &mark].map(str::to_owned);
        let line = join(&[&begin[..], words].concat());
        let mut framed = Framed { stdout: Frame::new(&mark), stderr: Frame::new(&mark), heard };
        let ended = self.connection.exec(&line, stdin, &mut framed).await?;
        let stdout = framed.stdout;
        if stdout.begun {
            return Ok(ended);
        }
        let user = self.connection.user();
        let error = Error::new(
            ErrorCode::GuestFailed,
            format!("the login shell of {user} on {} runs no commands", self.connection.target()),
        )
        .hint(format!(
            "see: ssh {} true; the shell must be one that knows POSIX quotes",
            self.connection.target().pasted()
        ));
        let end = stdout.noise.len().saturating_sub(LONGEST_TOLD);
        let said = String::from_utf8_lossy(&stdout.noise[end..]).trim().to_owned();
        Err(if said.is_empty() { error } else { error.cause(said) })
    }
}

#[async_trait]
impl Machine for SshMachine {
    async fn run(&self, command: Command, listener: Listener<'_>) -> Result<Output> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut stdin = command.stdin.as_ref().map(Secret::expose).unwrap_or_default();
        let ended = self
            .exec(&self.words(&command), &mut stdin, &mut |from: From, bytes: &[u8]| {
                match from {
                    From::Stdout => {
                        let room = LONGEST_STDOUT.saturating_sub(stdout.len()).min(bytes.len());
                        stdout.extend_from_slice(&bytes[..room]);
                    }
                    From::Stderr => {
                        listener(bytes);
                        stderr.extend_from_slice(bytes);
                        let excess = stderr.len().saturating_sub(LONGEST_STDERR);
                        stderr.drain(..excess);
                    }
                }
                Ok(())
            })
            .await?;
        Ok(Output {
            status: status(&ended),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        })
    }

    async fn attach(&self, command: Command) -> Result<i64> {
        let mut opened = self.connection.channel().await?;
        let failed = |error: &russh::Error| {
            Error::new(ErrorCode::HostUnreachable, format!("host {} gives no terminal", self.connection.target()))
                .cause(error.to_string())
                .hint("try again in a moment")
        };
        opened.write.request_pty(false, "xterm-256color", 80, 24, 0, 0, &[]).await.map_err(|error| failed(&error))?;
        let line = join(&[&["exec".to_owned()][..], &self.words(&command)].concat());
        opened.write.exec(true, line).await.map_err(|error| failed(&error))?;
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (sizes, mut resized) = tokio::sync::mpsc::channel(4);
        let mut writer = opened.write.make_writer();
        let pump = async {
            use tokio::io::AsyncReadExt;
            let (mut from, mut to) = tokio::io::split(theirs);
            let (mut ended, mut typing, mut bytes) = (None, true, vec![0; 4096]);
            loop {
                tokio::select! {
                    message = opened.read.wait() => match message {
                        Some(ChannelMsg::Data { data }) => if to.write_all(&data).await.is_err() { break },
                        Some(ChannelMsg::ExitStatus { exit_status }) => ended = Some(Ended::Status(exit_status)),
                        Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                            ended = Some(Ended::Signal(format!("{signal_name:?}")));
                        }
                        Some(_) => {}
                        None => break,
                    },
                    read = from.read(&mut bytes), if typing => match read {
                        Ok(count) if count > 0 => typing = writer.write_all(&bytes[..count]).await.is_ok(),
                        _ => {
                            let _ = writer.shutdown().await;
                            typing = false;
                        }
                    },
                    Some((rows, columns)) = resized.recv() => {
                        let _ = opened.write.window_change(columns, rows, 0, 0).await;
                    }
                }
            }
            ended
        };
        let talk = terminal::converse(ours, |rows: u16, columns: u16| {
            let sizes = sizes.clone();
            async move {
                let _ = sizes.send((u32::from(rows), u32::from(columns))).await;
            }
        });
        let (ended, talked) = tokio::join!(pump, talk);
        talked?;
        ended.map(|ended| status(&ended)).ok_or_else(|| {
            Error::new(ErrorCode::HostUnreachable, format!("host {} was lost", self.connection.target()))
                .cause("the connection ended before the command")
                .hint("try again in a moment")
        })
    }

    async fn fetch(&self, path: &str, sink: Sink<'_>) -> Result<()> {
        let words: Vec<String> = self.enter.iter().cloned().chain(packing(path)).collect();
        let mut stderr = Vec::new();
        let ended = self
            .exec(&words, &mut tokio::io::empty(), &mut |from: From, bytes: &[u8]| match from {
                From::Stdout => sink(bytes),
                From::Stderr => {
                    stderr.extend_from_slice(bytes);
                    stderr.truncate(LONGEST_STDERR);
                    Ok(())
                }
            })
            .await?;
        if ended == Ended::Status(0) {
            return Ok(());
        }
        Err(Error::new(ErrorCode::GuestFailed, format!("could not read {path} on {}", self.connection.target()))
            .cause(String::from_utf8_lossy(&stderr).trim().to_owned())
            .hint("see: agent-workspace vm list"))
    }

    fn places(&self) -> Places {
        self.places.clone().unwrap_or_default()
    }

    async fn pipe(&self, command: Command, from: Reader<'_>, to: Writer<'_>) -> Result<Output> {
        let mut heard = Piped { to, stderr: Vec::new() };
        let ended = self.exec(&self.words(&command), from, &mut heard).await?;
        let stderr = String::from_utf8_lossy(&heard.stderr).into_owned();
        Ok(Output { status: status(&ended), stdout: String::new(), stderr })
    }

    fn transport(&self, user: &str, workdir: &str) -> Transport {
        transport(self.connection.target(), self.connection.user(), user, workdir)
    }
}

/// The way in with the system's `ssh`: words are joined and quoted once, then appended.
pub(crate) fn transport(target: &super::RemoteTarget, admin: &str, user: &str, workdir: &str) -> Transport {
    let with = |flag: &str| {
        let mut words = vec!["ssh".to_owned(), flag.to_owned()];
        words.extend(target.words());
        words.push(format!("cd {} &&", join(&[workdir])));
        if user != admin {
            words.push(join(&["sudo", "-n", "-H", "-u", user, "--"]));
        }
        words
    };
    Transport {
        exec: with("-T"),
        tty: with("-t"),
        user: user.to_owned(),
        workdir: workdir.to_owned(),
        quoting: Quoting::Shell,
    }
}

#[async_trait]
impl<F: FnMut(From, &[u8]) -> Result<()> + Send> Hear for F {
    async fn hear(&mut self, from: From, bytes: &[u8]) -> Result<()> {
        self(from, bytes)
    }
}

/// Hears a command's own words out of what comes.
struct Framed<'a> {
    stdout: Frame,
    stderr: Frame,
    heard: &'a mut dyn Hear,
}

#[async_trait]
impl Hear for Framed<'_> {
    async fn hear(&mut self, from: From, bytes: &[u8]) -> Result<()> {
        let frame = if from == From::Stdout { &mut self.stdout } else { &mut self.stderr };
        match frame.feed(bytes) {
            own if own.is_empty() => Ok(()),
            own => self.heard.hear(from, &own).await,
        }
    }
}

/// Hands on what a command writes, and keeps the end of what it complains of.
struct Piped<'a> {
    to: Writer<'a>,
    stderr: Vec<u8>,
}

#[async_trait]
impl Hear for Piped<'_> {
    async fn hear(&mut self, from: From, bytes: &[u8]) -> Result<()> {
        if from == From::Stdout {
            return self.to.write_all(bytes).await.map_err(|error| not_taken(&error));
        }
        self.stderr.extend_from_slice(bytes);
        let excess = self.stderr.len().saturating_sub(LONGEST_STDERR);
        self.stderr.drain(..excess);
        Ok(())
    }
}

/// A signal as shells say it: 128 and its number.
fn status(ended: &Ended) -> i64 {
    match ended {
        Ended::Status(status) => i64::from(*status),
        Ended::Signal(name) => {
            let numbers = [
                ("HUP", 1),
                ("INT", 2),
                ("QUIT", 3),
                ("ILL", 4),
                ("ABRT", 6),
                ("FPE", 8),
                ("KILL", 9),
                ("USR1", 10),
                ("SEGV", 11),
                ("PIPE", 13),
                ("ALRM", 14),
                ("TERM", 15),
            ];
            128 + numbers.iter().find(|(known, _)| known == name).map_or(0, |(_, number)| *number)
        }
    }
}

/// A stream of which what comes after a line of its own is wanted.
struct Frame {
    mark: Vec<u8>,
    noise: Vec<u8>,
    begun: bool,
}

impl Frame {
    fn new(mark: &str) -> Self {
        Self { mark: format!("\n{mark}\n").into_bytes(), noise: Vec::new(), begun: false }
    }

    /// What of these bytes is the command's own.
    fn feed<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.begun {
            return Cow::Borrowed(bytes);
        }
        self.noise.extend_from_slice(bytes);
        let found = self.noise.windows(self.mark.len()).position(|window| window == self.mark);
        if let Some(at) = found {
            self.begun = true;
            let rest = self.noise.split_off(at + self.mark.len());
            self.noise.clear();
            return Cow::Owned(rest);
        }
        let excess = self.noise.len().saturating_sub(LONGEST_NOISE);
        self.noise.drain(..excess);
        Cow::Borrowed(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::super::RemoteTarget;
    use super::*;

    #[test]
    fn noise_before_the_command_is_not_its_own_however_the_bytes_are_cut() {
        let said = b"Welcome!\nno newline\nMARK\nown\nMARK\nwords";
        for cut in 0..said.len() {
            let (mut frame, mut own) = (Frame::new("MARK"), Vec::new());
            for piece in [&said[..cut], &said[cut..]] {
                own.extend_from_slice(&frame.feed(piece));
            }
            assert_eq!(own, b"own\nMARK\nwords");
        }
    }

    #[test]
    fn the_way_in_is_quoted_for_a_shell() {
        let target = RemoteTarget::parse("admin@vm:2222").unwrap();
        let transport = transport(&target, "admin", "agt--a", "/work/it's");
        assert_eq!(
            transport.exec.join(" "),
            r"ssh -T -p 2222 -l admin -- vm cd '/work/it'\''s' && sudo -n -H -u agt--a --"
        );
        assert_eq!(transport.quoting, Quoting::Shell);
    }

    #[test]
    fn signals_are_told_as_shells_tell_them() {
        assert_eq!(status(&Ended::Status(7)), 7);
        assert_eq!(status(&Ended::Signal("TERM".to_owned())), 143);
    }
}
