//! The git credentials that an agent keeps: what its flags say, and of its template what they do not.

use agent_workspace_contract::{EnvVar, ErrorCode};

use super::template::DEFAULT;
use crate::command::create::credentials::SetupGit;
use crate::config::{Config, GitCredential};
use crate::error::{Error, Result};
use crate::guest::git_auth::{Credential, Place};
use crate::host::tokens::Tokens;
use crate::workspace::token_variables;

/// The hosts of the kinds that there are.
const GITHUB: &str = "github.com";
const AZDO: &str = "dev.azure.com";

/// A credential, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its name in the configuration and what it is called there; the place, where flags have asked for it.
    pub(super) called: String,
    /// What is kept; without a token where its variable is not set.
    pub(super) credential: Credential,
}

/// All of them, each place once: flags come first, and of a template's the last.
///
/// # Errors
/// `template_not_found`, `config_invalid` for one that is not whole, `invalid_environment` for a token that cannot be one.
pub(super) fn wanted(
    config: &Config,
    template: Option<&str>,
    flags: Option<SetupGit>,
    tokens: &Tokens,
) -> Result<Vec<Wanted>> {
    let by_flags = flags.map(|SetupGit { host, token, .. }| Wanted {
        called: host.clone(),
        credential: Credential {
            place: Place::host(&host),
            token: Some(token),
            variable: EnvVar::GhToken.name().to_owned(),
        },
    });
    let mut theirs: Vec<Wanted> = Vec::new();
    for name in config.agent_template(template)?.git_credentials {
        let unusable = |why: &str| unusable(template.unwrap_or(DEFAULT), &name, why);
        let GitCredential { kind, org, description } =
            config.git_credential(&name).ok_or_else(|| unusable("it is not there"))?;
        let place = match (kind.as_str(), org) {
            ("github", _) => Place::host(GITHUB),
            ("azdo", Some(org)) => Place { host: AZDO.to_owned(), part: Some(org) },
            _ => return Err(unusable("it needs org, as its type is azdo")),
        };
        // A host of the flags is theirs, whole.
        if by_flags.as_ref().is_some_and(|flags| flags.credential.place.host == place.host) {
            continue;
        }
        theirs.retain(|other| other.credential.place != place);
        let called = description.map_or_else(|| name.clone(), |description| format!("{name} ({description})"));
        let variable = token_variables::variable(&name);
        theirs.push(Wanted { called, credential: Credential { place, token: None, variable } });
    }
    // Only now: what another one stands in the place of needs no token that is one.
    for Wanted { credential, .. } in &mut theirs {
        credential.token = tokens.get(&credential.variable)?;
    }
    Ok(by_flags.into_iter().chain(theirs).collect())
}

/// Refuses to make an agent that would lack some.
///
/// # Errors
/// `git_auth_missing` with every variable that is not set.
pub(super) fn all_given(wanted: &[Wanted]) -> Result<()> {
    let missing: Vec<_> = wanted.iter().filter(|wanted| wanted.credential.token.is_none()).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let variables: Vec<_> = missing.iter().map(|missing| missing.credential.variable.clone()).collect();
    let called: Vec<_> = missing.iter().map(|missing| missing.called.as_str()).collect();
    let set: Vec<_> = variables.iter().map(|variable| format!("{variable}=...")).collect();
    let message = format!("there is no token for {}: {}", called.join(", "), not_set(&variables));
    Err(Error::new(ErrorCode::GitAuthMissing, message)
        .detail("host", first.credential.place.host.clone())
        .detail("variables", variables)
        .hint(format!("export {}", set.join(" "))))
}

fn not_set(variables: &[String]) -> String {
    format!("{} {} not set", variables.join(", "), if variables.len() == 1 { "is" } else { "are" })
}

/// What is said of one that an agent goes on without.
pub(super) fn lacking(agent: &str, wanted: &Wanted) -> String {
    let Wanted { called, credential: Credential { place, variable, .. } } = wanted;
    format!(
        "agent {agent} has no git credentials for {place}, and {variable}, the token of {called}, is not set: \
         export {variable}=... and: agent-workspace agent reinit {agent}"
    )
}

fn unusable(template: &str, name: &str, why: &str) -> Error {
    let key = format!("git_credentials.{name}");
    Error::new(ErrorCode::ConfigInvalid, format!("no agent can be made by template {template}: {key}: {why}"))
        .detail("key", key)
        .detail("template", template)
        .hint("write it, or leave it out of the template: agent-workspace config edit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;
    use crate::machine::Secret;

    const TEXT: &str = "[agent_templates.base]\ngit_credentials = [\"hub\", \"a\"]\n\
                        [agent_templates.more]\ninherits = [\"base\"]\ngit_credentials = [\"b-2\", \"mine\"]\n\
                        [git_credentials.hub]\ntype = \"github\"\n\
                        [git_credentials.mine]\ntype = \"github\"\ndescription = \"my own\"\n\
                        [git_credentials.a]\ntype = \"azdo\"\norg = \"one\"\n\
                        [git_credentials.b-2]\ntype = \"azdo\"\norg = \"two\"\n";

    fn tokens() -> Tokens {
        let set = [("GIT_CREDENTIALS_A", "of-a"), ("GIT_CREDENTIALS_MINE", "of-mine"), ("GH_TOKEN", "of-gh")];
        Host::fixed(&[], set).tokens()
    }

    /// The places, each with what is kept there and how it is called.
    fn shown(template: &str, flags: Option<&str>) -> Vec<(String, Option<String>, String)> {
        let flags = flags.map(|host| SetupGit {
            host: host.to_owned(),
            token: Secret::new("of-flags\n"),
            token_elsewhere: false,
        });
        let wanted = wanted(&Config::from_text(TEXT), Some(template), flags, &tokens()).unwrap();
        let text = |token: Secret| String::from_utf8(token.expose().to_owned()).unwrap().trim_end().to_owned();
        let shown = |Wanted { called, credential }| {
            let Credential { place, token, .. }: Credential = credential;
            (place.to_string(), token.map(text), called)
        };
        wanted.into_iter().map(shown).collect()
    }

    fn row(place: &str, token: Option<&str>, called: &str) -> (String, Option<String>, String) {
        (place.to_owned(), token.map(str::to_owned), called.to_owned())
    }

    #[test]
    fn each_place_is_kept_once_and_the_last_of_a_template_holds() {
        assert_eq!(shown("base", None), [row("github.com", None, "hub"), row("dev.azure.com/one", Some("of-a"), "a"),]);
        assert_eq!(
            shown("more", None),
            [
                row("dev.azure.com/one", Some("of-a"), "a"),
                row("dev.azure.com/two", None, "b-2"),
                row("github.com", Some("of-mine"), "mine (my own)"),
            ]
        );
        assert_eq!(shown("default", None), []);
    }

    #[test]
    fn flags_win_for_their_host_and_take_nothing_away_elsewhere() {
        assert_eq!(
            shown("base", Some("github.com")),
            [row("github.com", Some("of-flags"), "github.com"), row("dev.azure.com/one", Some("of-a"), "a"),]
        );
        assert_eq!(
            shown("base", Some("dev.azure.com")),
            [row("dev.azure.com", Some("of-flags"), "dev.azure.com"), row("github.com", None, "hub"),]
        );
        assert_eq!(shown("base", Some("git.test")).len(), 3);
    }

    #[test]
    fn what_is_missing_is_named_with_all_that_has_to_be_set() {
        let config = Config::from_text(TEXT);
        let none = wanted(&config, Some("more"), None, &Tokens::default()).unwrap();
        let error = all_given(&none).unwrap_err();
        assert_eq!(error.code(), ErrorCode::GitAuthMissing);
        assert_eq!(
            error.hint_text(),
            Some("export GIT_CREDENTIALS_A=... GIT_CREDENTIALS_B_2=... GIT_CREDENTIALS_MINE=...")
        );
        assert_eq!(error.body().details["variables"][1], "GIT_CREDENTIALS_B_2");
        let given = wanted(&config, Some("base"), None, &tokens()).unwrap();
        let error = all_given(&given).unwrap_err();
        assert_eq!(error.message(), "there is no token for hub: GIT_CREDENTIALS_HUB is not set");
        assert!(lacking("x", &given[0]).contains("GIT_CREDENTIALS_HUB"));
        assert_eq!(all_given(&given[1..]), Ok(()));
    }

    #[test]
    fn one_that_is_not_whole_is_an_error_with_its_key() {
        // As the older system's file may have it.
        for text in [
            "[agent_templates.default]\ngit_credentials = [\"x\"]\n",
            "[agent_templates.default]\ngit_credentials = [\"x\"]\n[git_credentials.x]\ntype = \"azdo\"\n",
        ] {
            let error = wanted(&Config::from_text(text), None, None, &tokens()).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ConfigInvalid);
            assert_eq!(error.body().details["key"], "git_credentials.x");
        }
        let token = Host::fixed(&[], [("GIT_CREDENTIALS_A", "two\nlines")]).tokens();
        let error = wanted(&Config::from_text(TEXT), Some("base"), None, &token).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidEnvironment);
    }
}
