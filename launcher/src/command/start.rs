//! `start`: makes a workspace running; never anything else.

use agent_workspace_contract::{LifecycleReport, WorkspaceStatus};

use crate::command::App;
use crate::error::Result;
use crate::workspace::WorkspaceName;

/// Starts it.
///
/// # Errors
/// `workspace_not_found`, `wrong_state`, or the backend's own.
pub async fn run(app: &App, name: WorkspaceName) -> Result<LifecycleReport> {
    let workspace = app.find(&name).await?;
    let changed = app.make_running(&workspace).await?;
    Ok(LifecycleReport { workspace: workspace.name, changed, status: WorkspaceStatus::Running })
}
