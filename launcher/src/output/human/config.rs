//! Reports about the configuration, as text for people.

use std::path::Path;

use agent_workspace_contract::{
    ConfigCheckReport, ConfigEditReport, ConfigInitReport, ConfigProblem, ConfigSampleReport, ConfigSource, Severity,
};

use super::{Human, Terminal, plain};
use crate::config;
use crate::error::Error;

impl Human for ConfigCheckReport {
    fn human(&self, _: Terminal) -> String {
        let source = match self.source {
            ConfigSource::Ours => "this launcher's".to_owned(),
            ConfigSource::Agentworks => format!("that of agentworks, {}", plain(self.read.as_deref().unwrap_or("-"))),
            ConfigSource::None => "none, so that everything is as it is built in".to_owned(),
        };
        let defaults = &self.defaults;
        let known = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), plain);
        let templates = &self.templates;
        format!(
            "config: {}\nread: {source}\nbackend: {}\nvm: {}\nplatform: {}\nvm host: {}\nimage: {}\nvm templates: {}\n\
             agent templates: {}\nworkspace templates: {}\nsession templates: {}\n{}",
            plain(&self.path),
            defaults.backend,
            known(&defaults.vm),
            defaults.platform,
            known(&defaults.vm_host),
            plain(&defaults.image),
            templates.vm.join(", "),
            templates.agent.join(", "),
            templates.workspace.join(", "),
            templates.session.join(", "),
            lines(&self.problems),
        )
    }

    fn failure(&self) -> Option<Error> {
        config::failure(Path::new(&self.path), &self.problems)
    }
}

impl Human for ConfigEditReport {
    fn human(&self, _: Terminal) -> String {
        let word = if self.changed { "changed" } else { "as it was" };
        format!("{word}: {}\n{}", plain(&self.path), lines(&self.problems))
    }

    fn failure(&self) -> Option<Error> {
        config::failure(Path::new(&self.path), &self.problems)
    }
}

/// A line a problem.
fn lines(problems: &[ConfigProblem]) -> String {
    let line = |problem: &ConfigProblem| {
        let word = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let at = problem.line.map(|line| format!(" in line {line}")).unwrap_or_default();
        let hint = problem.hint.as_ref().map(|hint| format!(" ({})", plain(hint))).unwrap_or_default();
        format!("{word}{at}: {}{hint}\n", plain(&problem.message))
    };
    problems.iter().map(line).collect()
}

impl Human for ConfigInitReport {
    fn human(&self, _: Terminal) -> String {
        let kept = self.backup.as_ref().map(|backup| format!("kept: {}\n", plain(backup))).unwrap_or_default();
        format!("written: {}\n{kept}", plain(&self.path))
    }
}

impl Human for ConfigSampleReport {
    fn human(&self, _: Terminal) -> String {
        self.sample.clone()
    }
}
