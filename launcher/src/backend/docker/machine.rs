//! The inside of a container, as a machine: commands are the engine's execs.

use std::pin::Pin;
use std::time::Duration;

use agent_workspace_contract::{ErrorCode, Quoting, Transport, WorkspaceStatus};
use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures_util::{Stream, StreamExt};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::container::Inspected;
use super::engine::Engine;
use crate::error::{Error, Result};
use crate::machine::{Command, Listener, Machine, Output, Reader, Secret, Sink, Who, Writer, fed, not_taken, terminal};

/// More than any of our scripts says; a command that says more is cut.
const LONGEST_STDOUT: usize = 1 << 20;
/// Enough of stderr to explain a failure.
const LONGEST_STDERR: usize = 16 << 10;
/// 128 and the number of SIGKILL.
const KILLED: i64 = 137;
/// What engines say of a command that could not be begun, also when its container was killed meanwhile.
const NOT_BEGUN: i64 = 126;

/// How often an exec whose streams have ended is asked how, a tenth of a second apart: a loaded engine lags behind.
const STATUS_TRIES: u32 = 50;
/// How often the container of such a command is looked at: it may be the next to go.
const KILLED_TRIES: u32 = 10;

/// What an exec says.
type Heard = Pin<Box<dyn Stream<Item = std::result::Result<LogOutput, bollard::errors::Error>> + Send>>;
/// What it reads.
type Fed = Pin<Box<dyn AsyncWrite + Send>>;

/// One container.
pub(super) struct DockerMachine {
    pub(super) engine: Engine,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) user: String,
}

impl DockerMachine {
    async fn create_exec(&self, command: &Command, terminal: bool) -> Result<String> {
        let user = match command.who {
            Who::User => self.user.clone(),
            Who::Root => "0".to_owned(),
        };
        let options = CreateExecOptions::<String> {
            attach_stdin: Some(terminal || command.stdin.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(terminal),
            cmd: Some(command.argv.clone()),
            user: Some(user),
            ..CreateExecOptions::default()
        };
        match self.engine.docker.create_exec(&self.id, options).await {
            Ok(created) => Ok(created.id),
            Err(bollard::errors::Error::DockerResponseServerError { status_code, message })
                if is_gone(status_code, &message) =>
            {
                Err(self.vanished(&message))
            }
            Err(error) => Err(self.engine.explain(error, &self.doing())),
        }
    }

    /// Starts an exec without a terminal, and gives its streams.
    async fn start_exec(&self, exec: &str) -> Result<(Heard, Fed)> {
        let options = StartExecOptions { detach: false, tty: false, output_capacity: Some(64 << 10) };
        match self.engine.docker.start_exec(exec, Some(options)).await {
            Ok(StartExecResults::Attached { output, input }) => Ok((output, input)),
            Ok(StartExecResults::Detached) => {
                Err(Error::new(ErrorCode::Internal, "an attached exec came back detached"))
            }
            Err(bollard::errors::Error::DockerResponseServerError { status_code, message })
                if is_gone(status_code, &message) =>
            {
                Err(self.vanished(&message))
            }
            Err(error) => Err(self.engine.explain(error, &self.doing())),
        }
    }

    async fn status(&self, exec: &str) -> Result<i64> {
        for _ in 0..STATUS_TRIES {
            let inspected = match self.engine.docker.inspect_exec(exec).await {
                Ok(inspected) => inspected,
                Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, message }) => {
                    return Err(self.vanished(&message));
                }
                Err(error) => return Err(self.engine.explain(error, &self.doing())),
            };
            match inspected.exit_code {
                Some(code) if inspected.running != Some(true) => return self.explained(code).await,
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        // What still runs has not closed its streams: they were lost.
        Err(self.engine.lost(&self.doing(), "its streams ended before it did"))
    }

    /// The status of a command, unless the container has ended and the command with it. One that was killed or never begun
    /// may be the first to go, so that the container is looked at for a while.
    async fn explained(&self, code: i64) -> Result<i64> {
        let path = format!("/containers/{}/json", self.id);
        let tries = match code {
            0 => 0,
            KILLED | NOT_BEGUN => KILLED_TRIES,
            _ => 1,
        };
        for _ in 0..tries {
            let container: Option<Inspected> = self.engine.get(&path, &self.doing()).await?;
            if container.is_none_or(|container| container.into_workspace().status != WorkspaceStatus::Running) {
                return Err(self.vanished("its commands were killed"));
            }
            if tries > 1 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(code)
    }

    fn vanished(&self, cause: &str) -> Error {
        if cause.contains("is paused") {
            return Error::new(ErrorCode::WrongState, format!("workspace {} is paused", self.name))
                .cause(cause.to_owned())
                .detail("workspace", self.name.clone())
                .hint(format!("agent-workspace start {}", self.name));
        }
        Error::new(
            ErrorCode::ContainerVanished,
            format!("the container of {} was stopped or removed in the middle", self.name),
        )
        .cause(cause.to_owned())
        .detail("workspace", self.name.clone())
        .hint(format!("look at it: docker logs {}", self.name))
    }

    fn doing(&self) -> String {
        format!("run a command in {}", self.name)
    }
}

/// Whether an engine's refusal means that the container is not there any more, or does not run: one that is being removed
/// at this moment is refused with 500.
fn is_gone(status: u16, message: &str) -> bool {
    matches!(status, 404 | 409) || message.contains("is not running")
}

#[async_trait]
impl Machine for DockerMachine {
    async fn run(&self, command: Command, listener: Listener<'_>) -> Result<Output> {
        let exec = self.create_exec(&command, false).await?;
        let (mut output, mut input) = self.start_exec(&exec).await?;
        let write = async {
            if let Some(stdin) = command.stdin.as_ref().map(Secret::expose) {
                // A command that does not read to the end is free not to.
                let _ = input.write_all(stdin).await;
                let _ = input.shutdown().await;
            }
        };
        let read = async {
            let (mut stdout, mut stderr, mut framed) = (Vec::new(), Vec::new(), true);
            while let Some(item) = output.next().await {
                let item = item.map_err(|error| self.engine.explain(error, &self.doing()))?;
                framed &= !matches!(item, LogOutput::Console { .. });
                match item {
                    LogOutput::StdOut { message } | LogOutput::Console { message } => {
                        let room = LONGEST_STDOUT.saturating_sub(stdout.len()).min(message.len());
                        stdout.extend_from_slice(&message[..room]);
                    }
                    LogOutput::StdErr { message } => {
                        listener(&message);
                        stderr.extend_from_slice(&message);
                        let excess = stderr.len().saturating_sub(LONGEST_STDERR);
                        stderr.drain(..excess);
                    }
                    LogOutput::StdIn { .. } => {}
                }
            }
            Ok::<_, Error>((stdout, stderr, framed))
        };
        let ((), read) = tokio::join!(write, read);
        let (stdout, stderr, framed) = read?;
        let status = self.status(&exec).await?;
        if status == 0 && !framed {
            // Every word of a command without a terminal comes in a frame; what is in none is the half of one.
            return Err(self.engine.lost(&self.doing(), "its streams ended in the middle of a frame"));
        }
        Ok(Output {
            status,
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        })
    }

    async fn attach(&self, command: Command) -> Result<i64> {
        let exec = self.create_exec(&command, true).await?;
        let stream = self.engine.hijack(&exec, &self.doing()).await?;
        terminal::converse(TokioIo::new(stream), |rows, columns| {
            let engine = self.engine.clone();
            let exec = exec.clone();
            async move { engine.resize(&exec, rows, columns).await }
        })
        .await?;
        self.status(&exec).await
    }

    async fn fetch(&self, path: &str, sink: Sink<'_>) -> Result<()> {
        let doing = format!("read {path} in {}", self.name);
        let Some(mut archive) = self.engine.archive(&self.id, path, &doing).await? else {
            return Err(Error::new(ErrorCode::GuestFailed, format!("could not {doing}"))
                .cause("it is not there")
                .hint("see: agent-workspace ls"));
        };
        while let Some(frame) = archive.frame().await {
            let frame = frame.map_err(|error| self.engine.cut(&doing, &error))?;
            if let Ok(data) = frame.into_data() {
                sink(&data)?;
            }
        }
        Ok(())
    }

    async fn pipe(&self, command: Command, from: Reader<'_>, to: Writer<'_>) -> Result<Output> {
        // Its stdin is open, whatever is given.
        let exec = self.create_exec(&command.reading(Some(Secret::new(Vec::new()))), false).await?;
        let (mut output, input) = self.start_exec(&exec).await?;
        let read = async {
            let (mut stderr, mut framed) = (Vec::new(), true);
            while let Some(item) = output.next().await {
                match item.map_err(|error| self.engine.explain(error, &self.doing()))? {
                    LogOutput::StdOut { message } => {
                        to.write_all(&message).await.map_err(|error| not_taken(&error))?;
                    }
                    LogOutput::StdErr { message } => {
                        stderr.extend_from_slice(&message);
                        let excess = stderr.len().saturating_sub(LONGEST_STDERR);
                        stderr.drain(..excess);
                    }
                    LogOutput::Console { .. } => framed = false,
                    LogOutput::StdIn { .. } => {}
                }
            }
            Ok::<_, Error>((stderr, framed))
        };
        let (stderr, framed) = fed(from, input, read).await?;
        let status = self.status(&exec).await?;
        if status == 0 && !framed {
            return Err(self.engine.lost(&self.doing(), "its streams ended in the middle of a frame"));
        }
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        Ok(Output { status, stdout: String::new(), stderr })
    }

    fn transport(&self, user: &str, workdir: &str) -> Transport {
        let endpoint = self.engine.endpoint();
        let client = || {
            let mut words = vec!["docker".to_owned()];
            if !endpoint.known_to_client {
                words.extend(["--host".to_owned(), endpoint.address.to_string()]);
            }
            words.push("exec".to_owned());
            words
        };
        let with = |flag: &str| {
            let mut words = client();
            words.extend([flag, "-u", user, "-w", workdir, &self.name].map(str::to_owned));
            words
        };
        Transport {
            exec: with("-i"),
            tty: with("-it"),
            user: user.to_owned(),
            workdir: workdir.to_owned(),
            quoting: Quoting::Argv,
        }
    }
}
