//! Workspaces as containers: how one is recognised and read.

use std::collections::BTreeMap;

use agent_workspace_contract::{Isolation as Walls, Problem, WorkspaceStatus};
use jiff::Timestamp;
use serde::Deserialize;

use super::labels::{
    LABEL_CREATE_ID, LABEL_READY, LABEL_REPO, LABEL_SPEC, LABEL_VERSION, LABEL_VIEW, LABEL_WORKSPACE, volume_names,
};
use super::walls;
use crate::backend::{Mounted, RecordedSpec, SECRET_DIR, Secrets, USER, WORK, Workspace, is_elsewhere};
use crate::machine::Places;

/// What we read of a container when asking for one. Everything optional: engines differ, and what is missing is null.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Inspected {
    pub(super) id: String,
    name: String,
    created: Option<String>,
    image: Option<String>,
    config: Config,
    state: State,
    mounts: Option<Vec<MountPoint>>,
    host_config: walls::Said,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    image: Option<String>,
    user: Option<String>,
    env: Option<Vec<String>>,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct State {
    status: Option<String>,
    exit_code: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct MountPoint {
    #[serde(rename = "Type")]
    kind: Option<String>,
    name: Option<String>,
    source: Option<String>,
    destination: Option<String>,
    #[serde(rename = "RW")]
    writable: Option<bool>,
}

/// What we read of a container in a list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) names: Option<Vec<String>>,
    image: Option<String>,
    created: Option<i64>,
    state: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    mounts: Option<Vec<MountPoint>>,
}

impl Inspected {
    /// Its name without the engine's slash.
    pub(super) fn name(&self) -> &str {
        self.name.trim_start_matches('/')
    }

    /// When the engine began to make it, as the engine writes it.
    pub(super) fn created(&self) -> Option<Timestamp> {
        self.created.as_deref()?.parse().ok()
    }

    /// How its first command ended, if it has.
    pub(super) fn exit_code(&self) -> Option<i64> {
        self.state.exit_code
    }

    /// The workspace it is.
    pub(super) fn into_workspace(self) -> Workspace {
        let name = self.name().to_owned();
        let labels = self.config.labels.unwrap_or_default();
        // Fractions of seconds are cut, so that all times have one form.
        let created = self.created.and_then(|text| text.parse::<Timestamp>().ok()).map(Timestamp::as_second);
        let isolation = self.host_config.isolation();
        let mounts = self.mounts;
        let status = self.state.status.as_deref();
        let mut workspace = workspace(self.id, name, labels, self.config.image, status, created, mounts.as_deref());
        workspace.secrets = secrets(workspace.recorded.as_ref(), self.config.env.as_deref(), mounts.as_deref());
        workspace.isolation = isolation;
        workspace.image_id = self.image.filter(|image| !image.is_empty());
        let configured = self.config.user.as_deref();
        workspace.user = match (workspace.made_by_us, configured) {
            (true, _) => user(workspace.recorded.as_ref(), configured),
            // Nobody made a user in what an earlier launcher left.
            (false, None | Some("")) => "root".to_owned(),
            (false, Some(configured)) => configured.to_owned(),
        };
        workspace
    }
}

impl Listed {
    /// Whether it only looks into a workspace.
    pub(super) fn is_view(&self) -> bool {
        self.labels.as_ref().is_some_and(|labels| labels.contains_key(LABEL_VIEW))
    }

    /// The workspace that it only looks into, when that is all it does.
    pub(super) fn looks_into(&self) -> Option<&str> {
        self.labels.as_ref()?.get(LABEL_VIEW).map(String::as_str)
    }

    /// Every volume it mounts.
    pub(super) fn mounted(&self) -> impl Iterator<Item = &str> {
        self.mounts.iter().flatten().filter_map(|mount| mount.name.as_deref())
    }

    /// When it was made, in seconds since 1970.
    pub(super) fn created(&self) -> Option<i64> {
        self.created
    }

    /// The workspace it is. Its user is not known from a list and is the default one here.
    pub(super) fn into_workspace(self) -> Workspace {
        let name = self.names.unwrap_or_default().first().map(|name| name.trim_start_matches('/').to_owned());
        workspace(
            self.id,
            name.unwrap_or_default(),
            self.labels.unwrap_or_default(),
            self.image,
            self.state.as_deref(),
            self.created,
            self.mounts.as_deref(),
        )
    }
}

fn workspace(
    id: String,
    name: String,
    labels: BTreeMap<String, String>,
    image: Option<String>,
    state: Option<&str>,
    created: Option<i64>,
    mounts: Option<&[MountPoint]>,
) -> Workspace {
    let status = status(state);
    let recorded: Option<RecordedSpec> = labels.get(LABEL_SPEC).and_then(|text| serde_json::from_str(text).ok());
    let repo = labels.get(LABEL_REPO).filter(|repo| !repo.is_empty()).cloned();
    let path = match &recorded {
        Some(recorded) => Some(recorded.path.clone()),
        // Where the first launcher put its clones.
        None => Some(repo.as_ref().map_or_else(|| WORK.to_owned(), |repo| format!("{WORK}/{repo}"))),
    };
    let own = volume_names(&name);
    let mounts: Vec<Mounted> = mounts
        .unwrap_or_default()
        .iter()
        .filter_map(|mount| Some(Mounted { volume: mount.name.clone()?, at: mount.destination.clone()? }))
        // An image may declare volumes of its own below them, which have no name that anybody gave.
        .filter(|mounted| own.contains(&mounted.volume) || !is_elsewhere(&mounted.at))
        .collect();
    let volumes = mounts.iter().filter(|mounted| own.contains(&mounted.volume));
    Workspace {
        id,
        status,
        repo,
        path,
        // An image that was removed since shows only as an id in lists; the name asked for says more.
        image: recorded.as_ref().map(|recorded| recorded.image.clone()).or(image),
        // What was never made, or before there were engines, is not known.
        created_at: created
            .filter(|second| *second > 0)
            .and_then(|second| Timestamp::from_second(second).ok())
            .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        user: USER.to_owned(),
        ready_made: labels.contains_key(LABEL_READY),
        marked: labels.contains_key(LABEL_WORKSPACE) && !labels.contains_key(LABEL_VIEW),
        unlabelled: labels.is_empty(),
        create_id: labels.get(LABEL_CREATE_ID).cloned(),
        made_by_us: labels.contains_key(LABEL_VERSION),
        volumes: volumes.map(|mounted| mounted.volume.clone()).collect(),
        mounts,
        image_id: None,
        recorded,
        isolation: Walls::Unknown,
        secrets: None,
        places: Places::default(),
        problems: problems(&name, status, state),
        name,
    }
}

/// The secrets that are really mounted: what the engine says is where they were asked for. What the first launcher
/// made says in its environment where that is.
fn secrets(recorded: Option<&RecordedSpec>, env: Option<&[String]>, mounts: Option<&[MountPoint]>) -> Option<Secrets> {
    let asked = recorded.and_then(|recorded| recorded.secrets.as_ref()).map(|secrets| secrets.mount.as_str());
    let said = || env?.iter().find_map(|line| line.strip_prefix(SECRET_DIR)?.strip_prefix('='));
    let place = asked.or_else(said)?.trim_end_matches('/');
    let mount = mounts?.iter().find(|mount| {
        mount.kind.as_deref() == Some("bind") && mount.destination.as_deref().is_some_and(|there| there == place)
    })?;
    Some(Secrets {
        dir: mount.source.clone().unwrap_or_default(),
        mount: place.to_owned(),
        readonly: mount.writable == Some(false),
    })
}

/// Who commands run as: the user asked for, else the image's own unless that is root, else `agent`.
fn user(recorded: Option<&RecordedSpec>, configured: Option<&str>) -> String {
    let asked = recorded.and_then(|recorded| recorded.user.clone());
    asked.unwrap_or_else(|| match configured {
        None | Some("" | "root" | "0" | "0:0" | "root:root") => USER.to_owned(),
        Some(user) => user.to_owned(),
    })
}

fn status(state: Option<&str>) -> WorkspaceStatus {
    match state {
        Some("created" | "configured" | "initialized") => WorkspaceStatus::Creating,
        Some("running" | "restarting") => WorkspaceStatus::Running,
        Some("paused") => WorkspaceStatus::Paused,
        Some("exited" | "stopped" | "stopping" | "removing") => WorkspaceStatus::Stopped,
        Some("dead") => WorkspaceStatus::Broken,
        _ => WorkspaceStatus::Unknown,
    }
}

fn problems(name: &str, status: WorkspaceStatus, state: Option<&str>) -> Vec<Problem> {
    let problem =
        |code: &str, message: String, hint: String| vec![Problem { code: code.to_owned(), message, hint: Some(hint) }];
    match status {
        WorkspaceStatus::Creating => problem(
            "never_started",
            "it was made but never started: its create is at work or was cut off".to_owned(),
            format!("agent-workspace start {name}"),
        ),
        WorkspaceStatus::Broken => problem(
            "container_dead",
            "the engine failed to remove it and cannot start it".to_owned(),
            format!("agent-workspace rm --force {name}"),
        ),
        WorkspaceStatus::Unknown => problem(
            "unknown_state",
            format!("the engine says it is {:?}, which this launcher does not know", state.unwrap_or_default()),
            format!("docker inspect {name}"),
        ),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::body::create_body;
    use super::super::body::tests::{PLAIN, spec};
    use super::*;
    use crate::backend::Spec;

    #[test]
    fn what_was_asked_for_can_be_read_back() {
        let spec = Spec { user: Some("me".to_owned()), memory: Some(1 << 30), ..spec() };
        let labels = create_body(&spec, PLAIN, Timestamp::UNIX_EPOCH).labels.unwrap();
        let json = serde_json::json!({
            "Id": "abc", "Name": "/agent-ws-demo", "Created": "2026-01-22T08:46:52.123456789Z",
            "Config": { "Image": "sha256:0", "User": "", "Labels": labels },
            "State": { "Status": "running" },
            "Mounts": [{ "Name": "agent-ws-demo-work", "Destination": "/work" }, { "Name": "other", "Destination": "/x" }]
        });
        let read = serde_json::from_value::<Inspected>(json).unwrap().into_workspace();
        assert_eq!(read.recorded, Some(RecordedSpec::from(&spec)));
        assert_eq!((read.user.as_str(), read.created_at.as_deref()), ("me", Some("2026-01-22T08:46:52Z")));
        assert_eq!(read.image.as_deref(), Some("debian:bookworm-slim"));
        assert_eq!(read.volumes, ["agent-ws-demo-work"]);
    }

    #[test]
    fn a_workspace_of_the_first_launcher_is_read_by_its_labels() {
        let json = serde_json::json!({
            "Id": "abc", "Names": ["/agent-ws-old"], "Image": "img", "Created": 1_769_071_612, "State": "exited",
            "Labels": { "agent-kit.workspace": "1", "agent-kit.repo": "o/r", "agent-kit.created-at": "20260122-084652" }
        });
        let read = serde_json::from_value::<Listed>(json).unwrap().into_workspace();
        assert_eq!(read.path.as_deref(), Some("/work/o/r"));
        assert_eq!(read.created_at.as_deref(), Some("2026-01-22T08:46:52Z"));
        assert_eq!(read.status, WorkspaceStatus::Stopped);
    }

    #[test]
    fn secrets_are_what_the_engine_says_is_mounted_and_not_what_was_asked_for() {
        let read = |labels: serde_json::Value, env: &[&str], mounts: serde_json::Value| {
            let json = serde_json::json!({
                "Id": "abc", "Name": "/agent-ws-x", "Config": { "Labels": labels, "Env": env }, "Mounts": mounts
            });
            serde_json::from_value::<Inspected>(json).unwrap().into_workspace().secrets
        };
        let bind = |rw| serde_json::json!([{ "Type": "bind", "Source": "/s", "Destination": "/m", "RW": rw }]);
        let is = |readonly| Some(Secrets { dir: "/s".to_owned(), mount: "/m".to_owned(), readonly });
        let first = serde_json::json!({ "agent-kit.workspace": "1" });
        assert_eq!(read(first.clone(), &["A=1", "CODEX_SECRET_DIR=/m"], bind(true)), is(false));
        let asked = r#"{"secrets":{"dir":"/other","mount":"/m","readonly":false}}"#;
        let ours = serde_json::json!({ "agent-workspace.spec": asked });
        assert_eq!(read(ours.clone(), &[], bind(false)), is(true));
        assert_eq!(read(ours, &[], serde_json::json!([])), None);
        let volume = serde_json::json!([{ "Type": "volume", "Name": "v", "Destination": "/m", "RW": true }]);
        assert_eq!(read(first.clone(), &["CODEX_SECRET_DIR=/m"], volume), None);
        assert_eq!(read(first, &[], bind(true)), None);
    }

    #[test]
    fn a_state_of_tomorrow_is_a_row_with_a_problem_and_not_a_failure() {
        let json = serde_json::json!({ "Id": "abc", "Names": ["/agent-ws-x"], "State": "hibernating", "Labels": null });
        let read = serde_json::from_value::<Listed>(json).unwrap().into_workspace();
        assert_eq!(read.status, WorkspaceStatus::Unknown);
        assert_eq!(read.problems[0].code, "unknown_state");
    }

    #[test]
    fn a_time_before_there_were_engines_is_not_known() {
        let created_at = |created: i64| {
            let json = serde_json::json!({ "Id": "abc", "Names": ["/agent-ws-x"], "Created": created });
            serde_json::from_value::<Listed>(json).unwrap().into_workspace().created_at
        };
        assert_eq!(created_at(-90_000_000_000), None);
        assert_eq!(created_at(i64::MAX), None);
        assert_eq!(created_at(1_769_071_612).as_deref(), Some("2026-01-22T08:46:52Z"));
    }

    #[test]
    fn commands_run_as_the_images_user_unless_that_is_root() {
        assert_eq!(user(None, Some("")), "agent");
        assert_eq!(user(None, Some("root")), "agent");
        assert_eq!(user(None, Some("vscode")), "vscode");
        let asked = RecordedSpec { user: Some("root".to_owned()), ..RecordedSpec::default() };
        assert_eq!(user(Some(&asked), Some("root")), "root");
    }
}
