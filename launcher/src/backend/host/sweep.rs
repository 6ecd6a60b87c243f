//! Taking workspaces away: the one that is meant, what a failed call has made, and what nothing uses.

use std::path::Path;

use agent_workspace_contract::{ErrorCode, FailedItem, KeptItem, RemovedItem, WorkspaceStatus};

use super::Folders;
use super::folder::{Folder, TRASH, Tried, VIEW, bytes_in, delete};
use super::holder::{Holder, end_strays};
use super::record::{Record, State};
use crate::backend::survey::{Cleared, Kind, Leaving, Reason, Sizes, Survey};
use crate::backend::{Backend, Removal, Workspace};
use crate::error::{Error, Result};
use crate::guest::joined;
use crate::undo::Outcome;

/// What a removal is called in documents when the folders stay.
const WORKSPACE: &str = "workspace";

impl Folders {
    /// Removes a workspace, and its folders unless they are to be kept.
    pub(super) async fn take_away(&self, workspace: &Workspace, keep: bool) -> Result<Removal> {
        let folder = self.folder(&workspace.name);
        let mut removal = Removal::default();
        let Some(_lock) = folder.lock().await? else { return Ok(removal) };
        let record = folder.read();
        let is_another = |record: &Record| {
            record.state == State::Kept || workspace.create_id.as_ref().is_some_and(|id| *id != record.create_id)
        };
        if record.as_ref().is_ok_and(|record| record.as_ref().is_some_and(is_another)) {
            // Somebody has removed it, and it may be made anew by now.
            return Ok(removal);
        }
        let record = record.ok().flatten();
        let name = folder.name().to_owned();
        self.end(&folder, record.as_ref()).await?;
        if let (true, Some(record)) = (keep, record) {
            folder.write(&Record { state: State::Kept, found: false, ..record })?;
            removal.removed.push(RemovedItem { kind: WORKSPACE.to_owned(), id: name.clone() });
            removal.kept.push(KeptItem { kind: Kind::Folder.as_str().to_owned(), id: name });
            return Ok(removal);
        }
        self.delete_whole(&folder, &mut removal).await?;
        Ok(removal)
    }

    /// Removes folders that were kept.
    pub(super) async fn take_kept(&self, names: &[String]) -> Result<Removal> {
        let mut removal = Removal::default();
        for name in names {
            let folder = self.folder(name);
            let Some(_lock) = folder.lock().await? else { continue };
            if folder.read()?.is_some_and(|record| record.state == State::Kept) {
                self.delete_whole(&folder, &mut removal).await?;
            }
        }
        Ok(removal)
    }

    /// Ends what runs in it, if anything does.
    async fn end(&self, folder: &Folder, record: Option<&Record>) -> Result<()> {
        if let Some(holder) = Holder::find(folder).filter(|holder| holder.is_whole) {
            return holder.stop(folder, false).await;
        }
        if let Some(record) = record {
            end_strays(&record.create_id).await;
        }
        Ok(())
    }

    /// Takes a folder out of sight and deletes it. Whatever ends this in the middle leaves nothing that looks like a
    /// workspace.
    async fn delete_whole(&self, folder: &Folder, removal: &mut Removal) -> Result<()> {
        let (kind, id) = (Kind::Folder.as_str().to_owned(), folder.name().to_owned());
        let trash = folder.to_trash()?;
        match delete(trash.clone()).await {
            Ok(()) => removal.removed.push(RemovedItem { kind, id }),
            Err(error) => removal.failed.push(FailedItem {
                kind,
                id,
                message: format!("{error}; what is left is in {}, and prune removes it", trash.display()),
            }),
        }
        Ok(())
    }

    /// Takes back what the call of this mark has made, unless somebody else has come to count on it.
    pub(super) async fn undo(&self, create_id: &str) -> Result<Outcome> {
        let closed = self.close_view(create_id).await.map_err(|error| {
            Error::new(ErrorCode::Internal, "what looked into a workspace is still there").cause(error.to_string())
        })?;
        let mut found = closed;
        for (folder, record) in self.records() {
            let Ok(Some(record)) = record else { continue };
            if record.create_id != create_id || record.state == State::Kept {
                continue;
            }
            let workspace = self.workspace(&folder, &record);
            if workspace.status == WorkspaceStatus::Running && joined::abandon(&*self.machine(&workspace)).await {
                return Err(Error::new(
                    ErrorCode::WrongState,
                    format!("another create has come back to {}, and takes it back if it fails too", workspace.name),
                ));
            }
            found |= self.take_back(&folder, create_id).await?;
        }
        Ok(found.into())
    }

    /// Removes what one create has made, and leaves folders that were there before it as they were.
    async fn take_back(&self, folder: &Folder, create_id: &str) -> Result<bool> {
        let Some(_lock) = folder.lock().await? else { return Ok(false) };
        let Some(record) = folder.read()?.filter(|record| record.create_id == create_id) else { return Ok(false) };
        self.end(folder, Some(&record)).await?;
        if record.found {
            folder.write(&Record { state: State::Kept, found: false, ..record })?;
            return Ok(true);
        }
        let mut removal = Removal::default();
        self.delete_whole(folder, &mut removal).await?;
        match removal.failed.into_iter().next() {
            None => Ok(true),
            Some(failed) => Err(Error::new(ErrorCode::Internal, failed.message)),
        }
    }

    /// Everything of ours that nothing uses.
    pub(super) fn look_around(&self) -> Survey {
        let mut survey = Survey::default();
        for name in self.entries() {
            let path = self.root().join(&name);
            let leaving = |workspace: &str, create_id: Option<&str>, reason| Leaving {
                kind: Kind::Folder,
                id: name.clone(),
                name: name.clone(),
                workspace: workspace.to_owned(),
                made_at: changed_at(&path),
                create_id: create_id.map(str::to_owned),
                reason,
            };
            if let Some(id) = name.strip_prefix(VIEW) {
                survey.leavings.push(leaving(&name, Some(id), Reason::Viewer));
            } else if let Some(of) = name.strip_prefix(TRASH) {
                let of = of.rsplit_once('-').map_or(of, |(of, _)| of);
                survey.leavings.push(leaving(of, None, Reason::HalfRemoved));
            } else if self.covers(&name) {
                let folder = self.folder(&name);
                match folder.read() {
                    Ok(Some(record)) => match record.state {
                        State::Kept => {
                            survey.leavings.push(leaving(&name, Some(&record.create_id), Reason::Unused));
                        }
                        State::Creating => {
                            survey.leavings.push(leaving(&name, Some(&record.create_id), Reason::NeverStarted));
                        }
                        State::Ready if record.spec.clones => {
                            survey.to_finish.push(self.workspace(&folder, &record));
                        }
                        State::Ready => {}
                    },
                    Ok(None) => survey.leavings.push(leaving(&name, None, Reason::NeverStarted)),
                    // It is shown with its problem, and nobody knows what it is.
                    Err(_) => {}
                }
            }
        }
        survey
    }

    /// Removes a leaving, unless it is something else by now.
    pub(super) async fn clear_away(&self, leaving: &Leaving) -> Result<Cleared> {
        let path = self.root().join(&leaving.id);
        let failed = |error: std::io::Error| {
            Error::new(ErrorCode::Internal, format!("{} could not be removed", path.display())).cause(error.to_string())
        };
        if matches!(leaving.reason, Reason::Viewer | Reason::HalfRemoved) {
            if !path.exists() {
                return Ok(Cleared::Gone);
            }
            return delete(path.clone()).await.map(|()| Cleared::Removed).map_err(failed);
        }
        let folder = self.folder(&leaving.id);
        let _lock = match folder.try_lock()? {
            Tried::Got(lock) => lock,
            Tried::Busy => return Ok(Cleared::InUse("a command is at work on it".to_owned())),
            Tried::Absent => return Ok(Cleared::Gone),
        };
        let record = folder.read()?;
        let is_it = match (leaving.reason, &record) {
            (Reason::NeverStarted, Some(record)) => record.state == State::Creating,
            (Reason::NeverStarted, None) => true,
            (Reason::Unused, Some(record)) => record.state == State::Kept,
            (_, Some(record)) => leaving.create_id.as_ref() == Some(&record.create_id),
            (_, None) => false,
        };
        if !is_it {
            return Ok(Cleared::InUse("it is something else by now".to_owned()));
        }
        self.end(&folder, record.as_ref()).await?;
        if let Some(record) = record.filter(|record| record.found && record.state != State::Kept) {
            // Its folders were there before its create, and stay for the next look.
            folder.write(&Record { state: State::Kept, found: false, ..record })?;
            return Ok(Cleared::Removed);
        }
        let mut removal = Removal::default();
        self.delete_whole(&folder, &mut removal).await?;
        match removal.failed.into_iter().next() {
            None => Ok(Cleared::Removed),
            Some(failed) => Err(Error::new(ErrorCode::Internal, failed.message)),
        }
    }

    /// What takes how much, of what may be taken away.
    pub(super) async fn weigh(&self, of: &Survey) -> Result<Sizes> {
        let unfinished = of.to_finish.iter().map(|workspace| &workspace.name);
        let names: Vec<String> = of.leavings.iter().map(|leaving| &leaving.name).chain(unfinished).cloned().collect();
        let root = self.root().to_owned();
        let weigh = move || {
            let weighed = names.into_iter().map(|name| {
                let bytes = bytes_in(&root.join(&name));
                ((Kind::Folder, name), bytes)
            });
            weighed.collect()
        };
        tokio::task::spawn_blocking(weigh)
            .await
            .map_err(|error| Error::new(ErrorCode::Internal, "sizes are not known").cause(error.to_string()))
    }
}

/// When a folder was last changed, in seconds since 1970.
fn changed_at(path: &Path) -> Option<i64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(path).ok().map(|about| about.mtime())
}
