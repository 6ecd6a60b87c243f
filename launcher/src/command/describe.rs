//! `describe`: one workspace and how to enter it.

use agent_workspace_contract::DescribeReport;

use crate::backend;
use crate::command::{App, Target};
use crate::error::Result;
use crate::host::Host;
use crate::workspace::WorkspaceName;

/// Flags of `describe`.
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

/// Describes it.
///
/// # Errors
/// `workspace_not_found`, or the backend's own.
pub async fn run(app: &App, name: WorkspaceName) -> Result<DescribeReport> {
    let workspace = app.find(&name).await?;
    Ok(DescribeReport { workspace: app.row(&workspace), transport: app.transport(&workspace) })
}
