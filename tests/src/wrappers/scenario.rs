//! Scenarios: what is typed, what there is, and what must come of it.

use std::collections::BTreeMap;
use std::path::Path;

use super::words::{join, split};

/// One line of the table.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// The file it is in, without its ending.
    pub file: String,
    /// What it claims.
    pub name: String,
    /// What is called: `agent-workspace` or a short name.
    pub command: String,
    /// Its arguments.
    pub run: Vec<String>,
    /// Variables.
    pub env: Vec<(String, String)>,
    /// What it can read; nothing is an input that has ended.
    pub stdin: Option<String>,
    /// The workspaces that there are.
    pub workspaces: Vec<Workspace>,
    /// Tools of the host that there are beside the ordinary ones.
    pub tools: Vec<String>,
    /// Ordinary tools that there are not.
    pub without: Vec<String>,
    /// Capabilities that the launcher does not have.
    pub missing: Vec<String>,
    /// The launcher's version.
    pub version: Option<String>,
    /// Where a launcher is: `path`, `checkout`, `cache`.
    pub launcher: Vec<String>,
    /// Files, and folders whose names end with a slash.
    pub files: Vec<(String, String)>,
    /// Remotes of the current folder.
    pub remotes: Vec<(String, String)>,
    /// Tokens that `gh` knows, by host.
    pub gh: BTreeMap<String, String>,
    /// Whether `gh` cannot see the repository.
    pub probe_fails: bool,
    /// Whether `create` comes back to what was there.
    pub comes_back: bool,
    /// What answers differently.
    pub answers: Vec<Answer>,
    /// What reads its input.
    pub reads: Vec<String>,
    /// Capabilities that must have been asked for, when it matters.
    pub needs: Option<Vec<String>>,
    /// Calls that must have been made, all of them and in this order.
    pub calls: Vec<String>,
    /// Files below the home and the folder of temporary files that must have been left.
    pub leaves: Vec<String>,
    /// What must be on stdout.
    pub stdout: String,
    /// What must be on stderr.
    pub stderr: String,
    /// How it must end.
    pub exit: i32,
}

/// A workspace that there is.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    /// Its short name.
    pub name: String,
    /// Its state.
    pub status: String,
    /// OWNER/REPO.
    pub repo: Option<String>,
    /// Its folder.
    pub path: String,
    /// Other facts.
    pub facts: Vec<(String, String)>,
}

/// What is answered to a call that begins with these words.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Who answers: `launcher`, `guest` or a tool.
    pub tool: String,
    /// How the call begins.
    pub words: Vec<String>,
    /// The exit code.
    pub code: u8,
    /// On stdout, if it is not what it would be anyway.
    pub out: Option<String>,
    /// On stderr, likewise.
    pub err: Option<String>,
}

/// Every scenario of the files in a folder.
///
/// # Panics
/// When one cannot be understood.
pub fn all(folder: &Path) -> Vec<Scenario> {
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("scenarios").flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut scenarios = Vec::new();
    for path in files.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "txt")) {
        let text = std::fs::read_to_string(&path).expect("a file of scenarios");
        let file = path.file_stem().expect("a name").to_string_lossy().into_owned();
        scenarios.extend(parse(&file, &text).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    }
    scenarios
}

/// Scenarios of one file.
fn parse(file: &str, text: &str) -> Result<Vec<Scenario>, String> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    let is_value = |number: usize| lines.get(number).is_some_and(|line| line.starts_with("    "));
    let mut next = 0;
    while let Some(line) = lines.get(next) {
        next += 1;
        let number = next;
        let at = |error: String| format!("line {number}: {error}");
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("== ") {
            if scenarios.iter().any(|scenario| scenario.name == name) {
                return Err(at(format!("there are two scenarios {name:?}")));
            }
            scenarios.push(Scenario {
                file: file.to_owned(),
                name: name.to_owned(),
                command: "agent-workspace".to_owned(),
                workspaces: vec![Workspace::parse("demo running acme/hello /work/acme/hello")?],
                launcher: vec!["path".to_owned()],
                ..Scenario::default()
            });
            continue;
        }
        let scenario = scenarios.last_mut().ok_or_else(|| at("a scenario begins with == and its name".to_owned()))?;
        let (key, rest) = line.split_once(':').ok_or_else(|| at(format!("KEY: VALUE, not {line:?}")))?;
        let mut value = vec![rest.trim().to_owned()];
        // An empty line belongs to a value that goes on after it.
        while is_value(next) || (lines.get(next).is_some_and(|line| line.is_empty()) && is_value(next + 1)) {
            value.push(lines[next].get(4..).unwrap_or_default().to_owned());
            next += 1;
        }
        if value[0].is_empty() {
            value.remove(0);
        } else if value.len() > 1 {
            return Err(at(format!("{key}: a value is on the line or below it")));
        }
        scenario.set(key, &value).map_err(at)?;
    }
    Ok(scenarios)
}

impl Scenario {
    fn set(&mut self, key: &str, lines: &[String]) -> Result<(), String> {
        let words = || -> Result<Vec<String>, String> {
            Ok(lines.iter().map(|line| split(line)).collect::<Result<Vec<_>, _>>()?.concat())
        };
        let pairs = || -> Result<Vec<(String, String)>, String> {
            let pair = |word: String| {
                word.split_once('=')
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .ok_or(format!("NAME=VALUE, not {word:?}"))
            };
            words()?.into_iter().map(pair).collect()
        };
        // A backslash at its end says that a line does not end.
        let text = || lines.iter().map(|line| format!("{line}\n")).collect::<String>().replace("\\\n", "");
        match key {
            "run" => self.run = words()?,
            "command" => self.command = words()?.concat(),
            "env" => self.env = pairs()?,
            "stdin" => self.stdin = Some(words()?.concat()),
            "workspaces" if lines == ["none"] => self.workspaces.clear(),
            "workspaces" => {
                self.workspaces = lines.iter().map(|line| Workspace::parse(line)).collect::<Result<_, _>>()?;
            }
            "tools" => self.tools = words()?,
            "without" => self.without = words()?,
            "missing" => self.missing = words()?,
            "version" => self.version = Some(words()?.concat()),
            "launcher" if lines == ["none"] => self.launcher.clear(),
            "launcher" => self.launcher = words()?,
            "files" => {
                self.files = lines
                    .iter()
                    .map(|line| match &split(line)?[..] {
                        [path] => Ok((path.clone(), String::new())),
                        [path, content] => Ok((path.clone(), content.clone())),
                        _ => Err(format!("PATH CONTENT, not {line:?}")),
                    })
                    .collect::<Result<_, _>>()?;
            }
            "remotes" => self.remotes = pairs()?,
            "gh" => self.gh = pairs()?.into_iter().collect(),
            "probe" if lines == ["fails"] => self.probe_fails = true,
            "created" if lines == ["false"] => self.comes_back = true,
            "answers" => self.answers = lines.iter().map(|line| Answer::parse(line)).collect::<Result<_, _>>()?,
            "reads" => self.reads = words()?,
            "needs" => self.needs = Some(words()?),
            "leaves" => self.leaves = words()?,
            "calls" => {
                self.calls = lines.iter().map(|line| Ok(join(split(line)?))).collect::<Result<_, String>>()?;
            }
            "stdout" => self.stdout = text(),
            "stderr" => self.stderr = text(),
            "exit" => self.exit = lines.concat().parse().map_err(|error| format!("exit: {error}"))?,
            _ => return Err(format!("{key}: {lines:?} means nothing")),
        }
        Ok(())
    }

    /// Whether a token takes part.
    pub fn has_token(&self) -> bool {
        !self.gh.is_empty() || self.env.iter().any(|(_, value)| value.contains("{token"))
    }
}

impl Workspace {
    /// `NAME STATUS REPO PATH [FACT=VALUE...]`; a repository `-` is none.
    fn parse(line: &str) -> Result<Self, String> {
        let words = split(line)?;
        let [name, status, repo, path, facts @ ..] = &words[..] else {
            return Err(format!("NAME STATUS REPO PATH, not {line:?}"));
        };
        let fact = |word: &String| {
            word.split_once('=')
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .ok_or(format!("FACT=VALUE, not {word:?}"))
        };
        Ok(Self {
            name: name.clone(),
            status: status.clone(),
            repo: (repo != "-").then(|| repo.clone()),
            path: path.clone(),
            facts: facts.iter().map(fact).collect::<Result<_, _>>()?,
        })
    }
}

impl Answer {
    /// `TOOL WORD... -> CODE [out=TEXT] [err=TEXT]`
    fn parse(line: &str) -> Result<Self, String> {
        let words = split(line)?;
        let arrow =
            words.iter().position(|word| word == "->").ok_or_else(|| format!("TOOL WORD... -> CODE, not {line:?}"))?;
        let [tool, call @ ..] = &words[..arrow] else { return Err(format!("who answers? {line:?}")) };
        let [code, said @ ..] = &words[arrow + 1..] else { return Err(format!("with which code? {line:?}")) };
        let mut answer = Self {
            tool: tool.clone(),
            words: call.to_vec(),
            code: code.parse().map_err(|error| format!("{code:?}: {error}"))?,
            out: None,
            err: None,
        };
        for word in said {
            match word.split_once('=') {
                Some(("out", text)) => answer.out = Some(text.to_owned()),
                Some(("err", text)) => answer.err = Some(text.to_owned()),
                _ => return Err(format!("{word:?} is neither out=TEXT nor err=TEXT")),
            }
        }
        Ok(answer)
    }
}
