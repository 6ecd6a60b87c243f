//! `vm reinit`: prepares a VM once more. What is there already is left as it is.

use std::sync::Arc;

use agent_workspace_contract::VmReinitReport;

use super::log::Log;
use super::{Fleet, HostKeys, Target, Template, initialize, remembered};
use crate::error::Result;
use crate::ssh::SshMachine;
use crate::workspace::MachineName;

/// Flags of `vm reinit`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The VM
    #[command(flatten)]
    target: Target,
    /// What it is prepared by from now on
    #[command(flatten)]
    template: Template,
    /// Whether to believe it
    #[command(flatten)]
    keys: HostKeys,
}

/// What is prepared again.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The VM.
    pub name: MachineName,
    /// The template it is prepared by from now on, if one was named.
    pub template: Option<String>,
    /// Whether a host that was never seen is believed.
    pub accept_new: bool,
}

impl Args {
    /// Checks the name.
    ///
    /// # Errors
    /// `invalid_name`.
    pub fn resolve(self) -> Result<Request> {
        let Self { target, template: Template { template }, keys: HostKeys { accept_new_host_key } } = self;
        Ok(Request { name: target.resolve()?, template, accept_new: accept_new_host_key })
    }
}

/// Prepares it.
///
/// # Errors
/// `template_not_found`, `config_invalid`, `vm_not_found`, `vm_not_ready`, `vm_busy`, `guest_failed`, those of connecting, or the store's own.
pub async fn run(fleet: &Fleet, request: Request) -> Result<VmReinitReport> {
    let Request { name, template, accept_new } = request;
    let record = fleet.find(&name)?;
    let wanted = template.as_deref().map_or(record.template.as_deref(), remembered);
    let by = fleet.config()?.vm_template(wanted)?;
    let _claim = fleet.store.claim(name.as_str())?;
    let connection = fleet.reach(&record, accept_new).await?;
    let machine = SshMachine::new(Arc::clone(&connection));
    if template.is_some() {
        fleet.store.write()?.set_vm_template(name.as_str(), wanted)?;
    }
    let steps = initialize::run(fleet, name.as_str(), &by, &machine, &Log::new()?).await?;
    connection.close().await;
    let vm = fleet.row(&fleet.find(&name)?)?;
    let changed = steps.iter().any(|step| step.changed);
    Ok(VmReinitReport { vm, changed, steps, timings_ms: fleet.phases.timings_ms() })
}
