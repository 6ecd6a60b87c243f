//! Ports of this machine that are listened on: all that were asked for, or none.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use agent_workspace_contract::ErrorCode;
use tokio::net::{TcpListener, TcpSocket};

use crate::error::{Error, Result, usage};

/// This machine alone, by both of its own addresses.
pub const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
/// As many as wait to be taken in.
const BACKLOG: u32 = 128;
/// How often a free port of one address is looked for that is free on the other too.
const TRIES: usize = 16;

/// A port that is taken and that nobody can connect to yet.
pub struct Bound(Vec<TcpSocket>);

impl Bound {
    /// Takes a port on every address; port 0 stands for any that is free on all of them. Of the two loopback addresses one
    /// may be missing.
    ///
    /// # Errors
    /// `port_taken`, `usage` for an address that is none of this machine's or a port that this user may not have.
    pub fn take(addresses: &[IpAddr], port: u16) -> Result<Self> {
        let mut last = None;
        for _ in 0..TRIES {
            match Self::once(addresses, port) {
                Err(error) if port == 0 && error.code() == ErrorCode::PortTaken => last = Some(error),
                taken => return taken,
            }
        }
        Err(last.unwrap_or_else(|| taken(port)))
    }

    fn once(addresses: &[IpAddr], port: u16) -> Result<Self> {
        let (mut sockets, mut port): (Vec<TcpSocket>, _) = (Vec::new(), port);
        for address in addresses {
            let socket = match bind(*address, port) {
                Ok(socket) => socket,
                // A machine without the sixth version of addresses, or without the fourth.
                Err(error) if is_absent(&error) && addresses == LOOPBACK && address.is_ipv6() != sockets.is_empty() => {
                    continue;
                }
                Err(error) => return Err(refused(*address, port, &error)),
            };
            port = socket.local_addr().map_err(|error| refused(*address, port, &error))?.port();
            sockets.push(socket);
        }
        Ok(Self(sockets))
    }

    /// Lets connections come.
    ///
    /// # Errors
    /// `port_taken` when somebody else was faster.
    pub fn listen(self) -> Result<Vec<TcpListener>> {
        let listen = |socket: TcpSocket| {
            let address = socket.local_addr();
            socket.listen(BACKLOG).map_err(|error| match address {
                Ok(address) => refused(address.ip(), address.port(), &error),
                Err(_) => taken(0),
            })
        };
        self.0.into_iter().map(listen).collect()
    }
}

fn bind(address: IpAddr, port: u16) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
    // What the last one left waiting is in nobody's way.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::new(address, port))?;
    Ok(socket)
}

fn is_absent(error: &std::io::Error) -> bool {
    const NO_SUCH_FAMILY: i32 = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(NO_SUCH_FAMILY)
}

fn refused(address: IpAddr, port: u16, error: &std::io::Error) -> Error {
    let at = SocketAddr::new(address, port);
    match error.kind() {
        ErrorKind::PermissionDenied => usage(format!("you may not listen on {at}"))
            .cause(error.to_string())
            .hint("take a port above 1023: LOCAL:REMOTE"),
        ErrorKind::AddrInUse => taken(port).cause(format!("{at}: {error}")),
        _ => usage(format!("nothing can listen on {at}"))
            .cause(error.to_string())
            .hint("--address takes an address of this machine"),
    }
}

fn taken(port: u16) -> Error {
    Error::new(ErrorCode::PortTaken, format!("port {port} of this machine is in use"))
        .detail("port", port)
        .hint("take another one: LOCAL:REMOTE, or 0:REMOTE for any that is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn any_free_port_is_one_on_every_address_and_a_taken_one_is_said() {
        let listeners = Bound::take(&LOOPBACK, 0).unwrap().listen().unwrap();
        let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        assert!(!ports.is_empty() && ports.iter().all(|port| *port == ports[0]), "{ports:?}");
        let error = Bound::take(&LOOPBACK, ports[0]).err().unwrap();
        assert_eq!(error.code(), ErrorCode::PortTaken);
        drop(listeners);
        Bound::take(&LOOPBACK, ports[0]).unwrap();
    }

    #[tokio::test]
    async fn what_is_bound_is_not_listened_on_yet() {
        let bound = Bound::take(&LOOPBACK[..1], 0).unwrap();
        let address = bound.0[0].local_addr().unwrap();
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
        let listeners = bound.listen().unwrap();
        tokio::net::TcpStream::connect(listeners[0].local_addr().unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused() {
        let error = Bound::take(&["192.0.2.1".parse().unwrap()], 0).err().unwrap();
        assert_eq!(error.code(), ErrorCode::Usage);
    }
}
