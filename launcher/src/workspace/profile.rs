//! Names of profiles, as typed after `--codex-profile`.

use crate::error::{Result, usage};

/// A name that cannot lead out of a folder nor be taken for an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile(String);

impl Profile {
    /// Accepts one word without slashes.
    ///
    /// # Errors
    /// `usage` when it is anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let reason = if text.is_empty() {
            "it is empty"
        } else if text.len() > 255 {
            "it is too long"
        } else if text.starts_with('-') {
            "it begins with a dash, so it would be taken for an option"
        } else if text.contains('/') || text == "." || text.contains("..") {
            "it could lead out of the folder of profiles"
        } else if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            "it holds a space or a control character"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(usage(format!("--codex-profile {text:?}: {reason}")).hint("for example: --codex-profile work"))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_names_even_when_a_shell_would_see_more_in_them() {
        for text in ["work", "a.b-c_d", "größe", "$(id)", "a;b", "'\"`", "a*?[x]", "~", "%s", "a\\b"] {
            assert_eq!(Profile::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_leads_elsewhere_is_no_name() {
        for text in
            ["", "-x", "--help", "a/b", "/x", ".", "..", "../x", "a..b", "a b", "a\tb", "a\nb", "a\0b", "a\u{a0}b"]
        {
            assert!(Profile::parse(text).is_err(), "{text:?}");
        }
    }
}
