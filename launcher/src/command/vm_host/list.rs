//! `vm-host list`: every VM host, as it is remembered.

use agent_workspace_contract::VmHostListReport;

use super::row;
use crate::error::Result;
use crate::store::Store;

/// Lists them. Nothing is written, and nobody is asked.
///
/// # Errors
/// The store's own.
pub fn run(store: &Store) -> Result<VmHostListReport> {
    let Some(records) = store.read()? else { return Ok(VmHostListReport { vm_hosts: Vec::new() }) };
    let vms = records.vms()?;
    Ok(VmHostListReport { vm_hosts: records.vm_hosts()?.into_iter().map(|record| row(record, &vms)).collect() })
}
