//! The binary against machines over SSH: servers on this host, and Debian machines in containers. Run it through
//! `./dev test`.

mod agents;
mod copy;
mod fleet;
mod forward;
mod hosts;
mod migrations;
mod state;
mod vms;
mod workspaces;
