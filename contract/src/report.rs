//! What each command reports. These types are the JSON: a key here is a key on stdout.
//!
//! Absent means not applicable, `null` means asked but not determined, lists are never null.

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

mod agent;
mod config;
mod launcher;
mod removal;
mod upkeep;
mod vm;
mod workspace;

pub use agent::{
    AgentCreateReport, AgentDeleteReport, AgentDescribeReport, AgentListReport, AgentReinitReport, AgentRow,
    AgentStatus, Grant, GrantKind, GrantsDenyReport, GrantsReport,
};
pub use config::{
    ConfigCheckReport, ConfigDefaults, ConfigEditReport, ConfigInitReport, ConfigProblem, ConfigSampleReport,
    ConfigSource, ConfigTemplates, Severity,
};
pub use launcher::{
    BackendSummary, CapabilitiesReport, CommandSummary, CompletionReport, ErrorSummary, FieldReport, HelpReport,
    ParseRepoReport, RequiresReport, SchemaReport, SupportsReport, VersionReport,
};
pub use removal::{
    FailedItem, KeptItem, LeftKept, LeftRemoved, LeftUnremoved, PruneReport, RemovedItem, RescueReport, RescuedItem,
    RmReport,
};
pub use upkeep::{Check, CheckStatus, DoctorReport, ImageBuildReport, RehomeReport, RepairReport};
pub use vm::{
    HostKey, HostKeyBelief, SshAlias, VmCreateReport, VmDeleteReport, VmDescribeReport, VmEvent, VmForward,
    VmHostAddReport, VmHostListReport, VmHostRemoveReport, VmHostRow, VmLifecycleReport, VmListReport, VmLive, VmLog,
    VmLogsReport, VmPhase, VmPortForwardReport, VmReinitReport, VmRow, VmSshConfigReport, VmStatus, VmStep,
};
pub use workspace::{
    BackendAnswer, CopyReport, CreateReport, DescribeReport, Isolation, LifecycleReport, Login, LsReport, Plan,
    PlanReport, PlannedStep, PlannedVolume, Problem, Quoting, SecretsReport, Transport, TunnelReport, WorkspaceRow,
    WorkspaceStatus,
};
