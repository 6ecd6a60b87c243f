//! `workspace-grants deny`: takes back what an agent was granted.

use std::sync::Arc;

use agent_workspace_contract::{Grant, GrantKind, GrantsDenyReport};

use super::{Target, admitted_to, found, is_ready, names};
use crate::command::agent::{find, settle, some_or_all, trust_clones, vm_of};
use crate::command::vm::Fleet;
use crate::error::Result;
use crate::guest::users::{home_of, places};
use crate::host::Host;
use crate::output::warning;
use crate::ssh::SshMachine;
use crate::store::AdmittedTo;
use crate::workspace::{AgentName, WorkspaceName};

/// Flags of `workspace-grants deny`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Who, and which
    #[command(flatten)]
    target: Target,
    /// Everything that it was granted, and the right to those to come
    #[arg(long)]
    all: bool,
    /// End the agent's processes when some still have what is taken away
    #[arg(long)]
    end_processes: bool,
}

/// What is to be taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The agent.
    pub name: AgentName,
    /// Which workspaces.
    pub workspaces: Vec<WorkspaceName>,
    /// Every one.
    pub all: bool,
    /// Whether what still runs in them is ended.
    pub end_processes: bool,
}

impl Args {
    /// Checks the names.
    ///
    /// # Errors
    /// `invalid_name`, `invalid_environment`, `usage`.
    pub fn resolve(self, host: &Host) -> Result<Request> {
        let Self { target: Target { agent, workspaces }, all, end_processes } = self;
        some_or_all(&workspaces, all, "deny")?;
        Ok(Request { name: AgentName::parse(&agent)?, workspaces: names(&workspaces, host)?, all, end_processes })
    }
}

/// Takes it back. The machine first: one that is cut off has left the agent with less than is remembered, never with more.
///
/// # Errors
/// `agent_not_found`, `workspace_not_found`, `grant_elsewhere`, `vm_busy`, those of connecting, `guest_failed`, or the
/// store's own.
pub async fn run(fleet: &Fleet, request: Request) -> Result<GrantsDenyReport> {
    let Request { name, workspaces, all, end_processes } = request;
    let agent = find(fleet, &name)?;
    found(fleet, &agent, &workspaces)?;
    let connection = fleet.reach(&vm_of(fleet, &agent)?, false).await?;
    let machine = SshMachine::new(Arc::clone(&connection));
    let _claim = fleet.claim_patiently(&agent.vm).await?;
    let agent = find(fleet, &name)?;
    is_ready(&agent)?;
    let denied: Vec<_> = found(fleet, &agent, &workspaces)?.into_iter().map(|workspace| workspace.name).collect();
    let admitted = without(admitted_to(fleet, name.as_str())?, &denied, all);
    let settled = settle(fleet, &machine, &agent, &admitted, end_processes).await?;
    let changed = fleet.store.write()?.deny(name.as_str(), &denied, all)?;
    // Without a user there is nothing to be told, and nothing that runs.
    let has_user = settled.is_some();
    let settled = settled.unwrap_or_default();
    if has_user {
        let inside = machine.acting_as(&agent.linux_user, places(&home_of(&agent.linux_user)));
        trust_clones(fleet, &inside, &agent, &admitted).await?;
    }
    connection.close().await;
    if settled.running > 0 {
        let message = format!(
            "{} processes of agent {name} began before and keep what was taken away until they end; end them with \
             --end-processes, or one by one",
            settled.running
        );
        fleet.progress.warn(warning("still_inside", message));
    }
    for to in admitted.iter().filter(|to| all || denied.contains(&to.workspace)) {
        let workspace = &to.workspace;
        let why = if to.kinds.contains(&GrantKind::All) {
            format!("it may into every workspace: agent-workspace workspace-grants deny {name} --all")
        } else {
            "a session of it is there, until that ends".to_owned()
        };
        let message = format!("agent {name} may still enter workspace {workspace}: {why}");
        fleet.progress.warn(warning("still_admitted", message));
    }
    Ok(GrantsDenyReport {
        agent: agent.name,
        vm: agent.vm,
        grant_all: agent.grant_all && !all,
        grants: admitted.into_iter().map(Grant::from).collect(),
        changed,
        running_processes: settled.running,
        ended_processes: settled.ended,
    })
}

/// What is left when these are denied, or everything.
fn without(admitted: Vec<AdmittedTo>, denied: &[String], all: bool) -> Vec<AdmittedTo> {
    let mut left = admitted;
    for to in &mut left {
        let this = all || denied.contains(&to.workspace);
        to.kinds.retain(|kind| !matches!(kind, GrantKind::Explicit if this) && !matches!(kind, GrantKind::All if all));
    }
    left.retain(|to| !to.kinds.is_empty());
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::WorkspaceState;

    #[test]
    fn what_is_denied_goes_and_what_else_admits_stays() {
        use GrantKind::{All, Explicit, Implicit};
        let admitted = |kinds: &[(&str, &[GrantKind])]| {
            let to = |(name, kinds): &(&str, &[GrantKind])| AdmittedTo {
                workspace: (*name).to_owned(),
                group: format!("ws--{name}"),
                folder: format!("/srv/{name}"),
                state: WorkspaceState::Ready,
                kinds: kinds.to_vec(),
            };
            kinds.iter().map(to).collect::<Vec<_>>()
        };
        let before = admitted(&[("a", &[Explicit]), ("b", &[Explicit, Implicit]), ("c", &[All, Explicit])]);
        let all_three = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(without(before.clone(), &all_three, false), admitted(&[("b", &[Implicit]), ("c", &[All])]));
        assert_eq!(without(before.clone(), &[], true), admitted(&[("b", &[Implicit])]));
        assert_eq!(without(before.clone(), &[], false), before);
    }
}
