//! A second create may come back to a workspace while the first is still at work. If the first fails, it must not take
//! the workspace away from the second; if both fail, the last one takes it back.

use agent_workspace_contract::ErrorCode;

use crate::error::Result;
use crate::guest::{failed, run_short};
use crate::machine::{Command, Machine};

const SCRIPT: &str = include_str!("scripts/joined.sh");
/// For messages.
const COME_BACK: &str = "come back to the workspace";
const ABANDONED: i64 = 81;
const OTHERS: i64 = 82;

/// Where the marks are: in no volume, so that they go with the container.
fn marks(machine: &dyn Machine) -> String {
    format!("{}/.agent-workspace-joined", machine.places().scratch)
}

/// Says that the call of this id counts on the workspace. Returns whether it may: `false` when its maker has given it
/// up and is taking it back.
///
/// # Errors
/// `guest_failed`, or the machine's own.
pub async fn join(machine: &dyn Machine, id: &str) -> Result<bool> {
    let output = run_short(machine, Command::script(SCRIPT, &["join", &marks(machine), id]), COME_BACK).await?;
    match output.status {
        0 => Ok(true),
        ABANDONED => Ok(false),
        _ => Err(failed(COME_BACK, &output)),
    }
}

/// Takes that back. Returns whether nobody counts on the workspace any more, its maker neither.
///
/// # Errors
/// The machine's own.
pub async fn leave(machine: &dyn Machine, id: &str) -> Result<bool> {
    match run_short(machine, Command::script(SCRIPT, &["leave", &marks(machine), id]), "leave the workspace to others")
        .await
    {
        Ok(output) => Ok(output.status == 0),
        // What is gone needs nobody to take it back.
        Err(error) if error.code() == ErrorCode::ContainerVanished => Ok(false),
        Err(error) => Err(error),
    }
}

/// Says that the workspace's maker has failed. Returns whether others count on it, so that it must stay. One that
/// cannot be asked counts nobody.
pub async fn abandon(machine: &dyn Machine) -> bool {
    let asked = run_short(
        machine,
        Command::script(SCRIPT, &["abandon", &marks(machine), ""]),
        "see who counts on the workspace",
    )
    .await;
    asked.is_ok_and(|output| output.status == OTHERS)
}
