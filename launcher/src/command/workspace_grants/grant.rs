//! `workspace-grants grant`: lets an agent into workspaces.

use std::sync::Arc;

use agent_workspace_contract::{Grant, GrantsReport};

use super::{Target, admitted_to, found, is_ready, names};
use crate::command::agent::{find, no_user, settle, some_or_all, trust_clones, vm_of};
use crate::command::vm::Fleet;
use crate::error::Result;
use crate::guest::users::{home_of, places};
use crate::host::Host;
use crate::ssh::SshMachine;
use crate::workspace::{AgentName, WorkspaceName};

/// Flags of `workspace-grants grant`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Who, and into which
    #[command(flatten)]
    target: Target,
    /// Into every workspace of its VM, those to come included
    #[arg(long)]
    all: bool,
}

/// Who is to be let in.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The agent.
    pub name: AgentName,
    /// Into which.
    pub workspaces: Vec<WorkspaceName>,
    /// Into every one.
    pub all: bool,
}

impl Args {
    /// Checks the names.
    ///
    /// # Errors
    /// `invalid_name`, `invalid_environment`, `usage`.
    pub fn resolve(self, host: &Host) -> Result<Request> {
        let Self { target: Target { agent, workspaces }, all } = self;
        some_or_all(&workspaces, all, "grant")?;
        Ok(Request { name: AgentName::parse(&agent)?, workspaces: names(&workspaces, host)?, all })
    }
}

/// Lets it in: all of them or none. It is written down first, so that one that is cut off is mended by `agent reinit`.
///
/// # Errors
/// `agent_not_found`, `workspace_not_found`, `grant_elsewhere`, `vm_busy`, those of connecting, `guest_failed`, or the
/// store's own.
pub async fn run(fleet: &Fleet, request: Request) -> Result<GrantsReport> {
    let Request { name, workspaces, all } = request;
    let agent = find(fleet, &name)?;
    found(fleet, &agent, &workspaces)?;
    let connection = fleet.reach(&vm_of(fleet, &agent)?, false).await?;
    let machine = SshMachine::new(Arc::clone(&connection));
    let _claim = fleet.claim_patiently(&agent.vm).await?;
    let agent = find(fleet, &name)?;
    is_ready(&agent)?;
    let wanted: Vec<_> = found(fleet, &agent, &workspaces)?.into_iter().map(|workspace| workspace.name).collect();
    let changed = fleet.store.write()?.grant(name.as_str(), &wanted, all)?;
    let admitted = admitted_to(fleet, name.as_str())?;
    settle(fleet, &machine, &agent, &admitted, false).await?.ok_or_else(|| no_user(&agent))?;
    let inside = machine.acting_as(&agent.linux_user, places(&home_of(&agent.linux_user)));
    trust_clones(fleet, &inside, &agent, &admitted).await?;
    connection.close().await;
    let grants = admitted.into_iter().map(Grant::from).collect();
    Ok(GrantsReport { agent: agent.name, vm: agent.vm, grant_all: agent.grant_all || all, grants, changed })
}
