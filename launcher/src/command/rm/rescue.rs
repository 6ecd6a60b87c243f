//! `rm --rescue`: brings unsaved work onto the caller's host and proves that it is there, before anything is removed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use agent_workspace_contract::{ErrorCode, RescueReport};

use crate::backend::Workspace;
use crate::command::App;
use crate::error::{Error, Result};
use crate::guest::rescue::{self, LIMIT, Packed, ROOT};
use crate::guest::unsaved_work::Unsaved;
use crate::host::rescue_folder::{RescueFolder, RescueParent};
use crate::machine::Machine;
use crate::output::warning;

/// What is to be brought out, and where to.
pub(super) struct Rescue<'a> {
    /// The workspace's full name.
    pub(super) workspace: &'a str,
    /// The folders inside that hold work.
    pub(super) folders: &'a [&'a str],
    /// What was found in them.
    pub(super) found: &'a [Unsaved],
    /// Whether what cannot be brought out may be lost.
    pub(super) force: bool,
    /// The folder on this host.
    pub(super) into: &'a RescueParent,
}

impl Rescue<'_> {
    /// Packs it inside, fetches it, and proves it on this host's disk. `None` when nothing could be packed and that
    /// is all the same.
    ///
    /// # Errors
    /// `rescue_failed`; what was written by then is undone.
    pub(super) async fn run(&self, app: &App, machine: &dyn Machine) -> Result<Option<RescueReport>> {
        let Self { workspace, folders, found, force, into } = *self;
        app.progress.step("rescue_started", &format!("packing the work in {workspace}"));
        let late = || failed(app, workspace, &format!("it took more than {} minutes", LIMIT.as_secs() / 60));
        let pack = rescue::pack(machine, folders, &app.progress);
        let packed = tokio::time::timeout(LIMIT, pack).await.map_err(|_| late())?;
        let packed = packed.map_err(|error| advise(app, error, workspace))?;
        let left_out = rescue::left_out(found, &packed);
        if !left_out.is_empty() {
            let sentences: Vec<String> = left_out.iter().map(ToString::to_string).collect();
            if !force {
                let error = failed(app, workspace, "what follows could not be packed");
                return Err(sentences.into_iter().fold(error, Error::cause));
            }
            app.progress.warn(warning("not_rescued", format!("this is not brought out: {}", sentences.join("; "))));
        }
        let Packed { items, .. } = packed;
        if items.is_empty() {
            return Ok(None);
        }
        let stamp = crate::host::now().strftime("%Y%m%dT%H%M%SZ");
        let folder = Arc::new(into.make(&format!("{workspace}-{stamp}"))?);
        let path = folder.path().to_owned();
        app.undo.register(format!("the folder {}", path.display()), move || async move { RescueFolder::remove(&path) });
        let total: u64 = items.iter().map(|item| item.bytes).fold(0, u64::saturating_add);
        let line = format!("bringing {} files out, {total} bytes, into {}", items.len(), folder.path().display());
        app.progress.step("rescue_fetch_started", &line);
        folder.has_room(total)?;
        let mut receiver = folder.receiver(ROOT, &items);
        let inside = rescue::packed(machine);
        let mut sink = |bytes: &[u8]| receiver.feed(bytes);
        let fetched = tokio::time::timeout(LIMIT, machine.fetch(&inside, &mut sink)).await.map_err(|_| late())?;
        fetched.map_err(|error| match error.code() {
            ErrorCode::RescueFailed => error,
            _ if error.is_out_of_reach() => error,
            _ => super::cannot_rescue(app, workspace, &error),
        })?;
        receiver.finish()?;
        app.progress.step("rescue_check_started", "reading them back");
        let readme = rescue::readme(workspace, &items);
        let report = RescueReport { dir: folder.path().to_string_lossy().into_owned(), items };
        let items = report.items.clone();
        tokio::task::spawn_blocking(move || folder.prove(&items, &readme))
            .await
            .map_err(|error| failed(app, workspace, &error.to_string()))??;
        Ok(Some(report))
    }
}

/// A workspace that was to be frozen, so that nothing changes between bringing out and removing.
pub(super) struct Frozen {
    workspace: Workspace,
    /// Whether the backend has refused: then it runs, or somebody else has frozen it, and is not ours to thaw.
    refused: Arc<AtomicBool>,
}

impl Frozen {
    /// Freezes what runs. It runs again when the command does not come to its end.
    pub(super) async fn freeze(app: &App, workspace: &Workspace) -> Result<Self> {
        let frozen = Self { workspace: workspace.clone(), refused: Arc::default() };
        // Before it is asked for: an order whose answer is lost may have been carried out.
        frozen.thaw_when_undone(app);
        match app.backend.pause(workspace).await {
            Ok(()) => {}
            Err(error) if error.is_out_of_reach() => return Err(error),
            Err(error) => {
                frozen.refused.store(true, Ordering::Relaxed);
                if error.code() == ErrorCode::WorkspaceNotFound {
                    return Err(error);
                }
                let cause = error.causes().first().map(String::as_str).unwrap_or_default();
                let message =
                    format!("{} cannot be paused, and what changes in it from now on is lost: {cause}", workspace.name);
                app.progress.warn(warning("not_paused", message));
            }
        }
        Ok(frozen)
    }

    /// Lets it run again when the command fails.
    pub(super) fn thaw_when_undone(&self, app: &App) {
        let (backend, workspace, refused) = (app.backend.clone(), self.workspace.clone(), Arc::clone(&self.refused));
        app.undo.register(format!("{} is paused", workspace.name), move || async move {
            if refused.load(Ordering::Relaxed) { Ok(false) } else { backend.resume(&workspace).await }
        });
    }
}

/// Nothing is removed, for this reason.
pub(super) fn failed(app: &App, workspace: &str, why: &str) -> Error {
    Error::new(
        ErrorCode::RescueFailed,
        format!("not all work in {workspace} can be brought out, and nothing is removed"),
    )
    .cause(why)
    .detail("workspace", workspace)
    .hint(bring_it_out(app, workspace))
}

/// An error of packing, with what a person does instead.
fn advise(app: &App, error: Error, workspace: &str) -> Error {
    match error.code() {
        ErrorCode::RescueFailed => error.hint(bring_it_out(app, workspace)),
        _ => error,
    }
}

fn bring_it_out(app: &App, workspace: &str) -> String {
    format!("bring it out yourself, for example: {}", app.backend.bring_out(workspace))
}
