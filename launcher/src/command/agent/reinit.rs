//! `agent reinit`: prepares an agent once more. What is in its home stays as it is.

use std::sync::Arc;

use agent_workspace_contract::{AgentReinitReport, ErrorCode};

use super::template::with_template;
use super::{GitFlags, SetupFlags, Target, choose_vm, credentials, find, grants, prepare, row};
use crate::command::create::credentials::SetupGit;
use crate::command::vm::{Fleet, HostKeys, Template, remembered};
use crate::error::{Error, Result};
use crate::guest::users::AgentSetup;
use crate::host::tokens::Tokens;
use crate::host::{self, Host};
use crate::ssh::SshMachine;
use crate::store::{AgentRecord, AgentState};
use crate::workspace::{AgentName, MachineName};

/// Flags of `agent reinit`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The agent
    #[command(flatten)]
    target: Target,
    /// What it is set up by from now on
    #[command(flatten)]
    template: Template,
    /// How it is set up from now on; what is not given stays
    #[command(flatten)]
    setup: SetupFlags,
    /// Its git credentials
    #[command(flatten)]
    git: GitFlags,
    /// Whether to believe the machine
    #[command(flatten)]
    keys: HostKeys,
}

/// What is prepared again.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The agent.
    pub name: AgentName,
    /// The template it is set up by from now on, if one was named.
    pub template: Option<String>,
    /// How it is set up from now on; what is absent stays.
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
        let Self { target, template: Template { template }, setup, git, keys: HostKeys { accept_new_host_key } } = self;
        if template.is_some() {
            host.config()?.agent_template(template.as_deref())?;
        }
        Ok(Request {
            name: target.resolve()?,
            template,
            setup: setup.resolve()?,
            git: git.resolve(host, "agent reinit AGENT --setup-git")?,
            tokens: host.tokens(),
            accept_new: accept_new_host_key,
        })
    }
}

/// Prepares it.
///
/// # Errors
/// `agent_not_found`, `template_not_found`, `config_invalid`, `invalid_environment`,
/// `agent_exists` for one that is not whole, `vm_busy`, `shell_not_found`, `name_taken`, those of
/// connecting and of keeping credentials, `guest_failed`, or the store's own.
pub async fn run(fleet: &Fleet, request: Request) -> Result<AgentReinitReport> {
    let Request { name, template, setup, git, tokens, accept_new } = request;
    let before = find(fleet, &name)?;
    // Before anybody is asked.
    let keeping =
        |agent: &AgentRecord| credentials::wanted(fleet.config()?, agent.template.as_deref(), git.clone(), &tokens);
    keeping(&wanted(fleet, before.clone(), template.as_deref(), setup.clone())?.0)?;
    let vm = choose_vm(fleet, Some(&MachineName::parse(&before.vm)?))?;
    let connection = fleet.reach(&vm, accept_new).await?;
    let machine = SshMachine::new(Arc::clone(&connection));
    let _claim = fleet.claim_patiently(&vm.name).await?;
    let there = find(fleet, &name)?;
    if there.state != AgentState::Ready {
        let (how, next) = match there.state {
            AgentState::Creating => ("made", "create"),
            _ => ("deleted", "delete"),
        };
        return Err(Error::new(ErrorCode::AgentExists, format!("agent {name} is being {how}"))
            .detail("agent", name.as_str())
            .hint(format!("go on with that first: agent-workspace agent {next} {name}")));
    }
    let (agent, setup) = wanted(fleet, there, template.as_deref(), setup)?;
    let git = keeping(&agent)?;
    let (agent, steps) = prepare::run(fleet, &machine, &agent, &setup, &host::fresh_id()?, &git, || ()).await?;
    connection.close().await;
    let changed = steps.iter().any(|step| step.changed);
    let grants = grants(fleet, name.as_str())?;
    Ok(AgentReinitReport { agent: row(fleet, &agent), changed, steps, grants, timings_ms: fleet.phases.timings_ms() })
}

/// The agent as it is to be remembered, and what it is set up by.
///
/// # Errors
/// `template_not_found`, `config_invalid`.
fn wanted(
    fleet: &Fleet,
    there: AgentRecord,
    template: Option<&str>,
    asked: AgentSetup,
) -> Result<(AgentRecord, AgentSetup)> {
    let template = match template {
        Some(named) => remembered(named).map(str::to_owned),
        None => there.template.clone(),
    };
    let AgentSetup { shell, dotfiles } = there.setup.clone();
    let setup = AgentSetup { shell: asked.shell.or(shell), dotfiles: asked.dotfiles.or(dotfiles) };
    let by = with_template(fleet, template.as_deref(), &setup)?;
    Ok((AgentRecord { template, setup, ..there }, by))
}
