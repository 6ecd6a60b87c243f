//! `vm ssh-config`: names by which the user's own `ssh` and editors reach VMs. A file of ours and one line in the
//! user's configuration that reads it, or lines in that itself. Once they are there, they are kept as the VMs are.

mod places;

use agent_workspace_contract::{SshAlias, VmPhase, VmSshConfigReport};

use self::places::{Kept, Places};
use super::Fleet;
use crate::config::Config;
use crate::error::Result;
use crate::output::warning;
use crate::ssh::section::Section;
use crate::ssh::{RemoteTarget, alias, include};

/// Flags of `vm ssh-config`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Have ~/.ssh/config, or the ssh_config of the configuration, name them
    #[arg(long, conflicts_with = "uninstall")]
    install: bool,
    /// Take that away again
    #[arg(long)]
    uninstall: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Nothing but saying what would be in it.
    Print,
    /// It is to be there.
    Install,
    /// It is not to be there.
    Uninstall,
}

impl Args {
    /// What was asked.
    pub fn resolve(self) -> Request {
        let Self { install, uninstall } = self;
        match (install, uninstall) {
            (true, _) => Request::Install,
            (_, true) => Request::Uninstall,
            _ => Request::Print,
        }
    }
}

/// Prints it, installs it or takes it away.
///
/// # Errors
/// `ssh_config_failed`, `config_invalid`, `invalid_environment` when `ssh` cannot read its configuration, or the
/// store's own.
pub async fn run(fleet: &Fleet, request: Request) -> Result<VmSshConfigReport> {
    // Half a configuration would give other names than were written, elsewhere.
    let places = Places::of(fleet, &fleet.config()?.operator());
    let (text, hosts) = text(fleet, &places).await?;
    let changed = match request {
        Request::Print => false,
        Request::Install => {
            places.make_room()?;
            let _lock = places.lock()?;
            install(&places, fleet).await?
        }
        Request::Uninstall => uninstall(&places)?,
    };
    Ok(VmSshConfigReport {
        file: places.names().display().to_string(),
        config: places.config.display().to_string(),
        installed: request != Request::Uninstall && places.is_installed()?,
        changed,
        hosts,
        text,
    })
}

/// Brings what is installed up to what is remembered by now. That it fails is said and is no failure.
pub async fn keep(fleet: &Fleet) {
    let kept = match fleet.config() {
        Ok(config) => bring_up(&Places::of(fleet, &config.operator()), fleet).await,
        // Where it is then is unknown; who has it in the usual place is told.
        Err(error) => match Places::of(fleet, &Config::unset(fleet.client.home()).operator()).to_keep() {
            Ok(Kept::Nothing) | Err(_) => Ok(()),
            Ok(_) => Err(error),
        },
    };
    if let Err(error) = kept {
        let cause = error.causes().first().map(|cause| format!(": {cause}")).unwrap_or_default();
        fleet.progress.warn(warning("ssh_config_failed", format!("{error}{cause}")));
    }
}

async fn bring_up(places: &Places, fleet: &Fleet) -> Result<()> {
    if places.to_keep()? == Kept::Nothing {
        return Ok(());
    }
    let _lock = places.lock()?;
    // While the lock was waited for, somebody may have taken it away.
    match places.to_keep()? {
        Kept::Nothing => Ok(()),
        Kept::File => write(places, &text(fleet, places).await?.0).map(|_| ()),
        Kept::Everything => install(places, fleet).await.map(|_| ()),
    }
}

/// Has it where the configuration says, and nowhere else. Returns whether that changed anything.
async fn install(places: &Places, fleet: &Fleet) -> Result<bool> {
    let config = places.config()?;
    // As it is now that nobody else writes it.
    let (text, _) = text(fleet, places).await?;
    if places.inline { install_inline(places, config, &text) } else { install_beside(places, config, &text) }
}

/// Has our file there, and a line in the user's configuration that reads it.
fn install_beside(places: &Places, config: Option<Vec<u8>>, text: &str) -> Result<bool> {
    // Before anything is written.
    let is_new = places.ours()?.is_none();
    let there = config.as_deref().unwrap_or_default();
    let without = match places.section(there)? {
        found @ Section::Ours(_) => found.replaced(there, ""),
        _ => there.to_owned(),
    };
    let wanted = if include::is_included(&without, &places.file, &places.home) {
        without
    } else {
        include::with_line(&without, places.line()?)
    };
    places.make_folder()?;
    let written = write(places, text)?;
    let changed = places.replace_config(config.as_deref(), &wanted);
    if changed.is_err() && is_new {
        // Nobody reads it.
        let _ = std::fs::remove_file(&places.file);
    }
    changed.map(|changed| changed || written)
}

/// Has the names in the user's configuration itself.
fn install_inline(places: &Places, config: Option<Vec<u8>>, text: &str) -> Result<bool> {
    let there = config.as_deref().unwrap_or_default();
    if places.section(there)? == Section::Theirs {
        return Err(places.others());
    }
    let (without, has_file) = without_file(places, there);
    let changed = places.replace_config(config.as_deref(), &places.section(&without)?.replaced(&without, text))?;
    if has_file {
        places.remove_file()?;
    }
    Ok(changed || has_file)
}

/// Writes our file. Returns whether that changed anything.
fn write(places: &Places, text: &str) -> Result<bool> {
    if places.ours()?.is_some_and(|there| there == text.as_bytes()) {
        return Ok(false);
    }
    places.replace_file(text.as_bytes()).map(|()| true)
}

/// Takes away what there is of it, wherever the configuration would have it.
fn uninstall(places: &Places) -> Result<bool> {
    if !places.has_folder() {
        return Ok(false);
    }
    let _lock = places.lock()?;
    let config = places.config()?;
    let there = config.as_deref().unwrap_or_default();
    let (without, has_file) = without_file(places, there);
    let wanted = match places.section(&without)? {
        found @ Section::Ours(_) => found.replaced(&without, ""),
        _ => without,
    };
    let changed = if config.is_some() { places.replace_config(config.as_deref(), &wanted)? } else { false };
    if has_file {
        places.remove_file()?;
    }
    Ok(changed || has_file)
}

/// The configuration without the line that reads our file, and whether that is there. A file of somebody else keeps its
/// line.
fn without_file(places: &Places, config: &[u8]) -> (Vec<u8>, bool) {
    let (is_theirs, has_file) = places.ours().map_or((true, false), |file| (false, file.is_some()));
    let line = places.line().ok().filter(|_| !is_theirs);
    (line.and_then(|line| include::without_line(config, line)).unwrap_or_else(|| config.to_owned()), has_file)
}

/// What is to stand there, and the names in it.
async fn text(fleet: &Fleet, places: &Places) -> Result<(String, Vec<SshAlias>)> {
    let records = match fleet.store.read()? {
        Some(records) => records.vms()?,
        None => Vec::new(),
    };
    let there = records.into_iter().filter(|vm| vm.provisioning == VmPhase::Complete);
    let vms = there.map(|vm| Ok((vm.name, RemoteTarget::parse(&vm.host)?))).collect::<Result<Vec<_>>>()?;
    let text = places.text(&alias::hosts(&fleet.client, &vms).await?);
    let hosts = vms.into_iter().map(|(vm, _)| SshAlias { alias: fleet.client.alias(&vm), vm }).collect();
    Ok((text, hosts))
}
