//! What `agent create` does once and `agent reinit` again and again: the user, its credentials, its dotfiles, its groups.

use agent_workspace_contract::{ErrorCode, VmStep};

use super::credentials::{Wanted, lacking};
use super::{account, admitted_to, no_user, settle, trust_clones};
use crate::command::vm::Fleet;
use crate::error::{Error, Result};
use crate::guest::git_auth::{self, Kept};
use crate::guest::users::{self, AgentSetup, DEFAULT_SHELL, Dotfiles};
use crate::output::warning;
use crate::phase::Phase;
use crate::ssh::SshMachine;
use crate::store::AgentRecord;

/// Prepares an agent on a VM that is claimed, and writes down what became of it; `ready` is called when that is written.
/// What is there already is left as it is. `setup` is what its template and what was asked come to, `call` the mark of this
/// call.
///
/// # Errors
/// Those of each step but dotfiles, which are a warning, the machine's, or the store's own.
pub(super) async fn run(
    fleet: &Fleet,
    machine: &SshMachine,
    agent: &AgentRecord,
    setup: &AgentSetup,
    call: &str,
    git: &[Wanted],
    ready: impl FnOnce(),
) -> Result<(AgentRecord, Vec<VmStep>)> {
    let name = &agent.name;
    let mut steps = Vec::new();
    let mut done = |step: &str, changed: bool| steps.push(VmStep { step: step.to_owned(), changed });

    fleet.progress.step("user_started", &format!("{name}: make sure of the user {}", agent.linux_user));
    let shell = setup.shell.as_deref().unwrap_or(DEFAULT_SHELL);
    let account = account(agent);
    let made = fleet.phases.run(Phase::Prepare, users::make(machine, &account, shell, call)).await?;
    done("user", made.changed);

    let inside = machine.acting_as(&agent.linux_user, made.places());
    if !git.is_empty() {
        done("credentials", keep(fleet, &inside, agent, git).await?);
    }
    let mut dotfiles_problem = None;
    if let Some(dotfiles) = &setup.dotfiles {
        match install(fleet, &inside, dotfiles, call).await? {
            Ok(changed) => done("dotfiles", changed),
            Err(why) => {
                fleet.progress.warn(warning("dotfiles_failed", format!("agent {name}: {why}")));
                dotfiles_problem = Some(why);
            }
        }
    }

    let made = AgentRecord { shell: Some(made.shell), dotfiles_problem, ..agent.clone() };
    if !fleet.store.write()?.agent_made(&made)? {
        return Err(Error::new(ErrorCode::AgentNotFound, format!("agent {name} was deleted in the middle"))
            .detail("agent", name.clone())
            .hint("see what there is: agent-workspace agent list"));
    }
    ready();
    let admitted = admitted_to(fleet, name)?;
    fleet.progress.step("groups_started", &format!("{name}: set its groups"));
    let settled = settle(fleet, machine, agent, &admitted, false).await?.ok_or_else(|| no_user(agent))?;
    done("groups", !settled.added.is_empty() || !settled.removed.is_empty());
    let trusted = trust_clones(fleet, &inside, agent, &admitted).await?;
    done("git", trusted);
    let records = fleet.store.read()?;
    let made = records.map(|records| records.agent(name)).transpose()?.flatten().unwrap_or(made);
    Ok((made, steps))
}

/// Keeps the agent's git credentials. Of those without a token what is there stays, and that there is nothing is a
/// warning. Returns whether any were others before.
///
/// # Errors
/// Those of keeping them.
async fn keep(fleet: &Fleet, inside: &SshMachine, agent: &AgentRecord, git: &[Wanted]) -> Result<bool> {
    let name = &agent.name;
    let called: Vec<_> = git.iter().map(|wanted| wanted.credential.place.to_string()).collect();
    fleet.progress.step("credentials_started", &format!("{name}: keep git credentials for {}", called.join(", ")));
    let credentials: Vec<_> = git.iter().map(|wanted| wanted.credential.clone()).collect();
    let keeping = git_auth::keep_all(inside, &credentials);
    let kept = fleet.phases.run(Phase::Credentials, keeping).await.map_err(|error| of(agent, error))?;
    let mut changed = false;
    for (wanted, kept) in git.iter().zip(kept) {
        let keeper = match kept {
            Kept::ByGh(new) => {
                changed |= new;
                "gh keeps them, for the agent alone"
            }
            Kept::InStore(new) => {
                changed |= new;
                "git's own store keeps them, for the agent alone"
            }
            Kept::Already => "those that are there stay",
            Kept::Missing => {
                fleet.progress.warn(warning("credentials_missing", lacking(name, wanted)));
                continue;
            }
        };
        fleet.progress.detail("credentials_kept", &format!("{}: {keeper}", wanted.called));
    }
    Ok(changed)
}

/// Whether dotfiles changed anything, or in one sentence why they are not in their places.
///
/// # Errors
/// When the machine was lost or the time has run out.
async fn install(
    fleet: &Fleet,
    inside: &SshMachine,
    dotfiles: &Dotfiles,
    call: &str,
) -> Result<std::result::Result<bool, String>> {
    let installing = users::install(inside, dotfiles, call, &fleet.progress);
    match fleet.phases.run(Phase::Clone, installing).await {
        Ok(changed) => Ok(Ok(changed)),
        Err(error) if matches!(error.code(), ErrorCode::HostUnreachable | ErrorCode::Timeout) => Err(error),
        Err(error) => {
            let cause = error.causes().first().map(|cause| format!(": {cause}")).unwrap_or_default();
            Ok(Err(format!("{error}{cause}")))
        }
    }
}

fn of(agent: &AgentRecord, error: Error) -> Error {
    error.detail("agent", agent.name.clone())
}
