//! `prune`: removes what nothing uses: what a killed create or look has left, and volumes without a container. Never a
//! workspace that was finished, never what is not ours, never work that exists nowhere else.

use std::collections::BTreeMap;
use std::time::Duration;

use agent_workspace_contract::{LeftKept, LeftRemoved, LeftUnremoved, PruneReport, WorkspaceStatus};
use futures_util::StreamExt;

use crate::backend::survey::{self, Cleared, Leaving, Reason, Sizes};
use crate::backend::{self, Confirmed, Purpose, View, Workspace};
use crate::command::App;
use crate::error::{Error, Result};
use crate::guest::{finished, joined, unsaved_work};
use crate::host::{self, Host};
use crate::machine::Machine;
use crate::workspace::{WorkspaceName, resources};

/// How many workspaces are asked at once whether they were finished.
const AT_ONCE: usize = 8;

/// Flags of `prune`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Change nothing; say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Leave alone what is younger (90s, 5m, 2h, 7d; 0 for any age); by default 1h
    #[arg(long, value_name = "AGE")]
    older_than: Option<String>,
    /// Remove also what holds unsaved work or cannot be looked into; never what is at work
    #[arg(long)]
    force: bool,
    /// Where workspaces live: docker, host or vm
    #[arg(long, value_name = "BACKEND")]
    pub backend: Option<String>,
}

/// What may be removed.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Whether nothing is to be changed.
    pub dry_run: bool,
    /// How old it must be.
    pub age: Duration,
    /// Whether unsaved work may be lost.
    pub force: bool,
}

impl Args {
    /// Checks everything that needs no engine.
    ///
    /// # Errors
    /// `usage`, `unsupported`.
    pub fn resolve(self, host: &Host) -> Result<Request> {
        let Self { dry_run, older_than, force, backend } = self;
        backend::choose(backend.as_deref(), host)?;
        let age = older_than.map_or(Ok(survey::DEFAULT_AGE), |text| resources::age(&text))?;
        Ok(Request { dry_run, age, force })
    }
}

/// Looks for what nothing uses and removes it.
///
/// # Errors
/// The backend's own, when it cannot even be asked what there is. What cannot be removed is in the report.
pub async fn run(app: &App, request: Request) -> Result<PruneReport> {
    let now = host::now().as_second();
    let survey = app.backend.survey().await?;
    let half_made = half_made(app, survey.to_finish, now, request.age).await?;
    let sizes = if survey.leavings.is_empty() && half_made.is_empty() {
        Sizes::new()
    } else {
        app.backend.sizes().await.unwrap_or_else(|error| {
            app.progress.note(&format!("what things take is not known: {error}"));
            Sizes::new()
        })
    };
    let mut pruning = Pruning {
        app,
        force: request.force,
        sizes,
        report: PruneReport { unfinished: survey.unfinished, ..empty_report(request.dry_run) },
        lost: None,
        first_failure: None,
    };
    let is_due = |leaving: &Leaving| survey::is_due(leaving.made_at, now, request.age);
    let mut leavings = survey.leavings;
    let viewers: Vec<_> =
        leavings.extract_if(.., |leaving| leaving.reason == Reason::Viewer && is_due(leaving)).collect();
    let looked_through = !viewers.is_empty() && !request.dry_run;
    for viewer in viewers {
        pruning.container(viewer).await;
    }
    if looked_through {
        // What they have looked into is free now.
        match app.backend.survey().await {
            Ok(survey) => {
                leavings = survey.leavings;
                leavings.retain(|leaving| leaving.reason != Reason::Viewer || !is_due(leaving));
            }
            // What is gone by now is not to be forgotten, nor what was known before.
            Err(error) => pruning.unfinished(&error),
        }
    }
    let (due, young): (Vec<_>, Vec<_>) = leavings.into_iter().partition(is_due);
    for leaving in young {
        let why = match leaving.made_at {
            Some(_) => "it is younger than asked for, and a command may be at work on it",
            None => "nobody knows how old it is; --older-than 0 takes it all the same",
        };
        pruning.keep(&leaving, why);
    }
    let (containers, volumes): (Vec<_>, Vec<_>) = due.into_iter().partition(|leaving| !leaving.is_storage());
    let mut volumes_of: BTreeMap<String, Vec<Leaving>> = BTreeMap::new();
    for volume in volumes {
        volumes_of.entry(volume.workspace.clone()).or_default().push(volume);
    }
    for container in containers {
        let workspace = container.workspace.clone();
        let made = pruning.container(container).await;
        volumes_of.entry(workspace).or_default().extend(made);
    }
    for workspace in half_made {
        pruning.half_made(&workspace).await;
    }
    for (workspace, volumes) in volumes_of {
        pruning.volumes(&workspace, volumes).await;
    }
    app.undo.keep_everything();
    match pruning.first_failure {
        // It did not get as far as doing a part.
        Some(error) if pruning.report.removed.is_empty() && pruning.report.kept.is_empty() => Err(error),
        _ => Ok(pruning.report),
    }
}

fn empty_report(dry_run: bool) -> PruneReport {
    PruneReport {
        dry_run,
        removed: Vec::new(),
        kept: Vec::new(),
        failed: Vec::new(),
        unfinished: None,
        reclaimed_bytes: 0,
    }
}

/// Those of the workspaces that their create was to finish and did not. Nothing is run inside to know.
async fn half_made(app: &App, candidates: Vec<Workspace>, now: i64, age: Duration) -> Result<Vec<Workspace>> {
    let due = candidates.into_iter().filter(|workspace| survey::is_due(made_at(workspace), now, age));
    let asked = due.map(async |workspace| Ok::<_, Error>((was_finished(app, &workspace).await?, workspace)));
    let answers: Vec<_> = futures_util::stream::iter(asked).buffered(AT_ONCE).collect().await;
    let answers = answers.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(answers.into_iter().filter(|(finished, _)| !finished).map(|(_, workspace)| workspace).collect())
}

/// Whether a workspace has the mark that its create came to its end, or the clone that only a whole one leaves. One
/// that cannot be asked counts as finished.
async fn was_finished(app: &App, workspace: &Workspace) -> Result<bool> {
    let clone = workspace.path.as_ref().map(|path| format!("{path}/.git"));
    for path in
        workspace.create_id.as_deref().map(|id| finished::mark(&workspace.places.home, id)).into_iter().chain(clone)
    {
        match app.backend.holds(workspace, &path).await {
            Ok(false) => {}
            Err(error) if error.is_out_of_reach() => return Err(error),
            Ok(true) | Err(_) => return Ok(true),
        }
    }
    Ok(false)
}

fn made_at(workspace: &Workspace) -> Option<i64> {
    let time = workspace.created_at.as_ref()?.parse::<jiff::Timestamp>().ok()?;
    Some(time.as_second())
}

const WOULD_LOOK: &str = "it would be looked into, and removed if it holds no work that exists nowhere else";
const WOULD_ASK: &str =
    "it would be asked what runs in it and who counts on it, and removed if nothing and nobody does";

/// Whether things may go, or why they are kept.
type Verdict = std::result::Result<Confirmed, String>;

struct Pruning<'a> {
    app: &'a App,
    force: bool,
    sizes: Sizes,
    report: PruneReport,
    /// Why the backend is not asked for anything more.
    lost: Option<Error>,
    /// Why the first thing could not be removed or looked for.
    first_failure: Option<Error>,
}

impl Pruning<'_> {
    /// Removes a container that holds nothing. Returns the volumes that were made with it.
    async fn container(&mut self, leaving: Leaving) -> Vec<Leaving> {
        let made = match leaving.reason {
            Reason::NeverStarted => self.made_with(&leaving).await,
            _ => Ok(Vec::new()),
        };
        match made {
            Ok(made) if self.clear(&leaving, &Confirmed::nothing_inside()).await => made,
            Ok(_) => Vec::new(),
            Err(error) => {
                self.fail(&leaving, &error);
                Vec::new()
            }
        }
    }

    /// Volumes that the call which made a container has made with it.
    async fn made_with(&self, container: &Leaving) -> Result<Vec<Leaving>> {
        self.is_there()?;
        let Some(create_id) = &container.create_id else { return Ok(Vec::new()) };
        let volumes = self.app.backend.volumes_made_by(create_id).await?;
        let of_it = volumes.into_iter().filter(|volume| volume.workspace == container.workspace);
        Ok(of_it.map(|volume| Leaving { reason: container.reason, ..volume }).collect())
    }

    /// Removes a workspace whose create was cut off after the start, when nobody has made anything of it.
    async fn half_made(&mut self, workspace: &Workspace) {
        let container = Leaving {
            kind: self.app.backend.unit(),
            id: workspace.id.clone(),
            name: workspace.name.clone(),
            workspace: workspace.name.clone(),
            made_at: made_at(workspace),
            create_id: workspace.create_id.clone(),
            reason: Reason::HalfMade,
        };
        let volumes = match self.made_with(&container).await {
            Ok(volumes) => volumes,
            Err(error) => return self.fail(&container, &error),
        };
        // Volumes that were there before are not this create's, and stay for the next look.
        let mounted = volumes.into_iter().filter(|volume| workspace.volumes.contains(&volume.name));
        let all: Vec<_> = std::iter::once(container).chain(mounted).collect();
        let verdict = match (self.report.dry_run, workspace.status) {
            (true, WorkspaceStatus::Running) if self.force => Ok(Some(Err(WOULD_ASK.to_owned()))),
            (true, _) => Ok(Some(self.unlooked())),
            (false, _) => self.judge(workspace).await,
        };
        self.carry_out(&all, verdict).await;
    }

    /// Removes volumes of a workspace that no container mounts, when nothing would be lost with them.
    async fn volumes(&mut self, workspace: &str, volumes: Vec<Leaving>) {
        let (volumes, unmarked): (Vec<_>, Vec<_>) =
            volumes.into_iter().partition(|volume| self.force || volume.create_id.is_some());
        for volume in unmarked {
            self.keep(&volume, "only its name says that it is ours; --force takes it all the same");
        }
        let verdict = if volumes.is_empty() || self.force || self.report.dry_run {
            Ok(Some(self.unlooked()))
        } else {
            self.judge_volumes(workspace, &volumes).await.map(Some)
        };
        self.carry_out(&volumes, verdict).await;
    }

    /// What is decided without looking.
    fn unlooked(&self) -> Verdict {
        if self.force { Ok(Confirmed::by_force()) } else { Err(WOULD_LOOK.to_owned()) }
    }

    /// Removes or keeps all of them, the first one first: when it stays, so do the others. No verdict means that they
    /// are gone.
    async fn carry_out(&mut self, all: &[Leaving], verdict: Result<Option<Verdict>>) {
        match verdict {
            Ok(Some(Ok(proof))) => {
                let mut is_free = true;
                for leaving in all {
                    let is_container = !leaving.is_storage();
                    if is_free {
                        let is_gone = self.clear(leaving, &proof).await;
                        is_free = is_gone || !is_container;
                    } else {
                        self.keep(leaving, "its container is still there");
                    }
                }
            }
            Ok(Some(Err(why))) => all.iter().for_each(|leaving| self.keep(leaving, &why)),
            Ok(None) => {}
            Err(error) if error.is_out_of_reach() => {
                all.iter().for_each(|leaving| self.fail(leaving, &error));
            }
            Err(error) => {
                let why = format!("it cannot be looked into: {}", in_words(&error));
                all.iter().for_each(|leaving| self.keep(leaving, &why));
            }
        }
    }

    /// Whether a half-made workspace may go. `None` when it is gone. Force is for what may be lost with it, and not
    /// against those who are at work in it.
    async fn judge(&self, workspace: &Workspace) -> Result<Option<Verdict>> {
        let changed = || Ok(Some(Err("its state has changed meanwhile".to_owned())));
        let Some(there) = self.app.backend.again(workspace).await? else { return Ok(None) };
        if there.status != workspace.status {
            return changed();
        }
        let machine = self.app.backend.machine(&there);
        let runs = there.status == WorkspaceStatus::Running;
        if runs && let Some(program) = self.at_work(&*machine).await? {
            return Ok(Some(Err(format!("{program} runs in it"))));
        }
        let proof = match self.look_through(&there).await? {
            Ok(proof) => proof,
            Err(why) => return Ok(Some(Err(why))),
        };
        // Its create may have come to its end meanwhile, and somebody may have begun to use it.
        if was_finished(self.app, &there).await? {
            return Ok(Some(Err("it has been finished meanwhile".to_owned())));
        }
        if runs && joined::abandon(&*machine).await {
            return Ok(Some(Err("another create has come back to it".to_owned())));
        }
        match self.app.backend.again(&there).await? {
            Some(now) if now.status != there.status => changed(),
            again => Ok(again.map(|_| Ok(proof))),
        }
    }

    /// What runs in a workspace. Force goes on where that cannot be told, as nothing could be said of such a one ever.
    async fn at_work(&self, machine: &dyn Machine) -> Result<Option<String>> {
        match finished::at_work(machine).await {
            Err(error) if self.force && !error.is_out_of_reach() => Ok(None),
            answer => answer,
        }
    }

    /// Whether anybody's work would be lost with a half-made workspace.
    async fn look_through(&self, workspace: &Workspace) -> Result<Verdict> {
        if self.force {
            return Ok(Ok(Confirmed::by_force()));
        }
        let view = self.app.view(workspace, Purpose::Look).await?;
        // A clone of somebody's own may be all there, and saved, and still be why the workspace is there.
        let file = finished::first_file(&*view.machine).await;
        let looked = look(view, &workspace.folders()).await?;
        Ok(match (looked, file?) {
            (Ok(_), Some(file)) => Err(format!("somebody has put something there: {file}")),
            (looked, _) => looked,
        })
    }

    /// Whether volumes may go.
    async fn judge_volumes(&self, workspace: &str, volumes: &[Leaving]) -> Result<Verdict> {
        self.is_there()?;
        let name = WorkspaceName::parse(workspace, &self.app.prefix)?;
        let names: Vec<String> = volumes.iter().map(|volume| volume.id.clone()).collect();
        match self.app.view_volumes(&name, &names, Purpose::Look).await? {
            Some(view) => {
                let places = view.machine.places();
                look(view, &[&places.work, &places.home]).await
            }
            None => Ok(Err("there is no agent image to look into it with: agent-workspace image build".to_owned())),
        }
    }

    /// Removes a leaving, or only says so. Returns whether it is gone, or would be.
    async fn clear(&mut self, leaving: &Leaving, proof: &Confirmed) -> bool {
        if self.report.dry_run {
            self.removed(leaving);
            return true;
        }
        let cleared = match self.is_there() {
            Ok(()) => self.app.backend.clear(leaving, proof).await,
            Err(lost) => Err(lost),
        };
        match cleared {
            Ok(Cleared::Removed) => self.removed(leaving),
            Ok(Cleared::Gone) => {}
            Ok(Cleared::InUse(why)) => {
                self.keep(leaving, &why);
                return false;
            }
            Err(error) => {
                self.fail(leaving, &error);
                return false;
            }
        }
        true
    }

    fn bytes(&self, leaving: &Leaving) -> Option<u64> {
        self.sizes.get(&(leaving.kind, leaving.name.clone())).copied()
    }

    fn removed(&mut self, leaving: &Leaving) {
        let bytes = self.bytes(leaving);
        self.report.reclaimed_bytes = self.report.reclaimed_bytes.saturating_add(bytes.unwrap_or(0));
        self.report.removed.push(LeftRemoved {
            kind: leaving.kind.as_str().to_owned(),
            id: leaving.name.clone(),
            workspace: leaving.workspace.clone(),
            bytes,
            reason: leaving.reason.as_str().to_owned(),
        });
    }

    fn keep(&mut self, leaving: &Leaving, why: &str) {
        self.report.kept.push(LeftKept {
            kind: leaving.kind.as_str().to_owned(),
            id: leaving.name.clone(),
            workspace: leaving.workspace.clone(),
            bytes: self.bytes(leaving),
            reason: leaving.reason.as_str().to_owned(),
            why: why.to_owned(),
        });
    }

    /// A leaving could not be removed. A backend that is not there any more is not asked again.
    fn fail(&mut self, leaving: &Leaving, error: &Error) {
        self.lose(error);
        self.report.failed.push(LeftUnremoved {
            kind: leaving.kind.as_str().to_owned(),
            id: leaving.name.clone(),
            workspace: leaving.workspace.clone(),
            bytes: self.bytes(leaving),
            reason: leaving.reason.as_str().to_owned(),
            message: in_words(error),
        });
    }

    /// Not everything could be looked for.
    fn unfinished(&mut self, error: &Error) {
        self.lose(error);
        self.report.unfinished = Some(in_words(error));
    }

    fn lose(&mut self, error: &Error) {
        self.first_failure.get_or_insert_with(|| error.clone());
        if error.is_out_of_reach() {
            self.lost.get_or_insert_with(|| error.clone());
        }
    }

    /// Whether the backend may still be asked.
    fn is_there(&self) -> Result<()> {
        self.lost.clone().map_or(Ok(()), Err)
    }
}

/// An error with what lies right behind it.
fn in_words(error: &Error) -> String {
    let cause = error.causes().first().map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

/// Looks for unsaved work through a view, and closes it.
async fn look(view: View, folders: &[&str]) -> Result<Verdict> {
    let found = unsaved_work::find(&*view.machine, folders).await;
    view.close().await?;
    let found = found?;
    Ok(Confirmed::nothing_to_lose(&found).ok_or_else(|| {
        let items: Vec<String> = found.iter().map(ToString::to_string).collect();
        format!("it holds work that exists nowhere else: {}", items.join("; "))
    }))
}
