//! What each command reports. These types are the JSON: a key here is a key on stdout.
//!
//! Absent means not applicable, `null` means asked but not determined, lists are never null.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

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
    /// A thing that `rm` removed.
    pub struct RemovedItem {
        /// `container` or `volume`; `workspace` or `folder` on this machine.
        pub kind: String,
        /// The engine's name for it.
        pub id: String,
    }
}

report! {
    /// A thing that `rm` has kept.
    pub struct KeptItem {
        /// `container` or `volume`; `workspace` or `folder` on this machine.
        pub kind: String,
        /// The engine's name for it.
        pub id: String,
    }
}

report! {
    /// A thing that `rm` could not remove.
    pub struct FailedItem {
        /// `container` or `volume`; `workspace` or `folder` on this machine.
        pub kind: String,
        /// The engine's name for it.
        pub id: String,
        /// Why, in the engine's words.
        pub message: String,
    }
}

report! {
    /// A file that work was brought out into.
    pub struct RescuedItem {
        /// `bundle`, `changes`, `staged`, `shallow` or `files`.
        pub kind: String,
        /// The repository inside; null for files outside any.
        pub repository: Option<String>,
        /// Its name in the folder.
        pub file: String,
        /// Its size.
        pub bytes: u64,
        /// Its SHA-256, in hex.
        pub sha256: String,
    }
}

report! {
    /// What was brought out before something was removed.
    pub struct RescueReport {
        /// The folder on the caller's host, absolute.
        pub dir: String,
        /// What is in it, beside a text that says how to restore.
        pub items: Vec<RescuedItem>,
    }
}

report! {
    /// What `rm` did.
    pub struct RmReport {
        /// Full name of the workspace.
        pub workspace: String,
        /// What is gone.
        pub removed: Vec<RemovedItem>,
        /// What stays: it was asked to be kept, or nobody has looked into it.
        pub kept: Vec<KeptItem>,
        /// What could not be removed.
        pub failed: Vec<FailedItem>,
        /// What was brought out first; null when there was nothing to bring out, absent unless `--rescue` was given.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub rescued: Option<Option<RescueReport>>,
        /// Whether this call changed anything.
        pub changed: bool,
    }
}

words! {
    /// How a check of `doctor` came out. Readers treat members they do not know as `warning`.
    pub enum CheckStatus {
        /// All is well.
        Ok,
        /// Everything works, and something should be looked after.
        Warning,
        /// Something does not work.
        Failed,
        /// It could not be looked at, because another check failed.
        Skipped,
    }
}

impl CheckStatus {
    /// The word printed for people and in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

report! {
    /// One thing that `doctor` looked at.
    pub struct Check {
        /// What it is, snake case; new ones may appear.
        pub check: String,
        /// How it came out.
        pub status: CheckStatus,
        /// What was found, as one sentence for people.
        pub message: String,
        /// A command to paste that mends it; null when there is nothing to mend or no command does.
        pub fix: Option<String>,
    }
}

report! {
    /// What `doctor` found.
    pub struct DoctorReport {
        /// Whether no check failed.
        pub healthy: bool,
        /// Everything that was looked at, always in the same order.
        pub checks: Vec<Check>,
    }
}

report! {
    /// A thing that nothing uses and that `prune` removed, or would.
    pub struct LeftRemoved {
        /// `container` or `volume`; `workspace` or `folder` on this machine.
        pub kind: String,
        /// The engine's name for it.
        pub id: String,
        /// Full name of the workspace it belongs to.
        pub workspace: String,
        /// What it takes; null when the engine did not say.
        pub bytes: Option<u64>,
        /// Why it is left over: `viewer`, `never_started`, `half_made` or `unused`; new ones may appear.
        pub reason: String,
    }
}

report! {
    /// A thing that nothing uses and that `prune` kept.
    pub struct LeftKept {
        /// `container` or `volume`; `workspace` or `folder` on this machine.
        pub kind: String,
        /// The engine's name for it.
        pub id: String,
        /// Full name of the workspace it belongs to.
        pub workspace: String,
        /// What it takes; null when the engine did not say.
        pub bytes: Option<u64>,
        /// Why it is left over.
        pub reason: String,
        /// Why it was kept all the same, as one sentence for people.
        pub why: String,
    }
}

report! {
    /// A thing that nothing uses and that `prune` could not remove.
    pub struct LeftUnremoved {
        /// `container` or `volume`; `workspace` or `folder` on this machine.
        pub kind: String,
        /// The engine's name for it.
        pub id: String,
        /// Full name of the workspace it belongs to.
        pub workspace: String,
        /// What it takes; null when the engine did not say.
        pub bytes: Option<u64>,
        /// Why it is left over.
        pub reason: String,
        /// Why it could not be removed, in the engine's words.
        pub message: String,
    }
}

report! {
    /// What `prune` did.
    pub struct PruneReport {
        /// Whether it only said what it would do.
        pub dry_run: bool,
        /// What is gone, or would be.
        pub removed: Vec<LeftRemoved>,
        /// What stays though nothing uses it.
        pub kept: Vec<LeftKept>,
        /// What could not be removed.
        pub failed: Vec<LeftUnremoved>,
        /// Why there may be more that was not looked for, as one sentence for people; null when there is not.
        pub unfinished: Option<String>,
        /// Sum of the sizes that are known of what is gone, or would be.
        pub reclaimed_bytes: u64,
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
    /// A machine that VMs are on, as `vm-host` shows it.
    pub struct VmHostRow {
        /// Its name.
        pub vm_host: String,
        /// How SSH reaches it: `[USER@]HOST[:PORT]`.
        pub host: String,
        /// What kind of system it runs, such as `linux`; null when it was not asked.
        pub os: Option<String>,
        /// Its architecture as the system names it, such as `x86_64`; null when it was not asked.
        pub architecture: Option<String>,
        /// RFC 3339, UTC.
        pub created_at: String,
        /// When it last answered a command that writes this down, RFC 3339; null when it never did. Looking does not.
        pub last_seen_at: Option<String>,
        /// Names of the VMs on it.
        pub vms: Vec<String>,
    }
}

report! {
    /// The key by which a host proved who it is.
    pub struct HostKey {
        /// The host as known_hosts names it.
        pub host: String,
        /// What kind of key it is, such as `ssh-ed25519`.
        pub key_type: String,
        /// `SHA256:` and the fingerprint, as `ssh-keygen -l` prints it.
        pub fingerprint: String,
        /// Why it was believed.
        pub believed: HostKeyBelief,
    }
}

words! {
    /// Why a host's key was believed. Readers treat members they do not know as `known`.
    pub enum HostKeyBelief {
        /// It is in known_hosts.
        Known,
        /// The host was not known, and this call was told to believe it; it is in known_hosts now.
        Accepted,
        /// An authority that known_hosts names has vouched for it.
        Certified,
    }
}

report! {
    /// What `vm-host add` did.
    pub struct VmHostAddReport {
        /// The VM host.
        pub vm_host: VmHostRow,
        /// Whether this call changed anything.
        pub changed: bool,
        /// By which key it proved who it is; null when it was not asked.
        pub host_key: Option<HostKey>,
    }
}

report! {
    /// Every VM host, by name.
    pub struct VmHostListReport {
        /// The VM hosts.
        pub vm_hosts: Vec<VmHostRow>,
    }
}

report! {
    /// What `vm-host remove` did.
    pub struct VmHostRemoveReport {
        /// Name of the VM host.
        pub vm_host: String,
        /// Whether this call changed anything.
        pub changed: bool,
        /// VMs that were on it, and now are on no VM host that is known.
        pub detached_vms: Vec<String>,
    }
}

words! {
    /// How far a part of making a VM is. Readers treat members they do not know as `unknown`.
    pub enum VmPhase {
        /// It has not begun.
        Pending,
        /// It has begun; with a problem `cut_off` nobody is at work on it any more.
        InProgress,
        /// It is done.
        Complete,
        /// It failed, and can be tried again.
        Failed,
        /// A phase this launcher does not know.
        Unknown,
    }
}

impl VmPhase {
    /// The word printed for people and in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

words! {
    /// What state a VM is in now. Readers treat members they do not know as `unknown`.
    pub enum VmStatus {
        /// It answers.
        Running,
        /// Its platform says that it does not run.
        Stopped,
        /// It did not answer.
        Unreachable,
        /// A state this launcher does not know.
        Unknown,
    }
}

impl VmStatus {
    /// The word printed for people and in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }
}

report! {
    /// One VM, as it is remembered.
    pub struct VmRow {
        /// Its name.
        pub vm: String,
        /// Who made it: `ssh` for a machine that was there.
        pub platform: String,
        /// How SSH reaches it: `[USER@]HOST[:PORT]`.
        pub host: String,
        /// The VM host it is on; null when on none that is known.
        pub vm_host: Option<String>,
        /// The template of the configuration that it is prepared by; null when it is the one named default.
        pub template: Option<String>,
        /// Whether the machine is there: once in its life.
        pub provisioning: VmPhase,
        /// Whether it is prepared: again and again.
        pub initialization: VmPhase,
        /// What state it is in now; absent where nobody asked it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<VmStatus>,
        /// Who logs in and manages it; null when not known yet.
        pub admin_user: Option<String>,
        /// The system as it names itself; null when not known yet.
        pub os: Option<String>,
        /// Its architecture as Debian names it, such as `amd64`; null when not known yet.
        pub architecture: Option<String>,
        /// RFC 3339, UTC.
        pub created_at: String,
        /// When it last answered a command that writes this down, RFC 3339; null when it never did. Looking does not.
        pub last_seen_at: Option<String>,
        /// How many workspaces are remembered on it.
        pub workspaces: u64,
        /// How many agents are remembered on it.
        pub agents: u64,
        /// What is wrong with it.
        pub problems: Vec<Problem>,
    }
}

report! {
    /// One step of preparing a VM or an agent.
    pub struct VmStep {
        /// What it is, snake case; new ones may appear.
        pub step: String,
        /// Whether it had to change the machine.
        pub changed: bool,
    }
}

report! {
    /// What `vm create` did.
    pub struct VmCreateReport {
        /// The VM.
        pub vm: VmRow,
        /// Whether this call made it; false when it was there already.
        pub created: bool,
        /// The steps of initializing it, in their order; none when it was ready.
        pub steps: Vec<VmStep>,
        /// By which key it proved who it is; null when it was ready and nobody asked it.
        pub host_key: Option<HostKey>,
        /// How to get in.
        pub transport: Transport,
        /// Milliseconds spent, by phase; phases that did not happen are absent.
        pub timings_ms: BTreeMap<String, u64>,
    }
}

report! {
    /// What `repair` found and did.
    pub struct RepairReport {
        /// Full name.
        pub workspace: String,
        /// Whether anything had to be restored.
        pub changed: bool,
        /// What was proved, in its order.
        pub steps: Vec<VmStep>,
        /// Whether what a cut-off create or removal had left was cleared away, so that the workspace is no more.
        pub gone: bool,
    }
}

report! {
    /// What `rehome` did.
    pub struct RehomeReport {
        /// Full name.
        pub workspace: String,
        /// Whether it was moved.
        pub changed: bool,
        /// The folder on the VM that it was in.
        pub from: String,
        /// The folder that it is in.
        pub folder: String,
        /// The clone, or the work folder, as it is now.
        pub path: Option<String>,
    }
}

report! {
    /// What `vm reinit` did.
    pub struct VmReinitReport {
        /// The VM.
        pub vm: VmRow,
        /// Whether a step had to change the machine.
        pub changed: bool,
        /// The steps, in their order.
        pub steps: Vec<VmStep>,
        /// Milliseconds spent, by phase.
        pub timings_ms: BTreeMap<String, u64>,
    }
}

report! {
    /// Every VM, by name.
    pub struct VmListReport {
        /// The VMs.
        pub vms: Vec<VmRow>,
    }
}

report! {
    /// How a VM is at this moment.
    pub struct VmLive {
        /// Processors.
        pub cpus: u64,
        /// Load of the last minute, in thousandths.
        pub load_1m_milli: u64,
        /// Load of the last five minutes, in thousandths.
        pub load_5m_milli: u64,
        /// Load of the last fifteen minutes, in thousandths.
        pub load_15m_milli: u64,
        /// Memory.
        pub memory_total_bytes: u64,
        /// Memory that programs can still have.
        pub memory_available_bytes: u64,
        /// Swap; zero without one.
        pub swap_total_bytes: u64,
        /// Swap that is not used.
        pub swap_free_bytes: u64,
        /// The disk that workspaces are on.
        pub disk_total_bytes: u64,
        /// What is free on it for ordinary programs.
        pub disk_available_bytes: u64,
        /// Since it started.
        pub uptime_ms: u64,
    }
}

report! {
    /// Something that happened to a VM.
    pub struct VmEvent {
        /// RFC 3339, UTC.
        pub at: String,
        /// What it was, snake case; new ones may appear.
        pub event: String,
        /// More about it, as one sentence for people; null where there is no more.
        pub detail: Option<String>,
    }
}

report! {
    /// One VM, how it is at this moment, what happened to it, and how to get in.
    pub struct VmDescribeReport {
        /// The VM.
        pub vm: VmRow,
        /// How it is at this moment; null when it did not say.
        pub live: Option<VmLive>,
        /// Full names of the workspaces that are remembered on it.
        pub workspaces: Vec<String>,
        /// Names of the agents that are remembered on it.
        pub agents: Vec<String>,
        /// What happened to it, the newest first.
        pub events: Vec<VmEvent>,
        /// How to get in; null when it is not known yet who logs in.
        pub transport: Option<Transport>,
    }
}

report! {
    /// What `vm start` or `vm stop` did.
    pub struct VmLifecycleReport {
        /// Name of the VM.
        pub vm: String,
        /// Whether this call changed anything.
        pub changed: bool,
        /// What state it is in now.
        pub status: VmStatus,
    }
}

report! {
    /// What `vm delete` did.
    pub struct VmDeleteReport {
        /// Name of the VM.
        pub vm: String,
        /// Whether this call changed anything.
        pub changed: bool,
        /// Whether the machine itself is gone; one that was taken in stays.
        pub machine_deleted: bool,
        /// Full names of the workspaces that were forgotten with it; on a machine that stays they stay as they are.
        pub forgotten_workspaces: Vec<String>,
        /// Names of the agents that were forgotten with it; on a machine that stays they stay as they are.
        pub forgotten_agents: Vec<String>,
    }
}

words! {
    /// How far an agent is. Readers treat members they do not know as `unknown`.
    pub enum AgentStatus {
        /// It is being made; with a problem `cut_off` nobody is at work on it any more.
        Creating,
        /// It is there.
        Ready,
        /// It is being deleted; with a problem `cut_off` nobody is at work on it any more.
        Removing,
        /// A state this launcher does not know.
        Unknown,
    }
}

impl AgentStatus {
    /// The word printed for people and in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Removing => "removing",
            Self::Unknown => "unknown",
        }
    }
}

words! {
    /// Why an agent may enter a workspace. Readers treat members they do not know as `unknown`.
    pub enum GrantKind {
        /// It was granted.
        Explicit,
        /// A session of the agent is in it.
        Implicit,
        /// The agent may enter every workspace of its VM.
        All,
    }
}

impl GrantKind {
    /// The word printed for people and in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Implicit => "implicit",
            Self::All => "all",
        }
    }
}

report! {
    /// One agent, as it is remembered.
    pub struct AgentRow {
        /// Its name.
        pub agent: String,
        /// The VM it is on.
        pub vm: String,
        /// Its user there.
        pub user: String,
        /// The template it was made from; null without one.
        pub template: Option<String>,
        /// Its login shell; null when it is not known yet.
        pub shell: Option<String>,
        /// Whether it may enter every workspace of its VM, those to come included.
        pub grant_all: bool,
        /// How far it is.
        pub status: AgentStatus,
        /// RFC 3339, UTC.
        pub created_at: String,
        /// What is wrong with it.
        pub problems: Vec<Problem>,
    }
}

report! {
    /// A workspace that an agent may enter.
    pub struct Grant {
        /// Full name of the workspace.
        pub workspace: String,
        /// Why it may; never none.
        pub kinds: Vec<GrantKind>,
    }
}

report! {
    /// What `agent create` did.
    pub struct AgentCreateReport {
        /// The agent.
        pub agent: AgentRow,
        /// Whether this call made it; false when it was there already.
        pub created: bool,
        /// The steps of preparing it, in their order; none when it was there already.
        pub steps: Vec<VmStep>,
        /// The workspaces that it may enter, by name.
        pub grants: Vec<Grant>,
        /// Milliseconds spent, by phase; phases that did not happen are absent.
        pub timings_ms: BTreeMap<String, u64>,
    }
}

report! {
    /// Every agent, by name.
    pub struct AgentListReport {
        /// The agents.
        pub agents: Vec<AgentRow>,
    }
}

report! {
    /// One agent and what it may enter.
    pub struct AgentDescribeReport {
        /// The agent.
        pub agent: AgentRow,
        /// The workspaces that it may enter, by name.
        pub grants: Vec<Grant>,
    }
}

report! {
    /// What `agent reinit` did.
    pub struct AgentReinitReport {
        /// The agent.
        pub agent: AgentRow,
        /// Whether a step had to change the machine.
        pub changed: bool,
        /// The steps, in their order.
        pub steps: Vec<VmStep>,
        /// The workspaces that it may enter, by name.
        pub grants: Vec<Grant>,
        /// Milliseconds spent, by phase.
        pub timings_ms: BTreeMap<String, u64>,
    }
}

report! {
    /// What `agent delete` did.
    pub struct AgentDeleteReport {
        /// Name of the agent.
        pub agent: String,
        /// The VM it was on; null when there was no such agent.
        pub vm: Option<String>,
        /// Whether this call changed anything.
        pub changed: bool,
        /// Whether its user on the machine is gone; false where the machine did not answer and it was only forgotten.
        pub user_deleted: bool,
        /// Processes of it that were ended.
        pub ended_processes: u64,
    }
}

report! {
    /// What `workspace-grants` did, and what an agent may enter now.
    pub struct GrantsReport {
        /// Name of the agent.
        pub agent: String,
        /// The VM it is on.
        pub vm: String,
        /// Whether it may enter every workspace of its VM, those to come included.
        pub grant_all: bool,
        /// The workspaces that it may enter, by name.
        pub grants: Vec<Grant>,
        /// Whether this call changed anything.
        pub changed: bool,
    }
}

report! {
    /// What `workspace-grants deny` did, and what an agent may still enter.
    pub struct GrantsDenyReport {
        /// Name of the agent.
        pub agent: String,
        /// The VM it is on.
        pub vm: String,
        /// Whether it may enter every workspace of its VM, those to come included.
        pub grant_all: bool,
        /// The workspaces that it may enter, by name.
        pub grants: Vec<Grant>,
        /// Whether this call changed anything.
        pub changed: bool,
        /// Processes of it that still have what was taken away, as Linux gives and takes groups when a process begins.
        pub running_processes: u64,
        /// Processes of it that were ended.
        pub ended_processes: u64,
    }
}

report! {
    /// What one step on a VM said.
    pub struct VmLog {
        /// When it ended, RFC 3339, UTC.
        pub at: String,
        /// Which part of making the VM it belongs to: `provisioning` or `initialization`.
        pub part: String,
        /// Which step, snake case.
        pub step: String,
        /// The end of what it said on stderr; empty when it said nothing.
        pub text: String,
    }
}

report! {
    /// What the steps on a VM said, the oldest first.
    pub struct VmLogsReport {
        /// Name of the VM.
        pub vm: String,
        /// A step each.
        pub logs: Vec<VmLog>,
    }
}

report! {
    /// A port of this machine that led to one of a VM.
    pub struct VmForward {
        /// The addresses of this machine that it listened on.
        pub addresses: Vec<String>,
        /// The port here.
        pub local: u16,
        /// The port there.
        pub remote: u16,
    }
}

report! {
    /// What `vm port-forward` did until it was ended.
    pub struct VmPortForwardReport {
        /// Name of the VM.
        pub vm: String,
        /// The ports, in the order in which they were asked for.
        pub forwards: Vec<VmForward>,
        /// How many connections were carried there.
        pub connections: u64,
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
    pub schemas: BTreeMap<String, serde_json::Value>,
}

/// The value that `field` read, when asked for as JSON.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldReport {
    /// The value at the pointer; never null.
    pub value: serde_json::Value,
}

words! {
    /// Whose configuration was read.
    pub enum ConfigSource {
        /// This launcher's own.
        Ours,
        /// That of agentworks, as this launcher's own is not there.
        Agentworks,
        /// None is there.
        None,
    }
}

words! {
    /// How much something matters.
    pub enum Severity {
        /// Commands that need it fail.
        Error,
        /// Nothing fails.
        Warning,
    }
}

report! {
    /// Something that is wrong with a configuration.
    pub struct ConfigProblem {
        /// How much it matters.
        pub severity: Severity,
        /// The key, from the top, such as `vm_templates.dev.apt`; null when it is no key's.
        pub key: Option<String>,
        /// Its line, the first is 1; null when it has none.
        pub line: Option<u64>,
        /// What is wrong, in one sentence.
        pub message: String,
        /// What may have been meant, or what to do; null when there is nothing to say.
        pub hint: Option<String>,
    }
}

report! {
    /// Names of templates, by kind; `default` is there always.
    pub struct ConfigTemplates {
        /// Of `vm create --template`.
        pub vm: Vec<String>,
        /// Of agents.
        pub agent: Vec<String>,
        /// Of `create --template`.
        pub workspace: Vec<String>,
        /// Of sessions.
        pub session: Vec<String>,
    }
}

report! {
    /// What is meant when neither a flag nor a variable says anything: what the configuration has, or what is built in.
    pub struct ConfigDefaults {
        /// Where workspaces live.
        pub backend: String,
        /// The VM of workspaces on VMs; null when none is.
        pub vm: Option<String>,
        /// Who makes VMs.
        pub platform: String,
        /// The VM host of new VMs; null when none is.
        pub vm_host: Option<String>,
        /// The image of new workspaces.
        pub image: String,
    }
}

report! {
    /// What `config check` found.
    pub struct ConfigCheckReport {
        /// Where the configuration is, or would be.
        pub path: String,
        /// Whether it is there.
        pub exists: bool,
        /// Whose was read.
        pub source: ConfigSource,
        /// The file that was read; null when none was.
        pub read: Option<String>,
        /// What is wrong with it, in the order of its lines.
        pub problems: Vec<ConfigProblem>,
        /// Keys of the configuration of agentworks that hold here.
        pub taken: Vec<String>,
        /// Keys of the configuration of agentworks that mean nothing here.
        pub ignored: Vec<String>,
        /// Templates that can be named.
        pub templates: ConfigTemplates,
        /// What is meant when nothing is said.
        pub defaults: ConfigDefaults,
    }
}

report! {
    /// What `config edit` did.
    pub struct ConfigEditReport {
        /// The configuration.
        pub path: String,
        /// Whether it is another than before.
        pub changed: bool,
        /// What is wrong with it now, in the order of its lines.
        pub problems: Vec<ConfigProblem>,
    }
}

report! {
    /// What `config init` did.
    pub struct ConfigInitReport {
        /// The configuration.
        pub path: String,
        /// Where what was there before is kept; null when nothing was.
        pub backup: Option<String>,
    }
}

report! {
    /// What a configuration may say.
    pub struct ConfigSampleReport {
        /// Where the configuration is, or would be.
        pub path: String,
        /// Every key with its default, in comments.
        pub sample: String,
    }
}

report! {
    /// A name by which `ssh` reaches a VM.
    pub struct SshAlias {
        /// The VM.
        pub vm: String,
        /// The name.
        pub alias: String,
    }
}

report! {
    /// What `vm ssh-config` printed, installed or took away.
    pub struct VmSshConfigReport {
        /// The file with the names: the launcher's own, or the user's configuration itself.
        pub file: String,
        /// The user's configuration.
        pub config: String,
        /// Whether the names are there now and are read.
        pub installed: bool,
        /// Whether this call changed anything.
        pub changed: bool,
        /// The names in it.
        pub hosts: Vec<SshAlias>,
        /// What names them in it, or would.
        pub text: String,
    }
}
