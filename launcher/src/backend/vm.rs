//! Workspaces as folders of Debian VMs, each with a user of its own there. What there is to be is remembered here; what
//! there is, the VMs are asked, all at once and each once a command.

mod link;
mod machine;
mod make;
mod mend;
mod scripts;
mod sweep;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use agent_workspace_contract::{ErrorCode, Isolation, Plan, PlannedVolume, Problem, WorkspaceStatus};
use async_trait::async_trait;
use futures_util::future::join_all;

use self::link::Link;
use self::machine::VmMachine;
use self::make::{Making, vanished};
use self::scripts::{Folder, LOOK, Looked, RUN, Seen};
use crate::backend::examination::Examined;
use crate::backend::survey::{Cleared, Kind, Leaving, Sizes, Survey};
use crate::backend::{
    Backend, Confirmed, Created, HALF_REMOVED, HOME, Mounted, Moved, Purpose, Removal, Repaired, Spec, VM, View, WORK,
    Workspace,
};
use crate::error::{Error, Result};
use crate::guest::reported;
use crate::guest::vm::WORKSPACES;
use crate::host::Host;
use crate::machine::{Machine, Places, Secret};
use crate::output::Progress;
use crate::phase::Phases;
use crate::ssh;
use crate::store::{Store, VmRecord, WorkspaceRecord, WorkspaceState};
use crate::undo::Outcome;
use crate::workspace::{ImageRef, Prefix, WorkspaceName};

/// The workspaces of the VMs that are remembered.
pub struct Vms {
    store: Store,
    host: Host,
    /// What connects, read off the host when the first VM is asked: whoever has none does not wait for that.
    client: OnceLock<ssh::Client>,
    prefix: Prefix,
    /// The VMs that this command has to do with.
    links: Mutex<HashMap<String, Arc<Link>>>,
    /// What this command makes, by its mark.
    makings: Mutex<HashMap<String, Making>>,
    /// The looks that are open, by their mark.
    views: Mutex<HashMap<String, VmMachine>>,
}

/// Where a workspace's folders are.
fn places(folder: &str) -> Places {
    Places { work: format!("{folder}/work"), home: format!("{folder}/home"), scratch: format!("{folder}/tmp") }
}

impl Vms {
    /// Those of this process' user. Nothing is opened and nobody asked.
    ///
    /// # Errors
    /// `invalid_environment`.
    pub fn open(host: &Host, prefix: Prefix) -> Result<Self> {
        Ok(Self {
            store: Store::of(host)?,
            host: host.clone(),
            client: OnceLock::new(),
            prefix,
            links: Mutex::default(),
            makings: Mutex::default(),
            views: Mutex::default(),
        })
    }

    // A panic in between leaves each of them whole.
    fn makings(&self) -> MutexGuard<'_, HashMap<String, Making>> {
        self.makings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn views(&self) -> MutexGuard<'_, HashMap<String, VmMachine>> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every workspace that is remembered, newest first.
    fn rows(&self) -> Result<Vec<WorkspaceRecord>> {
        self.store.read()?.map_or(Ok(Vec::new()), |records| records.workspaces())
    }

    fn row(&self, name: &str) -> Result<Option<WorkspaceRecord>> {
        self.store.read()?.map_or(Ok(None), |records| records.workspace(name))
    }

    /// The row of a workspace, if it is still that of the same call.
    fn row_of(&self, workspace: &Workspace) -> Result<Option<WorkspaceRecord>> {
        let row = self.row(&workspace.name)?;
        Ok(row.filter(|row| Some(&row.create_id) == workspace.create_id.as_ref()))
    }

    fn vms(&self) -> Result<Vec<VmRecord>> {
        self.store.read()?.map_or(Ok(Vec::new()), |records| records.vms())
    }

    /// The mark of what this state has made.
    fn owner(&self) -> Result<String> {
        self.store.write()?.owner()
    }

    fn client(&self) -> Result<&ssh::Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = ssh::Client::of_vms(&self.host)?;
        Ok(self.client.get_or_init(|| client))
    }

    /// A VM, by its one connection.
    fn link(&self, vm: &str) -> Result<Arc<Link>> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = links.get(vm) {
            return Ok(Arc::clone(link));
        }
        let record = self.store.read()?.map_or(Ok(None), |records| records.vm(vm))?.ok_or_else(|| no_vm(vm))?;
        let link = Arc::new(Link::new(record, self.client()?.clone()));
        links.insert(vm.to_owned(), Arc::clone(&link));
        Ok(link)
    }

    /// The inside of a workspace.
    fn inside(&self, link: &Arc<Link>, row: &WorkspaceRecord) -> Arc<dyn Machine> {
        Arc::new(inside(link, &row.folder, &row.linux_user))
    }

    /// How workspaces of one VM are, and what else there is when that is asked for.
    async fn look(&self, link: &Link, rows: &[WorkspaceRecord], everything: bool) -> Result<Looked> {
        let line =
            |row: &WorkspaceRecord| format!("{}\t{}\t{}\t{}\n", row.name, row.create_id, row.linux_user, row.folder);
        let lines: String = rows.iter().map(line).collect();
        let args = [WORKSPACES, if everything { "yes" } else { "no" }];
        let said = link.looking(link.say(LOOK, &args, Some(Secret::new(lines)), "look at the workspaces")).await?;
        Ok(scripts::looked(&said))
    }

    /// Workspaces as they are, every VM asked at the same time and each once. One that does not answer hides nothing.
    async fn look_at_all(&self, rows: Vec<WorkspaceRecord>) -> Vec<Workspace> {
        let mut by_vm: BTreeMap<&str, Vec<WorkspaceRecord>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.state == WorkspaceState::Ready) {
            by_vm.entry(&row.vm).or_default().push(row.clone());
        }
        let asked = by_vm.into_iter().map(async |(vm, rows)| {
            let looked = match self.link(vm) {
                Ok(link) => self.look(&link, &rows, false).await,
                Err(error) => Err(error),
            };
            (vm, looked)
        });
        let answers: HashMap<&str, Result<Looked>> = join_all(asked).await.into_iter().collect();
        let seen = |row: &WorkspaceRecord| match answers.get(row.vm.as_str()) {
            Some(Ok(looked)) => Ok(looked.seen.iter().find(|seen| seen.name == row.name)),
            Some(Err(error)) => Err(error),
            None => Ok(None),
        };
        rows.iter().map(|row| self.workspace(row, seen(row))).collect()
    }

    /// One workspace as it is.
    async fn look_at(&self, row: WorkspaceRecord) -> Result<Workspace> {
        let name = row.name.clone();
        self.look_at_all(vec![row]).await.pop().ok_or_else(|| vanished(&name))
    }

    /// A workspace that was made a moment ago.
    fn made(&self, row: &WorkspaceRecord) -> Workspace {
        let seen = Seen { name: row.name.clone(), folder: Folder::There, frozen: false };
        self.workspace(row, Ok(Some(&seen)))
    }

    /// A workspace, from what is remembered and what its VM has said, if it has.
    fn workspace(&self, row: &WorkspaceRecord, seen: Result<Option<&Seen>, &Error>) -> Workspace {
        let places = places(&row.folder);
        let (status, problem) = self.status(row, seen);
        let mounted = |at: &str| Mounted { volume: row.name.clone(), at: at.to_owned() };
        Workspace {
            id: format!("{}/{}", row.vm, row.name),
            name: row.name.clone(),
            status,
            repo: row.repo.clone(),
            path: row.spec.as_ref().map(|spec| spec.path.clone()),
            image: None,
            created_at: Some(row.created_at.clone()),
            user: row.linux_user.clone(),
            ready_made: true,
            marked: true,
            unlabelled: false,
            create_id: Some(row.create_id.clone()),
            made_by_us: true,
            volumes: vec![row.name.clone()],
            mounts: vec![mounted(&places.work), mounted(&places.home)],
            image_id: None,
            recorded: row.spec.clone(),
            isolation: Isolation::User,
            secrets: None,
            places,
            problems: problem.into_iter().collect(),
        }
    }

    /// What state it is in, and what is wrong with that.
    fn status(&self, row: &WorkspaceRecord, seen: Result<Option<&Seen>, &Error>) -> (WorkspaceStatus, Option<Problem>) {
        let WorkspaceRecord { name, vm, .. } = row;
        let problem = |code: &str, message: String, hint: String| {
            Some(Problem { code: code.to_owned(), message, hint: Some(hint) })
        };
        let rm = format!("agent-workspace rm {name}");
        match (row.state, seen) {
            (WorkspaceState::Creating, _) if self.store.is_claimed_workspace(name) => (WorkspaceStatus::Creating, None),
            (WorkspaceState::Creating, _) => (
                WorkspaceStatus::Creating,
                problem("cut_off", format!("its create on VM {vm} was cut off"), format!("create it again, or: {rm}")),
            ),
            (WorkspaceState::Removing | WorkspaceState::Kept, _) => (
                WorkspaceStatus::Broken,
                problem(HALF_REMOVED, format!("its removal from VM {vm} did not come to its end"), rm),
            ),
            (WorkspaceState::Unknown, _) => (WorkspaceStatus::Unknown, None),
            (WorkspaceState::Ready, Err(error)) => {
                let cause = error.causes().first().map(|cause| format!(": {cause}")).unwrap_or_default();
                let code = error.code().as_str().to_owned();
                let hint = error.hint_text().map(str::to_owned);
                let status = if error.code() == ErrorCode::GuestFailed {
                    WorkspaceStatus::Unknown
                } else {
                    WorkspaceStatus::Unreachable
                };
                (status, Some(Problem { code, message: format!("{error}{cause}"), hint }))
            }
            (WorkspaceState::Ready, Ok(None)) => (WorkspaceStatus::Unknown, None),
            (WorkspaceState::Ready, Ok(Some(Seen { folder, frozen, .. }))) => match folder {
                Folder::There if row.stopped => (WorkspaceStatus::Stopped, None),
                Folder::There if *frozen => (WorkspaceStatus::Paused, None),
                Folder::There => (WorkspaceStatus::Running, None),
                Folder::Missing => {
                    let message = format!("its folder {} on VM {vm} is gone", row.folder);
                    (WorkspaceStatus::Missing, problem("folder_missing", message, rm))
                }
                Folder::Broken => {
                    let message = format!("its user or the record in {} on VM {vm} is gone", row.folder);
                    (WorkspaceStatus::Broken, problem("broken", message, format!("agent-workspace repair {name}")))
                }
                Folder::Other => {
                    let message = format!("{} on VM {vm} is another workspace's", row.folder);
                    (WorkspaceStatus::Broken, problem("not_ours", message, rm))
                }
            },
        }
    }

    /// Has what runs in a workspace ended, frozen or thawed. Returns whether anything did.
    async fn signal(&self, row: &WorkspaceRecord, what: &str, doing: &str) -> Result<bool> {
        let link = self.link(&row.vm)?;
        let said = link.say(RUN, &[&row.linux_user, what, &row.folder, &row.create_id], None, doing).await?;
        Ok(reported(&said, "changed") == Some("yes"))
    }
}

fn inside(link: &Arc<Link>, folder: &str, user: &str) -> VmMachine {
    VmMachine {
        link: Arc::clone(link),
        user: user.to_owned(),
        environment: format!("{folder}/environment"),
        places: places(folder),
    }
}

fn no_vm(name: &str) -> Error {
    Error::new(ErrorCode::VmNotFound, format!("VM not found: {name}"))
        .detail("vm", name)
        .hint("see what there is: agent-workspace vm list")
}

#[async_trait]
impl Backend for Vms {
    fn name(&self) -> &'static str {
        VM
    }

    fn check_shared(&self, folder: &Path) -> Result<()> {
        Err(Error::new(ErrorCode::Unsupported, format!("{} is on this machine, and a VM is another", folder.display()))
            .detail("flag", "--secrets-dir")
            .hint("leave --secrets-dir out, or use --backend docker"))
    }

    fn unit(&self) -> Kind {
        Kind::Folder
    }

    fn image(&self, _: &Spec) -> String {
        String::new()
    }

    fn walls(&self, _: &Spec) -> Isolation {
        Isolation::User
    }

    fn bring_out(&self, workspace: &str) -> String {
        let way = self.row(workspace).ok().flatten().and_then(|row| Some((self.link(&row.vm).ok()?, row)));
        match way {
            Some((link, row)) => {
                let host = link.target().map_or_else(|_| link.vm.host.clone(), |target| target.pasted());
                format!("ssh {host} sudo -n tar -C {} -cf - . | tar -xf -", ssh::join(&[places(&row.folder).work]))
            }
            None => format!("agent-workspace describe {workspace}"),
        }
    }

    fn ssh_alias(&self, workspace: &Workspace) -> Option<String> {
        let row = self.row(&workspace.name).ok().flatten()?;
        Some(self.client().ok()?.alias(&row.vm))
    }

    async fn list(&self) -> Result<Vec<Workspace>> {
        let mut rows = self.rows()?;
        rows.retain(|row| row.state != WorkspaceState::Kept);
        Ok(self.look_at_all(rows).await)
    }

    fn plan(&self, spec: &Spec) -> Plan {
        let places = places(&format!("{WORKSPACES}/{}", spec.name));
        let volume = |id: String, mount: &str| PlannedVolume { id, mount: mount.to_owned() };
        Plan {
            container: serde_json::Map::new(),
            volumes: vec![volume(places.work, WORK), volume(places.home, HOME)],
            networks: vec!["host".to_owned()],
            steps: Vec::new(),
            timeout_ms: None,
        }
    }

    async fn find(&self, name: &WorkspaceName) -> Result<Option<Workspace>> {
        match self.row(name.canonical())?.filter(|row| row.state != WorkspaceState::Kept) {
            Some(row) => self.look_at(row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn create(&self, spec: &Spec, progress: &Progress, phases: &Phases) -> Result<Created> {
        self.make(spec, progress, phases).await
    }

    async fn start(&self, workspace: &Workspace) -> Result<bool> {
        let row = self.row_of(workspace)?.ok_or_else(|| vanished(&workspace.name))?;
        if row.state != WorkspaceState::Ready || matches!(workspace.status, WorkspaceStatus::Missing) {
            let why = workspace.problems.first();
            let message = why.map_or("it is being made or removed", |problem| problem.message.as_str());
            return Err(Error::new(
                ErrorCode::WrongState,
                format!("workspace {} cannot be started: {message}", row.name),
            )
            .detail("workspace", row.name.clone())
            .hint(why.and_then(|problem| problem.hint.clone()).unwrap_or_else(|| "try again in a moment".to_owned())));
        }
        let thawed = self.signal(&row, "CONT", "let the workspace go on").await?;
        let started = self.store.write()?.set_workspace_stopped(&row.name, &row.create_id, false)?;
        Ok(thawed || started)
    }

    async fn stop(&self, workspace: &Workspace) -> Result<bool> {
        let row = self.row_of(workspace)?.ok_or_else(|| vanished(&workspace.name))?;
        let ended = self.signal(&row, "end", "end what runs in the workspace").await?;
        let stopped = self.store.write()?.set_workspace_stopped(&row.name, &row.create_id, true)?;
        Ok(ended || stopped)
    }

    async fn pause(&self, workspace: &Workspace) -> Result<()> {
        let row = self.row_of(workspace)?.ok_or_else(|| vanished(&workspace.name))?;
        self.signal(&row, "STOP", "freeze what runs in the workspace").await.map(drop)
    }

    async fn resume(&self, workspace: &Workspace) -> Result<bool> {
        match self.row_of(workspace)? {
            Some(row) => self.signal(&row, "CONT", "let the workspace go on").await,
            None => Ok(false),
        }
    }

    async fn remove(&self, workspace: &Workspace, keep_volumes: bool, _: Confirmed) -> Result<Removal> {
        self.take_away(workspace, keep_volumes).await
    }

    async fn leftovers(&self, name: &WorkspaceName) -> Result<Vec<String>> {
        let row = self.row(name.canonical())?.filter(|row| row.state == WorkspaceState::Kept);
        Ok(row.map(|row| row.name).into_iter().collect())
    }

    async fn remove_leftovers(&self, volumes: &[String], _: Confirmed) -> Result<Removal> {
        self.take_kept(volumes).await
    }

    async fn view(&self, workspace: &Workspace, _: Purpose, view_id: &str) -> Result<View> {
        let row = self.row_of(workspace)?.ok_or_else(|| vanished(&workspace.name))?;
        self.open_view(&row.vm, &row.folder, &row.linux_user, view_id).await
    }

    async fn view_volumes(
        &self,
        name: &WorkspaceName,
        volumes: &[String],
        _: Purpose,
        view_id: &str,
    ) -> Result<Option<View>> {
        let (vm, folder, user) = self.storage(name.canonical(), volumes).await?;
        self.open_view(&vm, &folder, &user, view_id).await.map(Some)
    }

    async fn discard(&self, create_id: &str) -> Result<Outcome> {
        self.undo(create_id).await
    }

    async fn made_by(&self, create_id: &str) -> Result<Option<String>> {
        Ok(self.rows()?.into_iter().find(|row| row.create_id == create_id).map(|row| row.name))
    }

    async fn examine(&self, _: &ImageRef) -> Examined {
        Examined::Vms(self.examine_vms().await)
    }

    async fn survey(&self) -> Result<Survey> {
        self.look_around().await
    }

    async fn volumes_made_by(&self, _: &str) -> Result<Vec<Leaving>> {
        // They are part of the folder.
        Ok(Vec::new())
    }

    async fn sizes(&self, of: &Survey) -> Result<Sizes> {
        self.weigh(of).await
    }

    async fn holds(&self, workspace: &Workspace, path: &str) -> Result<bool> {
        let row = self.row_of(workspace)?.ok_or_else(|| vanished(&workspace.name))?;
        let script = "if test -e \"$1\" || test -L \"$1\"; then echo holds=yes; fi; echo end";
        let said = self.link(&row.vm)?.say(script, &[path], None, "see what is in the workspace").await?;
        Ok(reported(&said, "holds") == Some("yes"))
    }

    async fn again(&self, workspace: &Workspace) -> Result<Option<Workspace>> {
        match self.row_of(workspace)?.filter(|row| row.state != WorkspaceState::Kept) {
            Some(row) => self.look_at(row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn clear(&self, leaving: &Leaving, _: &Confirmed) -> Result<Cleared> {
        self.clear_away(leaving).await
    }

    async fn repair(&self, workspace: &Workspace) -> Result<Repaired> {
        self.mend(workspace).await
    }

    async fn rehome(&self, workspace: &Workspace, target: &str) -> Result<Moved> {
        self.move_to(workspace, target).await
    }

    async fn end_rehome(&self, workspace: &Workspace, target: &str) -> Result<Outcome> {
        let from = workspace.places.work.strip_suffix("/work").unwrap_or_default();
        self.end_move(workspace, from, target).await
    }

    fn machine(&self, workspace: &Workspace) -> Arc<dyn Machine> {
        let vm = workspace.id.split_once('/').map_or(workspace.id.as_str(), |(vm, _)| vm);
        let folder = workspace.places.work.strip_suffix("/work").unwrap_or_default();
        match self.link(vm) {
            Ok(link) => Arc::new(inside(&link, folder, &workspace.user)),
            Err(error) => Arc::new(machine::Lost { error, places: workspace.places.clone() }),
        }
    }

    async fn build_image(&self, _: &ImageRef, _: &ImageRef, _: &Progress) -> Result<Option<String>> {
        Err(Error::new(ErrorCode::Unsupported, "workspaces on VMs have no image")
            .hint("agent-workspace image build --backend docker"))
    }
}
