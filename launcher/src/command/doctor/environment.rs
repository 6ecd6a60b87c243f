//! The checks of what the launcher is started in: its variables, by the rules that `create` has for them, and git.

use agent_workspace_contract::{Check, CheckStatus, EnvVar, ErrorCode};

use super::check;
use crate::backend::{self, HOME, WORK};
use crate::command::prefix;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::workspace::repo_spec::Host as GitHost;
use crate::workspace::{ImageRef, Prefix, secrets_mount};

/// What is wrong with a variable, and the command that mends it.
struct Problem {
    message: String,
    fix: String,
}

/// Everything in the environment that the launcher reads and that is not looked at elsewhere.
pub(super) fn of_variables(host: &Host) -> Check {
    let mut set = Vec::new();
    let mut problems = Vec::new();
    for variable in EnvVar::ALL {
        match usable(*variable, host) {
            Err(error) => problems.push(problem(*variable, &error)),
            // Everybody has one.
            Ok(()) if *variable == EnvVar::Home => {}
            Ok(()) if host.var(*variable).is_ok_and(|value| value.is_none()) => {}
            Ok(()) => set.push(variable.name()),
        }
    }
    if problems.is_empty() {
        let found = match set.as_slice() {
            [] => "no variable of the launcher's is set".to_owned(),
            set => format!("these variables are set: {}", set.join(", ")),
        };
        return check("environment", CheckStatus::Ok, found);
    }
    let (messages, fixes): (Vec<_>, Vec<_>) =
        problems.into_iter().map(|Problem { message, fix }| (message, fix)).unzip();
    Check { fix: Some(fixes.join("; ")), ..check("environment", CheckStatus::Failed, messages.join("; ")) }
}

/// What names begin with, and the check of it; the built-in prefix where what is set is none.
///
/// # Errors
/// None, as the built-in prefix is one.
pub(super) fn of_prefix(host: &Host) -> Result<(Prefix, Check)> {
    let error = match prefix(host) {
        Ok(prefix) => {
            let found = format!("names of workspaces begin with {}-", prefix.as_str());
            return Ok((prefix, check("prefix", CheckStatus::Ok, found)));
        }
        Err(error) => error,
    };
    let newer = EnvVar::WorkspacePrefix;
    let said_by = if is_set(newer, host) { newer } else { EnvVar::CodexWorkspacePrefix };
    let Problem { message, fix } = problem(said_by, &error);
    let failed = Check { fix: Some(fix), ..check("prefix", CheckStatus::Failed, message) };
    Ok((Prefix::parse(Prefix::DEFAULT)?, failed))
}

/// The check of git. `needed` is whether workspaces use this machine's.
pub(super) fn git(host: &Host, needed: bool) -> Check {
    if needed {
        return match host.program("git") {
            Some(path) => check("git", CheckStatus::Ok, format!("{} is there, and workspaces use it", path.display())),
            None => Check {
                fix: Some("sudo apt-get install git".to_owned()),
                ..check("git", CheckStatus::Warning, "not on this machine, and workspaces clone with it".to_owned())
            },
        };
    }
    let found = match host.program("git") {
        Some(path) => {
            format!("{} is there; the launcher does not need it, as workspaces have their own", path.display())
        }
        None => "not on this machine; the launcher does not need it, as workspaces have their own".to_owned(),
    };
    check("git", CheckStatus::Ok, found)
}

/// Whether a variable has a value that `create` takes, as far as that is not a check of its own. One that is not read, as
/// a newer name of it is set, is not looked at.
fn usable(variable: EnvVar, host: &Host) -> Result<()> {
    if newer_name(variable).is_some_and(|newer| is_set(newer, host)) {
        return Ok(());
    }
    let value = match variable {
        EnvVar::AgentEnvImage | EnvVar::CodexEnvImage => host.var_not_empty(variable)?,
        // The check of the prefix says what is wrong with it.
        EnvVar::WorkspacePrefix | EnvVar::CodexWorkspacePrefix => return Ok(()),
        _ => host.var(variable)?,
    };
    let Some(value) = value else { return Ok(()) };
    let wrong = |message: String| Err(Error::new(ErrorCode::InvalidEnvironment, message));
    match variable {
        EnvVar::AgentEnvImage | EnvVar::CodexEnvImage => ImageRef::parse(&value).map(drop),
        EnvVar::Backend => backend::choose(None, host).map(drop),
        EnvVar::SecretsMount => match secrets_mount::parse(&value, HOME, WORK) {
            Ok(_) => Ok(()),
            Err(reason) => wrong(format!("{value:?}: {reason}")),
        },
        EnvVar::GithubHost => GitHost::parse(&value).map(drop),
        EnvVar::GhToken | EnvVar::GithubToken if value.contains(char::is_control) => {
            wrong("the token holds a line end or control character".to_owned())
        }
        EnvVar::StateDir => host.state_folder().map(drop),
        EnvVar::GhToken
        | EnvVar::GithubToken
        | EnvVar::WorkspacePrefix
        | EnvVar::CodexWorkspacePrefix
        // The check of the address reads these.
        | EnvVar::DockerHost
        | EnvVar::DockerContext
        | EnvVar::DockerConfig
        | EnvVar::DockerTlsVerify
        | EnvVar::DockerCertPath
        | EnvVar::XdgRuntimeDir
        | EnvVar::XdgStateHome
        | EnvVar::SshAuthSock
        | EnvVar::Home => Ok(()),
    }
}

/// The name that is read before this one.
fn newer_name(variable: EnvVar) -> Option<EnvVar> {
    match variable {
        EnvVar::CodexEnvImage => Some(EnvVar::AgentEnvImage),
        EnvVar::CodexWorkspacePrefix => Some(EnvVar::WorkspacePrefix),
        EnvVar::GithubToken => Some(EnvVar::GhToken),
        _ => None,
    }
}

fn is_set(variable: EnvVar, host: &Host) -> bool {
    host.var(variable).map_or(true, |value| value.is_some())
}

fn problem(variable: EnvVar, error: &Error) -> Problem {
    let (name, said) = (variable.name(), error.message());
    let message = if said.starts_with(name) { said.to_owned() } else { format!("{name}: {said}") };
    // What is not text has a hint of its own: nothing of it can be kept.
    let is_text = error.hint_text().is_none();
    let fix = match variable {
        // The rest of it is a good token as a rule, and came out of a file with a line end.
        EnvVar::GhToken | EnvVar::GithubToken if is_text => {
            format!("export {name}=\"$(printf %s \"${name}\" | tr -d '[:cntrl:]')\"")
        }
        _ => format!("unset {name}"),
    };
    Problem { message, fix }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Verb};
    use crate::command::doctor::Args;

    /// Whether a create that uses everything fails in this environment.
    fn create_fails(host: &Host) -> bool {
        let secrets = tempfile::tempdir().unwrap();
        let words = ["agent-workspace", "create", "o/r", "--secrets-dir", secrets.path().to_str().unwrap()];
        let Some(Verb::Create(args)) = Cli::try_parse_from(words).unwrap().command else { panic!("not create") };
        args.resolve(host, false).is_err()
    }

    fn failed(host: &Host) -> Vec<Check> {
        let before = Args { backend: None }.resolve(host).unwrap().before;
        before.into_iter().filter(|check| check.status == CheckStatus::Failed).collect()
    }

    #[test]
    fn what_is_wrong_in_the_environment_is_a_finding_with_the_command_that_mends_it() {
        let token = |name: &str| format!("export {name}=\"$(printf %s \"${name}\" | tr -d '[:cntrl:]')\"");
        for (name, value, wrong, fix) in [
            ("AGENT_WORKSPACE_PREFIX", "!!", "prefix", "unset AGENT_WORKSPACE_PREFIX"),
            ("CODEX_WORKSPACE_PREFIX", "!!", "prefix", "unset CODEX_WORKSPACE_PREFIX"),
            ("AGENT_WORKSPACE_BACKEND", "cloud", "environment", "unset AGENT_WORKSPACE_BACKEND"),
            ("AGENT_ENV_IMAGE", "", "environment", "unset AGENT_ENV_IMAGE"),
            ("AGENT_ENV_IMAGE", "a b", "environment", "unset AGENT_ENV_IMAGE"),
            ("CODEX_ENV_IMAGE", "", "environment", "unset CODEX_ENV_IMAGE"),
            ("CODEX_ENV_IMAGE", "a b", "environment", "unset CODEX_ENV_IMAGE"),
            ("DEFAULT_SECRETS_MOUNT", "relative", "environment", "unset DEFAULT_SECRETS_MOUNT"),
            ("GITHUB_HOST", "a b", "environment", "unset GITHUB_HOST"),
            ("GH_TOKEN", "canary\n", "environment", &token("GH_TOKEN")),
            ("GITHUB_TOKEN", "canary\u{7}x", "environment", &token("GITHUB_TOKEN")),
        ] {
            let host = Host::fixed(&[], [(name, value)]);
            assert!(create_fails(&host), "{name}={value}");
            let failed = failed(&host);
            assert_eq!(failed.len(), 1, "{name}={value}");
            assert_eq!((failed[0].check.as_str(), failed[0].fix.as_deref()), (wrong, Some(fix)), "{name}={value}");
            assert!(failed[0].message.starts_with(name), "{}", failed[0].message);
            assert!(!failed[0].message.contains("canary"), "{}", failed[0].message);
        }
        let typed = Args { backend: Some("cloud".to_owned()) }.resolve(&Host::fixed(&[], []));
        assert_eq!(typed.unwrap_err().code(), ErrorCode::Unsupported);
    }

    #[test]
    fn what_is_not_read_is_not_looked_at() {
        for (newer, older, good) in [
            ("AGENT_ENV_IMAGE", "CODEX_ENV_IMAGE", "ready:1"),
            ("AGENT_WORKSPACE_PREFIX", "CODEX_WORKSPACE_PREFIX", "team"),
            ("GH_TOKEN", "GITHUB_TOKEN", "good"),
        ] {
            let host = Host::fixed(&[], [(newer, good), (older, "a\nb")]);
            assert!(!create_fails(&host), "{older}");
            assert_eq!(failed(&host), [], "{older}");
        }
        let fine = Host::fixed(&[], [("DEFAULT_SECRETS_MOUNT", "/home/agent/x"), ("HOME", "/root")]);
        assert_eq!((create_fails(&fine), failed(&fine).len()), (false, 0));
        assert_eq!(of_variables(&fine).message, "these variables are set: DEFAULT_SECRETS_MOUNT");
    }

    #[test]
    fn everything_that_is_wrong_is_said_and_mended_at_once() {
        let host = Host::fixed(&[], [("GITHUB_HOST", "a b"), ("CODEX_ENV_IMAGE", ""), ("DEFAULT_SECRETS_MOUNT", "x")]);
        let found = of_variables(&host);
        assert_eq!(found.fix.as_deref(), Some("unset CODEX_ENV_IMAGE; unset DEFAULT_SECRETS_MOUNT; unset GITHUB_HOST"));
        assert!(["CODEX_ENV_IMAGE", "DEFAULT_SECRETS_MOUNT", "GITHUB_HOST"].iter().all(|n| found.message.contains(n)));
    }
}
