//! Makes a plain image usable as a workspace: the user, and the owner of the folders.

use agent_workspace_contract::ErrorCode;

use crate::backend::{HOME, WORK};
use crate::error::{Error, Result};
use crate::guest::failed;
use crate::machine::{Command, Machine, Who};

const SCRIPT: &str = include_str!("scripts/prepare.sh");
const NO_USER: i64 = 80;

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

/// A user that was asked for is not in the image.
pub fn no_user(user: &str) -> Error {
    Error::new(ErrorCode::ImageUnusable, format!("the image has no user {user:?}"))
        .detail("user", user)
        .hint("name a user that the image has, or a number: --user 1000")
}
