//! Containers as an engine knows them, and as tests put them there.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::guest::Reply;

/// A container.
#[derive(Clone, Debug)]
pub struct Container {
    /// The engine's id of it, 64 hex digits.
    pub id: String,
    /// Its name, without the engine's slash.
    pub name: String,
    /// Its labels; `None` is what some engines say instead of an empty map.
    pub labels: Option<BTreeMap<String, String>>,
    /// `created`, `running`, `exited`, `paused`, or whatever a test says.
    pub state: String,
    pub(super) image: String,
    pub(super) user: String,
    pub(super) mounts: Vec<(String, String)>,
    pub(super) env: Vec<String>,
    /// Folders of the host: where from, where to, and whether they can be written.
    pub(super) binds: Vec<(String, String, bool)>,
    pub(super) network: Option<String>,
    joined: Vec<String>,
    abandoned: bool,
    pub(super) created: i64,
}

impl Container {
    /// A running container that is nobody's workspace, with somebody else's label.
    pub fn stranger(name: &str) -> Self {
        Self {
            id: String::new(),
            name: name.to_owned(),
            labels: Some(BTreeMap::from([("com.docker.compose.project".to_owned(), "shop".to_owned())])),
            state: "running".to_owned(),
            image: "postgres:16".to_owned(),
            user: String::new(),
            mounts: Vec::new(),
            env: Vec::new(),
            binds: Vec::new(),
            network: None,
            joined: Vec::new(),
            abandoned: false,
            created: 0,
        }
    }

    /// A running workspace of the default prefix, as this launcher makes them without a repository.
    pub fn workspace(short: &str) -> Self {
        Self::old_workspace(short).label("agent-workspace.version", "0").label("agent-workspace.ready", "1")
    }

    /// A running workspace of the default prefix, as the first launcher made them.
    pub fn old_workspace(short: &str) -> Self {
        Self::unmarked(&format!("agent-ws-{short}")).label("agent-kit.workspace", "1")
    }

    /// A running workspace of a launcher that set no labels: its name and its volumes say what it is.
    pub fn unmarked(name: &str) -> Self {
        let mounts =
            vec![(format!("{name}-work"), "/work".to_owned()), (format!("{name}-home"), "/home/agent".to_owned())];
        let labels = Some(BTreeMap::new());
        Self { labels, mounts, image: "ready:1".to_owned(), user: "agent".to_owned(), ..Self::stranger(name) }
    }

    /// The same with a label more.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.get_or_insert_default().insert(key.to_owned(), value.to_owned());
        self
    }

    /// The same with a variable more.
    #[must_use]
    pub fn env(mut self, line: &str) -> Self {
        self.env.push(line.to_owned());
        self
    }

    /// The same with a folder of the host in it.
    #[must_use]
    pub fn bind(mut self, source: &str, target: &str, writable: bool) -> Self {
        self.binds.push((source.to_owned(), target.to_owned(), writable));
        self
    }

    /// The same in another state.
    #[must_use]
    pub fn state(mut self, state: &str) -> Self {
        state.clone_into(&mut self.state);
        self
    }

    /// The same with a volume more.
    #[must_use]
    pub fn mounting(mut self, volume: &str, at: &str) -> Self {
        self.mounts.push((volume.to_owned(), at.to_owned()));
        self
    }

    /// The same without any volume, as some launchers made them.
    #[must_use]
    pub fn without_volumes(mut self) -> Self {
        self.mounts.clear();
        self
    }

    /// The same, with `null` for its labels.
    #[must_use]
    pub fn null_labels(mut self) -> Self {
        self.labels = None;
        self
    }

    /// What the script says that notes who counts on a workspace.
    pub(super) fn joined(&mut self, verb: &str, id: &str) -> Reply {
        let status = match verb {
            "join" if self.abandoned => 81,
            "join" => {
                self.joined.push(id.to_owned());
                0
            }
            "leave" => {
                self.joined.retain(|joined| joined != id);
                if self.abandoned && self.joined.is_empty() { 0 } else { 82 }
            }
            _ => {
                self.abandoned = true;
                if self.joined.is_empty() { 0 } else { 82 }
            }
        };
        Reply::fails(status, "")
    }

    fn mounts(&self) -> Value {
        let volumes = self
            .mounts
            .iter()
            .map(|(volume, target)| json!({ "Type": "volume", "Name": volume, "Destination": target, "RW": true }));
        let binds = self
            .binds
            .iter()
            .map(|(from, to, rw)| json!({ "Type": "bind", "Source": from, "Destination": to, "RW": rw }));
        volumes.chain(binds).collect()
    }

    /// When it was made, where the launcher's own label says it; others were made long ago.
    fn made(&self) -> Option<&str> {
        let made = self.labels.as_ref()?.get("agent-kit.created-at")?;
        made.ends_with('Z').then_some(made)
    }

    /// What the engine says of it when it is asked for.
    pub fn inspected(&self) -> Value {
        let made = self.made().unwrap_or("2026-01-22T08:46:52.123456789Z");
        json!({
            "Id": self.id, "Name": format!("/{}", self.name), "Created": made,
            "Config": { "Image": self.image, "User": self.user, "Env": self.env, "Labels": self.labels },
            "Image": format!("sha256:{}", self.image),
            "State": { "Status": self.state, "ExitCode": 0 },
            "Mounts": self.mounts(),
        })
    }

    /// What the engine says of it in a list.
    pub(super) fn listed(&self) -> Value {
        json!({
            "Id": self.id, "Names": [format!("/{}", self.name)], "Image": self.image, "Created": self.created,
            "State": self.state, "Labels": self.labels, "Mounts": self.mounts(),
        })
    }
}
