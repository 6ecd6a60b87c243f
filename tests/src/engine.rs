//! An engine that is scripted: it keeps containers and volumes like a real one, answers on a socket, writes down what
//! it is asked, and goes wrong where a test says so.

mod container;
mod fault;
mod guest;
mod http;
mod world;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::BufReader;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use container::Container;
pub use fault::{Fault, When};
pub use guest::{Reply, Script};
pub use http::Request;
pub use world::{CONTAINER_BYTES, VOLUME_BYTES, Volume, tar_of};

use self::fault::Kind;
use self::http::Answer;
use self::world::{Image, Registry, World};
use crate::{Launcher, Ran};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The label that carries the id of the `create` that made a thing.
pub const CREATE_ID: &str = "agent-workspace.create-id";

/// A running engine. Its socket goes with it.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    folder: tempfile::TempDir,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    world: World,
    requests: Vec<Request>,
    faults: Vec<(When, Fault)>,
    api: String,
    over: bool,
}

impl Default for State {
    fn default() -> Self {
        let mut world = World::default();
        "1.41".clone_into(&mut world.api);
        Self { world, requests: Vec::new(), faults: Vec::new(), api: "1.41".to_owned(), over: false }
    }
}

impl Engine {
    /// An engine with two images: `ready:1`, made for workspaces, and `plain:1`, not.
    ///
    /// # Panics
    /// When no socket can be made.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the socket");
        let shared = Arc::new(Shared::default());
        let listener = UnixListener::bind(folder.path().join("engine.sock")).expect("a socket");
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.lock().over {
                    break;
                }
                let shared = Arc::clone(&serving);
                let stream = stream.expect("a connection");
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        let engine = Self { shared, folder };
        engine.has_ready_image("ready:1");
        engine.state().world.images.insert("plain:1".to_owned(), plain_image());
        engine
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("engine.sock")
    }

    /// The launcher, talking to this engine.
    pub fn launcher<S: Into<OsString>>(&self, args: impl IntoIterator<Item = S>) -> Launcher {
        Launcher::new(args).env("DOCKER_HOST", format!("unix://{}", self.socket().display()))
    }

    /// Runs the launcher for people.
    pub fn text<S: Into<OsString>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        self.launcher(args).run()
    }

    /// Runs the launcher for programs.
    pub fn json<S: Into<OsString>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        self.launcher(args).json().run()
    }

    /// Puts a container there, and the volumes it mounts.
    pub fn has(&self, container: Container) {
        self.state().world.add(container);
    }

    /// Puts a volume there, with nobody's labels.
    pub fn has_volume(&self, name: &str) {
        self.state().world.add_volume(name, BTreeMap::new());
    }

    /// Puts a volume there that carries somebody else's label.
    pub fn has_volume_of_somebody_else(&self, name: &str) {
        let label = ("com.docker.compose.project".to_owned(), "shop".to_owned());
        self.state().world.add_volume(name, BTreeMap::from([label]));
    }

    /// Puts a volume there that a `create` of this id made for a workspace.
    pub fn has_volume_of(&self, name: &str, workspace: &str, create_id: &str) {
        let labels = [("agent-kit.workspace", workspace), (CREATE_ID, create_id)];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        self.state().world.add_volume(name, BTreeMap::from(labels));
    }

    /// Puts an image there that is made for workspaces.
    pub fn has_ready_image(&self, name: &str) {
        self.state().world.images.insert(name.to_owned(), world::ready_image());
    }

    /// Puts a network there.
    pub fn has_network(&self, name: &str) {
        self.state().world.networks.push(name.to_owned());
    }

    /// Lets the registry give a plain image.
    pub fn registry_has(&self, image: &str) {
        self.state().world.registry.insert(image.to_owned(), Registry::Gives(plain_image()));
    }

    /// Lets the registry refuse an image, before anything is pulled.
    pub fn registry_refuses(&self, image: &str, status: u16, message: &str) {
        let answer = Registry::Refuses(status, message.to_owned());
        self.state().world.registry.insert(image.to_owned(), answer);
    }

    /// Lets the pull of an image break in the middle.
    pub fn pull_breaks(&self, image: &str, message: &str) {
        self.state().world.registry.insert(image.to_owned(), Registry::Breaks(message.to_owned()));
    }

    /// Lets every build fail.
    pub fn build_fails(&self, message: &str) {
        self.state().world.build_failure = Some(message.to_owned());
    }

    /// Sets what a script answers.
    pub fn answers(&self, script: Script, reply: Reply) {
        self.state().world.replies.insert(script, reply);
    }

    /// Puts a file or folder into every container: what is said when it is asked for, a tar.
    pub fn has_archive(&self, path: &str, tar: Vec<u8>) {
        self.state().world.archives.insert(path.to_owned(), tar);
    }

    /// Takes an image away.
    pub fn loses_image(&self, name: &str) {
        self.state().world.images.remove(name);
    }

    /// Lets something go wrong.
    pub fn goes_wrong(&self, when: When, fault: Fault) {
        self.state().faults.push((when, fault));
    }

    /// Lets it be as old as this version of the API.
    pub fn speaks(&self, api: &str) {
        let mut state = self.state();
        api.clone_into(&mut state.api);
        api.clone_into(&mut state.world.api);
    }

    /// Lets nothing go wrong any more, neither here nor inside.
    pub fn is_well_again(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.world.replies.clear();
    }

    /// What it was asked, in order, one line each: ids are shown as what they stand for, `<…>`.
    pub fn calls(&self) -> Vec<String> {
        let state = self.state();
        state.requests.iter().map(|request| state.shown(request)).collect()
    }

    /// What it was asked, whole.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// The body of the request that made the last container.
    ///
    /// # Panics
    /// When none was made.
    pub fn create_body(&self) -> serde_json::Value {
        let requests = self.requests();
        requests.iter().rfind(|request| request.path == "/containers/create").expect("a container was made").json()
    }

    /// Words and user of the execs that ran a script, without the script itself.
    pub fn runs(&self, script: Script) -> Vec<(Vec<String>, String)> {
        let state = self.state();
        let execs = state.world.execs.values().filter(|exec| Script::of(&exec.argv) == script);
        execs.map(|exec| (exec.argv.iter().skip(4).cloned().collect(), exec.user.clone())).collect()
    }

    /// Every container that is there.
    pub fn containers(&self) -> Vec<Container> {
        self.state().world.containers.clone()
    }

    /// A container's state, `gone` when it is not there.
    pub fn state_of(&self, name: &str) -> String {
        let containers = self.containers();
        containers.into_iter().find(|container| container.name == name).map_or("gone".to_owned(), |found| found.state)
    }

    /// Every volume that is there.
    pub fn volumes(&self) -> Vec<Volume> {
        self.state().world.volumes.clone()
    }

    /// Names of the volumes that are there, sorted.
    pub fn volume_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.volumes().into_iter().map(|volume| volume.name).collect();
        names.sort();
        names
    }

    /// Whether an image is local.
    pub fn holds_image(&self, name: &str) -> bool {
        self.state().world.images.contains_key(name)
    }

    /// Names of what carries the id of any `create`: containers first, then volumes.
    pub fn made_by_create(&self) -> Vec<String> {
        let state = self.state();
        let marked = |labels: &BTreeMap<String, String>| labels.contains_key(CREATE_ID);
        let containers =
            state.world.containers.iter().filter(|container| container.labels.as_ref().is_some_and(marked));
        let volumes = state.world.volumes.iter().filter(|volume| marked(&volume.labels));
        containers.map(|found| found.name.clone()).chain(volumes.map(|found| found.name.clone())).collect()
    }

    /// Takes a container away, as somebody else would.
    pub fn loses(&self, name: &str) {
        self.state().world.containers.retain(|container| container.name != name);
    }

    /// Waits until a request was made whose line (see `calls`) begins like this.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_for(&self, beginning: &str) {
        let until = Instant::now() + PATIENCE;
        let mut state = self.state();
        while !state.requests.iter().any(|request| state.shown(request).starts_with(beginning)) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{beginning} was never asked");
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.state().over = true;
        self.shared.changed.notify_all();
        // Wakes the listener, which then sees that it is over.
        let _ = UnixStream::connect(self.socket());
    }
}

fn plain_image() -> Image {
    Image { user: String::new(), labels: BTreeMap::new() }
}

impl State {
    fn shown(&self, request: &Request) -> String {
        let mut path = request.path.clone();
        for (id, name) in &self.world.names {
            path = path.replace(id, &format!("<{name}>"));
        }
        for (id, exec) in &self.world.execs {
            path = path.replace(id, &format!("<{}>", Script::of(&exec.argv).word()));
        }
        // Parameters that are empty say nothing.
        let said: Vec<&str> =
            request.query.split('&').filter(|pair| !pair.ends_with('=') && !pair.is_empty()).collect();
        let query = if said.is_empty() { String::new() } else { format!("?{}", said.join("&")) };
        let line = format!("{} {path}{query}", request.method);
        // What only looks has a name that nobody else gets.
        let line = match line.split_once("-view-") {
            Some((before, id)) => {
                format!("{before}-view-<id>{}", id.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
            }
            None => line,
        };
        match line.split_once("create-id=") {
            Some((before, id)) => {
                format!("{before}create-id=<id>{}", id.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
            }
            None => line,
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One connection, until either side ends it.
    fn serve(&self, stream: UnixStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        while let Ok(Some(request)) = Request::read(&mut reader) {
            let (number, fault, answer, api) = self.take(request);
            if let Answer::Exec(exec) = &answer {
                match fault {
                    None => return self.converse(exec, number, &stream, &mut reader, &api),
                    Some(Fault { kind: kind @ (Kind::CutInTheMiddle | Kind::CutFromExec), .. }) => {
                        if let (Kind::CutInTheMiddle, Some(exec)) = (kind, self.lock().world.execs.get_mut(exec)) {
                            exec.ended = Some(137);
                        }
                        http::write(&stream, &answer.bytes(&api));
                        http::write(&stream, &http::frame(1, b"result=")[..9]);
                        let _ = stream.shutdown(std::net::Shutdown::Both);
                        return;
                    }
                    Some(_) => {}
                }
            }
            let sent = match &fault {
                None => Some((answer.bytes(&api), true)),
                Some(fault) => fault.bytes(&answer, &api),
            };
            let Some((bytes, stays)) = sent else { return self.until_over() };
            http::write(&stream, &bytes);
            if !stays {
                let _ = stream.shutdown(std::net::Shutdown::Both);
                return;
            }
        }
    }

    /// Writes a request down, finds what goes wrong with it, and does what it asks unless that is what goes wrong.
    fn take(&self, request: Request) -> (usize, Option<Fault>, Answer, String) {
        let mut state = self.lock();
        let number = state.requests.len() + 1;
        let line = state.shown(&request);
        let place = state.faults.iter_mut().position(|(when, _)| when.meets(number, &request, &line));
        let fault = place.map(|place| {
            if state.faults[place].0.is_over() { state.faults.remove(place).1 } else { state.faults[place].1.clone() }
        });
        let answer = match &fault {
            Some(fault) if !fault.done => Answer::Empty(500),
            _ => state.world.answer(&request),
        };
        state.requests.push(request);
        let api = state.api.clone();
        drop(state);
        self.changed.notify_all();
        (number, fault, answer, api)
    }

    /// The streams of an exec: reads what is written, says what the script says, ends.
    fn converse(&self, exec: &str, number: usize, stream: &UnixStream, reader: &mut BufReader<UnixStream>, api: &str) {
        http::write(stream, &Answer::Exec(exec.to_owned()).bytes(api));
        let (reply, wants_stdin) = {
            let mut state = self.lock();
            (state.world.reply(exec), state.world.execs[exec].stdin)
        };
        if wants_stdin {
            let stdin = http::read_stdin(reader);
            self.lock().requests[number - 1].stdin = stdin;
        }
        if reply.hangs {
            return self.until_over();
        }
        if !reply.stderr.is_empty() {
            http::write(stream, &http::frame(2, reply.stderr.as_bytes()));
        }
        if !reply.stdout.is_empty() {
            http::write(stream, &http::frame(1, reply.stdout.as_bytes()));
        }
        if let Some(exec) = self.lock().world.execs.get_mut(exec) {
            exec.ended = Some(reply.status);
        }
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }

    fn until_over(&self) {
        let mut state = self.lock();
        while !state.over {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
