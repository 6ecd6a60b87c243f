//! Reads a text by the keys that there are. Everything that is wrong is found, each with its key and its line.

use std::collections::BTreeMap;

use agent_workspace_contract::{ConfigProblem, Severity};

use super::document::{self, Entry, Node, Table, Value};
use super::keys::{self, Key, Kind, RETIRED, SECTIONS, Section};
use super::merge::{self, DEFAULT, Layer, Setting, Template, Templates};
use super::nearest::nearest;
use crate::workspace::token_variables;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Ours, in which everything has to be right.
    Ours,
    /// The older system's, of which is taken what means the same.
    Agentworks,
}

/// What a text says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// What is set in tables that there are once.
    pub(super) sections: BTreeMap<&'static str, Layer>,
    /// Tables that there are by name.
    pub(super) named: BTreeMap<&'static str, Templates>,
    /// What is wrong with it, in the order of the lines.
    pub(super) problems: Vec<ConfigProblem>,
    /// Keys of the older system's that were taken.
    pub(super) taken: Vec<String>,
    /// Keys of the older system's that mean nothing here.
    pub(super) ignored: Vec<String>,
}

/// Reads a text.
pub(super) fn read(text: &str, whose: Whose) -> Reading {
    let mut reader = Reader { whose, reading: Reading::default(), lines: BTreeMap::new() };
    // Editors of another system put it there.
    match document::parse(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        Ok(table) => {
            reader.top(&table);
            reader.check_templates();
            reader.check_credentials();
        }
        Err(broken) => {
            for (line, message) in broken {
                reader.problem(None, line, format!("this is not TOML: {message}"), None);
            }
        }
    }
    let mut reading = reader.reading;
    reading.problems.sort_by_key(|problem| problem.line);
    reading
}

struct Reader {
    whose: Whose,
    reading: Reading,
    /// Where keys stand that are looked at once more when all is read.
    lines: BTreeMap<String, u64>,
}

impl Reader {
    fn top(&mut self, table: &Table) {
        for entry in table {
            let name = entry.name.as_str();
            // The older system takes this spelling still.
            let name = if self.whose == Whose::Agentworks && name == "user" { "operator" } else { name };
            if let Some(section) = keys::section(name) {
                match section.named {
                    Some(_) => self.tables(section, entry),
                    None => self.section(section, &entry.name, &entry.node),
                }
            } else if SECTIONS.iter().any(|section| section.name.split('.').next() == Some(name)) {
                self.group(entry);
            } else {
                let known = SECTIONS.iter().filter_map(|section| section.name.split('.').next());
                let place = SECTIONS.iter().find(|section| section.named.is_none() && section.key(name).is_some());
                let hint = match place {
                    Some(section) => Some(format!("{name} is a key of [{}]", section.name)),
                    None => nearest(name, known).map(|near| format!("did you mean [{near}]?")),
                };
                self.unknown(name, name, entry.line, hint);
            }
        }
    }

    /// A table that only has a table `config`.
    fn group(&mut self, entry: &Entry) {
        let Some(table) = self.expect_table(&entry.name, &entry.node) else { return };
        for inner in table {
            let path = join(&entry.name, &inner.name);
            match keys::section(&path) {
                Some(section) => self.section(section, &path, &inner.node),
                None => {
                    let hint = format!("write it in [{}.config]", entry.name);
                    self.unknown(&path, &path, inner.line, Some(hint));
                }
            }
        }
    }

    fn section(&mut self, section: &'static Section, path: &str, node: &Node) {
        let Some(table) = self.expect_table(path, node) else { return };
        let Template { own, parents: _ } = self.keys_of(section, path, table);
        let there = self.reading.sections.remove(section.name).unwrap_or_default();
        self.reading.sections.insert(section.name, merge::merge(there, &own));
    }

    /// Tables by name.
    fn tables(&mut self, section: &'static Section, entry: &Entry) {
        let Some(table) = self.expect_table(&entry.name, &entry.node) else { return };
        let mut tables = Templates::new();
        for inner in table {
            let path = join(&entry.name, &inner.name);
            if !is_name(&inner.name) {
                let message = "a name has letters, digits, dots, dashes and underscores, and begins with no sign";
                self.wrong(&path, inner.line, message.to_owned(), None);
                continue;
            }
            let Some(keys) = self.expect_table(&path, &inner.node) else { continue };
            let before = self.reading.problems.len();
            let template = self.keys_of(section, &path, keys);
            let missing = section.keys.iter().filter(|key| key.required && !template.own.contains_key(key.name));
            let missing: Vec<_> = missing.map(|key| key.name).collect();
            if !missing.is_empty() && before == self.reading.problems.len() {
                self.wrong(&path, inner.line, format!("it needs {}", missing.join(", ")), None);
            }
            if missing.is_empty() {
                self.lines.insert(path, inner.line);
                tables.insert(inner.name.clone(), template);
            }
        }
        self.reading.named.insert(section.name, tables);
    }

    /// The keys of one table.
    fn keys_of(&mut self, section: &'static Section, path: &str, table: &Table) -> Template {
        let mut template = Template::default();
        for entry in table {
            let at = join(path, &entry.name);
            // The older system takes the older spelling still.
            let name = match (self.whose, entry.name.as_str()) {
                (Whose::Agentworks, "code_workspaces") => "vscode_workspaces",
                (_, name) => name,
            };
            let Some(key) = section.key(name) else {
                let retired = join(section.name, &entry.name);
                self.unknown(&at, &retired, entry.line, hint_for(section, &entry.name));
                continue;
            };
            match setting(key, &at, &entry.node) {
                Ok(Setting::List(parents)) if matches!(key.kind, Kind::Parents) => {
                    self.lines.insert(at.clone(), entry.line);
                    template.parents = parents;
                }
                Ok(setting) => {
                    self.lines.insert(at.clone(), entry.line);
                    template.own.insert(key.name, setting);
                }
                Err(Wrong { path, line, message }) => {
                    self.wrong(&path, line, message, None);
                    continue;
                }
            }
            match self.whose {
                Whose::Agentworks => self.reading.taken.push(at),
                Whose::Ours if !key.used => {
                    let message = format!("{at} is read, and nothing in this version uses it yet");
                    self.reading.problems.push(ConfigProblem {
                        severity: Severity::Warning,
                        key: Some(at),
                        line: Some(entry.line),
                        message,
                        hint: None,
                    });
                }
                Whose::Ours => {}
            }
        }
        template
    }

    /// What templates build on is there, no circle, and not without end.
    fn check_templates(&mut self) {
        let named = std::mem::take(&mut self.reading.named);
        for (kind, templates) in named.iter().filter(|(kind, _)| keys::section(kind).is_some_and(Section::is_template))
        {
            for (name, template) in templates {
                let path = join(&join(kind, name), "inherits");
                let line = self.lines.get(&path).copied();
                let absent = |parent: &&String| *parent != DEFAULT && !templates.contains_key(*parent);
                for parent in template.parents.iter().filter(absent) {
                    let near = nearest(parent, templates.keys().map(String::as_str));
                    let hint = near.map(|near| format!("did you mean {near:?}?"));
                    let message = format!("{path}: there is no template {parent:?} in [{kind}]");
                    self.problem(Some(path.clone()), line, message, hint);
                }
            }
            let faults = merge::faults(templates);
            if let Some(name) = faults.too_tall {
                let path = join(&join(kind, name), "inherits");
                let line = self.lines.get(&path).copied();
                let message = format!("{path}: more than {} templates build on each other", merge::TALLEST);
                self.problem(Some(path), line, message, Some("write several of them as one".to_owned()));
            }
            for circle in faults.circles {
                let path = join(&join(kind, circle[0]), "inherits");
                let line = self.lines.get(&path).copied();
                let message = format!("{path}: templates build on each other in a circle: {}", circle.join(" -> "));
                self.problem(Some(path), line, message, Some("take one of them out of inherits".to_owned()));
            }
        }
        self.reading.named = named;
    }

    /// Credentials that somebody is to get are there, and each says what its kind needs.
    fn check_credentials(&mut self) {
        let empty = Templates::new();
        let credentials = self.reading.named.get("git_credentials").unwrap_or(&empty).clone();
        for (name, credential) in &credentials {
            let is = |word: &str| credential.own.get("type") == Some(&Setting::Text(word.to_owned()));
            if is("azdo") && !credential.own.contains_key("org") {
                let path = join("git_credentials", name);
                let line = self.lines.get(&path).copied();
                let message = format!("{path}: it needs org, as its type is azdo");
                self.problem(Some(path), line, message, None);
            }
        }
        let mut variables: BTreeMap<String, &String> = BTreeMap::new();
        for name in credentials.keys() {
            let variable = token_variables::variable(name);
            if let Some(other) = variables.get(&variable) {
                let path = join("git_credentials", name);
                let line = self.lines.get(&path).copied();
                let message = format!("{path}: {variable} is the variable of {other:?} already");
                self.problem(Some(path), line, message, Some("give one of them another name".to_owned()));
            }
            variables.insert(variable, name);
        }
        let agents = self.reading.named.get("agent_templates").unwrap_or(&empty).iter();
        let agents = agents.map(|(name, agent)| (join("agent_templates", name), agent.own.clone()));
        let admin = self.reading.sections.get("admin.config").map(|own| ("admin.config".to_owned(), own.clone()));
        for (path, own) in agents.chain(admin).collect::<Vec<_>>() {
            let Some(Setting::List(wanted)) = own.get("git_credentials") else { continue };
            for name in wanted.iter().filter(|name| !credentials.contains_key(*name)) {
                let path = join(&path, "git_credentials");
                let line = self.lines.get(&path).copied();
                let near = nearest(name, credentials.keys().map(String::as_str));
                let hint = near.map(|near| format!("did you mean {near:?}?"));
                self.problem(Some(path.clone()), line, format!("{path}: there is no [git_credentials.{name}]"), hint);
            }
        }
    }

    fn expect_table<'a>(&mut self, path: &str, node: &'a Node) -> Option<&'a Table> {
        match &node.value {
            Value::Table(table) => Some(table),
            other => {
                self.wrong(path, node.line, format!("it has to be a table, and is {}", other.kind()), None);
                None
            }
        }
    }

    /// A key that there is not. `shape` is the same without names that the user has chosen.
    fn unknown(&mut self, path: &str, shape: &str, line: u64, hint: Option<String>) {
        let retired = RETIRED.iter().find(|(name, _)| shape == *name || shape.starts_with(&format!("{name}.")));
        match retired {
            Some((_, instead)) => {
                self.wrong(path, line, "it is no longer written so".to_owned(), Some((*instead).to_owned()));
            }
            None => self.wrong(path, line, "there is no such key".to_owned(), hint),
        }
    }

    /// Something at a key that cannot be taken: an error in ours, and nothing to us in the older system's.
    fn wrong(&mut self, path: &str, line: u64, message: String, hint: Option<String>) {
        match self.whose {
            Whose::Ours => self.problem(Some(path.to_owned()), Some(line), format!("{path}: {message}"), hint),
            Whose::Agentworks => self.reading.ignored.push(path.to_owned()),
        }
    }

    fn problem(&mut self, key: Option<String>, line: Option<u64>, message: String, hint: Option<String>) {
        let severity = match self.whose {
            Whose::Ours => Severity::Error,
            Whose::Agentworks => Severity::Warning,
        };
        self.reading.problems.push(ConfigProblem { severity, key, line, message, hint });
    }
}

/// A value that a key does not take.
struct Wrong {
    path: String,
    line: u64,
    message: String,
}

fn setting(key: &Key, path: &str, node: &Node) -> Result<Setting, Wrong> {
    let wrong = |path: String, line: u64, message: String| Err(Wrong { path, line, message });
    let expected =
        |what: &str| wrong(path.to_owned(), node.line, format!("it has to be {what}, and is {}", node.value.kind()));
    match (key.kind, &node.value) {
        (Kind::Text(rule), Value::Text(text)) => match rule(text) {
            Ok(()) => Ok(Setting::Text(text.clone())),
            Err(why) => wrong(path.to_owned(), node.line, format!("{text:?} {why}")),
        },
        (Kind::Text(_), _) => expected("a text"),
        (Kind::Bool, Value::Bool(yes)) => Ok(Setting::Bool(*yes)),
        (Kind::Bool, _) => expected("true or false"),
        (Kind::Number(least), Value::Number(number)) if *number < least => {
            wrong(path.to_owned(), node.line, format!("it has to be at least {least}, and is {number}"))
        }
        (Kind::Number(_), Value::Number(number)) => Ok(Setting::Number(*number)),
        (Kind::Number(_), _) => expected("a whole number"),
        (Kind::List(_) | Kind::Parents, Value::List(nodes)) => {
            let mut words: Vec<String> = Vec::new();
            for (number, node) in nodes.iter().enumerate() {
                let path = format!("{path}[{number}]");
                let Value::Text(word) = &node.value else {
                    return wrong(path, node.line, format!("it has to be a text, and is {}", node.value.kind()));
                };
                if let (Kind::List(rule), word) = (key.kind, word)
                    && let Err(why) = rule(word)
                {
                    return wrong(path, node.line, format!("{word:?} {why}"));
                }
                if !words.contains(word) {
                    words.push(word.clone());
                }
            }
            Ok(Setting::List(words))
        }
        (Kind::List(_) | Kind::Parents, _) => expected("a list of texts"),
        (Kind::Variables, Value::Table(table)) => {
            let mut variables = BTreeMap::new();
            for entry in table {
                let path = join(path, &entry.name);
                if !is_variable(&entry.name) {
                    return wrong(path, entry.line, "it is no name of a variable".to_owned());
                }
                let Value::Text(text) = &entry.node.value else {
                    let kind = entry.node.value.kind();
                    return wrong(path, entry.line, format!("it has to be a text, and is {kind}"));
                };
                if let Err(why) = keys::command(text) {
                    return wrong(path, entry.line, format!("{text:?} {why}"));
                }
                variables.insert(entry.name.clone(), text.clone());
            }
            Ok(Setting::Map(variables))
        }
        (Kind::Variables, _) => expected("a table of texts"),
    }
}

/// The key that may have been meant.
fn hint_for(section: &Section, name: &str) -> Option<String> {
    if let Some(near) = nearest(name, section.keys.iter().map(|key| key.name)) {
        return Some(format!("did you mean {near}?"));
    }
    let elsewhere = SECTIONS.iter().find(|other| other.key(name).is_some());
    elsewhere.map(|other| match other.named {
        Some(example) => format!("{name} is a key of [{}.{example}]", other.name),
        None => format!("{name} is a key of [{}]", other.name),
    })
}

/// A path and a name in it, as TOML writes the two.
fn join(path: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if bare { format!("{path}.{name}") } else { format!("{path}.{name:?}") }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The errors of a text, as KEY:LINE: MESSAGE (HINT).
    fn errors(text: &str) -> Vec<String> {
        let errors = read(text, Whose::Ours).problems.into_iter().filter(|problem| problem.severity == Severity::Error);
        errors
            .map(|problem| {
                let line = problem.line.map(|line| line.to_string()).unwrap_or_default();
                format!("{line}: {} ({})", problem.message, problem.hint.unwrap_or_default())
            })
            .collect()
    }

    #[test]
    fn an_unknown_key_is_an_error_in_every_table() {
        for section in SECTIONS {
            let header = match section.named {
                Some(name) => format!("{}.{name}", section.name),
                None => section.name.to_owned(),
            };
            let required = section.keys.iter().filter(|key| key.required);
            let required: String = required.map(|key| format!("{} = \"github\"\n", key.name)).collect();
            let found = errors(&format!("[{header}]\nnosuch_key = 1\n{required}"));
            assert_eq!(found, [format!("2: {header}.nosuch_key: there is no such key ()")], "{header}");
        }
        assert_eq!(errors("colour = 1"), ["1: colour: there is no such key ()"]);
    }

    #[test]
    fn a_wrong_type_is_an_error_at_every_key() {
        for section in SECTIONS {
            for key in section.keys {
                let header = match section.named {
                    Some(name) => format!("{}.{name}", section.name),
                    None => section.name.to_owned(),
                };
                let found = errors(&format!("[{header}]\n{} = 2.5\n", key.name));
                let begins = format!("2: {header}.{}: it has to be ", key.name);
                assert!(found.iter().any(|error| error.starts_with(&begins)), "{header}.{}: {found:?}", key.name);
            }
        }
    }

    #[test]
    fn what_was_meant_is_suggested() {
        for (text, said) in [
            ("[defaults]\nbakend = \"host\"", "2: defaults.bakend: there is no such key (did you mean backend?)"),
            ("[defualts]\n", "1: defualts: there is no such key (did you mean [defaults]?)"),
            ("vm_host = \"x\"", "1: vm_host: there is no such key (vm_host is a key of [defaults])"),
            (
                "[paths]\nssh_config = \"~/x\"",
                "2: paths.ssh_config: there is no such key (ssh_config is a key of [operator])",
            ),
            ("[defaults]\napt = []", "2: defaults.apt: there is no such key (apt is a key of [vm_templates.default])"),
            (
                "[session]\nhistory_limit = 1",
                "2: session.history_limit: there is no such key (write it in [session.config])",
            ),
            (
                "[vm_templates.base]\n[vm_templates.dev]\ninherits = [\"bsae\"]",
                "3: vm_templates.dev.inherits: there is no template \"bsae\" in [vm_templates] (did you mean \"base\"?)",
            ),
        ] {
            assert_eq!(errors(text), [said]);
        }
    }

    #[test]
    fn shapes_that_are_gone_say_what_is_written_instead() {
        for (text, said) in [
            ("[dotfiles]\nsource = 1", "1: dotfiles: it is no longer written so (write dotfiles_source in"),
            ("[vm.config]\ncpus = 1", "1: vm: it is no longer written so (write [vm_templates.default])"),
            ("[agent.config]\nshell = 1", "1: agent: it is no longer written so (write [agent_templates.default])"),
            ("[defaults]\ngit_credentials = []", "2: defaults.git_credentials: it is no longer written so (write git_"),
            ("[user]\nssh_config = 1", "1: user: it is no longer written so (write [operator])"),
            ("[paths]\ncode_workspaces = 1", "2: paths.code_workspaces: it is no longer written so (write vscode_"),
        ] {
            let found = errors(text);
            assert!(found.len() == 1 && found[0].starts_with(said), "{found:?}");
        }
    }

    #[test]
    fn a_circle_is_an_error_that_names_it_whole() {
        let text = "[agent_templates.a]\ninherits = [\"b\"]\n[agent_templates.b]\ninherits = [\"a\"]\n";
        let whole = "2: agent_templates.a.inherits: templates build on each other in a circle: a -> b -> a (take one of \
                     them out of inherits)";
        assert_eq!(errors(text), [whole]);
    }

    #[test]
    fn a_stack_without_end_is_an_error_and_no_crash() {
        let template = |at: usize| format!("[vm_templates.t{at}]\ninherits = [\"t{}\"]\n", at + 1);
        let text: String = (0..20_000).map(template).collect();
        let found = errors(&format!("{text}[vm_templates.t20000]\n"));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("inherits: more than 256 templates build on each other"), "{found:?}");
    }

    #[test]
    fn values_are_looked_at_by_their_own_rules() {
        for (text, said) in [
            ("[defaults]\nbackend = \"cloud\"", "2: defaults.backend: \"cloud\" has to be one of: docker, host"),
            (
                "[session.config]\nhistory_limit = 0",
                "2: session.config.history_limit: it has to be at least 1, and is 0",
            ),
            (
                "[vm_templates.a]\napt = [\n \"git\",\n \"-y\"]",
                "4: vm_templates.a.apt[1]: \"-y\" is no name of a Debian",
            ),
            (
                "[session_templates.a.env]\n\"a-b\" = \"x\"",
                "2: session_templates.a.env.a-b: it is no name of a variable",
            ),
            ("[session_templates.a.env]\nA = 1", "2: session_templates.a.env.A: it has to be a text, and is a number"),
            (
                "[session_templates.a]\ncommand = \"{{x}}\"",
                "2: session_templates.a.command: \"{{x}}\" knows no {{x}}; there",
            ),
            ("[git_credentials.a]\n", "1: git_credentials.a: it needs type"),
            ("[git_credentials.a]\ntype = \"azdo\"", "1: git_credentials.a: it needs org, as its type is azdo"),
            (
                "[git_credentials.a-b]\ntype = \"github\"\n[git_credentials.a_b]\ntype = \"github\"",
                "3: git_credentials.a_b: GIT_CREDENTIALS_A_B is the variable of \"a-b\" already (give",
            ),
            (
                "[admin.config]\ngit_credentials = [\"x\"]",
                "2: admin.config.git_credentials: there is no [git_credentials.x]",
            ),
            ("[vm_templates.\"a b\"]", "1: vm_templates.\"a b\": a name has letters"),
            ("defaults = 1", "1: defaults: it has to be a table, and is a number"),
            ("vm_templates.a = 1", "1: vm_templates.a: it has to be a table, and is a number"),
            ("a = ", "1: this is not TOML: "),
        ] {
            let found = errors(text);
            assert!(found.len() == 1 && found[0].starts_with(said), "{text}: {found:?}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once_in_the_order_of_the_lines() {
        let found = errors("[paths]\nb = 1\n[defaults]\nvm = 2\nimage = \"a b\"\n");
        let lines: Vec<_> = found.iter().map(|error| error.split(':').next().unwrap_or_default()).collect();
        assert_eq!(lines, ["2", "4", "5"], "{found:?}");
    }

    #[test]
    fn a_mark_of_the_encoding_and_line_ends_of_another_system_are_no_mistakes() {
        assert_eq!(errors("\u{feff}[defaults]\r\nvm = \"dev\"\r\n"), [""; 0]);
    }
}
