//! Runs the real binary with nothing of the caller's environment but what a test gives it.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Document;

/// One invocation to be.
#[must_use = "call run"]
#[derive(Clone, Debug)]
pub struct Launcher {
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdin: Vec<u8>,
    home: PathBuf,
}

/// One invocation that has ended.
#[must_use = "look at what it answered"]
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; 128 and the signal's number when a signal ended it.
    pub code: i32,
    /// What it answered.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

impl Launcher {
    /// The binary with these arguments, an empty home and a bare `PATH`.
    pub fn new<S: Into<OsString>>(args: impl IntoIterator<Item = S>) -> Self {
        Self {
            args: args.into_iter().map(Into::into).collect(),
            env: vec![("PATH".into(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into())],
            stdin: Vec::new(),
            home: std::env::temp_dir().join("agent-workspace-test-home"),
        }
    }

    /// Where the binary is: beside the test's own, as cargo builds them.
    ///
    /// # Panics
    /// When it has not been built.
    pub fn binary() -> PathBuf {
        let test = std::env::current_exe().expect("a test has a path");
        let folder = test.parent().and_then(Path::parent).expect("tests are built under target/PROFILE/deps");
        let binary = folder.join("agent-workspace");
        assert!(binary.exists(), "build it first: cargo build -p agent-workspace ({} is missing)", binary.display());
        binary
    }

    /// Adds a variable to its environment.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Adds arguments.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Asks for a document.
    pub fn json(self) -> Self {
        self.arg("--output=json")
    }

    /// Gives it something to read.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// The command, for tests that need its process.
    pub fn command(&self) -> Command {
        let mut command = Command::new(Self::binary());
        command.args(&self.args).env_clear().env("HOME", &self.home).envs(self.env.iter().cloned());
        command
    }

    /// Starts it without waiting for its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(&self) -> Child {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // It may well end without reading.
        let _ = stdin.write_all(&self.stdin);
        child
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&self) -> Ran {
        Ran::of(self.spawn())
    }
}

impl Ran {
    /// Waits for a process that was spawned.
    ///
    /// # Panics
    /// When its output cannot be read or is not UTF-8.
    pub fn of(child: Child) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let output = child.wait_with_output().expect("the process ends");
        let status = output.status;
        Self {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }

    /// The one document on stdout, checked against its schema and against the rules that hold for all.
    ///
    /// # Panics
    /// When stdout is anything but exactly one valid document.
    pub fn document(&self) -> Document {
        Document::read(self)
    }

    /// Fails unless it ended with this code.
    ///
    /// # Panics
    /// When it did not, showing everything.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n--- stdout\n{}--- stderr\n{}", self.stdout, self.stderr);
        self
    }
}
