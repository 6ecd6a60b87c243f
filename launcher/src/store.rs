//! What no engine remembers: VMs, the machines they are on, and what happened to them. The only room that names rusqlite.
//!
//! One SQLite file, `state.db`, in a folder that is ours alone. It is never held open across a call to a machine: what is
//! about to be done is written down first, and what became of it afterwards.

mod agents;
mod claim;
mod events;
mod logs;
mod migrate;
mod vm_hosts;
mod vms;
mod workspaces;

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_workspace_contract::{EnvVar, ErrorCode};
use rusqlite::{Connection, ErrorCode as Sqlite, OpenFlags, TransactionBehavior};

pub use agents::{AdmittedTo, AgentRecord, AgentState};
pub use claim::Claim;
pub use vm_hosts::VmHostRecord;
pub use vms::{Facts, Part, VmRecord};
pub use workspaces::{WorkspaceRecord, WorkspaceState};

use crate::error::{Error, Result};
use crate::host::{self, Host};
use crate::ssh::quoting::join;

const FILE: &str = "state.db";
/// Longer than fifty commands that write at once take, each its own few milliseconds.
const BUSY: Duration = Duration::from_secs(20);
/// How often who waits for a claim looks whether the others are done.
const CLAIM_PAUSE: Duration = Duration::from_millis(50);

/// Where the state is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The state of this process' user. Opens nothing.
    ///
    /// # Errors
    /// `invalid_environment`.
    pub fn of(host: &Host) -> Result<Self> {
        host.state_folder().map(Self::at)
    }

    /// The folder.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// The state in a folder.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Opens it for reading alone; `None` when there is none yet. Leaves no trace.
    ///
    /// # Errors
    /// `state_failed`, `state_too_new`.
    pub fn read(&self) -> Result<Option<Records>> {
        let path = self.folder.join(FILE);
        // A folder that cannot be looked into is not one with nothing in it.
        if !path.try_exists().map_err(|error| unusable(&path, &error))? {
            return Ok(None);
        }
        let open = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&path, flags)?;
            connection.busy_timeout(BUSY)?;
            let version = migrate::version(&connection)?;
            Ok((connection, version))
        };
        let (connection, version) = match open() {
            // Whoever wrote last was killed in the middle, and its half has to be taken back first.
            Err(error) if is_interrupted_write(&error) => return self.write().map(Some),
            opened => opened.map_err(|error| failed(&path, &error))?,
        };
        match version {
            0 => Ok(None),
            version if version > migrate::LATEST => Err(migrate::too_new(&path, version)),
            _ => Ok(Some(Records { connection: migrate::for_looking(connection, &path)?, path })),
        }
    }

    /// Opens it for writing; makes it, or brings it up to date.
    ///
    /// # Errors
    /// `state_failed`, `state_too_new`.
    pub fn write(&self) -> Result<Records> {
        self.make_folder()?;
        let path = self.folder.join(FILE);
        let open = || {
            let mut connection = Connection::open(&path)?;
            connection.busy_timeout(BUSY)?;
            // A journal of its own for each write and none in between: works on network file systems too, and reading
            // leaves no trace. With the few rows of a person nothing faster is felt.
            connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_update(None, "trusted_schema", false)?;
            connection.set_transaction_behavior(TransactionBehavior::Immediate);
            Ok(connection)
        };
        let mut connection = open().map_err(|error| failed(&path, &error))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
            .map_err(|error| unusable(&path, &error))?;
        migrate::run(&mut connection, &path)?;
        Ok(Records { connection, path })
    }

    /// Lays a claim to a VM, so that no other command is at work on it.
    ///
    /// # Errors
    /// `vm_busy`, `state_failed`.
    pub fn claim(&self, vm: &str) -> Result<Claim> {
        self.make_folder()?;
        Claim::lay(&self.folder, vm)
    }

    /// The same, waiting for others that are at work on it for a time.
    ///
    /// # Errors
    /// `vm_busy` when the time has gone by, `state_failed`.
    pub async fn claim_within(&self, vm: &str, patience: Duration) -> Result<Claim> {
        let until = tokio::time::Instant::now() + patience;
        loop {
            match self.claim(vm) {
                Err(error) if error.code() == ErrorCode::VmBusy && tokio::time::Instant::now() < until => {
                    tokio::time::sleep(CLAIM_PAUSE).await;
                }
                Err(error) if error.code() == ErrorCode::VmBusy => {
                    return Err(error.cause(format!("it was waited for {} seconds", patience.as_secs())));
                }
                laid => return laid,
            }
        }
    }

    /// Whether a command is at work on a VM.
    pub fn is_claimed(&self, vm: &str) -> bool {
        claim::is_laid(&self.folder, vm)
    }

    /// Lays a claim to a workspace on a VM, so that no other command makes or removes it.
    ///
    /// # Errors
    /// `wrong_state` while another one has it, `state_failed`.
    pub fn claim_workspace(&self, workspace: &str) -> Result<Claim> {
        self.make_folder()?;
        Claim::lay_to_workspace(&self.folder, workspace)
    }

    /// Whether a command is making or removing a workspace.
    pub fn is_claimed_workspace(&self, workspace: &str) -> bool {
        claim::is_laid_to_workspace(&self.folder, workspace)
    }

    fn make_folder(&self) -> Result<()> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|error| unusable(&self.folder, &error))
    }
}

/// The state, open.
pub struct Records {
    connection: Connection,
    path: PathBuf,
}

impl Records {
    /// Does several things at once or none of them.
    fn transaction<T>(&mut self, act: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, Refused>) -> Result<T> {
        let path = self.path.clone();
        let done = (|| {
            let transaction = self.connection.transaction()?;
            let value = act(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        done.map_err(|refused| match refused {
            Refused::Ours(error) => error,
            Refused::Sqlite(error) => failed(&path, &error),
        })
    }

    fn failed(&self, error: &rusqlite::Error) -> Error {
        failed(&self.path, error)
    }
}

/// Why a transaction came to nothing.
enum Refused {
    Ours(Error),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// The time now, as it is written down.
fn now() -> String {
    host::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn is_interrupted_write(error: &rusqlite::Error) -> bool {
    const READONLY_ROLLBACK: i32 = 8 | 3 << 8;
    error.sqlite_error().is_some_and(|error| error.extended_code == READONLY_ROLLBACK)
}

fn failed(path: &Path, error: &rusqlite::Error) -> Error {
    let path = path.display().to_string();
    let failed = |hint: String| {
        Error::new(ErrorCode::StateFailed, format!("the state in {path} cannot be used"))
            .cause(error.to_string())
            .hint(hint)
    };
    match error.sqlite_error_code() {
        Some(Sqlite::NotADatabase | Sqlite::DatabaseCorrupt) => {
            failed(format!("keep it for a look, and begin anew: {}", join(&["mv", &path, &format!("{path}.broken")])))
        }
        Some(Sqlite::DatabaseBusy | Sqlite::DatabaseLocked) => {
            failed("see which command holds it for so long: ps -C agent-workspace".to_owned())
        }
        _ => failed(format!("look whether the folder can be written and has space: {}", join(&["df", &path]))),
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorCode::StateFailed, format!("the state in {} cannot be used", path.display()))
        .cause(error.to_string())
        .hint(format!("make it writable, or name another folder: {}=DIR", EnvVar::StateDir.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_looked_into_is_not_empty() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(Store::at(file.join("below")).read().err().unwrap().code(), ErrorCode::StateFailed);
    }

    #[test]
    fn reading_what_is_not_there_leaves_no_trace() {
        let temporary = tempfile::tempdir().unwrap();
        let store = Store::at(temporary.path().join("state"));
        assert!(store.read().unwrap().is_none());
        assert!(!temporary.path().join("state").exists());
    }

    #[test]
    fn nobody_else_can_read_it() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("state");
        drop(Store::at(&folder).write().unwrap());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(FILE))), (0o700, 0o600));
    }

    #[test]
    fn reading_changes_no_byte_and_makes_no_file() {
        let temporary = tempfile::tempdir().unwrap();
        let store = Store::at(temporary.path());
        store.write().unwrap().add_vm_host("a", "vm", None, None).unwrap();
        let look = || {
            let entries = std::fs::read_dir(temporary.path()).unwrap().map(|entry| entry.unwrap().path());
            entries.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect::<Vec<_>>()
        };
        let before = look();
        assert_eq!(store.read().unwrap().unwrap().vm_hosts().unwrap().len(), 1);
        assert_eq!(look(), before);
    }

    #[test]
    fn what_is_no_database_is_said_with_the_way_out() {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::write(temporary.path().join(FILE), "x".repeat(4096)).unwrap();
        for error in [Store::at(temporary.path()).read().err(), Store::at(temporary.path()).write().err()] {
            let error = error.unwrap();
            assert_eq!(error.code(), ErrorCode::StateFailed);
            assert!(error.hint_text().unwrap().contains("mv "), "{error:?}");
        }
    }
}
