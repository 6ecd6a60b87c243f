//! `vm stop`: ends a VM's machine without losing it, where its platform can.

use agent_workspace_contract::{VmLifecycleReport, VmStatus};

use super::Fleet;
use crate::error::Result;
use crate::platform;
use crate::workspace::MachineName;

/// Stops it.
///
/// # Errors
/// `vm_not_found`, `vm_busy`, `unsupported` where the platform cannot.
pub async fn run(fleet: &Fleet, name: MachineName) -> Result<VmLifecycleReport> {
    let record = fleet.find(&name)?;
    let _claim = fleet.store.claim(name.as_str())?;
    let changed = platform::of(&record)?.stop(&record).await?;
    Ok(VmLifecycleReport { vm: record.name, changed, status: VmStatus::Stopped })
}
