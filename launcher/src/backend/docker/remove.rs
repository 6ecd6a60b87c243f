//! Removing: what was asked to go, what an undone create has made, and volumes that were left behind.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use agent_workspace_contract::{ErrorCode, FailedItem, RemovedItem, WorkspaceStatus};
use futures_util::future::join_all;
use hyper::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::container::{Inspected, Listed};
use super::engine::Refused;
use super::labels::{self, LABEL_CREATE_ID, is_volume_of};
use super::{Docker, encode};
use crate::backend::{Backend, Removal, Workspace};
use crate::error::{Error, Result};
use crate::guest::joined;
use crate::undo::Outcome;
use crate::workspace::WorkspaceName;

/// How long to wait before an order to remove something is given again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// An order whose answer was awaited for longer is not given again.
const NO_PATIENCE_LEFT: Duration = Duration::from_secs(30);
/// How long an engine may take to let go of the volumes of a container that is gone.
const LETS_GO: Duration = Duration::from_secs(5);
/// How long undoing looks for a container whose creation was under way when the connection broke.
const SETTLE: Duration = Duration::from_secs(3);
/// How long a container is waited for that the engine lists and does not show. Less than a step of undoing may take.
const IS_MADE: Duration = Duration::from_secs(15);
/// What is said when it has not come by then.
const MAY_COME: &str = "the engine did not answer whether it makes the container; if it still appears, it goes with: \
                        agent-workspace prune --older-than 0";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volumes {
    volumes: Option<Vec<Volume>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volume {
    name: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

/// What Podman says of a volume by its own API, to the fraction of a second.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PodmanVolume {
    created_at: String,
}

impl Docker {
    /// Gives the order to remove something. What is removed twice is removed once, and half a workspace is worse than a
    /// moment's wait: an order whose answer was lost, or that the engine could not carry out, is given a second time.
    pub(super) async fn order_away(&self, path: &str, doing: &str) -> Result<Result<(), Refused>> {
        let since = Instant::now();
        let order = || self.engine.order(Method::DELETE, path, doing);
        let first = order().await;
        let lost = match &first {
            Ok(Ok(_)) => return Ok(Ok(())),
            Ok(Err(refused)) if refused.status < 500 => false,
            Ok(Err(_)) => true,
            Err(error) => error.code() == ErrorCode::EngineUnavailable,
        };
        if !lost || since.elapsed() > NO_PATIENCE_LEFT {
            return first.map(|answer| answer.map(drop));
        }
        tokio::time::sleep(AGAIN_AFTER).await;
        match order().await? {
            // It was there when the first order came, and went with it.
            Err(refused) if refused.status == 404 => Ok(Ok(())),
            answer => Ok(answer.map(drop)),
        }
    }

    /// Removes a container, running or not, and the volumes without a name that it came with. Returns whether it was
    /// there.
    pub(super) async fn remove_container(&self, id: &str, name: &str) -> Result<bool> {
        self.remove_container_and(id, name, true).await
    }

    /// The same, where those volumes may be to stay.
    pub(super) async fn remove_container_and(&self, id: &str, name: &str, volumes: bool) -> Result<bool> {
        let doing = format!("remove the container {name}");
        let removed = self.order_away(&format!("/containers/{id}?force=true&v={volumes}"), &doing).await?;
        let refused = match removed {
            Ok(()) => return Ok(true),
            Err(refused) if refused.status == 404 => return Ok(false),
            Err(refused) => refused,
        };
        if refused.status == 409 && refused.message.contains("in progress") {
            // Somebody else is removing it at this moment; its volumes are free when they are done.
            let path = format!("/containers/{id}/json");
            for _ in 0..100 {
                if self.engine.get::<Inspected>(&path, "wait for a removal").await?.is_none() {
                    return Ok(false);
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Err(self.engine.explain_refusal(&refused, &doing))
    }

    /// Removes volumes, all at once. Those that are not there are no news. One that is busy and soon will not be is asked
    /// for again.
    pub(super) async fn remove_volumes(&self, volumes: &[String], removal: &mut Removal) {
        let order = async |volume: String| {
            let doing = format!("remove the volume {volume}");
            let result = self.order_away(&format!("/volumes/{volume}"), &doing).await;
            (volume, result)
        };
        let is_busy =
            |result: &Result<Result<(), Refused>>| matches!(result, Ok(Err(refused)) if refused.status == 409);
        let mut results = join_all(volumes.iter().cloned().map(order)).await;
        let until = Instant::now() + LETS_GO;
        while Instant::now() < until {
            let mut again = Vec::new();
            for (volume, _) in results.iter().filter(|(_, result)| is_busy(result)) {
                if self.comes_free(volume).await {
                    again.push(volume.clone());
                }
            }
            if again.is_empty() {
                break;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
            results.retain(|(volume, _)| !again.contains(volume));
            results.extend(join_all(again.into_iter().map(order)).await);
        }
        for (volume, result) in results {
            let (kind, id) = ("volume".to_owned(), volume);
            match result {
                Ok(Ok(())) => removal.removed.push(RemovedItem { kind, id }),
                Ok(Err(refused)) if refused.status == 404 => {}
                Ok(Err(refused)) => removal.failed.push(FailedItem { kind, id, message: refused.message }),
                Err(error) => removal.failed.push(FailedItem { kind, id, message: error.message().to_owned() }),
            }
        }
    }

    /// Whether a busy volume will soon be free: engines let go of it a moment after its container is gone, and what only
    /// looks into it, for a command that was killed or is late, is made to go. What is only being made at this moment
    /// is waited for, so that a caller who looks again sees who has it.
    async fn comes_free(&self, volume: &str) -> bool {
        let doing = "see who uses a volume";
        let by_volume = json!({ "volume": [volume] });
        let Ok(users) = self.list_by(by_volume.clone(), doing).await else {
            return false;
        };
        for user in &users {
            if !user.is_view() && !matches!(self.once_made(user, &by_volume, doing).await, Ok(None)) {
                return false;
            }
        }
        for view in users.iter().filter(|user| user.is_view()) {
            // Whether that worked shows when the volume is asked for again.
            let _ = self.remove_container(&view.id, "of a look").await;
        }
        true
    }

    /// What the engine says of a container that it lists by these filters, or nothing when it is gone. An engine that goes
    /// on creating for a caller who has gone away lists the container first; it shows and removes it, and finds it by its
    /// id, only when it is made.
    async fn once_made(&self, listed: &Listed, filters: &serde_json::Value, doing: &str) -> Result<Option<Inspected>> {
        let path = format!("/containers/{}/json", listed.id);
        let until = Instant::now() + IS_MADE;
        loop {
            if let Some(made) = self.engine.get(&path, doing).await? {
                return Ok(Some(made));
            }
            if self.list_by(filters.clone(), doing).await?.iter().all(|now| now.id != listed.id) {
                return Ok(None);
            }
            if Instant::now() > until {
                return Err(Error::new(
                    ErrorCode::EngineError,
                    format!("the engine lists the container {} and does not show it", listed.id),
                ));
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// Removes everything that carries the mark of one call, and nothing else. A workspace that somebody else has come
    /// back to meanwhile stays: it is theirs as well.
    pub(super) async fn take_back(&self, create_id: &str) -> Result<Outcome> {
        let own = self.own().clone();
        if own.create_id == create_id && !own.made {
            return Ok(Outcome::Nothing);
        }
        let doing = "undo what this call has made";
        let mut volumes = Vec::new();
        let mut found = false;
        for container in self.settled(create_id, doing).await? {
            let Some(made) = self.once_made(&container, &by_create_id(create_id), doing).await? else { continue };
            if container.is_view() {
                found |= self.remove_container(&container.id, "of a look").await?;
                continue;
            }
            let made_at = made.created();
            let workspace = made.into_workspace();
            if workspace.status == WorkspaceStatus::Running && joined::abandon(&*self.machine(&workspace)).await {
                return Err(Error::new(
                    ErrorCode::WrongState,
                    format!("another create has come back to {}, and takes it back if it fails too", workspace.name),
                ));
            }
            if self.engine.is_podman() {
                volumes.extend(self.podman_volumes(&workspace.volumes, made_at).await?);
            }
            found |= self.remove_container(&container.id, &workspace.name).await?;
        }
        volumes.extend(self.volumes_by(by_create_id(create_id), doing).await?.into_iter().map(|volume| volume.name));
        let mut removal = Removal::default();
        self.remove_volumes(&volumes, &mut removal).await;
        match removal.failed.first() {
            None if found || !removal.removed.is_empty() => Ok(Outcome::TakenBack),
            None if own.create_id == create_id && own.creating => Ok(Outcome::Unsure(MAY_COME.to_owned())),
            None => Ok(Outcome::Nothing),
            Some(failed) => {
                Err(Error::new(ErrorCode::EngineError, format!("volume {}: {}", failed.id, failed.message)))
            }
        }
    }

    /// The containers of one call. An engine goes on creating for a caller that has gone away, so that one which is under
    /// way is waited for a while.
    pub(super) async fn settled(&self, create_id: &str, doing: &str) -> Result<Vec<Listed>> {
        let creating = self.own().creating;
        let until = Instant::now() + SETTLE;
        loop {
            let containers = self.list_by(by_create_id(create_id), doing).await?;
            if !containers.is_empty() || !creating || Instant::now() > until {
                return Ok(containers);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Podman leaves out labels that come with a mount, but says to the nanosecond when a volume was made: those of a
    /// container are made after it was begun, and older ones were there before.
    async fn podman_volumes(&self, mounted: &[String], container_made: Option<Timestamp>) -> Result<Vec<String>> {
        let Some(container_made) = container_made else { return Ok(Vec::new()) };
        let mut made = Vec::new();
        for volume in mounted {
            let path = format!("/v4.0.0/libpod/volumes/{volume}/json");
            let found: Option<PodmanVolume> = self.engine.get(&path, "look at a volume").await?;
            let volume_made = found.and_then(|found| found.created_at.parse::<Timestamp>().ok());
            made.extend(volume_made.filter(|volume_made| *volume_made >= container_made).map(|_| volume.clone()));
        }
        Ok(made)
    }

    /// Volumes of a workspace whose container is gone, and nobody else's.
    pub(super) async fn left_volumes(&self, name: &WorkspaceName) -> Result<Vec<String>> {
        let names: Vec<&str> = [Some(name.canonical()), name.legacy(), name.verbatim()].into_iter().flatten().collect();
        let own = names.iter().copied().flat_map(labels::volume_names);
        let beside = names.iter().map(|name| format!("{name}-agent-work"));
        let asked: Vec<String> = own.chain(beside).collect();
        let found = self.volumes_by(json!({ "name": asked }), "look for volumes").await?;
        let is_there = |name: String| found.iter().any(|volume| volume.name == name);
        let is_labelled = |volume: &Volume| volume.labels.as_ref().is_some_and(|labels| !labels.is_empty());
        // The engine's filter finds every name that holds one of ours.
        let is_ours = |volume: &&Volume| {
            let is_home_of_another = names.iter().any(|name| volume.name == format!("{name}-agent-home"))
                && !is_labelled(volume)
                && is_there(labels::work_beside_home(&volume.name));
            !is_home_of_another && names.iter().any(|workspace| self.owns(workspace, volume))
        };
        Ok(found.iter().filter(is_ours).map(|volume| volume.name.clone()).collect())
    }

    /// The third volume of the oldest launchers, when it is there, is not mounted, and is not somebody else's: a
    /// workspace whose name ends in `-agent` has a home of that name.
    pub(super) async fn third_volume(&self, workspace: &Workspace) -> Result<Option<String>> {
        let [.., third] = labels::volume_names(&workspace.name);
        if workspace.volumes.contains(&third) {
            return Ok(None);
        }
        let found: Option<Volume> = self.engine.get(&format!("/volumes/{third}"), "look for volumes").await?;
        let Some(volume) = found.filter(|volume| self.owns(&workspace.name, volume)) else { return Ok(None) };
        if volume.labels.is_none_or(|labels| labels.is_empty()) {
            let path = format!("/volumes/{}", labels::work_beside_home(&third));
            if self.engine.get::<Volume>(&path, "look for volumes").await?.is_some() {
                return Ok(None);
            }
        }
        Ok(Some(volume.name))
    }

    fn owns(&self, workspace: &str, volume: &Volume) -> bool {
        is_volume_of(workspace, &volume.name, volume.labels.as_ref(), &self.prefix)
    }

    async fn volumes_by(&self, filters: serde_json::Value, doing: &str) -> Result<Vec<Volume>> {
        let path = format!("/volumes?filters={}", encode(&filters.to_string()));
        let volumes: Option<Volumes> = self.engine.get(&path, doing).await?;
        Ok(volumes.and_then(|volumes| volumes.volumes).unwrap_or_default())
    }
}

/// The engine's filter for what one call has made.
pub(super) fn by_create_id(create_id: &str) -> serde_json::Value {
    json!({ "label": [format!("{LABEL_CREATE_ID}={create_id}")] })
}
