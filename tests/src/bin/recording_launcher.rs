//! Stands for every program that a wrapper calls, and writes down how it was called.
//!
//! Its name says what it is: `agent-workspace` is a launcher, `guest` the way into a workspace, anything else a tool of
//! the host such as `gh`. The folder that `AGENT_WORKSPACE_TEST_WORLD` names holds `world.json`, which says what there
//! is and what is answered, and `calls`, to which each call is added as one line of JSON. What belongs to the binary
//! alone (reading a document, reading the name of a repository) is handed to the real one.

use std::io::{Error, IsTerminal, Read, Result, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::{Value, json};

/// Variables that are written down with every call.
const WATCHED: [&str; 9] = [
    "AGENT_WORKSPACE_RSH",
    "GH_TOKEN",
    "GITHUB_TOKEN",
    "GH_ENTERPRISE_TOKEN",
    "GITHUB_ENTERPRISE_TOKEN",
    // What variables that hold a token could be called.
    "REPLY",
    "environment",
    "token",
    "token_source",
];
/// When everything was made.
const TIME: &str = "2026-01-02T03:04:05Z";
/// How many words lead into a workspace.
const WAY: usize = 6;
/// What the real binary answers.
const REAL: [&str; 4] = ["field", "parse-repo", "completion", "__complete"];

fn main() -> ExitCode {
    match Recorder::new().and_then(|recorder| recorder.answer()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "recording_launcher: {error}");
            ExitCode::from(99)
        }
    }
}

struct Recorder {
    folder: PathBuf,
    world: Value,
    tool: String,
    called: String,
    argv: Vec<String>,
}

/// A guest script that is run: how it is got to, its name, its arguments.
struct Script {
    way: Vec<String>,
    name: String,
    arguments: Vec<String>,
}

/// What is said and how it ends.
#[derive(Default)]
struct Answer {
    code: u8,
    out: String,
    err: String,
}

impl Answer {
    fn said(out: impl Into<String>) -> Self {
        Self { out: out.into(), ..Self::default() }
    }

    fn failed(code: u8, err: impl Into<String>) -> Self {
        Self { code, err: err.into(), ..Self::default() }
    }
}

impl Recorder {
    fn new() -> Result<Self> {
        let folder = std::env::var_os("AGENT_WORKSPACE_TEST_WORLD").map(PathBuf::from);
        let folder = folder.ok_or_else(|| Error::other("AGENT_WORKSPACE_TEST_WORLD is not set"))?;
        let world = std::fs::read_to_string(folder.join("world.json"))?;
        let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        let called = words.next().unwrap_or_default();
        let tool = Path::new(&called).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let tool = if tool == "agent-workspace" || tool == "recording_launcher" { "launcher".to_owned() } else { tool };
        Ok(Self { folder, world: serde_json::from_str(&world)?, tool, called, argv: words.collect() })
    }

    fn answer(&self) -> Result<u8> {
        let first = self.argv.first().map_or("", String::as_str);
        if self.tool == "launcher" && REAL.contains(&first) {
            if first == "parse-repo" {
                self.record(&self.argv, None)?;
            }
            return self.hand_on();
        }
        if self.tool == "launcher" && ["--supports", "--requires"].contains(&first) {
            return self.gate();
        }
        let reads = self.list("reads").any(|word| word == first || word == self.tool);
        let reads = reads || self.argv.iter().any(|word| word == "--token-stdin");
        let stdin = if reads || self.tool == "guest" { Some(read_stdin()?) } else { None };
        self.record(&self.argv, stdin.as_deref())?;
        let mut answer = match self.tool.as_str() {
            "launcher" => self.launcher(),
            "guest" => self.guest(),
            "gh" => self.gh(),
            _ => Answer::default(),
        };
        self.scripted(&mut answer);
        // Whoever asked may have gone.
        let _ = std::io::stderr().write_all(answer.err.as_bytes());
        let _ = std::io::stdout().write_all(answer.out.as_bytes());
        Ok(answer.code)
    }

    fn record(&self, argv: &[String], stdin: Option<&[u8]>) -> Result<()> {
        let environment: serde_json::Map<String, Value> =
            WATCHED.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?.into()))).collect();
        let stdin = stdin.map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let argv = match self.script() {
            Some(script) => json!({ "way": script.way, "script": script.name, "arguments": script.arguments }),
            None => json!(argv),
        };
        let terminal = [std::io::stdin().is_terminal(), std::io::stdout().is_terminal()];
        let call = json!({
            "tool": self.tool, "called": self.called, "argv": argv, "env": environment, "stdin": stdin, "terminal": terminal,
        });
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(self.folder.join("calls"))?;
        file.write_all(format!("{call}\n").as_bytes())
    }

    /// The guest script that is run, if it is one.
    fn script(&self) -> Option<Script> {
        if self.tool != "guest" {
            return None;
        }
        let at = self.argv.windows(2).position(|pair| pair == ["sh", "-c"])?;
        let text = self.argv.get(at + 2)?.trim_end();
        for entry in std::fs::read_dir(self.world["scripts"].as_str()?).ok()?.flatten() {
            if std::fs::read_to_string(entry.path()).is_ok_and(|script| script.trim_end() == text) {
                let name = entry.file_name().to_string_lossy().into_owned();
                // The word after the script is what it is called.
                let arguments = self.argv.get(at + 4..).unwrap_or_default().to_vec();
                return Some(Script { way: self.argv[..at].to_vec(), name, arguments });
            }
        }
        None
    }

    fn hand_on(&self) -> Result<u8> {
        let real = self.world["real"].as_str().unwrap_or_default();
        let status = Command::new(real).args(&self.argv).status()?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(98))
    }

    fn gate(&self) -> Result<u8> {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(self.folder.join("gates"))?;
        file.write_all(format!("{}\n", json!(self.argv)).as_bytes())?;
        if self.argv[0] == "--requires" {
            return Ok(u8::from(self.version().starts_with("0.1.") || self.version().starts_with("1.")));
        }
        Ok(u8::from(self.list("missing").any(|name| Some(name) == self.argv.get(1).map(String::as_str))))
    }

    /// What the scenario says instead. A stream that it does not mention stays as it is.
    fn scripted(&self, answer: &mut Answer) {
        let words = match self.script() {
            Some(script) => [vec![script.name], script.arguments].concat(),
            None if self.tool == "guest" => self.argv.get(WAY..).unwrap_or_default().to_vec(),
            None => self.argv.clone(),
        };
        for scripted in self.world["answers"].as_array().into_iter().flatten() {
            let said = |key: &str| scripted[key].as_str().map(str::to_owned);
            let wanted: Vec<&str> =
                scripted["words"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let fits = wanted.len() <= words.len() && wanted.iter().zip(&words).all(|(wanted, word)| wanted == word);
            if said("tool").as_deref() != Some(&self.tool) || !fits {
                continue;
            }
            let code = scripted["code"].as_u64().and_then(|code| u8::try_from(code).ok()).unwrap_or(97);
            if code != 0 && said("out").is_none() {
                answer.out.clear();
            }
            *answer = Answer {
                code,
                out: said("out").unwrap_or_else(|| std::mem::take(&mut answer.out)),
                err: said("err").unwrap_or_default(),
            };
            return;
        }
    }

    // ---------------------------------------------------------------------------------------------- the launcher

    fn launcher(&self) -> Answer {
        let json = self.wants_json();
        match self.argv.first().map_or("", String::as_str) {
            "" | "-h" | "--help" => Answer::said("the launcher's help\n"),
            "help" => Answer::said(format!("the launcher's help of {}\n", self.argv[1..].join(" "))),
            "--version" => Answer::said(format!("{}\n", self.version())),
            "ls" if json => self.document("ls", json!({ "workspaces": self.rows() })),
            "ls" => Answer::said(self.workspaces().fold(String::new(), |text, workspace| {
                format!(
                    "{text}{}\t{}\t{}\t{TIME}\n",
                    full(workspace),
                    workspace["status"].as_str().unwrap_or_default(),
                    workspace["repo"].as_str().unwrap_or_default()
                )
            })),
            "create" | "up" => self.create(json),
            verb @ ("describe" | "start" | "stop" | "rm" | "tunnel") => self.one(verb, json),
            other => Answer::said(format!("the launcher was told: {other}\n")),
        }
    }

    fn create(&self, json: bool) -> Answer {
        let spec = self.argv[1..].iter().find(|word| {
            let before = self.argv.iter().position(|other| std::ptr::eq(other, *word)).map(|at| &self.argv[at - 1]);
            !word.starts_with('-') && !before.is_some_and(|word| self.list("value_flags").any(|flag| flag == word))
        });
        let repo = spec.map(|spec| {
            let spec = spec.trim_end_matches(".git").replace(':', "/");
            spec.rsplit('/').take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("/")
        });
        let name = self.flag("--name").map_or_else(
            || {
                format!(
                    "agent-ws-{}-20260102-030405",
                    repo.clone().unwrap_or_default().replace('/', "-").to_lowercase()
                )
            },
            |name| full_name(&name),
        );
        let known = self.workspaces().find(|workspace| full(workspace) == name).cloned();
        let workspace = known.unwrap_or_else(|| {
            let path = repo.as_ref().map_or_else(|| "/work".to_owned(), |repo| format!("/work/{repo}"));
            json!({ "name": name.trim_start_matches("agent-ws-"), "status": "running", "repo": repo, "path": path })
        });
        // Who has a full name has it from a workspace that is there.
        let comes_back = self.flag("--name").is_some_and(|name| name.starts_with("agent-ws-"));
        let created = !comes_back && self.world["created"].as_bool().unwrap_or(true);
        let row = row(&workspace);
        let progress = if json { "" } else { "the launcher made it\n" };
        if self.argv.iter().any(|word| word == "--plan") {
            return match json {
                true => self.document(&self.argv[0], json!({ "workspace": name, "plan": {} })),
                false => Answer::said("the launcher's plan\n"),
            };
        }
        if !json {
            let repo = row["repo"].as_str().unwrap_or("(none)");
            let path = row["path"].as_str().unwrap_or_default();
            return Answer {
                out: format!("workspace: {name}\nrepo: {repo}\npath: {path}\n"),
                err: progress.into(),
                code: 0,
            };
        }
        let command = self.argv[0].clone();
        self.document(&command, json!({
            "workspace": name, "created": created, "repo": row["repo"], "path": row["path"], "image": "agent-workspace:test",
            "secrets": self.secrets(&workspace), "isolation": "standard", "backend": row["backend"], "status": "running",
            "transport": self.transport(&workspace), "timings_ms": { "create": 1 },
        }))
    }

    fn one(&self, verb: &str, json: bool) -> Answer {
        let flags = ["--user", "--workdir", "--name", "--output", "--rescue", "--timeout", "--log-format"];
        let mut name = None;
        let mut words = self.argv[1..].iter();
        while let Some(word) = words.next() {
            if flags.contains(&word.as_str()) {
                words.next();
            } else if !word.starts_with('-') {
                name = Some(word.clone());
            }
        }
        let Some(name) = name else {
            return Answer::failed(2, "error: NAME is missing\n");
        };
        let name = full_name(&name);
        let Some(workspace) = self.workspaces().find(|workspace| full(workspace) == name) else {
            let message = format!("workspace not found: {name}");
            let err = format!("error: {message}\n");
            if !json {
                return Answer::failed(3, err);
            }
            let error = json!({ "code": "workspace_not_found", "message": message, "hint": "agent-workspace ls",
                "causes": [], "retryable": false, "exit_code": 3, "details": { "workspace": name } });
            let mut answer = self.document(verb, json!({ "error": error }));
            answer.out = answer.out.replace("\"ok\":true", "\"ok\":false");
            return Answer { code: 3, err, ..answer };
        };
        let row = row(workspace);
        match (verb, json) {
            ("describe", true) => self.document(
                verb,
                json!({
                    "workspace": row, "isolation": "standard", "secrets": self.secrets(workspace),
                    "transport": self.transport(workspace),
                }),
            ),
            ("describe", false) => {
                Answer::said(format!("workspace: {name}\nstatus: {}\n", row["status"].as_str().unwrap_or_default()))
            }
            ("rm", false) => Answer::said(format!("removed: {name}\nvolumes removed: {name}\n")),
            ("rm", true) => self.document(
                verb,
                json!({ "workspace": name, "removed": [{ "kind": "container", "id": name }],
                "kept": [], "failed": [], "changed": true }),
            ),
            ("tunnel", _) => Answer::said(format!("tunnel: {}\n", workspace["name"].as_str().unwrap_or_default())),
            ("start", false) => Answer::said(format!("started: {name}\n")),
            ("stop", false) => Answer::said(format!("stopped: {name}\n")),
            _ => self.document(verb, json!({ "workspace": name, "changed": true, "status": "running" })),
        }
    }

    fn document(&self, command: &str, keys: Value) -> Answer {
        let mut document = json!({
            "version": self.version(), "schema_version": 1, "ok": true, "capabilities": ["output-json"],
            "command": command, "warnings": [],
        });
        if let (Value::Object(document), Value::Object(keys)) = (&mut document, keys) {
            document.extend(keys);
        }
        // Other characters than ASCII are escapes, as the real one writes them.
        let mut out = String::new();
        for c in document.to_string().chars() {
            if c.is_ascii() {
                out.push(c);
            } else {
                let mut units = [0; 2];
                c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
            }
        }
        Answer::said(out + "\n")
    }

    fn transport(&self, workspace: &Value) -> Value {
        let user = self.flag("--user").unwrap_or_else(|| "agent".to_owned());
        let path = workspace["path"].as_str().unwrap_or("/work").to_owned();
        let workdir = self.flag("--workdir").filter(|_| self.argv[0] == "describe").unwrap_or(path);
        let guest = self.world["guest"].as_str().unwrap_or_default();
        let words = |flag: &str| json!([guest, flag, "-u", user, "-w", workdir, full(workspace)]);
        let quoting = workspace["quoting"].as_str().unwrap_or("argv");
        json!({ "exec": words("-i"), "tty": words("-it"), "user": user, "workdir": workdir, "quoting": quoting })
    }

    fn secrets(&self, workspace: &Value) -> Value {
        let dir = &workspace["secrets"];
        let mount = if dir.is_null() { Value::Null } else { "/home/agent/codex_secrets".into() };
        json!({ "enabled": !dir.is_null(), "dir": dir, "mount": mount, "codex_profile": null, "readonly": false })
    }

    fn workspaces(&self) -> impl Iterator<Item = &Value> {
        self.world["workspaces"].as_array().into_iter().flatten()
    }

    fn rows(&self) -> Vec<Value> {
        self.workspaces().map(row).collect()
    }

    fn version(&self) -> &str {
        self.world["version"].as_str().unwrap_or("0.2.0")
    }

    fn wants_json(&self) -> bool {
        self.flag("--output").as_deref() == Some("json")
    }

    /// The value of a flag in either spelling.
    fn flag(&self, flag: &str) -> Option<String> {
        let mut words = self.argv.iter().take_while(|word| *word != "--");
        while let Some(word) = words.next() {
            if word == flag {
                return words.next().cloned();
            }
            if let Some(value) = word.strip_prefix(flag).and_then(|rest| rest.strip_prefix('=')) {
                return Some(value.to_owned());
            }
        }
        None
    }

    fn list(&self, key: &str) -> impl Iterator<Item = &str> {
        self.world[key].as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    // ------------------------------------------------------------------------------------------------- the others

    fn guest(&self) -> Answer {
        let Some(script) = self.script() else {
            return Answer::default();
        };
        let arguments: Vec<&str> = script.arguments.iter().map(String::as_str).collect();
        match (script.name.as_str(), &arguments[..]) {
            ("config_snapshot.sh", ["state", ..]) => Answer::said("none\n"),
            ("reset_repo.sh", _) => Answer::said("ref origin/main\ntarget 0123456789abcdef0123456789abcdef01234567\n"),
            ("clone_repo.sh" | "private_repo.sh", _) => Answer::said("cloned\n"),
            _ => Answer::default(),
        }
    }

    fn gh(&self) -> Answer {
        let host = self.flag("--hostname").or_else(|| self.flag("-h")).unwrap_or_else(|| "github.com".to_owned());
        match self.argv.iter().map(String::as_str).take(2).collect::<Vec<_>>()[..] {
            ["auth", "token"] => match self.world["gh"][&host].as_str() {
                Some(token) => Answer::said(format!("{token}\n")),
                None => Answer::failed(1, format!("no oauth token found for {host}\n")),
            },
            ["api", ..] if self.world["probe"] == "fails" => Answer::failed(1, "gh: Not Found (HTTP 404)\n"),
            _ => Answer::default(),
        }
    }
}

fn full(workspace: &Value) -> String {
    full_name(workspace["name"].as_str().unwrap_or_default())
}

fn full_name(name: &str) -> String {
    format!("agent-ws-{}", name.strip_prefix("agent-ws-").unwrap_or(name))
}

fn row(workspace: &Value) -> Value {
    let text = |key: &str, default: &str| workspace[key].as_str().unwrap_or(default).to_owned();
    json!({
        "workspace": full(workspace), "name": text("name", "").trim_start_matches("agent-ws-"),
        "backend": text("backend", "docker"), "status": text("status", "running"), "repo": workspace["repo"],
        "path": workspace["path"], "image": "agent-workspace:test", "created_at": TIME, "problems": [],
    })
}

fn read_stdin() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if !std::io::stdin().is_terminal() {
        std::io::stdin().read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
