//! An SSH server of one test, and an `ssh` that trusts it.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::machine::ssh_with_config;
use super::{run_with_input, until};

/// A server on this host; ends with the test.
pub struct SshServer {
    child: Child,
    config: PathBuf,
    port: u16,
    bin: PathBuf,
}

impl SshServer {
    /// Makes keys and starts the server.
    ///
    /// # Panics
    /// When sshd does not come up.
    pub fn start(folder: &Path) -> Self {
        let bin = folder.join("bin");
        for name in ["host", "user"] {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-f", name]).current_dir(folder);
            assert_eq!(run_with_input(&mut command, "").code, 0, "ssh-keygen works");
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        let here = folder.display();
        let write = |name: &str, text: String| std::fs::write(folder.join(name), text).expect("a file");
        let key = std::fs::read_to_string(folder.join("host.pub")).expect("a key");
        write("known_hosts", format!("[127.0.0.1]:{port} {key}"));
        write(
            "sshd_config",
            format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey {here}/host\nAuthorizedKeysFile {here}/user.pub\nPidFile none\n\
                 StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            ),
        );
        write(
            "ssh_config",
            format!("IdentityFile {here}/user\nIdentitiesOnly yes\nUserKnownHostsFile {here}/known_hosts\n"),
        );
        ssh_with_config(folder);
        // Where the server, run by root, locks up what it does not trust; Debian's service makes it.
        let _ = std::fs::create_dir_all("/run/sshd");
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(folder.join("sshd_config"))
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(folder.join("sshd.log")).expect("a file"))
            .spawn()
            .expect("sshd is installed");
        let server = Self { child, config: folder.join("sshd_config"), port, bin };
        until("sshd listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    }

    /// Starts it anew with these lines and what it had before.
    ///
    /// # Panics
    /// When sshd does not come up again.
    pub fn reload(&self, lines: &str) {
        let before = std::fs::read_to_string(&self.config).expect("a file");
        std::fs::write(&self.config, format!("{lines}{before}")).expect("a file");
        // The listener goes away and comes back in the same process, and says so.
        let log = self.config.with_file_name("sshd.log");
        let said = || std::fs::read_to_string(&log).expect("a log").matches("Server listening").count();
        let count = said();
        let process = self.child.id().to_string();
        assert_eq!(run_with_input(Command::new("kill").args(["-HUP", &process]), "").code, 0);
        until("sshd listens again", || said() > count);
    }

    /// Its port on this host.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A `PATH` on which `ssh` trusts the server and has a key for it.
    pub fn path(&self) -> String {
        format!("{}:/usr/local/bin:/usr/bin:/bin", self.bin.display())
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
