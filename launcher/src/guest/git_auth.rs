//! Keeps git credentials for hosts, or parts of them, inside a machine, so that git there fetches and pushes without being
//! given any.

use std::fmt;

use agent_workspace_contract::{EnvVar, ErrorCode};

use crate::error::{Error, Result, disk_full, is_disk_full};
use crate::guest::clone::{UNREACHABLE, UNTRUSTED, has_any};
use crate::guest::{cut_off, last_lines};
use crate::machine::{Command, Machine, Output, Secret};

const SCRIPT: &str = include_str!("scripts/git_auth.sh");

const NO_GIT: i64 = 80;
const LOGIN_FAILED: i64 = 81;
const NOT_KEPT: i64 = 82;
const NOT_ANSWERED: i64 = 83;
const ANSWERED_OTHERS: i64 = 84;

/// What credentials are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The host.
    pub host: String,
    /// The name that everything there begins with which they are for; `None` is all of the host.
    pub part: Option<String>,
}

impl Place {
    /// All of a host.
    pub fn host(host: &str) -> Self {
        Self { host: host.to_owned(), part: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            Some(part) => write!(formatter, "{}/{part}", self.host),
            None => formatter.write_str(&self.host),
        }
    }
}

/// A credential that is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// What it is for.
    pub place: Place,
    /// The token, with a line end. Without one it is only asked whether git has any credentials there.
    pub token: Option<Secret>,
    /// The variable that a token for it is given in, for hints.
    pub variable: String,
}

/// What became of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// `gh` keeps it, and whether that was another before.
    ByGh(bool),
    /// A store of git's own does.
    InStore(bool),
    /// It was asked for, and there is one.
    Already,
    /// It was asked for, and there is none.
    Missing,
}

/// Keeps the token for git on this host, in place of one that is kept already.
///
/// # Errors
/// One of `git_auth_failed`, `git_unreachable`, `git_untrusted`, `credentials_failed`, `image_unusable`, `disk_full`, or
/// the machine's own.
pub async fn keep(machine: &dyn Machine, host: &str, token: Secret) -> Result<Kept> {
    let credential =
        Credential { place: Place::host(host), token: Some(token), variable: EnvVar::GhToken.name().to_owned() };
    let kept = keep_all(machine, std::slice::from_ref(&credential)).await?;
    kept.first().copied().ok_or_else(|| cut_off(&format!("keep git credentials for {host}")))
}

/// Keeps several, one after another in one go. What became of each, in their order.
///
/// # Errors
/// Those of [`keep`], for the first that could not be kept; those before it are.
pub async fn keep_all(machine: &dyn Machine, credentials: &[Credential]) -> Result<Vec<Kept>> {
    let places: Vec<_> = credentials.iter().map(|credential| credential.place.to_string()).collect();
    let words: Vec<_> = places.iter().map(String::as_str).collect();
    let tokens = credentials.iter().map(|credential| credential.token.as_ref().map_or(&b"\n"[..], Secret::expose));
    let tokens = Secret::new(tokens.collect::<Vec<_>>().concat());
    let command = Command::script(SCRIPT, &words).reading(Some(tokens));
    let output = machine.run(command, &mut |_| {}).await?;
    let kept = outcomes(&output.stdout);
    match credentials.get(kept.len()) {
        Some(failed) if output.status != 0 => Err(explain(failed, &output)),
        None if output.status == 0 => Ok(kept),
        _ => Err(cut_off(&format!("keep git credentials for {}", places.join(", ")))),
    }
}

/// What the script has said of each.
fn outcomes(stdout: &str) -> Vec<Kept> {
    let mut changed = true;
    let mut kept = Vec::new();
    for line in stdout.lines() {
        match line.split_once('=') {
            Some(("changed", said)) => changed = said != "no",
            Some(("with", "gh")) => kept.push(Kept::ByGh(changed)),
            Some(("with", "store")) => kept.push(Kept::InStore(changed)),
            Some(("with", "kept")) => kept.push(Kept::Already),
            Some(("with", "none")) => kept.push(Kept::Missing),
            _ => {}
        }
    }
    kept
}

fn explain(credential: &Credential, output: &Output) -> Error {
    let Credential { place, variable, .. } = credential;
    let text = &output.stderr;
    let cause = last_lines(text, 5);
    let error = |code, message: String| {
        let error = Error::new(code, message).detail("host", place.host.clone());
        if cause.is_empty() { error } else { error.cause(cause.clone()) }
    };
    if is_disk_full(text) {
        return disk_full(&format!("keep git credentials for {place}"), &cause);
    }
    let not_kept = |message| error(ErrorCode::CredentialsFailed, message).detail("status", output.status);
    match output.status {
        NO_GIT => error(ErrorCode::ImageUnusable, "the image has no git, which --setup-git needs".to_owned())
            .hint("use an image with git, or leave --setup-git out"),
        LOGIN_FAILED if has_any(text, REFUSED) => {
            error(ErrorCode::GitAuthFailed, format!("{place} refused the token that was to be kept"))
                .hint(format!("give a token that is valid there: export {variable}=..."))
        }
        LOGIN_FAILED if has_any(text, UNTRUSTED) => {
            error(ErrorCode::GitUntrusted, format!("the workspace does not trust the certificate of {place}"))
                .hint("check the host's name; or use an image with its authority in it")
        }
        LOGIN_FAILED if has_any(text, &[UNREACHABLE, UNREACHABLE_BY_GH].concat()) => {
            error(ErrorCode::GitUnreachable, format!("{place} cannot be reached from the workspace"))
                .hint("check the host's name and the workspace's --network")
        }
        LOGIN_FAILED | NOT_KEPT => {
            not_kept(format!("git credentials for {place} could not be kept")).hint("read the words above")
        }
        NOT_ANSWERED => not_kept(format!("git in the workspace does not use the credentials kept for {place}"))
            .hint("see what else is configured there: git config --show-origin --get-regexp credential"),
        ANSWERED_OTHERS => not_kept(format!("git in the workspace would use the credentials of {place} elsewhere too"))
            .hint("see what is configured there: git config --show-origin --get-regexp credential"),
        status => not_kept(format!("git credentials for {place} could not be kept (status {status})"))
            .hint("read the words above"),
    }
}

/// gh's words for a token that the host does not take, or that may too little.
const REFUSED: &[&str] = &["HTTP 401", "HTTP 403", "missing required scope"];

/// gh's words for a host that cannot be reached.
const UNREACHABLE_BY_GH: &[&str] = &["error connecting to", "dial tcp", "no such host", "HTTP 50"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_a_code() {
        let credential = Credential { place: Place::host("h"), token: None, variable: "GH_TOKEN".to_owned() };
        for (status, stderr, code) in [
            (80, "", ErrorCode::ImageUnusable),
            (81, "error validating token: HTTP 401: Bad credentials (https://h/api/v3/)", ErrorCode::GitAuthFailed),
            (81, "error validating token: missing required scope 'repo'", ErrorCode::GitAuthFailed),
            (81, "x509: certificate signed by unknown authority", ErrorCode::GitUntrusted),
            (81, "dial tcp: lookup h: no such host", ErrorCode::GitUnreachable),
            (81, "unknown flag: --with-token", ErrorCode::CredentialsFailed),
            (82, "fatal: unable to get credential storage lock: Permission denied", ErrorCode::CredentialsFailed),
            (82, "fatal: unable to write: No space left on device", ErrorCode::DiskFull),
            (83, "", ErrorCode::CredentialsFailed),
            (84, "", ErrorCode::CredentialsFailed),
            (137, "", ErrorCode::CredentialsFailed),
        ] {
            let error = explain(&credential, &Output { status, stdout: String::new(), stderr: stderr.to_owned() });
            assert_eq!(error.code(), code, "{status} {stderr}");
            assert!(error.hint_text().is_some());
        }
    }

    #[test]
    fn what_became_of_each_is_read_in_their_order() {
        let said = "changed=no\nwith=store\nchanged=yes\nwith=gh\nchanged=no\nwith=kept\nchanged=no\nwith=none\n";
        assert_eq!(outcomes(said), [Kept::InStore(false), Kept::ByGh(true), Kept::Already, Kept::Missing]);
        assert_eq!(outcomes("words\nwith=store\nchanged=y"), [Kept::InStore(true)]);
        assert_eq!(outcomes("changed=yes\nwith=sto"), [], "what was cut off is none");
    }

    #[test]
    fn a_token_that_is_refused_names_its_place_and_its_variable() {
        let place = Place { host: "h".to_owned(), part: Some("o".to_owned()) };
        let credential = Credential { place, token: None, variable: "GIT_CREDENTIALS_A".to_owned() };
        let output = Output { status: 81, stdout: String::new(), stderr: "HTTP 401".to_owned() };
        let error = explain(&credential, &output);
        assert!(error.message().starts_with("h/o refused"), "{error:?}");
        assert!(error.hint_text().is_some_and(|hint| hint.ends_with("export GIT_CREDENTIALS_A=...")), "{error:?}");
        assert_eq!(error.body().details["host"], "h");
    }
}
