//! `capabilities`, `--supports` and `--requires`: what this launcher can do. None of them touches anything.

use agent_workspace_contract::{
    BackendSummary, CapabilitiesReport, CommandSummary, ErrorCode, ErrorSummary, RequiresReport, SCHEMA_VERSION,
    SupportsReport,
};
use semver::{Version, VersionReq};

use crate::backend::{BACKENDS, HOST};
use crate::capabilities::{VERSION, names};
use crate::cli::COMMANDS;
use crate::error::{Error, Result, usage};

/// Everything this launcher can do.
pub fn run() -> CapabilitiesReport {
    let commands = COMMANDS.iter().map(|name| ((*name).to_owned(), CommandSummary { json: true })).collect();
    let backends = BACKENDS.iter().enumerate().map(|(place, name)| {
        let isolation = if *name == HOST { "process" } else { "container" };
        ((*name).to_owned(), BackendSummary { isolation: isolation.to_owned(), default: place == 0 })
    });
    let errors = ErrorCode::ALL.iter().map(|code| {
        let summary = ErrorSummary {
            exit_code: code.exit().code(),
            retryable: code.retryable(),
            summary: code.summary().to_owned(),
        };
        (code.as_str().to_owned(), summary)
    });
    CapabilitiesReport {
        schema_versions: vec![SCHEMA_VERSION],
        commands,
        backends: backends.collect(),
        errors: errors.collect(),
    }
}

/// Whether a capability is there. An unknown name is a no like any other.
///
/// # Errors
/// `capability_absent`.
pub fn supports(name: &str) -> Result<SupportsReport> {
    if names().iter().any(|known| known == name) {
        return Ok(SupportsReport { capability: name.to_owned(), supported: true });
    }
    Err(Error::new(ErrorCode::CapabilityAbsent, format!("this launcher does not have the capability {name:?}"))
        .detail("capability", name))
}

/// Whether the launcher's version satisfies a semver requirement.
///
/// # Errors
/// `usage` when it is no requirement, `capability_absent` when it is not satisfied.
pub fn requires(requirement: &str) -> Result<RequiresReport> {
    let parsed = VersionReq::parse(requirement).map_err(|error| {
        usage(format!("{requirement:?} is not a version requirement: {error}"))
            .hint("agent-workspace --requires '>=0.2, <1'")
    })?;
    let own = Version::parse(VERSION)
        .map_err(|error| Error::new(ErrorCode::Internal, "the version is broken").cause(error.to_string()))?;
    if parsed.matches(&own) {
        return Ok(RequiresReport { requirement: requirement.to_owned(), satisfied: true });
    }
    Err(Error::new(ErrorCode::CapabilityAbsent, format!("version {VERSION} does not satisfy {requirement:?}"))
        .detail("requirement", requirement))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_semver() {
        assert!(requires(">=0.2, <1").is_ok());
        assert_eq!(requires(">=99").unwrap_err().code(), ErrorCode::CapabilityAbsent);
        assert_eq!(requires("latest").unwrap_err().code(), ErrorCode::Usage);
    }

    #[test]
    fn unknown_capabilities_are_absent_and_not_wrong() {
        assert!(supports("output-json").is_ok());
        assert_eq!(supports("nosuch").unwrap_err().code(), ErrorCode::CapabilityAbsent);
    }
}
