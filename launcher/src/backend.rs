//! Where workspaces live. Commands know this trait; only `docker/` knows the engine.

pub mod docker;

use std::collections::BTreeMap;
use std::sync::Arc;

use agent_workspace_contract::{EnvVar, ErrorCode, FailedItem, KeptItem, Problem, RemovedItem, WorkspaceStatus};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::machine::Machine;
use crate::output::Progress;
use crate::workspace::{ImageRef, WorkspaceName};

/// The folder that holds a workspace's files.
pub const WORK: &str = "/work";
/// The home of a workspace's user, whoever that is.
pub const HOME: &str = "/home/agent";
/// What the agent image is built on when nothing else is asked for.
pub const DEFAULT_BASE: &str = "debian:bookworm-slim";
/// The user of a workspace whose image does not say otherwise.
pub const USER: &str = "agent";

/// What a new workspace is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Its full name.
    pub name: String,
    /// The mark of this call on everything it makes.
    pub create_id: String,
    /// What it runs.
    pub image: ImageRef,
    /// Whether the image may be pulled or built when it is absent.
    pub fetch: bool,
    /// Whether the image is the built-in default, which can be built when it cannot be pulled.
    pub default_image: bool,
    /// `owner/repo`.
    pub repo: Option<String>,
    /// The repository's host.
    pub repo_host: Option<String>,
    /// The clone, or the work folder.
    pub path: String,
    /// The user asked for.
    pub user: Option<String>,
    /// Billionths of a CPU.
    pub nano_cpus: Option<i64>,
    /// Bytes.
    pub memory: Option<i64>,
    /// The engine's network.
    pub network: Option<String>,
    /// Environment of the container.
    pub env: Vec<(String, String)>,
    /// Labels asked for.
    pub labels: Vec<(String, String)>,
}

/// What of a spec is written down with a workspace, to tell later what was asked for. Never values of variables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordedSpec {
    /// The image as asked for.
    pub image: String,
    /// The repository's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo_host: Option<String>,
    /// The clone, or the work folder.
    pub path: String,
    /// The user asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Billionths of a CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nano_cpus: Option<i64>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<i64>,
    /// The engine's network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Names of the variables given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Labels asked for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl From<&Spec> for RecordedSpec {
    fn from(spec: &Spec) -> Self {
        Self {
            image: spec.image.as_str().to_owned(),
            repo_host: spec.repo_host.clone(),
            path: spec.path.clone(),
            user: spec.user.clone(),
            nano_cpus: spec.nano_cpus,
            memory: spec.memory,
            network: spec.network.clone(),
            env: spec.env.iter().map(|(name, _)| name.clone()).collect(),
            labels: spec.labels.iter().cloned().collect(),
        }
    }
}

/// A workspace as its backend sees it now.
#[derive(Clone, Debug, PartialEq)]
pub struct Workspace {
    /// The backend's own id; what later calls act on.
    pub id: String,
    /// Full name.
    pub name: String,
    /// What state it is in.
    pub status: WorkspaceStatus,
    /// `owner/repo`.
    pub repo: Option<String>,
    /// The clone, or the work folder.
    pub path: Option<String>,
    /// What it runs.
    pub image: Option<String>,
    /// RFC 3339, UTC.
    pub created_at: Option<String>,
    /// Who commands run as.
    pub user: String,
    /// Whether the image is made for workspaces, so that nothing has to be prepared in it.
    pub ready_made: bool,
    /// Whether it carries the mark of workspaces; false for one of an old launcher that is known by its name alone.
    pub marked: bool,
    /// Whether it has no label at all, as containers of the oldest launchers have none.
    pub unlabelled: bool,
    /// The mark of the call that made it.
    pub create_id: Option<String>,
    /// Whether this launcher, in whichever version, made it, and so its user and folders.
    pub made_by_us: bool,
    /// Volumes of its own, by the names the launcher gives.
    pub volumes: Vec<String>,
    /// What was asked for when it was made.
    pub recorded: Option<RecordedSpec>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// What `create` found or made.
#[derive(Clone, Debug, PartialEq)]
pub struct Created {
    /// The workspace, running.
    pub workspace: Workspace,
    /// Whether this call made it.
    pub new: bool,
    /// Milliseconds by phase.
    pub timings: BTreeMap<String, u64>,
}

/// What `remove` did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Removal {
    /// What is gone.
    pub removed: Vec<RemovedItem>,
    /// What was asked to be kept.
    pub kept: Vec<KeptItem>,
    /// What could not be removed.
    pub failed: Vec<FailedItem>,
}

/// Says why removing destroys nothing that was not meant to go. `remove` cannot be called without saying it.
#[derive(Debug)]
pub struct Confirmed(());

impl Confirmed {
    /// The user said `--force`.
    pub fn by_force() -> Self {
        Self(())
    }

    /// Everything of the user's is on volumes that stay.
    pub fn by_keeping_it() -> Self {
        Self(())
    }

    /// Nothing unsaved was found.
    pub fn nothing_to_lose<T>(unsaved: &[T]) -> Option<Self> {
        unsaved.is_empty().then_some(Self(()))
    }
}

/// Where workspaces live.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The name in documents.
    fn name(&self) -> &'static str;

    /// Every workspace, newest first.
    async fn list(&self) -> Result<Vec<Workspace>>;

    /// The workspace a name stands for: canonical, then as an earlier launcher named it, then as typed.
    /// `None` when there is none; containers that are not workspaces are `name_taken`.
    async fn find(&self, name: &WorkspaceName) -> Result<Option<Workspace>>;

    /// Makes a workspace and starts it, or finds the one that has its name and leaves it as it is.
    async fn create(&self, spec: &Spec, progress: &Progress) -> Result<Created>;

    /// Makes it running. Returns whether that changed anything.
    async fn start(&self, workspace: &Workspace) -> Result<bool>;

    /// Makes it stopped, never starting it. Returns whether that changed anything.
    async fn stop(&self, workspace: &Workspace) -> Result<bool>;

    /// Removes it, and its volumes unless they are to be kept.
    async fn remove(&self, workspace: &Workspace, keep_volumes: bool, proof: Confirmed) -> Result<Removal>;

    /// Volumes that a workspace of one of these names has left behind without a container.
    async fn leftovers(&self, name: &WorkspaceName) -> Result<Vec<String>>;

    /// Removes volumes that `leftovers` found.
    async fn remove_leftovers(&self, volumes: &[String], proof: Confirmed) -> Result<Removal>;

    /// Removes everything that carries the mark of one call, and nothing else. Returns whether there was anything.
    async fn discard(&self, create_id: &str) -> Result<bool>;

    /// The place where a workspace's commands run.
    fn machine(&self, workspace: &Workspace) -> Arc<dyn Machine>;

    /// Builds the agent image; returns its id when the engine says it.
    async fn build_image(&self, tag: &ImageRef, base: &ImageRef, progress: &Progress) -> Result<Option<String>>;
}

/// The backends this launcher has, and the default first.
pub const BACKENDS: [&str; 1] = ["docker"];

/// Which backend to use: the flag, then the environment, then docker.
///
/// # Errors
/// `unsupported` for a backend this launcher does not have.
pub fn choose(flag: Option<&str>, host: &Host) -> Result<&'static str> {
    let asked = match flag {
        Some(flag) => Some(flag.to_owned()),
        None => host.var(EnvVar::Backend)?,
    };
    let Some(asked) = asked else { return Ok(BACKENDS[0]) };
    BACKENDS.into_iter().find(|name| *name == asked).ok_or_else(|| {
        Error::new(ErrorCode::Unsupported, format!("this launcher has no backend {asked:?}"))
            .hint(format!("use --backend {}", BACKENDS.join(" or ")))
    })
}
