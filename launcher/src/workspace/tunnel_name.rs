//! Names of VS Code tunnels: at most 20 characters, stable for a workspace.

use agent_workspace_contract::ErrorCode;
use sha1::{Digest, Sha1};

use crate::error::{Error, Result};
use crate::workspace::Prefix;

const LONGEST: usize = 20;
/// What stays of a name that is cut, before the dash and four digits of its hash.
const KEPT: usize = 15;

/// A valid tunnel name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelName(String);

impl TunnelName {
    /// Sanitises what a person typed. Too long is an error and never a silent cut.
    ///
    /// # Errors
    /// `invalid_tunnel_name` when more than 20 characters are left.
    pub fn parse(text: &str) -> Result<Self> {
        let name = sanitise(text);
        if name.len() > LONGEST {
            let cut = name[..LONGEST].trim_end_matches('-');
            return Err(Error::new(
                ErrorCode::InvalidTunnelName,
                format!("the tunnel name {name:?} has {} characters, {LONGEST} at most", name.len()),
            )
            .hint(format!("for example: --name {cut}")));
        }
        Ok(Self(name))
    }

    /// The name of a workspace's tunnel when none is typed: its short name without the time at the end. When that is
    /// too long it is cut and marked with a hash of the full name.
    pub fn for_workspace(full: &str, prefix: &Prefix) -> Self {
        let name = sanitise(without_time(prefix.strip(full)));
        if name.len() <= LONGEST {
            return Self(name);
        }
        let kept = sanitise(name[..KEPT].trim_end_matches('-'));
        let hash = Sha1::digest(full.as_bytes());
        Self(format!("{kept}-{:02x}{:02x}", hash[0], hash[1]))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower-case ASCII letters, digits and single dashes; `ws` when nothing is left.
fn sanitise(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_matches('-');
    if name.is_empty() { "ws".to_owned() } else { name.to_owned() }
}

/// A name without the `-YYYYmmdd-HHMMSS` at its end, when something stands before it.
fn without_time(name: &str) -> &str {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((rest, time)) = name.rsplit_once('-') else { return name };
    let Some((rest, date)) = rest.rsplit_once('-') else { return name };
    if digits(time, 6) && digits(date, 8) && !rest.is_empty() { rest } else { name }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn default_name(full: &str) -> String {
        TunnelName::for_workspace(full, &Prefix::parse("agent-ws").unwrap()).as_str().to_owned()
    }

    #[test]
    fn default_names_are_those_of_the_first_launcher() {
        for (full, name) in [
            ("agent-ws-foo", "foo"),
            ("agent-ws-octocat-hello-world-20260122-084652", "octocat-hello-world"),
            ("agent-ws-graysurf-agent-kit-20260122-123456", "graysurf-agent-kit"),
            ("agent-ws-exactly-twenty-chars", "exactly-twenty-chars"),
            ("agent-ws-abcdefghijklmnopqrst", "abcdefghijklmnopqrst"),
            ("agent-ws-abcdefghijklmnopqrstu", "abcdefghijklmno-ccb5"),
            ("agent-ws-abcdefghijklmnopqrstu-20260122-123456", "abcdefghijklmno-c011"),
            ("agent-ws-super-long-owner-super-long-repo-20260122-123456", "super-long-owne-682c"),
            ("agent-ws-abcdefghijklmn-opqrstuv", "abcdefghijklmn-dc49"),
            ("agent-ws-my-org-very-long-project-name", "my-org-very-lon-1720"),
            ("agent-ws-my-org-very-long-project-name2", "my-org-very-lon-57c3"),
            ("agent-ws-20260122-123456", "20260122-123456"),
            ("agent-ws-x-20260122-123456", "x"),
            ("agent-ws-Foo.Bar_Baz", "foo-bar-baz"),
        ] {
            assert_eq!(default_name(full), name, "{full}");
        }
        let team = Prefix::parse("team").unwrap();
        assert_eq!(
            TunnelName::for_workspace("team-octocat-hello-world-20260122-084652", &team).as_str(),
            "octocat-hello-world"
        );
    }

    #[test]
    fn typed_names_are_sanitised() {
        for (typed, name) in [
            ("My Name!!", "my-name"),
            ("UPPER", "upper"),
            ("a__b", "a-b"),
            ("---", "ws"),
            ("äöü", "ws"),
            ("name with spaces 123", "name-with-spaces-123"),
        ] {
            assert_eq!(TunnelName::parse(typed).unwrap().as_str(), name, "{typed}");
        }
    }

    #[test]
    fn typed_names_that_are_too_long_are_refused_with_both_lengths() {
        let error = TunnelName::parse("exactly-twentyone-char").unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidTunnelName);
        assert!(error.message().contains("22") && error.message().contains("20"), "{error}");
    }

    proptest! {
        #[test]
        fn every_workspace_has_a_valid_tunnel_name(full in "\\PC{1,120}") {
            let name = default_name(&full);
            prop_assert!((1..=LONGEST).contains(&name.len()));
            prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            prop_assert!(!name.starts_with('-') && !name.ends_with('-'));
        }
    }
}
