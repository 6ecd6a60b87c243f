//! The file by which VS Code opens a workspace on a VM: written by `create`, kept true by `rehome` and `repair`, taken
//! away by `rm` and `vm delete`. Everything else works without it, so what fails here is a warning.

use std::path::{Path, PathBuf};

use super::App;
use crate::backend::{RecordedSpec, Workspace};
use crate::host::own_file::{self, There};
use crate::output::{Progress, warning};
use crate::store::WorkspaceRecord;
use crate::workspace::code_workspace::{file_name, text};

/// The file of a workspace that was made with one, as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    path: PathBuf,
    text: String,
    /// What it was before the last move, and still is when that was cut off.
    before: Option<String>,
}

impl File {
    /// That of a workspace; `None` when it was made without one, or is on no VM.
    pub(super) fn of(app: &App, workspace: &Workspace) -> Option<Self> {
        let recorded = workspace.recorded.as_ref()?;
        // Before anything is asked for that only one who has the file needs.
        recorded.code_workspace.as_ref()?;
        let inside = workspace.path.as_ref().unwrap_or(&workspace.places.work);
        Self::new(&workspace.name, recorded, inside, &app.backend.ssh_alias(workspace)?)
    }

    /// That of a workspace that is remembered, on a VM that `ssh` knows by this name.
    pub(super) fn of_row(row: &WorkspaceRecord, alias: &str) -> Option<Self> {
        let recorded = row.spec.as_ref()?;
        Self::new(&row.name, recorded, &recorded.path, alias)
    }

    fn new(name: &str, recorded: &RecordedSpec, inside: &str, alias: &str) -> Option<Self> {
        Some(Self {
            path: Path::new(recorded.code_workspace.as_ref()?).join(file_name(name)),
            text: text(alias, inside),
            before: recorded.path_before.as_ref().map(|before| text(alias, before)),
        })
    }

    /// Makes sure that it is there, in the place of nothing or of what it was before. Returns where, if it is.
    pub(super) fn put(&self, app: &App) -> Option<String> {
        let there = (|| {
            if let Some(folder) = self.path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            own_file::put(&self.path, self.text.as_bytes(), self.before.as_ref().map(String::as_bytes))
        })();
        let why = match there {
            Ok(true) => return Some(self.path.display().to_string()),
            Ok(false) => "what is there was not written by this launcher, and stays".to_owned(),
            Err(error) => error.to_string(),
        };
        warn(&app.progress, format!("could not write {} for VS Code: {why}", self.path.display()));
        None
    }

    /// Brings it up to a move that was cut off, when it is still as it was written before. Returns whether it was.
    pub(super) fn follow(&self, app: &App) -> bool {
        let Some(before) = self.before.as_ref().filter(|before| **before != self.text) else { return false };
        let followed = (|| match own_file::look(&self.path)? {
            There::File(there) if there == before.as_bytes() => {
                own_file::put(&self.path, self.text.as_bytes(), Some(before.as_bytes()))
            }
            _ => Ok(false),
        })();
        followed.unwrap_or_else(|error: std::io::Error| {
            warn(&app.progress, format!("could not write {} for VS Code: {error}", self.path.display()));
            false
        })
    }

    /// Takes it away, when it is still as it was written.
    pub(super) fn take(&self, progress: &Progress) {
        if let Err(error) = self.take_quietly() {
            warn(progress, format!("could not remove {}: {error}", self.path.display()));
        }
    }

    /// The same where nobody can be told.
    ///
    /// # Errors
    /// The system's own.
    pub(super) fn take_quietly(&self) -> std::io::Result<bool> {
        let take = |text: &String| own_file::take(&self.path, text.as_bytes());
        Ok(take(&self.text)? || self.before.as_ref().map_or(Ok(false), take)?)
    }
}

fn warn(progress: &Progress, message: String) {
    progress.warn(warning("code_workspace_failed", message));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::WorkspaceState;

    #[test]
    fn the_file_goes_while_it_is_as_it_was_written_before_or_after_the_last_move() {
        let folder = tempfile::tempdir().unwrap();
        let spec = RecordedSpec {
            path: "/data/w/work".to_owned(),
            path_before: Some("/srv/w/work".to_owned()),
            code_workspace: Some(folder.path().display().to_string()),
            ..RecordedSpec::default()
        };
        let row = WorkspaceRecord {
            name: "w".to_owned(),
            vm: "dev".to_owned(),
            create_id: "1".to_owned(),
            state: WorkspaceState::Ready,
            stopped: false,
            folder: "/data/w".to_owned(),
            linux_user: "ws--w".to_owned(),
            repo: None,
            spec: Some(spec),
            created_at: String::new(),
        };
        let (file, path) = (File::of_row(&row, "awvm--dev").unwrap(), folder.path().join("w.code-workspace"));
        assert!(!file.take_quietly().unwrap());
        for (inside, goes) in [("/data/w/work", true), ("/srv/w/work", true), ("/elsewhere", false)] {
            std::fs::write(&path, text("awvm--dev", inside)).unwrap();
            assert_eq!((file.take_quietly().unwrap(), path.exists()), (goes, !goes), "{inside}");
        }
        let without = RecordedSpec { code_workspace: None, ..row.spec.clone().unwrap() };
        assert_eq!(File::of_row(&WorkspaceRecord { spec: Some(without), ..row }, "awvm--dev"), None);
    }
}
