//! Debian machines of one test: containers with an SSH server, each a host of its own on a network of the test.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{docker, fixtures::setting, run_with_input, try_docker, until};
use crate::Launcher;

/// The machines of one test, and a home from which they can be reached. All of it ends with the test.
pub struct Machines {
    id: String,
    folder: tempfile::TempDir,
}

/// One machine.
pub struct Machine {
    /// The container's name.
    pub container: String,
    /// Where it is.
    pub address: String,
}

const LABEL: &str = "agent-workspace.machines";
/// Where the git server has the certificate of who vouches for it, and machines that believe it too.
const AUTHORITY: &str = "/usr/local/share/ca-certificates/agent-workspace-fixture.crt";

impl Default for Machines {
    fn default() -> Self {
        Self::new()
    }
}

impl Machines {
    /// A network, a key, and an `ssh` that uses it.
    ///
    /// # Panics
    /// When one of them cannot be made.
    pub fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().expect("a folder");
        let machines = Self { id, folder };
        remove_abandoned();
        docker(["network", "create", "--internal", "--label", &machines.label(), &machines.network()]);
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-f", "user"]).current_dir(machines.folder());
        assert_eq!(run_with_input(&mut command, "").code, 0, "ssh-keygen works");
        let here = machines.folder().display();
        let config = format!(
            "User admin\nIdentityFile {here}/user\nIdentitiesOnly yes\nUserKnownHostsFile {here}/known_hosts\n\
             GlobalKnownHostsFile none\nHashKnownHosts no\n"
        );
        std::fs::write(machines.folder().join("ssh_config"), config).expect("a file");
        ssh_with_config(machines.folder());
        machines
    }

    /// Where keys, known hosts and the state are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The state of this test.
    pub fn state(&self) -> PathBuf {
        self.folder().join("state")
    }

    /// Starts a machine.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(&self, name: &str) -> Machine {
        self.start_with(name, &[])
    }

    /// The same with a disk of its own for workspaces: that of a container may not hand groups and access control lists
    /// down to what is made in a folder.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_with_disk(&self, name: &str) -> Machine {
        self.start_with(name, &["-v", "/srv/agent-workspace"])
    }

    fn start_with(&self, name: &str, more: &[&str]) -> Machine {
        let container = format!("{LABEL}.{}.{name}", self.id);
        let key = std::fs::read_to_string(self.folder().join("user.pub")).expect("a key");
        let (network, label) = (self.network(), self.label());
        let key = format!("AUTHORIZED_KEY={}", key.trim());
        let image = setting("MACHINE_IMAGE");
        let mut words = vec!["run", "-d", "--init", "--name", &container, "--hostname", name, "--label", &label];
        words.extend(["--network", &network, "-e", &key]);
        words.extend_from_slice(more);
        words.push(&image);
        docker(words);
        let address = format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}");
        let address = docker(["container", "inspect", "--format", &address, &container]);
        let machine = Machine { container, address };
        machine.until_it_listens();
        machine
    }

    /// A launcher that knows this test's state and keys, with these arguments.
    pub fn launcher(&self, line: &str) -> Launcher {
        self.over(Launcher::new(line.split_whitespace()).json())
    }

    /// A launcher that knows this test's state and keys.
    pub fn over(&self, launcher: Launcher) -> Launcher {
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.folder().join("bin").display());
        launcher.env("PATH", path).env("AGENT_WORKSPACE_STATE_DIR", self.state())
    }

    /// Takes a machine off the network, so that nothing answers at its address.
    pub fn unplug(&self, machine: &Machine) {
        docker(["network", "disconnect", &self.network(), &machine.container]);
    }

    /// Puts it back.
    ///
    /// # Panics
    /// When it does not come back to where it was.
    pub fn plug_in(&self, machine: &Machine) {
        docker(["network", "connect", &self.network(), &machine.container]);
        machine.until_it_listens();
    }

    fn network(&self) -> String {
        format!("{LABEL}.{}", self.id)
    }

    fn label(&self) -> String {
        format!("{LABEL}={}", std::process::id())
    }
}

impl Machine {
    /// Puts it on the git server's network too, and makes it believe that server's certificate.
    pub fn reach_git_server(&self) {
        let network = super::network();
        docker(["network", "connect", &network, &self.container]);
        let authority = docker(["exec", &network, "cat", AUTHORITY]);
        let mut command = Command::new("docker");
        let put = format!("cat >{AUTHORITY} && update-ca-certificates >/dev/null 2>&1");
        command.args(["exec", "-i", &self.container, "sh", "-c", &put]);
        assert_eq!(run_with_input(&mut command, &format!("{authority}\n")).code, 0, "the machine trusts the server");
    }

    /// Makes its SSH server tell of every command that it runs.
    pub fn log_sessions(&self) {
        self.run("echo 'LogLevel VERBOSE' >>/etc/ssh/sshd_config && kill -HUP \"$(cat /run/sshd.pid)\"");
        self.until_it_listens();
    }

    /// Starts it anew.
    ///
    /// # Panics
    /// When it does not come back to where it was.
    pub fn restart(&self) {
        docker(["restart", "-t", "2", &self.container]);
        self.until_it_listens();
    }

    /// Stops everything on it at once: connections are still taken, and nobody answers.
    pub fn freeze(&self) {
        docker(["pause", &self.container]);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        docker(["unpause", &self.container]);
    }

    fn until_it_listens(&self) {
        until("the machine listens", || std::net::TcpStream::connect((self.address.as_str(), 22)).is_ok());
    }

    /// How many commands its SSH server has run, since it was made to tell.
    pub fn sessions(&self) -> usize {
        let log = run_with_input(Command::new("docker").args(["logs", &self.container]), "").expect(0);
        (log.stdout + &log.stderr).matches("Starting session: command").count()
    }

    /// Runs a shell's line there as root, and returns what it printed.
    pub fn run(&self, line: &str) -> String {
        docker(["exec", &self.container, "sh", "-c", line])
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        for container in containers(&format!("name={LABEL}.{}.", self.id)) {
            let _ = try_docker(["rm", "-f", "-v", &container]);
        }
        let _ = try_docker(["network", "rm", &self.network()]);
    }
}

/// Puts an `ssh` into `bin` that takes its settings from `ssh_config`: the real one never looks at `$HOME`.
pub(super) fn ssh_with_config(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let bin = folder.join("bin");
    std::fs::create_dir_all(&bin).expect("a folder");
    let client = bin.join("ssh");
    let script = format!("#!/bin/sh\nexec /usr/bin/ssh -F '{}/ssh_config' \"$@\"\n", folder.display());
    std::fs::write(&client, script).expect("a file");
    std::fs::set_permissions(&client, std::fs::Permissions::from_mode(0o755)).expect("a program");
}

fn containers(filter: &str) -> Vec<String> {
    let names = docker(["ps", "-a", "--filter", filter, "--format", "{{.Names}}"]);
    names.lines().map(str::to_owned).collect()
}

/// What runs that were killed have left.
fn remove_abandoned() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let format = format!("{{{{.Names}}}} {{{{.Label \"{LABEL}\"}}}}");
        let filter = format!("label={LABEL}");
        let alive = |process: &str| Path::new("/proc").join(process).exists();
        for line in docker(["ps", "-a", "--filter", &filter, "--format", &format]).lines() {
            if let Some((name, process)) = line.split_once(' ')
                && !alive(process)
            {
                let _ = try_docker(["rm", "-f", "-v", name]);
            }
        }
        let format = format!("{{{{.Name}}}} {{{{.Label \"{LABEL}\"}}}}");
        for line in docker(["network", "ls", "--filter", &filter, "--format", &format]).lines() {
            if let Some((name, process)) = line.split_once(' ')
                && !alive(process)
            {
                let _ = try_docker(["network", "rm", name]);
            }
        }
    });
}
