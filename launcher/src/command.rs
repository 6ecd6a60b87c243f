//! The verbs, one file each: `Args` as typed, `resolve` into a valid `Request`, `run` into a report.
//!
//! A command never names an engine's library, an environment variable's value or a stream, so each is tested with
//! values.

pub mod agent;
pub mod capabilities;
mod code_workspace;
pub mod complete;
pub mod completion;
pub mod config;
pub mod copy;
pub mod create;
pub mod describe;
pub mod doctor;
pub mod field;
pub mod image;
pub mod ls;
pub mod parse_repo;
pub mod prune;
pub mod rehome;
pub mod repair;
pub mod rm;
pub mod schema;
pub mod start;
pub mod stop;
pub mod tunnel;
pub mod vm;
pub mod vm_host;
pub mod workspace_grants;

use std::sync::Arc;
use std::time::Duration;

use agent_workspace_contract::{EnvVar, ErrorCode, Transport, WorkspaceRow, WorkspaceStatus};

use crate::backend::survey::Kind;
use crate::backend::{self, Backend, Purpose, View, WORK, Workspace};
use crate::error::{Error, Result};
use crate::guest::prepare;
use crate::host::{self, Host};
use crate::output::Progress;
use crate::phase::Phases;
use crate::undo::Undo;
use crate::workspace::{Prefix, WorkspaceName};

/// How long a view that did not open may hold up what goes on without it.
const DISCARD_LIMIT: Duration = Duration::from_secs(10);

/// What every command that touches something is given.
pub struct App {
    /// Where workspaces live.
    pub backend: Arc<dyn Backend>,
    /// What their names begin with.
    pub prefix: Prefix,
    /// Where progress is told.
    pub progress: Progress,
    /// What to take back when the command fails or is interrupted.
    pub undo: Undo,
    /// How far the command is, and how long each part of it may take.
    pub phases: Phases,
}

/// Flags of commands that name one workspace; the only ones of `start` and `stop`.
#[derive(clap::Args, Debug)]
pub struct Target {
    /// Name of the workspace, as given to create or as listed
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Where the workspace lives: docker, host or vm; by default where its name is found
    #[arg(long, value_name = "BACKEND")]
    pub backend: Option<String>,
}

impl Target {
    /// The names it may stand for, where workspaces live.
    ///
    /// # Errors
    /// `invalid_name`, `invalid_environment`, `unsupported`.
    pub fn resolve(self, host: &Host) -> Result<WorkspaceName> {
        let Self { name, backend } = self;
        backend::asked(backend.as_deref(), host)?;
        WorkspaceName::parse(&name, &prefix(host)?)
    }
}

impl App {
    /// The workspace a name stands for.
    ///
    /// # Errors
    /// `workspace_not_found`, `name_taken`, or the backend's own.
    pub async fn find(&self, name: &WorkspaceName) -> Result<Workspace> {
        self.backend.find(name).await?.ok_or_else(|| not_found(name))
    }

    /// Starts a workspace that does not run, and prepares one whose create was cut off before it did. Returns whether
    /// that changed anything.
    ///
    /// # Errors
    /// The backend's own, and those of preparing.
    pub async fn make_running(&self, workspace: &Workspace) -> Result<bool> {
        if workspace.status == WorkspaceStatus::Running {
            return Ok(false);
        }
        let changed = self.backend.start(workspace).await?;
        if workspace.status == WorkspaceStatus::Creating {
            self.prepare(workspace).await?;
        }
        Ok(changed)
    }

    /// Makes sure of the user and the folders of a workspace that runs. Costs nothing when its image has them.
    ///
    /// # Errors
    /// Those of preparing.
    pub async fn prepare(&self, workspace: &Workspace) -> Result<()> {
        if !self.needs_preparing(workspace) {
            return Ok(());
        }
        prepare::make_usable(&*self.backend.machine(workspace), workspace).await
    }

    /// Whether a workspace that runs may lack its user and folders.
    pub fn needs_preparing(&self, workspace: &Workspace) -> bool {
        workspace.made_by_us && prepare::is_needed(workspace)
    }

    /// Opens a view into a workspace that does not run. Whatever ends the command before it is closed takes it back.
    ///
    /// # Errors
    /// The backend's own.
    pub async fn view(&self, workspace: &Workspace, purpose: Purpose) -> Result<View> {
        self.view_of(&self.backend, workspace, purpose).await
    }

    /// The same into a workspace that may live elsewhere.
    ///
    /// # Errors
    /// The backend's own.
    pub async fn view_of(&self, backend: &Arc<dyn Backend>, workspace: &Workspace, purpose: Purpose) -> Result<View> {
        let id = self.view_id(backend, &workspace.name)?;
        let opened = backend.view(workspace, purpose, &id).await;
        or_discard(&**backend, &id, opened).await
    }

    /// The same onto volumes without a container; `None` when there is nothing local to look with.
    ///
    /// # Errors
    /// The backend's own.
    pub async fn view_volumes(
        &self,
        name: &WorkspaceName,
        volumes: &[String],
        purpose: Purpose,
    ) -> Result<Option<View>> {
        let id = self.view_id(&self.backend, name.canonical())?;
        let opened = self.backend.view_volumes(name, volumes, purpose, &id).await;
        or_discard(&*self.backend, &id, opened).await
    }

    /// The mark of a view that is about to be opened, which is discarded when the command fails.
    fn view_id(&self, backend: &Arc<dyn Backend>, name: &str) -> Result<String> {
        let id = host::fresh_id()?;
        let (backend, mark) = (Arc::clone(backend), id.clone());
        let what = match backend.unit() {
            Kind::Container => format!("the container that looked into {name}"),
            Kind::Volume | Kind::Folder => format!("the look into {name}"),
        };
        self.undo.register(what, move || async move { backend.discard(&mark).await });
        Ok(id)
    }

    /// A workspace as documents show it.
    pub fn row(&self, workspace: &Workspace) -> WorkspaceRow {
        row(workspace, self.backend.name(), &self.prefix)
    }

    /// How to get into a workspace, starting in its clone.
    pub fn transport(&self, workspace: &Workspace) -> Transport {
        self.transport_of(workspace, None, None)
    }

    /// How to get into a workspace as another user or in another folder than its own.
    pub fn transport_of(&self, workspace: &Workspace, user: Option<&str>, workdir: Option<&str>) -> Transport {
        let workdir = workdir.or(workspace.path.as_deref()).unwrap_or(WORK);
        let workdir = workspace.places.locate(workdir);
        self.backend.machine(workspace).transport(user.unwrap_or(&workspace.user), &workdir)
    }
}

/// A workspace of a backend as documents show it.
fn row(workspace: &Workspace, backend: &str, prefix: &Prefix) -> WorkspaceRow {
    WorkspaceRow {
        workspace: workspace.name.clone(),
        name: prefix.strip(&workspace.name).to_owned(),
        backend: backend.to_owned(),
        status: workspace.status,
        repo: workspace.repo.clone(),
        path: workspace.path.clone(),
        image: workspace.image.clone(),
        created_at: workspace.created_at.clone(),
        problems: workspace.problems.clone(),
    }
}

/// A view that did not open may be there all the same, and would keep volumes busy when the command goes on without.
async fn or_discard<T>(backend: &dyn Backend, id: &str, opened: Result<T>) -> Result<T> {
    if opened.is_err() {
        // What is still left then is for the undo to say.
        let _ = tokio::time::timeout(DISCARD_LIMIT, backend.discard(id)).await;
    }
    opened
}

/// The prefix of full names: `AGENT_WORKSPACE_PREFIX`, then its older name, then the built-in one.
///
/// # Errors
/// `invalid_environment` when what is set cannot be a prefix.
pub fn prefix(host: &Host) -> Result<Prefix> {
    let set = match host.var(EnvVar::WorkspacePrefix)? {
        Some(prefix) => Some(prefix),
        None => host.var(EnvVar::CodexWorkspacePrefix)?,
    };
    Prefix::parse(set.as_deref().unwrap_or(Prefix::DEFAULT))
}

fn not_found(name: &WorkspaceName) -> Error {
    Error::new(ErrorCode::WorkspaceNotFound, format!("workspace not found: {}", name.canonical()))
        .detail("workspace", name.canonical())
        .hint("see what there is: agent-workspace ls")
}
