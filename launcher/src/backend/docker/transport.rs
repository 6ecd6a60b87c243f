//! Byte streams to an engine: a socket, TCP, TLS, or `ssh` with the docker client's `dial-stdio` at its far end.

use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper::rt::ReadBufCursor;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio_rustls::client::TlsStream;

use super::endpoint::Address;
use super::tls;
use crate::host::tokens;

/// Opens a stream for each connection that the HTTP client wants.
#[derive(Clone)]
pub(super) struct Connector(pub(super) Arc<Address>);

impl tower_service::Service<Uri> for Connector {
    type Response = Stream;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, std::io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let address = Arc::clone(&self.0);
        Box::pin(async move { Ok(Stream(TokioIo::new(connect(&address).await?))) })
    }
}

async fn connect(address: &Address) -> std::io::Result<Raw> {
    match address {
        Address::Unix(path) => Ok(Raw::Unix(UnixStream::connect(path).await?)),
        Address::Tcp { host, port, tls: None } => Ok(Raw::Tcp(tcp(host, *port).await?)),
        Address::Tcp { host, port, tls: Some(files) } => {
            let connector = tls::connector(files)?;
            let name = tls::server_name(host)?;
            Ok(Raw::Tls(Box::new(connector.connect(name, tcp(host, *port).await?).await?)))
        }
        Address::Ssh { target, port, socket } => ssh(target, *port, socket.as_deref()),
    }
}

async fn tcp(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Runs the system's `ssh`, so that keys, agents, jump hosts and known hosts are the user's own. It never asks:
/// nobody may be there to answer. The far side needs the docker client, as with the docker client itself.
fn ssh(target: &str, port: Option<u16>, socket: Option<&str>) -> std::io::Result<Raw> {
    let mut command = tokio::process::Command::new("ssh");
    command.args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=30", "-T"]);
    if let Some(port) = port {
        command.args(["-p", &port.to_string()]);
    }
    command.args(["--", target, "docker"]);
    if let Some(socket) = socket {
        command.args(["--host", &format!("unix://{socket}")]);
    }
    command.args(["system", "dial-stdio"]);
    tokens::keep_from(&mut command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| std::io::Error::new(error.kind(), format!("ssh could not be started: {error}")))?;
    match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
        (Some(stdin), Some(stdout), Some(stderr)) => {
            Ok(Raw::Ssh(Box::new(Ssh { _child: child, stdin, stdout, stderr, spoke: false, words: Vec::new() })))
        }
        _ => Err(std::io::Error::other("ssh has no pipes")),
    }
}

/// A running `ssh` and its pipes.
struct Ssh {
    _child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
    /// Whether the far side has said anything; then what ssh says is talk and no failure.
    spoke: bool,
    /// What it has said on stderr.
    words: Vec<u8>,
}

impl Ssh {
    /// Reads from the far side. When that ends before it began, what ssh said (unknown host key, permission denied) is
    /// the reason.
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stdout).poll_read(context, buffer) {
            Poll::Ready(Ok(())) if buffer.filled().len() == before && !self.spoke => {}
            other => {
                self.spoke |= buffer.filled().len() > before;
                return other;
            }
        }
        let mut bytes = [0; 1024];
        loop {
            let mut piece = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.stderr).poll_read(context, &mut piece) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !piece.filled().is_empty() && self.words.len() < 16 << 10 => {
                    self.words.extend_from_slice(piece.filled());
                }
                Poll::Ready(_) => break,
            }
        }
        let words = String::from_utf8_lossy(&self.words);
        match words.trim() {
            "" => Poll::Ready(Ok(())),
            words => Poll::Ready(Err(std::io::Error::other(words.to_owned()))),
        }
    }
}

enum Raw {
    Unix(UnixStream),
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Ssh(Box<Ssh>),
}

/// A stream as the HTTP client wants it.
pub(super) struct Stream(TokioIo<Raw>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl hyper::rt::Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl hyper::rt::Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl AsyncRead for Raw {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Ssh(ssh) => ssh.poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Raw {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Ssh(ssh) => Pin::new(&mut ssh.stdin).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::Ssh(ssh) => Pin::new(&mut ssh.stdin).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Ssh(ssh) => Pin::new(&mut ssh.stdin).poll_shutdown(context),
        }
    }
}
