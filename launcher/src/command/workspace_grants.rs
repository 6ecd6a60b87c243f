//! The verbs of `workspace-grants`: which workspaces of its VM an agent may enter. What is remembered is the truth, and the
//! groups on the machine follow; at no moment has an agent more there than is remembered.

pub mod deny;
pub mod grant;
pub mod list;

use agent_workspace_contract::ErrorCode;

use super::agent::admitted_to;
use super::vm::Fleet;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{AgentRecord, AgentState, WorkspaceRecord, WorkspaceState};
use crate::workspace::WorkspaceName;

/// Flags that name an agent and workspaces.
#[derive(clap::Args, Debug)]
pub struct Target {
    /// Name of the agent
    #[arg(value_name = "AGENT")]
    agent: String,
    /// Workspaces of its VM
    #[arg(value_name = "WORKSPACE", conflicts_with = "all")]
    workspaces: Vec<String>,
}

/// The names that were typed.
///
/// # Errors
/// `invalid_name`, `invalid_environment`.
fn names(typed: &[String], host: &Host) -> Result<Vec<WorkspaceName>> {
    let prefix = super::prefix(host)?;
    typed.iter().map(|name| WorkspaceName::parse(name, &prefix)).collect()
}

/// The workspaces that names stand for, all of which are on the agent's VM.
///
/// # Errors
/// `workspace_not_found`, `grant_elsewhere`, or the store's own.
fn found(fleet: &Fleet, agent: &AgentRecord, names: &[WorkspaceName]) -> Result<Vec<WorkspaceRecord>> {
    let records = fleet.store.read()?;
    let find = |name: &WorkspaceName| {
        let meant = [Some(name.canonical()), name.legacy(), name.verbatim()];
        for full in meant.into_iter().flatten() {
            let record = records.as_ref().map(|records| records.workspace(full)).transpose()?.flatten();
            if let Some(record) = record.filter(|record| record.state != WorkspaceState::Kept) {
                return Ok(record);
            }
        }
        let vm = &agent.vm;
        Err(Error::new(ErrorCode::WorkspaceNotFound, format!("workspace not found on VM {vm}: {}", name.canonical()))
            .detail("workspace", name.canonical())
            .hint(format!("see what there is: agent-workspace vm describe {vm}")))
    };
    let mut found: Vec<WorkspaceRecord> = Vec::new();
    for name in names {
        let workspace = find(name)?;
        if workspace.vm != agent.vm {
            let WorkspaceRecord { name, vm, .. } = workspace;
            let message = format!("workspace {name} is on VM {vm}, and agent {} is on VM {}", agent.name, agent.vm);
            return Err(Error::new(ErrorCode::GrantElsewhere, message)
                .detail("workspace", name)
                .detail("vm", vm.clone())
                .hint(format!("make an agent there: agent-workspace agent create NAME --vm {vm}")));
        }
        if !found.iter().any(|other| other.name == workspace.name) {
            found.push(workspace);
        }
    }
    Ok(found)
}

/// Refuses an agent that is not whole.
///
/// # Errors
/// `agent_exists`.
fn is_ready(agent: &AgentRecord) -> Result<()> {
    let name = &agent.name;
    let (how, next) = match agent.state {
        AgentState::Ready => return Ok(()),
        AgentState::Creating => ("made", "create"),
        _ => ("deleted", "delete"),
    };
    Err(Error::new(ErrorCode::AgentExists, format!("agent {name} is being {how}"))
        .detail("agent", name.clone())
        .hint(format!("go on with that first: agent-workspace agent {next} {name}")))
}
