//! The verbs of `agent`: agents as users of a VM, over what is remembered of them, SSH and `guest::users`.

pub mod create;
mod credentials;
pub mod delete;
pub mod describe;
pub mod list;
mod prepare;
pub mod reinit;
mod template;

use agent_workspace_contract::{AgentRow, AgentStatus, ErrorCode, Grant, Problem, VmPhase};

use super::vm::Fleet;
use crate::command::create::args::{default_host, piped_token, token};
use crate::command::create::credentials::SetupGit;
use crate::error::{Error, Result, usage};
use crate::guest::users::{Account, AgentSetup, Dotfiles, Settled, settle_groups, trust};
use crate::host::Host;
use crate::output::warning;
use crate::phase::Phase;
use crate::ssh::SshMachine;
use crate::store::{AdmittedTo, AgentRecord, AgentState, VmRecord, WorkspaceState};
use crate::workspace::{AgentName, MachineName};

/// Flags of commands that name one agent.
#[derive(clap::Args, Debug)]
pub struct Target {
    /// Name of the agent
    #[arg(value_name = "AGENT")]
    pub agent: String,
}

impl Target {
    /// The name.
    ///
    /// # Errors
    /// `invalid_name`.
    pub fn resolve(self) -> Result<AgentName> {
        AgentName::parse(&self.agent)
    }
}

/// Flags that say how an agent is set up.
#[derive(clap::Args, Debug)]
pub struct SetupFlags {
    /// Login shell, a name or a path; bash by default
    #[arg(long, value_name = "SHELL")]
    shell: Option<String>,
    /// Clone dotfiles into the home: OWNER/REPO or an HTTPS address, ?ref=REF behind it as you like
    #[arg(long, value_name = "SOURCE")]
    dotfiles: Option<String>,
    /// Folder below the home that they go to; .dotfiles by default
    #[arg(long, value_name = "DIR", requires = "dotfiles")]
    dotfiles_destination: Option<String>,
    /// Command that puts them in their places, run there by a shell
    #[arg(long, value_name = "COMMAND", requires = "dotfiles")]
    dotfiles_install: Option<String>,
}

impl SetupFlags {
    /// What they ask for; what is not given is left out.
    ///
    /// # Errors
    /// `usage`, `invalid_repo`, `invalid_ref`.
    pub fn resolve(self) -> Result<AgentSetup> {
        let Self { shell, dotfiles, dotfiles_destination, dotfiles_install } = self;
        let shell = shell.map(|shell| AgentSetup::shell(&shell)).transpose()?;
        let dotfiles =
            dotfiles.map(|source| Dotfiles::parse(&source, dotfiles_destination.as_deref(), dotfiles_install));
        Ok(AgentSetup { shell, dotfiles: dotfiles.transpose()? })
    }
}

/// Flags that keep git credentials in an agent's home.
#[derive(clap::Args, Debug)]
pub struct GitFlags {
    /// Keep git credentials for one host in the home: the token of GH_TOKEN, GITHUB_TOKEN or --token-stdin
    #[arg(long)]
    setup_git: bool,
    /// Read the token from stdin, and not from GH_TOKEN or GITHUB_TOKEN
    #[arg(long, requires = "setup_git")]
    token_stdin: bool,
    /// Host that the credentials are for
    #[arg(long, value_name = "HOST", requires = "setup_git")]
    host: Option<String>,
}

impl GitFlags {
    /// The credentials that are to be kept, if any. `command` is how the command is typed.
    ///
    /// # Errors
    /// `usage`, `git_auth_missing`, `invalid_environment`.
    pub fn resolve(self, host: &Host, command: &str) -> Result<Option<SetupGit>> {
        let Self { setup_git, token_stdin, host: git_host } = self;
        if !setup_git {
            return Ok(None);
        }
        let git_host = default_host(git_host.as_deref(), host)?;
        let token = if token_stdin { Some(piped_token(host, command)?) } else { token(host)? };
        SetupGit::new(git_host.as_str(), token, false).map(Some)
    }
}

/// What is remembered of an agent.
///
/// # Errors
/// `agent_not_found`, or the store's own.
pub(super) fn find(fleet: &Fleet, name: &AgentName) -> Result<AgentRecord> {
    let record = match fleet.store.read()? {
        Some(records) => records.agent(name.as_str())?,
        None => None,
    };
    record.ok_or_else(|| not_found(name))
}

fn not_found(name: &AgentName) -> Error {
    Error::new(ErrorCode::AgentNotFound, format!("agent not found: {name}"))
        .detail("agent", name.as_str())
        .hint("see what there is: agent-workspace agent list")
}

/// The VM that an agent is on.
///
/// # Errors
/// `vm_not_found`, or the store's own.
pub(super) fn vm_of(fleet: &Fleet, agent: &AgentRecord) -> Result<VmRecord> {
    fleet.find(&MachineName::parse(&agent.vm)?)
}

/// The VM that is named, or the only one that can be used; it is prepared.
///
/// # Errors
/// `vm_not_found`, `vm_not_ready`, `input_required` when there are several, or the store's own.
fn choose_vm(fleet: &Fleet, named: Option<&MachineName>) -> Result<VmRecord> {
    let usable = |vm: &VmRecord| (vm.provisioning, vm.initialization) == (VmPhase::Complete, VmPhase::Complete);
    if let Some(name) = named {
        let vm = fleet.find(name)?;
        return if usable(&vm) {
            Ok(vm)
        } else {
            Err(Error::new(ErrorCode::VmNotReady, format!("VM {name} is not prepared"))
                .detail("vm", name.as_str())
                .hint(format!("see what it lacks: agent-workspace vm describe {name}")))
        };
    }
    let all = match fleet.store.read()? {
        Some(records) => records.vms()?,
        None => Vec::new(),
    };
    let mut usable: Vec<_> = all.into_iter().filter(usable).collect();
    match (usable.pop(), usable.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(Error::new(ErrorCode::VmNotFound, "there is no VM that is ready for agents")
            .hint("take one in: agent-workspace vm create dev --host admin@vm.example.org")),
        (Some(last), false) => {
            let names: Vec<_> = usable.into_iter().chain([last]).map(|vm| vm.name).collect();
            Err(Error::new(ErrorCode::InputRequired, format!("there are several VMs: {}", names.join(", ")))
                .detail("flag", "--vm")
                .detail("vms", names.clone())
                .hint(format!("say which: --vm {}", names[0])))
        }
    }
}

/// An agent as documents show it.
pub(super) fn row(fleet: &Fleet, agent: &AgentRecord) -> AgentRow {
    let name = &agent.name;
    let mut problems = Vec::new();
    let mut add = |code: &str, message: String, hint: String| {
        problems.push(Problem { code: code.to_owned(), message, hint: Some(hint) });
    };
    let left = !fleet.store.is_claimed(&agent.vm);
    match agent.state {
        AgentState::Creating if left => add(
            "cut_off",
            format!("making agent {name} was cut off"),
            format!(
                "go on with it: agent-workspace agent create {name} --vm {}; or: agent-workspace agent delete {name}",
                agent.vm
            ),
        ),
        AgentState::Removing if left => add(
            "cut_off",
            format!("deleting agent {name} was cut off"),
            format!("go on with it: agent-workspace agent delete {name}"),
        ),
        _ => {}
    }
    if let Some(why) = &agent.dotfiles_problem {
        add("dotfiles_failed", why.clone(), format!("mend it, and: agent-workspace agent reinit {name}"));
    }
    AgentRow {
        agent: name.clone(),
        vm: agent.vm.clone(),
        user: agent.linux_user.clone(),
        template: agent.template.clone(),
        shell: agent.shell.clone(),
        grant_all: agent.grant_all,
        status: match agent.state {
            AgentState::Creating => AgentStatus::Creating,
            AgentState::Ready => AgentStatus::Ready,
            AgentState::Removing => AgentStatus::Removing,
            AgentState::Unknown => AgentStatus::Unknown,
        },
        created_at: agent.created_at.clone(),
        problems,
    }
}

/// The workspaces that an agent may enter, as they are remembered.
///
/// # Errors
/// The store's own.
pub(super) fn admitted_to(fleet: &Fleet, agent: &str) -> Result<Vec<AdmittedTo>> {
    match fleet.store.read()? {
        Some(records) => records.admitted_to(agent),
        None => Ok(Vec::new()),
    }
}

/// The same as documents show it.
///
/// # Errors
/// The store's own.
pub(super) fn grants(fleet: &Fleet, agent: &str) -> Result<Vec<Grant>> {
    Ok(admitted_to(fleet, agent)?.into_iter().map(Grant::from).collect())
}

/// An agent's user on its machine.
pub(super) fn account(agent: &AgentRecord) -> Account<'_> {
    Account { user: &agent.linux_user, mark: &agent.create_id }
}

/// Makes the agent's user a member of the groups of these workspaces and of no others. With `end`, what runs in one that
/// it leaves is ended. `None` when it has no user any more, who is in no group.
///
/// # Errors
/// Those of the machine.
pub(super) async fn settle(
    fleet: &Fleet,
    machine: &SshMachine,
    agent: &AgentRecord,
    admitted: &[AdmittedTo],
    end: bool,
) -> Result<Option<Settled>> {
    let groups: Vec<_> = admitted.iter().map(|to| to.group.clone()).collect();
    let account = account(agent);
    let settled = fleet.phases.run(Phase::Prepare, settle_groups(machine, &account, &groups, end)).await?;
    let Some(settled) = settled else { return Ok(None) };
    for to in admitted.iter().filter(|to| to.state == WorkspaceState::Ready && settled.missing.contains(&to.group)) {
        let AdmittedTo { workspace, group, .. } = to;
        fleet.progress.warn(warning(
            "group_missing",
            format!("workspace {workspace} has no group {group} on VM {} any more; repair it first", agent.vm),
        ));
    }
    Ok(Some(settled))
}

/// An agent whose user somebody has removed by hand.
pub(super) fn no_user(agent: &AgentRecord) -> Error {
    let AgentRecord { name, vm, linux_user, .. } = agent;
    Error::new(ErrorCode::GuestFailed, format!("VM {vm} has no user {linux_user} any more"))
        .detail("agent", name.clone())
        .hint(format!("make it anew: agent-workspace agent reinit {name}"))
}

/// Tells the agent's git which clones of others it may trust. That it could not be told is a warning: everything else works.
/// Returns whether that changed anything. `machine` acts as the agent.
///
/// # Errors
/// When the machine was lost.
pub(super) async fn trust_clones(
    fleet: &Fleet,
    machine: &SshMachine,
    agent: &AgentRecord,
    admitted: &[AdmittedTo],
) -> Result<bool> {
    let folders: Vec<_> = admitted.iter().map(|to| format!("{}/work", to.folder)).collect();
    match fleet.phases.run(Phase::Prepare, trust(machine, &folders)).await {
        Err(error) if error.code() == ErrorCode::GuestFailed => {
            let cause = error.causes().first().map(|cause| format!(": {cause}")).unwrap_or_default();
            let name = &agent.name;
            fleet.progress.warn(warning(
                "git_not_set_up",
                format!("git of agent {name} was not told to trust clones of others{cause}"),
            ));
            Ok(false)
        }
        done => done,
    }
}

/// The name of a VM, as a flag gives it.
///
/// # Errors
/// `invalid_name`.
fn named_vm(vm: Option<String>) -> Result<Option<MachineName>> {
    vm.map(|vm| MachineName::parse(&vm)).transpose()
}

/// Refuses what stands for nothing and everything at once.
///
/// # Errors
/// `usage`.
pub(super) fn some_or_all(workspaces: &[String], all: bool, verb: &str) -> Result<()> {
    if workspaces.is_empty() == all {
        return Ok(());
    }
    Err(usage("say which workspaces, or --all")
        .hint(format!("agent-workspace workspace-grants {verb} AGENT WORKSPACE")))
}
