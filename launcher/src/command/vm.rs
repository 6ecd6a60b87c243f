//! The verbs of `vm`: machines that live long, over their platforms, what is remembered of them, and SSH.

pub mod create;
pub mod delete;
pub mod describe;
pub mod initialize;
pub mod list;
mod log;
pub mod logs;
pub mod port_forward;
pub mod reinit;
pub mod ssh_config;
pub mod start;
pub mod stop;

use std::sync::Arc;
use std::time::Duration;

use agent_workspace_contract::{ErrorCode, HostKey, HostKeyBelief, Problem, Transport, VmPhase, VmRow, VmStatus};

use crate::config::Config;
use crate::ending::Ending;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::output::{Progress, warning};
use crate::phase::Phases;
use crate::platform;
use crate::ssh::{self, Connection, RemoteTarget};
use crate::store::{Claim, Store, VmRecord};
use crate::undo::Undo;
use crate::workspace::MachineName;

/// How long a VM that is merely looked at may take to answer.
pub(super) const LOOK_LIMIT: Duration = Duration::from_secs(10);
/// How long a command that does little waits for others that are at work on its VM.
const CLAIM_PATIENCE: Duration = Duration::from_secs(30);

/// What every command about machines is given.
pub struct Fleet {
    /// What SSH needs of this process.
    pub client: ssh::Client,
    /// What is remembered.
    pub store: Store,
    /// What is meant when nothing is said, or why that is not known.
    config: Result<Config>,
    /// Where progress is told.
    pub progress: Progress,
    /// What to take back when the command fails or is interrupted.
    pub undo: Undo,
    /// How far the command is, and how long each part of it may take.
    pub phases: Phases,
    /// How one that runs until it is ended hears of that.
    pub ending: Ending,
}

/// Flags of commands that name one VM.
#[derive(clap::Args, Debug)]
pub struct Target {
    /// Name of the VM, as given to create or as listed
    #[arg(value_name = "VM")]
    pub vm: String,
}

impl Target {
    /// The name.
    ///
    /// # Errors
    /// `invalid_name`.
    pub fn resolve(self) -> Result<MachineName> {
        MachineName::parse(&self.vm)
    }
}

/// The flag of commands that connect and may be told to believe a host.
#[derive(clap::Args, Debug)]
pub struct HostKeys {
    /// Believe a host that was never seen before, and remember its key in known_hosts
    #[arg(long)]
    pub accept_new_host_key: bool,
}

impl Fleet {
    /// What the process gives.
    ///
    /// # Errors
    /// `invalid_environment`.
    pub fn of(host: &Host, progress: Progress, timeout: Option<Duration>) -> Result<Self> {
        Ok(Self {
            client: ssh::Client::of_vms(host)?,
            store: Store::of(host)?,
            config: host.config().cloned(),
            progress,
            undo: Undo::default(),
            phases: Phases::new(timeout),
            ending: Ending::default(),
        })
    }

    /// What is meant when nothing is said, for who needs it.
    ///
    /// # Errors
    /// `config_invalid`, `invalid_environment`.
    pub fn config(&self) -> Result<&Config> {
        self.config.as_ref().map_err(Clone::clone)
    }

    /// What is remembered of a VM, for looking alone.
    ///
    /// # Errors
    /// `vm_not_found`, or the store's own.
    pub fn find(&self, name: &MachineName) -> Result<VmRecord> {
        let record = match self.store.read()? {
            Some(records) => records.vm(name.as_str())?,
            None => None,
        };
        record.ok_or_else(|| not_found(name))
    }

    /// Connects to a VM whose machine is there.
    ///
    /// # Errors
    /// `vm_not_ready`, or the connection's own.
    pub async fn reach(&self, vm: &VmRecord, accept_new: bool) -> Result<Arc<Connection>> {
        self.require_machine(vm)?;
        self.progress.detail("connecting", &format!("connecting to {}", vm.host));
        let connection = self.connect(&RemoteTarget::parse(&vm.host)?, accept_new).await;
        connection.map_err(|error| error.detail("vm", vm.name.clone()))
    }

    /// Lays a claim to a VM for a command that does little: waits for others half a minute at most.
    ///
    /// # Errors
    /// `vm_busy`, `state_failed`.
    pub async fn claim_patiently(&self, vm: &str) -> Result<Claim> {
        if self.store.is_claimed(vm) {
            self.progress.detail("waiting", &format!("waiting for another command on VM {vm}"));
        }
        self.store.claim_within(vm, CLAIM_PATIENCE).await
    }

    /// Says no to a VM whose machine is not there.
    ///
    /// # Errors
    /// `vm_not_ready`.
    pub fn require_machine(&self, vm: &VmRecord) -> Result<()> {
        if vm.provisioning == VmPhase::Complete {
            return Ok(());
        }
        Err(Error::new(ErrorCode::VmNotReady, format!("making VM {} has not come to its end", vm.name))
            .detail("vm", vm.name.clone())
            .hint(again(vm)))
    }

    /// Connects to a host, and says whom it believed without knowing them.
    ///
    /// # Errors
    /// The connection's own.
    pub async fn connect(&self, host: &RemoteTarget, accept_new: bool) -> Result<Arc<Connection>> {
        let connection = Connection::open(&self.client, host, accept_new).await?;
        for HostKey { host, key_type, fingerprint, believed } in connection.host_keys() {
            if *believed == HostKeyBelief::Accepted {
                let message =
                    format!("host {host} was not known; from now on it is, by its {key_type} key {fingerprint}");
                self.progress.warn(warning("host_key_accepted", message));
            }
        }
        Ok(connection)
    }

    /// A VM as documents show it.
    ///
    /// # Errors
    /// The store's own.
    pub fn row(&self, vm: &VmRecord) -> Result<VmRow> {
        let (workspaces, agents) = match self.store.read()? {
            Some(records) => records.on_vm(&vm.name)?,
            None => (Vec::new(), Vec::new()),
        };
        Ok(VmRow {
            vm: vm.name.clone(),
            platform: vm.platform.clone(),
            host: vm.host.clone(),
            vm_host: vm.vm_host.clone(),
            template: vm.template.clone(),
            provisioning: vm.provisioning,
            initialization: vm.initialization,
            status: None,
            admin_user: vm.admin_user.clone(),
            os: vm.os.clone(),
            architecture: vm.architecture.clone(),
            created_at: vm.created_at.clone(),
            last_seen_at: vm.last_seen_at.clone(),
            workspaces: workspaces.len() as u64,
            agents: agents.len() as u64,
            problems: self.problems(vm),
        })
    }

    /// What is wrong with how a VM was made.
    fn problems(&self, vm: &VmRecord) -> Vec<Problem> {
        let problem = |code: &str, message: String, hint: String| {
            vec![Problem { code: code.to_owned(), message, hint: Some(hint) }]
        };
        let name = &vm.name;
        let delete = format!("or forget it: agent-workspace vm delete {name}");
        let reinit = format!("agent-workspace vm reinit {name}");
        match (vm.provisioning, vm.initialization) {
            (VmPhase::Complete, VmPhase::Complete) => Vec::new(),
            _ if self.store.is_claimed(name) => Vec::new(),
            (VmPhase::Complete, VmPhase::Failed) => {
                problem("not_initialized", format!("preparing VM {name} failed"), reinit)
            }
            (VmPhase::Complete, _) => problem("cut_off", format!("preparing VM {name} was cut off"), reinit),
            (VmPhase::Failed, _) => {
                problem("not_provisioned", format!("making VM {name} failed"), format!("{}; {delete}", again(vm)))
            }
            _ => problem("cut_off", format!("making VM {name} was cut off"), format!("{}; {delete}", again(vm))),
        }
    }
}

/// The flag of commands that prepare a VM.
#[derive(clap::Args, Debug)]
pub struct Template {
    /// Template of the configuration; by default the one it has, or the one named default
    #[arg(long, value_name = "TEMPLATE")]
    pub template: Option<String>,
}

/// A template as it is remembered: the default needs no name.
pub(super) fn remembered(template: &str) -> Option<&str> {
    (template != "default").then_some(template)
}

/// A VM whose state was asked for.
fn with_status(mut row: VmRow, status: VmStatus, why: Option<&Error>) -> VmRow {
    row.status = Some(status);
    if let Some(error) = why {
        let cause = error.causes().first().map(|cause| format!(": {cause}")).unwrap_or_default();
        row.problems.push(Problem {
            code: error.code().as_str().to_owned(),
            message: format!("{error}{cause}"),
            hint: error.hint_text().map(str::to_owned),
        });
    }
    row
}

/// A claim to a VM for tidying up after a command; `None` while another one is at work on it.
///
/// # Errors
/// `state_failed`.
fn free(store: &Store, vm: &str) -> Result<Option<Claim>> {
    match store.claim(vm) {
        Ok(claim) => Ok(Some(claim)),
        Err(error) if error.code() == ErrorCode::VmBusy => Ok(None),
        Err(error) => Err(error),
    }
}

/// Looks at a VM for as long as a look may take.
///
/// # Errors
/// `host_unreachable` when the time has gone by, or the look's own.
async fn looked<T>(look: impl Future<Output = Result<T>>, vm: &VmRecord) -> Result<T> {
    let overdue = || {
        Error::new(ErrorCode::HostUnreachable, format!("VM {} cannot be reached", vm.name))
            .cause(format!("it did not answer within {} seconds", LOOK_LIMIT.as_secs()))
            .hint(format!("look at the machine, then: agent-workspace vm describe {}", vm.name))
    };
    tokio::time::timeout(LOOK_LIMIT, look).await.unwrap_or_else(|_| Err(overdue()))
}

/// What its platform says of a VM that did not let us in.
async fn not_answering(vm: &VmRecord) -> VmStatus {
    match platform::of(vm) {
        Ok(platform) => platform.status(vm).await.unwrap_or(VmStatus::Unreachable),
        Err(_) => VmStatus::Unknown,
    }
}

/// How to get into a VM; `None` while it is not known who logs in.
fn transport(vm: &VmRecord) -> Result<Option<Transport>> {
    let (Some(user), Some(home)) = (&vm.admin_user, &vm.admin_home) else { return Ok(None) };
    Ok(Some(ssh::transport(&RemoteTarget::parse(&vm.host)?, user, user, home)))
}

/// The command that goes on making a VM.
fn again(vm: &VmRecord) -> String {
    let host = vm.vm_host.as_ref().unwrap_or(&vm.host);
    format!("go on with it: agent-workspace vm create {} --platform {} --host {host}", vm.name, vm.platform)
}

fn not_found(name: &MachineName) -> Error {
    Error::new(ErrorCode::VmNotFound, format!("VM not found: {name}"))
        .detail("vm", name.as_str())
        .hint("see what there is: agent-workspace vm list")
}
