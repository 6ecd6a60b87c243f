//! A place where commands run: inside a container, on this host, on a VM. Guest modules know this and nothing else.

pub(crate) mod terminal;

use std::future::Future;

use agent_workspace_contract::{ErrorCode, Transport};
use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::backend::{HOME, WORK};
use crate::error::{Error, Result};

/// Who a command runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The workspace's user.
    User,
    /// The superuser, for preparing what the user cannot.
    Root,
}

/// Where a workspace's folders are for what runs in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The folder that holds its files.
    pub work: String,
    /// Its user's home.
    pub home: String,
    /// What commands leave for one another, apart from everybody's work.
    pub scratch: String,
}

impl Default for Places {
    /// As they are behind walls of any kind.
    fn default() -> Self {
        Self { work: WORK.to_owned(), home: HOME.to_owned(), scratch: "/tmp".to_owned() }
    }
}

impl Places {
    /// The same the other way round: a path where it really is, as users write it.
    #[must_use]
    pub fn usual(&self, path: &str) -> String {
        for (usual, real) in [(WORK, &self.work), (HOME, &self.home)] {
            if let Some(rest) = path.strip_prefix(real.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'))
            {
                return format!("{usual}{rest}");
            }
        }
        path.to_owned()
    }

    /// A path below the work folder or the home, as users write it, where it really is.
    #[must_use]
    pub fn locate(&self, path: &str) -> String {
        for (usual, real) in [(WORK, &self.work), (HOME, &self.home)] {
            if let Some(rest) = path.strip_prefix(usual).filter(|rest| rest.is_empty() || rest.starts_with('/')) {
                return format!("{real}{rest}");
            }
        }
        path.to_owned()
    }
}

/// A command to run: words, never a string for a shell to take apart.
#[derive(Clone, Debug)]
pub struct Command {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Who runs it.
    pub who: Who,
    /// What it reads; the only way for secrets to get in.
    pub stdin: Option<Secret>,
}

impl Command {
    /// A POSIX shell script from `guest/scripts`, with positional arguments.
    pub fn script(script: &str, args: &[&str]) -> Self {
        let words = ["sh", "-c", script, "agent-workspace"].into_iter().chain(args.iter().copied());
        Self { argv: words.map(str::to_owned).collect(), who: Who::User, stdin: None }
    }

    /// The same command run by somebody else.
    #[must_use]
    pub fn run_by(mut self, who: Who) -> Self {
        self.who = who;
        self
    }

    /// The same command with something to read.
    #[must_use]
    pub fn reading(mut self, stdin: Option<Secret>) -> Self {
        self.stdin = stdin;
        self
    }
}

/// Bytes that are never shown: no `Display`, no `Serialize`, and a `Debug` that says nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes the bytes in.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the pipe they are written to.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret")
    }
}

/// What a command that ended has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its exit status.
    pub status: i64,
    /// What it wrote to stdout, at most a megabyte.
    pub stdout: String,
    /// The end of what it wrote to stderr, for messages.
    pub stderr: String,
}

/// Is told of stderr while the command runs, in pieces as they come.
pub type Listener<'a> = &'a mut (dyn FnMut(&[u8]) + Send);

/// Takes in bytes as they come; its error ends what gives them.
pub type Sink<'a> = &'a mut (dyn FnMut(&[u8]) -> Result<()> + Send);

/// Gives bytes when they are wanted, to their end.
pub type Reader<'a> = &'a mut (dyn AsyncRead + Send + Unpin);

/// Takes in bytes when it has room for them.
pub type Writer<'a> = &'a mut (dyn AsyncWrite + Send + Unpin);

/// Feeds a command, and waits for what it gives back. Who has ended reads no more, and a writer would wait for it for
/// ever. A command that does not read to the end is free not to.
pub(crate) async fn fed<T>(from: Reader<'_>, mut input: impl AsyncWrite + Unpin, answer: impl Future<Output = T>) -> T {
    let feed = async {
        let _ = tokio::io::copy(from, &mut input).await;
        let _ = input.shutdown().await;
        drop(input);
    };
    let (mut feed, mut answer, mut feeding) = (std::pin::pin!(feed), std::pin::pin!(answer), true);
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            () = &mut feed, if feeding => feeding = false,
        }
    }
}

/// The command that gives a file or folder as a tar, under its own name.
#[must_use]
pub fn packing(path: &str) -> [String; 7] {
    let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
    let folder = if folder.is_empty() { "/" } else { folder };
    ["tar", "-C", folder, "-cf", "-", "--", name].map(str::to_owned)
}

/// A place where commands run.
#[async_trait]
pub trait Machine: Send + Sync {
    /// Runs a command to its end and returns what it left, whatever its status.
    ///
    /// # Errors
    /// When it could not be run, or the connection was lost; never because the command failed.
    async fn run(&self, command: Command, listener: Listener<'_>) -> Result<Output>;

    /// Runs a command on the caller's terminal and returns its status.
    ///
    /// # Errors
    /// When it could not be run, or the connection was lost.
    async fn attach(&self, command: Command) -> Result<i64>;

    /// Gives a file or folder as a tar, in pieces as they come, however long it is.
    ///
    /// # Errors
    /// `guest_failed` when it is not there, the sink's own, or the connection was lost.
    async fn fetch(&self, path: &str, sink: Sink<'_>) -> Result<()>;

    /// Runs a command that reads all of one stream and writes to another, however long both are, and waits for whoever is
    /// slower. What it was given to read otherwise is not read, and the output has no stdout.
    ///
    /// # Errors
    /// When it could not be run, the connection was lost, or the writer takes no more; never because the command failed.
    async fn pipe(&self, command: Command, from: Reader<'_>, to: Writer<'_>) -> Result<Output>;

    /// Where the workspace's folders are for its commands.
    fn places(&self) -> Places {
        Places::default()
    }

    /// The user whose processes alone are the workspace's, where those of others run beside it.
    fn own_user(&self) -> Option<&str> {
        None
    }

    /// How a person or program gets in without us. Commands run as `user` and start in `workdir`.
    fn transport(&self, user: &str, workdir: &str) -> Transport;
}

/// Nobody takes any more what a command writes.
pub(crate) fn not_taken(error: &std::io::Error) -> Error {
    Error::new(ErrorCode::GuestFailed, "what a command wrote was not taken")
        .cause(error.to_string())
        .hint("see: agent-workspace ls")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_that_has_ended_is_not_fed_for_ever() {
        let (input, _unread) = tokio::io::duplex(1);
        let mut endless = tokio::io::repeat(7);
        assert_eq!(fed(&mut endless, input, async { "ended" }).await, "ended");
    }

    #[tokio::test]
    async fn a_command_is_fed_to_the_end_while_its_answer_is_awaited() {
        use tokio::io::AsyncReadExt;
        let much = vec![7; 300_000];
        let (input, mut read) = tokio::io::duplex(1024);
        let answer = async {
            let mut bytes = Vec::new();
            read.read_to_end(&mut bytes).await.unwrap();
            bytes
        };
        assert_eq!(fed(&mut &much[..], input, answer).await, much);
    }

    #[test]
    fn a_file_or_folder_is_packed_under_its_own_name() {
        for (path, folder, name) in [("/tmp/a/out", "/tmp/a", "out"), ("/out", "/", "out"), ("out", ".", "out")] {
            assert_eq!(packing(path), ["tar", "-C", folder, "-cf", "-", "--", name]);
        }
    }

    #[test]
    fn paths_below_the_usual_folders_are_where_the_folders_are_and_others_stay() {
        let places = Places { work: "/w".to_owned(), home: "/h".to_owned(), scratch: "/t".to_owned() };
        for (usual, real) in [
            ("/work", "/w"),
            ("/work/o/r", "/w/o/r"),
            ("/home/agent/.x", "/h/.x"),
            ("/workshop", "/workshop"),
            ("/home/agents", "/home/agents"),
            ("/srv", "/srv"),
        ] {
            assert_eq!(places.locate(usual), real);
            assert_eq!(places.usual(real), usual);
            assert_eq!(Places::default().locate(usual), usual);
        }
    }
}
