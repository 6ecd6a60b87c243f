//! Runs the wrappers in their shells, away from everything of this machine, and tells what they called.
//!
//! A scenario (`tests/tests/wrappers/scenarios/*.txt`) is written once and runs in every shell. `docs/wrappers.md`
//! says how to run the table against a wrapper for another shell.

mod calls;
mod rewrite;
mod sandbox;
mod scenario;
mod shell;
mod web;
mod words;

pub use calls::calls_in;
pub use rewrite::rewrite;
pub use sandbox::{Outcome, Sandbox, Tree, of_powershell};
pub use scenario::{Answer, Scenario, Workspace, all};
pub use shell::{Shell, Variant};
pub use web::{Page, Web};
pub use words::{join, quote, split};
