//! SSH to machines that we do not run ourselves: the only room that names russh.
//!
//! One connection a command, with everything it does multiplexed on it. What `~/.ssh/config` says holds here as well;
//! host keys are checked by rules of our own (`known_hosts`), as the library's let revoked ones pass.

pub mod alias;
mod auth;
mod connect;
mod forward;
pub mod include;
mod known_hosts;
mod machine;
pub(crate) mod quoting;
pub mod section;
mod settings;
mod target;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use agent_workspace_contract::EnvVar;

pub use connect::Connection;
pub use forward::Uncarried;
pub use machine::SshMachine;
pub(crate) use machine::transport;
pub(crate) use quoting::join;
pub use target::RemoteTarget;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::machine::Secret;

/// What of this process SSH needs: who we are, where our files are, and which programs there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Client {
    /// Where `~` is.
    home: PathBuf,
    /// Who we are to a host that names no user.
    user: String,
    /// The socket of the agent.
    agent: Option<String>,
    /// The system's `ssh`, which knows how to read its own configuration.
    program: Option<PathBuf>,
    /// A key that is tried after those that SSH is configured with.
    key: Option<PathBuf>,
    /// Why it is not known which.
    key_unknown: Option<Error>,
    /// What the names of VMs begin with for the user's own `ssh`.
    prefix: String,
    /// What opens encrypted key files.
    passphrase: Option<Secret>,
}

impl Client {
    /// Reads it off the process.
    ///
    /// # Errors
    /// `invalid_environment`.
    pub fn of(host: &Host) -> Result<Self> {
        Ok(Self {
            home: host.home()?,
            user: host.user_name(),
            agent: host.var(EnvVar::SshAuthSock)?,
            program: host.program("ssh"),
            key: None,
            key_unknown: None,
            prefix: alias::PREFIX.to_owned(),
            passphrase: host.passphrase().cloned(),
        })
    }

    /// The same for VMs and the machines they are on, with the key that the configuration has for them. One that cannot
    /// be read is an error for who connects, and for nobody else.
    ///
    /// # Errors
    /// `invalid_environment`.
    pub fn of_vms(host: &Host) -> Result<Self> {
        let usual = Self::of(host)?;
        Ok(match host.config().map(Config::operator) {
            Ok(operator) => Self { key: operator.ssh_private_key, prefix: operator.ssh_host_prefix, ..usual },
            Err(error) => Self { key_unknown: Some(error), ..usual },
        })
    }

    /// The name by which the user's own `ssh` reaches a VM, as `vm ssh-config` gives it.
    pub fn alias(&self, vm: &str) -> String {
        format!("{}{vm}", self.prefix)
    }

    /// Where `~` is.
    pub fn home(&self) -> &std::path::Path {
        &self.home
    }
}
