//! Looks from inside whether the workspace's user can use the secrets that are mounted.

use crate::backend::{HOME, Secrets, WORK};
use crate::error::Result;
use crate::guest::{cut_off, failed, reported};
use crate::machine::{Command, Machine, Who};
use crate::workspace::secrets_mount::is_in;

const SCRIPT: &str = include_str!("scripts/secrets.sh");

/// What keeps the workspace's user from the secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// Whether they cannot be written rather than not read.
    pub only_writing: bool,
    /// Number of the workspace's user.
    pub user: String,
    /// Number of the folder's owner, as it is inside.
    pub owner: String,
}

/// Looks at new secrets; `None` when they can be used. The folders that the engine made on the way to the mount are
/// given to the user where `may_own`: behind strict walls not even root can.
///
/// # Errors
/// `guest_failed`, or the machine's own.
pub async fn look(machine: &dyn Machine, secrets: &Secrets, may_own: bool) -> Result<Option<Unusable>> {
    let mount = secrets.mount.as_str();
    let parent = mount.rsplit_once('/').map_or("", |(parent, _)| parent);
    let top = [HOME, WORK].into_iter().find(|top| parent != *top && is_in(parent, top));
    if let Some(top) = top.filter(|_| may_own) {
        let own = Command::script(SCRIPT, &["own", mount, top]).run_by(Who::Root);
        let output = machine.run(own, &mut |_| {}).await?;
        if output.status != 0 {
            return Err(failed("give the folders of the secrets' mount to the workspace's user", &output));
        }
    }
    let wanted = if secrets.readonly { "read" } else { "write" };
    let output = machine.run(Command::script(SCRIPT, &[wanted, mount, ""]), &mut |_| {}).await?;
    let number = |name: &str| reported(&output.stdout, name).unwrap_or("unknown").to_owned();
    match reported(&output.stdout, "result") {
        Some("usable") => Ok(None),
        Some(result) => {
            Ok(Some(Unusable { only_writing: result == "unwritable", user: number("user"), owner: number("owner") }))
        }
        None if output.status == 0 => Err(cut_off("look at the secrets")),
        None => Err(failed("look at the secrets", &output)),
    }
}
