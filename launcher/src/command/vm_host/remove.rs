//! `vm-host remove`: forgets a VM host. Nothing on it is touched.

use agent_workspace_contract::{ErrorCode, VmHostRemoveReport};

use crate::error::{Error, Result};
use crate::store::Store;
use crate::workspace::MachineName;

/// Flags of `vm-host remove`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the VM host
    #[arg(value_name = "VM_HOST")]
    name: String,
    /// Forget it even when VMs are on it; they are kept
    #[arg(long)]
    force: bool,
    /// Succeed when there is no such VM host
    #[arg(long)]
    if_exists: bool,
}

/// What is to be forgotten.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The VM host.
    pub name: MachineName,
    /// Whether VMs may be on it.
    pub force: bool,
    /// Whether absence is success.
    pub if_exists: bool,
}

impl Args {
    /// Checks the name.
    ///
    /// # Errors
    /// `invalid_name`.
    pub fn resolve(self) -> Result<Request> {
        let Self { name, force, if_exists } = self;
        Ok(Request { name: MachineName::parse(&name)?, force, if_exists })
    }
}

/// Forgets it.
///
/// # Errors
/// `vm_host_not_found`, `vm_host_in_use`, or the store's own.
pub fn run(store: &Store, request: Request) -> Result<VmHostRemoveReport> {
    let Request { name, force, if_exists } = request;
    // Where nothing is remembered nothing is to be made either.
    let known = match store.read()? {
        Some(records) => records.vm_host(name.as_str())?.is_some(),
        None => false,
    };
    let removed = if known { store.write()?.remove_vm_host(name.as_str(), force)? } else { None };
    match removed {
        Some(detached_vms) => Ok(VmHostRemoveReport { vm_host: name.to_string(), changed: true, detached_vms }),
        None if if_exists => {
            Ok(VmHostRemoveReport { vm_host: name.to_string(), changed: false, detached_vms: Vec::new() })
        }
        None => Err(Error::new(ErrorCode::VmHostNotFound, format!("VM host not found: {name}"))
            .detail("vm_host", name.as_str())
            .hint("see what there is: agent-workspace vm-host list")),
    }
}
