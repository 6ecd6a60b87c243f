//! The verbs of `config`: writing, printing, editing and checking what is meant when nothing is said.

pub mod check;
pub mod edit;
pub mod init;
pub mod sample;
mod words;
