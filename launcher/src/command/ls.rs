//! `ls`: every workspace, newest first, in one call to the engine.

use agent_workspace_contract::LsReport;

use crate::backend;
use crate::command::App;
use crate::error::Result;
use crate::host::Host;

/// Flags of `ls`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where workspaces live: docker, host or vm
    #[arg(long, value_name = "BACKEND")]
    pub backend: Option<String>,
}

impl Args {
    /// Checks the backend.
    ///
    /// # Errors
    /// `unsupported`.
    pub fn resolve(self, host: &Host) -> Result<()> {
        let Self { backend } = self;
        backend::choose(backend.as_deref(), host).map(drop)
    }
}

/// Lists them.
///
/// # Errors
/// The backend's own; never because one workspace is broken.
pub async fn run(app: &App) -> Result<LsReport> {
    let workspaces = app.backend.list().await?;
    Ok(LsReport { workspaces: workspaces.iter().map(|workspace| app.row(workspace)).collect() })
}
