//! The second part of making a VM, which `create` does once and `reinit` again and again.

use agent_workspace_contract::{ErrorCode, VmPhase, VmStep};

use super::log::Log;
use super::{Fleet, free};
use crate::config::VmTemplate;
use crate::error::Result;
use crate::guest::vm;
use crate::phase::Phase;
use crate::ssh::SshMachine;
use crate::store::Part;
use crate::undo::Outcome;

/// Prepares the machine of a VM that is claimed by its template, and writes down what became of it.
///
/// # Errors
/// `guest_failed`, the connection's own, or the store's.
pub(super) async fn run(
    fleet: &Fleet,
    name: &str,
    template: &VmTemplate,
    machine: &SshMachine,
    log: &Log,
) -> Result<Vec<VmStep>> {
    fleet.store.write()?.set_phase(name, Part::Initialization, VmPhase::InProgress, None)?;
    let (store, vm, said) = (fleet.store.clone(), name.to_owned(), log.clone());
    fleet.undo.register(format!("preparing VM {name}"), move || async move {
        let Some(_claim) = free(&store, &vm)? else { return Ok(Outcome::Nothing) };
        let mut records = store.write()?;
        said.save(&mut records, &vm)?;
        if records.vm(&vm)?.is_some_and(|vm| vm.initialization == VmPhase::InProgress) {
            records.set_phase(&vm, Part::Initialization, VmPhase::Failed, Some("it was cut off"))?;
        }
        Ok(Outcome::Nothing)
    });
    let begun = |step: &str, does: &str| {
        log.begin(Part::Initialization, step);
        fleet.progress.step(&format!("{step}_started"), &format!("{name}: {does}"));
    };
    let heard = |bytes: &[u8]| log.hear(bytes);
    let done = fleet.phases.run(Phase::Initialize, vm::initialize(machine, &template.apt, begun, heard)).await;
    let mut records = fleet.store.write()?;
    log.save(&mut records, name)?;
    match done {
        Ok(steps) => {
            let changed: Vec<_> =
                steps.iter().filter(|step| step.changed).map(|step| step.step.replace('_', " ")).collect();
            let detail = (!changed.is_empty()).then(|| format!("changed: {}", changed.join(", ")));
            records.set_phase(name, Part::Initialization, VmPhase::Complete, detail.as_deref())?;
            records.vm_seen(name)?;
            fleet.undo.keep_everything();
            Ok(steps)
        }
        Err(error) => {
            records.set_phase(name, Part::Initialization, VmPhase::Failed, Some(&error.to_string()))?;
            let error = error.detail("vm", name);
            Err(if error.code() == ErrorCode::GuestFailed {
                error.hint(format!(
                    "mend the cause and go on: agent-workspace vm reinit {name}; all that was said: agent-workspace vm \
                     logs {name}"
                ))
            } else {
                error
            })
        }
    }
}
