//! `start`: makes a workspace running; never anything else.

use agent_workspace_contract::{LifecycleReport, WorkspaceStatus};

use crate::backend;
use crate::command::{App, Target};
use crate::error::Result;
use crate::host::Host;
use crate::workspace::WorkspaceName;

/// Flags of `start`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The workspace
    #[command(flatten)]
    target: Target,
}

impl Args {
    /// The workspace's possible names.
    ///
    /// # Errors
    /// `invalid_name`, `invalid_environment`, `unsupported`.
    pub fn resolve(self, host: &Host) -> Result<WorkspaceName> {
        let Self { target } = self;
        backend::choose(target.backend.as_deref(), host)?;
        target.resolve(host)
    }
}

/// Starts it.
///
/// # Errors
/// `workspace_not_found`, `wrong_state`, or the backend's own.
pub async fn run(app: &App, name: WorkspaceName) -> Result<LifecycleReport> {
    let workspace = app.find(&name).await?;
    let changed = app.make_running(&workspace).await?;
    Ok(LifecycleReport { workspace: workspace.name, changed, status: WorkspaceStatus::Running })
}
