//! `rm`: removes a workspace and its volumes, unless that would destroy work that exists nowhere else.

use agent_workspace_contract::{ErrorCode, RmReport, WorkspaceStatus};
use serde_json::json;

use crate::backend::{self, Confirmed, Removal, Workspace};
use crate::command::{App, Target, not_found};
use crate::error::{Error, Result};
use crate::guest::unsaved_work::{self, Unsaved};
use crate::host::Host;
use crate::workspace::WorkspaceName;

/// Flags of `rm`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The workspace
    #[command(flatten)]
    target: Target,
    /// Keep the volumes, and with them every file
    #[arg(long, conflicts_with = "volumes")]
    keep_volumes: bool,
    /// Remove the volumes too, which is the default
    #[arg(long)]
    volumes: bool,
    /// Remove it even when work would be lost
    #[arg(long)]
    force: bool,
    /// Succeed when there is no such workspace
    #[arg(long)]
    if_exists: bool,
}

/// What is to be removed, and what may be lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The workspace.
    pub name: WorkspaceName,
    /// Whether the volumes stay.
    pub keep_volumes: bool,
    /// Whether unsaved work may be lost.
    pub force: bool,
    /// Whether absence is success.
    pub if_exists: bool,
}

impl Args {
    /// Checks everything that needs no engine.
    ///
    /// # Errors
    /// `invalid_name`, `invalid_environment`, `unsupported`.
    pub fn resolve(self, host: &Host) -> Result<Request> {
        // `--volumes` says what happens anyway.
        let Self { target, keep_volumes, volumes: _, force, if_exists } = self;
        Ok(Request { name: target.resolve(host)?, keep_volumes, force, if_exists })
    }
}

/// Removes it.
///
/// # Errors
/// `workspace_not_found`, `unsaved_work`, `name_taken` for what is no workspace, `partial` when something is left.
pub async fn run(app: &App, request: Request) -> Result<RmReport> {
    let Request { name, keep_volumes, force, if_exists } = request;
    let Some(workspace) = app.backend.find(&name).await? else {
        return remove_leftovers(app, &name, keep_volumes, force, if_exists).await;
    };
    let kept_whole = keep_volumes && !workspace.path.as_deref().is_some_and(unsaved_work::is_elsewhere);
    let proof = if force {
        Confirmed::by_force()
    } else if kept_whole {
        Confirmed::by_keeping_it()
    } else {
        match prove_nothing_is_lost(app, &workspace, keep_volumes).await {
            // Another rm was faster.
            Err(error) if error.code() == ErrorCode::ContainerVanished && app.backend.find(&name).await?.is_none() => {
                return remove_leftovers(app, &name, keep_volumes, force, if_exists).await;
            }
            proof => proof?,
        }
    };
    app.progress.step("rm_started", &format!("removing workspace {}", workspace.name));
    let removal = app.backend.remove(&workspace, keep_volumes, proof).await?;
    report(workspace.name, removal)
}

/// Looks for unsaved work. A stopped workspace has to run for that, and is stopped again when it stays.
async fn prove_nothing_is_lost(app: &App, workspace: &Workspace, volumes_kept: bool) -> Result<Confirmed> {
    if workspace.status == WorkspaceStatus::Paused {
        // Looking would thaw it, and what runs in it was frozen on purpose.
        let why = Error::new(
            ErrorCode::WrongState,
            format!("it is paused; thaw it first: agent-workspace start {}", workspace.name),
        );
        return Err(cannot_look(workspace, &why));
    }
    if workspace.status != WorkspaceStatus::Running {
        app.progress.step("check_started", &format!("starting {} to look for unsaved work", workspace.name));
        if let Err(error) = app.make_running(workspace).await {
            return Err(cannot_look(workspace, &error));
        }
        let (backend, again) =
            (app.backend.clone(), Workspace { status: WorkspaceStatus::Running, ..workspace.clone() });
        app.undo.register(format!("{} was started to look into it", workspace.name), move || async move {
            backend.stop(&again).await
        });
    }
    let found =
        match unsaved_work::find(&*app.backend.machine(workspace), volumes_kept, workspace.path.as_deref()).await {
            Ok(found) => found,
            Err(error) if error.code() == ErrorCode::GuestFailed => return Err(cannot_look(workspace, &error)),
            Err(error) => return Err(error),
        };
    let proof = Confirmed::nothing_to_lose(&found).ok_or_else(|| refuse(workspace, &found))?;
    app.undo.keep_everything();
    Ok(proof)
}

fn refuse(workspace: &Workspace, found: &[Unsaved]) -> Error {
    let list: Vec<_> =
        found.iter().map(|item| json!({ "kind": item.kind, "path": item.path, "count": item.count })).collect();
    let error =
        Error::new(ErrorCode::UnsavedWork, format!("workspace {} holds work that exists nowhere else", workspace.name))
            .detail("workspace", workspace.name.clone())
            .detail("unsaved", list)
            .hint(format!("push it from inside, or destroy it: agent-workspace rm --force {}", workspace.name));
    found.iter().fold(error, |error, item| error.cause(item.to_string()))
}

fn cannot_look(workspace: &Workspace, why: &Error) -> Error {
    let error = Error::new(
        ErrorCode::UnsavedWork,
        format!("workspace {} may hold unsaved work, and it cannot be looked into", workspace.name),
    )
    .detail("workspace", workspace.name.clone())
    .detail("unsaved", json!([{ "kind": "unchecked", "path": backend::WORK, "count": null }]))
    .cause(why.message())
    .hint(format!("destroy it all the same: agent-workspace rm --force {}", workspace.name));
    why.causes().iter().fold(error, |error, cause| error.cause(cause.clone()))
}

/// What is left of a workspace without a container: volumes that were kept, or that an engine failed to remove.
async fn remove_leftovers(
    app: &App,
    name: &WorkspaceName,
    keep: bool,
    force: bool,
    if_exists: bool,
) -> Result<RmReport> {
    let volumes = if keep { Vec::new() } else { app.backend.leftovers(name).await? };
    if volumes.is_empty() {
        if if_exists {
            return report(name.canonical().to_owned(), Removal::default());
        }
        return Err(not_found(name));
    }
    if !force {
        return Err(Error::new(ErrorCode::UnsavedWork, format!("of workspace {} only volumes are left, and what they hold is not known", name.canonical()))
            .detail("workspace", name.canonical())
            .detail("unsaved", volumes.iter().map(|volume| json!({ "kind": "unchecked", "path": volume, "count": null })).collect::<Vec<_>>())
            .hint(format!(
                "get them back: agent-workspace create --no-clone --name {0}; or destroy them: agent-workspace rm --force {0}",
                name.canonical()
            )));
    }
    let removal = app.backend.remove_leftovers(&volumes, Confirmed::by_force()).await?;
    report(name.canonical().to_owned(), removal)
}

fn report(workspace: String, removal: Removal) -> Result<RmReport> {
    let Removal { removed, kept, failed } = removal;
    if failed.is_empty() {
        return Ok(RmReport { workspace, changed: !removed.is_empty(), removed, kept, failed });
    }
    let error = Error::new(ErrorCode::Partial, format!("workspace {workspace} is not removed whole"))
        .detail("workspace", workspace.clone())
        .detail("removed", json!(removed))
        .detail("kept", json!(kept))
        .detail("failed", json!(failed))
        .hint(format!("mend the cause and run again: agent-workspace rm --force {workspace}"));
    Err(failed.iter().fold(error, |error, item| error.cause(format!("{} {}: {}", item.kind, item.id, item.message))))
}
