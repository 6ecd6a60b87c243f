//! What the launcher says of itself and of what it was given.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

report! {
    /// What one command can do.
    pub struct CommandSummary {
        /// Whether it answers in JSON with `--output json`.
        pub json: bool,
    }
}

report! {
    /// What one backend is.
    pub struct BackendSummary {
        /// How far workspaces are kept apart.
        pub isolation: String,
        /// Whether it is used when none is asked for.
        pub default: bool,
    }
}

report! {
    /// What one error code means.
    pub struct ErrorSummary {
        /// The exit code of the process.
        pub exit_code: u8,
        /// Whether the same call may succeed later.
        pub retryable: bool,
        /// One phrase for people.
        pub summary: String,
    }
}

report! {
    /// What this launcher can do.
    pub struct CapabilitiesReport {
        /// Versions of the documents' shape that it can print.
        pub schema_versions: Vec<u32>,
        /// Every command by name.
        pub commands: BTreeMap<String, CommandSummary>,
        /// Every backend by name.
        pub backends: BTreeMap<String, BackendSummary>,
        /// Every error code.
        pub errors: BTreeMap<String, ErrorSummary>,
    }
}

report! {
    /// The answer to `--supports`, when asked for as JSON and yes.
    pub struct SupportsReport {
        /// The capability asked for.
        pub capability: String,
        /// Always true: no is an error document.
        pub supported: bool,
    }
}

report! {
    /// The answer to `--requires`, when asked for as JSON and yes.
    pub struct RequiresReport {
        /// The requirement asked for.
        pub requirement: String,
        /// Always true: no is an error document.
        pub satisfied: bool,
    }
}

report! {
    /// The answer to `--version`, when asked for as JSON: the envelope says it.
    pub struct VersionReport {}
}

report! {
    /// What `parse-repo` read.
    pub struct ParseRepoReport {
        /// `owner/repo`.
        pub repo: String,
        /// Its git host, with the port when one was given.
        pub host: String,
        /// Where it is cloned from, over HTTPS.
        pub url: String,
        /// Where `create` clones it to, inside the workspace.
        pub path: String,
    }
}

report! {
    /// What `completion` prints, when asked for as JSON.
    pub struct CompletionReport {
        /// The shell it is for.
        pub shell: String,
        /// What that shell is to run.
        pub script: String,
    }
}

report! {
    /// The answer to `--help` and `help`, when asked for as JSON.
    pub struct HelpReport {
        /// The text a person would read.
        pub help: String,
    }
}

/// The schemas that were asked for, when asked for as JSON.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SchemaReport {
    /// JSON Schema (2020-12) by command.
    pub schemas: BTreeMap<String, Value>,
}

/// The value that `field` read, when asked for as JSON.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldReport {
    /// The value at the pointer; never null.
    pub value: Value,
}
