//! One connection to a host, over jump hosts where there are any, and channels on it.

use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent_workspace_contract::{ErrorCode, HostKey};
use async_trait::async_trait;
use russh::client::{self, ChannelOpenHandle, DisconnectReason, Handle, Msg, Session};
use russh::keys::{Algorithm, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Disconnect, Preferred};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::Child;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot, watch};

use super::known_hosts::Known;
use super::settings::Settings;
use super::{Client, RemoteTarget, auth};
use crate::error::{Error, Result};
use crate::host::tokens;
use crate::machine::{Reader, fed};

/// How long a host that answers may take to let us in; an agent may have to ask its owner.
const LOGIN_LIMIT: Duration = Duration::from_secs(30);
/// A host that has said nothing for this long is asked whether it is there, and given up after three silences.
const KEEPALIVE: Duration = Duration::from_secs(10);
const KEEPALIVES: usize = 3;
/// Servers take ten channels at a time unless configured otherwise.
const CHANNELS: usize = 8;
/// How long a server that has no place for another channel is asked again, and how often.
const CHANNEL_LIMIT: Duration = Duration::from_secs(10);
const CHANNEL_PAUSE: Duration = Duration::from_millis(100);
/// How long a server that hangs up before it says who it is is asked again, and how often: one that too many knock at in
/// the same moment turns some of them away.
const KNOCK_LIMIT: Duration = Duration::from_secs(6);
const KNOCK_PAUSE: Duration = Duration::from_millis(200);
/// More jump hosts than anybody has, so that a circle of them ends.
const LONGEST_WAY: usize = 8;

/// A host that has let us in.
pub struct Connection {
    pub(super) session: Arc<Handle<Guard>>,
    pub(super) settings: Settings,
    /// The key that the host has shown.
    host_key: HostKey,
    end: End,
    target: RemoteTarget,
    channels: Semaphore,
    /// What the connection runs through.
    way: Option<Box<Self>>,
    /// The `ProxyCommand`, which ends with the connection.
    _proxy: Option<Child>,
}

/// How a command on the far side ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself.
    Status(u32),
    /// By a signal of this name, without `SIG`.
    Signal(String),
}

/// Which of a command's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Stdout,
    Stderr,
}

impl Connection {
    /// Connects and logs in. `accept_new` believes and remembers hosts that were never seen before.
    ///
    /// # Errors
    /// `host_unreachable`, `host_key_unknown`, `host_key_changed`, `ssh_auth_failed`, and those of reading the
    /// settings and the configuration.
    pub async fn open(client: &Client, target: &RemoteTarget, accept_new: bool) -> Result<Arc<Self>> {
        if let Some(error) = &client.key_unknown {
            return Err(error.clone());
        }
        Self::through(client, target, accept_new, None, LONGEST_WAY).await.map(Arc::new)
    }

    /// The same over a connection to the host before it.
    fn through<'a>(
        client: &'a Client,
        target: &'a RemoteTarget,
        accept_new: bool,
        way: Option<Box<Self>>,
        longest: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Self>> + Send + 'a>> {
        Box::pin(async move {
            let settings = Settings::of(client, target).await?;
            let mut way = way;
            // What a jump host's own settings say of a way holds for the first one alone, as with ssh.
            if way.is_none() {
                let Some(longest) = longest.checked_sub(settings.jumps.len().max(1)) else {
                    return Err(unreachable(&settings, "the jump hosts lead in a circle"));
                };
                for jump in &settings.jumps {
                    way = Some(Box::new(Self::through(client, jump, accept_new, way, longest).await?));
                }
            }
            let greeted = Box::pin(handshake(&settings, accept_new, way.as_deref())).await?;
            let Greeted { mut session, proxy, host_key, mut end } = greeted;
            let log_in = auth::log_in(&mut session, &settings, client.passphrase.as_ref(), &mut end);
            let let_in = tokio::time::timeout(LOGIN_LIMIT, log_in).await;
            let_in.map_err(|_| unreachable(&settings, "it did not let us in within 30 seconds"))??;
            let (session, target, channels) = (Arc::new(session), target.clone(), Semaphore::new(CHANNELS));
            Ok(Self { session, settings, host_key, end, target, channels, way, _proxy: proxy })
        })
    }

    /// Who we are there.
    pub fn user(&self) -> &str {
        &self.settings.user
    }

    /// The host as it was named.
    pub fn target(&self) -> &RemoteTarget {
        &self.target
    }

    /// The key that the host has shown, and why it was believed.
    pub fn host_key(&self) -> &HostKey {
        &self.host_key
    }

    /// The keys of the host and of those on the way there, the nearest first.
    pub fn host_keys(&self) -> Vec<&HostKey> {
        let mut keys = self.way.as_deref().map(Self::host_keys).unwrap_or_default();
        keys.push(&self.host_key);
        keys
    }

    /// Waits until the connection is lost.
    pub async fn lost(&self) -> Error {
        match self.end.clone().reached().await {
            Some(said) => unreachable(&self.settings, &format!("it hung up: {said}")),
            None => unreachable(&self.settings, "the connection was lost"),
        }
    }

    /// Says goodbye; the host would notice anyway.
    pub async fn close(&self) {
        let _ = self.session.disconnect(Disconnect::ByApplication, "", "en").await;
    }

    /// Runs one line in the login shell, feeds it `stdin` and gives what it says as it comes. An error of `heard` ends
    /// it.
    ///
    /// # Errors
    /// `host_unreachable` when the connection is lost, and the listener's own.
    pub(super) async fn exec(&self, line: &str, stdin: Reader<'_>, heard: &mut dyn Hear) -> Result<Ended> {
        let mut opened = self.channel().await?;
        opened.write.exec(true, line).await.map_err(|error| lost(&self.settings, &error))?;
        let writer = opened.write.make_writer();
        let read = async {
            let (mut ended, mut refused) = (None, false);
            // What is said may come after how it ended.
            while let Some(message) = opened.read.wait().await {
                match message {
                    ChannelMsg::Data { data } => heard.hear(From::Stdout, &data).await?,
                    ChannelMsg::ExtendedData { data, ext: 1 } => heard.hear(From::Stderr, &data).await?,
                    ChannelMsg::ExitStatus { exit_status } => ended = Some(Ended::Status(exit_status)),
                    ChannelMsg::ExitSignal { signal_name, .. } => {
                        ended = Some(Ended::Signal(format!("{signal_name:?}")));
                    }
                    ChannelMsg::Failure => refused = true,
                    _ => {}
                }
            }
            match ended {
                Some(ended) => Ok(ended),
                None if refused => Err(unreachable(&self.settings, "it runs no commands for this user")),
                None => Err(unreachable(&self.settings, "the connection was lost before the command ended")),
            }
        };
        fed(stdin, writer, read).await
    }

    /// A channel for one command; waits while too many are open.
    pub(super) async fn channel(&self) -> Result<Opened<'_>> {
        let permit = self.channels.acquire().await.map_err(|error| unreachable(&self.settings, &error.to_string()))?;
        let since = Instant::now();
        let channel = loop {
            match self.open_channel().await {
                Ok(channel) => break channel,
                // A command that nobody waits for any more keeps its place until it ends.
                Err(russh::Error::ChannelOpenFailure(_)) if since.elapsed() < CHANNEL_LIMIT => {
                    tokio::time::sleep(CHANNEL_PAUSE).await;
                }
                Err(error) => return Err(lost(&self.settings, &error)),
            }
        };
        let (read, write) = channel.split();
        Ok(Opened { read, write: Arc::new(write), _permit: permit })
    }

    /// Opens a channel. One that opens when nobody waits for it any more is closed again, or it would keep its place.
    async fn open_channel(&self) -> Result<Channel<Msg>, russh::Error> {
        let session = Arc::clone(&self.session);
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move {
            if let Err(Ok(channel)) = sender.send(session.channel_open_session().await) {
                let _ = channel.close().await;
            }
        });
        receiver.await.unwrap_or(Err(russh::Error::Disconnect))
    }

    /// A stream to an address as the host sees it.
    async fn stream_to(&self, host: &str, port: u16) -> Result<russh::ChannelStream<Msg>> {
        let channel = self.session.channel_open_direct_tcpip(host, port.into(), "127.0.0.1", 0).await;
        Ok(channel.map_err(|error| lost(&self.settings, &error))?.into_stream())
    }
}

/// A channel that is closed when it is done with: one that is merely forgotten keeps its place on the server.
pub(super) struct Opened<'a> {
    pub(super) read: ChannelReadHalf,
    pub(super) write: Arc<ChannelWriteHalf<Msg>>,
    _permit: SemaphorePermit<'a>,
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let write = Arc::clone(&self.write);
            runtime.spawn(async move { write.close().await });
        }
    }
}

/// Knows when and how a connection ends.
#[derive(Clone)]
pub(super) struct End(watch::Receiver<Option<String>>);

impl End {
    /// Waits for it. Gives what the host said when it hung up, `None` when the connection was merely lost.
    pub(super) async fn reached(&mut self) -> Option<String> {
        // The session's own side is let go of whatever ends it.
        while self.0.changed().await.is_ok() {}
        self.0.borrow().clone()
    }
}

/// A host that has proved who it is, and has let nobody in yet.
struct Greeted {
    session: Handle<Guard>,
    proxy: Option<Child>,
    host_key: HostKey,
    end: End,
}

/// Connects and agrees on keys, over a connection to the host before it when there is one.
async fn handshake(settings: &Settings, accept_new: bool, way: Option<&Connection>) -> Result<Greeted> {
    let greet = async {
        let (since, limit) = (Instant::now(), KNOCK_LIMIT.min(settings.connect_limit / 2));
        loop {
            match knock(settings, accept_new, way).await {
                // A command of the user's that leads there is run once.
                Err(Closed::Door(_)) if settings.proxy_command.is_none() && since.elapsed() < limit => {
                    tokio::time::sleep(KNOCK_PAUSE).await;
                }
                Err(Closed::Door(error) | Closed::Else(error)) => return Err(error),
                Ok(greeted) => return Ok(greeted),
            }
        }
    };
    match tokio::time::timeout(settings.connect_limit, greet).await {
        Ok(greeted) => greeted,
        Err(_) => {
            let seconds = settings.connect_limit.as_secs();
            Err(unreachable(settings, &format!("it did not answer within {seconds} seconds")))
        }
    }
}

/// Why a host has not greeted us.
enum Closed {
    /// It hung up before it said who it is.
    Door(Error),
    /// Anything else.
    Else(Error),
}

/// Connects once.
async fn knock(settings: &Settings, accept_new: bool, way: Option<&Connection>) -> Result<Greeted, Closed> {
    let known = Known::of(settings).map_err(Closed::Else)?;
    let usual = Preferred::default();
    let kinds = known.preferred(&kinds(&usual));
    // Who is asked for a certificate shows nothing else, so only where there is an authority for it.
    let certificates = if known.has_authority() { kinds.clone() } else { Vec::new() };
    let config = Arc::new(client::Config {
        preferred: Preferred { key: kinds.into(), host_key_certificates: certificates.into(), ..usual },
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVES,
        nodelay: true,
        ..client::Config::default()
    });
    let (ended, end) = watch::channel(None);
    let (shows, mut shown) = oneshot::channel();
    let guard = Guard { known, settings: settings.clone(), accept_new, shows: Some(shows), ended };
    let (stream, proxy) = stream(settings, way).await.map_err(Closed::Else)?;
    let session = client::connect_stream(config, stream, guard).await.map_err(|refusal| match refusal {
        Refusal::Ours(error) => Closed::Else(error),
        Refusal::Ssh(error) if hung_up(&error) && shown.try_recv().is_err() => Closed::Door(lost(settings, &error)),
        Refusal::Ssh(error) => Closed::Else(lost(settings, &error)),
    })?;
    let host_key = shown.await.map_err(|_| Closed::Else(unreachable(settings, "the connection was closed")))?;
    Ok(Greeted { session, proxy, host_key, end: End(end) })
}

/// Whether the other side has ended the connection.
fn hung_up(error: &russh::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error {
        russh::Error::Disconnect | russh::Error::HUP => true,
        russh::Error::IO(error) => {
            matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
        }
        _ => false,
    }
}

/// The kinds of key that a host may prove itself by. The library still takes RSA with SHA-1; `ssh` has not for years.
fn kinds(usual: &Preferred) -> Vec<Algorithm> {
    usual.key.iter().filter(|kind| **kind != Algorithm::Rsa { hash: None }).cloned().collect()
}

/// Is told what a command says, as it comes; its error ends that.
#[async_trait]
pub(super) trait Hear: Send {
    /// Takes in what was said.
    async fn hear(&mut self, from: From, bytes: &[u8]) -> Result<()>;
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The bytes' way to a host, and who carries them there.
async fn stream(settings: &Settings, way: Option<&Connection>) -> Result<(Box<dyn Stream>, Option<Child>)> {
    if let Some(way) = way {
        return Ok((Box::new(way.stream_to(&settings.hostname, settings.port).await?), None));
    }
    if let Some(command) = &settings.proxy_command {
        return proxied(settings, command);
    }
    let stream = tokio::net::TcpStream::connect((settings.hostname.as_str(), settings.port)).await;
    let stream = stream.map_err(|error| unreachable(settings, &error.to_string()))?;
    stream.set_nodelay(true).map_err(|error| unreachable(settings, &error.to_string()))?;
    Ok((Box::new(stream), None))
}

/// The streams of a `ProxyCommand`, which is ended when it is let go of: one that hangs heeds no end of its input.
fn proxied(settings: &Settings, line: &str) -> Result<(Box<dyn Stream>, Option<Child>)> {
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", &format!("exec {line}")]);
    tokens::keep_from(&mut command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let failed = |cause: &str| unreachable(settings, &format!("the ProxyCommand could not be run: {cause}"));
    let mut child = command.spawn().map_err(|error| failed(&error.to_string()))?;
    match (child.stdout.take(), child.stdin.take()) {
        (Some(stdout), Some(stdin)) => Ok((Box::new(tokio::io::join(stdout, stdin)), Some(child))),
        _ => Err(failed("it has no pipes")),
    }
}

/// What watches over a connection: whether the host is who it was.
pub(super) struct Guard {
    known: Known,
    settings: Settings,
    accept_new: bool,
    /// Is told the key that was believed.
    shows: Option<oneshot::Sender<HostKey>>,
    /// Is told what the host said when it hung up.
    ended: watch::Sender<Option<String>>,
}

/// Why a connection came to nothing.
#[derive(Debug)]
pub(super) enum Refusal {
    /// By a rule of ours.
    Ours(Error),
    /// By the protocol or the network.
    Ssh(russh::Error),
}

impl std::convert::From<russh::Error> for Refusal {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

impl client::Handler for Guard {
    type Error = Refusal;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Refusal> {
        let key = self.known.judge(shown, &self.settings, self.accept_new).map_err(Refusal::Ours)?;
        if let Some(shows) = self.shows.take() {
            // Who has lost patience meanwhile is told nothing.
            let _ = shows.send(key);
        }
        Ok(true)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Refusal>) -> Result<(), Refusal> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                let _ = self.ended.send(Some(info.message));
                Ok(())
            }
            DisconnectReason::Error(error) => Err(error),
        }
    }

    // Nothing on this side is for the host to open. The library takes every channel; one whose reply is dropped is
    // refused.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Refusal> {
        Ok(())
    }
}

/// A host that cannot be reached, or not any more.
pub(super) fn unreachable(settings: &Settings, cause: &str) -> Error {
    Error::new(ErrorCode::HostUnreachable, format!("host {} cannot be reached", settings.address()))
        .cause(cause)
        .detail("host", settings.address())
        .hint(format!("see: ssh {} true", settings.target.pasted()))
}

/// The same in the words of the library.
pub(super) fn lost(settings: &Settings, error: &russh::Error) -> Error {
    let cause = match error {
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::SendError => {
            "the connection was closed".to_owned()
        }
        russh::Error::Version => "what answers there is no SSH server".to_owned(),
        other => other.to_string(),
    };
    unreachable(settings, &cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_host_proves_itself_by_sha_1() {
        let kinds = kinds(&Preferred::default());
        assert!(!kinds.iter().any(|kind| kind.to_string() == "ssh-rsa"), "{kinds:?}");
        assert!(kinds.len() > 3, "{kinds:?}");
    }
}
