//! `rm`: removes a workspace and its volumes, unless that would destroy work that exists nowhere else.

mod left;
mod rescue;

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use agent_workspace_contract::{ErrorCode, RescueReport, RmReport, WorkspaceStatus};
use serde_json::json;

use self::rescue::{Frozen, Rescue};
use crate::backend::{self, Confirmed, Purpose, Removal, View, Workspace};
use crate::command::code_workspace::File;
use crate::command::{App, Target, not_found};
use crate::error::{Error, Result, usage};
use crate::guest::unsaved_work::{self, Unsaved};
use crate::host::Host;
use crate::host::rescue_folder::RescueParent;
use crate::workspace::WorkspaceName;

/// Flags of `rm`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The workspace
    #[command(flatten)]
    pub target: Target,
    /// Keep the volumes, and with them every file
    #[arg(long, conflicts_with = "volumes")]
    keep_volumes: bool,
    /// Remove the volumes too, which is the default
    #[arg(long)]
    volumes: bool,
    /// Remove it even when work would be lost
    #[arg(long)]
    force: bool,
    /// First bring unsaved work into a folder here, and prove that it restores
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath, conflicts_with = "keep_volumes")]
    rescue: Option<PathBuf>,
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
    /// Where unsaved work is brought first, absolute.
    pub rescue: Option<PathBuf>,
    /// Whether absence is success.
    pub if_exists: bool,
}

impl AsRef<WorkspaceName> for Request {
    fn as_ref(&self) -> &WorkspaceName {
        &self.name
    }
}

impl Args {
    /// Checks everything that needs no engine.
    ///
    /// # Errors
    /// `invalid_name`, `invalid_environment`, `unsupported`, `usage`.
    pub fn resolve(self, host: &Host) -> Result<Request> {
        // `--volumes` says what happens anyway.
        let Self { target, keep_volumes, volumes: _, force, rescue, if_exists } = self;
        if rescue.as_ref().is_some_and(|folder| folder.as_os_str().is_empty()) {
            return Err(usage("--rescue needs a folder").hint("for example: --rescue rescued"));
        }
        let rescue = rescue.map(|folder| host.cwd().join(folder));
        Ok(Request { name: target.resolve(host)?, keep_volumes, force, rescue, if_exists })
    }
}

/// Removes it.
///
/// # Errors
/// `workspace_not_found`, `unsaved_work`, `rescue_failed`, `name_taken` for what is no workspace, `partial` when
/// something is left.
pub async fn run(app: &App, request: Request) -> Result<RmReport> {
    let into = request.rescue.as_deref().map(RescueParent::open).transpose()?;
    if let Some(into) = into.clone() {
        app.undo.register("the folder for the rescue", move || async move {
            into.leave();
            Ok(false)
        });
    }
    let result = remove(app, &request, into.as_ref()).await;
    if let Some(into) = into {
        into.leave();
    }
    result
}

async fn remove(app: &App, request: &Request, into: Option<&RescueParent>) -> Result<RmReport> {
    let Request { name, keep_volumes, force, .. } = request;
    let Some(workspace) = app.backend.find(name).await? else {
        return remove_leftovers(app, request, into).await;
    };
    let folders = if *keep_volumes { workspace.folders_outside() } else { workspace.folders() };
    let (Secured { proof, rescued }, frozen) = if *force && into.is_none() {
        (Confirmed::by_force().into(), None)
    } else if folders.is_empty() || workspace.is_half_removed() {
        (Confirmed::by_keeping_it().into(), None)
    } else {
        match secure(app, &workspace, &folders, *force, into).await {
            // Another rm was faster.
            Err(error) if error.code() == ErrorCode::ContainerVanished => match app.backend.find(name).await? {
                None => return remove_leftovers(app, request, into).await,
                Some(now) if now.is_half_removed() => (Confirmed::by_keeping_it().into(), None),
                // It was stopped, or a removal goes on for a command that was killed: what does not run is looked into
                // from beside.
                Some(now) if stopped_meanwhile(&workspace, &now) => secure(app, &now, &folders, *force, into).await?,
                Some(_) => return Err(error),
            },
            secured => secured?,
        }
    };
    if let Some(frozen) = frozen {
        // What was made to look is gone and forgotten, and this with it.
        frozen.thaw_when_undone(app);
    }
    app.progress.step("rm_started", &format!("removing workspace {}", workspace.name));
    let file = File::of(app, &workspace);
    let has_ended = (!*keep_volumes).then(|| left::say_when_undone(app, name, &workspace));
    let removal = app.backend.remove(&workspace, *keep_volumes, proof).await;
    if let Some(has_ended) = has_ended {
        has_ended.store(true, Ordering::Relaxed);
    }
    let removal = removal?;
    if let Some(file) = file.filter(|_| removal.failed.is_empty()) {
        file.take(&app.progress);
    }
    finish(workspace.name, removal, into, rescued)
}

/// Why nothing is lost, and where the work is that was brought out.
struct Secured {
    proof: Confirmed,
    rescued: Option<RescueReport>,
}

impl From<Confirmed> for Secured {
    fn from(proof: Confirmed) -> Self {
        Self { proof, rescued: None }
    }
}

/// Whether a workspace that ran is the same one and does not any more.
fn stopped_meanwhile(before: &Workspace, now: &Workspace) -> bool {
    before.id == now.id && before.status == WorkspaceStatus::Running && now.status == WorkspaceStatus::Stopped
}

/// Whether another rm has begun to remove it. Where a workspace has a user of its own, that ends every process of the
/// user, and so a look.
async fn is_going(app: &App, workspace: &Workspace) -> Result<bool> {
    if app.backend.machine(workspace).own_user().is_none() {
        return Ok(false);
    }
    Ok(app.backend.again(workspace).await?.is_none_or(|now| now.is_half_removed()))
}

/// The same of a workspace that is being removed.
fn going(error: Error) -> Error {
    Error::new(ErrorCode::ContainerVanished, "the workspace is being removed by another command").cause(error.message())
}

/// What it takes to remove without losing work: nothing unsaved is there, or it was brought out, or may be lost. And
/// what was frozen for it, which is to run again should the removal fail.
///
/// What runs is looked into from inside, and anything else from beside it, so that what is stopped or frozen stays so.
async fn secure(
    app: &App,
    workspace: &Workspace,
    folders: &[&str],
    force: bool,
    into: Option<&RescueParent>,
) -> Result<(Secured, Option<Frozen>)> {
    let name = &workspace.name;
    let (mut frozen, mut inside) = (None, Vec::new());
    if workspace.status == WorkspaceStatus::Running {
        let secrets = workspace.secrets.as_ref().map(|secrets| secrets.mount.as_str());
        let found = match unsaved_work::find_inside(&*app.backend.machine(workspace), folders, secrets).await {
            Err(error) if error.code() == ErrorCode::GuestFailed && into.is_none() => {
                let error = cannot_look(name, &error);
                return Err(if is_going(app, workspace).await? { going(error) } else { error });
            }
            Err(error) if error.code() == ErrorCode::GuestFailed => vec![unsaved_work::unchecked()],
            looked => looked?,
        };
        if found.is_empty() || into.is_none() {
            return Ok((conclude(app, name, &found)?, None));
        }
        frozen = Some(Frozen::freeze(app, workspace).await?);
        inside = found;
    }
    app.progress.step("check_started", &format!("looking into {name} from beside it"));
    match app.view(workspace, purpose(into)).await {
        Ok(view) => Ok((through(app, view, name, folders, inside, force, into).await?, frozen)),
        Err(error) if error.is_out_of_reach() || error.code() == ErrorCode::ContainerVanished => Err(error),
        Err(error) if into.is_some() => Err(cannot_rescue(app, name, &error)),
        Err(error) => Err(cannot_look(name, &error)),
    }
}

/// The same through a view, which is closed afterwards. What was found inside has to be brought out as well: not all of
/// it can be seen from beside.
async fn through(
    app: &App,
    view: View,
    workspace: &str,
    folders: &[&str],
    inside: Vec<Unsaved>,
    force: bool,
    into: Option<&RescueParent>,
) -> Result<Secured> {
    let mut looked = match unsaved_work::find(&*view.machine, folders).await {
        Err(error) if error.code() == ErrorCode::GuestFailed && into.is_some() => Ok(vec![unsaved_work::unchecked()]),
        looked => looked,
    };
    if let Ok(found) = &mut looked {
        found.extend(unsaved_work::not_among(inside, found));
    }
    let rescued = match (&looked, into) {
        (Ok(found), Some(into)) if !found.is_empty() => {
            Some(Rescue { workspace, folders, found, force, into }.run(app, &*view.machine).await)
        }
        _ => None,
    };
    view.close().await?;
    match (looked, rescued) {
        (_, Some(rescued)) => {
            let rescued = rescued?;
            match &rescued {
                Some(report) => app.undo.keep_rescued(report),
                None => app.undo.keep_everything(),
            }
            let proof = if force { Confirmed::by_force() } else { Confirmed::by_rescuing_it() };
            Ok(Secured { proof, rescued })
        }
        (Ok(found), None) => conclude(app, workspace, &found),
        (Err(error), None) if error.code() == ErrorCode::GuestFailed => Err(cannot_look(workspace, &error)),
        (Err(error), None) => Err(error),
    }
}

fn purpose(into: Option<&RescueParent>) -> Purpose {
    if into.is_some() { Purpose::Rescue } else { Purpose::Look }
}

/// Nothing was found, or it is refused.
fn conclude(app: &App, workspace: &str, found: &[Unsaved]) -> Result<Secured> {
    let proof = Confirmed::nothing_to_lose(found).ok_or_else(|| refuse(workspace, found))?;
    app.undo.keep_everything();
    Ok(proof.into())
}

fn refuse(workspace: &str, found: &[Unsaved]) -> Error {
    let list: Vec<_> =
        found.iter().map(|item| json!({ "kind": item.kind, "path": item.path, "count": item.count })).collect();
    let error =
        Error::new(ErrorCode::UnsavedWork, format!("workspace {workspace} holds work that exists nowhere else"))
            .detail("workspace", workspace)
            .detail("unsaved", list)
            .hint(format!(
                "push it from inside; or bring it here: agent-workspace rm --rescue DIR {workspace}; or destroy it: \
                 agent-workspace rm --force {workspace}"
            ));
    found.iter().fold(error, |error, item| error.cause(item.to_string()))
}

fn cannot_look(workspace: &str, why: &Error) -> Error {
    let error = Error::new(
        ErrorCode::UnsavedWork,
        format!("workspace {workspace} may hold unsaved work, and it cannot be looked into"),
    )
    .detail("workspace", workspace)
    .detail("unsaved", json!([{ "kind": "unchecked", "path": backend::WORK, "count": null }]))
    .hint(format!("destroy it all the same: agent-workspace rm --force {workspace}"));
    because(error, why)
}

fn cannot_rescue(app: &App, workspace: &str, why: &Error) -> Error {
    why.causes().iter().fold(rescue::failed(app, workspace, why.message()), |error, cause| error.cause(cause.clone()))
}

fn because(error: Error, why: &Error) -> Error {
    why.causes().iter().fold(error.cause(why.message()), |error, cause| error.cause(cause.clone()))
}

/// What is left of a workspace without a container: volumes that were kept, or that an engine failed to remove.
async fn remove_leftovers(app: &App, request: &Request, into: Option<&RescueParent>) -> Result<RmReport> {
    let Request { name, keep_volumes, force, if_exists, .. } = request;
    let workspace = name.canonical();
    let volumes = if *keep_volumes { Vec::new() } else { app.backend.leftovers(name).await? };
    if volumes.is_empty() {
        if *if_exists {
            return finish(workspace.to_owned(), Removal::default(), into, None);
        }
        return Err(not_found(name));
    }
    let Secured { proof, rescued } = if *force && into.is_none() {
        Confirmed::by_force().into()
    } else {
        secure_volumes(app, name, &volumes, *force, into).await?
    };
    let removal = app.backend.remove_leftovers(&volumes, proof).await?;
    let nothing_done = removal.removed.is_empty() && rescued.is_none();
    if nothing_done && !removal.failed.is_empty() && app.backend.find(name).await?.is_some() {
        // They are not left: a workspace of this name was being made with them.
        return Box::pin(remove(app, request, into)).await;
    }
    finish(workspace.to_owned(), removal, into, rescued)
}

/// What it takes to remove volumes without a container, where there is an image to look with.
async fn secure_volumes(
    app: &App,
    name: &WorkspaceName,
    volumes: &[String],
    force: bool,
    into: Option<&RescueParent>,
) -> Result<Secured> {
    let workspace = name.canonical();
    app.progress.step("check_started", &format!("looking into what is left of {workspace}"));
    let get_it_back = format!(
        "get it back: agent-workspace create --no-clone --name {workspace}; or bring it here: agent-workspace rm \
         --rescue DIR {workspace}; or destroy it: agent-workspace rm --force {workspace}"
    );
    let not_known = |why: Option<&Error>| {
        let message = format!("of workspace {workspace} only volumes are left, and what they hold is not known");
        if into.is_some() {
            let error = rescue::failed(app, workspace, &message).hint(get_it_back.clone());
            return why.map_or(error.clone(), |why| because(error, why));
        }
        let unchecked = |volume: &String| json!({ "kind": "unchecked", "path": volume, "count": null });
        let error = Error::new(ErrorCode::UnsavedWork, message)
            .detail("workspace", workspace)
            .detail("unsaved", volumes.iter().map(unchecked).collect::<Vec<_>>())
            .hint(get_it_back.clone());
        why.map_or(error.clone(), |why| because(error, why))
    };
    let view = match app.view_volumes(name, volumes, purpose(into)).await {
        Ok(Some(view)) => view,
        Ok(None) => return Err(not_known(None)),
        Err(error) if error.is_out_of_reach() => return Err(error),
        Err(error) => return Err(not_known(Some(&error))),
    };
    let places = view.machine.places();
    let through = through(app, view, workspace, &[&places.work, &places.home], Vec::new(), force, into).await;
    through.map_err(|error| if error.code() == ErrorCode::UnsavedWork { error.hint(get_it_back) } else { error })
}

/// The report of a removal.
fn finish(
    workspace: String,
    removal: Removal,
    into: Option<&RescueParent>,
    rescued: Option<RescueReport>,
) -> Result<RmReport> {
    let Removal { removed, kept, failed } = removal;
    if failed.is_empty() {
        let rescued = into.map(|_| rescued);
        return Ok(RmReport { workspace, changed: !removed.is_empty(), removed, kept, failed, rescued });
    }
    let error = Error::new(ErrorCode::Partial, format!("workspace {workspace} is not removed whole"))
        .detail("workspace", workspace.clone())
        .detail("removed", json!(removed))
        .detail("kept", json!(kept))
        .detail("failed", json!(failed))
        // Without --force: by then it may be another workspace of this name, with work that nobody has looked at.
        .hint(format!("mend the cause and run again: agent-workspace rm {workspace}"));
    Err(failed.iter().fold(error, |error, item| error.cause(format!("{} {}: {}", item.kind, item.id, item.message))))
}
