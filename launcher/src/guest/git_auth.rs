//! Keeps git credentials for one host inside a machine, so that git there fetches and pushes without being given any.

use agent_workspace_contract::ErrorCode;

use crate::error::{Error, Result, disk_full, is_disk_full};
use crate::guest::clone::{UNREACHABLE, UNTRUSTED, has_any};
use crate::guest::{cut_off, last_lines, reported};
use crate::machine::{Command, Machine, Output, Secret};

const SCRIPT: &str = include_str!("scripts/git_auth.sh");

const NO_GIT: i64 = 80;
const LOGIN_FAILED: i64 = 81;
const NOT_KEPT: i64 = 82;
const NOT_ANSWERED: i64 = 83;
const ANSWERED_OTHERS: i64 = 84;

/// Keeps the token for git on this host, in place of one that is kept already. Returns what keeps it: `gh` or `store`.
///
/// # Errors
/// One of `git_auth_failed`, `git_unreachable`, `git_untrusted`, `credentials_failed`, `image_unusable`, `disk_full`, or
/// the machine's own.
pub async fn keep(machine: &dyn Machine, host: &str, token: Secret) -> Result<String> {
    let command = Command::script(SCRIPT, &[host]).reading(Some(token));
    let output = machine.run(command, &mut |_| {}).await?;
    match reported(&output.stdout, "with") {
        Some(with) if output.status == 0 => Ok(with.to_owned()),
        None if output.status == 0 => Err(cut_off(&format!("keep git credentials for {host}"))),
        _ => Err(explain(host, &output)),
    }
}

fn explain(host: &str, output: &Output) -> Error {
    let text = &output.stderr;
    let cause = last_lines(text, 5);
    let error = |code, message: String| {
        let error = Error::new(code, message).detail("host", host);
        if cause.is_empty() { error } else { error.cause(cause.clone()) }
    };
    if is_disk_full(text) {
        return disk_full(&format!("keep git credentials for {host}"), &cause);
    }
    let not_kept = |message| error(ErrorCode::CredentialsFailed, message).detail("status", output.status);
    match output.status {
        NO_GIT => error(ErrorCode::ImageUnusable, "the image has no git, which --setup-git needs".to_owned())
            .hint("use an image with git, or leave --setup-git out"),
        LOGIN_FAILED if has_any(text, REFUSED) => {
            error(ErrorCode::GitAuthFailed, format!("{host} refused the token that was to be kept"))
                .hint("give a token that is valid there: export GH_TOKEN=...")
        }
        LOGIN_FAILED if has_any(text, UNTRUSTED) => {
            error(ErrorCode::GitUntrusted, format!("the workspace does not trust the certificate of {host}"))
                .hint("check the host's name; or use an image with its authority in it")
        }
        LOGIN_FAILED if has_any(text, &[UNREACHABLE, UNREACHABLE_BY_GH].concat()) => {
            error(ErrorCode::GitUnreachable, format!("{host} cannot be reached from the workspace"))
                .hint("check the host's name and the workspace's --network")
        }
        LOGIN_FAILED | NOT_KEPT => {
            not_kept(format!("git credentials for {host} could not be kept")).hint("read the words above")
        }
        NOT_ANSWERED => not_kept(format!("git in the workspace does not use the credentials kept for {host}"))
            .hint("see what else is configured there: git config --show-origin --get-regexp credential"),
        ANSWERED_OTHERS => {
            not_kept(format!("git in the workspace would use the credentials of {host} for other hosts too"))
                .hint("see what is configured there: git config --show-origin --get-regexp credential")
        }
        status => not_kept(format!("git credentials for {host} could not be kept (status {status})"))
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
            let error = explain("h", &Output { status, stdout: String::new(), stderr: stderr.to_owned() });
            assert_eq!(error.code(), code, "{status} {stderr}");
            assert!(error.hint_text().is_some());
        }
    }
}
