//! What is done inside a machine, whichever it is: over `Machine` only, with scripts for a POSIX shell.

pub mod clone;
pub mod joined;
pub mod prepare;
pub mod tunnel;
pub mod unsaved_work;

use agent_workspace_contract::ErrorCode;

use crate::error::Error;
use crate::machine::Output;

/// A step inside the workspace that failed in no way we know.
fn failed(doing: &str, output: &Output) -> Error {
    let error = Error::new(ErrorCode::GuestFailed, format!("could not {doing}"))
        .detail("status", output.status)
        .hint("see: agent-workspace ls");
    // Engines say on stdout that a command could not be run at all.
    let words = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let last: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let tail = last.iter().skip(last.len().saturating_sub(5)).copied().collect::<Vec<_>>().join("; ");
    if tail.is_empty() { error } else { error.cause(tail) }
}

/// The value of a `name=value` line of a script's report.
fn reported<'a>(stdout: &'a str, name: &str) -> Option<&'a str> {
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
