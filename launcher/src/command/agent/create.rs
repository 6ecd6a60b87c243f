//! `agent create`: an agent as a user of a VM.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_workspace_contract::{AgentCreateReport, ErrorCode};

use super::template::with_template;
use super::{GitFlags, SetupFlags, account, choose_vm, credentials, grants, named_vm, not_found, prepare, row};
use crate::command::create::credentials::SetupGit;
use crate::command::vm::{Fleet, HostKeys, Template, remembered};
use crate::error::{Error, Result};
use crate::guest::users::{self, AgentSetup};
use crate::host::tokens::Tokens;
use crate::host::{self, Host};
use crate::output::warning;
use crate::ssh::SshMachine;
use crate::store::{AgentRecord, AgentState};
use crate::undo::Outcome;
use crate::workspace::{AgentName, MachineName};

/// How long undoing waits for another command on the VM.
const UNDO_PATIENCE: Duration = Duration::from_secs(15);

/// Flags of `agent create`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the agent
    #[arg(value_name = "AGENT")]
    agent: String,
    /// VM it is made on; the only one that is ready, when there is one alone
    #[arg(long, value_name = "VM")]
    vm: Option<String>,
    /// Let it into every workspace of its VM, those to come included
    #[arg(long)]
    grant_all: bool,
    /// What it is set up by
    #[command(flatten)]
    template: Template,
    /// How it is set up
    #[command(flatten)]
    setup: SetupFlags,
    /// Its git credentials
    #[command(flatten)]
    git: GitFlags,
    /// Whether to believe the machine
    #[command(flatten)]
    keys: HostKeys,
}

/// Which agent is to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Its name.
    pub name: AgentName,
    /// The VM, if one is named.
    pub vm: Option<MachineName>,
    /// Whether it may enter every workspace there.
    pub grant_all: bool,
    /// The template it is set up by, if one was named.
    pub template: Option<String>,
    /// How it is set up otherwise.
    pub setup: AgentSetup,
    /// Git credentials that it keeps.
    pub git: Option<SetupGit>,
    /// Tokens of those that its template may ask for.
    pub tokens: Tokens,
    /// Whether a host that was never seen is believed.
    pub accept_new: bool,
}

impl Args {
    /// Checks everything that needs neither state nor network.
    ///
    /// # Errors
    /// `invalid_name`, `usage`, `template_not_found`, `config_invalid`, `invalid_repo`, `invalid_ref`, `git_auth_missing`, `invalid_environment`.
    pub fn resolve(self, host: &Host) -> Result<Request> {
        let Self { agent, vm, grant_all, template: Template { template }, setup, git, keys } = self;
        let HostKeys { accept_new_host_key } = keys;
        if template.is_some() {
            host.config()?.agent_template(template.as_deref())?;
        }
        Ok(Request {
            name: AgentName::parse(&agent)?,
            vm: named_vm(vm)?,
            grant_all,
            template,
            setup: setup.resolve()?,
            git: git.resolve(host, "agent create AGENT --setup-git")?,
            tokens: host.tokens(),
            accept_new: accept_new_host_key,
        })
    }
}

/// Makes it, goes on with one that was cut off, or says that it is there. One that does not come to its end is taken back
/// whole.
///
/// # Errors
/// `agent_exists`, `template_not_found`, `config_invalid`, `git_auth_missing`, `invalid_environment`,
/// `vm_not_found`, `vm_not_ready`, `input_required`, `vm_busy`, `shell_not_found`, `name_taken`, those of
/// connecting and of keeping credentials, `guest_failed`, or the store's own.
pub async fn run(fleet: &Fleet, request: Request) -> Result<AgentCreateReport> {
    let Request { name, vm, grant_all, template, setup, git, tokens, accept_new } = request;
    let before = known(fleet, &name)?;
    let known_vm = match &before {
        Some(there) => {
            check(there, vm.as_ref())?;
            Some(MachineName::parse(&there.vm)?)
        }
        None => vm,
    };
    let vm = choose_vm(fleet, known_vm.as_ref())?;
    let call = host::fresh_id()?;
    let wanted = AgentRecord {
        name: name.to_string(),
        vm: vm.name.clone(),
        create_id: call.clone(),
        linux_user: name.user(),
        template: template.as_deref().and_then(remembered).map(str::to_owned),
        setup,
        shell: None,
        dotfiles_problem: None,
        grant_all,
        state: AgentState::Creating,
        created_at: String::new(),
    };
    // One that is there is no reason to ask its machine.
    if let Some(there) = before.as_ref().filter(|there| there.state == AgentState::Ready) {
        say_differences(fleet, there, &wanted, template.is_some());
        return report(fleet, there, false, Vec::new());
    }
    // Nor is one whose template is not there, or asks for tokens that are not.
    let named = template.is_some();
    let set_up_by = |template: Option<&str>, setup: &AgentSetup| {
        let git = credentials::wanted(fleet.config()?, template, git.clone(), &tokens)?;
        credentials::all_given(&git)?;
        Ok::<_, Error>((with_template(fleet, template, setup)?, git))
    };
    set_up_by(template_of(before.as_ref(), &wanted, named).as_deref(), &wanted.setup)?;
    let connection = fleet.reach(&vm, accept_new).await?;
    let machine = SshMachine::new(Arc::clone(&connection));
    let _claim = fleet.claim_patiently(&vm.name).await?;
    let there = fleet.store.write()?.intend_agent(&wanted)?;
    if let Some(there) = &there {
        // Another create may have been faster.
        check(there, Some(&MachineName::parse(&vm.name)?))?;
        if there.state == AgentState::Ready {
            say_differences(fleet, there, &wanted, named);
            connection.close().await;
            return report(fleet, there, false, Vec::new());
        }
    }
    // One that was cut off keeps its mark, which its user may carry already.
    let agent = match there {
        Some(there) => {
            AgentRecord { template: template_of(Some(&there), &wanted, named), setup: wanted.setup, ..there }
        }
        None => known(fleet, &name)?.ok_or_else(|| not_found(&name))?,
    };
    let (setup, git) = set_up_by(agent.template.as_deref(), &agent.setup)?;
    let ready = take_back_when_undone(fleet, &machine, &agent, &call);
    let (agent, steps) =
        prepare::run(fleet, &machine, &agent, &setup, &call, &git, || ready.store(true, Ordering::Relaxed)).await?;
    if grant_all && !agent.grant_all {
        fleet.progress.warn(warning(
            "agent_differs",
            format!("it was begun without --grant-all; agent-workspace workspace-grants grant {name} --all"),
        ));
    }
    let report = report(fleet, &agent, true, steps)?;
    fleet.undo.keep_everything();
    connection.close().await;
    Ok(report)
}

fn known(fleet: &Fleet, name: &AgentName) -> Result<Option<AgentRecord>> {
    match fleet.store.read()? {
        Some(records) => records.agent(name.as_str()),
        None => Ok(None),
    }
}

/// An agent of the name that is there must be the one that is meant.
fn check(there: &AgentRecord, vm: Option<&MachineName>) -> Result<()> {
    let name = &there.name;
    let refused = |message: String, hint: String| {
        Err(Error::new(ErrorCode::AgentExists, message).detail("agent", name.clone()).hint(hint))
    };
    if let Some(vm) = vm.filter(|vm| vm.as_str() != there.vm) {
        return refused(
            format!("agent {name} is on VM {}, and not on {vm}", there.vm),
            format!("take another name, or delete that one first: agent-workspace agent delete {name}"),
        );
    }
    if there.state == AgentState::Removing {
        return refused(
            format!("agent {name} is being deleted"),
            format!("go on with that first: agent-workspace agent delete {name}"),
        );
    }
    Ok(())
}

/// The template of an agent that is gone on with: the one that is named now, or else its own.
fn template_of(there: Option<&AgentRecord>, wanted: &AgentRecord, named: bool) -> Option<String> {
    if named { wanted.template.clone() } else { there.and_then(|there| there.template.clone()) }
}

/// Says where an agent that is ready is other than was asked for.
fn say_differences(fleet: &Fleet, there: &AgentRecord, wanted: &AgentRecord, named: bool) {
    let name = &there.name;
    let otherwise = named && wanted.template != there.template;
    let set_up_otherwise = otherwise || wanted.setup != AgentSetup::default() && wanted.setup != there.setup;
    let differences = [
        (set_up_otherwise, format!("it was set up otherwise: agent-workspace agent reinit {name} with the same flags")),
        (
            wanted.grant_all && !there.grant_all,
            format!("it may not into every workspace: agent-workspace workspace-grants grant {name} --all"),
        ),
    ];
    for (_, what) in differences.into_iter().filter(|(differs, _)| *differs) {
        fleet.progress.warn(warning("agent_differs", format!("agent {name} is there, and {what}")));
    }
}

/// Registers how an agent that does not come to its end is taken back. What is returned is set when it is written down as
/// ready: one that somebody else has gone on with meanwhile stays.
fn take_back_when_undone(fleet: &Fleet, machine: &SshMachine, agent: &AgentRecord, call: &str) -> Arc<AtomicBool> {
    let ready = Arc::new(AtomicBool::new(false));
    let (ours, store, machine) = (Arc::clone(&ready), fleet.store.clone(), machine.clone());
    let (agent, call) = (agent.clone(), call.to_owned());
    let name = agent.name.clone();
    fleet.undo.register_removable(
        format!("agent {name}"),
        format!("agent-workspace agent delete {name} --force"),
        move || async move {
            // Our claim has ended with the work.
            let _claim = store.claim_within(&agent.vm, UNDO_PATIENCE).await?;
            let Some(left) = store.write()?.agent(&agent.name)?.filter(|left| left.create_id == agent.create_id) else {
                return Ok(Outcome::Nothing);
            };
            if left.state != AgentState::Creating && !ours.load(Ordering::Relaxed) {
                return Ok(Outcome::Nothing);
            }
            match users::remove(&machine, &account(&agent), Some(&call), true).await {
                // Somebody else's stays, and of ours there is nothing.
                Err(error) if error.code() == ErrorCode::NameTaken => {}
                removed => drop(removed?),
            }
            store.write()?.forget_agent(&agent.name, &agent.create_id).map(Outcome::from)
        },
    );
    ready
}

fn report(
    fleet: &Fleet,
    agent: &AgentRecord,
    created: bool,
    steps: Vec<agent_workspace_contract::VmStep>,
) -> Result<AgentCreateReport> {
    let grants = grants(fleet, &agent.name)?;
    Ok(AgentCreateReport { agent: row(fleet, agent), created, steps, grants, timings_ms: fleet.phases.timings_ms() })
}
