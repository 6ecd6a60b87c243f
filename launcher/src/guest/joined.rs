//! A mark on a workspace that a second create has come back to while the first was still at work: if the first fails,
//! it must not take the workspace away.

use crate::error::Result;
use crate::machine::{Command, Machine};

/// In no volume, so that it goes with the container.
const MARK: &str = "/tmp/.agent-workspace-joined";

/// Marks the workspace.
///
/// # Errors
/// The machine's own.
pub async fn mark(machine: &dyn Machine) -> Result<()> {
    machine.run(Command::script(r#"mkdir -p "${1%/*}" && : >"$1""#, &[MARK]), &mut |_| {}).await.map(drop)
}

/// Whether the workspace is marked. One that cannot be asked is not.
pub async fn is_marked(machine: &dyn Machine) -> bool {
    let asked = machine.run(Command::script(r#"test -e "$1""#, &[MARK]), &mut |_| {}).await;
    asked.is_ok_and(|output| output.status == 0)
}
