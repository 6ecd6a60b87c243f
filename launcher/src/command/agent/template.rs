//! What an agent is set up by: what was asked for itself, and below that what its template says by now.

use agent_workspace_contract::ErrorCode;

use crate::command::vm::Fleet;
use crate::config::AgentTemplate;
use crate::error::{Error, Result};
use crate::guest::users::{AgentSetup, Dotfiles};

/// The template that is meant when none is named.
pub(super) const DEFAULT: &str = "default";

/// What a template and what was asked beside it come to. Dotfiles are taken whole from the one or the other.
///
/// # Errors
/// `template_not_found`, `config_invalid` also when the template asks for what no agent can be given.
pub(super) fn with_template(fleet: &Fleet, template: Option<&str>, asked: &AgentSetup) -> Result<AgentSetup> {
    over(&fleet.config()?.agent_template(template)?, template.unwrap_or(DEFAULT), asked)
}

/// The same with a template that was found.
pub(super) fn over(by: &AgentTemplate, name: &str, asked: &AgentSetup) -> Result<AgentSetup> {
    let shell = match (&asked.shell, &by.shell) {
        (Some(shell), _) => Some(shell.clone()),
        (None, Some(shell)) => {
            Some(AgentSetup::shell(shell).map_err(|error| unusable(name, "shell", error.message()))?)
        }
        (None, None) => None,
    };
    let dotfiles = match (&asked.dotfiles, &by.dotfiles_source) {
        (Some(dotfiles), _) => Some(dotfiles.clone()),
        (None, Some(source)) => Some(dotfiles_of(by, name, source)?),
        (None, None) => None,
    };
    Ok(AgentSetup { shell, dotfiles })
}

fn dotfiles_of(by: &AgentTemplate, name: &str, source: &str) -> Result<Dotfiles> {
    if !source.starts_with("git::") {
        let why = "it is a folder of this machine, and an agent clones its dotfiles from a repository";
        return Err(unusable(name, "dotfiles_source", why));
    }
    let (destination, install) = (&by.dotfiles_destination, by.dotfiles_install_cmd.clone());
    Dotfiles::parse(source, Some(destination), Some(install)).map_err(|error| {
        let key = if error.code() == ErrorCode::Usage { "dotfiles_destination" } else { "dotfiles_source" };
        unusable(name, key, error.message())
    })
}

/// A template that is right in itself, and asks for what agents cannot have.
fn unusable(name: &str, key: &str, why: &str) -> Error {
    let key = format!("agent_templates.{name}.{key}");
    Error::new(ErrorCode::ConfigInvalid, format!("no agent can be made by template {name}: {key}: {why}"))
        .detail("key", key)
        .detail("template", name)
        .hint(
            "write git::https://HOST/OWNER/REPO and a folder below ~: agent-workspace config edit; or choose others: \
             --dotfiles OWNER/REPO",
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn by(lines: &str, asked: &AgentSetup) -> Result<AgentSetup> {
        let config = Config::from_text(&format!("[agent_templates.a]\n{lines}\n"));
        over(&config.agent_template(Some("a"))?, "a", asked)
    }

    #[test]
    fn a_template_says_what_nobody_has_asked_for() {
        let lines = "shell = \"zsh\"\ndotfiles_source = \"git::https://git.test/o/dots?ref=0123abcd\"\n\
                     dotfiles_destination = \"~/src/dots\"\ndotfiles_install_cmd = \"make\"";
        let made = by(lines, &AgentSetup::default()).unwrap();
        let dotfiles = made.dotfiles.clone().unwrap();
        assert_eq!((made.shell.as_deref(), dotfiles.git_ref.as_deref()), (Some("zsh"), Some("0123abcd")));
        assert_eq!(
            (dotfiles.source.as_str(), dotfiles.destination.as_str()),
            ("https://git.test/o/dots.git", "src/dots")
        );
        assert_eq!(dotfiles.install.as_deref(), Some("make"));

        let own = Dotfiles::parse("o/mine", None, None).unwrap();
        let asked = AgentSetup { shell: Some("fish".to_owned()), dotfiles: Some(own) };
        assert_eq!(by(lines, &asked).unwrap(), asked);
        let shell = AgentSetup { shell: asked.shell, dotfiles: None };
        assert_eq!(by(lines, &shell).unwrap().dotfiles, Some(dotfiles), "one by one");
        let bare = AgentSetup { shell: Some("bash".to_owned()), dotfiles: None };
        assert_eq!(by("", &AgentSetup::default()).unwrap(), bare, "what is built in");
    }

    #[test]
    fn what_agents_cannot_have_is_said_with_its_key_unless_something_else_was_asked() {
        for (lines, key) in [
            ("dotfiles_source = \"~/dots\"", "agent_templates.a.dotfiles_source"),
            ("dotfiles_source = \"file::/dots\"", "agent_templates.a.dotfiles_source"),
            ("dotfiles_source = \"git::https://h.test/o/r//sub\"", "agent_templates.a.dotfiles_source"),
            (
                "dotfiles_source = \"git::https://h.test/o/r\"\ndotfiles_destination = \"/opt/dots\"",
                "agent_templates.a.dotfiles_destination",
            ),
            ("shell = \"bin/sh\"", "agent_templates.a.shell"),
        ] {
            let error = by(lines, &AgentSetup::default()).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ConfigInvalid, "{lines}");
            assert_eq!(error.body().details["key"], key);
            let dotfiles = Some(Dotfiles::parse("o/mine", None, None).unwrap());
            let asked = AgentSetup { shell: Some("sh".to_owned()), dotfiles };
            assert_eq!(by(lines, &asked).unwrap(), asked);
        }
    }
}
