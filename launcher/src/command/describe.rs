//! `describe`: one workspace and how to enter it.

use agent_workspace_contract::DescribeReport;

use crate::command::{App, create};
use crate::error::Result;
use crate::workspace::WorkspaceName;

/// Describes it.
///
/// # Errors
/// `workspace_not_found`, or the backend's own.
pub async fn run(app: &App, name: WorkspaceName) -> Result<DescribeReport> {
    let workspace = app.find(&name).await?;
    let secrets = create::secrets::report(workspace.secrets.as_ref(), None);
    Ok(DescribeReport {
        workspace: app.row(&workspace),
        isolation: workspace.isolation,
        secrets,
        transport: app.transport(&workspace),
    })
}
