//! The checks of VMs, under the names that those of an engine have.

use agent_workspace_contract::{Check, CheckStatus};

use super::leftovers::leftovers;
use super::{check, with_fix, wrong};
use crate::backend::examination::{VmFacts, VmsFacts};

/// The checks, from what the backend says.
pub(super) fn of_vms(facts: VmsFacts, now: i64) -> Vec<Check> {
    let VmsFacts { vms, survey } = facts;
    let needless = |name: &str| check(name, CheckStatus::Skipped, "there is none without an engine".to_owned());
    let (address, engine) = match vms {
        Ok(vms) => (address(&vms), answers(&vms)),
        Err(error) => (wrong("address", &error), needless("engine")),
    };
    let left = match survey {
        Some(Ok(survey)) => leftovers(&survey, now),
        Some(Err(error)) => wrong("leftovers", &error),
        None => check("leftovers", CheckStatus::Skipped, "not looked for".to_owned()),
    };
    let disk = check("disk", CheckStatus::Skipped, "see: agent-workspace vm describe".to_owned());
    vec![address, engine, needless("api_version"), needless("image"), disk, left]
}

/// Which VMs there are, and whether each is prepared.
fn address(vms: &[VmFacts]) -> Check {
    let names: Vec<&str> = vms.iter().map(|vm| vm.name.as_str()).collect();
    let unprepared: Vec<&str> = vms.iter().filter(|vm| !vm.initialized).map(|vm| vm.name.as_str()).collect();
    match (names.first(), unprepared.first()) {
        (None, _) => with_fix(
            "address",
            CheckStatus::Failed,
            "there is no VM that workspaces could be on".to_owned(),
            "agent-workspace vm create NAME --host admin@vm.example.org",
        ),
        (Some(_), Some(first)) => with_fix(
            "address",
            CheckStatus::Warning,
            format!("workspaces are on VMs: {}; not prepared: {}", names.join(", "), unprepared.join(", ")),
            &format!("agent-workspace vm reinit {first}"),
        ),
        (Some(_), None) => check("address", CheckStatus::Ok, format!("workspaces are on VMs: {}", names.join(", "))),
    }
}

/// Whether each answers. One that does not is in nobody's way but its own.
fn answers(vms: &[VmFacts]) -> Check {
    let silent: Vec<_> = vms.iter().filter_map(|vm| Some((vm, vm.reached.as_ref().err()?))).collect();
    let Some((_, error)) = silent.first() else {
        return check("engine", CheckStatus::Ok, "no engine is needed; every VM answers".to_owned());
    };
    let status = if silent.len() == vms.len() { CheckStatus::Failed } else { CheckStatus::Warning };
    let said: Vec<String> = silent.iter().map(|(vm, error)| format!("{}: {error}", vm.name)).collect();
    Check { status, message: said.join("; "), ..wrong("engine", error) }
}

#[cfg(test)]
mod tests {
    use agent_workspace_contract::ErrorCode;

    use super::*;
    use crate::backend::survey::Survey;
    use crate::error::Error;

    fn vm(name: &str, initialized: bool, reached: bool) -> VmFacts {
        let silent = || Err(Error::new(ErrorCode::HostUnreachable, "it is silent").hint("look at it"));
        VmFacts { name: name.to_owned(), initialized, reached: if reached { Ok(()) } else { silent() } }
    }

    fn statuses(vms: Vec<VmFacts>) -> (&'static str, &'static str) {
        let checks = of_vms(VmsFacts { vms: Ok(vms), survey: Some(Ok(Survey::default())) }, 0);
        (checks[0].status.as_str(), checks[1].status.as_str())
    }

    #[test]
    fn a_vm_that_is_silent_or_not_prepared_is_a_warning_while_another_is_there() {
        assert_eq!(statuses(vec![vm("a", true, true), vm("b", true, true)]), ("ok", "ok"));
        assert_eq!(statuses(vec![vm("a", true, true), vm("b", false, false)]), ("warning", "warning"));
        assert_eq!(statuses(vec![vm("a", true, false)]), ("ok", "failed"));
        assert_eq!(statuses(Vec::new()).0, "failed");
    }
}
