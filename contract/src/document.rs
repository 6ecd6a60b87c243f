//! The envelope that every document shares, for success and for failure.

use serde::Serialize;

use crate::{ErrorCode, SCHEMA_VERSION};

/// Something a person should know although the command succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Warning {
    /// Machine-readable kind, snake case; new ones may appear.
    pub code: String,
    /// One sentence for people.
    pub message: String,
}

/// The one document of a command that succeeded: the envelope and the report's keys beside it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Success<R> {
    /// Launcher version, semver; equals `--version`.
    pub version: String,
    /// Names of what this launcher promises.
    pub capabilities: Vec<String>,
    /// The spelling used on the command line.
    pub command: String,
    /// The command's own keys.
    #[serde(flatten)]
    pub report: R,
    /// Version of the documents' shape.
    pub schema_version: u32,
    /// Always true here.
    pub ok: bool,
    /// Never null.
    pub warnings: Vec<Warning>,
}

/// The one document of a command that failed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorDocument {
    /// Launcher version, semver; equals `--version`.
    pub version: String,
    /// Names of what this launcher promises.
    pub capabilities: Vec<String>,
    /// The spelling used; null when the error struck before the command was known.
    pub command: Option<String>,
    /// Version of the documents' shape.
    pub schema_version: u32,
    /// Always false here.
    pub ok: bool,
    /// Never null.
    pub warnings: Vec<Warning>,
    /// What went wrong.
    pub error: ErrorBody,
}

/// The one document of a command that failed and has a report all the same: the error and the report's keys beside it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure<R> {
    /// The document of the failure.
    #[serde(flatten)]
    pub document: ErrorDocument,
    /// The command's own keys; absent when it did not get as far.
    #[serde(flatten)]
    pub report: Option<R>,
}

/// What went wrong, for programs and for people.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// One of the closed list that `capabilities` prints.
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::ErrorCodeName"))]
    pub code: ErrorCode,
    /// One sentence for people.
    pub message: String,
    /// What to do or paste next; null when there is nothing better to say.
    pub hint: Option<String>,
    /// What lies behind the message, outermost first.
    pub causes: Vec<String>,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// The exit code of the process.
    pub exit_code: u8,
    /// Further facts by name, as the error's code allows.
    pub details: serde_json::Map<String, serde_json::Value>,
}

impl<R> Success<R> {
    /// Wraps a report in the envelope of a command spelled `command`.
    pub fn new(version: &str, capabilities: Vec<String>, command: &str, report: R, warnings: Vec<Warning>) -> Self {
        Self {
            version: version.to_owned(),
            capabilities,
            command: command.to_owned(),
            report,
            schema_version: SCHEMA_VERSION,
            ok: true,
            warnings,
        }
    }
}

impl ErrorDocument {
    /// Wraps an error in the envelope; `command` is what was typed, when that much was understood.
    #[must_use]
    pub fn new(
        version: &str,
        capabilities: Vec<String>,
        command: Option<&str>,
        error: ErrorBody,
        warnings: Vec<Warning>,
    ) -> Self {
        Self {
            version: version.to_owned(),
            capabilities,
            command: command.map(str::to_owned),
            schema_version: SCHEMA_VERSION,
            ok: false,
            warnings,
            error,
        }
    }
}
