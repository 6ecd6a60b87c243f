//! `stop`: makes a workspace stopped; never anything else.

use agent_workspace_contract::{LifecycleReport, WorkspaceStatus};

use crate::command::App;
use crate::error::Result;
use crate::workspace::WorkspaceName;

/// Stops it.
///
/// # Errors
/// `workspace_not_found`, `wrong_state`, or the backend's own.
pub async fn run(app: &App, name: WorkspaceName) -> Result<LifecycleReport> {
    let workspace = app.find(&name).await?;
    let changed = match workspace.status {
        WorkspaceStatus::Stopped | WorkspaceStatus::Creating => false,
        _ => app.backend.stop(&workspace).await?,
    };
    let status = if changed { WorkspaceStatus::Stopped } else { workspace.status };
    Ok(LifecycleReport { workspace: workspace.name, changed, status })
}
