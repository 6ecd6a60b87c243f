//! Workspaces as Docker containers and named volumes. The only room that knows the engine.
//!
//! The containers, the volumes and their labels are the truth; nothing is written down elsewhere.

mod container;
mod create;
mod endpoint;
mod engine;
mod errors;
mod image;
mod machine;
mod remove;
mod terminal;
mod tls;
mod transport;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agent_workspace_contract::{ErrorCode, KeptItem, RemovedItem, WorkspaceStatus};
use async_trait::async_trait;
use hyper::Method;
use serde_json::json;

use self::container::{Inspected, LABEL_WORKSPACE, Listed};
use self::engine::Engine;
use self::machine::DockerMachine;
use crate::backend::{Backend, Confirmed, Created, Removal, Spec, Workspace};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::machine::Machine;
use crate::output::Progress;
use crate::workspace::{ImageRef, Prefix, WorkspaceName};

/// Seconds between SIGTERM and SIGKILL when stopping.
const GRACE: u32 = 10;
/// One engine.
pub struct Docker {
    engine: Engine,
    prefix: Prefix,
    /// How far this client's own create is.
    own: Mutex<Own>,
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
        Ok(Self { engine: Engine::open(host)?, prefix, own: Mutex::default() })
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
        "docker"
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

    async fn create(&self, spec: &Spec, progress: &Progress) -> Result<Created> {
        self.make(spec, progress).await
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

    async fn remove(&self, workspace: &Workspace, keep_volumes: bool, _: Confirmed) -> Result<Removal> {
        let mut removal = Removal::default();
        if self.remove_container(&workspace.id, &workspace.name).await? {
            removal.removed.push(RemovedItem { kind: "container".to_owned(), id: workspace.name.clone() });
        }
        if keep_volumes {
            let kept = |id: &String| KeptItem { kind: "volume".to_owned(), id: id.clone() };
            removal.kept.extend(workspace.volumes.iter().map(kept));
        } else {
            self.remove_volumes(&workspace.volumes, &mut removal).await;
        }
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

    async fn discard(&self, create_id: &str) -> Result<bool> {
        self.take_back(create_id).await
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
