//! `vm ssh-config`: names by which the user's own `ssh` and editors reach VMs. A file of ours, and one line in the user's
//! configuration that reads it. Once it is there, it is kept as the VMs are.

use std::io;
use std::path::{Path, PathBuf};

use agent_workspace_contract::{ErrorCode, SshAlias, VmPhase, VmSshConfigReport};

use super::Fleet;
use crate::error::{Error, Result};
use crate::host::own_file::{self, There};
use crate::output::warning;
use crate::ssh::{RemoteTarget, alias, include};

/// Flags of `vm ssh-config`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Write the file, and have ~/.ssh/config read it
    #[arg(long, conflicts_with = "uninstall")]
    install: bool,
    /// Take both away again
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

/// Where everything is.
struct Places {
    /// The user's configuration.
    config: PathBuf,
    /// The folder of our file.
    folder: PathBuf,
    /// Our file.
    file: PathBuf,
    /// How that begins: one of another state is another launcher's.
    head: String,
}

impl Places {
    fn of(fleet: &Fleet) -> Self {
        let ssh = fleet.client.home().join(".ssh");
        let file = ssh.join(include::FILE);
        Self {
            config: ssh.join("config"),
            folder: file.parent().unwrap_or(&ssh).to_owned(),
            head: format!(
                "# Written by agent-workspace for the VMs in {:?}; what is changed here is lost.\n",
                fleet.store.folder()
            ),
            file,
        }
    }

    /// Our file, when it is there.
    fn ours(&self) -> Result<Option<Vec<u8>>> {
        match own_file::look(&self.file).map_err(|error| failed("read", &self.file, &error))? {
            There::Nothing => Ok(None),
            There::File(bytes) if bytes.starts_with(self.head.as_bytes()) => Ok(Some(bytes)),
            _ => Err(Error::new(
                ErrorCode::SshConfigFailed,
                format!("{} is not of this launcher's state, and is left as it is", self.file.display()),
            )
            .detail("file", self.file.display().to_string())
            .hint("look at it, move it away, and try again")),
        }
    }

    /// The user's configuration.
    fn config(&self) -> Result<Option<Vec<u8>>> {
        // A pipe that nobody writes to would be waited for without end.
        if std::fs::metadata(&self.config).is_ok_and(|found| !found.is_file()) {
            return Err(failed("read", &self.config, &io::Error::other("it is no file")));
        }
        match std::fs::read(&self.config) {
            Ok(bytes) => Ok(Some(bytes)),
            // A link that leads nowhere is not to be replaced.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.config.is_symlink() => Ok(None),
            Err(error) => Err(failed("read", &self.config, &error)),
        }
    }

    /// Puts bytes in the place of the user's configuration, wherever a link leads, with the rights it has.
    fn replace_config(&self, bytes: &[u8]) -> Result<()> {
        use std::os::unix::fs::MetadataExt;
        let failed = |error: io::Error| failed("change", &self.config, &error);
        if !self.config.exists() {
            return own_file::replace(&self.config, bytes, 0o600).map_err(failed);
        }
        let real = self.config.canonicalize().map_err(failed)?;
        let found = std::fs::metadata(&real).map_err(failed)?;
        let is_writable = rustix::fs::access(&real, rustix::fs::Access::WRITE_OK).is_ok() && found.mode() & 0o200 != 0;
        if !is_writable || found.uid() != rustix::process::geteuid().as_raw() {
            return Err(failed(io::Error::from(io::ErrorKind::PermissionDenied)));
        }
        own_file::replace(&real, bytes, found.mode() & 0o7777).map_err(failed)
    }
}

fn failed(doing: &str, path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorCode::SshConfigFailed, format!("could not {doing} {}", path.display()))
        .cause(error.to_string())
        .detail("file", path.display().to_string())
        .hint(format!(
            "see: ls -ld {}; or take the text and put it where you like: agent-workspace vm ssh-config",
            path.display()
        ))
}

/// Prints it, installs it or takes it away.
///
/// # Errors
/// `ssh_config_failed`, `invalid_environment` when `ssh` cannot read its configuration, or the store's own.
pub async fn run(fleet: &Fleet, request: Request) -> Result<VmSshConfigReport> {
    let places = Places::of(fleet);
    let (text, hosts) = text(fleet, &places).await?;
    let changed = match request {
        Request::Print => false,
        Request::Install => install(&places, fleet, &text).await?,
        Request::Uninstall => uninstall(&places)?,
    };
    let reads = places.config()?.is_some_and(|config| include::is_included(&config, fleet.client.home()));
    let is_there = request != Request::Uninstall && places.ours().is_ok_and(|ours| ours.is_some());
    Ok(VmSshConfigReport {
        file: places.file.display().to_string(),
        config: places.config.display().to_string(),
        installed: reads && is_there,
        changed,
        hosts,
        text,
    })
}

/// Brings our file up to what is remembered by now, where it is installed. That it fails is said and is no failure.
pub async fn keep(fleet: &Fleet) {
    let places = Places::of(fleet);
    if !matches!(places.ours(), Ok(Some(_))) {
        return;
    }
    if let Err(error) = write(&places, fleet).await {
        let cause = error.causes().first().map(|cause| format!(": {cause}")).unwrap_or_default();
        fleet.progress.warn(warning("ssh_config_failed", format!("{error}{cause}")));
    }
}

async fn install(places: &Places, fleet: &Fleet, text: &str) -> Result<bool> {
    let config = places.config()?.unwrap_or_default();
    // Before anything is written.
    places.ours()?;
    own_file::make_folder(&places.folder).map_err(|error| failed("use", &places.folder, &error))?;
    let written = write(places, fleet).await?;
    if include::is_included(&config, fleet.client.home()) {
        return Ok(written);
    }
    let included = places.replace_config(&include::with_line(&config));
    if included.is_err() && written && text.starts_with(&places.head) {
        // Nobody reads it.
        let _ = std::fs::remove_file(&places.file);
    }
    included.map(|()| true)
}

/// Writes our file. Returns whether that changed anything.
async fn write(places: &Places, fleet: &Fleet) -> Result<bool> {
    let failed = |error: io::Error| failed("write", &places.file, &error);
    let _lock = own_file::lock(&places.folder).map_err(failed)?;
    // As it is now that nobody else writes it.
    let (text, _) = text(fleet, places).await?;
    if places.ours()?.is_some_and(|there| there == text.as_bytes()) {
        return Ok(false);
    }
    own_file::replace(&places.file, text.as_bytes(), 0o600).map_err(failed)?;
    Ok(true)
}

fn uninstall(places: &Places) -> Result<bool> {
    let mut changed = false;
    if let Some(config) = places.config()?.and_then(|config| include::without_line(&config)) {
        places.replace_config(&config)?;
        changed = true;
    }
    if matches!(places.ours(), Ok(Some(_))) {
        std::fs::remove_file(&places.file).map_err(|error| failed("remove", &places.file, &error))?;
        changed = true;
    }
    Ok(changed)
}

/// What our file is to hold, and the names in it.
async fn text(fleet: &Fleet, places: &Places) -> Result<(String, Vec<SshAlias>)> {
    // Half a configuration would give other names than were written.
    fleet.config()?;
    let records = match fleet.store.read()? {
        Some(records) => records.vms()?,
        None => Vec::new(),
    };
    let there = records.into_iter().filter(|vm| vm.provisioning == VmPhase::Complete);
    let vms = there.map(|vm| Ok((vm.name, RemoteTarget::parse(&vm.host)?))).collect::<Result<Vec<_>>>()?;
    let text = format!("{}{}", places.head, alias::hosts(&fleet.client, &vms).await?);
    let hosts = vms.into_iter().map(|(vm, _)| SshAlias { alias: fleet.client.alias(&vm), vm }).collect();
    Ok((text, hosts))
}
