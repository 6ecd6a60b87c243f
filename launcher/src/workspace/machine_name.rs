//! Names of VMs and of the machines that they are on.

use std::fmt;

use agent_workspace_contract::ErrorCode;

use crate::error::{Error, Result};

/// Linux takes 32 characters for users and groups, and more than the name has to fit.
const LONGEST: usize = 30;

/// A valid name of a VM or VM host: small letters, digits and dashes between them, a letter first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineName(String);

impl MachineName {
    /// Reads a name as typed.
    ///
    /// # Errors
    /// `invalid_name`.
    pub fn parse(text: &str) -> Result<Self> {
        let plain = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
        if plain && begins && !text.ends_with('-') && !text.contains("--") && text.len() <= LONGEST {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::new(ErrorCode::InvalidName, format!("{text:?} is no name of a VM or VM host"))
            .cause(format!(
                "it has small letters, digits and single dashes between them, a letter first, {LONGEST} at most"
            ))
            .hint("for example: dev-1"))
    }

    /// The name that a host suggests: the first part of its own. `None` when that is none.
    pub fn of_host(host: &str) -> Option<Self> {
        let first = host.split('.').next().unwrap_or_default().to_ascii_lowercase();
        Self::parse(&first).ok()
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MachineName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_small_and_fit_linux() {
        for good in ["a", "dev-1", &"a".repeat(30)] {
            assert_eq!(MachineName::parse(good).unwrap().as_str(), good);
        }
        for wrong in ["", "1a", "-a", "a-", "a--b", "A", "a_b", "a/b", "a.b", "a\n", "ä", &"a".repeat(31)] {
            assert_eq!(MachineName::parse(wrong).unwrap_err().code(), ErrorCode::InvalidName, "{wrong:?}");
        }
    }

    #[test]
    fn hosts_suggest_the_first_part_of_their_name() {
        let of = |host: &str| MachineName::of_host(host).map(|name| name.to_string());
        assert_eq!(of("Dev1.example.org").as_deref(), Some("dev1"));
        assert_eq!((of("192.0.2.1"), of("::1")), (None, None));
    }
}
