//! Image references: `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`, or an image id.

use agent_workspace_contract::ErrorCode;

use crate::error::{Error, Result};

/// A reference the engine will not misread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRef(String);

impl ImageRef {
    /// Reads a reference by the engine's own grammar.
    ///
    /// # Errors
    /// `invalid_image` with what is wrong.
    pub fn parse(text: &str) -> Result<Self> {
        match problem(text) {
            None => Ok(Self(text.to_owned())),
            Some(reason) => Err(Error::new(ErrorCode::InvalidImage, format!("invalid image {text:?}: {reason}"))
                .hint("for example: --image debian:bookworm-slim")),
        }
    }

    /// The image that `image build` makes by default; its tag carries the launcher's version.
    pub fn default_agent_image() -> Self {
        Self(format!("agent-workspace:{}", env!("CARGO_PKG_VERSION")))
    }

    /// The reference as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names an image by id, which no registry knows.
    pub fn is_id(&self) -> bool {
        self.0.starts_with("sha256:")
    }

    /// Name and tag apart, as `pull` wants them; without a tag or digest the tag is `latest`.
    pub fn name_and_tag(&self) -> (&str, &str) {
        if let Some((name, digest)) = self.0.split_once('@') {
            return (name, digest);
        }
        match self.0.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (&self.0, "latest"),
        }
    }
}

fn problem(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("it is empty");
    }
    if let Some(id) = text.strip_prefix("sha256:") {
        let hex = id.len() >= 12 && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        return if hex { None } else { Some("the id is not made of hex digits") };
    }
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    if let Some(digest) = digest {
        let hex = digest
            .strip_prefix("sha256:")
            .is_some_and(|id| id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()));
        if !hex {
            return Some("the digest is not sha256: and 64 hex digits");
        }
    }
    let (name, tag) = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    };
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if let Some(tag) = tag {
        let first = tag.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !first || tag.len() > 128 || !tag.bytes().all(word) {
            return Some("the tag may hold letters, digits, `_`, `.` and `-` only");
        }
    }
    let (host, path) = match name.split_once('/') {
        Some((host, path)) if host.contains('.') || host.contains(':') || host == "localhost" => (Some(host), path),
        _ => (None, name),
    };
    if let Some(host) = host
        && crate::workspace::repo_spec::Host::parse(host).is_err()
    {
        return Some("the registry is not a host name");
    }
    if name.len() > 255 || !path.split('/').all(is_component) {
        return Some("the name may hold lower-case letters, digits and single separators only");
    }
    None
}

/// One component of a name: lower-case letters and digits, joined by `.`, `_`, `__` or dashes.
fn is_component(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().copied().is_some_and(alphanumeric) && bytes.last().copied().is_some_and(alphanumeric);
    let separators = text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).filter(|part| !part.is_empty());
    ends && separators.into_iter().all(|part| matches!(part, "." | "_" | "__") || part.bytes().all(|byte| byte == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_in_use_are_accepted() {
        let digest = format!("debian@sha256:{}", "a".repeat(64));
        for text in [
            "debian",
            "debian:bookworm-slim",
            "graysurf/agent-env:linuxbrew",
            "localhost:5000/a/b:1",
            "ghcr.io/o/r:v1.0",
            "a__b/c-d--e",
            "sha256:0123456789ab",
            digest.as_str(),
        ] {
            assert!(ImageRef::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            " ",
            "Debian",
            "a b",
            "-x",
            "debian:",
            "debian:a b",
            "a//b",
            "a/",
            "/a",
            "a@sha256:12",
            "a..b",
            "sha256:xyz",
        ] {
            assert_eq!(ImageRef::parse(text).unwrap_err().code(), ErrorCode::InvalidImage, "{text}");
        }
    }

    #[test]
    fn names_and_tags_come_apart() {
        let parts = |text: &str| {
            let image = ImageRef::parse(text).unwrap();
            let (name, tag) = image.name_and_tag();
            (name.to_owned(), tag.to_owned())
        };
        assert_eq!(parts("localhost:5000/a"), ("localhost:5000/a".to_owned(), "latest".to_owned()));
        assert_eq!(parts("a/b:1"), ("a/b".to_owned(), "1".to_owned()));
    }
}
