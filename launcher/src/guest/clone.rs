//! Clones a repository inside a machine over HTTPS, or recognises the clone that is there.

use agent_workspace_contract::ErrorCode;

use crate::error::{Error, Result, disk_full, is_disk_full};
use crate::guest::{Lines, cut_off, failed, finished, reported};
use crate::machine::{Command, Machine, Output, Secret};
use crate::output::Progress;
use crate::workspace::{GitRef, RepoSpec};

const SCRIPT: &str = include_str!("scripts/clone.sh");
const ABORT: &str = include_str!("scripts/clone_abort.sh");

const NO_GIT: i64 = 80;
const OCCUPIED: i64 = 81;
const OTHER_REPO: i64 = 82;
const NO_REF: i64 = 83;
const REF_CONFLICT: i64 = 84;
const NOT_WRITABLE: i64 = 85;
const NOT_READABLE: i64 = 86;

/// What is to be cloned, and where.
#[derive(Clone, Debug)]
pub struct Clone {
    /// The repository.
    pub repo: RepoSpec,
    /// The folder it goes to, absolute.
    pub dest: String,
    /// What is to be checked out; the default branch when absent.
    pub git_ref: Option<GitRef>,
    /// Whether submodules are cloned too.
    pub submodules: bool,
    /// For git on the repository's host, over a pipe.
    pub token: Option<Secret>,
    /// The mark of this call on what it leaves half done.
    pub id: String,
    /// The mark of the call that made the workspace, which is finished with this clone.
    pub finished: Option<String>,
}

/// Clones, or keeps the clone of the same repository that is there. Returns whether it cloned.
///
/// # Errors
/// One of `clone_failed`, `git_auth_failed`, `git_auth_missing`, `git_unreachable`, `git_untrusted`, `repo_not_found`, `ref_not_found`, `ref_conflict`,
/// `spec_conflict`, `path_occupied`, `image_unusable`, `disk_full`, `guest_failed`, or the machine's own.
pub async fn run(machine: &dyn Machine, clone: &Clone, progress: &Progress) -> Result<bool> {
    let url = clone.repo.url();
    let git_ref = clone.git_ref.as_ref().map_or("", GitRef::as_str);
    let flag = |set: bool| if set { "yes" } else { "no" };
    let finished = clone.finished.as_deref().map(|id| finished::mark(&machine.places().home, id)).unwrap_or_default();
    let args = [
        &url,
        &clone.dest,
        git_ref,
        clone.repo.host(),
        flag(clone.submodules),
        flag(clone.token.is_some()),
        &clone.id,
        flag(progress.wants_passing()),
        &finished,
    ];
    progress.step("clone_started", &format!("cloning {url}"));
    let command = Command::script(SCRIPT, &args).reading(clone.token.clone());
    let mut lines = Lines::default();
    let mut listener = |bytes: &[u8]| {
        lines.feed(bytes, |line, end| match end {
            b'\r' => progress.passing("clone_progress", line),
            _ => progress.detail("clone_progress", line),
        });
    };
    let output = machine.run(command, &mut listener).await?;
    if output.status == 0 {
        let result = reported(&output.stdout, "result").ok_or_else(|| cut_off("clone the repository"))?;
        return Ok(result == "cloned");
    }
    Err(explain(clone, &output))
}

/// Ends a clone that was interrupted and removes what it left half done. Returns whether there was anything.
///
/// # Errors
/// The machine's own.
pub async fn abort(machine: &dyn Machine, dest: &str, id: &str) -> Result<bool> {
    match machine.run(Command::script(ABORT, &[dest, id]), &mut |_| {}).await {
        // What is gone has no half clone.
        Err(error) if error.code() == ErrorCode::ContainerVanished => Ok(false),
        ended => ended.map(|output| reported(&output.stdout, "result") == Some("aborted")),
    }
}

fn explain(clone: &Clone, output: &Output) -> Error {
    let (slug, dest) = (clone.repo.slug(), clone.dest.as_str());
    let git_ref = clone.git_ref.as_ref().map_or("", GitRef::as_str);
    let error = |code, message: String| Error::new(code, message).detail("repo", slug.clone()).detail("path", dest);
    match output.status {
        NO_GIT => error(ErrorCode::ImageUnusable, "the image has no git, which a clone needs".to_owned())
            .hint("use an image with git, or --no-clone"),
        OCCUPIED => error(ErrorCode::PathOccupied, format!("{dest} exists and is not a clone"))
            .hint("choose another folder: --dir PATH"),
        OTHER_REPO => {
            let origin = reported(&output.stdout, "origin").unwrap_or("another repository");
            error(ErrorCode::SpecConflict, format!("{dest} holds a clone of {origin}"))
                .hint("choose another folder with --dir PATH, or another workspace with --name NAME")
        }
        // Asking the host for the ref may have failed for another reason than that it has none.
        NO_REF if has_any(&output.stderr, &[WANTED, REFUSED, UNTRUSTED, UNREACHABLE].concat()) => {
            explain_git(clone, output, &error)
        }
        NO_REF => error(ErrorCode::RefNotFound, format!("{slug} has no ref {git_ref:?}"))
            .detail("ref", git_ref)
            .hint(format!("see what it has: git ls-remote {}", clone.repo.url())),
        REF_CONFLICT => {
            error(ErrorCode::RefConflict, format!("the clone in {dest} has changes and is not at {git_ref:?}"))
                .detail("ref", git_ref)
                .hint("commit or stash them inside the workspace, or leave --ref out")
        }
        NOT_READABLE => {
            error(ErrorCode::CloneFailed, format!("the clone in {dest} cannot be read by the workspace's user"))
                .cause(last_words(&output.stderr))
                .hint(format!("give it to that user, from inside: sudo chown -R \"$(id -u)\" {dest}"))
        }
        NOT_WRITABLE => failed(&format!("make the folder {dest}"), output),
        _ => explain_git(clone, output, &error),
    }
}

/// What git's own words mean. Its status says nothing, so its messages (in the C locale) must.
fn explain_git(clone: &Clone, output: &Output, error: &dyn Fn(ErrorCode, String) -> Error) -> Error {
    let (slug, host) = (clone.repo.slug(), clone.repo.host());
    let text = &output.stderr;
    let cause = last_words(text);
    if is_disk_full(text) {
        return disk_full(&format!("clone {slug}"), &cause);
    }
    let export = "give a token that may read it: export GH_TOKEN=...";
    let with_token = clone.token.is_some();
    // Without a token a host that forbids is one that wants one, unless the workspace has credentials of its own.
    if has_any(text, WANTED) || (!with_token && has_any(text, FORBIDDEN)) {
        let message = match asking_host(text).filter(|asking| with_token && *asking != host) {
            // A submodule or a redirection leads there.
            Some(other) => format!("{other} wants credentials, and the token is for {host} alone"),
            None => format!("{host} wants credentials for {slug}, or there is no such repository"),
        };
        return error(ErrorCode::GitAuthMissing, message).cause(cause).hint(export);
    }
    if has_any(text, REFUSED) || has_any(text, FORBIDDEN) {
        let message = if with_token {
            format!("{host} refused the token for {slug}")
        } else {
            format!("{host} refused the credentials that the workspace has for {slug}")
        };
        return error(ErrorCode::GitAuthFailed, message)
            .cause(cause)
            .hint("give a token that is valid and may read it: export GH_TOKEN=...");
    }
    if has_any(text, NO_REPOSITORY) {
        let message = if with_token {
            format!("{host} has no repository {slug}, or hides it from this token")
        } else {
            format!("{host} has no repository {slug}")
        };
        return error(ErrorCode::RepoNotFound, message)
            .cause(cause)
            .hint(format!("check the name; for a private repository: {export}"));
    }
    if has_any(text, UNTRUSTED) {
        return error(ErrorCode::GitUntrusted, format!("the workspace does not trust the certificate of {host}"))
            .cause(cause)
            .hint(
                "check the host's name; or use an image with its authority in it, in /usr/local/share/ca-certificates",
            );
    }
    if has_any(text, UNREACHABLE) {
        return error(ErrorCode::GitUnreachable, format!("{host} cannot be reached from the workspace"))
            .cause(cause)
            .hint("check the host's name and the workspace's --network");
    }
    error(ErrorCode::CloneFailed, format!("git could not clone {slug}"))
        .cause(cause)
        .detail("status", output.status)
        .hint("read git's words above")
}

/// The host that git would have asked a person to log in to.
fn asking_host(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("could not read Username for 'https://")?;
    rest.split_once('\'').map(|(host, _)| host)
}

/// Git's words for credentials that nobody has.
const WANTED: &[&str] = &["could not read Username", "could not read Password", "terminal prompts disabled"];

/// Git's words for credentials that are refused.
const REFUSED: &[&str] = &["Authentication failed"];

/// Git's words for what is not allowed, whoever asks.
const FORBIDDEN: &[&str] = &["returned error: 401", "returned error: 403"];

/// Git's words, and those of the libraries under it, for a host that is not who it should be: an authority that nobody
/// knows, a certificate that is over or for another name, the key of an SSH host.
pub(super) const UNTRUSTED: &[&str] = &[
    "certificate verification failed",
    "server verification failed",
    "certificate problem",
    "certificate subject name",
    "certificate signer",
    "certificate has expired",
    "problem with the SSL CA cert",
    "error setting certificate",
    "Host key verification failed",
    "x509:",
];

/// Git's words, and those of git hosts, for a repository that is not there.
const NO_REPOSITORY: &[&str] = &[
    "/' not found",
    "Repository not found",
    "repository not found",
    "returned error: 404",
    "not appear to be a git repository",
];

/// Git's words for a host that cannot be reached.
pub(super) const UNREACHABLE: &[&str] = &[
    "Could not resolve host",
    "Failed to connect",
    "Couldn't connect",
    "Connection refused",
    "timed out",
    "Network is unreachable",
    "No route to host",
    "Could not resolve proxy",
    "Empty reply from server",
    "returned error: 502",
    "returned error: 503",
    "returned error: 504",
];

pub(super) fn has_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

/// The lines of git that say what went wrong, without its progress.
fn last_words(text: &str) -> String {
    let lines: Vec<&str> = text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect();
    let telling = |line: &&&str| ["fatal:", "error:", "remote:"].iter().any(|start| line.starts_with(start));
    let chosen: Vec<&str> = lines.iter().filter(telling).copied().collect();
    let chosen = if chosen.is_empty() { lines } else { chosen };
    if chosen.is_empty() {
        return "git said nothing".to_owned();
    }
    chosen.iter().skip(chosen.len().saturating_sub(4)).copied().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::repo_spec::Host;

    fn explained(status: i64, stderr: &str) -> Error {
        explained_with(None, status, stderr)
    }

    fn explained_with(token: Option<Secret>, status: i64, stderr: &str) -> Error {
        let clone = Clone {
            repo: RepoSpec::parse("o/r", &Host::parse("git.test").unwrap()).unwrap(),
            dest: "/work/o/r".to_owned(),
            git_ref: None,
            submodules: false,
            token,
            id: "1".to_owned(),
            finished: None,
        };
        explain(&clone, &Output { status, stdout: String::new(), stderr: stderr.to_owned() })
    }

    #[test]
    fn gits_words_become_codes_a_script_can_branch_on() {
        for (stderr, code) in [
            (
                "fatal: could not read Username for 'https://git.test': terminal prompts disabled",
                ErrorCode::GitAuthMissing,
            ),
            ("fatal: Authentication failed for 'https://git.test/o/r.git/'", ErrorCode::GitAuthFailed),
            ("fatal: unable to access '…': The requested URL returned error: 403", ErrorCode::GitAuthMissing),
            ("fatal: repository 'https://git.test/o/r.git/' not found", ErrorCode::RepoNotFound),
            ("fatal: unable to access '…': Could not resolve host: git.test", ErrorCode::GitUnreachable),
            ("fatal: unable to access '…': The requested URL returned error: 503", ErrorCode::GitUnreachable),
            ("fatal: unable to access '…': server certificate verification failed", ErrorCode::GitUntrusted),
            ("fatal: unable to access '…': SSL certificate problem: self-signed certificate", ErrorCode::GitUntrusted),
            (
                "fatal: unable to access '…': SSL: no alternative certificate subject name matches target host name 'x'",
                ErrorCode::GitUntrusted,
            ),
            ("Host key verification failed.\nfatal: Could not read from remote repository.", ErrorCode::GitUntrusted),
            ("fatal: write error: No space left on device", ErrorCode::DiskFull),
            ("fatal: early EOF", ErrorCode::CloneFailed),
        ] {
            assert_eq!(explained(128, stderr).code(), code, "{stderr}");
        }
    }

    #[test]
    fn a_token_that_is_given_is_refused_or_not_for_the_host_that_asks() {
        let with_token = |stderr| explained_with(Some(Secret::new("x\n")), 128, stderr);
        for (stderr, code, words) in [
            ("fatal: Authentication failed for 'https://git.test/'", ErrorCode::GitAuthFailed, "refused the token"),
            ("fatal: The requested URL returned error: 403", ErrorCode::GitAuthFailed, "refused the token"),
            (
                "fatal: could not read Username for 'https://other.test': terminal prompts disabled",
                ErrorCode::GitAuthMissing,
                "other.test wants credentials, and the token is for git.test alone",
            ),
            ("fatal: repository 'https://git.test/o/r.git/' not found", ErrorCode::RepoNotFound, "hides it"),
        ] {
            let error = with_token(stderr);
            assert_eq!(error.code(), code, "{stderr}");
            assert!(error.message().contains(words), "{error}");
        }
        let missing = explained(128, "fatal: could not read Username for 'https://git.test'");
        assert!(missing.message().contains("or there is no such repository"), "{missing}");
    }

    #[test]
    fn causes_leave_gits_progress_out() {
        let error = explained(128, "Receiving objects:  10%\rReceiving objects: 100%\nfatal: early EOF\n");
        assert_eq!(error.causes(), ["fatal: early EOF"]);
    }
}
