//! The inside of a workspace on this machine: commands are run through the file by which anybody enters it.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use agent_workspace_contract::{ErrorCode, Quoting, Transport};
use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::folder::Folder;
use super::holder::Holder;
use super::walls::PATH;
use crate::error::{Error, Result};
use crate::machine::{
    Command, Listener, Machine, Output, Places, Reader, Secret, Sink, Writer, fed, not_taken, packing,
};

/// More than any of our scripts says; a command that says more is cut.
const LONGEST_STDOUT: usize = 1 << 20;
/// Enough of stderr to explain a failure.
const LONGEST_STDERR: usize = 16 << 10;
/// How long streams are listened to after their command has ended: something it left behind may hold them open.
const LINGER: Duration = Duration::from_secs(2);

/// One workspace that runs.
pub(super) struct HostMachine {
    pub(super) folder: Folder,
    pub(super) places: Places,
    /// What the caller's terminal is, if that is known.
    pub(super) terminal: Option<String>,
}

impl HostMachine {
    fn enter(&self, mode: &str, workdir: &str) -> Vec<String> {
        let file = self.folder.file("enter").to_string_lossy().into_owned();
        ["sh", &file, mode, workdir].map(str::to_owned).to_vec()
    }

    /// A status, unless the workspace has ended and the command with it.
    fn explained(&self, status: i64) -> Result<i64> {
        if status != 0 && Holder::find(&self.folder).is_none() {
            let name = self.folder.name();
            return Err(Error::new(
                ErrorCode::ContainerVanished,
                format!("workspace {name} was stopped or removed in the middle"),
            )
            .detail("workspace", name)
            .hint(format!("agent-workspace start {name}")));
        }
        Ok(status)
    }
}

#[async_trait]
impl Machine for HostMachine {
    async fn run(&self, command: Command, listener: Listener<'_>) -> Result<Output> {
        let words = self.enter("exec", &self.places.work).into_iter().chain(command.argv).collect();
        let output = run(words, command.stdin.as_ref(), &mut |_| Ok(()), listener, true).await?;
        self.explained(output.status)?;
        Ok(output)
    }

    async fn attach(&self, command: Command) -> Result<i64> {
        let words = self.enter("tty", &self.places.work).into_iter().chain(command.argv).collect();
        let mut command = process(words)?;
        command.envs(self.terminal.iter().map(|terminal| ("TERM", terminal)));
        let mut child = command.spawn().map_err(cannot_run)?;
        let status = child.wait().await.map_err(cannot_run)?;
        self.explained(number(status))
    }

    async fn fetch(&self, path: &str, sink: Sink<'_>) -> Result<()> {
        let words = self.enter("exec", &self.places.work).into_iter().chain(packing(path)).collect();
        fetched(path, run(words, None, sink, &mut |_| {}, false).await?)
    }

    async fn pipe(&self, command: Command, from: Reader<'_>, to: Writer<'_>) -> Result<Output> {
        let words = self.enter("exec", &self.places.work).into_iter().chain(command.argv).collect();
        let output = pipe(words, from, to).await?;
        self.explained(output.status)?;
        Ok(output)
    }

    fn places(&self) -> Places {
        self.places.clone()
    }

    fn transport(&self, user: &str, workdir: &str) -> Transport {
        Transport {
            exec: self.enter("exec", workdir),
            tty: self.enter("tty", workdir),
            user: user.to_owned(),
            workdir: workdir.to_owned(),
            quoting: Quoting::Argv,
        }
    }
}

/// Where commands look into a workspace from beside it. Each is put behind walls of its own.
pub(super) struct ViewMachine {
    /// What stands before a command's words.
    pub(super) wall: Vec<String>,
    pub(super) places: Places,
}

#[async_trait]
impl Machine for ViewMachine {
    async fn run(&self, command: Command, listener: Listener<'_>) -> Result<Output> {
        let words = self.wall.iter().cloned().chain(command.argv).collect();
        run(words, command.stdin.as_ref(), &mut |_| Ok(()), listener, true).await
    }

    async fn attach(&self, _: Command) -> Result<i64> {
        Err(Error::new(ErrorCode::Internal, "nobody is attached to a look"))
    }

    async fn fetch(&self, path: &str, sink: Sink<'_>) -> Result<()> {
        let words = self.wall.iter().cloned().chain(packing(path)).collect();
        fetched(path, run(words, None, sink, &mut |_| {}, false).await?)
    }

    async fn pipe(&self, command: Command, from: Reader<'_>, to: Writer<'_>) -> Result<Output> {
        pipe(self.wall.iter().cloned().chain(command.argv).collect(), from, to).await
    }

    fn places(&self) -> Places {
        self.places.clone()
    }

    fn transport(&self, user: &str, workdir: &str) -> Transport {
        Transport {
            exec: self.wall.clone(),
            tty: self.wall.clone(),
            user: user.to_owned(),
            workdir: workdir.to_owned(),
            quoting: Quoting::Argv,
        }
    }
}

fn fetched(path: &str, output: Output) -> Result<()> {
    if output.status == 0 {
        return Ok(());
    }
    let said = output.stderr.trim();
    Err(Error::new(ErrorCode::GuestFailed, format!("could not read {path}"))
        .cause(if said.is_empty() { "it is not there" } else { said })
        .hint("see: agent-workspace ls"))
}

/// A process of these words, with nothing of the launcher's environment but what a terminal needs.
fn process(words: Vec<String>) -> Result<tokio::process::Command> {
    let mut words = words.into_iter();
    let program = words.next().ok_or_else(|| Error::new(ErrorCode::Internal, "there is nothing to run"))?;
    let mut command = tokio::process::Command::new(program);
    command.args(words).env_clear().env("PATH", PATH).current_dir("/");
    Ok(command)
}

fn cannot_run(error: std::io::Error) -> Error {
    Error::new(ErrorCode::EngineError, "a command could not be run on this machine")
        .cause(error.to_string())
        .hint("see what is missing: agent-workspace doctor --backend host")
}

fn number(status: ExitStatus) -> i64 {
    use std::os::unix::process::ExitStatusExt;
    i64::from(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
}

/// Runs words to their end. What they say goes to the sink too, and is kept where `keeps`.
async fn run(
    words: Vec<String>,
    stdin: Option<&Secret>,
    sink: Sink<'_>,
    listener: Listener<'_>,
    keeps: bool,
) -> Result<Output> {
    let mut command = process(words)?;
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(cannot_run)?;
    let (mut input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let (Some(pipe), Some(stdin)) = (&mut input, stdin) {
            // A command that does not read to the end is free not to.
            let _ = pipe.write_all(stdin.expose()).await;
        }
        drop(input.take());
    };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut on_out = |bytes: &[u8]| {
        if keeps {
            let room = LONGEST_STDOUT.saturating_sub(stdout.len()).min(bytes.len());
            stdout.extend_from_slice(&bytes[..room]);
        }
        sink(bytes)
    };
    let mut on_err = |bytes: &[u8]| {
        listener(bytes);
        stderr.extend_from_slice(bytes);
        let excess = stderr.len().saturating_sub(LONGEST_STDERR);
        stderr.drain(..excess);
        Ok(())
    };
    let status = {
        let streams = async {
            let ((), out, err) = tokio::join!(write, read(out, &mut on_out), read(err, &mut on_err));
            out.and(err)
        };
        tokio::pin!(streams);
        tokio::select! {
            read = &mut streams => {
                read?;
                child.wait().await.map_err(cannot_run)?
            }
            status = child.wait() => {
                // Whatever was written before the end is in the pipes already.
                if let Ok(read) = tokio::time::timeout(LINGER, &mut streams).await {
                    read?;
                }
                status.map_err(cannot_run)?
            }
        }
    };
    Ok(Output {
        status: number(status),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    })
}

/// Runs words to their end between two streams.
async fn pipe(words: Vec<String>, from: Reader<'_>, to: Writer<'_>) -> Result<Output> {
    let mut command = process(words)?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(cannot_run)?;
    let (input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let input = input.ok_or_else(|| Error::new(ErrorCode::Internal, "a command has no pipe to read from"))?;
    let mut stderr = Vec::new();
    let mut on_err = |bytes: &[u8]| {
        stderr.extend_from_slice(bytes);
        let excess = stderr.len().saturating_sub(LONGEST_STDERR);
        stderr.drain(..excess);
        Ok(())
    };
    let written = async {
        let Some(mut out) = out else { return Ok(()) };
        let mut bytes = vec![0; 64 << 10];
        loop {
            match out.read(&mut bytes).await.map_err(cannot_run)? {
                0 => return Ok(()),
                count => to.write_all(&bytes[..count]).await.map_err(|error| not_taken(&error))?,
            }
        }
    };
    let answer = async {
        tokio::try_join!(written, read(err, &mut on_err))?;
        child.wait().await.map_err(cannot_run)
    };
    let status = fed(from, input, answer).await?;
    Ok(Output { status: number(status), stdout: String::new(), stderr: String::from_utf8_lossy(&stderr).into_owned() })
}

/// Gives what comes out of a pipe in pieces, to its end.
async fn read(pipe: Option<impl AsyncRead + Unpin>, take: Sink<'_>) -> Result<()> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let mut bytes = vec![0; 64 << 10];
    loop {
        match pipe.read(&mut bytes).await {
            Ok(0) => return Ok(()),
            Ok(count) => take(&bytes[..count])?,
            Err(error) => return Err(cannot_run(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn said(script: &str, stdin: Option<&Secret>) -> Output {
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        run(words, stdin, &mut |_| Ok(()), &mut |_| {}, true).await.unwrap()
    }

    #[tokio::test]
    async fn streams_and_statuses_are_told_apart() {
        let output = said("cat; echo err >&2; exit 7", Some(&Secret::new("in"))).await;
        assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (7, "in", "err\n"));
        assert_eq!(said("kill -9 $$", None).await.status, 137);
    }

    #[tokio::test]
    async fn what_is_left_in_the_background_does_not_hold_up_the_answer() {
        let since = std::time::Instant::now();
        let output = said("echo said; sleep 30 & exit 0", None).await;
        assert_eq!((output.status, output.stdout.as_str()), (0, "said\n"));
        assert!(since.elapsed() < Duration::from_secs(20));
    }

    #[tokio::test]
    async fn a_command_between_two_streams_waits_for_the_slower_and_loses_nothing() {
        let words = ["sh", "-c", "cat; echo err >&2; exit 3"].map(str::to_owned).to_vec();
        let much = vec![7; 3_000_000];
        let (mut to, mut taken) = tokio::io::duplex(1000);
        let mut bytes = Vec::new();
        let slow = async {
            // Longer than what a command has left is listened to after it.
            tokio::time::sleep(LINGER + Duration::from_millis(200)).await;
            taken.read_to_end(&mut bytes).await.unwrap();
        };
        let piped = async {
            let output = pipe(words, &mut &much[..], &mut to).await.unwrap();
            drop(to);
            output
        };
        let (output, ()) = tokio::join!(piped, slow);
        assert_eq!((output.status, output.stderr.as_str(), bytes == much), (3, "err\n", true));
    }

    #[tokio::test]
    async fn more_than_a_pipe_holds_goes_both_ways() {
        let much = "x".repeat(300_000);
        let output = said("cat", Some(&Secret::new(much.clone()))).await;
        assert_eq!(output.stdout, much);
    }
}
