//! What is said on stderr while a command works: lines for people, or events for programs.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use agent_workspace_contract::Warning;
use serde::Serialize;
use serde_json::{Value, json};

use crate::capabilities;
use crate::error::Error;

/// Tells people and programs how far a command is. Cheap to clone; all clones share the warnings.
#[derive(Clone)]
pub struct Progress {
    quiet: bool,
    events: bool,
    terminal: bool,
    /// Whether the line at the cursor is one that the next may overwrite.
    passing: Arc<AtomicBool>,
    warnings: Arc<Mutex<Vec<Warning>>>,
}

impl Progress {
    /// Progress in the form that argv asks for. In event form the first event is the version.
    pub fn new(quiet: bool, events: bool, terminal: bool) -> Self {
        let progress = Self { quiet, events, terminal, passing: Arc::default(), warnings: Arc::default() };
        if events {
            progress.event("version", json!({ "version": capabilities::VERSION }));
        }
        progress
    }

    /// Whether anybody can use a line that the next one overwrites: a person at a terminal, or a program that draws.
    pub fn wants_passing(&self) -> bool {
        !self.quiet && (self.terminal || self.events)
    }

    /// Says what begins now; `event` is its name for programs.
    pub fn step(&self, event: &str, line: &str) {
        if self.events {
            self.event(event, json!({ "message": line }));
        } else {
            self.say(&format!("+ {line}"));
        }
    }

    /// Says something that programs are given as values of their own.
    pub fn fact(&self, event: &str, fields: Value, line: &str) {
        if self.events {
            self.event(event, fields);
        } else {
            self.say(&format!("+ {line}"));
        }
    }

    /// Passes on one line of something that works for us (git, the engine), without what could move the cursor.
    pub fn detail(&self, event: &str, line: &str) {
        let line = printable(line);
        if line.trim().is_empty() {
            return;
        }
        if self.events {
            self.event(event, json!({ "line": line }));
        } else {
            self.say(&format!("  {line}"));
        }
    }

    /// Passes on a line that the next one overwrites, such as a percentage.
    pub fn passing(&self, event: &str, line: &str) {
        if self.events {
            self.detail(event, line);
        } else if self.wants_passing() {
            write(&format!("\r\x1b[2K  {}", printable(line)));
            self.passing.store(true, Ordering::Relaxed);
        }
    }

    /// Says something to people that is part of what a command shows at its end.
    pub fn note(&self, line: &str) {
        if self.events {
            self.event("note", json!({ "message": line }));
        } else {
            self.say(line);
        }
    }

    /// Warns now, and in the document.
    pub fn warn(&self, warning: Warning) {
        if self.events {
            self.event("warning", json!({ "code": warning.code, "message": warning.message }));
        } else {
            self.say(&format!("warn: {}", warning.message));
        }
        self.lock().push(warning);
    }

    /// What has been warned of so far.
    pub fn warnings(&self) -> Vec<Warning> {
        self.lock().clone()
    }

    /// Says an error, unless nothing at all is wanted on stderr.
    pub(super) fn error(&self, error: &Error) {
        if !self.quiet {
            self.error_always(error);
        }
    }

    /// Says an error, for those who have no document to read it in.
    pub(super) fn error_always(&self, error: &Error) {
        if self.events {
            if self.quiet {
                // The first event, which nothing before this one has called for.
                self.emit("version", json!({ "version": capabilities::VERSION }));
            }
            self.emit("error", json!({ "error": error.body() }));
            return;
        }
        let mut text = format!("error: {}\n", printable(error.message()));
        for cause in error.causes() {
            text += &format!("  because: {}\n", printable(cause));
        }
        if let Some(hint) = error.hint_text() {
            text += &format!("hint: {}\n", printable(hint));
        }
        write(&format!("{}{text}", self.cleared()));
    }

    /// A line for people. Warnings and notes may hold names that were chosen inside a workspace.
    fn say(&self, line: &str) {
        if !self.quiet {
            write(&format!("{}{}\n", self.cleared(), printable(line)));
        }
    }

    /// What takes a passing line away, if there is one at the cursor.
    fn cleared(&self) -> &'static str {
        if self.passing.swap(false, Ordering::Relaxed) { "\r\x1b[2K" } else { "" }
    }

    fn event(&self, event: &str, fields: Value) {
        if !self.quiet {
            self.emit(event, fields);
        }
    }

    fn emit(&self, event: &str, fields: Value) {
        if let Ok(line) = super::json::line(&Event { event, fields }) {
            write(&line);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Warning>> {
        self.warnings.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// One line of the event stream: its kind first, then what belongs to it.
#[derive(Serialize)]
struct Event<'a> {
    event: &'a str,
    #[serde(flatten)]
    fields: Value,
}

/// Text without control characters, so that nothing from inside a workspace can drive the caller's terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '\t' || c == '\n' {
                c
            } else if c.is_control() {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// A stderr that takes no more is nobody's problem: the answer is on stdout.
fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_from_inside_cannot_drive_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\tc\r"), "a\u{fffd}[2Jb\tc\u{fffd}");
    }
}
