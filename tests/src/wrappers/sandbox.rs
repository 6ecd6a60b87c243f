//! A world of its own for one call: home, folders, tools, a recorder in the place of everything that is called.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::calls::calls_in;
use super::scenario::Scenario;
use super::shell::{Shell, Variant, find};
use crate::Launcher;

/// Longer than any call takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Programs of this machine that wrappers may use.
const TOOLS: [&str; 68] = [
    "awk",
    "base64",
    "basename",
    "bash",
    "cat",
    "chmod",
    "cksum",
    "cmp",
    "comm",
    "cp",
    "curl",
    "cut",
    "date",
    "dd",
    "diff",
    "dirname",
    "du",
    "env",
    "expr",
    "false",
    "find",
    "git",
    "grep",
    "gunzip",
    "gzip",
    "head",
    "id",
    "install",
    "ln",
    "ls",
    "mkdir",
    "mkfifo",
    "mktemp",
    "mv",
    "nl",
    "od",
    "openssl",
    "paste",
    "printf",
    "ps",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "sed",
    "setsid",
    "sh",
    "sha256sum",
    "shasum",
    "sleep",
    "sort",
    "stat",
    "stty",
    "tail",
    "tar",
    "tee",
    "test",
    "touch",
    "tr",
    "true",
    "tty",
    "uname",
    "uniq",
    "wc",
    "wget",
    "xargs",
    "zsh",
    "timeout",
];

/// The wrappers as people have them: a copy, beside which no build of this checkout is found.
pub struct Tree {
    checkout: PathBuf,
    // Its own goes with it; the one that all share is removed by a later run.
    _folder: Option<tempfile::TempDir>,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// A copy.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { checkout: Self::fill(folder.path()), _folder: Some(folder) }
    }

    /// The project's own, for a program that is tested where it is.
    ///
    /// # Panics
    /// When the project is nowhere.
    pub fn project() -> Self {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project");
        Self { checkout: project.to_owned(), _folder: None }
    }

    /// A copy in a checkout of this name.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn called(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { checkout: Self::fill(&folder.path().join(name)), _folder: Some(folder) }
    }

    /// One that everybody reads and nobody changes.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Tree> = OnceLock::new();
        SHARED.get_or_init(|| {
            let runs = Launcher::binary().with_file_name("wrappers-under-test");
            std::fs::create_dir_all(&runs).expect("a folder beside the binary");
            for run in std::fs::read_dir(&runs).expect("a folder").flatten() {
                if !Path::new("/proc").join(run.file_name()).exists() {
                    let _ = std::fs::remove_dir_all(run.path());
                }
            }
            let folder = runs.join(std::process::id().to_string());
            for tool in TOOLS.iter().filter_map(|name| find(name)) {
                let link = folder.join("tools").join(tool.file_name().expect("a name"));
                std::fs::create_dir_all(folder.join("tools")).expect("a folder");
                symlink(tool, link).expect("a link");
            }
            Self { checkout: Self::fill(&folder), _folder: None }
        })
    }

    fn fill(folder: &Path) -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project").join("wrappers");
        copy(&source, &folder.join("wrappers"));
        // What a release puts there is of no test's business that does not say so.
        let _ = std::fs::remove_file(folder.join("wrappers/share/pins"));
        folder.to_owned()
    }

    /// The checkout that it looks like.
    pub fn checkout(&self) -> &Path {
        &self.checkout
    }

    /// The folder `wrappers`.
    pub fn wrappers(&self) -> PathBuf {
        self.checkout.join("wrappers")
    }
}

/// One call's world.
pub struct Sandbox {
    folder: tempfile::TempDir,
    tree: Option<Tree>,
    tokens: BTreeMap<String, String>,
    folders: BTreeMap<String, String>,
    env: Vec<(String, String)>,
}

/// What came of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its exit code; 128 and the signal's number when a signal ended it.
    pub code: i32,
    /// What it answered.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
    /// What it called.
    pub calls: Vec<String>,
    /// What it asked the launcher's capabilities for.
    pub gates: Vec<String>,
    /// What is in the home and the folder of temporary files that was not.
    pub leaves: Vec<String>,
    /// What is different in the shell.
    pub left: String,
    /// Places where a token was and must not be.
    pub leaks: Vec<String>,
}

impl Sandbox {
    /// The world of a scenario.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new(scenario: &Scenario) -> Self {
        let own_tree = scenario.launcher.iter().any(|place| place == "checkout")
            || scenario.files.iter().any(|(path, _)| path.starts_with("{WRAPPERS}") || path.starts_with("{CHECKOUT}"));
        Self::beside(own_tree.then(Tree::new), scenario)
    }

    /// The world of a scenario, with wrappers of its own.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn with(tree: Tree, scenario: &Scenario) -> Self {
        Self::beside(Some(tree), scenario)
    }

    fn beside(tree: Option<Tree>, scenario: &Scenario) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut random = [0; 8];
        std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut random)).expect("random bytes");
        let tokens = ["keyring", "other", "env", "github"]
            .map(|name| (format!("canary-{name}-{:016x}", u64::from_le_bytes(random)), name.to_owned()));
        let mut sandbox =
            Self { folder, tree, tokens: tokens.into_iter().collect(), folders: BTreeMap::new(), env: Vec::new() };
        sandbox.fill(scenario);
        sandbox
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of the wrappers that it uses.
    pub fn wrappers(&self) -> PathBuf {
        self.tree.as_ref().unwrap_or_else(|| Tree::shared()).wrappers()
    }

    /// A token by its name in scenarios.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn token(&self, name: &str) -> &str {
        self.tokens.iter().find(|(_, known)| *known == name).map(|(token, _)| token.as_str()).expect("a token")
    }

    fn fill(&mut self, scenario: &Scenario) {
        for name in ["home", "tmp", "cwd", "bin", "world"] {
            std::fs::create_dir(self.path(name)).expect("a folder");
        }
        let recorder = recorder();
        let recording = |path: PathBuf| {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            symlink(&recorder, path).expect("a link");
        };
        for place in &scenario.launcher {
            match place.as_str() {
                "path" => recording(self.path("bin/agent-workspace")),
                "checkout" => {
                    let tree = self.tree.as_ref().expect("a tree of its own");
                    recording(tree.checkout().join("target/release/agent-workspace"));
                }
                other => recording(PathBuf::from(self.expand(other)).join("agent-workspace")),
            }
        }
        recording(self.path("world/guest"));
        for tool in &scenario.tools {
            recording(self.path("bin").join(tool));
        }
        let mut tools = Tree::shared().checkout().join("tools");
        if !scenario.without.is_empty() {
            let fewer = self.path("tools");
            std::fs::create_dir(&fewer).expect("a folder");
            for tool in std::fs::read_dir(&tools).expect("tools").flatten() {
                if !scenario.without.iter().any(|without| tool.file_name() == without.as_str()) {
                    symlink(tool.path(), fewer.join(tool.file_name())).expect("a link");
                }
            }
            tools = fewer;
        }
        for (path, content) in &scenario.files {
            let path = PathBuf::from(self.expand(path));
            if path.to_string_lossy().ends_with('/') {
                std::fs::create_dir_all(&path).expect("a folder");
                continue;
            }
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            if let Some(target) = content.strip_prefix("-> ") {
                symlink(self.expand(target), &path).expect("a link");
                continue;
            }
            std::fs::write(&path, self.expand(content)).expect("a file");
            if content.starts_with("#!") {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a program");
            }
        }
        if !scenario.remotes.is_empty() {
            self.git(&["init", "-q"]);
            for (name, url) in &scenario.remotes {
                self.git(&["remote", "add", name, url]);
            }
        }
        for workspace in &scenario.workspaces {
            self.folders.insert(workspace.name.clone(), workspace.path.clone());
        }
        self.env = vec![
            ("HOME".into(), self.shown("home")),
            ("TMPDIR".into(), self.shown("tmp")),
            ("PATH".into(), format!("{}:{}", self.shown("bin"), tools.display())),
            ("AGENT_WORKSPACE_TEST_WORLD".into(), self.shown("world")),
            ("GIT_CONFIG_NOSYSTEM".into(), "1".into()),
            // For who reads them. Names in other alphabets are to be the same bytes in any locale.
            ("LC_ALL".into(), "C.UTF-8".into()),
        ];
        self.env.extend(of_powershell());
        for (name, value) in &scenario.env {
            let value = self.expand(value);
            self.env.retain(|(known, _)| known != name);
            self.env.push((name.clone(), value));
        }
        self.write_world(scenario);
    }

    fn write_world(&self, scenario: &Scenario) {
        let workspaces: Vec<Value> = scenario
            .workspaces
            .iter()
            .map(|workspace| {
                let mut row = json!({ "name": workspace.name, "status": workspace.status, "repo": workspace.repo,
                                      "path": workspace.path });
                for (name, value) in &workspace.facts {
                    row[name] = self.expand(value).into();
                }
                row
            })
            .collect();
        let answers: Vec<Value> = scenario
            .answers
            .iter()
            .map(|answer| {
                let words: Vec<String> = answer.words.iter().map(|word| self.expand(word)).collect();
                let text = |text: &Option<String>| text.as_ref().map(|text| self.expand(text));
                json!({ "tool": answer.tool, "words": words, "code": answer.code,
                        "out": text(&answer.out), "err": text(&answer.err) })
            })
            .collect();
        let gh: BTreeMap<&String, String> =
            scenario.gh.iter().map(|(host, token)| (host, self.expand(token))).collect();
        let flags = std::fs::read_to_string(self.wrappers().join("share/value-flags")).unwrap_or_default();
        let flags: Vec<&str> = flags.lines().filter_map(|line| line.strip_prefix("create ")).collect();
        let world = json!({
            "real": Launcher::binary(), "guest": self.path("world/guest"), "scripts": self.wrappers().join("guest"),
            "workspaces": workspaces, "answers": answers, "gh": gh, "value_flags": flags,
            "probe": if scenario.probe_fails { "fails" } else { "works" }, "created": !scenario.comes_back,
            "missing": scenario.missing, "version": scenario.version.as_deref().unwrap_or("0.2.0"), "reads": scenario.reads,
        });
        std::fs::write(self.path("world/world.json"), world.to_string()).expect("a file");
    }

    /// Calls the wrapper of a shell once.
    ///
    /// # Panics
    /// When the shell cannot be started, or does not end.
    pub fn call(&self, shell: &Shell, variant: Variant, scenario: &Scenario) -> Outcome {
        let before = self.files();
        let words: Vec<String> = std::iter::once(scenario.command.clone())
            .chain(scenario.run.iter().map(|word| self.expand(word)))
            .collect();
        let mut command = self.command(shell, variant, &words);
        if variant == Variant::Hostile && !matches!(shell, Shell::PowerShell | Shell::Program(_)) {
            command.env("LC_ALL", "C");
        }
        let stdin = scenario.stdin.as_ref().map(|text| self.expand(text));
        let (code, stdout, stderr) = run(&mut command, stdin.as_deref());
        self.outcome(code, &stdout, &stderr, &before)
    }

    /// The process that makes a call.
    ///
    /// # Panics
    /// When the shell is not installed.
    pub fn command(&self, shell: &Shell, variant: Variant, words: &[String]) -> Command {
        let program = shell.program().unwrap_or_else(|| panic!("{} is not installed", shell.name()));
        let mut command = Command::new(program);
        if matches!(shell, Shell::Program(_)) {
            command.args(&words[1..]);
        } else {
            let ending = if *shell == Shell::PowerShell { "ps1" } else { "script" };
            let script = self.path("world").join(format!("call.{ending}"));
            std::fs::write(&script, shell.script(variant, &self.wrappers(), &self.path("world"), words))
                .expect("a script");
            command.args(shell.arguments()).arg(script);
        }
        command.current_dir(self.path("cwd")).env_clear().envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Lets what is run inside really run, on this machine.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn run_what_is_inside(&self) {
        let path = self.path("world/guest");
        std::fs::remove_file(&path).expect("the recorder was there");
        std::fs::write(&path, "#!/bin/sh\nshift 6\nexec \"$@\"\n").expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a program");
    }

    /// Its environment.
    pub fn env(&self) -> &[(String, String)] {
        &self.env
    }

    /// What came of a call that has ended.
    pub fn outcome(&self, code: i32, stdout: &[u8], stderr: &[u8], before: &[String]) -> Outcome {
        let read = |name: &str| std::fs::read_to_string(self.path("world").join(name)).unwrap_or_default();
        let recorded = read("calls");
        let mut leaks = Vec::new();
        let raw_calls: Vec<Value> = recorded.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        for token in self.tokens.keys() {
            let mut found_in = |place: &str, text: &str| {
                if text.contains(token.as_str()) {
                    leaks.push(format!("{{token.{}}} is in {place}", self.tokens[token]));
                }
            };
            found_in("stdout", &String::from_utf8_lossy(stdout));
            found_in("stderr", &String::from_utf8_lossy(stderr));
            for call in &raw_calls {
                found_in(&format!("the arguments of {}", call["tool"]), &call["argv"].to_string());
            }
            for root in ["home", "tmp"] {
                for file in walk(&self.path(root)) {
                    let content = std::fs::read(&file).unwrap_or_default();
                    found_in(&self.hide(&file.display().to_string()), &String::from_utf8_lossy(&content));
                }
            }
        }
        let gates = read("gates");
        let gates = gates.lines().filter_map(|line| serde_json::from_str::<Vec<String>>(line).ok());
        Outcome {
            code,
            stdout: self.hide(&String::from_utf8_lossy(stdout)),
            stderr: self.hide(&String::from_utf8_lossy(stderr)),
            calls: calls_in(&recorded, &self.tokens, &self.folders)
                .iter()
                .map(|call| self.hide(call).replace("launcher@{LAUNCHER}", "launcher"))
                .collect(),
            gates: gates.filter(|words| words[0] == "--supports").map(|words| words[1].clone()).collect(),
            leaves: self.files().into_iter().filter(|file| !before.contains(file)).collect(),
            left: read("left"),
            leaks,
        }
    }

    /// Files below the home and the folder of temporary files, as scenarios name them.
    pub fn files(&self) -> Vec<String> {
        let mut files: Vec<String> = ["home", "tmp", "cwd"]
            .iter()
            .flat_map(|root| walk(&self.path(root)))
            .map(|file| self.hide(&file.display().to_string()))
            .collect();
        // Of PowerShell, not of the wrapper.
        files.retain(|file| !file.contains("/powershell/") && !file.contains("dotnet") && !file.contains("/.git/"));
        files.sort();
        files
    }

    fn git(&self, words: &[&str]) {
        let mut command = Command::new("git");
        command
            .args(words)
            .current_dir(self.path("cwd"))
            .env("HOME", self.path("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1");
        let done = command.status().expect("git is installed");
        assert!(done.success(), "git {words:?}");
    }

    fn shown(&self, name: &str) -> String {
        self.path(name).to_str().expect("temporary folders are UTF-8").to_owned()
    }

    fn places(&self) -> Vec<(&'static str, String)> {
        let wrappers = self.wrappers();
        let checkout = wrappers.parent().expect("a checkout").display().to_string();
        vec![
            ("{LAUNCHER}", self.shown("bin/agent-workspace")),
            ("{GUEST}", self.shown("world/guest")),
            ("{HOME}", self.shown("home")),
            ("{TMP}", self.shown("tmp")),
            ("{CWD}", self.shown("cwd")),
            ("{BIN}", self.shown("bin")),
            ("{SANDBOX}", self.folder.path().display().to_string()),
            ("{WRAPPERS}", wrappers.display().to_string()),
            ("{CHECKOUT}", checkout),
        ]
    }

    /// A text of a scenario with the real places.
    pub fn expand(&self, text: &str) -> String {
        if !text.contains('{') {
            return text.to_owned();
        }
        let mut text = text.to_owned();
        for (name, place) in self.places() {
            text = text.replace(name, &place);
        }
        for (token, name) in &self.tokens {
            text = text.replace(&format!("{{token.{name}}}"), token);
        }
        text
    }

    /// A text of this world as scenarios write it.
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, place) in self.places() {
            text = text.replace(&place, name);
        }
        for (token, name) in &self.tokens {
            text = text.replace(token.as_str(), &format!("{{token.{name}}}"));
        }
        text
    }
}

/// Variables for PowerShell, which others do not read.
pub fn of_powershell() -> Vec<(String, String)> {
    // It leaves files and asks the network otherwise.
    let mut env: Vec<(String, String)> = vec![
        ("DOTNET_EnableDiagnostics".into(), "0".into()),
        ("POWERSHELL_DIAGNOSTICS_OPTOUT".into(), "1".into()),
        ("POWERSHELL_TELEMETRY_OPTOUT".into(), "1".into()),
        ("POWERSHELL_UPDATECHECK".into(), "Off".into()),
    ];
    // What it needs to run on this machine at all.
    let needed = |name: &String| name.starts_with("DOTNET_") && name != "DOTNET_EnableDiagnostics";
    env.extend(std::env::vars().filter(|(name, _)| needed(name)));
    env
}

/// Runs a process with something to read, or an input that has ended, to its end.
fn run(command: &mut Command, stdin: Option<&str>) -> (i32, Vec<u8>, Vec<u8>) {
    // A group of its own, so that all of it can be ended.
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let group = rustix::process::Pid::from_child(&child);
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), stdin) {
        let text = text.to_owned();
        // It may end without reading.
        std::thread::spawn(move || drop(pipe.write_all(text.as_bytes())));
    }
    let (ended, end) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let over = end.recv_timeout(PATIENCE);
        if over == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    });
    let since = Instant::now();
    let output = child.wait_with_output().expect("the process ends");
    drop(ended);
    let _ = watch.join();
    let mut stderr = output.stderr;
    if since.elapsed() >= PATIENCE {
        stderr.extend_from_slice(b"(it did not end and was killed)\n");
    }
    (output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0)), output.stdout, stderr)
}

/// The recorder, which cargo builds beside the launcher.
fn recorder() -> PathBuf {
    let recorder = Launcher::binary().with_file_name("recording_launcher");
    assert!(recorder.exists(), "cargo builds {} with the tests", recorder.display());
    recorder
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}
