//! Git refs as people type them after `--ref`: branches, tags, commits.

use agent_workspace_contract::ErrorCode;

use crate::error::{Error, Result};

/// A ref that git cannot take for an option or a path specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitRef(String);

impl GitRef {
    /// Accepts what `git checkout` takes for a branch, tag or commit.
    ///
    /// # Errors
    /// `invalid_ref` when it begins with a dash or holds characters that no ref has.
    pub fn parse(text: &str) -> Result<Self> {
        let reason = if text.is_empty() {
            "it is empty"
        } else if text.starts_with('-') {
            "it begins with a dash, so git would take it for an option"
        } else if text.starts_with(['^', '~']) {
            "it stands for no commit of its own"
        } else if text.len() > 255 {
            "it is too long"
        } else if text.contains("..") || text.contains("@{") || text.ends_with(".lock") || text.ends_with('/') {
            "it is a range or a form that git refuses"
        } else if text.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, ':' | '?' | '*' | '[' | '\\'))
        {
            "it holds a character that no ref has"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(Error::new(ErrorCode::InvalidRef, format!("invalid ref {text:?}: {reason}"))
            .hint("give a branch, a tag or a commit: --ref main"))
    }

    /// The ref.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_tags_and_commits_are_refs() {
        for text in ["main", "feature/x", "v1.0", "0123abcd", "HEAD~1", "größe"] {
            assert_eq!(GitRef::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn options_ranges_and_paths_are_not_refs() {
        for text in
            ["", "-b", "--upload-pack=x", "a..b", "a b", "a\nb", "a:b", "x@{1}", "a?", "x.lock", "x/", "^main", "~1"]
        {
            assert_eq!(GitRef::parse(text).unwrap_err().code(), ErrorCode::InvalidRef, "{text}");
        }
    }
}
