//! `vm create`: a machine, and what makes it a VM.

use std::sync::Arc;

use agent_workspace_contract::{ErrorCode, HostKey, VmCreateReport, VmPhase, VmStep};

use super::log::Log;
use super::{Fleet, HostKeys, Template, free, initialize, not_found, remembered, ssh_config, transport};
use crate::config::VmTemplate;
use crate::error::{Error, Result, usage};
use crate::guest::vm;
use crate::host::{self, Host};
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
    /// What it is prepared by
    #[command(flatten)]
    template: Template,
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
    /// The template it is prepared by, if one was named.
    pub template: Option<String>,
    /// Whether a host that was never seen is believed.
    pub accept_new: bool,
}

impl Args {
    /// Checks everything that needs neither state nor network. What is not typed is as it is configured.
    ///
    /// # Errors
    /// `input_required`, `invalid_host`, `invalid_name`, `usage`, `template_not_found`, `config_invalid`.
    pub fn resolve(self, process: &Host) -> Result<Request> {
        let Self { vm, platform, host, template: Template { template }, keys: HostKeys { accept_new_host_key } } = self;
        let platform = match platform {
            Some(platform) => platform,
            None => process.config()?.defaults().platform.unwrap_or_else(|| PLATFORMS[0].to_owned()),
        };
        let platform = platform::open(&platform)?.name();
        if template.is_some() {
            process.config()?.vm_template(template.as_deref())?;
        }
        let host = match host {
            Some(host) => Some(host),
            None => process.config()?.defaults().vm_host,
        };
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
        Ok(Request { name, platform, host, template, accept_new: accept_new_host_key })
    }
}

/// Makes it, goes on with one that was cut off, or says that it is there.
///
/// # Errors
/// `vm_exists`, `vm_busy`, `vm_unsuitable`, those of connecting, `guest_failed`, or the store's own.
pub async fn run(fleet: &Fleet, request: Request) -> Result<VmCreateReport> {
    let Request { name, platform, host, template, accept_new } = request;
    let platform = platform::open(platform)?;
    let _claim = fleet.store.claim(name.as_str())?;
    let mut records = fleet.store.write()?;
    // The name of a VM host stands for its address.
    let (host, vm_host) = match records.vm_host(&host)? {
        Some(record) => (record.host, Some(record.name)),
        None => (RemoteTarget::parse(&host)?.to_string(), None),
    };
    // Before anything is written, so that a template that there is not leaves nothing.
    let before = records.vm(name.as_str())?;
    let wanted = match &template {
        Some(named) => remembered(named),
        None => before.as_ref().and_then(|vm| vm.template.as_deref()),
    };
    let is_ready = |vm: &VmRecord| (vm.provisioning, vm.initialization) == (VmPhase::Complete, VmPhase::Complete);
    let ready = before.as_ref().filter(|vm| is_ready(vm));
    if let Some(vm) = ready.filter(|vm| vm.template.as_deref() != wanted) {
        return Err(by_another(vm, wanted));
    }
    let by = if ready.is_some() { VmTemplate::default() } else { fleet.config()?.vm_template(wanted)? };
    let created = records.intend_vm(name.as_str(), platform.name(), &host, vm_host.as_deref())?;
    if template.is_some() {
        records.set_vm_template(name.as_str(), wanted)?;
    }
    let record = records.vm(name.as_str())?.ok_or_else(|| not_found(&name))?;
    drop(records);
    if is_ready(&record) {
        ssh_config::keep(fleet).await;
        return report(fleet, record, false, Vec::new(), None);
    }
    let log = Log::new()?;
    let connection = if record.provisioning == VmPhase::Complete {
        fleet.reach(&record, accept_new).await?
    } else {
        let new = NewVm { name: name.to_string(), host: RemoteTarget::parse(&host)? };
        provision(fleet, &*platform, &new, created, accept_new, &log).await?
    };
    let machine = SshMachine::new(Arc::clone(&connection));
    ssh_config::keep(fleet).await;
    let steps = initialize::run(fleet, name.as_str(), &by, &machine, &log).await?;
    connection.close().await;
    let record = fleet.find(&name)?;
    report(fleet, record, created, steps, Some(connection.host_key().clone()))
}

/// The first part: there is a machine, it will do, and it is remembered. One that is new is forgotten when this fails.
async fn provision(
    fleet: &Fleet,
    platform: &dyn platform::Platform,
    new: &NewVm,
    created: bool,
    accept_new: bool,
    log: &Log,
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
        let connection = fleet.connect(&target, accept_new).await?;
        let machine = SshMachine::new(Arc::clone(&connection));
        let said = |step: &str, words: &str| {
            log.begin(Part::Provisioning, step);
            log.hear(words.as_bytes());
        };
        let vm::Facts { machine_id, home, os, architecture } = vm::take_in(&machine, &host::fresh_id()?, said).await?;
        let admin_user = connection.user().to_owned();
        Ok((connection, Facts { machine_id, admin_user, admin_home: home, os, architecture }))
    };
    let done = fleet.phases.run(Phase::Provision, work).await;
    let mut records = fleet.store.write()?;
    log.save(&mut records, vm)?;
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

/// A VM that is ready and was prepared by another template than is asked for.
fn by_another(vm: &VmRecord, wanted: Option<&str>) -> Error {
    let (name, by) = (&vm.name, vm.template.as_deref().unwrap_or("default"));
    Error::new(ErrorCode::VmExists, format!("VM {name} is there, and prepared by the template {by}"))
        .detail("vm", name.clone())
        .hint(format!(
            "prepare it by that one: agent-workspace vm reinit {name} --template {}",
            wanted.unwrap_or("default")
        ))
}

fn report(
    fleet: &Fleet,
    record: VmRecord,
    created: bool,
    steps: Vec<VmStep>,
    host_key: Option<HostKey>,
) -> Result<VmCreateReport> {
    let transport =
        transport(&record)?.ok_or_else(|| usage(format!("it is not known who logs in to {}", record.host)))?;
    Ok(VmCreateReport {
        vm: fleet.row(&record)?,
        created,
        steps,
        host_key,
        transport,
        timings_ms: fleet.phases.timings_ms(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn args(vm: Option<&str>, platform: Option<&str>, host: Option<&str>, template: Option<&str>) -> Args {
        let owned = |word: Option<&str>| word.map(str::to_owned);
        Args {
            vm: owned(vm),
            platform: owned(platform),
            host: owned(host),
            template: Template { template: owned(template) },
            keys: HostKeys { accept_new_host_key: false },
        }
    }

    fn resolve(vm: Option<&str>, platform: Option<&str>, host: Option<&str>) -> Result<Request> {
        args(vm, platform, host, None).resolve(&Host::fixed(&[], []))
    }

    #[test]
    fn what_is_not_typed_is_as_it_is_configured() {
        let text = "[defaults]\nvm_host = \"box\"\nplatform = \"ssh\"\n[vm_templates.big]\napt = [\"jq\"]\n";
        let host = Host::fixed(&[], []).configured(Ok(Config::from_text(text)));
        let request = args(Some("a"), None, None, Some("big")).resolve(&host).unwrap();
        assert_eq!((request.host.as_str(), request.template.as_deref()), ("box", Some("big")));
        assert_eq!(args(Some("a"), None, Some("typed"), None).resolve(&host).unwrap().host, "typed");
        let absent = args(Some("a"), None, None, Some("nosuch")).resolve(&host).unwrap_err();
        assert_eq!(absent.code(), ErrorCode::TemplateNotFound);
        let broken = Host::fixed(&[], []).configured(Err(Error::new(ErrorCode::ConfigInvalid, "broken")));
        assert_eq!(
            args(Some("a"), Some("ssh"), None, None).resolve(&broken).unwrap_err().code(),
            ErrorCode::ConfigInvalid
        );
        assert!(args(Some("a"), Some("ssh"), Some("h"), None).resolve(&broken).is_ok(), "everything was typed");
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
