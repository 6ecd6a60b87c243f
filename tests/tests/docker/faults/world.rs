//! What the engine has of one test, and how it is brought into a state.

use agent_workspace_tests::live::{Answer, FaultProxy, Image, Live, ask_engine, engine_list, network};
use serde_json::Value;

use State::{Absent, NeverStarted, Paused, Running, Stopped, Volumes};

/// One workspace without a clone, or what there can be of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Absent,
    /// Its create was cut off before the start.
    NeverStarted(Image),
    Paused(Image),
    Running(Image),
    Stopped(Image),
    /// Its container is gone.
    Volumes(Image),
}

/// What the engine has of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct World {
    pub(super) containers: Vec<Container>,
    pub(super) volumes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container {
    name: String,
    id: String,
    image: String,
    network: String,
    state: String,
}

impl World {
    pub(super) fn of(live: &Live) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let listed = |path: &str| engine_list(path, live.id());
        let containers = listed("/containers/json?all=1&");
        let volumes = listed("/volumes?");
        let containers = containers.as_array().into_iter().flatten().map(|container| Container {
            name: text(&container["Names"][0]).trim_start_matches('/').to_owned(),
            id: text(&container["Id"]),
            image: text(&container["Image"]),
            network: text(&container["HostConfig"]["NetworkMode"]),
            state: text(&container["State"]),
        });
        let volumes = volumes["Volumes"].as_array().into_iter().flatten().map(|volume| text(&volume["Name"]));
        let mut world = Self { containers: containers.collect(), volumes: volumes.collect() };
        world.containers.sort_by(|one, other| one.name.cmp(&other.name));
        world.volumes.sort();
        world
    }

    /// Whether it is one workspace in this state, or nothing.
    pub(super) fn is(&self, live: &Live, state: State) -> bool {
        let name = live.full("w");
        let wanted = match state {
            Absent => return self.containers.is_empty() && self.volumes.is_empty(),
            Volumes(_) => "",
            NeverStarted(_) => "created",
            Paused(_) => "paused",
            Running(_) => "running",
            Stopped(_) => "exited",
        };
        if wanted.is_empty() {
            return self.containers.is_empty() && self.volumes == [format!("{name}-home"), format!("{name}-work")];
        }
        matches!(&self.containers[..], [container] if container.name == name && container.state == wanted)
            && self.volumes == [format!("{name}-home"), format!("{name}-work")]
    }

    /// The same, with everything asleep.
    pub(super) fn asleep(&self) -> Self {
        let mut asleep = self.clone();
        asleep.containers.iter_mut().for_each(|container| container.state.clear());
        asleep
    }

    /// Whether all of it is of another world.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        self.asleep().containers.iter().all(|container| other.asleep().containers.contains(container))
            && self.volumes.iter().all(|volume| other.volumes.contains(volume))
    }

    pub(super) fn runs(&self) -> bool {
        self.containers.iter().any(|container| container.state == "running")
    }
}

/// Brings the workspace into a state, with nothing between the launcher and the engine. It is on the git server's
/// network where something is to be cloned into it; else it is on none, which an engine makes much faster.
pub(super) fn bring(live: &Live, state: State, clones: bool) {
    let world = World::of(live);
    let is_reached = |container: &Container| !clones || container.network == network();
    if world.is(live, state)
        && world.containers.iter().all(|container| state.is_from(&container.image) && is_reached(container))
    {
        return;
    }
    let create = |image| make(live, image, clones);
    match state {
        Absent => drop(live.json("rm w --force --if-exists").ok()),
        NeverStarted(image) => {
            live.json("rm w --force --if-exists").ok();
            // It can neither start it nor take it back.
            let engine = FaultProxy::gone_from(live.folder(), 2);
            let create = live.creating(image, "--no-clone --name w").env("DOCKER_HOST", engine.address());
            Answer::to(&create).fails(7, "engine_unavailable");
        }
        Volumes(image) => {
            create(image);
            live.json("rm w --keep-volumes").ok();
        }
        Paused(image) | Running(image) | Stopped(image) => {
            let found = world.containers.first().filter(|found| found.image == image.name() && is_reached(found));
            match found.map(|container| container.state.as_str()) {
                Some("running" | "exited") => {}
                Some("paused") => order(live, "unpause"),
                _ => create(image),
            }
            order(live, "start");
            match state {
                Stopped(_) => order(live, "stop"),
                Paused(_) => order(live, "pause"),
                _ => {}
            }
        }
    }
    let world = World::of(live);
    assert!(world.is(live, state), "it was to be {state:?}: {world:?}");
}

/// Makes a workspace from an image, in place of what there is.
pub(super) fn make(live: &Live, image: Image, clones: bool) {
    live.json("rm w --force --if-exists").ok();
    let network = if clones { network() } else { "none".to_owned() };
    live.json(&format!("create --no-clone --name w --image {} --network {network}", image.name())).ok();
}

fn order(live: &Live, order: &str) {
    let (status, answer) = ask_engine("POST", &format!("/containers/{}/{order}", live.full("w")));
    assert!([204, 304].contains(&status), "{order}: {answer}");
}

impl State {
    fn is_from(self, found: &str) -> bool {
        match self {
            Absent | Volumes(_) => true,
            NeverStarted(image) | Paused(image) | Running(image) | Stopped(image) => image.name() == found,
        }
    }
}

/// Runs a script in the workspace, if there is one that runs.
pub(super) fn inside(live: &Live, world: &World, script: &str) -> String {
    if script.is_empty() || !world.runs() { String::new() } else { live.inside("w", script) }
}
