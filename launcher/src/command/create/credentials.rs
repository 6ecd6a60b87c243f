//! What `create` does in a workspace that is there and has its clone: git credentials, a profile of the secrets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use agent_workspace_contract::ErrorCode;

use crate::backend::Workspace;
use crate::command::App;
use crate::error::{Error, Result};
use crate::guest::git_auth::Kept;
use crate::guest::{codex, git_auth};
use crate::machine::Secret;
use crate::output::warning;
use crate::phase::Phase;
use crate::undo::Outcome;
use crate::workspace::Profile;

/// Git credentials that are to be kept in the workspace.
#[derive(Clone, Debug, PartialEq)]
pub struct SetupGit {
    /// The host they are for.
    pub host: String,
    /// The token.
    pub token: Secret,
    /// Whether nobody has been warned yet that the host is another than the token is surely for.
    pub token_elsewhere: bool,
}

impl SetupGit {
    /// What `--setup-git` asks for.
    ///
    /// # Errors
    /// `git_auth_missing` without a token.
    pub fn new(host: &str, token: Option<Secret>, token_elsewhere: bool) -> Result<Self> {
        let token = token.ok_or_else(|| {
            Error::new(ErrorCode::GitAuthMissing, format!("--setup-git has no token to keep for {host}"))
                .detail("host", host)
                .hint("export GH_TOKEN=...")
        })?;
        Ok(Self { host: host.to_owned(), token, token_elsewhere })
    }
}

/// Keeps git credentials in the workspace, if that was asked for. From one that is not `new` they are not taken back: the
/// ones they took the place of are gone. So who does not get to the end is told.
///
/// # Errors
/// What the guest says.
pub(in crate::command) async fn keep(
    app: &App,
    workspace: &Workspace,
    new: bool,
    request: Option<SetupGit>,
) -> Result<()> {
    let Some(SetupGit { host, token, token_elsewhere }) = request else { return Ok(()) };
    if token_elsewhere {
        app.progress.warn(warning(
            "token_elsewhere",
            format!("the token is kept for {host}; say --host or GITHUB_HOST if that is meant"),
        ));
    }
    app.progress.step("credentials_started", &format!("keeping git credentials for {host}"));
    let machine = app.backend.machine(workspace);
    let refused = Arc::new(AtomicBool::new(false));
    if !new {
        let (refused, name) = (Arc::clone(&refused), workspace.name.clone());
        app.undo.register(format!("git credentials for {host} in {name}"), move || async move {
            match refused.load(Ordering::Relaxed) {
                true => Ok(Outcome::Nothing),
                false => Err(Error::new(ErrorCode::CredentialsFailed, "they are kept there, or may be")),
            }
        });
    }
    let keeping = git_auth::keep(&*machine, &host, token);
    let kept = app.phases.run(Phase::Credentials, keeping).await;
    // What the script itself has refused it has taken back.
    let is_unheard = |error: &Error| error.is_out_of_reach() || error.code() == ErrorCode::Timeout;
    refused.store(matches!(&kept, Err(error) if !is_unheard(error)), Ordering::Relaxed);
    let with = kept.map_err(|error| error.detail("workspace", workspace.name.clone()))?;
    let keeper = if matches!(with, Kept::ByGh(_)) { "gh keeps" } else { "git's own store keeps" };
    app.progress.detail("credentials_kept", &format!("{keeper} them, for the workspace's user alone"));
    Ok(())
}

/// Checks that a workspace that is there can be given a profile: its mounts cannot be changed any more.
///
/// # Errors
/// `wrong_state` when a profile is asked for and there are no secrets.
pub(super) fn check_profile(workspace: &Workspace, profile: Option<&Profile>) -> Result<()> {
    if profile.is_none() || workspace.secrets.is_some() {
        return Ok(());
    }
    let name = &workspace.name;
    Err(Error::new(ErrorCode::WrongState, format!("workspace {name} was made without secrets, which a profile needs"))
        .detail("workspace", name.clone())
        .hint(format!("remove it and create it again with --secrets-dir: agent-workspace rm {name}")))
}

/// Applies a profile in the workspace, if that was asked for. Returns its name.
///
/// # Errors
/// What the guest says.
pub(super) async fn apply_profile(
    app: &App,
    workspace: &Workspace,
    profile: Option<Profile>,
) -> Result<Option<String>> {
    let Some(profile) = profile else { return Ok(None) };
    app.progress.step("profile_started", &format!("applying profile {}", profile.as_str()));
    let machine = app.backend.machine(workspace);
    let applied = app.phases.run(Phase::Profile, codex::apply(&*machine, &profile)).await;
    applied.map_err(|error| error.detail("workspace", workspace.name.clone()))?;
    Ok(Some(profile.as_str().to_owned()))
}
