//! Where the fixtures are, as `./dev test` says: images, the git server's network and its token.

use std::path::PathBuf;

/// The images that workspaces are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Image {
    /// The agent image with a stand-in for the VS Code CLI.
    Agent,
    /// A shell and its small tools, nothing more.
    Busybox,
    /// Debian with git, without an `agent` user.
    Debian,
    /// A shell behind an entrypoint that ends at once.
    Entrypoint,
    /// One program and no shell.
    NoShell,
    /// The agent image with gh, and with a zsh that sources `codex.zsh` from the secrets.
    Tools,
}

impl Image {
    /// Its name for the engine.
    pub fn name(self) -> String {
        setting(match self {
            Self::Agent => "IMAGE",
            Self::Busybox => "BUSYBOX_IMAGE",
            Self::Debian => "DEBIAN_IMAGE",
            Self::Entrypoint => "ENTRYPOINT_IMAGE",
            Self::NoShell => "NOSHELL_IMAGE",
            Self::Tools => "TOOLS_IMAGE",
        })
    }
}

/// The network that the git server is on.
pub fn network() -> String {
    setting("NETWORK")
}

/// The token that the git server takes.
pub fn token() -> String {
    setting("GIT_TOKEN")
}

pub(super) fn setting(name: &str) -> String {
    let name = format!("AGENT_WORKSPACE_TEST_{name}");
    std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: run this through ./dev test"))
}

/// The engine's socket, for tests that put something between it and the launcher.
///
/// # Panics
/// When the engine of this run is not on a socket.
pub fn engine_socket() -> PathBuf {
    match std::env::var("DOCKER_HOST") {
        Err(_) => PathBuf::from("/var/run/docker.sock"),
        Ok(host) => PathBuf::from(host.strip_prefix("unix://").expect("the engine under test is on a socket")),
    }
}
