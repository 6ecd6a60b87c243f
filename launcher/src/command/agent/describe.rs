//! `agent describe`: one agent, and what it may enter.

use agent_workspace_contract::AgentDescribeReport;

use super::{find, grants, row};
use crate::command::vm::Fleet;
use crate::error::Result;
use crate::workspace::AgentName;

/// Describes it as it is remembered. Nothing is written, and nobody is asked.
///
/// # Errors
/// `agent_not_found`, or the store's own.
pub async fn run(fleet: &Fleet, name: AgentName) -> Result<AgentDescribeReport> {
    let agent = find(fleet, &name)?;
    Ok(AgentDescribeReport { agent: row(fleet, &agent), grants: grants(fleet, name.as_str())? })
}
