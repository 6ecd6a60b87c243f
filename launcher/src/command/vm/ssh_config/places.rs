//! Where the names of VMs stand for the user's own `ssh`: what is there, and how it is changed with nothing else.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use agent_workspace_contract::ErrorCode;

use crate::command::vm::Fleet;
use crate::config::Operator;
use crate::error::{Error, Result};
use crate::host::own_file::{self, There};
use crate::ssh::section::{self, Section};
use crate::ssh::{include, join};

/// Where everything is.
pub(super) struct Places {
    /// The user's configuration.
    pub(super) config: PathBuf,
    /// Our file beside it.
    pub(super) file: PathBuf,
    /// Where `~` is.
    pub(super) home: PathBuf,
    /// Whether the names are to stand in the user's configuration itself.
    pub(super) inline: bool,
    /// The folder of both.
    folder: PathBuf,
    /// How our file begins: one of another state is another launcher's.
    head: String,
    /// How what is in the configuration itself begins.
    first: String,
    /// What has the configuration read our file.
    line: Option<String>,
}

/// What a change of the VMs changes too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Nothing: nobody has installed it.
    Nothing,
    /// Our file.
    File,
    /// The user's configuration, and our file.
    Everything,
}

impl Places {
    /// What the configuration says.
    pub(super) fn of(fleet: &Fleet, operator: &Operator) -> Self {
        let (home, state) = (fleet.client.home(), fleet.store.folder());
        let config = operator.ssh_config.clone();
        let folder = config.parent().unwrap_or(home).to_owned();
        let file = folder.join(include::FILE);
        Self {
            line: include::line(&file, home),
            head: format!("# Written by agent-workspace for the VMs in {state:?}; what is changed here is lost.\n"),
            first: section::first_line(state),
            inline: !operator.ssh_config_dir,
            home: home.to_owned(),
            config,
            file,
            folder,
        }
    }

    /// The file in which the names stand.
    pub(super) fn names(&self) -> &Path {
        if self.inline { &self.config } else { &self.file }
    }

    /// What is to stand there for these hosts.
    pub(super) fn text(&self, hosts: &str) -> String {
        if self.inline { section::text(&self.first, hosts) } else { format!("{}{hosts}", self.head) }
    }

    /// Our file, when it is there.
    pub(super) fn ours(&self) -> Result<Option<Vec<u8>>> {
        match own_file::look(&self.file).map_err(|error| failed("read", &self.file, &error))? {
            There::Nothing => Ok(None),
            There::File(bytes) if bytes.starts_with(self.head.as_bytes()) => Ok(Some(bytes)),
            _ => {
                let path = self.file.display();
                Err(Error::new(
                    ErrorCode::SshConfigFailed,
                    format!("{path} is not of this launcher's state, and is left as it is"),
                )
                .detail("file", path.to_string())
                .hint("look at it, move it away, and try again"))
            }
        }
    }

    /// The user's configuration.
    pub(super) fn config(&self) -> Result<Option<Vec<u8>>> {
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

    /// What the user's configuration has of ours between marks.
    pub(super) fn section(&self, config: &[u8]) -> Result<Section> {
        match Section::find(config, &self.first) {
            Section::Torn => {
                let path = self.config.display();
                let message = format!("it cannot be told where the lines of agent-workspace in {path} begin and end");
                Err(Error::new(ErrorCode::SshConfigFailed, message)
                    .detail("file", path.to_string())
                    .hint(format!("take them out by hand, and try again; {}", self.where_they_are())))
            }
            found => Ok(found),
        }
    }

    /// The user's configuration has lines of another launcher.
    pub(super) fn others(&self) -> Error {
        let path = self.config.display();
        let message = format!("{path} names the VMs of another state folder, and is left as it is");
        Error::new(ErrorCode::SshConfigFailed, message)
            .detail("file", path.to_string())
            .hint(format!("take those lines out, and try again; {}", self.where_they_are()))
    }

    /// What shows lines of ours in the user's configuration.
    fn where_they_are(&self) -> String {
        format!("see: grep -n agent-workspace {}", join(&[self.config.to_string_lossy()]))
    }

    /// The line that has the configuration read our file.
    pub(super) fn line(&self) -> Result<&str> {
        self.line.as_deref().ok_or_else(|| {
            let message = format!("no line of an SSH configuration can name {}", self.file.display());
            Error::new(ErrorCode::SshConfigFailed, message)
                .detail("file", self.file.display().to_string())
                .hint("set another ssh_config, or ssh_config_dir = false: agent-workspace config edit")
        })
    }

    /// Whether the user's `ssh` finds the names.
    pub(super) fn is_installed(&self) -> Result<bool> {
        let Some(config) = self.config()? else { return Ok(false) };
        Ok(if self.inline {
            matches!(Section::find(&config, &self.first), Section::Ours(_))
        } else {
            include::is_included(&config, &self.file, &self.home) && self.ours().is_ok_and(|ours| ours.is_some())
        })
    }

    /// What was installed, and is to follow the VMs and the configuration.
    pub(super) fn to_keep(&self) -> Result<Kept> {
        let has_file = matches!(self.ours(), Ok(Some(_)));
        let section = self.config().and_then(|config| self.section(&config.unwrap_or_default()));
        Ok(match section {
            Ok(Section::Ours(_)) => Kept::Everything,
            _ if has_file && self.inline => Kept::Everything,
            _ if has_file => Kept::File,
            // It may be in there.
            Err(error) if self.inline => return Err(error),
            _ => Kept::Nothing,
        })
    }

    /// Whether there is the folder that everything is in.
    pub(super) fn has_folder(&self) -> bool {
        self.folder.exists()
    }

    /// Makes sure of that.
    pub(super) fn make_room(&self) -> Result<()> {
        if self.has_folder() {
            return Ok(());
        }
        own_file::make_folder(&self.folder).map_err(|error| failed("use", &self.folder, &error))
    }

    /// Waits until no other launcher changes any of it.
    pub(super) fn lock(&self) -> Result<File> {
        own_file::lock(&self.folder).map_err(|error| failed("use", &self.folder, &error))
    }

    /// Makes the folder of our file.
    pub(super) fn make_folder(&self) -> Result<()> {
        let folder = self.file.parent().unwrap_or(&self.folder);
        own_file::make_folder(folder).map_err(|error| failed("use", folder, &error))
    }

    /// Writes our file.
    pub(super) fn replace_file(&self, bytes: &[u8]) -> Result<()> {
        own_file::replace(&self.file, bytes, 0o600).map_err(|error| failed("write", &self.file, &error))
    }

    /// Removes our file.
    pub(super) fn remove_file(&self) -> Result<()> {
        std::fs::remove_file(&self.file).map_err(|error| failed("remove", &self.file, &error))
    }

    /// Puts bytes in the place of the user's configuration, wherever a link leads, with the rights it has, unless they
    /// are what is there. Returns whether they were not.
    pub(super) fn replace_config(&self, there: Option<&[u8]>, bytes: &[u8]) -> Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let failed = |error: io::Error| failed("change", &self.config, &error);
        if there == Some(bytes) {
            return Ok(false);
        }
        if there.is_none() {
            return own_file::replace(&self.config, bytes, 0o600).map(|()| true).map_err(failed);
        }
        let real = self.config.canonicalize().map_err(failed)?;
        let found = std::fs::metadata(&real).map_err(failed)?;
        let is_writable = rustix::fs::access(&real, rustix::fs::Access::WRITE_OK).is_ok() && found.mode() & 0o200 != 0;
        if !is_writable || found.uid() != rustix::process::geteuid().as_raw() {
            return Err(failed(io::Error::from(io::ErrorKind::PermissionDenied)));
        }
        own_file::replace(&real, bytes, found.mode() & 0o7777).map(|()| true).map_err(failed)
    }
}

fn failed(doing: &str, path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorCode::SshConfigFailed, format!("could not {doing} {}", path.display()))
        .cause(error.to_string())
        .detail("file", path.display().to_string())
        .hint(format!(
            "see: ls -ld {}; or take the text and put it where you like: agent-workspace vm ssh-config",
            join(&[path.to_string_lossy()])
        ))
}
