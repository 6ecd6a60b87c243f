//! `workspace-grants list`: which workspaces an agent may enter, and why.

use agent_workspace_contract::GrantsReport;

use crate::command::agent::{find, grants};
use crate::command::vm::Fleet;
use crate::error::Result;
use crate::workspace::AgentName;

/// Lists them as they are remembered. Nothing is written, and nobody is asked.
///
/// # Errors
/// `agent_not_found`, or the store's own.
pub async fn run(fleet: &Fleet, name: AgentName) -> Result<GrantsReport> {
    let agent = find(fleet, &name)?;
    let grants = grants(fleet, name.as_str())?;
    Ok(GrantsReport { agent: agent.name, vm: agent.vm, grant_all: agent.grant_all, grants, changed: false })
}
