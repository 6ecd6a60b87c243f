//! Clones a repository inside a machine over HTTPS, or recognises the clone that is there.

use agent_workspace_contract::ErrorCode;

use crate::error::{Error, Result, disk_full, is_disk_full};
use crate::guest::{Lines, failed, reported};
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
}

/// Clones, or keeps the clone of the same repository that is there. Returns whether it cloned.
///
/// # Errors
/// One of `clone_failed`, `git_auth_failed`, `git_unreachable`, `repo_not_found`, `ref_not_found`, `ref_conflict`,
/// `spec_conflict`, `path_occupied`, `image_unusable`, `disk_full`, `guest_failed`, or the machine's own.
pub async fn run(machine: &dyn Machine, clone: &Clone, progress: &Progress) -> Result<bool> {
    let url = clone.repo.url();
    let git_ref = clone.git_ref.as_ref().map_or("", GitRef::as_str);
    let flag = |set: bool| if set { "yes" } else { "no" };
    let args = [
        &url,
        &clone.dest,
        git_ref,
        clone.repo.host(),
        flag(clone.submodules),
        flag(clone.token.is_some()),
        &clone.id,
        flag(progress.wants_passing()),
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
        return Ok(reported(&output.stdout, "result") == Some("cloned"));
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
        NO_REF if has_any(&output.stderr, &[REFUSED, UNREACHABLE].concat()) => explain_git(clone, output, &error),
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
    let slug = clone.repo.slug();
    let text = &output.stderr;
    let cause = last_words(text);
    if is_disk_full(text) {
        return disk_full(&format!("clone {slug}"), &cause);
    }
    let export = "give a token that may read it: export GH_TOKEN=...";
    if has_any(text, REFUSED) {
        let message = if clone.token.is_some() {
            format!("{} refused the token for {slug}", clone.repo.host())
        } else {
            format!("{} wants credentials for {slug}, or there is no such repository", clone.repo.host())
        };
        return error(ErrorCode::GitAuthFailed, message).cause(cause).hint(export);
    }
    if has_any(text, NO_REPOSITORY) {
        return error(ErrorCode::RepoNotFound, format!("{} has no repository {slug}", clone.repo.host()))
            .cause(cause)
            .hint(format!("check the name; for a private repository: {export}"));
    }
    if has_any(text, UNREACHABLE) {
        return error(ErrorCode::GitUnreachable, format!("{} cannot be reached from the workspace", clone.repo.host()))
            .cause(cause)
            .hint("check the host's name and the workspace's --network");
    }
    let hint = if text.contains("certificate") {
        "the image must trust the host's certificate: build one with your authority in it"
    } else {
        "read git's words above"
    };
    error(ErrorCode::CloneFailed, format!("git could not clone {slug}"))
        .cause(cause)
        .detail("status", output.status)
        .hint(hint)
}

/// Git's words for credentials that are missing or refused.
const REFUSED: &[&str] = &[
    "could not read Username",
    "could not read Password",
    "terminal prompts disabled",
    "Authentication failed",
    "returned error: 401",
    "returned error: 403",
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
const UNREACHABLE: &[&str] = &[
    "Could not resolve host",
    "Failed to connect",
    "Couldn't connect",
    "Connection refused",
    "timed out",
    "Network is unreachable",
    "No route to host",
];

fn has_any(text: &str, words: &[&str]) -> bool {
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
        let clone = Clone {
            repo: RepoSpec::parse("o/r", &Host::parse("git.test").unwrap()).unwrap(),
            dest: "/work/o/r".to_owned(),
            git_ref: None,
            submodules: false,
            token: None,
            id: "1".to_owned(),
        };
        explain(&clone, &Output { status, stdout: String::new(), stderr: stderr.to_owned() })
    }

    #[test]
    fn gits_words_become_codes_a_script_can_branch_on() {
        for (stderr, code) in [
            (
                "fatal: could not read Username for 'https://git.test': terminal prompts disabled",
                ErrorCode::GitAuthFailed,
            ),
            ("fatal: Authentication failed for 'https://git.test/o/r.git/'", ErrorCode::GitAuthFailed),
            ("fatal: unable to access '…': The requested URL returned error: 403", ErrorCode::GitAuthFailed),
            ("fatal: repository 'https://git.test/o/r.git/' not found", ErrorCode::RepoNotFound),
            ("fatal: unable to access '…': Could not resolve host: git.test", ErrorCode::GitUnreachable),
            ("fatal: unable to access '…': server certificate verification failed", ErrorCode::CloneFailed),
            ("fatal: write error: No space left on device", ErrorCode::DiskFull),
            ("fatal: early EOF", ErrorCode::CloneFailed),
        ] {
            assert_eq!(explained(128, stderr).code(), code, "{stderr}");
        }
    }

    #[test]
    fn causes_leave_gits_progress_out() {
        let error = explained(128, "Receiving objects:  10%\rReceiving objects: 100%\nfatal: early EOF\n");
        assert_eq!(error.causes(), ["fatal: early EOF"]);
    }
}
