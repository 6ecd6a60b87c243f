//! Workspaces as containers: what is asked of the engine when one is made, and how one is recognised and read.

use std::collections::{BTreeMap, HashMap};

use agent_workspace_contract::{Problem, WorkspaceStatus};
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions};
use jiff::Timestamp;
use serde::Deserialize;

use crate::backend::{HOME, RecordedSpec, Spec, USER, WORK, Workspace};
use crate::capabilities::VERSION;
use crate::workspace::name::hostname;

/// Marks workspaces; the first launcher's label, so that each finds the other's.
pub(super) const LABEL_WORKSPACE: &str = "agent-kit.workspace";
const LABEL_REPO: &str = "agent-kit.repo";
const LABEL_CREATED_AT: &str = "agent-kit.created-at";
const LABEL_VERSION: &str = "agent-workspace.version";
const LABEL_SPEC: &str = "agent-workspace.spec";
/// The mark of the one call that made a thing.
pub(super) const LABEL_CREATE_ID: &str = "agent-workspace.create-id";
/// On an image: made for workspaces, with the user, the folders and their owner in place.
pub(super) const LABEL_READY: &str = "agent-workspace.ready";

/// Keeps a container alive without doing anything, and ends at once on SIGTERM. `sleep infinity` is not everywhere.
const KEEP_ALIVE: &str = "trap 'exit 0' TERM INT; while :; do sleep 86400 & wait $!; done";

/// How a container is made when the plain way does not work with this engine or image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    /// Whether the engine puts its own init before the command. Without one, stopping takes as long as it may.
    pub(super) init: bool,
    /// Whether the image's own entrypoint runs before the command.
    pub(super) entrypoint: bool,
}

/// The volumes of a workspace and where each is mounted.
pub(super) fn volumes(name: &str) -> [(String, &'static str); 2] {
    [(format!("{name}-work"), WORK), (format!("{name}-home"), HOME)]
}

/// Every volume name that a launcher ever gave to a workspace of this name.
pub(super) fn volume_names(name: &str) -> [String; 3] {
    [format!("{name}-work"), format!("{name}-home"), format!("{name}-agent-home")]
}

/// What is asked of the engine for a new workspace.
pub(super) fn create_body(spec: &Spec, variant: Variant, now: Timestamp) -> ContainerCreateBody {
    let mut labels: HashMap<String, String> = spec.labels.iter().cloned().collect();
    let recorded = serde_json::to_string(&RecordedSpec::from(spec)).unwrap_or_default();
    labels.extend([
        (LABEL_WORKSPACE.to_owned(), "1".to_owned()),
        (LABEL_CREATED_AT.to_owned(), now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        (LABEL_VERSION.to_owned(), VERSION.to_owned()),
        (LABEL_CREATE_ID.to_owned(), spec.create_id.clone()),
        (LABEL_SPEC.to_owned(), recorded),
    ]);
    labels.extend(spec.repo.iter().map(|repo| (LABEL_REPO.to_owned(), repo.clone())));

    let fixed_env = [
        ("HOME", HOME.to_owned()),
        ("AGENT_HOME", format!("{HOME}/.agents")),
        ("CODEX_AUTH_FILE", format!("{HOME}/.codex/auth.json")),
    ];
    let env = fixed_env
        .into_iter()
        .filter(|(name, _)| spec.env.iter().all(|(given, _)| given != name))
        .map(|(name, value)| format!("{name}={value}"))
        .chain(spec.env.iter().map(|(name, value)| format!("{name}={value}")))
        .collect();

    let mount = |(source, target): (String, &str)| Mount {
        typ: Some(MountType::VOLUME),
        source: Some(source),
        target: Some(target.to_owned()),
        volume_options: Some(MountVolumeOptions {
            // The engine puts them on volumes that it makes with this container and on no older one, so that undoing
            // a failed create never takes a volume that was there before.
            labels: Some(HashMap::from([
                (LABEL_WORKSPACE.to_owned(), spec.name.clone()),
                (LABEL_CREATE_ID.to_owned(), spec.create_id.clone()),
            ])),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    };

    ContainerCreateBody {
        // On the host's network the host's name holds.
        hostname: (spec.network.as_deref() != Some("host")).then(|| hostname(&spec.name).0),
        image: Some(spec.image.as_str().to_owned()),
        user: spec.user.clone(),
        working_dir: Some(WORK.to_owned()),
        env: Some(env),
        labels: Some(labels),
        // One empty word is how an engine is told to forget the image's entrypoint.
        entrypoint: (!variant.entrypoint).then(|| vec![String::new()]),
        cmd: Some(["sh", "-c", KEEP_ALIVE].map(str::to_owned).to_vec()),
        host_config: Some(HostConfig {
            init: Some(variant.init),
            mounts: Some(volumes(&spec.name).map(mount).to_vec()),
            network_mode: spec.network.clone(),
            nano_cpus: spec.nano_cpus,
            memory: spec.memory,
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// What we read of a container when asking for one. Everything optional: engines differ, and what is missing is null.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Inspected {
    pub(super) id: String,
    name: String,
    created: Option<String>,
    config: Config,
    state: State,
    mounts: Option<Vec<MountPoint>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    image: Option<String>,
    user: Option<String>,
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
    name: Option<String>,
    destination: Option<String>,
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
        let mut workspace =
            workspace(self.id, name, labels, self.config.image, self.state.status.as_deref(), created, self.mounts);
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
            self.mounts,
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
    mounts: Option<Vec<MountPoint>>,
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
    let volumes = mounts
        .unwrap_or_default()
        .into_iter()
        .filter(|mount| mount.destination.is_some())
        .filter_map(|mount| mount.name)
        .filter(|volume| own.contains(volume))
        .collect();
    Workspace {
        id,
        status,
        repo,
        path,
        // An image that was removed since shows only as an id in lists; the name asked for says more.
        image: recorded.as_ref().map(|recorded| recorded.image.clone()).or(image),
        created_at: created
            .and_then(|second| Timestamp::from_second(second).ok())
            .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        user: USER.to_owned(),
        ready_made: labels.contains_key(LABEL_READY),
        marked: labels.contains_key(LABEL_WORKSPACE),
        unlabelled: labels.is_empty(),
        create_id: labels.get(LABEL_CREATE_ID).cloned(),
        made_by_us: labels.contains_key(LABEL_VERSION),
        volumes,
        recorded,
        problems: problems(&name, status, state),
        name,
    }
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
    use super::*;
    use crate::workspace::ImageRef;

    fn spec() -> Spec {
        Spec {
            name: "agent-ws-demo".to_owned(),
            create_id: "0123".to_owned(),
            image: ImageRef::parse("debian:bookworm-slim").unwrap(),
            fetch: true,
            default_image: false,
            repo: Some("o/r".to_owned()),
            repo_host: Some("github.com".to_owned()),
            path: "/work/o/r".to_owned(),
            user: None,
            nano_cpus: None,
            memory: None,
            network: None,
            env: vec![("TOKEN".to_owned(), "canary".to_owned()), ("HOME".to_owned(), "/h".to_owned())],
            labels: Vec::new(),
        }
    }

    const PLAIN: Variant = Variant { init: true, entrypoint: true };

    #[test]
    fn old_tools_find_new_workspaces_by_their_labels() {
        let labels = create_body(&spec(), PLAIN, Timestamp::UNIX_EPOCH).labels.unwrap();
        assert_eq!(labels["agent-kit.workspace"], "1");
        assert_eq!(labels["agent-kit.repo"], "o/r");
        assert_eq!(labels["agent-kit.created-at"], "1970-01-01T00:00:00Z");
    }

    #[test]
    fn values_of_variables_are_not_written_into_labels() {
        let body = create_body(&spec(), PLAIN, Timestamp::UNIX_EPOCH);
        assert!(!format!("{:?}", body.labels).contains("canary"));
        let env = body.env.unwrap();
        assert!(env.contains(&"TOKEN=canary".to_owned()));
        assert_eq!(env.iter().filter(|line| line.starts_with("HOME=")).count(), 1, "{env:?}");
    }

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
    fn a_state_of_tomorrow_is_a_row_with_a_problem_and_not_a_failure() {
        let json = serde_json::json!({ "Id": "abc", "Names": ["/agent-ws-x"], "State": "hibernating", "Labels": null });
        let read = serde_json::from_value::<Listed>(json).unwrap().into_workspace();
        assert_eq!(read.status, WorkspaceStatus::Unknown);
        assert_eq!(read.problems[0].code, "unknown_state");
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
