//! Workspaces: what one is, what made it, how it is entered.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

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
    /// How high the walls of a workspace are. Readers treat members they do not know as `unknown`.
    pub enum Isolation {
        /// Without the capabilities that a development box does not need, and with a limit of processes.
        Standard,
        /// No new privileges, no capabilities, a root that cannot be written, no network unless one was named.
        Strict,
        /// What the engine gives every container; an earlier launcher made it.
        EngineDefault,
        /// Namespaces of its own for processes, files and users: no home, no `/run`, no capabilities, no new privileges,
        /// a root that cannot be written. The network is the machine's.
        Process,
        /// A Linux user of its own on a machine with others, and no walls: what is the workspace's is closed to them,
        /// what everybody on the machine may do and see is not.
        User,
        /// No walls: what runs in it may do what its user may do on this machine.
        None,
        /// Not known.
        Unknown,
    }
}

impl Isolation {
    /// The word printed for people and in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Strict => "strict",
            Self::EngineDefault => "engine_default",
            Self::Process => "process",
            Self::User => "user",
            Self::None => "none",
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
    /// How secrets of the host reach the workspace: what is really mounted, not what was asked for.
    pub struct SecretsReport {
        /// Whether a folder of secrets is mounted.
        pub enabled: bool,
        /// The folder on the host.
        pub dir: Option<String>,
        /// Where it is inside the workspace.
        pub mount: Option<String>,
        /// The profile that this call has applied.
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
        /// The image it really runs; empty where workspaces run what this machine has.
        pub image: String,
        /// Secrets that are really mounted.
        pub secrets: SecretsReport,
        /// How high its walls really are.
        pub isolation: Isolation,
        /// Where it lives.
        pub backend: String,
        /// What state it is in now.
        pub status: WorkspaceStatus,
        /// How to get in.
        pub transport: Transport,
        /// The tunnel, when one was asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub tunnel: Option<TunnelReport>,
        /// The file by which VS Code opens it; null when it could not be written, absent where there is to be none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub code_workspace: Option<Option<String>>,
        /// Milliseconds spent, by phase; phases that did not happen are absent.
        pub timings_ms: BTreeMap<String, u64>,
    }
}

report! {
    /// What `copy` did.
    pub struct CopyReport {
        /// Full name of the new workspace.
        pub workspace: String,
        /// Full name of the one it was made like.
        pub source: String,
        /// Where that lives.
        pub source_backend: String,
        /// Whether this call made it; always, as one that is there is never copied to.
        pub created: bool,
        /// `owner/repo`, or null without a repository.
        pub repo: Option<String>,
        /// The clone, or the work directory when there is none.
        pub path: String,
        /// The image it really runs; empty where workspaces run what this machine has.
        pub image: String,
        /// How high its walls really are.
        pub isolation: Isolation,
        /// Where it lives.
        pub backend: String,
        /// What state it is in now.
        pub status: WorkspaceStatus,
        /// Files that it has from its source.
        pub files: u64,
        /// Bytes in them.
        pub bytes: u64,
        /// How to get in.
        pub transport: Transport,
        /// Milliseconds spent, by phase; phases that did not happen are absent.
        pub timings_ms: BTreeMap<String, u64>,
    }
}

report! {
    /// A volume of a planned workspace.
    pub struct PlannedVolume {
        /// The engine's name for it.
        pub id: String,
        /// Where it is inside the workspace.
        pub mount: String,
    }
}

report! {
    /// A step of a planned `create`.
    pub struct PlannedStep {
        /// The phase it belongs to, as in `timings_ms`.
        pub phase: String,
        /// What is done, as one sentence.
        pub does: String,
        /// How long it may take; null for one that a person ends.
        pub limit_ms: Option<u64>,
    }
}

report! {
    /// What `create` would do. Nothing was asked of any engine.
    pub struct Plan {
        /// The request that makes the container, in the engine's own words; empty where there is no engine. Values of variables from an `--env-file`
        /// are left out, and ids stand for those of the call.
        pub container: Map<String, Value>,
        /// Volumes that are made with it, or used when they are there.
        pub volumes: Vec<PlannedVolume>,
        /// Networks it is put on; `none` is no network.
        pub networks: Vec<String>,
        /// What happens in which order.
        pub steps: Vec<PlannedStep>,
        /// How long all of it may take; null without `--timeout`.
        pub timeout_ms: Option<u64>,
    }
}

report! {
    /// What `create --plan` answers.
    pub struct PlanReport {
        /// Full name that the workspace would have.
        pub workspace: String,
        /// `owner/repo`, or null without a repository.
        pub repo: Option<String>,
        /// The clone, or the work directory when nothing is cloned.
        pub path: String,
        /// The image it would run; empty where workspaces run what this machine has.
        pub image: String,
        /// How high its walls would be.
        pub isolation: Isolation,
        /// Where it would live.
        pub backend: String,
        /// The resources and steps.
        pub plan: Plan,
    }
}

report! {
    /// Whether a backend has said which workspaces it has. Rows of one that has not are missing.
    pub struct BackendAnswer {
        /// The backend.
        pub backend: String,
        /// Whether it has.
        pub ok: bool,
        /// The error code; absent when it has.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub code: Option<String>,
        /// One sentence for people; absent when it has.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub message: Option<String>,
        /// What to do about it; absent when it has, or when there is nothing better to say.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub hint: Option<String>,
    }
}

report! {
    /// Every workspace.
    pub struct LsReport {
        /// Newest first.
        pub workspaces: Vec<WorkspaceRow>,
        /// Each backend that was asked, and whether it answered; absent when one was named, and only that was asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub backends: Option<Vec<BackendAnswer>>,
    }
}

report! {
    /// One workspace and how to enter it.
    pub struct DescribeReport {
        /// The workspace.
        pub workspace: WorkspaceRow,
        /// How high its walls really are.
        pub isolation: Isolation,
        /// Secrets that are really mounted.
        pub secrets: SecretsReport,
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
