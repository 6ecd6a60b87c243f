//! What is done inside a machine, whichever it is: over `Machine` only, with scripts for a POSIX shell.

pub mod clone;
pub mod codex;
pub mod copy;
pub mod finished;
pub mod git_auth;
pub mod joined;
pub mod prepare;
pub mod rescue;
pub mod secrets;
pub mod tunnel;
pub mod unsaved_work;
pub mod users;
pub mod vm;

use std::time::Duration;

use agent_workspace_contract::ErrorCode;

use crate::error::{Error, Result};
use crate::machine::{Command, Machine, Output};

/// A step inside the workspace that failed in no way we know.
pub(crate) fn failed(doing: &str, output: &Output) -> Error {
    let error = Error::new(ErrorCode::GuestFailed, format!("could not {doing}"))
        .detail("status", output.status)
        .hint("see: agent-workspace ls");
    // Engines say on stdout that a command could not be run at all.
    let words = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let tail = last_lines(words, 5);
    match tail.is_empty() {
        true => error.cause(format!("it ended with status {} and said nothing", output.status)),
        false => error.cause(tail),
    }
}

/// How long a step may take that does little: whoever is root inside can replace what runs it.
const SHORT: Duration = Duration::from_secs(60);

/// Runs a step that does little. One that does not end must not hold up whoever asks.
async fn run_short(machine: &dyn Machine, command: Command, doing: &str) -> Result<Output> {
    let ran = tokio::time::timeout(SHORT, machine.run(command, &mut |_| {})).await;
    ran.unwrap_or_else(|_| {
        Err(Error::new(ErrorCode::GuestFailed, format!("could not {doing}: it took more than a minute"))
            .hint("look at what runs inside; see: agent-workspace ls"))
    })
}

/// Whether a script whose silence would mean something has come to the line that it always ends with.
pub(crate) fn said_all(stdout: &str) -> bool {
    stdout.lines().any(|line| line == "end")
}

/// A script that ended well has not said what it always says: the connection broke between its words and us.
fn cut_off(doing: &str) -> Error {
    Error::new(
        ErrorCode::EngineUnavailable,
        format!("could not {doing}: the connection to the engine was lost before the answer"),
    )
    .hint("try again in a moment")
}

/// The same of a host.
pub(crate) fn cut_off_host(doing: &str) -> Error {
    Error::new(
        ErrorCode::HostUnreachable,
        format!("could not {doing}: the connection to the host was lost before the answer"),
    )
    .hint("try again in a moment")
}

/// The last lines of what a command said, as one.
fn last_lines(words: &str, count: usize) -> String {
    let lines: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(count)).copied().collect::<Vec<_>>().join("; ")
}

/// The value of a `name=value` line of a script's report.
pub(crate) fn reported<'a>(stdout: &'a str, name: &str) -> Option<&'a str> {
    stdout.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

/// Cuts a stream of bytes into lines. A carriage return ends a line as well: git overwrites its progress with it.
#[derive(Default)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    /// Gives each line that is whole, with the byte that ended it.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(&str, u8)) {
        for byte in bytes {
            if matches!(byte, b'\n' | b'\r') {
                line(&String::from_utf8_lossy(&self.0), *byte);
                self.0.clear();
            } else if self.0.len() < 4096 {
                self.0.push(*byte);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_the_bytes_are_cut() {
        let text = b"one\rtwo\nthree\n";
        for cut in 0..text.len() {
            let (mut lines, mut seen) = (Lines::default(), Vec::new());
            lines.feed(&text[..cut], |line, _| seen.push(line.to_owned()));
            lines.feed(&text[cut..], |line, _| seen.push(line.to_owned()));
            assert_eq!(seen, ["one", "two", "three"]);
        }
    }
}
