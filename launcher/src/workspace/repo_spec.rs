//! Repositories as people type them: OWNER/REPO, a URL, or the `git@host:` form. Always cloned over HTTPS.
//!
//! What gets through is made of `A-Z a-z 0-9 . _ -` only, so that it needs no thought as a path, a label or a URL.

use agent_workspace_contract::ErrorCode;

use crate::error::{Error, Result};

/// A repository on a git host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoSpec {
    host: String,
    owner: String,
    repo: String,
}

impl RepoSpec {
    /// Reads a spec; `default_host` is the host of OWNER/REPO, with a port if it has one.
    ///
    /// # Errors
    /// `invalid_repo` with the forms that work.
    pub fn parse(text: &str, default_host: &Host) -> Result<Self> {
        let refuse = |reason: &str| {
            Err(Error::new(ErrorCode::InvalidRepo, format!("unsupported repository {:?}: {reason}", redacted(text)))
                .hint("use OWNER/REPO, https://HOST/OWNER/REPO or git@HOST:OWNER/REPO"))
        };
        let lower = text.to_ascii_lowercase();
        let (host, path) =
            if let Some(rest) = ["https://", "http://"].iter().find_map(|scheme| after(text, &lower, scheme)) {
                let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                if authority.contains('@') {
                    return refuse("a URL with a user or password in it would end up in the clone's configuration");
                }
                (authority, path)
            } else if let Some(rest) = after(text, &lower, "ssh://") {
                let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                let Some(authority) = authority.strip_prefix("git@").filter(|rest| !rest.contains('@')) else {
                    return refuse("an SSH address must begin with ssh://git@");
                };
                // The port is SSH's and says nothing about HTTPS, over which we clone.
                (authority.split_once(':').map_or(authority, |(host, _)| host), path)
            } else if let Some(rest) = text.strip_prefix("git@") {
                let Some((host, path)) = rest.split_once(':') else { return refuse("no `:` after the host") };
                (host, path)
            } else if text.contains("://") {
                return refuse("only https and ssh addresses are known");
            } else if text.contains(':') || text.contains('@') {
                return refuse("an address of this form must begin with git@");
            } else {
                (default_host.as_str(), text)
            };
        if path.contains('?') || path.contains('#') {
            return refuse("a query or fragment is not part of a repository");
        }
        let Ok(host) = Host::parse(host) else { return refuse("the host is not a host name") };
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut parts = path.split('/');
        let (Some(owner), Some(repo), rest) = (parts.next(), parts.next(), parts.next()) else {
            return refuse("both an owner and a repository are needed");
        };
        if rest.is_some() {
            return refuse("more than an owner and a repository; give --ref for a branch, not a page of it");
        }
        let repo = repo.strip_suffix(".git").unwrap_or(repo);
        if !is_part(owner) || !is_part(repo) {
            return refuse("owner and repository are made of letters, digits, dots, dashes and underscores");
        }
        Ok(Self { host: host.0, owner: owner.to_owned(), repo: repo.to_owned() })
    }

    /// `owner/repo`, as in labels and documents.
    pub fn slug(&self) -> String {
        format!("{}/{}", self.owner, self.repo)
    }

    /// Host, with its port when one was given.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Owner alone.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Repository alone, without `.git`.
    pub fn repo(&self) -> &str {
        &self.repo
    }

    /// Where it is cloned from.
    pub fn url(&self) -> String {
        format!("https://{}/{}/{}.git", self.host, self.owner, self.repo)
    }
}

/// A host name or address with an optional port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host(String);

impl Host {
    /// Accepts DNS names, IPv4 addresses, and either with a port. Lower case in, lower case out.
    ///
    /// # Errors
    /// `usage` when it is none of these.
    pub fn parse(text: &str) -> Result<Self> {
        let lower = text.to_ascii_lowercase();
        let (name, port) = lower.split_once(':').map_or((lower.as_str(), None), |(name, port)| (name, Some(port)));
        let label = |label: &str| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let valid = name.split('.').all(label)
            && name.len() <= 253
            && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if valid {
            return Ok(Self(lower));
        }
        Err(crate::error::usage(format!("{text:?} is not a host name")).hint("for example: --host github.com"))
    }

    /// The host, with its port when it has one.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn after<'a>(text: &'a str, lower: &str, scheme: &str) -> Option<&'a str> {
    lower.starts_with(scheme).then(|| &text[scheme.len()..])
}

fn is_part(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 100
        && !text.starts_with('-')
        && !matches!(text, "." | "..")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// The text without what may be a password or token, for messages: what stands before the last `@` of its address,
/// and everything from a `?` or `#` on.
pub(crate) fn redacted(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let shown = match authority.rsplit_once('@') {
        Some(("git", host)) => format!("git@{host}"),
        Some((_, host)) => format!("***@{host}"),
        None => authority.to_owned(),
    };
    if scheme.is_empty() { format!("{shown}{path}") } else { format!("{scheme}://{shown}{path}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<RepoSpec> {
        RepoSpec::parse(text, &Host::parse("github.com").unwrap())
    }

    #[test]
    fn every_documented_form_is_accepted() {
        for (text, url) in [
            ("owner/repo", "https://github.com/owner/repo.git"),
            ("owner/repo.git", "https://github.com/owner/repo.git"),
            ("owner/repo/", "https://github.com/owner/repo.git"),
            ("https://h/o/r", "https://h/o/r.git"),
            ("https://h/o/r/", "https://h/o/r.git"),
            ("https://h/o/r.git", "https://h/o/r.git"),
            ("https://h/o/r.git/", "https://h/o/r.git"),
            ("HTTPS://h/o/r", "https://h/o/r.git"),
            ("http://h/o/r", "https://h/o/r.git"),
            ("https://ghe.example.com:8443/o/r", "https://ghe.example.com:8443/o/r.git"),
            ("git@h:o/r", "https://h/o/r.git"),
            ("git@h:o/r.git", "https://h/o/r.git"),
            ("git@h:o/r/", "https://h/o/r.git"),
            ("ssh://git@h/o/r", "https://h/o/r.git"),
            ("ssh://git@h:2222/o/r.git", "https://h/o/r.git"),
            ("owner/repo.git.git", "https://github.com/owner/repo.git.git"),
        ] {
            assert_eq!(parse(text).unwrap().url(), url, "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_forms_that_work() {
        for text in [
            "",
            "owner",
            "/repo",
            "owner/",
            "a/b/c",
            "github.com/o/r",
            "https://h/o",
            "https://h/o/r/tree/main",
            "ssh://user@h/o/r",
            "ssh://h/o/r",
            "git://h/o/r",
            "file:///o/r",
            "owner/.git",
            "./dir",
            "../x",
            "o/.",
            "o/..",
            "https://h/o/r?x=1",
            "https://h/o/r#frag",
            "user@h:o/r",
            "host:o/r",
            "a b/c d",
            "o/r name",
            " o/r",
            "o/$(id)",
            "o/re'po",
            "-x/y",
            "o/-r",
            "https://user:tok@h/o/r",
            "https:///o/r",
            "git@:o/r",
            "o/r\n",
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidRepo, "{text}");
            assert!(error.hint_text().unwrap().contains("OWNER/REPO"), "{text}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        for text in [
            "https://user:hunter2@h/o/r",
            "user:hunter2@h:o/r",
            "https://h/o/r?token=hunter2",
            "ssh://a:p@hunter2@h/o/r",
            "https://h/o/r#hunter2",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!error.message().contains("hunter2"), "{error}");
        }
        assert_eq!(redacted("git@h:o/r/x"), "git@h:o/r/x");
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_safe_as_a_path_and_a_url(text in "\\PC{0,40}") {
            if let Ok(spec) = parse(&text) {
                for part in [spec.owner(), spec.repo()] {
                    prop_assert!(is_part(part));
                }
                prop_assert_eq!(parse(&spec.url()).unwrap(), spec);
            }
        }
    }
}
