//! What each command reports. These types are the JSON: a key here is a key on stdout.
//!
//! Absent means not applicable, `null` means asked but not determined, lists are never null.

use std::collections::BTreeMap;

use serde::Serialize;

macro_rules! report {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }
    };
}

macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_meta])* $variant,)* }
    };
}

words! {
    /// What state a workspace is in. Readers treat members they do not know as `unknown`.
    pub enum WorkspaceStatus {
        /// Made but never started: its `create` is still at work, or was cut off.
        Creating,
        /// Commands can be run in it.
        Running,
        /// Its files are there; `start` makes it usable.
        Stopped,
        /// Frozen by somebody; `start` thaws it.
        Paused,
        /// Its files are there and its container is not.
        Missing,
        /// The engine cannot start it any more.
        Broken,
        /// Its engine or host did not answer.
        Unreachable,
        /// A state this launcher does not know.
        Unknown,
    }
}

impl WorkspaceStatus {
    /// The word printed for people and in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Missing => "missing",
            Self::Broken => "broken",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }
}

words! {
    /// How the words of a command are appended to a transport.
    pub enum Quoting {
        /// As separate arguments.
        Argv,
        /// Joined into one shell-quoted string first.
        Shell,
    }
}

report! {
    /// How to get into a workspace, as data.
    pub struct Transport {
        /// Prefix for a command without a terminal.
        pub exec: Vec<String>,
        /// Prefix for a command with a terminal.
        pub tty: Vec<String>,
        /// Who the command runs as.
        pub user: String,
        /// Where it starts, an absolute path inside the workspace.
        pub workdir: String,
        /// How the command's words are appended.
        pub quoting: Quoting,
    }
}

report! {
    /// Something that is wrong with one workspace and does not hide the others.
    pub struct Problem {
        /// Machine-readable kind, snake case.
        pub code: String,
        /// One sentence for people.
        pub message: String,
        /// What to do about it.
        pub hint: Option<String>,
    }
}

report! {
    /// One workspace, as `ls` and `describe` show it.
    pub struct WorkspaceRow {
        /// Full name, accepted by every command.
        pub workspace: String,
        /// The name without the prefix.
        pub name: String,
        /// Where it lives.
        pub backend: String,
        /// What state it is in.
        pub status: WorkspaceStatus,
        /// `owner/repo`, or null when it was made without a repository.
        pub repo: Option<String>,
        /// The clone, or the work directory when there is none; null when not known.
        pub path: Option<String>,
        /// The image as named when it was made; null when not known.
        pub image: Option<String>,
        /// RFC 3339, UTC; null when not known.
        pub created_at: Option<String>,
        /// What is wrong with it.
        pub problems: Vec<Problem>,
    }
}

report! {
    /// How secrets of the host reach the workspace.
    pub struct SecretsReport {
        /// Whether a folder of secrets is mounted.
        pub enabled: bool,
        /// The folder on the host.
        pub dir: Option<String>,
        /// Where it is inside the workspace.
        pub mount: Option<String>,
        /// The profile that was applied.
        pub codex_profile: Option<String>,
        /// Whether the workspace cannot change them.
        pub readonly: bool,
    }
}

report! {
    /// What `create` and `up` did.
    pub struct CreateReport {
        /// Full name of the workspace.
        pub workspace: String,
        /// Whether this call made it; false when it was there already.
        pub created: bool,
        /// `owner/repo`, or null without a repository.
        pub repo: Option<String>,
        /// The clone, or the work directory when nothing was cloned.
        pub path: String,
        /// The image it really runs.
        pub image: String,
        /// Secrets that are really mounted.
        pub secrets: SecretsReport,
        /// Where it lives.
        pub backend: String,
        /// What state it is in now.
        pub status: WorkspaceStatus,
        /// How to get in.
        pub transport: Transport,
        /// The tunnel, when one was asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub tunnel: Option<TunnelReport>,
        /// Milliseconds spent, by phase; phases that did not happen are absent.
        pub timings_ms: BTreeMap<String, u64>,
    }
}

report! {
    /// Every workspace.
    pub struct LsReport {
        /// Newest first.
        pub workspaces: Vec<WorkspaceRow>,
    }
}

report! {
    /// One workspace and how to enter it.
    pub struct DescribeReport {
        /// The workspace.
        pub workspace: WorkspaceRow,
        /// How to get in.
        pub transport: Transport,
    }
}

report! {
    /// What `start` and `stop` did.
    pub struct LifecycleReport {
        /// Full name of the workspace.
        pub workspace: String,
        /// Whether this call changed anything.
        pub changed: bool,
        /// What state it is in now.
        pub status: WorkspaceStatus,
    }
}

report! {
    /// A thing that `rm` removed.
    pub struct RemovedItem {
        /// `container` or `volume`.
        pub kind: String,
        /// The engine's name for it.
        pub id: String,
    }
}

report! {
    /// A thing that `rm` was asked to keep.
    pub struct KeptItem {
        /// `container` or `volume`.
        pub kind: String,
        /// The engine's name for it.
        pub id: String,
    }
}

report! {
    /// A thing that `rm` could not remove.
    pub struct FailedItem {
        /// `container` or `volume`.
        pub kind: String,
        /// The engine's name for it.
        pub id: String,
        /// Why, in the engine's words.
        pub message: String,
    }
}

report! {
    /// What `rm` did.
    pub struct RmReport {
        /// Full name of the workspace.
        pub workspace: String,
        /// What is gone.
        pub removed: Vec<RemovedItem>,
        /// What was asked to be kept.
        pub kept: Vec<KeptItem>,
        /// What could not be removed.
        pub failed: Vec<FailedItem>,
        /// Whether this call changed anything.
        pub changed: bool,
    }
}

report! {
    /// What a person must do to log the tunnel in.
    pub struct Login {
        /// Page to open.
        pub url: String,
        /// Code to type there; null when the page needs none.
        pub code: Option<String>,
    }
}

report! {
    /// The tunnel of a workspace.
    pub struct TunnelReport {
        /// Full name of the workspace.
        pub workspace: String,
        /// The name of the tunnel that runs.
        pub tunnel_name: String,
        /// Whether it was asked to run in the background.
        pub detach: bool,
        /// Whether it ran before this call.
        pub already_running: bool,
        /// Its log, inside the workspace.
        pub log_path: String,
        /// What a person must do to log it in; null when it asks for nothing or has not asked yet.
        pub login: Option<Login>,
    }
}

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
    /// The image that `image build` made.
    pub struct ImageBuildReport {
        /// Its tag.
        pub image: String,
        /// The engine's id of it; null when the engine did not say.
        pub id: Option<String>,
        /// What it was built from.
        pub base: String,
        /// Milliseconds spent, by phase.
        pub timings_ms: BTreeMap<String, u64>,
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
    pub schemas: BTreeMap<String, serde_json::Value>,
}

/// The value that `field` read, when asked for as JSON.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldReport {
    /// The value at the pointer; never null.
    pub value: serde_json::Value,
}
