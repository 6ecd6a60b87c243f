//! Workspaces as folders of this machine, for one without an engine. Each is a folder in the state folder, with the
//! workspace's own folders in it and what is written down of it beside them.
//!
//! Where bubblewrap works, a workspace has walls: namespaces in which only its own folders can be written. A process holds
//! them, and a workspace runs while that lives.

mod folder;
mod holder;
mod machine;
mod make;
mod record;
mod sweep;
mod view;
mod walls;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use agent_workspace_contract::{EnvVar, ErrorCode, Isolation, Plan, PlannedVolume, Problem, WorkspaceStatus};
use async_trait::async_trait;

use self::folder::{Folder, word};
use self::holder::{Holder, end_strays};
use self::machine::HostMachine;
use self::make::gone;
pub(super) use self::record::exports;
use self::record::{Record, State, Walls};
use self::walls::Bubblewrap;
use crate::backend::examination::{Examined, MachineFacts};
use crate::backend::survey::{Cleared, Kind, Leaving, Sizes, Survey};
use crate::backend::{
    Backend, Confirmed, Created, HOME, HOST, Known, Mounted, Purpose, Removal, Spec, USER, View, WORK, Workspace,
};
use crate::error::{Error, Result};
use crate::host::{self, Host};
use crate::machine::{Machine, Places};
use crate::output::Progress;
use crate::phase::Phases;
use crate::undo::Outcome;
use crate::workspace::{ImageRef, Prefix, WorkspaceName};

/// Whether a name is that of a workspace in a state folder. Costs one look where there is none.
///
/// # Errors
/// `state_failed` when it cannot be looked into.
pub fn knows(state: &Path, name: &WorkspaceName) -> Result<Known> {
    let folder = Folder::new(&state.join("workspaces"), name.canonical());
    match std::fs::symlink_metadata(folder.path()) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Known::No),
        Err(error) => {
            let place = state.display();
            return Err(Error::new(ErrorCode::StateFailed, format!("the workspaces in {place} cannot be looked at"))
                .cause(error.to_string())
                .hint(format!("make it readable, or name another folder: {}=DIR", EnvVar::StateDir.name())));
        }
        Ok(_) => {}
    }
    Ok(match folder.read() {
        Ok(None) => Known::No,
        Ok(Some(record)) if record.state == State::Kept => Known::Kept,
        // What nobody can read is one all the same, and a row of `ls`.
        Ok(Some(_)) | Err(_) => Known::Workspace,
    })
}

/// The workspaces of one state folder.
#[derive(Clone, Debug)]
pub struct Folders {
    root: PathBuf,
    prefix: Prefix,
    host: Host,
    /// Looked for when somebody asks for it, which a list does not.
    bubblewrap: OnceLock<Bubblewrap>,
    /// The number of whoever calls, who is the user of a workspace without walls.
    caller: u32,
    /// What the caller's terminal is.
    terminal: Option<String>,
}

impl Folders {
    /// Those that the environment names. Nothing is made and nothing looked at.
    ///
    /// # Errors
    /// `invalid_environment` when no absolute path is set.
    pub fn open(host: &Host, prefix: Prefix) -> Result<Self> {
        Ok(Self {
            root: host.state_folder()?.join("workspaces"),
            prefix,
            host: host.clone(),
            bubblewrap: OnceLock::new(),
            caller: rustix::process::geteuid().as_raw(),
            terminal: host.named("TERM").ok().flatten(),
        })
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn bubblewrap(&self) -> &Bubblewrap {
        self.bubblewrap.get_or_init(|| Bubblewrap::at(self.host.program("bwrap")))
    }

    fn folder(&self, name: &str) -> Folder {
        Folder::new(&self.root, name)
    }

    /// Whether a folder of this name is a workspace's, of whichever prefix: ours are marked by beginning with a dot.
    fn covers(&self, name: &str) -> bool {
        self.prefix.covers(name)
    }

    /// Names of everything in the state folder; none when there is no such folder yet.
    fn entries(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.root).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Every folder of a workspace, with what is written down of it.
    fn records(&self) -> Vec<(Folder, Result<Option<Record>>)> {
        let names = self.entries().into_iter().filter(|name| !name.starts_with('.'));
        names.map(|name| self.folder(&name)).map(|folder| (folder.clone(), folder.read())).collect()
    }

    /// Where a workspace's folders are for what runs in it.
    fn places(&self, folder: &Folder, walls: Walls) -> Places {
        match walls {
            Walls::Process | Walls::Strict => Places::default(),
            Walls::None => {
                let text = |name: &str| folder.file(name).to_string_lossy().into_owned();
                Places { work: text("work"), home: text("home"), scratch: text("tmp") }
            }
        }
    }

    /// A workspace as it is now.
    fn workspace(&self, folder: &Folder, record: &Record) -> Workspace {
        let places = self.places(folder, record.walls);
        let status = match (record.state, Holder::find(folder)) {
            (State::Creating | State::Kept, _) => WorkspaceStatus::Creating,
            (State::Ready, Some(holder)) if holder.is_paused => WorkspaceStatus::Paused,
            (State::Ready, Some(holder)) if holder.is_whole => WorkspaceStatus::Running,
            (State::Ready, _) => WorkspaceStatus::Stopped,
        };
        let mut problems = Vec::new();
        if status == WorkspaceStatus::Creating {
            problems.push(Problem {
                code: "never_started".to_owned(),
                message: "it was made but never started: its create is at work or was cut off".to_owned(),
                hint: Some(format!("agent-workspace start {}", folder.name())),
            });
        }
        let name = folder.name().to_owned();
        let mounted = |at: &str| Mounted { volume: name.clone(), at: at.to_owned() };
        Workspace {
            id: name.clone(),
            status,
            repo: record.repo.clone(),
            path: Some(record.spec.path.clone()),
            image: None,
            created_at: Some(record.created_at.clone()),
            user: match record.walls {
                Walls::None => self.caller.to_string(),
                Walls::Process | Walls::Strict => USER.to_owned(),
            },
            ready_made: true,
            marked: true,
            unlabelled: false,
            create_id: Some(record.create_id.clone()),
            made_by_us: true,
            volumes: vec![name.clone()],
            mounts: vec![mounted(&places.work), mounted(&places.home)],
            image_id: None,
            recorded: Some(record.spec.clone()),
            isolation: record.walls.said(),
            secrets: record.spec.secrets.clone(),
            places,
            problems,
            name,
        }
    }

    /// A workspace of which nobody can read what was written down.
    fn broken(&self, folder: &Folder, error: &Error) -> Workspace {
        let name = folder.name().to_owned();
        Workspace {
            id: name.clone(),
            status: WorkspaceStatus::Broken,
            repo: None,
            path: None,
            image: None,
            created_at: None,
            user: USER.to_owned(),
            ready_made: true,
            marked: true,
            unlabelled: false,
            create_id: None,
            made_by_us: false,
            volumes: vec![name.clone()],
            mounts: vec![WORK, HOME]
                .into_iter()
                .map(|at| Mounted { volume: name.clone(), at: at.to_owned() })
                .collect(),
            image_id: None,
            recorded: None,
            isolation: Isolation::Unknown,
            secrets: None,
            places: Places::default(),
            problems: vec![Problem {
                code: "unreadable_record".to_owned(),
                message: error
                    .causes()
                    .first()
                    .map_or_else(|| error.message().to_owned(), |cause| format!("{}: {cause}", error.message())),
                hint: error.hint_text().map(str::to_owned),
            }],
            name,
        }
    }

    /// A folder as a workspace, if it is one.
    fn recognise(&self, folder: &Folder, record: Result<Option<Record>>) -> Option<Workspace> {
        match record {
            Ok(Some(record)) if record.state == State::Kept => None,
            Ok(Some(record)) => Some(self.workspace(folder, &record)),
            // A create that was cut off before it could write anything down, or has just begun.
            Ok(None) => None,
            Err(error) => Some(self.broken(folder, &error)),
        }
    }
}

#[async_trait]
impl Backend for Folders {
    fn name(&self) -> &'static str {
        HOST
    }

    fn check_shared(&self, folder: &Path) -> Result<()> {
        // Whoever may write there could write into other workspaces.
        if folder.starts_with(&self.root) || self.root.starts_with(folder) {
            return Err(Error::new(
                ErrorCode::InvalidSecrets,
                format!("--secrets-dir {}: workspaces are there", folder.display()),
            )
            .detail("dir", folder.display().to_string())
            .hint("give a folder that holds secrets alone: --secrets-dir ~/.config/codex_secrets"));
        }
        Ok(())
    }

    fn unit(&self) -> Kind {
        Kind::Folder
    }

    fn image(&self, _: &Spec) -> String {
        String::new()
    }

    fn walls(&self, spec: &Spec) -> Isolation {
        self.expected(spec)
    }

    fn bring_out(&self, workspace: &str) -> String {
        format!("cp -a {} .", word(&self.folder(workspace).file("work")))
    }

    async fn list(&self) -> Result<Vec<Workspace>> {
        let records = self.records().into_iter();
        let mut workspaces: Vec<_> = records.filter_map(|(folder, record)| self.recognise(&folder, record)).collect();
        workspaces.sort_by(|a, b| b.created_at.cmp(&a.created_at));
        Ok(workspaces)
    }

    fn plan(&self, spec: &Spec) -> Plan {
        let volume = |name: &str, mount: &str| PlannedVolume {
            id: self.folder(&spec.name).file(name).to_string_lossy().into_owned(),
            mount: mount.to_owned(),
        };
        Plan {
            container: serde_json::Map::new(),
            volumes: vec![volume("work", WORK), volume("home", HOME)],
            networks: vec![if self.expected(spec) == Isolation::Strict { "none" } else { "host" }.to_owned()],
            steps: Vec::new(),
            timeout_ms: None,
        }
    }

    async fn find(&self, name: &WorkspaceName) -> Result<Option<Workspace>> {
        let folder = self.folder(name.canonical());
        let record = folder.read();
        Ok(self.recognise(&folder, record))
    }

    async fn create(&self, spec: &Spec, progress: &Progress, phases: &Phases) -> Result<Created> {
        self.make(spec, progress, phases).await
    }

    async fn start(&self, workspace: &Workspace) -> Result<bool> {
        self.make_running(&self.folder(&workspace.name)).await
    }

    async fn stop(&self, workspace: &Workspace) -> Result<bool> {
        let folder = self.folder(&workspace.name);
        let Some(_lock) = folder.lock().await? else { return Err(gone(&folder)) };
        match Holder::find(&folder) {
            Some(holder) => holder.stop(&folder, true).await.map(|()| true),
            None => {
                // Its holder may have been killed by somebody, and what it held go on.
                if let Some(record) = folder.read()? {
                    end_strays(&record.create_id).await;
                }
                Ok(false)
            }
        }
    }

    async fn pause(&self, workspace: &Workspace) -> Result<()> {
        let folder = self.folder(&workspace.name);
        let Some(_lock) = folder.lock().await? else { return Err(gone(&folder)) };
        if let Some(holder) = Holder::find(&folder) {
            holder.pause();
        }
        Ok(())
    }

    async fn resume(&self, workspace: &Workspace) -> Result<bool> {
        let folder = self.folder(&workspace.name);
        let Some(_lock) = folder.lock().await? else { return Ok(false) };
        match Holder::find(&folder).filter(|holder| holder.is_paused) {
            Some(holder) => {
                holder.resume();
                Ok(true)
            }
            None => Ok(false),
        }
    }

    async fn remove(&self, workspace: &Workspace, keep_volumes: bool, _: Confirmed) -> Result<Removal> {
        self.take_away(workspace, keep_volumes).await
    }

    async fn leftovers(&self, name: &WorkspaceName) -> Result<Vec<String>> {
        let folder = self.folder(name.canonical());
        let is_kept = folder.read()?.is_some_and(|record| record.state == State::Kept);
        Ok(is_kept.then(|| folder.name().to_owned()).into_iter().collect())
    }

    async fn remove_leftovers(&self, volumes: &[String], _: Confirmed) -> Result<Removal> {
        self.take_kept(volumes).await
    }

    async fn view(&self, workspace: &Workspace, _: Purpose, view_id: &str) -> Result<View> {
        self.open_view(&self.folder(&workspace.name), view_id).await
    }

    async fn view_volumes(
        &self,
        name: &WorkspaceName,
        _: &[String],
        _: Purpose,
        view_id: &str,
    ) -> Result<Option<View>> {
        self.open_view(&self.folder(name.canonical()), view_id).await.map(Some)
    }

    async fn discard(&self, create_id: &str) -> Result<Outcome> {
        self.undo(create_id).await
    }

    async fn made_by(&self, create_id: &str) -> Result<Option<String>> {
        let made = |(folder, record): (Folder, Result<Option<Record>>)| {
            let record = record.ok().flatten()?;
            (record.create_id == create_id).then(|| folder.name().to_owned())
        };
        Ok(self.records().into_iter().find_map(made))
    }

    async fn examine(&self, _: &ImageRef) -> Examined {
        // The nearest folder that is there: it is made with the first workspace.
        let there = self.root.ancestors().find(|folder| folder.is_dir());
        let writable = there.is_some_and(|folder| {
            rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
        });
        let place = self.root.display().to_string();
        let unusable = (!writable).then(|| {
            Error::new(ErrorCode::InvalidEnvironment, format!("workspaces cannot be made in {place}"))
                .hint("export AGENT_WORKSPACE_STATE_DIR=/a/folder/of/yours")
        });
        Examined::Machine(MachineFacts {
            place,
            unusable,
            walls: self.bubblewrap().about().await,
            free: there.and_then(host::free_space),
            survey: Ok(self.look_around()),
        })
    }

    async fn survey(&self) -> Result<Survey> {
        Ok(self.look_around())
    }

    async fn volumes_made_by(&self, _: &str) -> Result<Vec<Leaving>> {
        // They are part of the folder.
        Ok(Vec::new())
    }

    async fn sizes(&self, of: &Survey) -> Result<Sizes> {
        self.weigh(of).await
    }

    async fn holds(&self, workspace: &Workspace, path: &str) -> Result<bool> {
        let folder = self.folder(&workspace.name);
        let on_disk = Places {
            work: folder.file("work").to_string_lossy().into_owned(),
            home: folder.file("home").to_string_lossy().into_owned(),
            scratch: String::new(),
        };
        Ok(std::fs::symlink_metadata(on_disk.locate(path)).is_ok())
    }

    async fn again(&self, workspace: &Workspace) -> Result<Option<Workspace>> {
        let folder = self.folder(&workspace.name);
        let record = folder.read()?.filter(|record| Some(&record.create_id) == workspace.create_id.as_ref());
        Ok(self.recognise(&folder, Ok(record)))
    }

    async fn clear(&self, leaving: &Leaving, _: &Confirmed) -> Result<Cleared> {
        self.clear_away(leaving).await
    }

    fn machine(&self, workspace: &Workspace) -> Arc<dyn Machine> {
        Arc::new(HostMachine {
            folder: self.folder(&workspace.name),
            places: workspace.places.clone(),
            terminal: self.terminal.clone(),
        })
    }

    async fn build_image(&self, _: &ImageRef, _: &ImageRef, _: &Progress) -> Result<Option<String>> {
        Err(Error::new(ErrorCode::Unsupported, "workspaces of this machine have no image")
            .hint("agent-workspace image build --backend docker"))
    }
}
