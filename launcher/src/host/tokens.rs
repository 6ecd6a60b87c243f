//! Variables that hold tokens: what is in those of git credentials, and how all are kept from programs that the launcher
//! runs. Which they are stands in `workspace::token_variables`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use agent_workspace_contract::ErrorCode;

use crate::error::{Error, Result};
use crate::machine::Secret;
use crate::workspace::token_variables::{self, is_token};

/// Starts a program without any of them: `SendEnv` in somebody's configuration would send them to the far side, and
/// what it runs would read them.
#[expect(clippy::disallowed_methods, reason = "it is about what a child would get of this very process")]
pub fn keep_from(command: &mut tokio::process::Command) -> &mut tokio::process::Command {
    for (name, _) in std::env::vars_os() {
        if is_token(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command
}

/// The tokens of git credentials that the environment has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens(BTreeMap<String, Secret>);

impl Tokens {
    /// Those of an environment.
    pub(super) fn of(env: &BTreeMap<OsString, OsString>) -> Self {
        let theirs = |(name, value): (&OsString, &OsString)| {
            let name = name.to_str().filter(|name| name.starts_with(token_variables::PREFIX))?;
            let value = Some(value).filter(|value| *value != OsStr::new(""))?;
            Some((name.to_owned(), Secret::new(value.as_encoded_bytes())))
        };
        Self(env.iter().filter_map(theirs).collect())
    }

    /// What a variable holds, with a line end; empty counts as not set.
    ///
    /// # Errors
    /// `invalid_environment` for what cannot be a token.
    pub fn get(&self, variable: &str) -> Result<Option<Secret>> {
        let Some(token) = self.0.get(variable) else { return Ok(None) };
        match std::str::from_utf8(token.expose()) {
            Ok(text) if !text.contains(char::is_control) => Ok(Some(Secret::new(format!("{text}\n")))),
            _ => Err(Error::new(
                ErrorCode::InvalidEnvironment,
                format!("the token in {variable} holds a line end or control character"),
            )
            .hint(format!("export {variable}=\"$(printf %s \"${variable}\")\""))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;

    #[test]
    fn what_cannot_be_a_token_is_refused_without_being_shown() {
        let host = Host::fixed(
            &[],
            [
                ("GIT_CREDENTIALS_A", "canary"),
                ("GIT_CREDENTIALS_B", "canary\nx"),
                ("GIT_CREDENTIALS_C", ""),
                ("GH_TOKEN", "other"),
            ],
        );
        let tokens = host.tokens();
        assert_eq!(tokens.get("GIT_CREDENTIALS_A"), Ok(Some(Secret::new("canary\n"))));
        for absent in ["GIT_CREDENTIALS_C", "GIT_CREDENTIALS_D", "GH_TOKEN"] {
            assert_eq!(tokens.get(absent), Ok(None), "{absent}");
        }
        let error = tokens.get("GIT_CREDENTIALS_B").unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidEnvironment);
        assert!(error.hint_text().is_some_and(|hint| hint.contains("$GIT_CREDENTIALS_B")));
        assert!(!format!("{error:?} {tokens:?}").contains("canary"));
    }
}
