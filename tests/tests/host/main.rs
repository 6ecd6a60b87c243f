//! The binary with workspaces as folders of this machine: no engine, real walls where this machine allows them, real git.

mod copy;
mod cut_off;
mod doctor;
mod flags;
mod isolation;
mod life;
mod plain;
mod unsaved;
