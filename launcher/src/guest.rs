//! What is done inside a machine, whichever it is: over `Machine` only, with scripts for a POSIX shell.

pub mod clone;
pub mod prepare;
pub mod tunnel;
pub mod unsaved_work;

use agent_workspace_contract::ErrorCode;

use crate::error::Error;
use crate::machine::Output;

/// A step inside the workspace that failed in no way we know.
fn failed(doing: &str, output: &Output) -> Error {
    let error = Error::new(ErrorCode::GuestFailed, format!("could not {doing}")).detail("status", output.status);
    let last: Vec<&str> = output.stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let tail = last.iter().skip(last.len().saturating_sub(5)).copied().collect::<Vec<_>>().join("; ");
    if tail.is_empty() { error } else { error.cause(tail) }
}

/// The value of a `name=value` line of a script's report.
fn reported<'a>(stdout: &'a str, name: &str) -> Option<&'a str> {
    stdout.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}
