//! Where workspaces live. Commands know this trait; only `docker/` knows the engine.

pub mod docker;
pub mod examination;
pub mod host;
mod locate;
pub mod survey;
pub mod vm;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use agent_workspace_contract::{
    EnvVar, ErrorCode, FailedItem, Isolation as Walls, KeptItem, Plan, Problem, RemovedItem, VmStep, WorkspaceStatus,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use self::examination::Examined;
pub use self::locate::{Known, Located, check_free, everywhere, locate};
use self::survey::{Cleared, Kind, Leaving, Sizes, Survey};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::machine::{Machine, Places};
use crate::output::Progress;
use crate::phase::Phases;
use crate::undo::Outcome;
use crate::workspace::{ImageRef, Isolation, Prefix, WorkspaceName};

/// The folder that holds a workspace's files.
pub const WORK: &str = "/work";
/// The home of a workspace's user, whoever that is.
pub const HOME: &str = "/home/agent";
/// The variable that tells what runs inside where its secrets are, as the first launcher set it.
pub const SECRET_DIR: &str = "CODEX_SECRET_DIR";
/// What the agent image is built on when nothing else is asked for.
pub const DEFAULT_BASE: &str = "debian:bookworm-slim";
/// The user of a workspace whose image does not say otherwise.
pub const USER: &str = "agent";

/// What a new workspace is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Its full name.
    pub name: String,
    /// The VM it is to be on, where one was named.
    pub vm: Option<String>,
    /// The VM that the configuration has for those that name none.
    pub default_vm: Option<String>,
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
    /// How high its walls are.
    pub isolation: Isolation,
    /// Whether nobody asked for them.
    pub default_isolation: bool,
    /// Environment of the container.
    pub env: Vec<(String, String)>,
    /// Labels asked for.
    pub labels: Vec<(String, String)>,
    /// Secrets of the host to mount.
    pub secrets: Option<Secrets>,
    /// Whether it was said that there are to be none.
    pub no_secrets: bool,
    /// Whether its create clones into it after the start.
    pub clones: bool,
    /// The folder of the file by which VS Code opens it, absolute.
    pub code_workspace: Option<String>,
    /// Whether nobody has typed that folder.
    pub default_code_workspace: bool,
}

/// A folder of secrets of the host, as a workspace has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Secrets {
    /// The folder on the host, absolute and without links.
    pub dir: String,
    /// Where it is inside.
    pub mount: String,
    /// Whether the workspace cannot change it.
    pub readonly: bool,
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
    /// How high its walls are; absent for those made before that could be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// Names of the variables given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Labels asked for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Secrets of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Secrets>,
    /// Whether its create was to clone into it after the start, and to say inside when it had.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub clones: bool,
    /// The folder of the file by which VS Code opens it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_workspace: Option<String>,
    /// What that file opens until somebody has brought it up to the last move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_before: Option<String>,
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
            isolation: Some(spec.isolation),
            env: spec.env.iter().map(|(name, _)| name.clone()).collect(),
            labels: spec.labels.iter().cloned().collect(),
            secrets: spec.secrets.clone(),
            clones: spec.clones,
            code_workspace: spec.code_workspace.clone(),
            path_before: None,
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
    /// The same and what its image has brought below the work folder and the home, and where each is inside.
    pub mounts: Vec<Mounted>,
    /// The backend's own id of what it runs, which holds also when the name means something else by now.
    pub image_id: Option<String>,
    /// What was asked for when it was made.
    pub recorded: Option<RecordedSpec>,
    /// How high its walls really are; not known from a list.
    pub isolation: Walls,
    /// Secrets that are really mounted.
    pub secrets: Option<Secrets>,
    /// Where its folders are for what runs in it.
    pub places: Places,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// The problem of a workspace whose removal was decided and did not come to its end.
pub const HALF_REMOVED: &str = "half_removed";

impl Workspace {
    /// Whether a removal of it, which was found to destroy nothing that was not meant to go, was cut off.
    pub fn is_half_removed(&self) -> bool {
        self.problems.iter().any(|problem| problem.code == HALF_REMOVED)
    }

    /// The folders that hold its user's work: the work folder, the home, and the clone where that is in neither.
    pub fn folders(&self) -> Vec<&str> {
        let own = [self.places.work.as_str(), self.places.home.as_str()];
        let elsewhere = self.path.as_deref().filter(|path| !own.iter().any(|folder| is_under(path, folder)));
        own.into_iter().chain(elsewhere).collect()
    }

    /// Those of them that are on none of its volumes, so that they go with the container.
    pub fn folders_outside(&self) -> Vec<&str> {
        let is_outside = |folder: &&str| !self.mounts.iter().any(|mounted| is_under(folder, &mounted.at));
        self.folders().into_iter().filter(is_outside).collect()
    }
}

/// Whether a path is neither in the work folder nor in the home.
pub fn is_elsewhere(path: &str) -> bool {
    ![WORK, HOME].iter().any(|folder| is_under(path, folder))
}

fn is_under(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A volume, and where it is inside a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// Its name.
    pub volume: String,
    /// The folder.
    pub at: String,
}

/// What a view is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Looking for a minute.
    Look,
    /// Looking, and then bringing work out, which takes time and room of its own.
    Rescue,
}

type Closing = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send>;

/// A short-lived look into a workspace or volumes, whether or not anything runs there. Nothing of them can be changed
/// from it.
pub struct View {
    /// Where what looks is run.
    pub machine: Arc<dyn Machine>,
    close: Closing,
}

impl View {
    /// A view that is closed in this way.
    pub fn new<F>(machine: Arc<dyn Machine>, close: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        Self { machine, close: Box::new(move || Box::pin(close())) }
    }

    /// Ends it and leaves nothing of it.
    ///
    /// # Errors
    /// The backend's own; then `Backend::discard` takes back what is left.
    pub async fn close(self) -> Result<()> {
        (self.close)().await
    }
}

/// What `create` found or made.
#[derive(Clone, Debug, PartialEq)]
pub struct Created {
    /// The workspace, running.
    pub workspace: Workspace,
    /// Whether this call made it.
    pub new: bool,
}

/// What `remove` did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Removal {
    /// What is gone.
    pub removed: Vec<RemovedItem>,
    /// What stays: it was asked to be kept, or nobody has looked into it.
    pub kept: Vec<KeptItem>,
    /// What could not be removed.
    pub failed: Vec<FailedItem>,
}

/// What `repair` found and did.
#[derive(Clone, Debug, PartialEq)]
pub struct Repaired {
    /// What was proved, in its order, and whether it had to be restored.
    pub steps: Vec<VmStep>,
    /// Whether nothing was left to restore, and nothing is there any more.
    pub gone: bool,
}

/// Where a workspace was and is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The folder it was in.
    pub from: String,
    /// The folder it is in.
    pub to: String,
    /// Whether they are two.
    pub changed: bool,
}

/// Says why removing destroys nothing that was not meant to go. `remove` cannot be called without saying it.
#[derive(Debug)]
pub struct Confirmed {
    forced: bool,
}

impl Confirmed {
    /// The user said `--force`.
    pub fn by_force() -> Self {
        Self { forced: true }
    }

    /// Everything of the user's is on volumes that stay.
    pub fn by_keeping_it() -> Self {
        Self { forced: false }
    }

    /// What was found was brought out, and that is proved.
    pub fn by_rescuing_it() -> Self {
        Self { forced: false }
    }

    /// Whether everything may go, also what nobody has looked at.
    pub fn is_forced(&self) -> bool {
        self.forced
    }

    /// Nobody could write into it: it was never started, or could only read.
    pub fn nothing_inside() -> Self {
        Self { forced: false }
    }

    /// Nothing unsaved was found.
    pub fn nothing_to_lose<T>(unsaved: &[T]) -> Option<Self> {
        unsaved.is_empty().then_some(Self { forced: false })
    }
}

/// Where workspaces live.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The name in documents.
    fn name(&self) -> &'static str;

    /// Checks without asking anybody that a folder of this host can be mounted into a workspace, and may be.
    fn check_shared(&self, folder: &Path) -> Result<()>;

    /// What a workspace is here.
    fn unit(&self) -> Kind;

    /// What a workspace of a spec would run, for documents; empty where there are no images.
    fn image(&self, spec: &Spec) -> String;

    /// How high the walls of a workspace of a spec would be, as far as that is known without asking.
    fn walls(&self, spec: &Spec) -> Walls;

    /// How a person brings a workspace's files out without us.
    fn bring_out(&self, workspace: &str) -> String;

    /// The name by which the user's own `ssh` reaches the machine that a workspace is on, as `vm ssh-config` gives it;
    /// `None` where there is none.
    fn ssh_alias(&self, _: &Workspace) -> Option<String> {
        None
    }

    /// Every workspace, newest first.
    async fn list(&self) -> Result<Vec<Workspace>>;

    /// What would be made of a spec; nobody is asked.
    fn plan(&self, spec: &Spec) -> Plan;

    /// The workspace a name stands for: canonical, then as an earlier launcher named it, then as typed.
    /// `None` when there is none; containers that are not workspaces are `name_taken`.
    async fn find(&self, name: &WorkspaceName) -> Result<Option<Workspace>>;

    /// Makes a workspace and starts it, or finds the one that has its name and leaves it as it is.
    async fn create(&self, spec: &Spec, progress: &Progress, phases: &Phases) -> Result<Created>;

    /// Makes it running. Returns whether that changed anything.
    async fn start(&self, workspace: &Workspace) -> Result<bool>;

    /// Makes it stopped, never starting it. Returns whether that changed anything.
    async fn stop(&self, workspace: &Workspace) -> Result<bool>;

    /// Freezes what runs in it, so that nothing changes while it is brought out.
    async fn pause(&self, workspace: &Workspace) -> Result<()>;

    /// Takes that back. Returns whether it changed anything; what is gone or was not frozen needs nothing.
    async fn resume(&self, workspace: &Workspace) -> Result<bool>;

    /// Removes it, and its volumes unless they are to be kept.
    async fn remove(&self, workspace: &Workspace, keep_volumes: bool, proof: Confirmed) -> Result<Removal>;

    /// Volumes that a workspace of one of these names has left behind without a container.
    async fn leftovers(&self, name: &WorkspaceName) -> Result<Vec<String>>;

    /// Removes volumes that `leftovers` found.
    async fn remove_leftovers(&self, volumes: &[String], proof: Confirmed) -> Result<Removal>;

    /// Opens a view into a workspace without changing what state it is in. Everything made for it carries `view_id`,
    /// and `discard` takes it back; `App::view` sees to that.
    async fn view(&self, workspace: &Workspace, purpose: Purpose, view_id: &str) -> Result<View>;

    /// The same onto volumes that `leftovers` found. `None` when there is nothing local to look with.
    async fn view_volumes(
        &self,
        name: &WorkspaceName,
        volumes: &[String],
        purpose: Purpose,
        view_id: &str,
    ) -> Result<Option<View>>;

    /// Removes everything that carries the mark of one call, and nothing else. Returns what there was, or may still be.
    async fn discard(&self, create_id: &str) -> Result<Outcome>;

    /// The workspace that carries the mark of one call, by its name, if that has come to make one.
    async fn made_by(&self, create_id: &str) -> Result<Option<String>>;

    /// What there is to say of the place where workspaces live, and of the image that new ones get.
    async fn examine(&self, image: &ImageRef) -> Examined;

    /// Everything of ours that nothing uses, without looking into anything or changing it.
    async fn survey(&self) -> Result<Survey>;

    /// Volumes that carry the mark of one call.
    async fn volumes_made_by(&self, create_id: &str) -> Result<Vec<Leaving>>;

    /// What the things of a survey take, and volumes that were made with them, as far as the backend says.
    async fn sizes(&self, of: &Survey) -> Result<Sizes>;

    /// Whether there is such a file or folder inside, whether or not it runs. Nothing is run for it.
    async fn holds(&self, workspace: &Workspace, path: &str) -> Result<bool>;

    /// The same workspace as it is now; `None` when it is gone.
    async fn again(&self, workspace: &Workspace) -> Result<Option<Workspace>>;

    /// Removes a leaving, unless something uses it by now.
    async fn clear(&self, leaving: &Leaving, proof: &Confirmed) -> Result<Cleared>;

    /// Proves what belongs to a workspace and restores what does not hold.
    async fn repair(&self, workspace: &Workspace) -> Result<Repaired> {
        Err(on_vms_alone("repaired", &workspace.name)
            .hint(format!("see what is wrong with it: agent-workspace describe {}", workspace.name)))
    }

    /// Moves a workspace to another folder of its machine. Whatever ends it, the workspace is whole in one of the two.
    async fn rehome(&self, workspace: &Workspace, _target: &str) -> Result<Moved> {
        Err(on_vms_alone("moved", &workspace.name).hint("leave it where it is"))
    }

    /// Takes back a move that did not come to its end, or brings it there.
    async fn end_rehome(&self, _workspace: &Workspace, _target: &str) -> Result<Outcome> {
        Ok(Outcome::Nothing)
    }

    /// The place where a workspace's commands run.
    fn machine(&self, workspace: &Workspace) -> Arc<dyn Machine>;

    /// Builds the agent image; returns its id when the engine says it.
    async fn build_image(&self, tag: &ImageRef, base: &ImageRef, progress: &Progress) -> Result<Option<String>>;
}

fn on_vms_alone(what: &str, workspace: &str) -> Error {
    Error::new(ErrorCode::Unsupported, format!("only workspaces on VMs are {what}, and {workspace} is none"))
        .detail("workspace", workspace)
}

/// Containers and volumes of an engine.
pub const DOCKER: &str = "docker";
/// Folders of this machine.
pub const HOST: &str = "host";
/// Folders of VMs, each with a user of its own.
pub const VM: &str = "vm";
/// The backends this launcher has, and the default first.
pub const BACKENDS: [&str; 3] = [DOCKER, HOST, VM];

/// Which backend is asked for: by the flag, then by the environment. `None` when neither names one.
///
/// # Errors
/// `unsupported` for a backend this launcher does not have.
pub fn asked(flag: Option<&str>, host: &Host) -> Result<Option<&'static str>> {
    let asked = match flag {
        Some(flag) => Some(flag.to_owned()),
        None => host.var(EnvVar::Backend)?,
    };
    asked.map(|asked| named(&asked)).transpose()
}

/// The backend of a name.
fn named(asked: &str) -> Result<&'static str> {
    BACKENDS.into_iter().find(|name| *name == asked).ok_or_else(|| {
        Error::new(ErrorCode::Unsupported, format!("this launcher has no backend {asked:?}"))
            .hint(format!("use --backend {}", BACKENDS.join(" or ")))
    })
}

/// Which backend to use: the one that is asked for, else the configuration's, else docker.
///
/// # Errors
/// `unsupported` for a backend this launcher does not have, `config_invalid`.
pub fn choose(flag: Option<&str>, host: &Host) -> Result<&'static str> {
    if let Some(asked) = asked(flag, host)? {
        return Ok(asked);
    }
    host.config()?.defaults().backend.map_or(Ok(BACKENDS[0]), |default| named(&default))
}

/// Opens a backend that `choose` has chosen. Only that one costs anything.
///
/// # Errors
/// `invalid_environment` when the environment does not say where its workspaces live.
pub fn open(name: &str, host: &Host, prefix: Prefix) -> Result<Arc<dyn Backend>> {
    match name {
        HOST => Ok(Arc::new(host::Folders::open(host, prefix)?)),
        VM => Ok(Arc::new(vm::Vms::open(host, prefix)?)),
        _ => Ok(Arc::new(docker::Docker::open(host, prefix)?)),
    }
}

/// Commands that are typed with a backend's name where it is not the default.
const NAMED: [&str; 10] = ["create", "describe", "ls", "prune", "rehome", "repair", "rm", "start", "stop", "tunnel"];

/// A hint with the flag that a person has typed in every command of ours that it names, so that it can be pasted.
pub fn in_the_words_of(flag: Option<&str>, hint: &str) -> String {
    flag.map_or_else(|| hint.to_owned(), |flag| with_flag(&NAMED, flag, hint))
}

/// A hint with the flag in these of our commands, where it names none yet.
fn with_flag(verbs: &[&str], flag: &str, hint: &str) -> String {
    verbs.iter().fold(hint.to_owned(), |hint, verb| {
        let plain = format!("agent-workspace {verb}");
        let parts: Vec<&str> = hint.split(&plain).collect();
        parts.iter().skip(1).fold(parts[0].to_owned(), |said, rest| {
            let whole = rest.is_empty() || rest.starts_with([' ', ';', ',']);
            let flag =
                if whole && !rest.starts_with(" --backend ") { format!(" --backend {flag}") } else { String::new() };
            format!("{said}{plain}{flag}{rest}")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_the_backend_that_was_typed_and_nothing_else() {
        let hint = "see: agent-workspace ls; or: agent-workspace rm --force x";
        assert_eq!(in_the_words_of(None, hint), hint);
        assert_eq!(
            in_the_words_of(Some("host"), hint),
            "see: agent-workspace ls --backend host; or: agent-workspace rm --backend host --force x"
        );
        for other in [
            "agent-workspace image build",
            "agent-workspace lsx",
            "agent-workspace describe --backend vm x",
            "see: agent-workspace ls --backend docker",
            "docker inspect x",
            "",
        ] {
            assert_eq!(in_the_words_of(Some("host"), other), other);
        }
    }
}
