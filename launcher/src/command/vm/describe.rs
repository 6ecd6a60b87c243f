//! `vm describe`: one VM, how it is at this moment, and what happened to it.

use agent_workspace_contract::{ErrorCode, Problem, VmDescribeReport, VmLive, VmPhase, VmStatus};

use super::{Fleet, looked, not_answering, transport, with_status};
use crate::error::Result;
use crate::guest::vm;
use crate::ssh::SshMachine;
use crate::store::VmRecord;
use crate::workspace::MachineName;

/// Describes it. Nothing is written.
///
/// # Errors
/// `vm_not_found`, or the store's own; never because the VM does not answer.
pub async fn run(fleet: &Fleet, name: MachineName) -> Result<VmDescribeReport> {
    let record = fleet.find(&name)?;
    let (events, (workspaces, agents)) = match fleet.store.read()? {
        Some(records) => (records.events(name.as_str())?, records.on_vm(name.as_str())?),
        None => Default::default(),
    };
    let transport = transport(&record)?;
    let mut row = fleet.row(&record)?;
    if record.provisioning != VmPhase::Complete {
        let vm = with_status(row, VmStatus::Unknown, None);
        return Ok(VmDescribeReport { vm, live: None, workspaces, agents, events, transport });
    }
    let (status, live, why) = match looked(ask(fleet, &record), &record).await {
        Ok(Ok((live, mark))) => {
            row.problems.extend(other_machine(&record, mark.as_deref()));
            (VmStatus::Running, Some(live), None)
        }
        Ok(Err(error)) => (VmStatus::Running, None, Some(error)),
        Err(error) => (not_answering(&record).await, None, Some(error)),
    };
    let vm = with_status(row, status, why.as_ref());
    Ok(VmDescribeReport { vm, live, workspaces, agents, events, transport })
}

/// How a VM is and which mark it carries, or why one that let us in did not say.
async fn ask(fleet: &Fleet, record: &VmRecord) -> Result<Result<(VmLive, Option<String>)>> {
    let connection = fleet.reach(record, false).await?;
    let live = vm::live(&SshMachine::new(connection.clone())).await;
    connection.close().await;
    match live {
        Err(error) if error.code() == ErrorCode::HostUnreachable => Err(error),
        live => Ok(live),
    }
}

/// The problem of a VM at whose address another machine answers than the one that was taken in.
fn other_machine(record: &VmRecord, mark: Option<&str>) -> Option<Problem> {
    let VmRecord { name, machine_id, .. } = record;
    if machine_id.is_none() || machine_id.as_deref() == mark {
        return None;
    }
    let message = match mark {
        Some(_) => format!("the machine that answers for VM {name} is another one than was taken in"),
        None => format!("the machine that answers for VM {name} has no mark of one: it was made anew, or is another"),
    };
    let hint = format!("see what is there, then take it in anew: agent-workspace vm delete {name}, and vm create");
    Some(Problem { code: "other_machine".to_owned(), message, hint: Some(hint) })
}
