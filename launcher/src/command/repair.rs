//! `repair`: proves what belongs to a workspace on a VM, and restores what does not hold.

use agent_workspace_contract::{RepairReport, VmStep};

use crate::backend::Repaired;
use crate::command::App;
use crate::command::code_workspace::File;
use crate::error::Result;
use crate::workspace::WorkspaceName;

/// Repairs it.
///
/// # Errors
/// `workspace_not_found`, `unsupported` where workspaces are not on VMs, `wrong_state` when nothing of it is there,
/// `name_taken` when what is there is somebody else's, or the backend's own.
pub async fn run(app: &App, name: WorkspaceName) -> Result<RepairReport> {
    let workspace = app.find(&name).await?;
    app.progress.step("repair_started", &format!("looking through workspace {}", workspace.name));
    let file = File::of(app, &workspace);
    let Repaired { mut steps, gone } = app.backend.repair(&workspace).await?;
    match file {
        Some(file) if gone => file.take(&app.progress),
        Some(file) => steps.push(VmStep { step: "code_workspace".to_owned(), changed: file.follow(app) }),
        None => {}
    }
    let changed = steps.iter().any(|step| step.changed);
    Ok(RepairReport { workspace: workspace.name, changed, steps, gone })
}
