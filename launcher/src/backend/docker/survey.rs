//! What of ours nothing uses: told from two lists, sized by questions for just that, removed one by one.

use std::collections::{BTreeMap, BTreeSet};

use agent_workspace_contract::WorkspaceStatus;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::container::{Inspected, Listed};
use super::labels::{LABEL_CREATE_ID, LABEL_WORKSPACE, is_volume_of};
use super::{Docker, encode};
use crate::backend::Workspace;
use crate::backend::survey::{Cleared, Kind, Leaving, Reason, Sizes, Survey};
use crate::error::Result;
use crate::workspace::Prefix;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volumes {
    volumes: Option<Vec<Volume>>,
}

/// What we read of a volume.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Volume {
    name: String,
    created_at: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    usage_data: Option<Usage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Usage {
    /// -1 where it is not known.
    size: Option<i64>,
}

/// What volumes take. Engines since API 1.52 say it under another key.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DiskUsage {
    volumes: Option<Vec<Volume>>,
    volume_usage: Option<VolumeUsage>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VolumeUsage {
    items: Option<Vec<Volume>>,
}

/// What a container has written, beside its volumes and its image.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sized {
    #[serde(rename = "Names")]
    names: Option<Vec<String>>,
    #[serde(rename = "SizeRw")]
    written: Option<i64>,
}

impl Volume {
    /// The workspace that its labels name, and the mark of the call that made it.
    fn mark(&self) -> Option<(&str, &str)> {
        let labels = self.labels.as_ref()?;
        Some((labels.get(LABEL_WORKSPACE)?, labels.get(LABEL_CREATE_ID)?))
    }

    /// The workspace whose it is: by its labels, or by its name where it has none, as launchers set none at first, and
    /// Podman drops them.
    fn workspace(&self, prefix: &Prefix) -> Option<&str> {
        let workspace = match self.mark() {
            Some((workspace, _)) => workspace,
            None if self.labels.as_ref().is_none_or(BTreeMap::is_empty) => {
                ["-work", "-agent-home", "-home"].iter().find_map(|ending| self.name.strip_suffix(ending))?
            }
            None => return None,
        };
        let is_theirs = is_volume_of(workspace, &self.name, self.labels.as_ref(), prefix);
        (prefix.covers(workspace) && is_theirs).then_some(workspace)
    }

    fn into_leaving(self, prefix: &Prefix) -> Option<Leaving> {
        Some(Leaving {
            kind: Kind::Volume,
            workspace: self.workspace(prefix)?.to_owned(),
            made_at: self
                .created_at
                .as_deref()
                .and_then(|text| text.parse::<Timestamp>().ok())
                .map(Timestamp::as_second),
            create_id: self.mark().map(|(_, create_id)| create_id.to_owned()),
            reason: Reason::Unused,
            id: self.name.clone(),
            name: self.name,
        })
    }
}

/// Tells what is left over from what is in use, by labels, names and states alone. `dangling` is what the engine calls
/// so: volumes that no container mounts.
fn classify(containers: Vec<Listed>, dangling: Vec<Volume>, prefix: &Prefix) -> Survey {
    let mounted: BTreeSet<String> = containers.iter().flat_map(Listed::mounted).map(str::to_owned).collect();
    let mut survey = Survey::default();
    for container in containers {
        let (made_at, looks_into) = (container.created(), container.looks_into().map(str::to_owned));
        let workspace = container.into_workspace();
        let Some(create_id) = workspace.create_id.clone() else { continue };
        let leaving = |reason, workspace: Workspace, of: String| Leaving {
            kind: Kind::Container,
            id: workspace.id,
            name: workspace.name,
            workspace: of,
            made_at,
            create_id: Some(create_id.clone()),
            reason,
        };
        match looks_into {
            Some(of) if prefix.covers(&of) => survey.leavings.push(leaving(Reason::Viewer, workspace, of)),
            Some(_) => {}
            // An image that was made of a workspace hands its labels on, but not its volumes.
            None if !prefix.covers(&workspace.name) || !workspace.made_by_us || workspace.volumes.is_empty() => {}
            None if workspace.status == WorkspaceStatus::Creating => {
                let of = workspace.name.clone();
                survey.leavings.push(leaving(Reason::NeverStarted, workspace, of));
            }
            None if is_to_be_finished(&workspace) => survey.to_finish.push(workspace),
            None => {}
        }
    }
    let unused = dangling.into_iter().filter(|volume| !mounted.contains(&volume.name));
    survey.leavings.extend(unused.filter_map(|volume| volume.into_leaving(prefix)));
    survey
}

/// Whether its create had something to do inside after the start. What was frozen on purpose is left alone.
fn is_to_be_finished(workspace: &Workspace) -> bool {
    matches!(workspace.status, WorkspaceStatus::Running | WorkspaceStatus::Stopped)
        && workspace.recorded.as_ref().is_some_and(|recorded| recorded.clones)
}

impl Docker {
    /// Everything of ours that nothing uses. Two questions.
    pub(super) async fn surveyed(&self) -> Result<Survey> {
        let doing = "look for what nothing uses";
        let containers = self.engine.get::<Vec<Listed>>("/containers/json?all=1", doing);
        let dangling = self.volumes_of(json!({ "dangling": ["true"] }), doing);
        let (containers, dangling) = tokio::join!(containers, dangling);
        Ok(classify(containers?.unwrap_or_default(), dangling?, &self.prefix))
    }

    /// Volumes that carry the mark of one call.
    pub(super) async fn marked_volumes(&self, create_id: &str) -> Result<Vec<Leaving>> {
        let filters = json!({ "label": [format!("{LABEL_CREATE_ID}={create_id}")] });
        let found = self.volumes_of(filters, "look for volumes").await?;
        Ok(found.into_iter().filter_map(|volume| volume.into_leaving(&self.prefix)).collect())
    }

    /// What these containers have written, and what volumes take. Engines count it when they are asked, and on some
    /// storage that means comparing a container with its image, file by file: nothing is asked for but what is shown.
    pub(super) async fn taken(&self, of: &Survey) -> Result<Sizes> {
        let (mut sizes, volumes) = tokio::try_join!(self.written(of), self.disk_usage())?;
        sizes.extend(volumes.unwrap_or_default().sizes());
        Ok(sizes)
    }

    /// What the volumes of our workspaces take together; `None` where the engine cannot say that alone.
    pub(super) async fn taken_by_volumes(&self) -> Result<Option<u64>> {
        let Some(usage) = self.disk_usage().await? else { return Ok(None) };
        let ours = usage.all_volumes().filter(|volume| volume.workspace(&self.prefix).is_some());
        Ok(Some(ours.filter_map(Volume::size).sum()))
    }

    /// What the containers of a survey have written.
    async fn written(&self, of: &Survey) -> Result<Sizes> {
        let containers = of.leavings.iter().filter(|leaving| leaving.kind == Kind::Container);
        let ids = containers.map(|leaving| &leaving.id).chain(of.to_finish.iter().map(|workspace| &workspace.id));
        let ids: Vec<_> = ids.collect();
        if ids.is_empty() {
            return Ok(Sizes::new());
        }
        let filters = encode(&json!({ "id": ids }).to_string());
        let path = format!("/containers/json?all=1&size=1&filters={filters}");
        let listed: Option<Vec<Sized>> = self.engine.get(&path, COUNT).await?;
        Ok(listed.unwrap_or_default().iter().filter_map(Sized::size).collect())
    }

    /// What volumes take; `None` where the engine would count everything else too.
    async fn disk_usage(&self) -> Result<Option<DiskUsage>> {
        if self.engine.counts_volumes_alone() {
            self.engine.get("/system/df?type=volume&verbose=true", COUNT).await
        } else {
            Ok(None)
        }
    }

    async fn volumes_of(&self, filters: serde_json::Value, doing: &str) -> Result<Vec<Volume>> {
        let path = format!("/volumes?filters={}", encode(&filters.to_string()));
        let volumes: Option<Volumes> = self.engine.get(&path, doing).await?;
        Ok(volumes.and_then(|volumes| volumes.volumes).unwrap_or_default())
    }

    /// Removes a leaving, unless something uses it by now: the engine refuses volumes that are mounted and, when it is
    /// not forced, containers that run.
    pub(super) async fn cleared(&self, leaving: &Leaving) -> Result<Cleared> {
        let removed = |removed: bool| if removed { Cleared::Removed } else { Cleared::Gone };
        match (leaving.kind, leaving.reason) {
            (Kind::Volume, _) => self.clear_gently(&format!("/volumes/{}", encode(&leaving.id)), leaving).await,
            (Kind::Container, Reason::NeverStarted) => {
                let path = format!("/containers/{}/json", leaving.id);
                let Some(found) = self.engine.get::<Inspected>(&path, &doing(leaving)).await? else {
                    return Ok(Cleared::Gone);
                };
                if found.into_workspace().status != WorkspaceStatus::Creating {
                    return Ok(Cleared::InUse("it has been started meanwhile".to_owned()));
                }
                self.clear_gently(&format!("/containers/{}?v=true", leaving.id), leaving).await
            }
            (Kind::Container | Kind::Folder, _) => self.remove_container(&leaving.id, &leaving.name).await.map(removed),
        }
    }

    async fn clear_gently(&self, path: &str, leaving: &Leaving) -> Result<Cleared> {
        let doing = doing(leaving);
        match self.order_away(path, &doing).await? {
            Ok(()) => Ok(Cleared::Removed),
            Err(refused) if refused.status == 404 => Ok(Cleared::Gone),
            Err(refused) if refused.status == 409 => Ok(Cleared::InUse(refused.message)),
            Err(refused) => Err(self.engine.explain_refusal(&refused, &doing)),
        }
    }
}

const COUNT: &str = "ask what takes the space";

fn doing(leaving: &Leaving) -> String {
    format!("remove the {} {}", leaving.kind.as_str(), leaving.name)
}

impl Volume {
    fn size(&self) -> Option<u64> {
        self.usage_data.as_ref()?.size.and_then(|size| u64::try_from(size).ok())
    }
}

impl DiskUsage {
    fn all_volumes(&self) -> impl Iterator<Item = &Volume> {
        let newer = self.volume_usage.iter().filter_map(|usage| usage.items.as_ref());
        self.volumes.iter().chain(newer).flatten()
    }

    fn sizes(self) -> Sizes {
        self.all_volumes().filter_map(|volume| Some(((Kind::Volume, volume.name.clone()), volume.size()?))).collect()
    }
}

impl Sized {
    fn size(&self) -> Option<((Kind, String), u64)> {
        let name = self.names.as_ref()?.first()?.trim_start_matches('/').to_owned();
        // An engine leaves a zero out, and says -1 where it does not know.
        Some(((Kind::Container, name), u64::try_from(self.written.unwrap_or(0)).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = r#"{"image":"i","path":"/work/o/r","clones":true}"#;

    fn containers(json: serde_json::Value) -> Vec<Listed> {
        serde_json::from_value(json).unwrap()
    }

    fn volumes(json: serde_json::Value) -> Vec<Volume> {
        serde_json::from_value(json).unwrap()
    }

    fn found(containers: Vec<Listed>, dangling: Vec<Volume>) -> Vec<(String, Reason)> {
        let survey = classify(containers, dangling, &Prefix::parse("agent-ws").unwrap());
        let half = survey.to_finish.into_iter().map(|workspace| (workspace.name, Reason::HalfMade));
        survey.leavings.into_iter().map(|leaving| (leaving.name, leaving.reason)).chain(half).collect()
    }

    fn ours(name: &str, state: &str, spec: &str) -> serde_json::Value {
        json!({
            "Id": "1", "Names": [format!("/{name}")], "Created": 1, "State": state,
            "Labels": {
                "agent-kit.workspace": "1", "agent-workspace.version": "0.2.0", "agent-workspace.create-id": "0a",
                "agent-workspace.spec": spec
            },
            "Mounts": [{ "Name": format!("{name}-work"), "Destination": "/work" }]
        })
    }

    #[test]
    fn only_what_is_ours_and_not_in_use_is_left_over() {
        let viewer = json!({ "Id": "2", "Names": ["/v"], "State": "running", "Labels": {
            "agent-workspace.view": "agent-ws-a", "agent-workspace.create-id": "0b", "agent-kit.workspace": "" } });
        let elsewhere = json!({ "Id": "3", "Names": ["/v2"], "State": "running", "Labels": {
            "agent-workspace.view": "team-a", "agent-workspace.create-id": "0b" } });
        let old = json!({ "Id": "4", "Names": ["/agent-ws-old"], "State": "created",
            "Labels": { "agent-kit.workspace": "1" }, "Mounts": [{ "Name": "agent-ws-old-work", "Destination": "/work" }] });
        let mut copy = ours("agent-ws-copy", "created", SPEC);
        copy["Mounts"] = json!([]);
        let all = json!([
            viewer,
            elsewhere,
            old,
            copy,
            ours("agent-ws-a", "created", "{}"),
            ours("team-a", "created", "{}"),
            ours("agent-ws-plain", "running", "{}"),
            ours("agent-ws-half", "running", SPEC),
            ours("agent-ws-off", "exited", SPEC),
            ours("agent-ws-ice", "paused", SPEC)
        ]);
        let expected = [
            ("v", Reason::Viewer),
            ("agent-ws-a", Reason::NeverStarted),
            ("agent-ws-half", Reason::HalfMade),
            ("agent-ws-off", Reason::HalfMade),
        ];
        assert_eq!(found(containers(all), Vec::new()), expected.map(|(name, reason)| (name.to_owned(), reason)));
    }

    #[test]
    fn volumes_are_ours_by_their_labels_or_by_name_where_they_have_none() {
        let marked = |name: &str, workspace: &str| {
            json!({ "Name": name, "CreatedAt": "2026-11-24T04:00:00+01:00",
            "Labels": { "agent-kit.workspace": workspace, "agent-workspace.create-id": "0a" } })
        };
        let all = json!([
            marked("agent-ws-a-work", "agent-ws-a"), marked("agent-ws-used-work", "agent-ws-used"),
            marked("team-a-work", "team-a"), marked("data", "agent-ws-a"),
            { "Name": "agent-ws-old-home", "Labels": null }, { "Name": "agent-ws-cache", "Labels": {} },
            { "Name": "agent-ws-theirs-work", "Labels": { "owner": "them" } }
        ]);
        let used = json!([{ "Id": "9", "Names": ["/x"], "Mounts": [{ "Name": "agent-ws-used-work" }] }]);
        let survey = classify(containers(used), volumes(all), &Prefix::parse("agent-ws").unwrap());
        let leavings: Vec<_> = survey
            .leavings
            .iter()
            .map(|leaving| (leaving.name.as_str(), leaving.create_id.as_deref(), leaving.made_at))
            .collect();
        assert_eq!(leavings, [("agent-ws-a-work", Some("0a"), Some(1_795_489_200)), ("agent-ws-old-home", None, None)]);
    }

    #[test]
    fn sizes_are_read_from_engines_of_either_kind() {
        let older = json!({
            "Volumes": [{ "Name": "a", "UsageData": { "Size": 7, "RefCount": 0 } }, { "Name": "b", "UsageData": { "Size": -1 } }]
        });
        let newer = json!({
            "VolumeUsage": { "Items": [{ "Name": "a", "UsageData": { "Size": 7 } }, { "Name": "b" }] }
        });
        for json in [older, newer] {
            let sizes = serde_json::from_value::<DiskUsage>(json).unwrap().sizes();
            assert_eq!(sizes, Sizes::from([((Kind::Volume, "a".to_owned()), 7)]));
        }
        assert_eq!(serde_json::from_value::<DiskUsage>(json!({})).unwrap().sizes(), Sizes::new());
        let listed = json!([{ "Names": ["/c"], "SizeRw": 5 }, { "Names": ["/d"] }, { "Names": ["/e"], "SizeRw": -1 }]);
        let listed: Vec<Sized> = serde_json::from_value(listed).unwrap();
        let sizes: Vec<_> = listed.iter().filter_map(Sized::size).collect();
        assert_eq!(sizes, [("c", 5), ("d", 0)].map(|(name, size)| ((Kind::Container, name.to_owned()), size)));
    }
}
