//! A real engine and a real git server, one guard a test: it runs the launcher under a prefix of its own and removes
//! what the test made, also when the test panics, by exact names.

mod fault_proxy;
mod fixtures;
mod forward;
mod git;
mod machine;
mod own_server;
mod ssh;
mod terminal;
mod tls;
mod watch;

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub use fault_proxy::{FaultProxy, Wrong};
use fixtures::setting;
pub use fixtures::{Image, engine_socket, network, token};
pub use forward::Forwarder;
pub use git::Repository;
pub use machine::{Machine, Machines};
pub use own_server::GitServer;
pub use ssh::SshServer;
pub use terminal::Terminal;
pub use tls::Certificates;
pub use watch::{EngineLog, Seen, Watch};

use crate::{Document, Launcher, Ran};

/// Marks what a test makes with `docker` itself.
const LABEL: &str = "test.agent-workspace.live";
/// What a test waits for comes within this time, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(120);

/// One test on the real engine.
pub struct Live {
    id: String,
    folder: tempfile::TempDir,
    has_repositories: AtomicBool,
}

/// One invocation that was to answer with a document.
#[must_use = "say how it was to end: ok or fails"]
pub struct Answer {
    /// How it ended and what it wrote.
    pub ran: Ran,
    /// How long it took.
    pub took: Duration,
}

/// A launcher that runs beside the test.
#[must_use = "wait for its end"]
pub struct Running {
    child: Child,
    since: Instant,
}

/// Says why something cannot be tested here, to people and to `./dev test`, which counts the test as skipped and not as
/// passed.
pub fn skip(reason: &str) {
    use std::io::Write as _;
    let line = format!("{}\n", reason.trim().replace('\n', " "));
    let _ = write!(std::io::stderr(), "skipped: {line}");
    if let Some(file) = std::env::var_os("AGENT_WORKSPACE_TEST_SKIPS") {
        let appended = std::fs::OpenOptions::new().append(true).open(file);
        let _ = appended.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// Waits until something holds.
///
/// # Panics
/// When it does not within two minutes.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited two minutes for this: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Runs docker and returns what it printed, without the last line end.
///
/// # Panics
/// When docker fails.
#[track_caller]
pub fn docker<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> String {
    let mut command = Command::new("docker");
    command.args(args);
    let ran = run_with_input(&mut command, "");
    assert_eq!(ran.code, 0, "{command:?}\n--- stdout\n{}--- stderr\n{}", ran.stdout, ran.stderr);
    ran.stdout.trim_end_matches('\n').to_owned()
}

/// Runs docker, whatever comes of it.
pub fn try_docker<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    run_with_input(Command::new("docker").args(args), "")
}

/// Says something to who runs the tests, also when all goes well; `./dev test` says it again at its end.
pub fn note(line: &str) {
    use std::io::Write as _;
    let line = format!("{line}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(file) = std::env::var_os("AGENT_WORKSPACE_TEST_NOTES") {
        let appended = std::fs::OpenOptions::new().append(true).open(file);
        let _ = appended.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// Asks the engine itself, as a process for each question is too much for a test that has many. Returns the answer's
/// status and its JSON, null where there is none.
///
/// # Panics
/// When the engine does not answer.
pub fn ask_engine(method: &str, path: &str) -> (u16, Value) {
    use std::io::Write as _;
    let mut engine = std::os::unix::net::UnixStream::connect(engine_socket()).expect("the engine is there");
    // By this version an answer is never cut into chunks.
    write!(engine, "{method} {path} HTTP/1.0\r\n\r\n").expect("the engine listens");
    let mut answer = String::new();
    engine.read_to_string(&mut answer).expect("the engine answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("the engine speaks HTTP");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// What the engine lists at a path, which ends with `?` or `&`, by this filter of names.
///
/// # Panics
/// When the engine does not answer.
pub fn engine_list(path: &str, name: &str) -> Value {
    let filters = json!({ "name": [name] }).to_string();
    let filters = filters.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    ask_engine("GET", &format!("{path}filters={filters}")).1
}

/// Runs a command with something to read.
///
/// # Panics
/// When it cannot be started.
pub fn run_with_input(command: &mut Command, input: &str) -> Ran {
    use std::io::Write as _;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    // It may end without reading.
    let _ = child.stdin.take().expect("stdin is piped").write_all(input.as_bytes());
    Ran::of(child)
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

impl Live {
    /// A guard with a prefix of its own.
    ///
    /// # Panics
    /// When the system gives no randomness or no folder.
    pub fn new() -> Self {
        let mut bytes = [0_u8; 4];
        std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).expect("random bytes");
        let id = bytes.iter().fold(String::new(), |mut id, byte| {
            let _ = write!(id, "{byte:02x}");
            id
        });
        Self { id, folder: tempfile::tempdir().expect("a temporary folder"), has_repositories: AtomicBool::new(false) }
    }

    /// What only this test has in its names.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What full names begin with, without the dash after it.
    pub fn prefix(&self) -> String {
        format!("live{}-ws", self.id)
    }

    /// The full name of a workspace of this test.
    pub fn full(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix())
    }

    /// A folder of this test.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into the folder and returns its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder().join(name);
        std::fs::write(&path, text).expect("the file is written");
        path.to_str().expect("temporary folders are UTF-8").to_owned()
    }

    /// The launcher with the words of a line, in this test's environment.
    pub fn launcher(&self, line: &str) -> Launcher {
        let mut launcher = Launcher::new(line.split_whitespace())
            .env("AGENT_WORKSPACE_PREFIX", self.prefix())
            .env("GITHUB_HOST", setting("GIT_HOST"));
        for name in ["DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                launcher = launcher.env(name, value);
            }
        }
        launcher
    }

    /// `create` of a line's words from an image, on the git server's network.
    pub fn creating(&self, image: Image, line: &str) -> Launcher {
        self.launcher(&format!("create --image {} --network {} {line}", image.name(), network()))
    }

    /// Runs a line and reads its document.
    pub fn json(&self, line: &str) -> Answer {
        Answer::to(&self.launcher(line))
    }

    /// Runs a line as a person would.
    pub fn text(&self, line: &str) -> Ran {
        Running::start(&self.launcher(line)).answer().ran
    }

    /// Runs `create` from the agent image.
    pub fn create(&self, line: &str) -> Answer {
        self.create_from(Image::Agent, line)
    }

    /// Runs `create` from an image.
    pub fn create_from(&self, image: Image, line: &str) -> Answer {
        Answer::to(&self.creating(image, line))
    }

    /// Runs a script in a workspace as its user `agent`.
    #[track_caller]
    pub fn inside(&self, name: &str, script: &str) -> String {
        docker(["exec", "-u", "agent", &self.full(name), "sh", "-ec", script])
    }

    /// Runs a script in a workspace as root.
    #[track_caller]
    pub fn inside_as_root(&self, name: &str, script: &str) -> String {
        docker(["exec", "-u", "0", &self.full(name), "sh", "-ec", script])
    }

    /// Runs a script in a volume, by a container that is gone afterwards.
    #[track_caller]
    pub fn inside_volume(&self, volume: &str, script: &str) -> String {
        let label = format!("{LABEL}={}", self.id);
        let mounted = format!("{volume}:/volume");
        let image = Image::Busybox.name();
        docker(["run", "--rm", "--label", &label, "-v", &mounted, "-w", "/volume", &image, "sh", "-ec", script])
    }

    /// What the engine says about a workspace's container.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn inspect(&self, name: &str) -> Value {
        let text = docker(["container", "inspect", &self.full(name)]);
        serde_json::from_str::<Value>(&text).expect("docker prints JSON")[0].take()
    }

    /// Starts a container that the launcher did not make: `docker run -d` with the words of a line.
    pub fn stranger(&self, image: Image, line: &str) {
        let label = format!("{LABEL}={}", self.id);
        let mut args = vec!["run", "-d", "--init", "--label", &label];
        args.extend(line.split_whitespace());
        let image = image.name();
        args.extend([&image, "sleep", "600"]);
        docker(args);
    }

    /// Makes a network and returns its name.
    pub fn network(&self, name: &str) -> String {
        let name = self.full(name);
        docker(["network", "create", "--label", &format!("{LABEL}={}", self.id), &name]);
        name
    }

    /// What the engine's list says of a workspace's container, null where it has none.
    pub fn listed(&self, name: &str) -> Value {
        let mut rows = engine_list("/containers/json?all=1&", &format!("^/{}$", self.full(name)));
        rows.get_mut(0).map(Value::take).unwrap_or_default()
    }

    /// Names of the containers whose names begin with this test's prefix.
    #[track_caller]
    pub fn containers(&self) -> Vec<String> {
        let filter = format!("name=^/{}-", self.prefix());
        lines(&docker(["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]))
    }

    /// Names of the volumes whose names begin with this test's prefix.
    #[track_caller]
    pub fn volumes(&self) -> Vec<String> {
        let filter = format!("name={}-", self.prefix());
        lines(&docker(["volume", "ls", "-q", "--filter", &filter]))
    }

    /// Fails when a container or volume of this test is there.
    ///
    /// # Panics
    /// When one is.
    #[track_caller]
    pub fn nothing_is_left(&self) {
        let left = [self.containers(), self.volumes()].concat();
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    /// The row of a workspace in `ls`.
    ///
    /// # Panics
    /// When `ls` fails or shows the workspace twice.
    #[track_caller]
    pub fn row(&self, name: &str) -> Option<Value> {
        let listed = self.json("ls").ok();
        let full = self.full(name);
        let rows = listed.at("/workspaces").as_array().expect("rows");
        let mut found = rows.iter().filter(|row| row["workspace"] == full.as_str());
        let row = found.next().cloned();
        assert!(found.next().is_none(), "{full} is listed twice");
        row
    }

    fn clean(&self) {
        let label = format!("label={LABEL}={}", self.id);
        let mut containers = self.containers();
        containers.extend(lines(&docker(["ps", "-aq", "--filter", &label])));
        for container in containers {
            let _ = try_docker(["rm", "-f", "-v", &container]);
        }
        let mut volumes = self.volumes();
        volumes.extend(lines(&docker(["volume", "ls", "-q", "--filter", &label])));
        for volume in volumes {
            let _ = try_docker(["volume", "rm", &volume]);
        }
        for network in lines(&docker(["network", "ls", "-q", "--filter", &label])) {
            let _ = try_docker(["network", "rm", &network]);
        }
        git::remove_repositories(self);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // A panic in here while another one unwinds would end the process without a word.
        let cleaned = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.clean()));
        if cleaned.is_err() && !std::thread::panicking() {
            panic!("what test {} made could not be removed", self.id);
        }
    }
}

impl Answer {
    /// Runs a launcher to its end.
    pub fn to(launcher: &Launcher) -> Self {
        Running::start(&launcher.clone().json()).answer()
    }

    /// Its document, if it succeeded.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn ok(self) -> Document {
        self.ended(0);
        self.ran.document()
    }

    /// Its document, if it failed in this way.
    ///
    /// # Panics
    /// When it did anything else.
    #[track_caller]
    pub fn fails(self, exit: i32, code: &str) -> Document {
        self.ended(exit);
        let document = self.ran.document();
        assert_eq!(document.error_code(), code, "{}", self.shown());
        document
    }

    #[track_caller]
    fn ended(&self, exit: i32) {
        assert_eq!(self.ran.code, exit, "exit code\n{}", self.shown());
    }

    fn shown(&self) -> String {
        format!("--- stdout\n{}--- stderr\n{}", self.ran.stdout, self.ran.stderr)
    }

    /// The same answer, if it came in time.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn within(self, limit: Duration) -> Self {
        assert!(self.took < limit, "took {:?}, which is more than {limit:?}", self.took);
        self
    }
}

impl Running {
    /// Starts a launcher.
    pub fn start(launcher: &Launcher) -> Self {
        Self { since: Instant::now(), child: launcher.spawn() }
    }

    /// Starts a launcher as `nohup` does.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_ignoring_hangups(launcher: &Launcher) -> Self {
        let launcher = launcher.command();
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(launcher.get_program()).args(launcher.get_args());
        command.env_clear().envs(launcher.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { since: Instant::now(), child: command.spawn().expect("there is a shell") }
    }

    /// The processes that it has started and that run.
    pub fn children(&self) -> Vec<String> {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        children.split_whitespace().map(str::to_owned).collect()
    }

    /// Whether it has not ended.
    ///
    /// # Panics
    /// When the system does not say.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("its state is known").is_none()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it has ended.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// Waits for its end. One that does not come to it is killed, so that the test fails and the others go on.
    pub fn answer(self) -> Answer {
        let pid = rustix::process::Pid::from_child(&self.child);
        let (ended, end) = std::sync::mpsc::channel::<()>();
        let watch = std::thread::spawn(move || {
            if end.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        });
        let ran = Ran::of(self.child);
        drop(ended);
        let _ = watch.join();
        Answer { ran, took: self.since.elapsed() }
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}
