//! `vm port-forward`: ports of this machine that lead to ports of a VM, until Ctrl-C.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use agent_workspace_contract::{VmForward, VmPortForwardReport};
use futures_util::future::select_all;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Fleet, Target};
use crate::error::{Error, Result, usage};
use crate::host::ports::{Bound, LOOPBACK};
use crate::output::{Progress, warning};
use crate::ssh::Uncarried;
use crate::workspace::MachineName;

/// More than anybody has open at once; the next one waits.
const MOST_CONNECTIONS: usize = 512;
/// How long nobody is taken in after that failed, as when no descriptor is free.
const PAUSE: Duration = Duration::from_millis(100);

/// Flags of `vm port-forward`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The VM
    #[command(flatten)]
    target: Target,
    /// REMOTE or LOCAL:REMOTE, each a port from 1 to 65535; LOCAL 0 is any free one
    #[arg(value_name = "PORT", required = true, num_args = 1..)]
    ports: Vec<String>,
    /// Address of this machine to listen on; by default both of localhost
    #[arg(long, value_name = "ADDR")]
    address: Option<String>,
}

/// Which ports lead where.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The VM.
    pub name: MachineName,
    /// The ports.
    pub ports: Vec<Pair>,
    /// Where this machine listens.
    pub addresses: Vec<IpAddr>,
}

/// A port here and one there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Of this machine; 0 for any that is free.
    pub local: u16,
    /// Of the VM.
    pub remote: u16,
}

impl Args {
    /// Checks everything that needs neither state nor network.
    ///
    /// # Errors
    /// `invalid_name`, `usage`.
    pub fn resolve(self) -> Result<Request> {
        let Self { target, ports, address } = self;
        let name = target.resolve()?;
        let ports = ports.iter().map(|text| Pair::parse(text)).collect::<Result<Vec<_>>>()?;
        let mut seen = BTreeSet::new();
        if let Some(twice) = ports.iter().find(|pair| pair.local != 0 && !seen.insert(pair.local)) {
            return Err(usage(format!("port {} of this machine cannot lead to two ports", twice.local))
                .hint("give each a port of its own: LOCAL:REMOTE"));
        }
        let addresses = match address.as_deref() {
            None | Some("localhost") => LOOPBACK.to_vec(),
            Some(text) => {
                let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
                let address = bare.parse::<IpAddr>().map_err(|_| {
                    usage(format!("--address is no address: {text:?}"))
                        .hint("for example: --address localhost, 127.0.0.1, ::1 or 0.0.0.0")
                })?;
                vec![address]
            }
        };
        Ok(Request { name, ports, addresses })
    }
}

impl Pair {
    fn parse(text: &str) -> Result<Self> {
        let wrong = |why: String| {
            usage(format!("{text:?} names no ports: {why}"))
                .hint("for example: 8080 for the same port here and there, 3000:80, or 0:80 for any free port here")
        };
        let (local, remote) = text.split_once(':').unwrap_or((text, text));
        let port = |text: &str, lowest: u16| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let port = text.parse::<u16>().ok().filter(|port| digits && *port >= lowest);
            port.ok_or_else(|| wrong(format!("{text:?} is no number from {lowest} to 65535")))
        };
        // A port alone stands for both, and there is no port 0 to lead to.
        let remote = port(remote, 1)?;
        Ok(Self { local: port(local, 0)?, remote })
    }
}

/// Carries connections until it is asked to end, or the VM is lost.
///
/// # Errors
/// `vm_not_found`, `vm_not_ready`, `port_taken`, those of connecting, `host_unreachable` when the connection is lost.
pub async fn run(fleet: &Fleet, request: Request) -> Result<VmPortForwardReport> {
    let Request { name, ports, addresses } = request;
    let record = fleet.find(&name)?;
    fleet.require_machine(&record)?;
    // Whatever is taken is known before anybody is let in, here or there.
    let bound = ports.iter().map(|pair| Bound::take(&addresses, pair.local)).collect::<Result<Vec<_>>>()?;
    let connection = fleet.reach(&record, false).await?;
    let mut listening = Vec::new();
    for (pair, bound) in ports.iter().zip(bound) {
        let pair_of = |listener: TcpListener| (listener, pair.remote);
        listening.push(bound.listen()?.into_iter().map(pair_of).collect::<Vec<_>>());
    }
    let forwards = listening.iter().map(|listeners| forward(listeners)).collect::<Result<Vec<_>>>()?;
    for address in addresses.iter().filter(|address| !address.is_loopback()) {
        let message = format!("everybody who reaches {address} reaches these ports of VM {name}");
        fleet.progress.warn(warning("port_open_to_others", message));
    }
    for VmForward { addresses, local, remote } in &forwards {
        let at = addresses.iter().filter_map(|address| address.parse().ok());
        let at: Vec<String> = at.map(|ip| SocketAddr::new(ip, *local).to_string()).collect();
        let line = format!("{} leads to port {remote} of VM {name}; Ctrl-C ends it", at.join(" and "));
        let fields = json!({ "local": local, "remote": remote, "addresses": addresses, "message": line });
        fleet.progress.fact("listening", fields, &line);
    }
    let listeners: Vec<_> = listening.into_iter().flatten().collect();
    let (mut carried, mut connections) = (JoinSet::new(), 0);
    let mut asked = std::pin::pin!(fleet.ending.asked());
    let mut lost = std::pin::pin!(connection.lost());
    // How many there are now, itself one of them, is known to each by the clones of this.
    let open = Arc::new(());
    loop {
        tokio::select! {
            biased;
            () = &mut asked => break,
            error = &mut lost => return Err(error.detail("vm", record.name.clone())),
            Some(ended) = carried.join_next() => if let Ok((remote, Err(why))) = ended {
                tell(&fleet.progress, remote, &why);
            },
            accepted = accept(&listeners), if carried.len() < MOST_CONNECTIONS => match accepted {
                Ok((client, from, remote)) => {
                    connections += 1;
                    let (connection, one) = (connection.clone(), Arc::clone(&open));
                    carried.spawn(async move {
                        let alone = || Arc::strong_count(&one) <= 2;
                        (remote, connection.carry(client, from, remote, alone).await)
                    });
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
        }
    }
    carried.shutdown().await;
    connection.close().await;
    Ok(VmPortForwardReport { vm: record.name, forwards, connections })
}

/// The next connection to any of the ports.
async fn accept(listeners: &[(TcpListener, u16)]) -> std::io::Result<(TcpStream, SocketAddr, u16)> {
    let accepts = listeners.iter().map(|(listener, remote)| {
        Box::pin(async move { listener.accept().await.map(|(client, from)| (client, from, *remote)) })
    });
    select_all(accepts).await.0
}

/// A connection that was closed is no end of the others.
fn tell(progress: &Progress, remote: u16, why: &Uncarried) {
    let why = match why {
        Uncarried::Refused(why) => format!("a connection to port {remote} was closed: {why}"),
        Uncarried::Stalled => {
            format!("a connection to port {remote} was closed: its client read nothing, and others waited for it")
        }
    };
    progress.fact("refused", json!({ "remote": remote, "message": why }), &why);
}

fn forward(listeners: &[(TcpListener, u16)]) -> Result<VmForward> {
    let gone = |error: std::io::Error| Error::new(agent_workspace_contract::ErrorCode::Internal, error.to_string());
    let at = listeners.iter().map(|(listener, _)| listener.local_addr()).collect::<Result<Vec<_>, _>>();
    let at = at.map_err(gone)?;
    Ok(VmForward {
        addresses: at.iter().map(|address| address.ip().to_string()).collect(),
        local: at.first().map_or(0, SocketAddr::port),
        remote: listeners.first().map_or(0, |(_, remote)| *remote),
    })
}

#[cfg(test)]
mod tests {
    use agent_workspace_contract::ErrorCode;

    use super::*;

    fn resolve(ports: &[&str], address: Option<&str>) -> Result<Request> {
        Args {
            target: Target { vm: "dev".to_owned() },
            ports: ports.iter().map(|port| (*port).to_owned()).collect(),
            address: address.map(str::to_owned),
        }
        .resolve()
    }

    #[test]
    fn ports_are_named_alone_or_in_pairs() {
        let pairs = resolve(&["8080", "3000:80", "0:1", "0:65535"], None).unwrap().ports;
        let pairs: Vec<_> = pairs.iter().map(|pair| (pair.local, pair.remote)).collect();
        assert_eq!(pairs, [(8080, 8080), (3000, 80), (0, 1), (0, 65535)]);
    }

    #[test]
    fn everything_else_is_refused() {
        for port in
            ["", "0", ":", "80:", ":80", "80:0", "65536", "1:65536", "-1", "+80", " 80", "http", "1:2:3", "8080/tcp"]
        {
            assert_eq!(resolve(&[port], None).unwrap_err().code(), ErrorCode::Usage, "{port:?}");
        }
        assert_eq!(resolve(&["80", "80:81"], None).unwrap_err().code(), ErrorCode::Usage, "one port leads to one");
        for address in ["", "example.org", "127.0.0.1:80", "*"] {
            assert_eq!(resolve(&["80"], Some(address)).unwrap_err().code(), ErrorCode::Usage, "{address:?}");
        }
    }

    #[test]
    fn this_machine_alone_is_listened_for_unless_an_address_is_given() {
        assert_eq!(resolve(&["80"], None).unwrap().addresses, LOOPBACK);
        assert_eq!(resolve(&["80"], Some("localhost")).unwrap().addresses, LOOPBACK);
        assert_eq!(resolve(&["80"], Some("[::1]")).unwrap().addresses, LOOPBACK[1..]);
    }
}
