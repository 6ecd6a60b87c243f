//! The only writer of stdout and stderr. stdout is the answer, stderr is the conversation.

mod human;
mod json;
mod progress;

use std::io::{ErrorKind, Write};

use agent_workspace_contract::{CreateReport, ErrorCode, ErrorDocument, Exit, Failure, Success, Warning};
use serde::Serialize;

pub use human::{Human, Terminal};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use json::line;
pub use progress::Progress;

use crate::capabilities;
use crate::error::{Error, Result};
use crate::host::Host;

/// What kind of answer was asked for, as far as argv can say it even when it cannot be parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Early {
    /// Whether `--output json` stands anywhere before a `--`.
    pub json: bool,
    /// Whether `--quiet` or `-q` stands anywhere before a `--`.
    pub quiet: bool,
    /// Whether `--log-format json` stands anywhere before a `--`.
    pub events: bool,
    /// The command's name, if one can be made out.
    pub command: Option<String>,
}

impl Early {
    /// Scans argv without parsing it. Needed because a parse error must be answered in the right form.
    pub fn scan(host: &Host, commands: &[&str]) -> Self {
        let mut early = Self::default();
        let mut typed = Vec::new();
        let mut words = host.args().iter().skip(1).map(|word| word.to_string_lossy()).peekable();
        while let Some(word) = words.next() {
            let (flag, value) = match word.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag.to_owned(), Some(value.to_owned())),
                _ => (word.to_string(), None),
            };
            match flag.as_str() {
                "--" => break,
                "--output" | "--log-format" => {
                    let value =
                        value.or_else(|| words.next_if(|next| !next.starts_with('-')).map(|next| next.to_string()));
                    let Some(value) = value else { continue };
                    let json = value == "json";
                    if flag == "--output" { early.json = json } else { early.events = json }
                }
                "--quiet" => early.quiet = true,
                // Short flags may stand together; none of them takes a value.
                short if is_short(short) => early.quiet |= short.contains('q'),
                // Their values could look like a command.
                "--timeout" | "--passphrase-fd" | "--supports" | "--requires" if value.is_none() => {
                    words.next_if(|next| !next.starts_with('-'));
                }
                word if !word.starts_with('-') => typed.push(word.to_owned()),
                _ => {}
            }
        }
        let known = |name: &str| commands.contains(&name).then(|| name.to_owned());
        early.command = match typed.as_slice() {
            [] => None,
            [only] => known(only),
            [first, second, ..] => known(first).or_else(|| known(&format!("{first} {second}"))),
        };
        early
    }
}

/// Whether a word is made of short flags: `-q`, `-V`, `-h`, and the `-0` of `field`.
fn is_short(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|flags| !flags.is_empty() && flags.chars().all(|c| "qVh0".contains(c)))
}

/// Writes the one answer of an invocation.
pub struct Output {
    json: bool,
    progress: Progress,
    terminal: Terminal,
    command: Option<String>,
}

impl Output {
    /// An output in the form that argv asks for.
    pub fn new(early: &Early, host: &Host) -> Self {
        Self {
            json: early.json,
            progress: Progress::new(early.quiet, early.events, host.stderr_terminal()),
            terminal: Terminal { is: host.stdout_terminal(), columns: host.columns() },
            command: early.command.clone(),
        }
    }

    /// Where progress is told.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whether the answer is a document.
    pub fn json(&self) -> bool {
        self.json
    }

    /// The command that runs, if it is known.
    pub fn command(&self) -> Option<&str> {
        self.command.as_deref()
    }

    /// Says which command runs, in the spelling that was used.
    pub fn set_command(&mut self, command: &str) {
        self.command = Some(command.to_owned());
    }

    /// Answers: the report as text or as a document, or the error, or both where a report carries a failure. Returns
    /// how the process ends.
    pub fn finish<R: Human + Serialize>(&self, result: Result<R>) -> Exit {
        let (written, exit) = match result {
            Ok(report) => match report.failure() {
                None => (self.write_success(&report), Exit::Ok),
                Some(error) => (self.write_failure(&error, Some(&report)), error.code().exit()),
            },
            Err(error) => (self.write_failure::<R>(&error, None), error.code().exit()),
        };
        match written {
            Ok(()) => exit,
            Err(error) => {
                self.progress.error_always(&error);
                error.code().exit()
            }
        }
    }

    fn write_success<R: Human + Serialize>(&self, report: &R) -> Result<()> {
        if self.json { json::write(&self.success(report)) } else { self.write_text(report) }
    }

    fn write_failure<R: Human + Serialize>(&self, error: &Error, report: Option<&R>) -> Result<()> {
        if self.json {
            self.progress.error(error);
            return json::write(&Failure { document: self.error_document(error), report });
        }
        let written = report.map_or(Ok(()), |report| self.write_text(report));
        // A question that is answered by the exit code alone prints nothing.
        if !matches!(error.code(), ErrorCode::CapabilityAbsent | ErrorCode::FieldAbsent) {
            self.progress.error_always(error);
        }
        written
    }

    fn write_text(&self, report: &impl Human) -> Result<()> {
        write_stdout(report.human(self.terminal).as_bytes())
    }

    fn success<R: Serialize>(&self, report: R) -> Success<R> {
        Success::new(
            capabilities::VERSION,
            capabilities::names(),
            self.command.as_deref().unwrap_or_default(),
            report,
            self.progress.warnings(),
        )
    }

    /// Answers with a document in both modes, for a command whose only form is JSON.
    pub fn finish_as_document<R: Serialize>(&self, report: &R) -> Exit {
        match json::write(&self.success(report)) {
            Ok(()) => Exit::Ok,
            Err(error) => {
                self.progress.error_always(&error);
                error.code().exit()
            }
        }
    }

    /// Answers with lines in both modes, for what is asked by our own adapters alone.
    pub fn finish_as_text(&self, text: &str) -> Exit {
        match write_stdout(text.as_bytes()) {
            Ok(()) => Exit::Ok,
            Err(error) => {
                self.progress.error_always(&error);
                error.code().exit()
            }
        }
    }

    /// What `create` says on stderr at its end: what to do next, and, with a document on stdout, the summary last.
    pub fn create_notes(&self, report: &CreateReport) {
        human::next_steps(report).iter().for_each(|line| self.progress.note(line));
        if self.json {
            human::create_summary(report).lines().for_each(|line| self.progress.note(line));
        }
    }

    fn error_document(&self, error: &Error) -> ErrorDocument {
        ErrorDocument::new(
            capabilities::VERSION,
            capabilities::names(),
            self.command.as_deref(),
            error.body(),
            self.progress.warnings(),
        )
    }
}

/// Makes a defect answer like any other failure: with one document where one was asked for.
#[expect(clippy::exit, clippy::disallowed_methods, reason = "a panic has no way back to main")]
pub fn answer_panics(early: &Early) {
    let (json, events, command) = (early.json, early.events, early.command.clone());
    std::panic::set_hook(Box::new(move |panic| {
        let error =
            Error::new(ErrorCode::Internal, "the launcher has a defect and could not go on").cause(panic.to_string());
        Progress::new(true, events, false).error_always(&error);
        if json {
            let document = ErrorDocument::new(
                capabilities::VERSION,
                capabilities::names(),
                command.as_deref(),
                error.body(),
                Vec::new(),
            );
            let _ = json::write(&document);
        }
        std::process::exit(i32::from(error.code().exit().code()));
    }));
}

/// A warning of this kind.
pub fn warning(code: &str, message: impl Into<String>) -> Warning {
    Warning { code: code.to_owned(), message: message.into() }
}

/// Writes the whole answer at once. A reader that has gone away is no error; anything else is.
fn write_stdout(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Error::new(ErrorCode::OutputFailed, "the answer could not be written to stdout")
            .cause(error.to_string())
            .hint("make room where stdout goes; see what there is: agent-workspace ls")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(args: &[&str]) -> Early {
        Early::scan(&Host::fixed(args, []), &["create", "image build", "ls", "up"])
    }

    #[test]
    fn the_mode_is_found_in_every_spelling_and_place() {
        for args in [
            &["--output", "json", "ls"][..],
            &["--output=json", "ls"],
            &["ls", "--output", "json"],
            &["ls", "--bogus", "--output=json"],
            &["nosuch", "--output", "json"],
            &["create", "--name", "--output", "json"],
            &["--supports", "x", "--output", "json"],
        ] {
            assert!(scan(args).json, "{args:?}");
        }
    }

    #[test]
    fn short_flags_are_found_where_they_stand_together() {
        for args in [&["-q", "ls"][..], &["-Vq"], &["field", "-0q", "/a"]] {
            assert!(scan(args).quiet, "{args:?}");
        }
        assert!(!scan(&["field", "-0", "/quiet"]).quiet);
    }

    #[test]
    fn what_stands_after_two_dashes_is_not_a_flag() {
        assert!(!scan(&["create", "--", "--output", "json"]).json);
    }

    #[test]
    fn the_last_spelling_of_the_mode_wins() {
        assert!(!scan(&["--output", "json", "ls", "--output", "text"]).json);
        assert!(!scan(&["ls", "--output"]).json);
        assert!(scan(&["--output", "json", "ls", "--output"]).json, "a form without its value says nothing");
    }

    #[test]
    fn the_command_is_known_even_when_its_flags_are_wrong() {
        assert_eq!(scan(&["up", "--bogus"]).command.as_deref(), Some("up"));
        assert_eq!(scan(&["--timeout", "ls", "create"]).command.as_deref(), Some("create"));
        assert_eq!(scan(&["image", "build", "--bogus"]).command.as_deref(), Some("image build"));
        assert_eq!(scan(&["bogus"]).command, None);
        assert_eq!(scan(&["image", "bogus"]).command, None);
    }
}
