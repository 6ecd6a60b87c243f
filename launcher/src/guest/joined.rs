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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::{Child, Command};
    use std::time::{Duration, Instant};

    use super::*;

    /// The script as a machine runs it, where programs come from a folder of the test first.
    fn word(folder: &Path, verb: &str, id: &str) -> Child {
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display());
        let marks = folder.join("marks");
        Command::new("sh").args(["-c", SCRIPT, "sh", verb]).arg(marks).arg(id).env("PATH", path).spawn().unwrap()
    }

    fn says(folder: &Path, verb: &str, id: &str) -> i64 {
        word(folder, verb, id).wait().unwrap().code().unwrap().into()
    }

    #[test]
    fn who_gives_up_while_somebody_comes_back_leaves_it_to_them_or_takes_it_from_them() {
        let folder = tempfile::tempdir().unwrap();
        // Who joins looks for the mark of abandoning by this, between its word and its question.
        let find = folder.path().join("find");
        std::fs::write(&find, "#!/bin/sh\n: >\"${0%/*}/joining\"\nsleep 1\n").unwrap();
        std::fs::set_permissions(&find, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut joins = word(folder.path(), "join", "b");
        let until = Instant::now() + Duration::from_secs(60);
        while !folder.path().join("joining").exists() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let abandoned = says(folder.path(), "abandon", "");
        let joined = i64::from(joins.wait().unwrap().code().unwrap());
        assert_eq!((joined, abandoned), (0, OTHERS), "(0, 82) or (81, 0), and who came first has it");
    }

    #[test]
    fn a_word_that_comes_to_be_said_after_its_call_has_left_counts_for_nobody() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(says(folder.path(), "leave", "b"), OTHERS);
        assert_eq!(says(folder.path(), "join", "b"), OTHERS);
        assert_eq!(says(folder.path(), "abandon", ""), 0);
        assert_eq!(says(folder.path(), "join", "c"), ABANDONED);
    }

    #[test]
    fn a_lock_that_nobody_has_any_more_holds_up_nobody_for_long() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("marks.lock")).unwrap();
        assert_eq!(says(folder.path(), "join", "b"), 0);
        assert!(!folder.path().join("marks.lock").exists());
    }
}
