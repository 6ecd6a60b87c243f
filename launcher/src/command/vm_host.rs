//! The verbs of `vm-host`: the machines that VMs are on, by names of one's own.

pub mod add;
pub mod list;
pub mod remove;

use agent_workspace_contract::VmHostRow;

use crate::store::{VmHostRecord, VmRecord};

/// A VM host as documents show it.
fn row(record: VmHostRecord, vms: &[VmRecord]) -> VmHostRow {
    let VmHostRecord { name, host, os, architecture, created_at, last_seen_at } = record;
    let on_it = vms.iter().filter(|vm| vm.vm_host.as_deref() == Some(name.as_str()));
    let vms = on_it.map(|vm| vm.name.clone()).collect();
    VmHostRow { vm_host: name, host, os, architecture, created_at, last_seen_at, vms }
}
