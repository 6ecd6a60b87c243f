//! Agents, and which workspaces they may enter.

use std::collections::BTreeMap;

use serde::Serialize;

use super::vm::VmStep;
use super::workspace::Problem;

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
