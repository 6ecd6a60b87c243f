//! Workspaces as Docker containers and named volumes. The only room that knows the engine.
//!
//! The containers, the volumes and their labels are the truth; nothing is written down elsewhere.

mod container;
mod create;
mod endpoint;
mod engine;
mod errors;
pub mod image;
mod machine;
mod terminal;
mod tls;
mod transport;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use agent_workspace_contract::{ErrorCode, FailedItem, KeptItem, RemovedItem, WorkspaceStatus};
use async_trait::async_trait;
use bollard::errors::Error as Bollard;
use bollard::query_parameters::{RemoveContainerOptionsBuilder, RemoveVolumeOptions};
use futures_util::future::join_all;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;

use self::container::{Inspected, LABEL_CREATE_ID, LABEL_WORKSPACE, Listed};
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
/// How long undoing looks for a container whose creation was under way when the connection broke.
const SETTLE: Duration = Duration::from_secs(3);

/// One engine.
pub struct Docker {
    engine: Engine,
    prefix: Prefix,
    /// Whether a request to create a container has been sent and not been answered.
    creating: AtomicBool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volumes {
    volumes: Option<Vec<Volume>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volume {
    name: String,
}

impl Docker {
    /// A client of the engine that the environment names; connects at the first call.
    ///
    /// # Errors
    /// `invalid_environment` when the address cannot be read.
    pub fn open(host: &Host, prefix: Prefix) -> Result<Self> {
        Ok(Self { engine: Engine::open(host)?, prefix, creating: AtomicBool::new(false) })
    }

    /// Containers by filter, stopped ones too.
    async fn list_by(&self, filters: serde_json::Value, doing: &str) -> Result<Vec<Listed>> {
        let path = format!("/containers/json?all=1&filters={}", encode(&filters.to_string()));
        Ok(self.engine.get(&path, doing).await?.unwrap_or_default())
    }

    async fn volumes_by(&self, filters: serde_json::Value, doing: &str) -> Result<Vec<String>> {
        let path = format!("/volumes?filters={}", encode(&filters.to_string()));
        let volumes: Option<Volumes> = self.engine.get(&path, doing).await?;
        Ok(volumes
            .and_then(|volumes| volumes.volumes)
            .unwrap_or_default()
            .into_iter()
            .map(|volume| volume.name)
            .collect())
    }

    /// The container of exactly this name. Engines also take the beginning of an id for a name; we do not.
    async fn inspect(&self, name: &str) -> Result<Option<Inspected>> {
        let found: Option<Inspected> =
            self.engine.get(&format!("/containers/{name}/json"), &format!("look for workspace {name}")).await?;
        Ok(found.filter(|container| container.name() == name))
    }

    /// The workspace that a container is: by our mark, or, for those of old launchers that marked nothing, by prefix.
    fn recognise(&self, container: Inspected) -> Result<Workspace> {
        let workspace = container.into_workspace();
        if workspace.marked || self.prefix.covers(&workspace.name) {
            return Ok(workspace);
        }
        Err(not_ours(&workspace.name))
    }

    async fn remove_container(&self, id: &str, name: &str) -> Result<bool> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.engine.docker.remove_container(id, Some(options)).await {
            Ok(()) => Ok(true),
            Err(Bollard::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            // Somebody else is removing it at this moment; its volumes are free when they are done.
            Err(Bollard::DockerResponseServerError { status_code: 409, message })
                if message.contains("in progress") =>
            {
                for _ in 0..100 {
                    if self
                        .engine
                        .get::<Inspected>(&format!("/containers/{id}/json"), "wait for a removal")
                        .await?
                        .is_none()
                    {
                        return Ok(false);
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(self.engine.explain(
                    Bollard::DockerResponseServerError { status_code: 409, message },
                    &format!("remove the container {name}"),
                ))
            }
            Err(error) => Err(self.engine.explain(error, &format!("remove the container {name}"))),
        }
    }

    /// Removes the volumes that carry the mark of one call. Returns those that are in use by now.
    async fn discard_volumes(&self, create_id: &str) -> Result<Vec<FailedItem>> {
        let filters = json!({ "label": [format!("{LABEL_CREATE_ID}={create_id}")] });
        let volumes = self.volumes_by(filters, "undo what this call has made").await?;
        let mut removal = Removal::default();
        self.remove_volumes(&volumes, &mut removal).await;
        Ok(removal.failed)
    }

    /// Removes volumes, all at once. Those that are not there are no news.
    async fn remove_volumes(&self, volumes: &[String], removal: &mut Removal) {
        let results =
            join_all(volumes.iter().map(async |volume| {
                (volume, self.engine.docker.remove_volume(volume, None::<RemoveVolumeOptions>).await)
            }))
            .await;
        for (volume, result) in results {
            let (kind, id) = ("volume".to_owned(), volume.clone());
            match result {
                Ok(()) => removal.removed.push(RemovedItem { kind, id }),
                Err(Bollard::DockerResponseServerError { status_code: 404, .. }) => {}
                Err(error) => {
                    let error = self.engine.explain(error, &format!("remove the volume {volume}"));
                    let message = error.causes().first().cloned().unwrap_or_else(|| error.message().to_owned());
                    removal.failed.push(FailedItem { kind, id, message });
                }
            }
        }
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
        Ok(found.into_iter().map(Listed::into_workspace).collect())
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
        let path = format!("/containers/{}/{verb}", workspace.id);
        match self.engine.post(&path, &format!("start workspace {}", workspace.name)).await {
            Ok(status) => Ok(status != StatusCode::NOT_MODIFIED),
            Err(error) => Err(gone_or_wrong_state(error, workspace)),
        }
    }

    async fn stop(&self, workspace: &Workspace) -> Result<bool> {
        let doing = format!("stop workspace {}", workspace.name);
        if workspace.status == WorkspaceStatus::Paused {
            // What is frozen cannot end by itself and would be killed after the grace.
            let thawed = self.engine.post(&format!("/containers/{}/unpause", workspace.id), &doing).await;
            thawed.map_err(|error| gone_or_wrong_state(error, workspace))?;
        }
        match self.engine.post(&format!("/containers/{}/stop?t={GRACE}", workspace.id), &doing).await {
            Ok(status) => Ok(status != StatusCode::NOT_MODIFIED),
            Err(error) => Err(gone_or_wrong_state(error, workspace)),
        }
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
        let own: Vec<String> = [Some(name.canonical()), name.legacy(), name.verbatim()]
            .into_iter()
            .flatten()
            .flat_map(container::volume_names)
            .collect();
        let found = self.volumes_by(json!({ "name": own }), "look for volumes").await?;
        // The engine's filter finds every name that holds one of ours.
        Ok(found.into_iter().filter(|volume| own.contains(volume)).collect())
    }

    async fn remove_leftovers(&self, volumes: &[String], _: Confirmed) -> Result<Removal> {
        let mut removal = Removal::default();
        self.remove_volumes(volumes, &mut removal).await;
        Ok(removal)
    }

    async fn discard(&self, create_id: &str) -> Result<()> {
        let filters = json!({ "label": [format!("{LABEL_CREATE_ID}={create_id}")] });
        let doing = "undo what this call has made";
        let until = Instant::now() + SETTLE;
        loop {
            let containers = self.list_by(filters.clone(), doing).await?;
            for container in &containers {
                self.remove_container(&container.id, create_id).await?;
            }
            // An engine goes on creating for a caller that has gone away.
            if !containers.is_empty() || !self.creating.load(Ordering::Relaxed) || Instant::now() > until {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let failed = self.discard_volumes(create_id).await?;
        match failed.first() {
            None => Ok(()),
            Some(failed) => {
                Err(Error::new(ErrorCode::EngineError, format!("volume {}: {}", failed.id, failed.message)))
            }
        }
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

/// What a refused start or stop means for somebody who named a workspace.
fn gone_or_wrong_state(error: Error, workspace: &Workspace) -> Error {
    let status = error.body().details.get("status").and_then(serde_json::Value::as_u64);
    let name = &workspace.name;
    let ours = match status {
        Some(404)
            if error
                .causes()
                .iter()
                .any(|cause| cause.contains("No such container") || cause.contains("no such container")) =>
        {
            Error::new(ErrorCode::WorkspaceNotFound, format!("workspace {name} was removed in the middle"))
                .hint("see: agent-workspace ls")
        }
        Some(409) => {
            Error::new(ErrorCode::WrongState, format!("workspace {name} is in a state that does not allow it"))
                .hint(format!("see: agent-workspace describe {name}"))
        }
        _ => return error.detail("workspace", name.clone()),
    };
    error.causes().iter().fold(ours, |ours, cause| ours.cause(cause.clone())).detail("workspace", name.clone())
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
