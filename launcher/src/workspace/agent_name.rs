//! Names of agents.

use std::fmt;

use agent_workspace_contract::ErrorCode;

use super::linux_name;
use crate::error::{Error, Result};

/// A valid name of an agent: small letters, digits and dashes between them, a letter first, and short enough for the name
/// of its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentName(String);

impl AgentName {
    /// Reads a name as typed.
    ///
    /// # Errors
    /// `invalid_name`.
    pub fn parse(text: &str) -> Result<Self> {
        let plain = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
        let fits = text.len() <= linux_name::LONGEST_AGENT;
        if plain && begins && fits && !text.ends_with('-') && !text.contains("--") {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::new(ErrorCode::InvalidName, format!("{text:?} is no name of an agent"))
            .cause(format!(
                "it has small letters, digits and single dashes between them, a letter first, {} at most",
                linux_name::LONGEST_AGENT
            ))
            .hint("for example: claude-1"))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its user on the VM.
    pub fn user(&self) -> String {
        linux_name::of_agent(&self.0)
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_linux_could_not_take_or_that_look_like_others_are_refused() {
        let longest = "a".repeat(linux_name::LONGEST_AGENT);
        for name in ["a", "claude-1", &longest] {
            assert_eq!(AgentName::parse(name).unwrap().as_str(), name);
        }
        let too_long = format!("{longest}a");
        for name in ["", "A", "1a", "-a", "a-", "a--b", "a_b", "a.b", "a b", "ä", "a\n", &too_long] {
            assert_eq!(AgentName::parse(name).unwrap_err().code(), ErrorCode::InvalidName, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn every_name_has_a_user_that_linux_takes(text in "[a-z0-9-]{1,40}") {
            if let Ok(name) = AgentName::parse(&text) {
                prop_assert!(name.user().len() <= linux_name::LONGEST);
            }
        }
    }
}
