//! The file by which VS Code opens a workspace on a VM: written by `create`, kept true by `rehome`, taken away by `rm`.
//! Everything else works without it, so what fails here is a warning.

use std::path::{Path, PathBuf};

use super::App;
use crate::backend::Workspace;
use crate::host::own_file;
use crate::output::warning;
use crate::workspace::code_workspace::{file_name, text};

/// The file of a workspace that was made with one, as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    path: PathBuf,
    text: String,
}

impl File {
    /// That of a workspace; `None` when it was made without one, or is on no VM.
    pub(super) fn of(app: &App, workspace: &Workspace) -> Option<Self> {
        let folder = workspace.recorded.as_ref()?.code_workspace.as_ref()?;
        let alias = app.backend.ssh_alias(workspace)?;
        let inside = workspace.path.as_ref().unwrap_or(&workspace.places.work);
        Some(Self { path: Path::new(folder).join(file_name(&workspace.name)), text: text(&alias, inside) })
    }

    /// Makes sure that it is there, in the place of nothing or of what it was `before`. Returns where, if it is.
    pub(super) fn put(&self, app: &App, before: Option<&Self>) -> Option<String> {
        let there = (|| {
            if let Some(folder) = self.path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            own_file::put(&self.path, self.text.as_bytes(), before.map(|before| before.text.as_bytes()))
        })();
        let why = match there {
            Ok(true) => return Some(self.path.display().to_string()),
            Ok(false) => "what is there was not written by this launcher, and stays".to_owned(),
            Err(error) => error.to_string(),
        };
        let message = format!("could not write {} for VS Code: {why}", self.path.display());
        app.progress.warn(warning("code_workspace_failed", message));
        None
    }

    /// Takes it away, when it is still as it was written.
    pub(super) fn take(&self, app: &App) {
        if let Err(error) = self.take_quietly() {
            let message = format!("could not remove {}: {error}", self.path.display());
            app.progress.warn(warning("code_workspace_failed", message));
        }
    }

    /// The same where nobody can be told.
    ///
    /// # Errors
    /// The system's own.
    pub(super) fn take_quietly(&self) -> std::io::Result<bool> {
        own_file::take(&self.path, self.text.as_bytes())
    }
}
