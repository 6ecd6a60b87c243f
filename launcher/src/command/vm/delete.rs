//! `vm delete`: forgets a VM; the machine goes with it where its platform has made it.

use agent_workspace_contract::VmDeleteReport;

use super::{Fleet, Target, not_found, ssh_config};
use crate::error::Result;
use crate::platform;
use crate::workspace::MachineName;

/// Flags of `vm delete`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The VM
    #[command(flatten)]
    target: Target,
    /// Succeed when there is no such VM
    #[arg(long)]
    if_exists: bool,
}

/// What is to be forgotten.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The VM.
    pub name: MachineName,
    /// Whether absence is success.
    pub if_exists: bool,
}

impl Args {
    /// Checks the name.
    ///
    /// # Errors
    /// `invalid_name`.
    pub fn resolve(self) -> Result<Request> {
        let Self { target, if_exists } = self;
        Ok(Request { name: target.resolve()?, if_exists })
    }
}

/// Deletes it.
///
/// # Errors
/// `vm_not_found`, `vm_busy`, the platform's own, or the store's.
pub async fn run(fleet: &Fleet, request: Request) -> Result<VmDeleteReport> {
    let Request { name, if_exists } = request;
    let vm = name.to_string();
    let record = match fleet.store.read()? {
        Some(records) => records.vm(&vm)?,
        None => None,
    };
    let Some(record) = record else {
        return if if_exists {
            Ok(VmDeleteReport { vm, changed: false, machine_deleted: false })
        } else {
            Err(not_found(&name))
        };
    };
    let _claim = fleet.store.claim(&vm)?;
    // First the machine: a row that is gone would leave one that nobody knows of.
    let machine_deleted = platform::open(&record.platform)?.delete(&record).await?;
    let changed = fleet.store.write()?.forget_vm(&vm)?;
    ssh_config::keep(fleet).await;
    Ok(VmDeleteReport { vm, changed, machine_deleted })
}
