//! Workspace names: what a person types, the full name it stands for, and the places to look for it.

use agent_workspace_contract::ErrorCode;
use jiff::Timestamp;

use crate::error::{Error, Result};

/// Longest full name. Engines allow 255 for a volume, whose name is the full name and a suffix.
const LONGEST: usize = 200;
/// Longest label of a DNS name, which a hostname is.
const LONGEST_HOSTNAME: usize = 63;
/// Prefixes of the launchers before this one; stripped for display whatever the prefix is now.
const KNOWN_PREFIXES: [&str; 2] = ["agent-ws", "codex-ws"];

/// What full names begin with, without the dash that follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// The built-in prefix.
    pub const DEFAULT: &'static str = "agent-ws";

    /// Accepts lower-case letters, digits, `_`, `.` and `-`, beginning with a letter or digit, at most 40 long.
    ///
    /// # Errors
    /// `invalid_environment`: the prefix comes from the environment.
    pub fn parse(text: &str) -> Result<Self> {
        let valid = text.len() <= 40
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '-'));
        if valid {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::new(ErrorCode::InvalidEnvironment, format!("the workspace prefix {text:?} is not usable"))
            .hint("use lower-case letters, digits and dashes: export AGENT_WORKSPACE_PREFIX=agent-ws"))
    }

    /// The prefix without its dash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A full name without this prefix, or without the prefix of an earlier launcher.
    pub fn strip<'a>(&self, full: &'a str) -> &'a str {
        std::iter::once(self.as_str())
            .chain(KNOWN_PREFIXES)
            .find_map(|prefix| full.strip_prefix(prefix)?.strip_prefix('-').filter(|rest| !rest.is_empty()))
            .unwrap_or(full)
    }

    /// Whether a full name begins with this prefix and a dash and goes on after it.
    pub fn covers(&self, full: &str) -> bool {
        full.strip_prefix(&self.0).and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| !rest.is_empty())
    }
}

/// A name as typed, resolved to the full names it may stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceName {
    canonical: String,
    legacy: Option<String>,
    verbatim: Option<String>,
}

impl WorkspaceName {
    /// Resolves what a person typed. Names are slugged the same way in every command, so that the name given to
    /// `create` works everywhere.
    ///
    /// # Errors
    /// `invalid_name` when nothing usable is left or it is too long.
    pub fn parse(text: &str, prefix: &Prefix) -> Result<Self> {
        let slug = slug(text);
        if slug.is_empty() {
            return Err(Error::new(ErrorCode::InvalidName, format!("invalid workspace name: {text:?}"))
                .hint("use letters, digits and dashes, for example: my-task"));
        }
        let own = format!("{}-", slug_of_prefix(prefix));
        let (canonical, legacy) = if let Some(rest) = slug.strip_prefix(&own) {
            (format!("{}-{rest}", prefix.as_str()), None)
        } else {
            let short = slug.strip_prefix("ws-").filter(|_| prefix.as_str().ends_with("-ws")).unwrap_or(&slug);
            let canonical = format!("{}-{short}", prefix.as_str());
            let legacy = format!("{}-{slug}", prefix.as_str());
            (canonical.clone(), Some(legacy).filter(|legacy| *legacy != canonical))
        };
        if canonical.len() > LONGEST {
            return Err(Error::new(
                ErrorCode::InvalidName,
                format!("the workspace name is too long: {} characters, {LONGEST} at most", canonical.len()),
            )
            .hint("give a shorter --name"));
        }
        let verbatim = Some(text.to_owned()).filter(|text| {
            *text != canonical && text.len() <= LONGEST && is_container_name(text) && Some(text) != legacy.as_ref()
        });
        Ok(Self { canonical, legacy, verbatim })
    }

    /// The name `create` gives to a workspace of this repository when none is typed: `owner-repo-` and the time, UTC.
    ///
    /// # Errors
    /// `invalid_name` when owner and repository together are too long.
    pub fn for_repo(owner: &str, repo: &str, time: Timestamp, prefix: &Prefix) -> Result<Self> {
        Self::parse(&format!("{owner}-{repo}-{}", time.strftime("%Y%m%d-%H%M%S")), prefix)
    }

    /// The full name a new workspace gets.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The full name an earlier launcher would have given, when it differs.
    pub fn legacy(&self) -> Option<&str> {
        self.legacy.as_deref()
    }

    /// What was typed, when it could itself be the full name of a workspace made under another prefix.
    pub fn verbatim(&self) -> Option<&str> {
        self.verbatim.as_deref()
    }
}

impl AsRef<Self> for WorkspaceName {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// The hostname of a workspace, and whether the name had to be cut for it.
///
/// Names over 63 characters keep their first 50 and last 12, joined by a dash, so that the time at the end stays.
pub fn hostname(full: &str) -> (String, bool) {
    if full.len() <= LONGEST_HOSTNAME {
        return (full.to_owned(), false);
    }
    // Full names are ASCII, so bytes are characters.
    (format!("{}-{}", &full[..50], &full[full.len() - 12..]), true)
}

/// ASCII lower case, every run of other characters one dash, no dash at either end.
fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_matches('-').to_owned()
}

fn slug_of_prefix(prefix: &Prefix) -> String {
    slug(prefix.as_str())
}

/// Whether the engine allows it as a container's name.
fn is_container_name(text: &str) -> bool {
    text.len() >= 2
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(text: &str) -> Prefix {
        Prefix::parse(text).unwrap()
    }

    fn canonical(text: &str) -> String {
        WorkspaceName::parse(text, &prefix("agent-ws")).unwrap().canonical().to_owned()
    }

    #[test]
    fn typed_names_become_the_full_names_the_first_launcher_gave() {
        for (typed, full) in [
            ("foo", "agent-ws-foo"),
            ("ws-foo", "agent-ws-foo"),
            ("agent-ws-foo", "agent-ws-foo"),
            ("agent-ws-ws-foo", "agent-ws-ws-foo"),
            ("ws-ws-foo", "agent-ws-ws-foo"),
            ("ws", "agent-ws-ws"),
            ("ws-", "agent-ws-ws"),
            ("agent-ws", "agent-ws-agent-ws"),
            ("agent-ws-", "agent-ws-agent-ws"),
            ("My Repo!!", "agent-ws-my-repo"),
            ("FOO_bar", "agent-ws-foo-bar"),
            ("a--b", "agent-ws-a-b"),
            ("-x", "agent-ws-x"),
            ("foo/bar", "agent-ws-foo-bar"),
            ("x.y", "agent-ws-x-y"),
            ("agent_ws_foo", "agent-ws-foo"),
        ] {
            assert_eq!(canonical(typed), full, "{typed}");
        }
    }

    #[test]
    fn only_prefixes_that_end_in_ws_absorb_a_leading_ws() {
        let under =
            |prefix_text: &str, name| WorkspaceName::parse(name, &prefix(prefix_text)).unwrap().canonical().to_owned();
        assert_eq!(under("team", "ws-foo"), "team-ws-foo");
        assert_eq!(under("dev-ws", "ws-foo"), "dev-ws-foo");
        assert_eq!(under("dev-ws", "agent-ws-foo"), "dev-ws-agent-ws-foo");
    }

    #[test]
    fn names_without_a_letter_or_digit_are_refused() {
        for typed in ["", "!!!", "é", "---", " "] {
            let error = WorkspaceName::parse(typed, &prefix("agent-ws")).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidName, "{typed}");
        }
    }

    #[test]
    fn an_old_workspace_is_looked_for_under_the_name_it_was_given() {
        let name = WorkspaceName::parse("ws-foo", &prefix("agent-ws")).unwrap();
        assert_eq!(name.legacy(), Some("agent-ws-ws-foo"));
        let name = WorkspaceName::parse("codex-ws-foo", &prefix("agent-ws")).unwrap();
        assert_eq!(name.verbatim(), Some("codex-ws-foo"));
    }

    #[test]
    fn names_too_long_for_a_volume_are_refused() {
        let error = WorkspaceName::parse(&"x".repeat(300), &prefix("agent-ws")).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidName);
    }

    #[test]
    fn long_names_keep_the_end_in_their_hostname() {
        let full = format!("agent-ws-{}-20260122-123456", "x".repeat(60));
        let (hostname, cut) = hostname(&full);
        assert!(cut);
        assert_eq!(hostname.len(), 63);
        assert!(hostname.ends_with("-60122-123456"));
    }

    #[test]
    fn automatic_names_carry_the_time() {
        let time = Timestamp::from_second(1_769_071_612).unwrap();
        let name = WorkspaceName::for_repo("octocat", "Hello-World", time, &prefix("agent-ws")).unwrap();
        assert_eq!(name.canonical(), "agent-ws-octocat-hello-world-20260122-084652");
    }

    #[test]
    fn display_names_lose_whichever_known_prefix_they_have() {
        let team = prefix("team");
        assert_eq!(team.strip("team-foo"), "foo");
        assert_eq!(team.strip("agent-ws-foo"), "foo");
        assert_eq!(team.strip("codex-ws-foo"), "foo");
        assert_eq!(team.strip("other"), "other");
    }

    proptest! {
        #[test]
        fn a_full_name_stands_for_itself(text in "\\PC{1,60}") {
            if let Ok(name) = WorkspaceName::parse(&text, &prefix("agent-ws")) {
                let again = WorkspaceName::parse(name.canonical(), &prefix("agent-ws")).unwrap();
                prop_assert_eq!(name.canonical(), again.canonical());
            }
        }

        #[test]
        fn full_names_are_names_the_engine_takes(text in "\\PC{0,80}") {
            if let Ok(name) = WorkspaceName::parse(&text, &prefix("agent-ws")) {
                prop_assert!(is_container_name(name.canonical()));
                prop_assert!(hostname(name.canonical()).0.len() <= 63);
            }
        }
    }
}
