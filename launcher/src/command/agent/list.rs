//! `agent list`: every agent as it is remembered.

use agent_workspace_contract::AgentListReport;

use super::{named_vm, row};
use crate::command::vm::Fleet;
use crate::error::Result;
use crate::workspace::MachineName;

/// Flags of `agent list`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Those of this VM alone
    #[arg(long, value_name = "VM")]
    vm: Option<String>,
}

impl Args {
    /// The VM.
    ///
    /// # Errors
    /// `invalid_name`.
    pub fn resolve(self) -> Result<Option<MachineName>> {
        let Self { vm } = self;
        named_vm(vm)
    }
}

/// Lists them. Nothing is written, and nobody is asked.
///
/// # Errors
/// `vm_not_found`, or the store's own.
pub async fn run(fleet: &Fleet, vm: Option<MachineName>) -> Result<AgentListReport> {
    if let Some(vm) = &vm {
        fleet.find(vm)?;
    }
    let agents = match fleet.store.read()? {
        Some(records) => records.agents()?,
        None => Vec::new(),
    };
    let wanted = agents.iter().filter(|agent| vm.as_ref().is_none_or(|vm| vm.as_str() == agent.vm));
    Ok(AgentListReport { agents: wanted.map(|agent| row(fleet, agent)).collect() })
}
