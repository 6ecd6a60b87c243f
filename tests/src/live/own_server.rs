//! A git server of one test: with a token that nobody else knows, under the host name that the test wants.

use std::process::Command;

use super::{LABEL, Live, docker, run_with_input, setting, try_docker, until};

/// A git server of one test on a network of its own. Goes with the test.
#[derive(Debug)]
pub struct GitServer {
    container: String,
    network: String,
}

impl Live {
    /// Starts a git server as these hosts on a network, which takes this token for everything.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn git_server(&self, network: &str, hosts: &[&str], token: &str) -> GitServer {
        let container = format!("agent-workspace-test-git-{}-{}", self.id(), hosts[0]);
        let mut command = Command::new("docker");
        // The token by name only: a command line can be read by everybody on the machine.
        command.args(["run", "-d", "--init", "--name", &container, "--label", &format!("{LABEL}={}", self.id())]);
        command.args(["--network", network, "-e", "GIT_SERVER_TOKEN"]).env("GIT_SERVER_TOKEN", token);
        for host in hosts {
            command.args(["--network-alias", host]);
        }
        let _ = run_with_input(command.arg(setting("GIT_SERVER_IMAGE")), "").expect(0);
        let address = format!("https://{}/acme/hello.git", hosts[0]);
        until("the git server answers", || try_docker(["exec", &container, "git", "ls-remote", &address]).code == 0);
        GitServer { container, network: network.to_owned() }
    }
}

impl GitServer {
    /// The network it is on.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// The engine's id of it.
    pub fn id(&self) -> String {
        docker(["container", "inspect", "--format", "{{.Id}}", &self.container])
    }

    /// What it was asked for, a line each with the user that asked.
    pub fn log(&self) -> String {
        docker(["logs", &self.container])
    }
}
