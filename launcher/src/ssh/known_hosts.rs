//! Whether a host is who it was: the rules of known_hosts, over the text of its files.
//!
//! Our own, as the library's check learns keys that are marked `@revoked`, overlooks patterns and lines with tabs, and
//! takes a host for unknown that shows another kind of key than the one known.

use std::path::{Path, PathBuf};

use agent_workspace_contract::{ErrorCode, HostKey, HostKeyBelief};
use hmac::{Hmac, KeyInit, Mac};
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey, PublicKeyOrCertificate};
use sha1::Sha1;

use super::quoting::join;
use super::settings::{Settings, Strictness};
use crate::error::{Error, Result};
use crate::host::{self, append_line};

/// What the files say of a host's key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the one that is known.
    Known,
    /// Nothing is known of this host.
    Unknown,
    /// The host is known by other keys.
    Changed,
    /// The key is marked as not to be believed any more.
    Revoked,
}

/// What is known of one host.
pub(super) struct Known {
    entries: Vec<Entry>,
    revoked: Vec<KeyData>,
    name: String,
    /// Its name without a port: what authorities are named for, and what certificates are made out to.
    bare: String,
    /// The first file that knows it by a key.
    file: Option<PathBuf>,
}

impl Known {
    /// Reads every file that a host may be known in.
    ///
    /// # Errors
    /// `host_key_unknown` when a file is there and cannot be read: what it would say may be a no.
    pub(super) fn of(settings: &Settings) -> Result<Self> {
        let mut known = Self::read("", &settings.known_as(), &settings.certified_as());
        for path in settings.user_known_hosts.iter().chain(&settings.global_known_hosts) {
            match std::fs::read(path) {
                Ok(bytes) => {
                    let more = Self::read(&String::from_utf8_lossy(&bytes), &known.name, &known.bare);
                    known.file = known.file.or_else(|| more.plain().next().map(|_| path.clone()));
                    known.entries.extend(more.entries);
                }
                Err(error)
                    if matches!(error.kind(), std::io::ErrorKind::NotFound) || path == Path::new("/dev/null") => {}
                Err(error) => {
                    return Err(Error::new(
                        ErrorCode::HostKeyUnknown,
                        format!("the known hosts in {} cannot be read", path.display()),
                    )
                    .cause(error.to_string())
                    .hint(format!("make it readable: {}", join(&["chmod", "u+r", &path.to_string_lossy()]))));
                }
            }
        }
        Ok(match &settings.revoked_host_keys {
            Some(path) => Self { revoked: revoked(path)?, ..known },
            None => known,
        })
    }

    /// Reads the text of such files. A line that is no entry hides no other one.
    fn read(text: &str, name: &str, bare: &str) -> Self {
        let whole = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines = text.lines().map(whole).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let entries = lines.filter_map(|line| line.parse::<Entry>().ok());
        // What is said of every port of a host is said of this one, where it is marked; a plain key is one server's.
        let about = |entry: &Entry| {
            let patterns = entry.host_patterns();
            names(patterns, name) || entry.marker().is_some() && names(patterns, bare)
        };
        let entries = entries.filter(about).collect();
        Self { entries, revoked: Vec::new(), name: name.to_owned(), bare: bare.to_owned(), file: None }
    }

    /// Whether any line is about the host.
    #[cfg(test)]
    pub(super) fn mentioned(text: &str, name: &str) -> bool {
        !Self::read(text, name, name).entries.is_empty()
    }

    /// What is to be made of a key.
    pub(super) fn verdict(&self, key: &PublicKey) -> Verdict {
        let is = |entry: &&Entry| entry.public_key().key_data() == key.key_data();
        if self.is_revoked(key.key_data()) {
            return Verdict::Revoked;
        }
        let mut plain = self.plain().peekable();
        match (plain.peek().is_some(), plain.any(|entry| is(&entry))) {
            (true, true) => Verdict::Known,
            (true, false) => Verdict::Changed,
            (false, _) => Verdict::Unknown,
        }
    }

    fn is_revoked(&self, key: &KeyData) -> bool {
        self.marked(&Marker::Revoked).any(|entry| entry.public_key().key_data() == key) || self.revoked.contains(key)
    }

    /// Whether there is an authority for the host, so that it is to be asked for a certificate.
    pub(super) fn has_authority(&self) -> bool {
        self.marked(&Marker::CertAuthority).next().is_some()
    }

    /// Whether an authority that is known vouches for a key at this time, in seconds; else why not.
    fn vouched_for(&self, certificate: &Certificate, now: u64) -> Result<(), String> {
        let of_sha_1 = matches!(certificate.signature().algorithm(), Algorithm::Rsa { hash: None });
        let authorities: Vec<_> = self
            .marked(&Marker::CertAuthority)
            .filter(|entry| entry.public_key().key_data() == certificate.signature_key())
            .map(|entry| entry.public_key().fingerprint(HashAlg::Sha256))
            .collect();
        let principals = certificate.valid_principals();
        let made_out = |to: &String| glob(to.to_ascii_lowercase().as_bytes(), self.bare.as_bytes());
        if certificate.cert_type() != CertType::Host {
            Err("it is none of a host".to_owned())
        } else if authorities.is_empty() {
            Err("no authority that is known has signed it".to_owned())
        } else if of_sha_1 {
            Err("it is signed with SHA-1".to_owned())
        } else if !principals.is_empty() && !principals.iter().any(made_out) {
            Err(format!("it is made out to {}", principals.join(", ")))
        } else if certificate.critical_options().iter().next().is_some() {
            Err("it has conditions that are not known".to_owned())
        } else if !(certificate.valid_after()..certificate.valid_before()).contains(&now) {
            Err("it is not valid at this time".to_owned())
        } else {
            certificate.validate_at(now, &authorities).map_err(|error| error.to_string())
        }
    }

    /// The kinds of key to ask the host for first, so that one that is known is shown where there is one.
    pub(super) fn preferred(&self, usual: &[Algorithm]) -> Vec<Algorithm> {
        let known: Vec<KeyData> = self.plain().map(|entry| entry.public_key().key_data().clone()).collect();
        let is_known = |algorithm: &Algorithm| {
            known.iter().any(|key| match (key.algorithm(), algorithm) {
                // Which hash it signs with is no matter of the key.
                (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
                (one, other) => one == *other,
            })
        };
        let (first, rest): (Vec<_>, Vec<_>) = usual.iter().cloned().partition(is_known);
        first.into_iter().chain(rest).collect()
    }

    /// Believes what a host shows or says why not; a host that was never seen is remembered when that is asked for. A
    /// certificate that nobody vouches for counts as the plain key in it, as with `ssh`.
    ///
    /// # Errors
    /// `host_key_unknown`, `host_key_changed`.
    pub(super) fn judge(
        &self,
        shown: &PublicKeyOrCertificate,
        settings: &Settings,
        accept_new: bool,
    ) -> Result<HostKey> {
        let key = shown.public_key();
        let believed = |believed| HostKey {
            host: self.name.clone(),
            key_type: key.algorithm().to_string(),
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            believed,
        };
        let Some(certificate) = shown.certificate() else {
            return self.judge_key(&key, settings, accept_new).map(believed);
        };
        if self.is_revoked(certificate.signature_key()) {
            return Err(self.revoked(&key, "who has signed its certificate is revoked"));
        }
        if self.verdict(&key) == Verdict::Revoked {
            return self.judge_key(&key, settings, accept_new).map(believed);
        }
        let now = u64::try_from(host::now().as_second()).unwrap_or_default();
        match self.vouched_for(certificate, now) {
            Ok(()) => Ok(believed(HostKeyBelief::Certified)),
            Err(why) => {
                let plain = self.judge_key(&key, settings, accept_new).map(believed);
                plain.map_err(|error| error.cause(format!("its certificate does not count: {why}")))
            }
        }
    }

    fn judge_key(&self, key: &PublicKey, settings: &Settings, accept_new: bool) -> Result<HostKeyBelief> {
        let (kind, fingerprint) = (key.algorithm(), key.fingerprint(HashAlg::Sha256));
        let about = |error: Error| self.about(key, error);
        match self.verdict(key) {
            Verdict::Known => Ok(HostKeyBelief::Known),
            Verdict::Unknown if accept_new || settings.strictness == Strictness::AcceptNew => {
                self.remember(key, settings).map(|()| HostKeyBelief::Accepted)
            }
            Verdict::Unknown => Err(about(Error::new(
                ErrorCode::HostKeyUnknown,
                format!("host {} is not known; it shows the {kind} key {fingerprint}", self.name),
            ))
            .hint(format!(
                "compare the fingerprint with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub there), then \
                 add --accept-new-host-key, or once: ssh -o StrictHostKeyChecking=ask {} true",
                settings.target.pasted()
            ))),
            Verdict::Changed => Err(about(Error::new(
                ErrorCode::HostKeyChanged,
                format!("host {} shows the {kind} key {fingerprint}, and it is known by another", self.name),
            ))
            .cause("somebody may be in between; or the machine was made anew")
            .hint(format!("if you know why: {}, then again with --accept-new-host-key", self.forgetting()))),
            Verdict::Revoked => Err(self.revoked(key, "it is revoked")),
        }
    }

    fn revoked(&self, key: &PublicKey, why: &str) -> Error {
        let (kind, fingerprint) = (key.algorithm(), key.fingerprint(HashAlg::Sha256));
        let message = format!("host {} shows the {kind} key {fingerprint}, which is not to be believed", self.name);
        self.about(key, Error::new(ErrorCode::HostKeyChanged, message))
            .cause(why)
            .hint("do not connect to it; ask who marked the key @revoked in known_hosts or put it in RevokedHostKeys")
    }

    /// The facts of an error about a key.
    fn about(&self, key: &PublicKey, error: Error) -> Error {
        error
            .detail("host", self.name.clone())
            .detail("key_type", key.algorithm().to_string())
            .detail("fingerprint", key.fingerprint(HashAlg::Sha256).to_string())
    }

    /// Writes it down where `ssh` would, so that `ssh` knows it too.
    fn remember(&self, key: &PublicKey, settings: &Settings) -> Result<()> {
        let failed = |cause: String| {
            Error::new(ErrorCode::HostKeyUnknown, format!("the key of host {} cannot be remembered", self.name))
                .cause(cause)
                .hint("make the folder of your known_hosts writable")
        };
        let Some(path) = settings.user_known_hosts.first() else {
            return Err(failed("UserKnownHostsFile names no file".to_owned()));
        };
        let mut bare = key.clone();
        bare.set_comment("");
        let key = bare.to_openssh().map_err(|error| failed(error.to_string()))?;
        let name = if settings.hash_known_hosts { hashed(&self.name, &salt()?) } else { self.name.clone() };
        let line = format!("{name} {}", key.trim());
        append_line(path, &line).map_err(|error| failed(format!("{}: {error}", path.display())))
    }

    /// The command that forgets the host where it is known.
    fn forgetting(&self) -> String {
        let file = self.file.iter().flat_map(|file| ["-f".to_owned(), file.display().to_string()]);
        let words: Vec<String> =
            std::iter::once("ssh-keygen".to_owned()).chain(file).chain(["-R".to_owned(), self.name.clone()]).collect();
        join(&words)
    }

    fn marked<'a>(&'a self, with: &'a Marker) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.marker() == Some(with))
    }

    fn plain(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.marker().is_none())
    }
}

/// The keys of a `RevokedHostKeys` file, one a line.
///
/// # Errors
/// `host_key_unknown` when it cannot be read, or is the binary list of `ssh-keygen -k`, which we cannot take apart.
fn revoked(path: &Path) -> Result<Vec<KeyData>> {
    let refused = |cause: String| {
        Error::new(
            ErrorCode::HostKeyUnknown,
            format!("the revoked host keys in {} cannot be read, so no host is believed", path.display()),
        )
        .cause(cause)
        .hint("make RevokedHostKeys name a readable list of public keys, one a line")
    };
    let bytes = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
    if bytes.starts_with(b"SSHKRL\n\0") {
        return Err(refused("it is a binary list as ssh-keygen -k makes it".to_owned()));
    }
    let text = String::from_utf8_lossy(&bytes);
    let keys = text.lines().filter_map(|line| PublicKey::from_openssh(line.trim()).ok());
    Ok(keys.map(|key| key.key_data().clone()).collect())
}

/// Whether an entry is about a name: by a pattern and by no negated one, or by its hash.
fn names(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => mac(salt, name) == *hash,
        HostPatterns::Patterns(patterns) => {
            let fits = |pattern: &str| glob(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes());
            let mut negated = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!'));
            !negated.any(fits) && patterns.iter().any(|pattern| !pattern.starts_with('!') && fits(pattern))
        }
    }
}

/// `*` and `?`, as in known_hosts.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(c) if *c == b'?' || *c == name[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((star_at, star_from)) => {
                    star = Some((star_at, star_from + 1));
                    at = star_at + 1;
                    from = star_from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == b'*')
}

fn mac(salt: &[u8], name: &str) -> [u8; 20] {
    // A key of any length will do for HMAC, so there is nothing that could fail.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(salt) else { return [0; 20] };
    mac.update(name.as_bytes());
    mac.finalize().into_bytes().into()
}

fn hashed(name: &str, salt: &[u8]) -> String {
    HostPatterns::HashedName { salt: salt.to_vec(), hash: mac(salt, name) }.to_string()
}

fn salt() -> Result<Vec<u8>> {
    let mut salt = [0; 20];
    crate::host::fill_random(&mut salt)?;
    Ok(salt.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

    fn key(text: &str) -> PublicKey {
        PublicKey::from_openssh(text).unwrap()
    }

    fn verdict(text: &str, name: &str) -> Verdict {
        Known::read(text, name, name).verdict(&key(ONE))
    }

    #[test]
    fn a_host_is_known_by_name_pattern_hash_and_port() {
        for (line, name) in [
            (format!("vm {ONE}"), "vm"),
            (format!("VM,other {ONE} a comment"), "vm"),
            (format!("*.example.org,!bad.example.org {ONE}"), "vm.example.org"),
            (format!("[vm]:2222 {ONE}"), "[vm]:2222"),
            (format!("vm\t{} # x", ONE.replace(' ', "\t")), "vm"),
            (format!("{} {ONE}", hashed("[vm]:2222", b"salt of twenty bytes")), "[vm]:2222"),
            (format!("broken line\n@what vm {ONE}\nvm {ONE}"), "vm"),
            (format!("vm {TWO}\nvm {ONE}"), "vm"),
        ] {
            assert_eq!(verdict(&line, name), Verdict::Known, "{line}");
        }
    }

    #[test]
    fn what_is_about_other_hosts_says_nothing() {
        for line in [
            format!("vmm {ONE}"),
            format!("[vm]:2222 {ONE}"),
            format!("*,!vm {ONE}"),
            format!("# vm {ONE}"),
            format!("@cert-authority vm {ONE}"),
            String::new(),
        ] {
            assert_eq!(verdict(&line, "vm"), Verdict::Unknown, "{line}");
        }
    }

    #[test]
    fn another_key_is_a_change_of_whatever_kind_it_is() {
        assert_eq!(verdict(&format!("vm {TWO}"), "vm"), Verdict::Changed);
        let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBN76zuqnjypL54/w4763l7q1Sn3IBYHptJ5wcYfEWkzeNTvpexr05Z18m2yPT2SWRd1JJ8Aj5TYidG9MdSS5J78=";
        assert_eq!(verdict(&format!("vm {ecdsa}"), "vm"), Verdict::Changed);
    }

    #[test]
    fn a_revoked_key_is_never_believed() {
        for line in
            [format!("@revoked * {ONE}"), format!("vm {ONE}\n@revoked vm {ONE}"), format!("@revoked\tvm\t{ONE}")]
        {
            assert_eq!(verdict(&line, "vm"), Verdict::Revoked, "{line}");
        }
    }

    #[test]
    fn a_list_of_revoked_keys_is_heeded_or_nobody_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked");
        assert_eq!(revoked(&path).unwrap_err().code(), ErrorCode::HostKeyUnknown, "it is not there");
        std::fs::write(&path, b"SSHKRL\n\0\0").unwrap();
        assert_eq!(revoked(&path).unwrap_err().code(), ErrorCode::HostKeyUnknown, "it is binary");
        std::fs::write(&path, format!("# stolen\n\n{ONE} of the old vm\n")).unwrap();
        let known =
            Known { revoked: revoked(&path).unwrap(), ..Known::read(&format!("vm {ONE}\nvm {TWO}"), "vm", "vm") };
        assert_eq!((known.verdict(&key(ONE)), known.verdict(&key(TWO))), (Verdict::Revoked, Verdict::Known));
    }

    #[test]
    fn a_host_is_asked_first_for_the_kind_of_key_it_is_known_by() {
        let usual = [Algorithm::Rsa { hash: None }, Algorithm::Ed25519];
        assert_eq!(Known::read(&format!("vm {ONE}"), "vm", "vm").preferred(&usual)[0], Algorithm::Ed25519);
        assert_eq!(Known::read("", "vm", "vm").preferred(&usual), usual);
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_known_by_chance(text in "[ -~\t\n|*@!,]{0,200}", name in "[a-z.*?\\[\\]:0-9]{0,20}") {
            proptest::prop_assert_eq!(verdict(&text, &name), Verdict::Unknown);
        }
    }

    #[test]
    fn patterns_match_as_in_known_hosts() {
        for (pattern, name, fits) in [
            ("a*c", "abbc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("a*b*c", "a1b2d", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), name.as_bytes()), fits, "{pattern} {name}");
        }
    }
}
