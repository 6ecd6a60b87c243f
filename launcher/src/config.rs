//! The configuration of whoever runs this: `config.toml`, which no command needs. The only room that reads it.
//!
//! `Host::config` reads it once, when somebody asks. What is wrong in it is an error for them, as half a configuration
//! would do something else than was written.

mod document;
mod keys;
mod merge;
mod nearest;
mod place;
mod read;
mod sample;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use agent_workspace_contract::{
    ConfigDefaults, ConfigProblem, ConfigSource, ConfigTemplates, EnvVar, ErrorCode, Severity,
};

use self::keys::{SECTIONS, Unset};
use self::merge::{DEFAULT, Layer, Setting, merge, resolve};
pub use self::place::{Place, ours};
use self::read::{Reading, Whose, read};
pub use self::sample::sample;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::workspace::ImageRef;

/// What somebody has set, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The file it was read from.
    file: Option<PathBuf>,
    /// Where `~` is.
    home: Option<PathBuf>,
    reading: Reading,
}

/// What is meant when nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Where workspaces live.
    pub backend: Option<String>,
    /// The VM of workspaces on VMs.
    pub vm: Option<String>,
    /// Who makes VMs.
    pub platform: Option<String>,
    /// The VM host of new VMs.
    pub vm_host: Option<String>,
    /// The image of new workspaces.
    pub image: Option<String>,
}

/// The person, and their own SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// A key that VMs are tried with, beside those that SSH is configured with. It need not be there.
    pub ssh_private_key: Option<PathBuf>,
    /// The public half of it. It need not be there.
    pub ssh_public_key: Option<PathBuf>,
    /// The file that names VMs for ssh.
    pub ssh_config: PathBuf,
    /// Whether they stand in a file of their own beside it.
    pub ssh_config_dir: bool,
    /// What their names there begin with.
    pub ssh_host_prefix: String,
}

/// Folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Workspaces, on a VM.
    pub vm_workspaces: String,
    /// Workspaces of this machine.
    pub local_workspaces: PathBuf,
    /// Backups of VMs.
    pub backups: PathBuf,
}

/// A kind of VM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VmTemplate {
    /// Debian packages it has too; names that are nothing else to apt.
    pub apt: Vec<String>,
}

/// A kind of workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkspaceTemplate {
    /// What is cloned when none is named.
    pub repo: Option<String>,
    /// What of it is checked out.
    pub git_ref: Option<String>,
}

/// A kind of user: an agent, or who manages a VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentTemplate {
    /// The login shell; `None` leaves it as it is.
    pub shell: Option<String>,
    /// Which git credentials it gets, all of which are in the configuration.
    pub git_credentials: Vec<String>,
    /// A folder of this machine, or `git::` and a repository.
    pub dotfiles_source: Option<String>,
    /// Where they are put; `~` is the user's own home.
    pub dotfiles_destination: String,
    /// What is run there afterwards.
    pub dotfiles_install_cmd: String,
}

/// A git credential; the secret itself stands elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitCredential {
    /// `github` or `azdo`.
    pub kind: String,
    /// The organisation; `azdo` has one always.
    pub org: Option<String>,
    /// What it is called in lists.
    pub description: Option<String>,
}

/// A kind of session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionTemplate {
    /// What runs in it; `None` is a login shell, whatever else is set.
    pub command: Option<String>,
    /// What runs after a restart; `None` is the same.
    pub restart_command: Option<String>,
    /// What it is called in lists.
    pub description: String,
    /// Its environment.
    pub env: BTreeMap<String, String>,
}

/// What there is to say of the configuration, right or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// Where ours is, or would be.
    pub path: PathBuf,
    /// Whether it is there.
    pub exists: bool,
    /// Whose was read.
    pub source: ConfigSource,
    /// Which file was read.
    pub read: Option<PathBuf>,
    /// What is wrong with it.
    pub problems: Vec<ConfigProblem>,
    /// Keys of the older system's that hold here.
    pub taken: Vec<String>,
    /// Keys of the older system's that mean nothing here.
    pub ignored: Vec<String>,
    /// Names of templates, by kind.
    pub templates: ConfigTemplates,
    /// What is meant when nothing is said.
    pub defaults: ConfigDefaults,
}

/// What was found where the configuration may be.
struct Found {
    source: ConfigSource,
    file: Option<PathBuf>,
    reading: Reading,
}

/// Looks where the configuration may be, and reads what is there.
///
/// # Errors
/// `invalid_environment`, or `config_invalid` when ours is there and cannot be read at all.
fn find(host: &Host) -> Result<Found> {
    let named = host.var(EnvVar::Config)?.is_some();
    // Who has no home has no configuration either.
    let ours = match place::ours(host) {
        Err(error) if named || host.home().is_ok() => return Err(error),
        place => place.ok(),
    };
    if let Some(Place { path, named: _ }) = &ours
        && let Some(text) = place::text(path)?
    {
        let (file, reading) = (Some(path.clone()), read(&text, Whose::Ours));
        return Ok(Found { source: ConfigSource::Ours, file, reading });
    }
    let older = place::agentworks(host).filter(|_| !named);
    match older.map(|path| (place::text(&path), path)) {
        Some((Ok(Some(text)), path)) => {
            let reading = read(&text, Whose::Agentworks);
            Ok(Found { source: ConfigSource::Agentworks, file: Some(path), reading })
        }
        // What is not ours and cannot be read is in nobody's way.
        _ => Ok(Found { source: ConfigSource::None, file: None, reading: Reading::default() }),
    }
}

impl Config {
    /// Reads it. What is not there sets nothing.
    ///
    /// # Errors
    /// `config_invalid` with the first thing that is wrong, `invalid_environment`.
    pub fn of(host: &Host) -> Result<Self> {
        let Found { source: _, file, reading } = find(host)?;
        let errors = reading.problems.iter().filter(|problem| problem.severity == Severity::Error);
        let count = errors.clone().count();
        match (errors.into_iter().next(), &file) {
            (Some(first), Some(file)) => Err(invalid(file, first, count)),
            _ => Ok(Self { file, home: host.home().ok(), reading }),
        }
    }

    /// One in which nothing is set.
    pub fn unset(home: &Path) -> Self {
        Self { file: None, home: Some(home.to_owned()), reading: Reading::default() }
    }

    /// What is said of a text that is ours, for tests of those who use it.
    #[cfg(test)]
    pub(crate) fn from_text(text: &str) -> Self {
        Self { file: None, home: Some("/home/me".into()), reading: read(text, Whose::Ours) }
    }

    /// What is meant when nothing is said; only what somebody has set.
    pub fn defaults(&self) -> Defaults {
        let set = |key: &str| text(self.reading.sections.get("defaults"), key);
        Defaults {
            backend: set("backend"),
            vm: set("vm"),
            platform: set("platform"),
            vm_host: set("vm_host"),
            image: set("image"),
        }
    }

    /// The person, and their own SSH.
    pub fn operator(&self) -> Operator {
        let layer = self.section("operator");
        let path = |key: &str| text(Some(&layer), key).map(|path| self.expand(&path));
        Operator {
            ssh_private_key: path("ssh_private_key"),
            ssh_public_key: path("ssh_public_key"),
            ssh_config: path("ssh_config").unwrap_or_default(),
            ssh_config_dir: layer.get("ssh_config_dir") == Some(&Setting::Bool(true)),
            ssh_host_prefix: text(Some(&layer), "ssh_host_prefix").unwrap_or_default(),
        }
    }

    /// Folders.
    pub fn paths(&self) -> Paths {
        let layer = self.section("paths");
        let path = |key: &str| text(Some(&layer), key).map(|path| self.expand(&path)).unwrap_or_default();
        Paths {
            vm_workspaces: text(Some(&layer), "vm_workspaces").unwrap_or_default(),
            local_workspaces: path("local_workspaces"),
            backups: path("backups"),
        }
    }

    /// The folder of files by which VS Code opens workspaces on VMs; `None` when there are to be none.
    pub fn vscode_workspaces(&self) -> Option<PathBuf> {
        text(self.reading.sections.get("paths"), "vscode_workspaces").map(|path| self.expand(&path))
    }

    /// How many lines of each session are kept.
    pub fn history_limit(&self) -> u32 {
        match self.section("session.config").get("history_limit") {
            Some(Setting::Number(lines)) => u32::try_from(*lines).unwrap_or(u32::MAX),
            _ => 0,
        }
    }

    /// A kind of VM; the default where none is named.
    ///
    /// # Errors
    /// `template_not_found`.
    pub fn vm_template(&self, name: Option<&str>) -> Result<VmTemplate> {
        let layer = self.template("vm_templates", "VM", name)?;
        Ok(VmTemplate { apt: list(&layer, "apt") })
    }

    /// A kind of workspace; the default where none is named.
    ///
    /// # Errors
    /// `template_not_found`.
    pub fn workspace_template(&self, name: Option<&str>) -> Result<WorkspaceTemplate> {
        let layer = self.template("workspace_templates", "workspace", name)?;
        Ok(WorkspaceTemplate { repo: text(Some(&layer), "repo"), git_ref: text(Some(&layer), "ref") })
    }

    /// A kind of agent; the default where none is named.
    ///
    /// # Errors
    /// `template_not_found`.
    pub fn agent_template(&self, name: Option<&str>) -> Result<AgentTemplate> {
        Ok(agent(&self.template("agent_templates", "agent", name)?))
    }

    /// What the user is to have who manages a VM.
    pub fn admin(&self) -> AgentTemplate {
        agent(&self.section("admin.config"))
    }

    /// A git credential by its name.
    pub fn git_credential(&self, name: &str) -> Option<GitCredential> {
        let own = &self.reading.named.get("git_credentials")?.get(name)?.own;
        Some(GitCredential {
            kind: text(Some(own), "type")?,
            org: text(Some(own), "org"),
            description: text(Some(own), "description"),
        })
    }

    /// A kind of session; the default where none is named.
    ///
    /// # Errors
    /// `template_not_found`.
    pub fn session_template(&self, name: Option<&str>) -> Result<SessionTemplate> {
        let layer = self.template("session_templates", "session", name)?;
        let command = |key: &str| text(Some(&layer), key).filter(|command| !command.trim().is_empty());
        Ok(SessionTemplate {
            command: command("command"),
            restart_command: command("restart_command"),
            description: text(Some(&layer), "description").unwrap_or_default(),
            env: match layer.get("env") {
                Some(Setting::Map(env)) => env.clone(),
                _ => BTreeMap::new(),
            },
        })
    }

    /// A table with what is built in.
    fn section(&self, name: &'static str) -> Layer {
        let unset = built_in(name);
        self.reading.sections.get(name).map_or(unset.clone(), |set| merge(unset, set))
    }

    /// A template with what it builds on, and what is built in below all of them.
    fn template(&self, kind: &'static str, what: &str, name: Option<&str>) -> Result<Layer> {
        let name = name.unwrap_or(DEFAULT);
        let empty = BTreeMap::new();
        let templates = self.reading.named.get(kind).unwrap_or(&empty);
        let set = resolve(templates, name).ok_or_else(|| {
            let names = names(&self.reading, kind);
            let listed = names.join(", ");
            let place = self.file.as_ref().map_or_else(String::new, |file| format!(" in {}", file.display()));
            Error::new(ErrorCode::TemplateNotFound, format!("there is no {what} template {name:?}{place}"))
                .detail("template", name)
                .detail("templates", names)
                .hint(format!("one of: {listed}; or write one: agent-workspace config edit"))
        })?;
        Ok(merge(built_in(kind), &set))
    }

    fn expand(&self, path: &str) -> PathBuf {
        match (path.strip_prefix('~'), &self.home) {
            (Some(rest), Some(home)) => home.join(rest.trim_start_matches('/')),
            _ => PathBuf::from(path),
        }
    }
}

/// Everything that there is to say of the configuration.
///
/// # Errors
/// `invalid_environment` when it is not known where it is. A file that cannot be read is a finding.
pub fn examine(host: &Host) -> Result<Examined> {
    let place = place::ours(host)?;
    let found = find(host).or_else(|error| match error.code() {
        ErrorCode::ConfigInvalid => {
            let cause = error.causes().first().map(|cause| format!(": {cause}")).unwrap_or_default();
            let problem = ConfigProblem {
                severity: Severity::Error,
                key: None,
                line: None,
                message: format!("{error}{cause}"),
                hint: error.hint_text().map(str::to_owned),
            };
            let reading = Reading { problems: vec![problem], ..Reading::default() };
            let file = Some(place.path.clone());
            Ok(Found { source: ConfigSource::Ours, file, reading })
        }
        _ => Err(error),
    })?;
    let Found { source, file, reading } = found;
    let config = Config { file: file.clone(), home: host.home().ok(), reading };
    let mut problems = config.reading.problems.clone();
    problems.extend(beside(&config, &place, source));
    let defaults = config.defaults();
    let unset = built_in("defaults");
    let or = |set: Option<String>, key: &str| set.or_else(|| text(Some(&unset), key)).unwrap_or_default();
    Ok(Examined {
        exists: source == ConfigSource::Ours,
        source,
        read: file,
        problems,
        taken: config.reading.taken.clone(),
        ignored: config.reading.ignored.clone(),
        templates: ConfigTemplates {
            vm: names(&config.reading, "vm_templates"),
            agent: names(&config.reading, "agent_templates"),
            workspace: names(&config.reading, "workspace_templates"),
            session: names(&config.reading, "session_templates"),
        },
        defaults: ConfigDefaults {
            backend: or(defaults.backend, "backend"),
            vm: defaults.vm,
            platform: or(defaults.platform, "platform"),
            vm_host: defaults.vm_host,
            image: defaults.image.unwrap_or_else(|| ImageRef::default_agent_image().as_str().to_owned()),
        },
        path: place.path,
    })
}

/// What is right in itself, and worth knowing all the same.
fn beside(config: &Config, place: &Place, source: ConfigSource) -> Vec<ConfigProblem> {
    let warning = |key: Option<&str>, message: String, hint: String| ConfigProblem {
        severity: Severity::Warning,
        key: key.map(str::to_owned),
        line: None,
        message,
        hint: Some(hint),
    };
    let mut found = Vec::new();
    if source == ConfigSource::Agentworks {
        let said = |keys: &[String]| if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
        let older = config.file.as_deref().unwrap_or(Path::new("")).display();
        let (taken, ignored) = (said(&config.reading.taken), said(&config.reading.ignored));
        let message = format!("{older} of agentworks is read; taken: {taken}; without a meaning here: {ignored}");
        found.push(warning(None, message, "write one of your own: agent-workspace config init".to_owned()));
    }
    if source == ConfigSource::None && place.named {
        let name = EnvVar::Config.name();
        let message = format!("{name} names {}, which is not there", place.path.display());
        found.push(warning(None, message, format!("agent-workspace config init; or: unset {name}")));
    }
    let Operator { ssh_private_key, ssh_public_key, .. } = config.operator();
    for (key, file) in [("operator.ssh_private_key", ssh_private_key), ("operator.ssh_public_key", ssh_public_key)] {
        if let Some(file) = file.filter(|file| !file.is_file()) {
            let message = format!("{key}: there is no file {}", file.display());
            found.push(warning(Some(key), message, "VMs are tried with the other keys alone".to_owned()));
        }
    }
    found
}

/// The error of a configuration with this in it.
fn invalid(file: &Path, first: &ConfigProblem, count: usize) -> Error {
    let at = first.line.map(|line| format!(":{line}")).unwrap_or_default();
    let meant = first.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    let error = Error::new(ErrorCode::ConfigInvalid, format!("{}{at}: {}{meant}", file.display(), first.message))
        .detail("path", file.to_string_lossy())
        .detail("key", first.key.clone())
        .detail("line", first.line)
        .hint("see everything that is wrong: agent-workspace config check");
    if count > 1 { error.cause(format!("and {} more", count - 1)) } else { error }
}

/// The failure of a check that has found these.
pub fn failure(path: &Path, problems: &[ConfigProblem]) -> Option<Error> {
    let mut errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    let (first, more) = (errors.next()?, errors.count());
    Some(invalid(path, first, more + 1).hint("mend it: agent-workspace config edit"))
}

/// Names of templates of a kind. The default is there always, and first.
fn names(reading: &Reading, kind: &str) -> Vec<String> {
    let written = reading.named.get(kind).into_iter().flat_map(BTreeMap::keys);
    let others = written.filter(|name| *name != DEFAULT).cloned();
    std::iter::once(DEFAULT.to_owned()).chain(others).collect()
}

/// What a table is while nobody sets anything.
fn built_in(name: &'static str) -> Layer {
    let section = SECTIONS.iter().filter(|section| section.name == name);
    let lines = section.flat_map(|section| section.keys).filter_map(|key| match key.unset {
        Unset::Is(value) => Some(format!("{} = {value}\n", key.name)),
        Unset::Nothing(_) => None,
    });
    let named = if keys::section(name).is_some_and(|section| section.named.is_some()) { ".default" } else { "" };
    let mut reading = read(&format!("[{name}{named}]\n{}", lines.collect::<String>()), Whose::Ours);
    match reading.named.remove(name).and_then(|mut templates| templates.remove(DEFAULT)) {
        Some(template) => template.own,
        None => reading.sections.remove(name).unwrap_or_default(),
    }
}

fn agent(layer: &Layer) -> AgentTemplate {
    let set = |key: &str| text(Some(layer), key);
    AgentTemplate {
        shell: set("shell"),
        git_credentials: list(layer, "git_credentials"),
        dotfiles_source: set("dotfiles_source"),
        dotfiles_destination: set("dotfiles_destination").unwrap_or_default(),
        dotfiles_install_cmd: set("dotfiles_install_cmd").unwrap_or_default(),
    }
}

fn text(layer: Option<&Layer>, key: &str) -> Option<String> {
    match layer?.get(key) {
        Some(Setting::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

fn list(layer: &Layer, key: &str) -> Vec<String> {
    match layer.get(key) {
        Some(Setting::List(list)) => list.clone(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
