//! `vm start`: makes a VM run, where its platform can.

use agent_workspace_contract::{ErrorCode, VmLifecycleReport, VmStatus};

use super::Fleet;
use crate::error::Result;
use crate::platform;
use crate::workspace::MachineName;

/// Starts it. One that answers runs already.
///
/// # Errors
/// `vm_not_found`, `vm_not_ready`, `vm_busy`, `unsupported` where the platform cannot, or the connection's own.
pub async fn run(fleet: &Fleet, name: MachineName) -> Result<VmLifecycleReport> {
    let record = fleet.find(&name)?;
    let _claim = fleet.store.claim(name.as_str())?;
    let changed = match fleet.reach(&record, false).await {
        Ok(connection) => {
            connection.close().await;
            false
        }
        Err(error) if error.code() == ErrorCode::HostUnreachable => {
            let started = platform::of(&record)?.start(&record).await;
            started.map_err(|refused| refused.cause(error.to_string()))?
        }
        Err(error) => return Err(error),
    };
    Ok(VmLifecycleReport { vm: record.name, changed, status: VmStatus::Running })
}
