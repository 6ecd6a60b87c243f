//! `vm list`: every VM as it is remembered; with `--live` each is asked how it is, all at once.

use agent_workspace_contract::{VmListReport, VmPhase, VmRow, VmStatus};
use futures_util::future::join_all;

use super::{Fleet, looked, not_answering, with_status};
use crate::error::Result;
use crate::store::VmRecord;

/// Flags of `vm list`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Ask each one how it is, for at most ten seconds
    #[arg(long)]
    live: bool,
}

impl Args {
    /// Whether they are asked.
    pub fn resolve(self) -> bool {
        let Self { live } = self;
        live
    }
}

/// Lists them. Nothing is written.
///
/// # Errors
/// The store's own; never because a VM does not answer.
pub async fn run(fleet: &Fleet, live: bool) -> Result<VmListReport> {
    let records = match fleet.store.read()? {
        Some(records) => records.vms()?,
        None => Vec::new(),
    };
    let rows = records.iter().map(|vm| fleet.row(vm)).collect::<Result<Vec<_>>>()?;
    let vms = if live { join_all(records.iter().zip(rows).map(|(vm, row)| asked(fleet, vm, row))).await } else { rows };
    Ok(VmListReport { vms })
}

/// A VM with the state that it is in now.
async fn asked(fleet: &Fleet, vm: &VmRecord, row: VmRow) -> VmRow {
    if vm.provisioning != VmPhase::Complete {
        return with_status(row, VmStatus::Unknown, None);
    }
    let error = match looked(fleet.reach(vm, false), vm).await {
        Ok(connection) => {
            connection.close().await;
            return with_status(row, VmStatus::Running, None);
        }
        Err(error) => error,
    };
    with_status(row, not_answering(vm).await, Some(&error))
}
