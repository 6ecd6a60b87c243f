//! The one error of the launcher: a code for programs, a sentence and a hint for people.
//!
//! Library errors become ours where they are met (`backend/docker/errors.rs`, the guest modules), and get their hints
//! there, not where they are printed.

use std::fmt;

use agent_workspace_contract::{ErrorBody, ErrorCode};
use serde_json::{Map, Value};

/// What every fallible part of the launcher returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something failed. Boxed inside, so that results stay small.
#[derive(Clone, Debug, PartialEq)]
pub struct Error(Box<Parts>);

#[derive(Clone, Debug, PartialEq)]
struct Parts {
    code: ErrorCode,
    message: String,
    hint: Option<String>,
    causes: Vec<String>,
    details: Map<String, Value>,
}

impl Error {
    /// An error of this code with one sentence for people.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(Parts { code, message: message.into(), hint: None, causes: Vec::new(), details: Map::new() }))
    }

    /// Adds what to do or paste next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Says what to do in other words, where something was said.
    #[must_use]
    pub fn with_hint(mut self, words: impl FnOnce(&str) -> String) -> Self {
        self.0.hint = self.0.hint.take().map(|hint| words(&hint));
        self
    }

    /// Adds what lies behind the message; call it outermost first.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.0.causes.push(cause.into());
        self
    }

    /// Adds a fact by name for programs.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(name.to_owned(), value.into());
        self
    }

    /// The code for programs.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// Whether what holds the workspaces could not be asked, so that nothing is known of them.
    pub fn is_out_of_reach(&self) -> bool {
        matches!(self.code(), ErrorCode::EngineUnavailable | ErrorCode::HostUnreachable)
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do or paste next.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// What lies behind the message, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.0.causes
    }

    /// The error as it stands in a document.
    pub fn body(&self) -> ErrorBody {
        ErrorBody {
            code: self.0.code,
            message: self.0.message.clone(),
            hint: self.0.hint.clone(),
            causes: self.0.causes.clone(),
            retryable: self.0.code.retryable(),
            exit_code: self.0.code.exit().code(),
            details: self.0.details.clone(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

/// A wrong command line, in the words of the rule that was broken.
pub fn usage(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::Usage, message)
}

/// Whether an engine's or git's message says that no space is left. Neither says it in any other way.
pub fn is_disk_full(message: &str) -> bool {
    ["no space left on device", "No space left on device", "disk quota exceeded", "Disk quota exceeded"]
        .iter()
        .any(|words| message.contains(words))
}

/// No space is left where a workspace keeps its files. `doing` completes "could not ...".
pub fn disk_full(doing: &str, message: &str) -> Error {
    Error::new(ErrorCode::DiskFull, format!("could not {doing}: no space is left on the disk of the workspaces"))
        .cause(message.to_owned())
        .hint("see what takes the space: docker system df")
}
