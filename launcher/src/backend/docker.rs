//! Workspaces as Docker containers and named volumes. The only room that knows the engine.
//!
//! The containers, the volumes and their labels are the truth; nothing is written down elsewhere.

mod body;
mod container;
mod create;
mod endpoint;
mod engine;
mod errors;
mod examine;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod image;
mod labels;
mod machine;
mod remove;
mod shared;
mod survey;
mod tls;
mod transport;
mod view;
mod walls;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agent_workspace_contract::{
    ErrorCode, FailedItem, Isolation as Walls, KeptItem, Plan, RemovedItem, WorkspaceStatus,
};
use async_trait::async_trait;
use hyper::Method;
use serde_json::json;

use self::container::{Inspected, Listed};
use self::engine::Engine;
use self::labels::LABEL_WORKSPACE;
use self::machine::DockerMachine;
use crate::backend::examination::Examined;
use crate::backend::survey::{Cleared, Kind, Leaving, Sizes, Survey};
use crate::backend::{Backend, Confirmed, Created, Purpose, Removal, Spec, View, Workspace};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::machine::Machine;
use crate::output::Progress;
use crate::phase::Phases;
use crate::undo::Outcome;
use crate::workspace::{ImageRef, Isolation, Prefix, WorkspaceName};

/// Seconds between SIGTERM and SIGKILL when stopping.
const GRACE: u32 = 10;
/// One engine.
#[derive(Clone)]
pub struct Docker {
    engine: Engine,
    prefix: Prefix,
    /// Where engines of this host listen, as far as that is known.
    sockets: Vec<PathBuf>,
    /// How far this client's own create is.
    own: Arc<Mutex<Own>>,
}

/// What is known of a create that this client has sent.
#[derive(Clone, Debug, Default)]
struct Own {
    /// The mark of what it makes.
    create_id: String,
    /// Whether its request is under way.
    creating: bool,
    /// Whether it may have made anything.
    made: bool,
}

impl Docker {
    /// A client of the engine that the environment names; connects at the first call.
    ///
    /// # Errors
    /// `invalid_environment` when the address cannot be read.
    pub fn open(host: &Host, prefix: Prefix) -> Result<Self> {
        Ok(Self { engine: Engine::open(host)?, prefix, sockets: endpoint::sockets(host)?, own: Arc::default() })
    }

    /// How far this client's own create is.
    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Containers by filter, stopped ones too.
    async fn list_by(&self, filters: serde_json::Value, doing: &str) -> Result<Vec<Listed>> {
        let path = format!("/containers/json?all=1&filters={}", encode(&filters.to_string()));
        Ok(self.engine.get(&path, doing).await?.unwrap_or_default())
    }

    /// The container of exactly this name. Engines also take the beginning of an id for a name; we do not.
    async fn inspect(&self, name: &str) -> Result<Option<Inspected>> {
        let found: Option<Inspected> =
            self.engine.get(&format!("/containers/{name}/json"), &format!("look for workspace {name}")).await?;
        Ok(found.filter(|container| container.name() == name))
    }

    /// Gives a container an order. Returns whether it changed anything.
    async fn order(&self, workspace: &Workspace, order: &str, doing: &str) -> Result<bool> {
        let name = &workspace.name;
        match self.engine.order(Method::POST, &format!("/containers/{}/{order}", workspace.id), doing).await? {
            Ok(changed) => Ok(changed),
            Err(refused) => Err(match refused.status {
                404 if refused.message.to_ascii_lowercase().contains("no such container") => {
                    Error::new(ErrorCode::WorkspaceNotFound, format!("workspace {name} was removed in the middle"))
                        .cause(refused.message)
                        .hint("see: agent-workspace ls")
                }
                409 => {
                    Error::new(ErrorCode::WrongState, format!("workspace {name} is in a state that does not allow it"))
                        .cause(refused.message)
                        .hint(format!("see: agent-workspace describe {name}"))
                }
                _ => self.engine.explain_refusal(&refused, doing),
            }
            .detail("workspace", name.clone())),
        }
    }

    /// The workspace that a container is, or an error when it is somebody's own.
    fn recognise(&self, container: Inspected) -> Result<Workspace> {
        let workspace = container.into_workspace();
        // An image that was made of a workspace hands its labels on, but not its volumes.
        let inherited = workspace.made_by_us && workspace.volumes.is_empty();
        if self.is_workspace(&workspace) && !inherited { Ok(workspace) } else { Err(not_ours(&workspace.name)) }
    }

    /// Whether it carries the mark of workspaces, or is one of an old launcher that marked nothing: the prefix in its
    /// name, and either no label at all or a volume that only a workspace has.
    fn is_workspace(&self, workspace: &Workspace) -> bool {
        let old = self.prefix.covers(&workspace.name) && (workspace.unlabelled || !workspace.volumes.is_empty());
        workspace.marked || old
    }
}

#[async_trait]
impl Backend for Docker {
    fn name(&self) -> &'static str {
        crate::backend::DOCKER
    }

    fn check_shared(&self, folder: &Path) -> Result<()> {
        shared::check(folder, self.engine.endpoint(), &self.sockets)
    }

    fn unit(&self) -> Kind {
        Kind::Container
    }

    fn image(&self, spec: &Spec) -> String {
        spec.image.as_str().to_owned()
    }

    fn walls(&self, spec: &Spec) -> Walls {
        match spec.isolation {
            Isolation::Strict => Walls::Strict,
            _ => Walls::Standard,
        }
    }

    fn bring_out(&self, workspace: &str) -> String {
        format!("docker cp {workspace}:/work .")
    }

    async fn list(&self) -> Result<Vec<Workspace>> {
        let doing = "list workspaces";
        let mut found = self.list_by(json!({ "label": [format!("{LABEL_WORKSPACE}=1")] }), doing).await?;
        if found.is_empty() {
            // Only launchers older than the labels leave workspaces that nothing but the name marks.
            found = self.list_by(json!({ "name": [format!("^/?{}-", self.prefix.as_str())] }), doing).await?;
        }
        let found = found.into_iter().map(Listed::into_workspace);
        Ok(found.filter(|workspace| self.is_workspace(workspace)).collect())
    }

    fn plan(&self, spec: &Spec) -> Plan {
        body::plan(spec)
    }

    async fn find(&self, name: &WorkspaceName) -> Result<Option<Workspace>> {
        for candidate in [Some(name.canonical()), name.legacy()].into_iter().flatten() {
            if let Some(container) = self.inspect(candidate).await? {
                return self.recognise(container).map(Some);
            }
        }
        match name.verbatim() {
            Some(verbatim) => match self.inspect(verbatim).await? {
                Some(container) => self.recognise(container).map(Some),
                None => Ok(None),
            },
            None => Ok(None),
        }
    }

    async fn create(&self, spec: &Spec, progress: &Progress, phases: &Phases) -> Result<Created> {
        self.make(spec, progress, phases).await
    }

    async fn start(&self, workspace: &Workspace) -> Result<bool> {
        let verb = if workspace.status == WorkspaceStatus::Paused { "unpause" } else { "start" };
        self.order(workspace, verb, &format!("start workspace {}", workspace.name)).await
    }

    async fn stop(&self, workspace: &Workspace) -> Result<bool> {
        let doing = format!("stop workspace {}", workspace.name);
        if workspace.status == WorkspaceStatus::Paused {
            // What is frozen cannot end by itself and would be killed after the grace.
            self.order(workspace, "unpause", &doing).await?;
        }
        self.order(workspace, &format!("stop?t={GRACE}"), &doing).await
    }

    async fn pause(&self, workspace: &Workspace) -> Result<()> {
        self.order(workspace, "pause", &format!("pause workspace {}", workspace.name)).await.map(drop)
    }

    async fn resume(&self, workspace: &Workspace) -> Result<bool> {
        let resumed = self.order(workspace, "unpause", &format!("resume workspace {}", workspace.name)).await;
        match resumed {
            Err(error) if error.code() == ErrorCode::WorkspaceNotFound => Ok(false),
            // Engines say it with different statuses and in these words.
            Err(error) if error.causes().iter().any(|cause| cause.contains("not paused")) => Ok(false),
            resumed => resumed,
        }
    }

    async fn remove(&self, workspace: &Workspace, keep_volumes: bool, proof: Confirmed) -> Result<Removal> {
        let mut removal = Removal::default();
        let third = async {
            // Only launchers before this one made it, and not always with a mount that still shows it.
            if workspace.made_by_us { Ok(None) } else { self.third_volume(workspace).await }
        };
        let (removed, third) =
            tokio::join!(self.remove_container_and(&workspace.id, &workspace.name, !keep_volumes), third);
        if removed? {
            removal.removed.push(RemovedItem { kind: "container".to_owned(), id: workspace.name.clone() });
        }
        let kind = || "volume".to_owned();
        let (mut going, mut staying) = if keep_volumes {
            (Vec::new(), workspace.mounts.iter().map(|mounted| mounted.volume.clone()).collect())
        } else {
            (workspace.volumes.clone(), Vec::new())
        };
        match third {
            Ok(third) if proof.is_forced() && !keep_volumes => going.extend(third),
            // What it holds was not looked at, as it is not mounted.
            Ok(third) => staying.extend(third),
            Err(_) if keep_volumes => {}
            Err(error) => {
                let [.., id] = labels::volume_names(&workspace.name);
                removal.failed.push(FailedItem { kind: kind(), id, message: error.message().to_owned() });
            }
        }
        removal.kept.extend(staying.into_iter().map(|id| KeptItem { kind: kind(), id }));
        self.remove_volumes(&going, &mut removal).await;
        Ok(removal)
    }

    async fn leftovers(&self, name: &WorkspaceName) -> Result<Vec<String>> {
        self.left_volumes(name).await
    }

    async fn remove_leftovers(&self, volumes: &[String], _: Confirmed) -> Result<Removal> {
        let mut removal = Removal::default();
        self.remove_volumes(volumes, &mut removal).await;
        Ok(removal)
    }

    async fn view(&self, workspace: &Workspace, purpose: Purpose, view_id: &str) -> Result<View> {
        self.open_view(workspace, purpose, view_id).await
    }

    async fn view_volumes(
        &self,
        name: &WorkspaceName,
        volumes: &[String],
        purpose: Purpose,
        view_id: &str,
    ) -> Result<Option<View>> {
        self.open_view_of_volumes(name, volumes, purpose, view_id).await
    }

    async fn discard(&self, create_id: &str) -> Result<Outcome> {
        self.take_back(create_id).await
    }

    async fn made_by(&self, create_id: &str) -> Result<Option<String>> {
        let found = self.settled(create_id, "look for what this call has made").await?;
        Ok(found.into_iter().next().map(|container| container.into_workspace().name))
    }

    async fn examine(&self, image: &ImageRef) -> Examined {
        Examined::Engine(self.examined(image).await)
    }

    async fn survey(&self) -> Result<Survey> {
        self.surveyed().await
    }

    async fn volumes_made_by(&self, create_id: &str) -> Result<Vec<Leaving>> {
        self.marked_volumes(create_id).await
    }

    async fn sizes(&self, of: &Survey) -> Result<Sizes> {
        self.taken(of).await
    }

    async fn holds(&self, workspace: &Workspace, path: &str) -> Result<bool> {
        let path = format!("/containers/{}/archive?path={}", workspace.id, encode(path));
        self.engine.has(&path, &format!("look into workspace {}", workspace.name)).await
    }

    async fn again(&self, workspace: &Workspace) -> Result<Option<Workspace>> {
        let doing = format!("look for workspace {}", workspace.name);
        let found: Option<Inspected> = self.engine.get(&format!("/containers/{}/json", workspace.id), &doing).await?;
        Ok(found.map(Inspected::into_workspace))
    }

    async fn clear(&self, leaving: &Leaving, _: &Confirmed) -> Result<Cleared> {
        self.cleared(leaving).await
    }

    fn machine(&self, workspace: &Workspace) -> Arc<dyn Machine> {
        Arc::new(DockerMachine {
            engine: self.engine.clone(),
            id: workspace.id.clone(),
            name: workspace.name.clone(),
            user: workspace.user.clone(),
        })
    }

    async fn build_image(&self, tag: &ImageRef, base: &ImageRef, progress: &Progress) -> Result<Option<String>> {
        image::build(&self.engine, tag, base, progress).await
    }
}

fn not_ours(name: &str) -> Error {
    Error::new(ErrorCode::NameTaken, format!("a container named {name} exists and is not a workspace"))
        .detail("container", name)
        .hint(format!("choose another --name, or see what it is: docker inspect {name}"))
}

/// Percent-encodes a query value.
fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}
