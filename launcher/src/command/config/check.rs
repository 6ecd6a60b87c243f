//! `config check`: everything that is wrong with the configuration, and what it comes to.

use agent_workspace_contract::ConfigCheckReport;

use crate::config::{self, Examined};
use crate::error::Result;
use crate::host::Host;

/// Looks it over. What is wrong is in the report.
///
/// # Errors
/// `invalid_environment` when it is not known where it is.
pub fn run(host: &Host) -> Result<ConfigCheckReport> {
    let Examined { path, exists, source, read, problems, taken, ignored, templates, defaults } = config::examine(host)?;
    Ok(ConfigCheckReport {
        path: path.to_string_lossy().into_owned(),
        exists,
        source,
        read: read.map(|read| read.to_string_lossy().into_owned()),
        problems,
        taken,
        ignored,
        templates,
        defaults,
    })
}
