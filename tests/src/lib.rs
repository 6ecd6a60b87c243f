//! The harness of the suites that drive the shipped binary: run it hermetically, read what it answered.
//!
//! Suites are the folders of `tests/tests/`: `cli` (no engine at all), `engine` (a scripted engine on a socket),
//! `docker` (a real engine; ignored unless `./dev test` has set it up), `host` (folders of this machine), `wrappers` (shells over a recorded launcher).

mod document;
pub mod engine;
mod launcher;
pub mod live;
pub mod place;
pub mod work;
pub mod wrappers;

pub use document::{Document, schema_of};
pub use launcher::{Launcher, Ran};
