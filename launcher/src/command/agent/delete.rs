//! `agent delete`: an agent's user, its home and what else it has outside of workspaces.

use std::sync::Arc;

use agent_workspace_contract::{AgentDeleteReport, ErrorCode};
use serde_json::json;

use super::{Target, account, find, not_found, vm_of};
use crate::command::vm::Fleet;
use crate::error::{Error, Result};
use crate::guest::unsaved_work::{self, Unsaved};
use crate::guest::users::{self, Look, home_of, places};
use crate::output::warning;
use crate::ssh::SshMachine;
use crate::store::{AgentRecord, AgentState};
use crate::workspace::AgentName;

/// Flags of `agent delete`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The agent
    #[command(flatten)]
    target: Target,
    /// Delete it also when it has work that exists nowhere else, or processes that run
    #[arg(long)]
    force: bool,
    /// Forget it when its VM does not answer and never will; what is on the machine stays there
    #[arg(long)]
    forget: bool,
    /// Succeed when there is no such agent
    #[arg(long)]
    if_exists: bool,
}

/// What is to be deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The agent.
    pub name: AgentName,
    /// Whether work and processes may be lost.
    pub force: bool,
    /// Whether it is forgotten when its VM does not answer.
    pub forget: bool,
    /// Whether absence is success.
    pub if_exists: bool,
}

impl Args {
    /// Checks the name.
    ///
    /// # Errors
    /// `invalid_name`.
    pub fn resolve(self) -> Result<Request> {
        let Self { target, force, forget, if_exists } = self;
        Ok(Request { name: target.resolve()?, force, forget, if_exists })
    }
}

/// Deletes it.
///
/// # Errors
/// `agent_not_found`, `unsaved_work`, `agent_busy`, `vm_busy`, those of connecting, `guest_failed`, or the store's own.
pub async fn run(fleet: &Fleet, request: Request) -> Result<AgentDeleteReport> {
    let Request { name, force, forget, if_exists } = request;
    let agent = match find(fleet, &name) {
        Err(error) if error.code() == ErrorCode::AgentNotFound && if_exists => {
            let agent = name.to_string();
            return Ok(AgentDeleteReport { agent, vm: None, changed: false, user_deleted: false, ended_processes: 0 });
        }
        found => found?,
    };
    let vm = vm_of(fleet, &agent)?;
    let connection = match fleet.reach(&vm, false).await {
        Err(error) if forget && error.code() == ErrorCode::HostUnreachable => {
            return forgotten(fleet, &agent).await;
        }
        Err(error) if error.code() == ErrorCode::HostUnreachable => {
            return Err(error.hint(format!(
                "try again when it answers; or, when the machine is gone for good: agent-workspace agent delete {name} \
                 --forget"
            )));
        }
        reached => reached?,
    };
    let machine = SshMachine::new(Arc::clone(&connection));
    let _claim = fleet.claim_patiently(&vm.name).await?;
    // Another delete may have been faster, and another create after it.
    let agent = find(fleet, &name)?;
    if !force {
        check(fleet, &machine, &agent).await?;
    }
    fleet.progress.step("delete_started", &format!("deleting agent {name}"));
    if !fleet.store.write()?.set_agent_state(&agent.name, &agent.create_id, AgentState::Removing)? {
        return Err(not_found(&name));
    }
    let gone = match users::remove(&machine, &account(&agent), None, force).await {
        // Nothing was touched.
        Err(error) if error.code() == ErrorCode::AgentBusy => {
            fleet.store.write()?.set_agent_state(&agent.name, &agent.create_id, agent.state)?;
            return Err(busy(&agent, error));
        }
        // Of ours there is nothing.
        Err(error) if error.code() == ErrorCode::NameTaken => {
            fleet.progress.warn(warning("only_forgotten", format!("{error}, and stays")));
            None
        }
        gone => Some(gone?),
    };
    fleet.store.write()?.forget_agent(&agent.name, &agent.create_id)?;
    connection.close().await;
    let AgentRecord { name, vm, .. } = agent;
    let (user_deleted, ended_processes) = gone.map_or((false, 0), |gone| (true, gone.ended));
    Ok(AgentDeleteReport { agent: name, vm: Some(vm), changed: true, user_deleted, ended_processes })
}

/// Refuses what would lose work or end processes.
async fn check(fleet: &Fleet, machine: &SshMachine, agent: &AgentRecord) -> Result<()> {
    fleet.progress.step("check_started", &format!("looking into the home of {}", agent.name));
    let look = match users::look(machine, &account(agent)).await {
        Err(error) if error.code() == ErrorCode::NameTaken => None,
        look => look?,
    };
    let Some(Look { home, running }) = look else { return Ok(()) };
    if running > 0 {
        let error =
            Error::new(ErrorCode::AgentBusy, format!("{running} processes of agent {} are running", agent.name));
        return Err(busy(agent, error.detail("running_processes", running)));
    }
    if !home {
        return Ok(());
    }
    let home = home_of(&agent.linux_user);
    let inside = machine.acting_as(&agent.linux_user, places(&home));
    match unsaved_work::find(&inside, &[&home]).await {
        Ok(found) if found.is_empty() => Ok(()),
        Ok(found) => Err(refused(agent, &found)),
        Err(error) if error.code() == ErrorCode::GuestFailed => {
            let unchecked = Unsaved { kind: "unchecked".to_owned(), path: home, count: None };
            Err(refused(agent, &[unchecked]).cause(error.message()))
        }
        Err(error) => Err(error),
    }
}

fn busy(agent: &AgentRecord, error: Error) -> Error {
    let name = &agent.name;
    error
        .detail("agent", name.clone())
        .hint(format!("let them end; or end them with it: agent-workspace agent delete {name} --force"))
}

fn refused(agent: &AgentRecord, found: &[Unsaved]) -> Error {
    let name = &agent.name;
    let list: Vec<_> =
        found.iter().map(|item| json!({ "kind": item.kind, "path": item.path, "count": item.count })).collect();
    let error =
        Error::new(ErrorCode::UnsavedWork, format!("the home of agent {name} holds work that exists nowhere else"))
            .detail("agent", name.clone())
            .detail("unsaved", list)
            .hint(format!("push or move it first; or destroy it: agent-workspace agent delete {name} --force"));
    found.iter().fold(error, |error, item| error.cause(item.to_string()))
}

/// Forgets an agent whose machine does not answer.
async fn forgotten(fleet: &Fleet, agent: &AgentRecord) -> Result<AgentDeleteReport> {
    let _claim = fleet.claim_patiently(&agent.vm).await?;
    let changed = fleet.store.write()?.forget_agent(&agent.name, &agent.create_id)?;
    let AgentRecord { name, vm, linux_user, .. } = agent;
    fleet.progress.warn(warning(
        "only_forgotten",
        format!(
            "VM {vm} does not answer, and agent {name} is only forgotten here: its user {linux_user} may still be there"
        ),
    ));
    let (agent, vm) = (name.clone(), Some(vm.clone()));
    Ok(AgentDeleteReport { agent, vm, changed, user_deleted: false, ended_processes: 0 })
}
