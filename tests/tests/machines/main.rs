//! The binary against machines over SSH: servers on this host, and Debian machines in containers. Run it through
//! `./dev test`.

mod copy;
mod hosts;
mod state;
mod vms;
mod workspaces;
