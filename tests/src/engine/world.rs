//! What an engine holds, and what it answers to those who ask for it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::container::Container;
use super::guest::{Reply, Script};
use super::http::{Answer, Request};

/// Networks that every engine has.
const BUILT_IN_NETWORKS: [&str; 3] = ["bridge", "host", "none"];

/// Second of the epoch at which the first container is made; each later one is a second younger.
const BEGINNING: i64 = 1_769_071_612;

/// When what tests put there was made.
const LONG_AGO: &str = "2026-01-22T08:46:52Z";
/// What each volume takes.
pub const VOLUME_BYTES: u64 = 4096;
/// What each container has written.
pub const CONTAINER_BYTES: u64 = 512;

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it was made, as engines write it.
    pub created: String,
}

/// An image that is local.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) user: String,
    pub(super) labels: BTreeMap<String, String>,
}

/// How a registry answers.
#[derive(Clone, Debug)]
pub(super) enum Registry {
    /// It gives the image.
    Gives(Image),
    /// It refuses before the stream begins.
    Refuses(u16, String),
    /// It refuses in the middle of the stream.
    Breaks(String),
}

#[derive(Clone, Debug)]
pub(super) struct Exec {
    pub(super) container: String,
    pub(super) argv: Vec<String>,
    pub(super) user: String,
    pub(super) stdin: bool,
    pub(super) ended: Option<i64>,
}

/// Everything an engine holds.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) containers: Vec<Container>,
    pub(super) volumes: Vec<Volume>,
    pub(super) images: BTreeMap<String, Image>,
    pub(super) networks: Vec<String>,
    pub(super) registry: BTreeMap<String, Registry>,
    pub(super) build_failure: Option<String>,
    pub(super) execs: BTreeMap<String, Exec>,
    pub(super) replies: BTreeMap<Script, Reply>,
    /// What is in every container, by path: a tar.
    pub(super) archives: BTreeMap<String, Vec<u8>>,
    /// The version of the API.
    pub(super) api: String,
    /// Names by id, also of containers that are gone.
    pub(super) names: BTreeMap<String, String>,
    made: usize,
}

impl World {
    pub(super) fn add(&mut self, mut container: Container) {
        container.id = self.fresh_id();
        self.names.insert(container.id.clone(), container.name.clone());
        container.created = BEGINNING + i64::try_from(self.made).unwrap_or_default();
        for (volume, _) in &container.mounts {
            self.add_volume(volume, BTreeMap::new());
        }
        self.containers.insert(0, container);
    }

    /// Makes a volume, unless there is one: labels come only on what is made.
    pub(super) fn add_volume(&mut self, name: &str, labels: BTreeMap<String, String>) {
        if self.volumes.iter().all(|volume| volume.name != name) {
            let created = LONG_AGO.to_owned();
            self.volumes.push(Volume { name: name.to_owned(), labels, created });
        }
    }

    fn fresh_id(&mut self) -> String {
        self.made += 1;
        format!("{:064x}", 0xa11_0000_0000_u64 + self.made as u64)
    }

    fn place(&self, name: &str) -> Option<usize> {
        let exact = self.containers.iter().position(|container| container.name == name || container.id == name);
        exact.or_else(|| self.containers.iter().position(|container| name.len() > 3 && container.id.starts_with(name)))
    }

    /// Does what a request asks and says how it went.
    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["containers", "json"]) => self.list(request),
            ("POST", ["containers", "create"]) => self.create(request),
            ("GET", ["containers", name, "json"]) => {
                self.with(name, |container| Answer::Json(200, container.inspected()))
            }
            ("GET", ["containers", name, "archive"]) => match self.archives.get(request.parameter("path")).cloned() {
                _ if self.place(name).is_none() => Answer::refusal(404, &format!("No such container: {name}")),
                Some(tar) => Answer::Tar(tar),
                None => Answer::refusal(404, "Could not find the file in the container"),
            },
            ("HEAD", ["containers", name, "archive"]) => {
                let is_there = self.place(name).is_some() && self.archives.contains_key(request.parameter("path"));
                Answer::Empty(if is_there { 200 } else { 404 })
            }
            ("PUT", ["containers", name, "archive"]) => self.with(name, |_| Answer::Empty(200)),
            ("POST", ["containers", name, verb]) if *verb != "exec" => self.act(name, verb),
            ("DELETE", ["containers", name]) => self.remove(name, request.parameter("force") == "true"),
            ("POST", ["containers", name, "exec"]) => self.create_exec(name, &request.json()),
            ("POST", ["exec", id, "start"]) => self.start_exec(id),
            ("GET", ["exec", id, "json"]) => match self.execs.get(*id) {
                Some(exec) => {
                    Answer::Json(200, json!({ "ID": id, "Running": exec.ended.is_none(), "ExitCode": exec.ended }))
                }
                None => Answer::refusal(404, &format!("No such exec instance: {id}")),
            },
            ("GET", ["volumes"]) => self.list_volumes(request),
            ("GET", ["volumes", name]) => match self.volumes.iter().find(|volume| volume.name == *name) {
                Some(volume) => Answer::Json(200, json!({ "Name": volume.name, "Labels": volume.labels })),
                None => Answer::refusal(404, &format!("get {name}: no such volume")),
            },
            ("DELETE", ["volumes", name]) => self.remove_volume(name),
            ("GET", ["version"]) => Answer::Json(
                200,
                json!({ "Version": "20.10.24", "ApiVersion": self.api, "Os": "linux", "Arch": "amd64" }),
            ),
            ("GET", ["info"]) => Answer::Json(200, json!({ "DockerRootDir": "/" })),
            ("GET", ["system", "df"]) => self.disk_usage(),
            ("GET", ["images", .., "json"]) => self.inspect_image(&request.path),
            ("POST", ["images", "create"]) => self.pull(request),
            ("POST", ["build"]) => self.build(request),
            _ => Answer::refusal(404, "page not found"),
        }
    }

    fn with(&mut self, name: &str, act: impl FnOnce(&mut Container) -> Answer) -> Answer {
        match self.place(name) {
            Some(place) => act(&mut self.containers[place]),
            None => Answer::refusal(404, &format!("No such container: {name}")),
        }
    }

    fn list(&self, request: &Request) -> Answer {
        let filters = filters(request);
        let meets = |container: &&Container| {
            let labels = container.labels.clone().unwrap_or_default();
            has_labels(&labels, &filters["label"])
                && (filters["id"].is_null() || texts(&filters["id"]).contains(&container.id))
                && texts(&filters["volume"])
                    .iter()
                    .all(|volume| container.mounts.iter().any(|(mounted, _)| mounted == volume))
                && texts(&filters["name"]).iter().all(|name| {
                    container.name.starts_with(name.strip_prefix("^/?").expect("names are looked for at the beginning"))
                })
        };
        let mut rows: Vec<Value> = self.containers.iter().filter(meets).map(Container::listed).collect();
        if request.parameter("size") == "1" {
            rows.iter_mut().for_each(|row| row["SizeRw"] = CONTAINER_BYTES.into());
        }
        Answer::Json(200, rows.into())
    }

    fn create(&mut self, request: &Request) -> Answer {
        let name = request.parameter("name").to_owned();
        let body = request.json();
        let image = body["Image"].as_str().unwrap_or_default().trim_start_matches("sha256:").to_owned();
        let Some(Image { user, labels: of_image }) = self.images.get(&image).cloned() else {
            return Answer::refusal(404, &format!("No such image: {image}"));
        };
        if let Some(other) = self.containers.iter().find(|container| container.name == name) {
            let message = format!(
                "Conflict. The container name \"/{name}\" is already in use by container \"{}\". You have to remove \
                 (or rename) that container to be able to reuse that name.",
                other.id
            );
            return Answer::refusal(409, &message);
        }
        let (mut mounts, mut binds) = (Vec::new(), Vec::new());
        for mount in body["HostConfig"]["Mounts"].as_array().into_iter().flatten() {
            let source = mount["Source"].as_str().unwrap_or_default();
            let target = mount["Target"].as_str().unwrap_or_default().to_owned();
            if mount["Type"] == "bind" {
                if !std::path::Path::new(source).exists() {
                    let message = "invalid mount config for type \"bind\": bind source path does not exist: ";
                    return Answer::refusal(400, &format!("{message}{source}"));
                }
                binds.push((source.to_owned(), target, mount["ReadOnly"] != true));
                continue;
            }
            let before = self.volumes.len();
            self.add_volume(source, map(&mount["VolumeOptions"]["Labels"]));
            if let (Some(made), Some(now)) =
                (self.volumes.get_mut(before), body["Labels"]["agent-kit.created-at"].as_str())
            {
                now.clone_into(&mut made.created);
            }
            mounts.push((source.to_owned(), target));
        }
        let mut labels = of_image;
        labels.extend(map(&body["Labels"]));
        let mut container = Container::stranger(&name);
        container.labels = Some(labels);
        "created".clone_into(&mut container.state);
        container.image = image;
        container.user = body["User"].as_str().map_or(user, str::to_owned);
        container.mounts = mounts;
        container.binds = binds;
        container.env = texts(&body["Env"]);
        container.network = body["HostConfig"]["NetworkMode"].as_str().map(str::to_owned);
        self.add(container);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        self.containers[0].created = i64::try_from(now).unwrap_or_default();
        Answer::Json(201, json!({ "Id": self.containers[0].id, "Warnings": [] }))
    }

    fn act(&mut self, name: &str, verb: &str) -> Answer {
        let networks = self.networks.clone();
        self.with(name, |container| {
            let state = container.state.clone();
            let mut turn = |state: &str| {
                state.clone_into(&mut container.state);
                Answer::Empty(204)
            };
            match (verb, state.as_str()) {
                ("start", "running") | ("stop", "exited" | "created") => Answer::Empty(304),
                ("start", "paused") => Answer::refusal(409, "cannot start a paused container, try unpause instead"),
                ("start", _) => {
                    // Engines look for a network when a container starts and not when it is made.
                    match container
                        .network
                        .clone()
                        .filter(|network| !BUILT_IN_NETWORKS.contains(&network.as_str()) && !networks.contains(network))
                    {
                        Some(network) => Answer::refusal(404, &format!("network {network} not found")),
                        None => turn("running"),
                    }
                }
                ("unpause", "paused") => turn("running"),
                ("unpause", _) => Answer::refusal(500, &format!("Container {name} is not paused")),
                ("stop", _) => turn("exited"),
                ("pause", "running") => turn("paused"),
                ("pause", _) => Answer::refusal(409, &format!("Container {name} is not running")),
                _ => Answer::refusal(404, "page not found"),
            }
        })
    }

    fn remove(&mut self, name: &str, force: bool) -> Answer {
        match self.place(name) {
            None => Answer::refusal(404, &format!("No such container: {name}")),
            Some(place) if self.containers[place].state == "running" && !force => Answer::refusal(
                409,
                "You cannot remove a running container. Stop the container before attempting removal",
            ),
            Some(place) => {
                self.containers.remove(place);
                Answer::Empty(204)
            }
        }
    }

    fn create_exec(&mut self, name: &str, body: &Value) -> Answer {
        let Some(place) = self.place(name) else {
            return Answer::refusal(404, &format!("No such container: {name}"));
        };
        let container = self.containers[place].clone();
        if container.state != "running" {
            return Answer::refusal(409, &format!("container {} is not running", container.id));
        }
        let exec = Exec {
            container: container.name,
            argv: texts(&body["Cmd"]),
            user: body["User"].as_str().unwrap_or_default().to_owned(),
            stdin: body["AttachStdin"].as_bool().unwrap_or_default(),
            ended: None,
        };
        let id = self.fresh_id();
        self.execs.insert(id.clone(), exec);
        Answer::Json(201, json!({ "Id": id }))
    }

    fn start_exec(&mut self, id: &str) -> Answer {
        match self.execs.get(id) {
            Some(exec) if self.containers.iter().any(|container| container.name == exec.container) => {
                Answer::Exec(id.to_owned())
            }
            _ => Answer::refusal(404, &format!("No such exec instance: {id}")),
        }
    }

    /// What an exec's command does and says.
    pub(super) fn reply(&mut self, exec: &str) -> Reply {
        let Exec { argv, container, .. } = self.execs[exec].clone();
        let script = Script::of(&argv);
        if let Some(reply) = self.replies.get(&script) {
            return reply.clone();
        }
        let container = self.containers.iter_mut().find(|other| other.name == container);
        match (script, container) {
            (Script::Joined, Some(container)) => container.joined(&argv[4], &argv[6]),
            (Script::Clone, _) => {
                // A clone that is whole leaves itself, and the mark that the workspace is finished.
                let marks = [format!("{}/.git", argv[5]), argv[12].clone()];
                self.archives.extend(marks.map(|path| (path, Vec::new())));
                Reply::good(&argv)
            }
            _ => Reply::good(&argv),
        }
    }

    fn list_volumes(&self, request: &Request) -> Answer {
        let filters = filters(request);
        let names = texts(&filters["name"]);
        let mounted = |name: &str| {
            self.containers.iter().any(|container| container.mounts.iter().any(|(volume, _)| volume == name))
        };
        let dangling = texts(&filters["dangling"]) == ["true"];
        let meets = |volume: &&Volume| {
            !(dangling && mounted(&volume.name))
                && has_labels(&volume.labels, &filters["label"])
                && (names.is_empty() || names.iter().any(|name| volume.name.contains(name.as_str())))
        };
        let rows: Vec<Value> = self
            .volumes
            .iter()
            .filter(meets)
            .map(|volume| json!({ "Name": volume.name, "Driver": "local", "Labels": volume.labels, "CreatedAt": volume.created }))
            .collect();
        // An engine says null when there is none.
        Answer::Json(
            200,
            json!({ "Volumes": if rows.is_empty() { Value::Null } else { rows.into() }, "Warnings": null }),
        )
    }

    fn disk_usage(&self) -> Answer {
        let size = json!({ "Size": VOLUME_BYTES, "RefCount": 0 });
        let volumes = self.volumes.iter();
        let volumes: Vec<Value> =
            volumes.map(|volume| json!({ "Name": volume.name, "Labels": volume.labels, "UsageData": size })).collect();
        Answer::Json(200, json!({ "Volumes": volumes }))
    }

    fn inspect_image(&self, path: &str) -> Answer {
        let name = path.trim_start_matches("/images/").trim_end_matches("/json");
        match self.images.get(name) {
            Some(image) => {
                let config = json!({ "Labels": image.labels });
                Answer::Json(200, json!({ "Id": "sha256:0123456789abcdef", "Created": LONG_AGO, "Config": config }))
            }
            None => Answer::refusal(404, &format!("No such image: {name}")),
        }
    }

    fn remove_volume(&mut self, name: &str) -> Answer {
        let mounted = |container: &&Container| container.mounts.iter().any(|(volume, _)| volume == name);
        if let Some(container) = self.containers.iter().find(mounted) {
            return Answer::refusal(409, &format!("remove {name}: volume is in use - [{}]", container.id));
        }
        let before = self.volumes.len();
        self.volumes.retain(|volume| volume.name != name);
        if self.volumes.len() == before {
            Answer::refusal(404, &format!("get {name}: no such volume"))
        } else {
            Answer::Empty(204)
        }
    }

    fn pull(&mut self, request: &Request) -> Answer {
        let (name, tag) = (request.parameter("fromImage"), request.parameter("tag"));
        let separator = if tag.contains(':') { '@' } else { ':' };
        let pulling = json!({ "status": format!("Pulling from library/{name}"), "id": tag });
        let layer = json!({ "status": "Downloading", "id": "1f2e", "progressDetail": { "current": 1, "total": 2 } });
        match self.registry.get(&format!("{name}{separator}{tag}")).cloned() {
            None => {
                let message = format!(
                    "pull access denied for {name}, repository does not exist or may require 'docker login': denied: \
                     requested access to the resource is denied"
                );
                Answer::refusal(404, &message)
            }
            Some(Registry::Refuses(status, message)) => Answer::refusal(status, &message),
            Some(Registry::Breaks(message)) => {
                let broken = json!({ "errorDetail": { "message": message }, "error": message });
                Answer::Lines(vec![pulling, layer, broken])
            }
            Some(Registry::Gives(image)) => {
                self.images.insert(format!("{name}{separator}{tag}"), image.clone());
                if tag == "latest" {
                    self.images.insert(name.to_owned(), image);
                }
                let complete = json!({ "status": "Pull complete", "progressDetail": {}, "id": "1f2e" });
                Answer::Lines(vec![pulling, layer, complete])
            }
        }
    }

    fn build(&mut self, request: &Request) -> Answer {
        let mut lines =
            vec![json!({ "stream": "Step 1/2 : ARG BASE\n" }), json!({ "stream": "Step 2/2 : FROM $BASE\n" })];
        if let Some(message) = &self.build_failure {
            lines.push(json!({ "stream": "E: Unable to locate package git\n" }));
            lines.push(json!({ "errorDetail": { "message": message }, "error": message }));
            return Answer::Lines(lines);
        }
        self.images.insert(request.parameter("t").to_owned(), ready_image());
        lines.push(json!({ "aux": { "ID": "sha256:b111" } }));
        lines.push(json!({ "stream": "Successfully built b111\n" }));
        Answer::Lines(lines)
    }
}

/// An image with the user, the folders and the mark of one that is made for workspaces.
pub(super) fn ready_image() -> Image {
    Image { user: "agent".to_owned(), labels: BTreeMap::from([("agent-workspace.ready".to_owned(), "1".to_owned())]) }
}

fn filters(request: &Request) -> Value {
    serde_json::from_str(request.parameter("filters")).unwrap_or_default()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn map(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

fn has_labels(labels: &BTreeMap<String, String>, wanted: &Value) -> bool {
    texts(wanted).iter().all(|wanted| match wanted.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|is| is == value),
        None => labels.contains_key(wanted),
    })
}

/// A tar with these files.
///
/// # Panics
/// Never: it is made in memory.
pub fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // By hand, as the crate refuses paths that lead out.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        archive.append(&header, *content).expect("memory takes it");
    }
    archive.into_inner().expect("memory takes it")
}
