//! `vm-host add`: remembers a machine by a name, after looking whether it lets us in.

use agent_workspace_contract::{ErrorCode, HostKey, VmHostAddReport};

use super::row;
use crate::command::vm::{Fleet, HostKeys, LOOK_LIMIT};
use crate::error::{Error, Result};
use crate::machine::{Command, Machine};
use crate::ssh::{RemoteTarget, SshMachine};
use crate::workspace::MachineName;

/// Flags of `vm-host add`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name to remember it by
    #[arg(value_name = "VM_HOST")]
    name: String,
    /// How SSH reaches it: [USER@]HOST[:PORT], or a name from ~/.ssh/config
    #[arg(value_name = "HOST")]
    host: String,
    /// Remember it without looking whether it answers
    #[arg(long, conflicts_with = "accept_new_host_key")]
    no_check: bool,
    /// Whether to believe it
    #[command(flatten)]
    keys: HostKeys,
}

/// Which machine is to be remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// By which name.
    pub name: MachineName,
    /// How it is reached.
    pub host: RemoteTarget,
    /// Whether it is looked at.
    pub check: bool,
    /// Whether a host that was never seen is believed.
    pub accept_new: bool,
}

impl Args {
    /// Checks the name and the host.
    ///
    /// # Errors
    /// `invalid_name`, `invalid_host`.
    pub fn resolve(self) -> Result<Request> {
        let Self { name, host, no_check, keys: HostKeys { accept_new_host_key } } = self;
        Ok(Request {
            name: MachineName::parse(&name)?,
            host: RemoteTarget::parse(&host)?,
            check: !no_check,
            accept_new: accept_new_host_key,
        })
    }
}

/// Remembers it.
///
/// # Errors
/// `vm_host_exists`, those of connecting, `guest_failed`, or the store's own.
pub async fn run(fleet: &Fleet, request: Request) -> Result<VmHostAddReport> {
    let Request { name, host, check, accept_new } = request;
    let Looked { os, architecture, host_key } =
        if check { look(fleet, &host, accept_new).await? } else { Looked::default() };
    let mut records = fleet.store.write()?;
    let changed = records.add_vm_host(name.as_str(), &host.to_string(), os.as_deref(), architecture.as_deref())?;
    let gone = || Error::new(ErrorCode::VmHostNotFound, format!("VM host {name} was removed in the middle"));
    let record = records.vm_host(name.as_str())?.ok_or_else(gone)?;
    Ok(VmHostAddReport { vm_host: row(record, &records.vms()?), changed, host_key })
}

/// What the machine says that it is, and by which key it proved who it is.
#[derive(Default)]
struct Looked {
    os: Option<String>,
    architecture: Option<String>,
    host_key: Option<HostKey>,
}

async fn look(fleet: &Fleet, host: &RemoteTarget, accept_new: bool) -> Result<Looked> {
    fleet.progress.step("connecting", &format!("connecting to {host}"));
    let connection = fleet.connect(host, accept_new).await?;
    let machine = SshMachine::new(connection.clone());
    let mut unheard = |_: &[u8]| {};
    let asked = machine.run(Command::script("uname -s; uname -m", &[]), &mut unheard);
    let output = tokio::time::timeout(LOOK_LIMIT, asked).await.unwrap_or_else(|_| {
        Err(Error::new(ErrorCode::HostUnreachable, format!("host {host} does not say what it is"))
            .cause(format!("it did not answer within {} seconds", LOOK_LIMIT.as_secs()))
            .hint(format!("see: ssh {} uname", host.pasted())))
    })?;
    connection.close().await;
    let plain = |word: &&str| !word.is_empty() && word.len() <= 40 && word.chars().all(|c| c.is_ascii_graphic());
    let mut words = output.stdout.lines().map(str::trim).filter(plain);
    let (os, architecture) = (words.next().map(str::to_ascii_lowercase), words.next().map(str::to_owned));
    Ok(Looked { os, architecture, host_key: Some(connection.host_key().clone()) })
}
