//! Makes a plain image usable as a workspace: the user, and the owner of the folders.

use agent_workspace_contract::{ErrorCode, Isolation as Walls};

use crate::backend::{HOME, WORK, Workspace};
use crate::error::{Error, Result};
use crate::guest::failed;
use crate::machine::{Command, Machine, Who};

const SCRIPT: &str = include_str!("scripts/prepare.sh");
const NO_USER: i64 = 80;

/// Whether a workspace that was just made may lack its user and folders.
pub fn is_needed(workspace: &Workspace) -> bool {
    !workspace.ready_made || asks_for_user(workspace)
}

/// Makes sure of the user and the folders of a workspace that runs, as far as its walls allow.
///
/// # Errors
/// `image_unusable` when they are not there and cannot be made, `guest_failed` for anything else.
pub async fn make_usable(machine: &dyn Machine, workspace: &Workspace) -> Result<()> {
    match workspace.isolation {
        Walls::Strict => check(machine, &workspace.user).await,
        _ => run(machine, &workspace.user, asks_for_user(workspace)).await,
    }
}

fn asks_for_user(workspace: &Workspace) -> bool {
    workspace.recorded.as_ref().is_some_and(|recorded| recorded.user.is_some())
}

/// Gives `user` the work folder and its home, making the user when it is missing and nobody asked for another by name.
///
/// # Errors
/// `image_unusable` when the user asked for is not in the image, `guest_failed` for anything else.
pub async fn run(machine: &dyn Machine, user: &str, asked_for: bool) -> Result<()> {
    let command = Command::script(SCRIPT, &[user, WORK, HOME, if asked_for { "asked" } else { "default" }]);
    let output = machine.run(command.run_by(Who::Root), &mut |_| {}).await?;
    match output.status {
        0 => Ok(()),
        NO_USER => Err(no_user(user)),
        _ => Err(failed("prepare the workspace's user and folders", &output)),
    }
}

/// Looks whether the user has the folders, where nothing can be prepared: behind strict walls not even root may change
/// an owner or write to the root.
///
/// # Errors
/// `image_unusable` when the image did not come with what is needed, or the machine's own.
async fn check(machine: &dyn Machine, user: &str) -> Result<()> {
    let output = machine.run(Command::script("test -w \"$1\" && test -w \"$2\"", &[WORK, HOME]), &mut |_| {}).await;
    match output {
        Ok(output) if output.status == 0 => Ok(()),
        Err(error) if error.code() != ErrorCode::EngineError => Err(error),
        lacking => {
            let what =
                format!("the image is not made for strict isolation: its user {user:?} must own {WORK} and {HOME}");
            let error = Error::new(ErrorCode::ImageUnusable, what)
                .detail("user", user)
                .hint("leave --image out for the agent image, or use --isolation standard");
            Err(match lacking {
                Err(cause) => cause.causes().iter().fold(error, |error, cause| error.cause(cause.clone())),
                Ok(_) => error,
            })
        }
    }
}

/// A user that was asked for is not in the image.
pub fn no_user(user: &str) -> Error {
    Error::new(ErrorCode::ImageUnusable, format!("the image has no user {user:?}"))
        .detail("user", user)
        .hint("name a user that the image has, or a number: --user 1000")
}
