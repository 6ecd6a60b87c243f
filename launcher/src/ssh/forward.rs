//! One connection of this machine, carried over a host's to a port there.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use russh::client::Msg;
use russh::{ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::Connection;

/// What the host connects to: the programs of its own.
const TARGET: &str = "localhost";
/// How much may wait for a client that reads slowly, before the host is told to send no more. The library can hold up
/// the connection as a whole alone.
const WAITING: usize = 16 << 20;
/// How long a client may read nothing of that while others wait for it.
const STALL: Duration = Duration::from_secs(30);

/// Why a connection was not carried, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uncarried {
    /// Nobody there took it.
    Refused(String),
    /// Its client read nothing, and others waited for it.
    Stalled,
}

impl Connection {
    /// Carries a connection to a port there, to its end. `alone` says whether nobody else waits for this connection.
    ///
    /// # Errors
    /// Why it was closed by us. What its two ends do is no error.
    pub async fn carry(
        &self,
        client: TcpStream,
        from: SocketAddr,
        port: u16,
        alone: impl Fn() -> bool + Send,
    ) -> Result<(), Uncarried> {
        let (ip, from) = (from.ip().to_string(), u32::from(from.port()));
        let opened = self.session.channel_open_direct_tcpip(TARGET, port.into(), ip, from).await;
        let channel = opened.map_err(|error| {
            Uncarried::Refused(match error {
                russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed) => {
                    "nothing listens there".to_owned()
                }
                russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => {
                    "the host allows no forwarding".to_owned()
                }
                other => other.to_string(),
            })
        })?;
        let (read, write) = channel.split();
        let write = Open(Arc::new(write));
        // What is small is not to wait for more.
        let _ = client.set_nodelay(true);
        let (from_client, to_client) = client.into_split();
        let (mut up, mut saying) = (std::pin::pin!(up(from_client, &write.0)), true);
        let mut down = std::pin::pin!(down(read, to_client, alone));
        loop {
            tokio::select! {
                said = &mut up, if saying => {
                    // One that has said all it has to say may still have something to hear.
                    saying = false;
                    if !said {
                        return Ok(());
                    }
                }
                heard = &mut down => return heard,
            }
        }
    }
}

/// A channel that is closed when it is done with.
struct Open(Arc<ChannelWriteHalf<Msg>>);

impl Drop for Open {
    fn drop(&mut self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let write = Arc::clone(&self.0);
            runtime.spawn(async move { write.close().await });
        }
    }
}

/// Passes on what the client says, and its end. Returns whether it came to that.
async fn up(mut client: OwnedReadHalf, host: &ChannelWriteHalf<Msg>) -> bool {
    let (mut writer, mut bytes) = (host.make_writer(), vec![0; 32 << 10]);
    loop {
        match client.read(&mut bytes).await {
            Ok(0) => return writer.shutdown().await.is_ok(),
            Ok(count) => {
                if writer.write_all(&bytes[..count]).await.is_err() {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
}

/// Passes on what the host says, and its end, until it closes the channel or the client is gone.
async fn down(
    mut host: ChannelReadHalf,
    mut client: OwnedWriteHalf,
    alone: impl Fn() -> bool,
) -> Result<(), Uncarried> {
    let (mut queue, mut waiting): (VecDeque<Bytes>, usize) = (VecDeque::new(), 0);
    let (mut said_all, mut closed, mut told) = (false, false, false);
    let mut since = Instant::now();
    loop {
        let front = queue.front().cloned().unwrap_or_default();
        if front.is_empty() && said_all && !told {
            told = true;
            let _ = client.shutdown().await;
        }
        if front.is_empty() && closed {
            return Ok(());
        }
        let full = waiting >= WAITING;
        tokio::select! {
            message = host.wait(), if !full && !closed => match message {
                Some(ChannelMsg::Data { data }) if !data.is_empty() => {
                    waiting += data.len();
                    queue.push_back(data);
                }
                Some(ChannelMsg::Eof) => said_all = true,
                Some(ChannelMsg::Close) | None => (said_all, closed) = (true, true),
                Some(_) => {}
            },
            written = client.write(&front), if !front.is_empty() => match written {
                Ok(count) if count > 0 => {
                    waiting -= count;
                    since = Instant::now();
                    let mut left = front;
                    left.advance(count);
                    match queue.front_mut() {
                        Some(first) if !left.is_empty() => *first = left,
                        _ => drop(queue.pop_front()),
                    }
                }
                _ => return Ok(()),
            },
            () = tokio::time::sleep_until((since + STALL).into()), if full => {
                if !alone() {
                    return Err(Uncarried::Stalled);
                }
                since = Instant::now();
            }
        }
    }
}
