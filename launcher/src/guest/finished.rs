//! Whether a create came to its end inside: the last of its steps that cannot simply be done again leaves a mark in the
//! home, and what is still at work can be seen.

use crate::error::Result;
use crate::guest::{cut_off, failed, reported, run_short, said_all};
use crate::machine::{Command, Machine, Output, Who};

const AT_WORK: &str = include_str!("scripts/at_work.sh");
const FIRST_FILE: &str = include_str!("scripts/first_file.sh");

/// For messages.
const MARK_FINISHED: &str = "mark the workspace as finished";
const SEE_WHAT_RUNS: &str = "see what runs in the workspace";
const SEE_WHAT_IS_THERE: &str = "see what is in the workspace";

/// The file that says that the workspace which the call of this id made is finished. It is on the home's volume, and its
/// name says it all, so that nothing has to be run or read to know.
pub fn mark(home: &str, create_id: &str) -> String {
    format!("{home}/.agents-env/finished-{create_id}")
}

/// Leaves the mark, for who is content with a workspace whose create was cut off.
///
/// # Errors
/// `guest_failed`, or the machine's own.
pub async fn set(machine: &dyn Machine, create_id: &str) -> Result<()> {
    let script = "mkdir -p \"${1%/*}\" && : >\"$1\"";
    let output =
        run_short(machine, Command::script(script, &[&mark(&machine.places().home, create_id)]), MARK_FINISHED).await?;
    if output.status == 0 { Ok(()) } else { Err(failed(MARK_FINISHED, &output)) }
}

/// What runs in a workspace beside the command that keeps it alive: the name of a program. `None` when nothing does.
///
/// # Errors
/// `guest_failed` when it cannot be told, `engine_unavailable` when the answer was lost, or the machine's own.
pub async fn at_work(machine: &dyn Machine) -> Result<Option<String>> {
    let look = Command::script(AT_WORK, &[machine.own_user().unwrap_or_default()]).run_by(Who::Root);
    let output = run_short(machine, look, SEE_WHAT_RUNS).await?;
    match output.status {
        0 => found(&output, "runs", SEE_WHAT_RUNS),
        _ => Err(failed(SEE_WHAT_RUNS, &output)),
    }
}

/// A file in the work folder of a workspace that was not finished, saved elsewhere or not: somebody has made something
/// of it. `None` when there is nothing but what cut-off clones leave.
///
/// # Errors
/// `guest_failed` when it cannot be told, `engine_unavailable` when the answer was lost, or the machine's own.
pub async fn first_file(machine: &dyn Machine) -> Result<Option<String>> {
    let output = run_short(machine, Command::script(FIRST_FILE, &[&machine.places().work]), SEE_WHAT_IS_THERE).await?;
    match output.status {
        0 => found(&output, "file", SEE_WHAT_IS_THERE),
        _ => Err(failed(SEE_WHAT_IS_THERE, &output)),
    }
}

/// What a script has found, if anything. That there is nothing must have been said to the end.
fn found(output: &Output, name: &str, doing: &str) -> Result<Option<String>> {
    match reported(&output.stdout, name) {
        Some(found) => Ok(Some(found.to_owned())),
        None if said_all(&output.stdout) => Ok(None),
        None => Err(cut_off(doing)),
    }
}
