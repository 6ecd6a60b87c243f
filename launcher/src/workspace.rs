//! Rules that hold for workspaces on every backend. Pure: values in, values out.

pub mod agent_name;
pub mod code_workspace;
pub mod git_ref;
pub mod image_ref;
pub mod isolation;
pub mod linux_name;
pub mod machine_name;
pub mod name;
pub mod profile;
pub mod repo_spec;
pub mod resources;
pub mod secrets_mount;
pub mod token_variables;
pub mod tunnel_name;

pub use agent_name::AgentName;
pub use git_ref::GitRef;
pub use image_ref::ImageRef;
pub use isolation::Isolation;
pub use machine_name::MachineName;
pub use name::{Prefix, WorkspaceName};
pub use profile::Profile;
pub use repo_spec::RepoSpec;
pub use tunnel_name::TunnelName;
