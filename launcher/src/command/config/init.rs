//! `config init`: a configuration in which nothing is set yet.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error as Io, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use agent_workspace_contract::{ConfigInitReport, ErrorCode};

use crate::config;
use crate::error::{Error, Result};
use crate::host::{self, Host};

/// Flags of `config init`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Write it also where one is, and keep a copy of that
    #[arg(long)]
    force: bool,
}

/// Where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The file.
    path: PathBuf,
    /// Whether one that is there is replaced.
    force: bool,
}

impl Args {
    /// Finds out where it is.
    ///
    /// # Errors
    /// `invalid_environment`.
    pub fn resolve(self, host: &Host) -> Result<Request> {
        let Self { force } = self;
        Ok(Request { path: config::ours(host)?.path, force })
    }
}

/// Writes it, for its owner alone.
///
/// # Errors
/// `config_exists`, or `config_invalid` when it cannot be written.
pub fn run(request: Request) -> Result<ConfigInitReport> {
    let Request { path, force } = request;
    let failed = |error: &Io| {
        Error::new(ErrorCode::ConfigInvalid, format!("{} cannot be written", path.display()))
            .cause(error.to_string())
            .detail("path", path.to_string_lossy())
            .hint("name another place: AGENT_WORKSPACE_CONFIG=/path/to/config.toml")
    };
    let there = path.symlink_metadata().is_ok();
    if there && !force {
        return Err(exists(&path));
    }
    // A device is nobody's to replace; /dev/null is a good name for no configuration.
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        return Err(failed(&Io::other("it is no file")));
    }
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| failed(&error))?;
    }
    let backup = if there { keep_copy(&path).map_err(|error| failed(&error))? } else { None };
    // Whole or not at all, and never over one that somebody else has just written.
    let part = beside(&path, &format!("part-{}", host::fresh_id()?));
    let written = create(&part).and_then(|mut file| {
        file.write_all(config::sample().as_bytes())?;
        file.sync_all()?;
        if there { std::fs::rename(&part, &path) } else { std::fs::hard_link(&part, &path) }
    });
    // A rename has left nothing to remove.
    let _ = std::fs::remove_file(&part);
    match written {
        Ok(()) => Ok(ConfigInitReport {
            path: path.to_string_lossy().into_owned(),
            backup: backup.map(|backup| backup.to_string_lossy().into_owned()),
        }),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(exists(&path)),
        Err(error) => Err(failed(&error)),
    }
}

fn exists(path: &Path) -> Error {
    Error::new(ErrorCode::ConfigExists, format!("{} is there already", path.display()))
        .detail("path", path.to_string_lossy())
        .hint("change it: agent-workspace config edit; or begin anew and keep a copy: agent-workspace config init --force")
}

/// Copies what is there to the first `.bak-N` that is free. A link that leads nowhere has nothing to copy.
fn keep_copy(path: &Path) -> std::io::Result<Option<PathBuf>> {
    let mut from = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    for number in 1..=u32::MAX {
        let copy = beside(path, &format!("bak-{number}"));
        let mut to = match create(&copy) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        };
        if let Err(error) = std::io::copy(&mut from, &mut to).and_then(|_| to.sync_all()) {
            let _ = std::fs::remove_file(&copy);
            return Err(error);
        }
        return Ok(Some(copy));
    }
    Err(Io::from(ErrorKind::AlreadyExists))
}

fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{end}"));
    name.into()
}
