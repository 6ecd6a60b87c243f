//! Machines over SSH, and the hosts they are made from.

use std::collections::BTreeMap;

use serde::Serialize;

use super::workspace::{Problem, Transport};

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
