//! `vm delete`: forgets a VM; the machine goes with it where its platform has made it.

use agent_workspace_contract::{ErrorCode, VmDeleteReport};

use super::{Fleet, Target, not_found, ssh_config};
use crate::command::code_workspace::File;
use crate::error::{Error, Result};
use crate::platform;
use crate::workspace::MachineName;

/// Flags of `vm delete`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The VM
    #[command(flatten)]
    target: Target,
    /// Forget the workspaces and agents on it too
    #[arg(long)]
    force: bool,
    /// Succeed when there is no such VM
    #[arg(long)]
    if_exists: bool,
}

/// What is to be forgotten.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The VM.
    pub name: MachineName,
    /// Whether what is remembered on it is forgotten with it.
    pub force: bool,
    /// Whether absence is success.
    pub if_exists: bool,
}

impl Args {
    /// Checks the name.
    ///
    /// # Errors
    /// `invalid_name`.
    pub fn resolve(self) -> Result<Request> {
        let Self { target, force, if_exists } = self;
        Ok(Request { name: target.resolve()?, force, if_exists })
    }
}

/// Deletes it.
///
/// # Errors
/// `vm_not_found`, `vm_in_use`, `vm_busy`, the platform's own, or the store's.
pub async fn run(fleet: &Fleet, request: Request) -> Result<VmDeleteReport> {
    let Request { name, force, if_exists } = request;
    let vm = name.to_string();
    let record = match fleet.store.read()? {
        Some(records) => records.vm(&vm)?,
        None => None,
    };
    let Some(record) = record else {
        return if if_exists {
            Ok(VmDeleteReport {
                vm,
                changed: false,
                machine_deleted: false,
                forgotten_workspaces: Vec::new(),
                forgotten_agents: Vec::new(),
            })
        } else {
            Err(not_found(&name))
        };
    };
    let _claim = fleet.store.claim(&vm)?;
    let (forgotten_workspaces, forgotten_agents) = fleet.store.write()?.on_vm(&vm)?;
    let nothing = forgotten_workspaces.is_empty() && forgotten_agents.is_empty();
    if !force && !nothing {
        return Err(in_use(&vm, &forgotten_workspaces, &forgotten_agents));
    }
    // First the machine: a row that is gone would leave one that nobody knows of.
    let machine_deleted = platform::of(&record)?.delete(&record).await?;
    let mut records = fleet.store.write()?;
    let rows = records.workspaces()?.into_iter().filter(|row| row.vm == vm);
    let files: Vec<File> = rows.filter_map(|row| File::of_row(&row, &fleet.client.alias(&vm))).collect();
    records.forget_what_is_on(&vm)?;
    let changed = records.forget_vm(&vm)?;
    drop(records);
    for file in files {
        file.take(&fleet.progress);
    }
    ssh_config::keep(fleet).await;
    Ok(VmDeleteReport { vm, changed, machine_deleted, forgotten_workspaces, forgotten_agents })
}

fn in_use(vm: &str, workspaces: &[String], agents: &[String]) -> Error {
    let all = |what: &str, names: &[String]| (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")));
    let error = Error::new(ErrorCode::VmInUse, format!("workspaces or agents are on VM {vm}"))
        .detail("vm", vm)
        .detail("workspaces", workspaces.to_vec())
        .detail("agents", agents.to_vec())
        .hint(format!(
            "remove them first: {}; or forget them with it, the machine staying as it is: agent-workspace vm delete {vm} \
             --force",
            removing(workspaces, agents)
        ));
    [all("workspaces", workspaces), all("agents", agents)].into_iter().flatten().fold(error, Error::cause)
}

/// The commands that remove what is on a VM.
fn removing(workspaces: &[String], agents: &[String]) -> String {
    let workspaces = workspaces.iter().map(|name| format!("agent-workspace rm {name}"));
    let agents = agents.iter().map(|name| format!("agent-workspace agent delete {name}"));
    workspaces.chain(agents).collect::<Vec<_>>().join("; ")
}
