//! What crosses the process boundary of `agent-workspace`, as types.
//!
//! Documents on stdout, error codes, exit codes, capability names and environment variable names. Wrappers,
//! scripts and integrations rely on what is here and on nothing else. The crate knows neither engines nor argv.

mod capability;
mod code;
mod document;
mod env;
mod exit;
mod report;
#[cfg(feature = "schema")]
pub mod schema;

pub use capability::Capability;
pub use code::ErrorCode;
pub use document::{ErrorBody, ErrorDocument, Failure, Success, Warning};
pub use env::EnvVar;
pub use exit::Exit;
pub use report::*;

/// Version of the documents' shape.
///
/// Adding keys keeps it; removing, renaming, retyping or redefining a key needs the next integer.
pub const SCHEMA_VERSION: u32 = 1;
