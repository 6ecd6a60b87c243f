//! What can go wrong between a client and an engine.

use super::http::{Answer, Request, whole};

/// Which requests something happens to.
#[derive(Clone, Debug)]
pub enum When {
    /// The n-th request that is made, from 1.
    Nth(usize),
    /// The n-th request and every later one.
    From(usize),
    /// Every request of this method whose path ends like this.
    Every(&'static str, String),
    /// The first request of this method whose path ends like this.
    First(&'static str, String),
    /// The n-th request whose line in `Engine::calls` begins like this.
    Call(String, usize),
}

/// What happens to a request.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Whether the engine does what is asked before its answer goes wrong.
    pub(super) done: bool,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// The engine's own refusal.
    Refusal(u16, String),
    /// A page for people.
    Page(u16),
    /// A success whose body is no JSON.
    BadJson,
    /// A success with another body.
    Body(String),
    /// Something that is not HTTP.
    NotHttp,
    /// The connection ends before the answer.
    Cut,
    /// The connection ends in the middle of the answer, and with it what an exec runs.
    CutInTheMiddle,
    /// The connection ends in the middle of what an exec says, and it goes on running.
    CutFromExec,
    /// Nothing, ever.
    Silence,
}

impl Fault {
    const fn new(kind: Kind) -> Self {
        Self { done: false, kind }
    }

    /// The engine refuses, in its own form.
    pub fn refusal(status: u16, message: &str) -> Self {
        Self::new(Kind::Refusal(status, message.to_owned()))
    }

    /// Something else answers with a page for people.
    pub const fn page(status: u16) -> Self {
        Self::new(Kind::Page(status))
    }

    /// A success whose body is no JSON.
    pub const fn bad_json() -> Self {
        Self::new(Kind::BadJson)
    }

    /// A success with this body.
    pub fn body(text: &str) -> Self {
        Self::new(Kind::Body(text.to_owned()))
    }

    /// Bytes that are not HTTP.
    pub const fn not_http() -> Self {
        Self::new(Kind::NotHttp)
    }

    /// The connection ends before the answer.
    pub const fn cut() -> Self {
        Self::new(Kind::Cut)
    }

    /// The connection to an exec ends in the middle of what it says, and it goes on running.
    pub const fn cut_from_exec() -> Self {
        Self { done: true, kind: Kind::CutFromExec }
    }

    /// The engine does what is asked, and the connection ends in the middle of its answer. What an exec runs is killed.
    pub const fn cut_in_the_middle() -> Self {
        Self { done: true, kind: Kind::CutInTheMiddle }
    }

    /// No answer at all, and the connection stays.
    pub const fn silence() -> Self {
        Self::new(Kind::Silence)
    }

    /// The same, after the engine has done what was asked: only its answer is lost.
    #[must_use]
    pub fn after_doing_it(mut self) -> Self {
        self.done = true;
        self
    }

    /// What is sent, and whether the connection stays; `None` when nothing is sent ever.
    pub(super) fn bytes(&self, answer: &Answer, api: &str) -> Option<(Vec<u8>, bool)> {
        Some(match &self.kind {
            Kind::Refusal(status, message) => (Answer::refusal(*status, message).bytes(api), true),
            Kind::Page(status) => {
                let page = b"<!DOCTYPE html><html><body><h1>Welcome to the web server</h1></body></html>";
                (whole(*status, None, "text/html", page), true)
            }
            Kind::BadJson => (whole(200, Some(api), "application/json", b"{\"Id\": \"abc"), true),
            Kind::Body(text) => (whole(200, Some(api), "application/json", text.as_bytes()), true),
            Kind::NotHttp => (b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec(), false),
            Kind::Cut => (Vec::new(), false),
            Kind::CutInTheMiddle | Kind::CutFromExec => {
                let mut bytes = answer.bytes(api);
                // Not within the head of an answer that has no body: there, every byte counts.
                bytes.truncate(bytes.len().saturating_sub(3));
                (bytes, false)
            }
            Kind::Silence => return None,
        })
    }
}

impl When {
    /// Every request of this method whose path ends like this.
    pub fn every(method: &'static str, end: impl Into<String>) -> Self {
        Self::Every(method, end.into())
    }

    /// The first request of this method whose path ends like this.
    pub fn first(method: &'static str, end: impl Into<String>) -> Self {
        Self::First(method, end.into())
    }

    /// The first request whose line in `Engine::calls` begins like this.
    pub fn call(beginning: &str) -> Self {
        Self::Call(beginning.to_owned(), 1)
    }

    /// Whether the request of this number is meant. One that is meant once is forgotten by the caller.
    pub(super) fn meets(&mut self, number: usize, request: &Request, line: &str) -> bool {
        match self {
            Self::Nth(nth) => number == *nth,
            Self::From(nth) => number >= *nth,
            Self::Every(method, end) | Self::First(method, end) => {
                request.method == *method && request.path.ends_with(end.as_str())
            }
            Self::Call(beginning, left) => {
                if line.starts_with(beginning.as_str()) {
                    *left -= 1;
                }
                *left == 0
            }
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Nth(_) | Self::First(..) | Self::Call(..))
    }
}
