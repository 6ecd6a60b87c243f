//! `vm create`: a machine, and what makes it a VM.

use std::sync::Arc;

use agent_workspace_contract::{ErrorCode, VmCreateReport, VmPhase};

use super::{Fleet, HostKeys, free, initialize, not_found, ssh_config, transport};
use crate::error::{Error, Result, usage};
use crate::guest::vm;
use crate::host;
use crate::phase::Phase;
use crate::platform::{self, NewVm, PLATFORMS};
use crate::ssh::{Connection, RemoteTarget, SshMachine};
use crate::store::{Facts, Part, VmRecord};
use crate::undo::Outcome;
use crate::workspace::MachineName;

/// Flags of `vm create`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the VM; by default the first part of the host's name
    #[arg(value_name = "VM")]
    vm: Option<String>,
    /// Who makes the machine: ssh takes in one that is there
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// The machine: [USER@]HOST[:PORT], a name from ~/.ssh/config, or the name of a VM host
    #[arg(long, value_name = "VM_HOST|HOST")]
    host: Option<String>,
    /// Whether to believe it
    #[command(flatten)]
    keys: HostKeys,
}

/// Which machine is to become which VM.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Its name.
    pub name: MachineName,
    /// Who makes it.
    pub platform: &'static str,
    /// The machine, as it was named.
    pub host: String,
    /// Whether a host that was never seen is believed.
    pub accept_new: bool,
}

impl Args {
    /// Checks everything that needs neither state nor network.
    ///
    /// # Errors
    /// `input_required`, `invalid_host`, `invalid_name`, `usage`.
    pub fn resolve(self) -> Result<Request> {
        let Self { vm, platform, host, keys: HostKeys { accept_new_host_key } } = self;
        let platform = platform::open(platform.as_deref().unwrap_or(PLATFORMS[0]))?.name();
        let Some(host) = host else {
            return Err(Error::new(
                ErrorCode::InputRequired,
                format!("platform {platform} needs the machine that it takes in"),
            )
            .hint("say which: --host admin@vm.example.org"));
        };
        let target = RemoteTarget::parse(&host)?;
        let name = match vm {
            Some(name) => MachineName::parse(&name)?,
            None => MachineName::of_host(target.host()).ok_or_else(|| {
                Error::new(ErrorCode::InputRequired, format!("{host} does not suggest a name for the VM"))
                    .hint(format!("give it one: agent-workspace vm create NAME --host {host}"))
            })?,
        };
        Ok(Request { name, platform, host, accept_new: accept_new_host_key })
    }
}

/// Makes it, goes on with one that was cut off, or says that it is there.
///
/// # Errors
/// `vm_exists`, `vm_busy`, `vm_unsuitable`, those of connecting, `guest_failed`, or the store's own.
pub async fn run(fleet: &Fleet, request: Request) -> Result<VmCreateReport> {
    let Request { name, platform, host, accept_new } = request;
    let platform = platform::open(platform)?;
    let _claim = fleet.store.claim(name.as_str())?;
    let mut records = fleet.store.write()?;
    // The name of a VM host stands for its address.
    let (host, vm_host) = match records.vm_host(&host)? {
        Some(record) => (record.host, Some(record.name)),
        None => (RemoteTarget::parse(&host)?.to_string(), None),
    };
    let created = records.intend_vm(name.as_str(), platform.name(), &host, vm_host.as_deref())?;
    let record = records.vm(name.as_str())?.ok_or_else(|| not_found(&name))?;
    drop(records);
    if (record.provisioning, record.initialization) == (VmPhase::Complete, VmPhase::Complete) {
        ssh_config::keep(fleet).await;
        return report(fleet, record, false, Vec::new());
    }
    let connection = if record.provisioning == VmPhase::Complete {
        fleet.reach(&record, accept_new).await?
    } else {
        let new = NewVm { name: name.to_string(), host: RemoteTarget::parse(&host)? };
        provision(fleet, &*platform, &new, created, accept_new).await?
    };
    let machine = SshMachine::new(Arc::clone(&connection));
    ssh_config::keep(fleet).await;
    let steps = initialize::run(fleet, name.as_str(), &machine).await?;
    connection.close().await;
    let record = fleet.find(&name)?;
    report(fleet, record, created, steps)
}

/// The first part: there is a machine, it will do, and it is remembered. One that is new is forgotten when this fails.
async fn provision(
    fleet: &Fleet,
    platform: &dyn platform::Platform,
    new: &NewVm,
    created: bool,
    accept_new: bool,
) -> Result<Arc<Connection>> {
    let (store, name) = (fleet.store.clone(), new.name.clone());
    fleet.undo.register_removable(
        format!("the record of VM {name}"),
        format!("agent-workspace vm delete {name}"),
        move || async move {
            // Our claim has ended with the work. Whoever has laid one since is making the VM, and has its record.
            let Some(_claim) = free(&store, &name)? else { return Ok(Outcome::Nothing) };
            let mut records = store.write()?;
            let left = records.vm(&name)?.map(|vm| vm.provisioning);
            if created && left.is_some_and(|phase| phase != VmPhase::Complete) {
                return Ok(Outcome::from(records.forget_vm(&name)?));
            }
            if left == Some(VmPhase::InProgress) {
                records.set_phase(&name, Part::Provisioning, VmPhase::Failed, Some("it was cut off"))?;
            }
            Ok(Outcome::Nothing)
        },
    );
    let vm = new.name.as_str();
    fleet.store.write()?.set_phase(vm, Part::Provisioning, VmPhase::InProgress, None)?;
    let work = async {
        let target = platform.create(new).await?;
        fleet.progress.step("connecting", &format!("connecting to {target}"));
        let connection = Connection::open(&fleet.client, &target, accept_new).await?;
        let machine = SshMachine::new(Arc::clone(&connection));
        let vm::Facts { machine_id, home, os, architecture } = vm::take_in(&machine, &host::fresh_id()?).await?;
        let admin_user = connection.user().to_owned();
        Ok((connection, Facts { machine_id, admin_user, admin_home: home, os, architecture }))
    };
    let done = fleet.phases.run(Phase::Provision, work).await;
    let mut records = fleet.store.write()?;
    let kept = done.and_then(|(connection, facts)| records.provisioned(vm, &facts).map(|()| connection));
    match kept {
        Ok(connection) => {
            fleet.undo.keep_everything();
            Ok(connection)
        }
        Err(error) => {
            records.set_phase(vm, Part::Provisioning, VmPhase::Failed, Some(&error.to_string()))?;
            Err(error)
        }
    }
}

fn report(
    fleet: &Fleet,
    record: VmRecord,
    created: bool,
    steps: Vec<agent_workspace_contract::VmStep>,
) -> Result<VmCreateReport> {
    let transport =
        transport(&record)?.ok_or_else(|| usage(format!("it is not known who logs in to {}", record.host)))?;
    Ok(VmCreateReport { vm: fleet.row(&record), created, steps, transport, timings_ms: fleet.phases.timings_ms() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(vm: Option<&str>, platform: Option<&str>, host: Option<&str>) -> Result<Request> {
        let keys = HostKeys { accept_new_host_key: false };
        Args { vm: vm.map(str::to_owned), platform: platform.map(str::to_owned), host: host.map(str::to_owned), keys }
            .resolve()
    }

    #[test]
    fn a_name_comes_from_the_host_where_it_can() {
        assert_eq!(resolve(None, None, Some("admin@Dev1.example.org:2222")).unwrap().name.as_str(), "dev1");
        assert_eq!(resolve(None, None, Some("192.0.2.1")).unwrap_err().code(), ErrorCode::InputRequired);
        assert_eq!(resolve(Some("box"), Some("ssh"), Some("192.0.2.1")).unwrap().platform, "ssh");
    }

    #[test]
    fn what_is_missing_or_wrong_is_said_before_anything_is_touched() {
        assert_eq!(resolve(Some("a"), None, None).unwrap_err().code(), ErrorCode::InputRequired);
        assert_eq!(resolve(Some("a"), Some("cloud"), Some("h")).unwrap_err().code(), ErrorCode::Usage);
        assert_eq!(resolve(Some("A"), None, Some("h")).unwrap_err().code(), ErrorCode::InvalidName);
        assert_eq!(resolve(Some("a"), None, Some("-oX")).unwrap_err().code(), ErrorCode::InvalidHost);
    }
}
