//! The workspaces on VMs, and how far making or removing each one is.

use agent_workspace_contract::ErrorCode;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Records, Refused, now};
use crate::backend::RecordedSpec;
use crate::error::{Error, Result};

/// One workspace on a VM, as it is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkspaceRecord {
    /// Its full name.
    pub name: String,
    /// The VM it is on.
    pub vm: String,
    /// The mark of the call that made it.
    pub create_id: String,
    /// How far it is.
    pub state: WorkspaceState,
    /// Whether it was stopped and not started since.
    pub stopped: bool,
    /// Where it is on its VM.
    pub folder: String,
    /// Its own user there, and the name of that user's group, whose members are admitted.
    pub linux_user: String,
    /// `owner/repo`.
    pub repo: Option<String>,
    /// What was asked for; `None` when nobody can read what was written down.
    pub spec: Option<RecordedSpec>,
    /// RFC 3339.
    pub created_at: String,
}

/// How far a workspace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkspaceState {
    /// Its create has not come to its end.
    Creating,
    /// It is there.
    Ready,
    /// It is being removed.
    Removing,
    /// It was removed, and its folders were kept.
    Kept,
    /// A newer launcher knows what this is.
    Unknown,
}

impl WorkspaceState {
    /// The word that is written down.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Removing => "removing",
            Self::Kept => "kept",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn read(word: &str) -> Self {
        [Self::Creating, Self::Ready, Self::Removing, Self::Kept]
            .into_iter()
            .find(|state| state.as_str() == word)
            .unwrap_or(Self::Unknown)
    }
}

impl WorkspaceRecord {
    const COLUMNS: &str = "name, vm, create_id, state, stopped, folder, linux_user, repo, spec, created_at";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: row.get(0)?,
            vm: row.get(1)?,
            create_id: row.get(2)?,
            state: WorkspaceState::read(&row.get::<_, String>(3)?),
            stopped: row.get(4)?,
            folder: row.get(5)?,
            linux_user: row.get(6)?,
            repo: row.get(7)?,
            spec: serde_json::from_str(&row.get::<_, String>(8)?).ok(),
            created_at: row.get(9)?,
        })
    }
}

impl Records {
    /// Every workspace on VMs, the newest first.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn workspaces(&self) -> Result<Vec<WorkspaceRecord>> {
        let all = || {
            let text = format!("SELECT {} FROM workspaces ORDER BY created_at DESC, name", WorkspaceRecord::COLUMNS);
            self.connection.prepare(&text)?.query_map([], WorkspaceRecord::read)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        all().map_err(|error| self.failed(&error))
    }

    /// One workspace by its full name.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn workspace(&self, name: &str) -> Result<Option<WorkspaceRecord>> {
        find(&self.connection, name).map_err(|error| self.failed(&error))
    }

    /// Writes down that a workspace is about to be made, unless one of its name is there; that one is returned then.
    /// One that was removed and whose folders were kept is made anew from them.
    ///
    /// # Errors
    /// `name_taken` when its user or folder is another workspace's on that VM, `vm_not_found`, `state_failed`.
    pub fn intend_workspace(&mut self, wanted: &WorkspaceRecord) -> Result<Option<WorkspaceRecord>> {
        self.transaction(|transaction| {
            if let Some(there) = find(transaction, &wanted.name)? {
                if there.state != WorkspaceState::Kept || there.vm != wanted.vm {
                    return Ok(Some(there));
                }
                transaction.execute("DELETE FROM workspaces WHERE name = ?1", [&wanted.name])?;
            }
            let vm = "SELECT 1 FROM vms WHERE name = ?1";
            if transaction.query_row(vm, [&wanted.vm], |_| Ok(())).optional()?.is_none() {
                return Err(Refused::Ours(
                    Error::new(ErrorCode::VmNotFound, format!("VM not found: {}", wanted.vm))
                        .detail("vm", wanted.vm.clone())
                        .hint("see what there is: agent-workspace vm list"),
                ));
            }
            let text = "SELECT name FROM workspaces WHERE vm = ?1 AND (linux_user = ?2 OR folder = ?3)";
            let taken = params![wanted.vm, wanted.linux_user, wanted.folder];
            if let Some(other) = transaction.query_row(text, taken, |row| row.get::<_, String>(0)).optional()? {
                return Err(Refused::Ours(
                    Error::new(ErrorCode::NameTaken, format!("{} is too like workspace {other}", wanted.name))
                        .detail("workspace", other)
                        .hint("choose another name: --name NAME"),
                ));
            }
            let text = format!(
                "INSERT INTO workspaces ({}) VALUES (?1, ?2, ?3, 'creating', 0, ?4, ?5, ?6, ?7, ?8)",
                WorkspaceRecord::COLUMNS
            );
            let spec = wanted.spec.as_ref().and_then(|spec| serde_json::to_string(spec).ok()).unwrap_or_default();
            let WorkspaceRecord { name, vm, create_id, folder, linux_user, repo, .. } = wanted;
            transaction.execute(&text, params![name, vm, create_id, folder, linux_user, repo, spec, now()])?;
            Ok(None)
        })
    }

    /// Writes down how far a workspace is, if it is still the one of that call. Returns whether it is.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn set_workspace_state(&mut self, name: &str, create_id: &str, to: WorkspaceState) -> Result<bool> {
        let text = "UPDATE workspaces SET state = ?3 WHERE name = ?1 AND create_id = ?2";
        let done = self.connection.execute(text, params![name, create_id, to.as_str()]);
        done.map(|count| count > 0).map_err(|error| self.failed(&error))
    }

    /// Writes down that a workspace was stopped or started, if it is still the one of that call. Returns whether that
    /// changed anything.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn set_workspace_stopped(&mut self, name: &str, create_id: &str, stopped: bool) -> Result<bool> {
        let text = "UPDATE workspaces SET stopped = ?3 WHERE name = ?1 AND create_id = ?2 AND stopped != ?3";
        let done = self.connection.execute(text, params![name, create_id, stopped]);
        done.map(|count| count > 0).map_err(|error| self.failed(&error))
    }

    /// Writes down that a workspace was removed and its folders were kept, and forgets who was admitted to it. Returns
    /// whether it is still the one of that call.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn keep_workspace(&mut self, name: &str, create_id: &str) -> Result<bool> {
        self.transaction(|transaction| {
            let text = "UPDATE workspaces SET state = 'kept', stopped = 0 WHERE name = ?1 AND create_id = ?2";
            let is_it = transaction.execute(text, params![name, create_id])? > 0;
            if is_it {
                transaction.execute("DELETE FROM grants WHERE workspace = ?1", [name])?;
            }
            Ok(is_it)
        })
    }

    /// Writes down that a workspace is in another folder, if it is still the one of that call. Returns whether it is.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn move_workspace(
        &mut self,
        name: &str,
        create_id: &str,
        folder: &str,
        spec: Option<&RecordedSpec>,
    ) -> Result<bool> {
        let spec = spec.and_then(|spec| serde_json::to_string(spec).ok());
        let text = "UPDATE workspaces SET folder = ?3, spec = coalesce(?4, spec) WHERE name = ?1 AND create_id = ?2";
        let done = self.connection.execute(text, params![name, create_id, folder, spec]);
        done.map(|count| count > 0).map_err(|error| self.failed(&error))
    }

    /// The mark of this state, by which what it has made is told from what others have.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn owner(&self) -> Result<String> {
        let one = self.connection.query_row("SELECT mark FROM owner", [], |row| row.get(0));
        one.map_err(|error| self.failed(&error))
    }

    /// Forgets a workspace and who was admitted to it, if it is still the one of that call. Returns whether it was.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn forget_workspace(&mut self, name: &str, create_id: &str) -> Result<bool> {
        let text = "DELETE FROM workspaces WHERE name = ?1 AND create_id = ?2";
        let done = self.connection.execute(text, params![name, create_id]);
        done.map(|count| count > 0).map_err(|error| self.failed(&error))
    }
}

fn find(connection: &Connection, name: &str) -> rusqlite::Result<Option<WorkspaceRecord>> {
    let text = format!("SELECT {} FROM workspaces WHERE name = ?1", WorkspaceRecord::COLUMNS);
    connection.query_row(&text, [name], WorkspaceRecord::read).optional()
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    fn wanted(name: &str, id: &str) -> WorkspaceRecord {
        WorkspaceRecord {
            name: name.to_owned(),
            vm: "dev".to_owned(),
            create_id: id.to_owned(),
            state: WorkspaceState::Creating,
            stopped: false,
            folder: format!("/srv/{name}"),
            linux_user: format!("ws--{name}"),
            repo: Some("o/r".to_owned()),
            spec: Some(RecordedSpec::default()),
            created_at: String::new(),
        }
    }

    #[test]
    fn a_workspace_is_remembered_from_its_intent_until_its_own_call_forgets_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = Store::at(folder.path()).write().unwrap();
        assert_eq!(records.intend_workspace(&wanted("a", "1")).unwrap_err().code(), ErrorCode::VmNotFound);
        records.intend_vm("dev", "ssh", "vm", None).unwrap();
        assert_eq!(records.intend_workspace(&wanted("a", "1")).unwrap(), None);
        let there = records.intend_workspace(&wanted("a", "2")).unwrap().unwrap();
        assert_eq!((&*there.create_id, there.state), ("1", WorkspaceState::Creating));
        assert!(records.set_workspace_state("a", "1", WorkspaceState::Ready).unwrap());
        assert!(!records.set_workspace_state("a", "2", WorkspaceState::Removing).unwrap());
        assert!(records.set_workspace_stopped("a", "1", true).unwrap());
        assert!(!records.set_workspace_stopped("a", "1", true).unwrap());
        assert!(!records.set_workspace_stopped("a", "2", false).unwrap(), "it is another call's");
        assert!(!records.forget_workspace("a", "2").unwrap() && records.forget_workspace("a", "1").unwrap());
        assert_eq!(records.workspaces().unwrap(), []);
    }

    #[test]
    fn two_workspaces_never_share_a_user_or_a_folder_and_kept_folders_are_taken_up_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = Store::at(folder.path()).write().unwrap();
        records.intend_vm("dev", "ssh", "vm", None).unwrap();
        records.intend_workspace(&wanted("a", "1")).unwrap();
        let same_user = WorkspaceRecord { linux_user: "ws--a".to_owned(), ..wanted("b", "2") };
        assert_eq!(records.intend_workspace(&same_user).unwrap_err().code(), ErrorCode::NameTaken);
        assert!(!records.move_workspace("a", "2", "/data/a", None).unwrap(), "it is another call's");
        assert!(records.move_workspace("a", "1", "/data/a", None).unwrap());
        assert_eq!(records.workspace("a").unwrap().unwrap().folder, "/data/a");
        assert!(!records.keep_workspace("a", "2").unwrap() && records.keep_workspace("a", "1").unwrap());
        assert_eq!(records.owner().unwrap().len(), 16);
        assert_eq!(records.intend_workspace(&wanted("a", "3")).unwrap(), None);
        assert_eq!(records.workspace("a").unwrap().unwrap().create_id, "3");
    }
}
