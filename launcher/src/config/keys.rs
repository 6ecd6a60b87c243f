//! Every key there is: what it takes, what it is without being set, and what it is for. Reading, the sample and the page
//! about it come from here.

use crate::backend::BACKENDS;
use crate::platform::PLATFORMS;
use crate::workspace::repo_spec::Host as GitHost;
use crate::workspace::{GitRef, ImageRef, MachineName, RepoSpec};

/// Looks at a word; what is wrong with it completes "it ...".
pub(super) type Rule = fn(&str) -> Result<(), String>;

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A text that a rule accepts.
    Text(Rule),
    /// `true` or `false`.
    Bool,
    /// A whole number that is not less than this.
    Number(i64),
    /// A list of texts that a rule accepts.
    List(Rule),
    /// Environment variables: a table of texts.
    Variables,
    /// The templates that one builds on.
    Parents,
}

/// What a key is while nobody sets it, as TOML.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unset {
    /// This value.
    Is(&'static str),
    /// Nothing; this is an example.
    Nothing(&'static str),
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// Its name.
    pub(super) name: &'static str,
    /// What it takes.
    pub(super) kind: Kind,
    /// What it is while nobody sets it.
    pub(super) unset: Unset,
    /// What it is for.
    pub(super) means: &'static str,
    /// Whether something in this version uses it.
    pub(super) used: bool,
    /// Whether its table is nothing without it.
    pub(super) required: bool,
}

/// A table of keys.
#[derive(Debug)]
pub(super) struct Section {
    /// Its name; two parts where it stands in another table.
    pub(super) name: &'static str,
    /// Whether there are several by names of their own, and the one in the sample.
    pub(super) named: Option<&'static str>,
    /// What it is for.
    pub(super) means: &'static str,
    /// Its keys.
    pub(super) keys: &'static [Key],
}

impl Section {
    /// Whether its tables build on each other.
    pub(super) fn is_template(&self) -> bool {
        self.keys.iter().any(|key| matches!(key.kind, Kind::Parents))
    }

    /// A key of it.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// A section by its name.
pub(super) fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

/// Shapes that earlier tools had, and what is written instead.
pub(super) const RETIRED: &[(&str, &str)] = &[
    ("agent", "write [agent_templates.default]"),
    ("defaults.git_credentials", "write git_credentials in [admin.config] or [agent_templates.default]"),
    ("dotfiles", "write dotfiles_source in [admin.config] or [agent_templates.default]"),
    ("paths.code_workspaces", "write vscode_workspaces"),
    ("user", "write [operator]"),
    ("vm", "write [vm_templates.default]"),
];

const fn key(name: &'static str, kind: Kind, unset: Unset, means: &'static str) -> Key {
    Key { name, kind, unset, means, used: true, required: false }
}

/// One that is read and checked, and that nothing uses yet.
const fn later(name: &'static str, kind: Kind, unset: Unset, means: &'static str) -> Key {
    unused(key(name, kind, unset, means))
}

/// The same of one that is used elsewhere.
const fn unused(key: Key) -> Key {
    Key { used: false, ..key }
}

const fn required(key: Key) -> Key {
    Key { required: true, ..key }
}

const INHERITS: Key = key("inherits", Kind::Parents, Unset::Is("[]"), "templates it builds on; the last one wins");
const INHERITS_LATER: Key = unused(INHERITS);
const SHELL: Kind = Kind::Text(shell);
const CREDENTIALS: Key =
    key("git_credentials", Kind::List(plain), Unset::Is("[]"), "which of [git_credentials] the user gets");
const DOTFILES: Key = key(
    "dotfiles_source",
    Kind::Text(source),
    Unset::Nothing("\"git::https://github.com/OWNER/dotfiles?ref=main\""),
    "a folder of this machine, or a repository",
);
const DOTFILES_AT: Key =
    key("dotfiles_destination", Kind::Text(inside), Unset::Is("\"~/.dotfiles\""), "where they are put");
const DOTFILES_INSTALL: Key =
    key("dotfiles_install_cmd", Kind::Text(plain), Unset::Is("\"./install.sh\""), "what is run there afterwards");

/// Every section, in the order of the sample.
pub(super) const SECTIONS: &[Section] = &[
    Section {
        name: "defaults",
        named: None,
        means: "What is meant when nothing is said. Flags and variables come first.",
        keys: &[
            key("backend", Kind::Text(backend), Unset::Is("\"docker\""), "where workspaces live: docker, host or vm"),
            key("vm", Kind::Text(machine), Unset::Nothing("\"dev\""), "the VM of workspaces on VMs"),
            key("platform", Kind::Text(platform), Unset::Is("\"ssh\""), "who makes VMs"),
            key("vm_host", Kind::Text(machine), Unset::Nothing("\"box\""), "the VM host of new VMs"),
            key("image", Kind::Text(image), Unset::Nothing("\"agent-workspace:mine\""), "the image of new workspaces"),
        ],
    },
    Section {
        name: "operator",
        named: None,
        means: "You, and your own SSH.",
        keys: &[
            key(
                "ssh_private_key",
                Kind::Text(path),
                Unset::Nothing("\"~/.ssh/id_ed25519\""),
                "a key that VMs are tried with, after those of ~/.ssh/config",
            ),
            later(
                "ssh_public_key",
                Kind::Text(path),
                Unset::Nothing("\"~/.ssh/id_ed25519.pub\""),
                "the public half of it",
            ),
            key("ssh_config", Kind::Text(path), Unset::Is("\"~/.ssh/config\""), "the file that names VMs for ssh"),
            key(
                "ssh_config_dir",
                Kind::Bool,
                Unset::Is("true"),
                "whether they stand in a file of their own in config.d beside it",
            ),
            key(
                "ssh_host_prefix",
                Kind::Text(host_prefix),
                Unset::Is("\"awvm--\""),
                "what their names there begin with",
            ),
        ],
    },
    Section {
        name: "paths",
        named: None,
        means: "Folders. ~ is your home.",
        keys: &[
            later(
                "vm_workspaces",
                Kind::Text(absolute),
                Unset::Is("\"/srv/agent-workspace/workspaces\""),
                "workspaces, on a VM",
            ),
            key(
                "vscode_workspaces",
                Kind::Text(path),
                Unset::Nothing("\"~/vscode-workspaces\""),
                "files by which VS Code opens workspaces on VMs",
            ),
            later("local_workspaces", Kind::Text(path), Unset::Is("\"~/workspaces\""), "workspaces of this machine"),
            later("backups", Kind::Text(path), Unset::Is("\"~/agent-workspace-backups\""), "backups of VMs"),
        ],
    },
    Section {
        name: "vm_templates",
        named: Some("default"),
        means: "Kinds of VMs: vm create --template NAME. `default` is meant when none is named.",
        keys: &[INHERITS, key("apt", Kind::List(package), Unset::Is("[]"), "Debian packages it has too")],
    },
    Section {
        name: "workspace_templates",
        named: Some("default"),
        means: "Kinds of workspaces: create --template NAME.",
        keys: &[
            INHERITS,
            key("repo", Kind::Text(repo), Unset::Nothing("\"OWNER/REPO\""), "what is cloned when none is named"),
            key("ref", Kind::Text(git_ref), Unset::Nothing("\"main\""), "what of it is checked out"),
        ],
    },
    Section {
        name: "agent_templates",
        named: Some("default"),
        means: "Kinds of agents: agent create --template NAME.",
        keys: &[
            INHERITS,
            key("shell", SHELL, Unset::Is("\"bash\""), "the login shell"),
            CREDENTIALS,
            DOTFILES,
            DOTFILES_AT,
            DOTFILES_INSTALL,
        ],
    },
    Section {
        name: "admin.config",
        named: None,
        means: "The user who manages a VM.",
        keys: &[
            later("shell", SHELL, Unset::Nothing("\"zsh\""), "the login shell"),
            unused(CREDENTIALS),
            unused(DOTFILES),
            unused(DOTFILES_AT),
            unused(DOTFILES_INSTALL),
        ],
    },
    Section {
        name: "git_credentials",
        named: Some("github"),
        means: "Git credentials by name. The token of NAME never stands here: it is in GIT_CREDENTIALS_NAME.",
        keys: &[
            required(key("type", Kind::Text(credential), Unset::Nothing("\"github\""), "github or azdo")),
            key("org", Kind::Text(organisation), Unset::Nothing("\"my-org\""), "the organisation; azdo needs it"),
            key("description", Kind::Text(plain), Unset::Nothing("\"work\""), "what it is called beside its name"),
        ],
    },
    Section {
        name: "session_templates",
        named: Some("default"),
        means: "Kinds of sessions. {{session_name}} and {{workspace_name}} stand for those names.",
        keys: &[
            INHERITS_LATER,
            later("command", Kind::Text(command), Unset::Is("\"\""), "what runs in it; empty is a login shell"),
            later(
                "restart_command",
                Kind::Text(command),
                Unset::Is("\"\""),
                "what runs after a restart; empty is the same",
            ),
            later("description", Kind::Text(plain), Unset::Is("\"Login shell\""), "what it is called in lists"),
            later("env", Kind::Variables, Unset::Is("{}"), "its environment"),
        ],
    },
    Section {
        name: "session.config",
        named: None,
        means: "All sessions.",
        keys: &[later("history_limit", Kind::Number(1), Unset::Is("50000"), "lines that are kept of each")],
    },
];

fn refuse(yes: bool, why: &str) -> Result<(), String> {
    if yes { Ok(()) } else { Err(why.to_owned()) }
}

fn plain(text: &str) -> Result<(), String> {
    refuse(!text.is_empty() && !text.contains(char::is_control), "has to be one line of text")
}

fn word(text: &str) -> Result<(), String> {
    refuse(
        !text.is_empty() && !text.contains(|c: char| c.is_control() || c.is_whitespace()),
        "has to be one word without spaces",
    )
}

fn one_of(text: &str, words: &[&str]) -> Result<(), String> {
    refuse(words.contains(&text), &format!("has to be one of: {}", words.join(", ")))
}

fn backend(text: &str) -> Result<(), String> {
    one_of(text, &BACKENDS)
}

fn platform(text: &str) -> Result<(), String> {
    one_of(text, PLATFORMS)
}

fn credential(text: &str) -> Result<(), String> {
    one_of(text, &["github", "azdo"])
}

/// The names that Azure DevOps gives, which are one part of an address.
fn organisation(text: &str) -> Result<(), String> {
    let ends = |c: char| c.is_ascii_alphanumeric();
    let good = text.starts_with(ends) && text.ends_with(ends) && text.chars().all(|c| ends(c) || c == '-');
    refuse(good, "has to be letters, digits and dashes, and no dash at its ends")
}

fn machine(text: &str) -> Result<(), String> {
    refuse(MachineName::parse(text).is_ok(), "is no name of a VM or VM host")
}

fn image(text: &str) -> Result<(), String> {
    refuse(ImageRef::parse(text).is_ok(), "is no image")
}

fn repo(text: &str) -> Result<(), String> {
    let good = GitHost::parse("github.com").and_then(|host| RepoSpec::parse(text, &host)).is_ok();
    refuse(good, "is no repository: OWNER/REPO, https://HOST/OWNER/REPO or git@HOST:OWNER/REPO")
}

fn git_ref(text: &str) -> Result<(), String> {
    refuse(GitRef::parse(text).is_ok(), "is no branch, tag or commit")
}

fn path(text: &str) -> Result<(), String> {
    let begins = text == "~" || text.starts_with("~/") || text.starts_with('/');
    refuse(begins && !text.contains(char::is_control), "has to begin with / or ~/")
}

fn absolute(text: &str) -> Result<(), String> {
    refuse(text.starts_with('/') && !text.contains(char::is_control), "has to begin with /")
}

/// A place in a home that is not this machine's.
fn inside(text: &str) -> Result<(), String> {
    let climbs = text.split('/').any(|part| part == "..");
    refuse(path(text).is_ok() && !climbs, "has to begin with / or ~/ and to go down from there")
}

fn shell(text: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+-".contains(c);
    refuse(!text.is_empty() && !text.starts_with('-') && text.chars().all(plain), "has to be a shell's name or path")
}

/// `git::URL`, or a folder of this machine.
fn source(text: &str) -> Result<(), String> {
    match text.strip_prefix("git::") {
        Some(url) => refuse(
            (url.starts_with("https://") || url.starts_with("git@")) && word(url).is_ok(),
            "has to name a repository after git::, as https://HOST/OWNER/REPO or git@HOST:OWNER/REPO",
        ),
        None => path(text.strip_prefix("file::").unwrap_or(text)),
    }
}

/// The names that Debian allows, which no shell and no apt takes for anything else.
fn package(text: &str) -> Result<(), String> {
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    // apt takes one of these at the end for an order to add or to remove.
    let order = text.ends_with('-') || text.ends_with('+') && !text.ends_with("++");
    refuse(begins && text.len() > 1 && text.chars().all(plain) && !order, "is no name of a Debian package")
}

fn host_prefix(text: &str) -> Result<(), String> {
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    refuse(begins && text.chars().all(plain), "has to be letters, digits, dots and dashes, a letter or digit first")
}

/// A line for a shell, in which only names that there are stand in double braces.
pub(super) fn command(text: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err("has a zero byte".to_owned());
    }
    match unknown_variable(text) {
        Some(name) => Err(format!("knows no {{{{{name}}}}}; there are {{{{{}}}}}", VARIABLES.join("}}, {{"))),
        None => Ok(()),
    }
}

/// What may stand in double braces.
const VARIABLES: [&str; 2] = ["session_name", "workspace_name"];

/// The first word in double braces that nothing is put in for. What is no single word is none: other programs have
/// braces too.
fn unknown_variable(text: &str) -> Option<&str> {
    text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).map(|(inside, _)| inside).find(|inside| {
        let name = inside.trim();
        let is_word = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        // With spaces around it, it would stay as it is.
        is_word && !VARIABLES.contains(inside)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_packages_are_nothing_else_to_apt() {
        for good in ["git", "g++", "libstdc++", "libc6-dev", "python3.11", "7zip"] {
            assert!(package(good).is_ok(), "{good}");
        }
        for wrong in ["", "a", "-y", "git-", "git+", "Git", "a b", "a;b", "./x.deb", "a=1", "a/b", "$(x)", "a\n"] {
            assert!(package(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_names_that_there_are_stand_in_double_braces() {
        for good in
            ["", "run {{session_name}} {{workspace_name}}", "docker ps --format '{{.Names}}'", "{{ a b }}", "{{"]
        {
            assert!(command(good).is_ok(), "{good}");
        }
        for wrong in ["{{vm_name}}", "a {{session_name}} {{sesion_name}}", "{{ session_name }}"] {
            assert!(command(wrong).unwrap_err().contains("{{session_name}}"), "{wrong}");
        }
    }

    #[test]
    fn places_and_sources_are_told_from_words() {
        for (rule, good, wrong) in [
            (path as Rule, &["~/x", "/x", "~"][..], &["x", "~me/x", "", "/a\nb"][..]),
            (inside, &["~/.dotfiles", "/opt/x"], &["~/../x", "x"]),
            (source, &["~/d", "file::/d", "git::https://h/o/r//sub?ref=a", "git::git@h:o/r"], &["git::http://h", "d"]),
            (shell, &["zsh", "/bin/bash"], &["-c", "a b", ""]),
            (organisation, &["acme", "Acme-2", "a"], &["", "a/b", "a.b", "a b", "-a", "a-", "a@b", "ä"]),
            (host_prefix, &["awvm--", "a.b_"], &["-a", "", "a b"]),
        ] {
            assert!(good.iter().all(|text| rule(text).is_ok()), "{good:?}");
            assert!(wrong.iter().all(|text| rule(text).is_err()), "{wrong:?}");
        }
    }
}
