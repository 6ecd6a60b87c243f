//! `config sample`: everything that a configuration may say.

use agent_workspace_contract::ConfigSampleReport;

use crate::config;
use crate::error::Result;
use crate::host::Host;

/// Prints it.
///
/// # Errors
/// `invalid_environment` when it is not known where the configuration is.
pub fn run(host: &Host) -> Result<ConfigSampleReport> {
    let path = config::ours(host)?.path;
    Ok(ConfigSampleReport { path: path.to_string_lossy().into_owned(), sample: config::sample() })
}
