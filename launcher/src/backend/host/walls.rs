//! The walls of a workspace on this machine: the words for bubblewrap, and whether it works here.
//!
//! Inside, only the workspace's own folders can be written. Of this machine there are its programs and those of its
//! settings that programs need; no home, no `/run` and so no socket of any engine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_workspace_contract::{ErrorCode, Isolation};

use super::folder::Folder;
use super::record::Walls;
use crate::backend::{HOME, Secrets, USER, WORK};
use crate::error::{Error, Result};

/// Where this machine's programs are. What the workspace puts on its own path is never run for us.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The number of the user inside.
const NUMBER: &str = "1000";
/// The variables of a workspace, beside the rules of what is in it.
const ENVIRONMENT: &str = "/etc/agent-workspace/environment";
/// Runs the words after it with nothing open but the three streams. It is given itself as the first of them.
const ALONE: &str = concat!(include_str!("alone.sh"), "exec \"$@\"\n");
/// How to get the walls.
const INSTALL: &str = "sudo apt-get install bubblewrap";
/// A machine that does not answer this soon does not work.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// Folders of programs that are links to those below `/usr` on most machines.
const PROGRAMS: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/// Settings that programs need. Everything else in `/etc` is this machine's own business; git's, which may hold a token,
/// above all.
const SETTINGS: [&str; 30] = [
    "/etc/alternatives",
    "/etc/bash.bashrc",
    "/etc/bash_completion.d",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/debian_version",
    "/etc/fonts",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/java",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/openssl.cnf",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/shells",
    "/etc/skel",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/etc/zsh",
];

/// What of `/proc` sets up this machine. The kernel asks only whether it is root who writes, not which rights are left.
const MACHINE_SETTINGS: [&str; 9] = [
    "/proc/acpi",
    "/proc/bus",
    "/proc/dynamic_debug",
    "/proc/fs",
    "/proc/irq",
    "/proc/mtrr",
    "/proc/scsi",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// What walls are put up with, if anything.
#[derive(Clone, Debug, Default)]
pub(super) struct Bubblewrap(Option<PathBuf>);

impl Bubblewrap {
    pub(super) fn at(program: Option<PathBuf>) -> Self {
        Self(program)
    }

    /// Whether it is there, working or not.
    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// The program.
    ///
    /// # Errors
    /// `unsupported` when it is not on this machine.
    pub(super) fn program(&self) -> Result<&Path> {
        self.0.as_deref().ok_or_else(|| {
            Error::new(
                ErrorCode::Unsupported,
                "bubblewrap is not on this machine, so that nothing walls a workspace off",
            )
            .hint(format!("install it: {INSTALL}; or use --isolation none, which has no walls"))
        })
    }

    /// Whether it works here, by putting walls up around nothing.
    ///
    /// # Errors
    /// `unsupported` with the way to it; `engine_error` when it may work in a moment.
    pub(super) async fn probe(&self) -> Result<()> {
        let program = self.program()?;
        let mut words = machine(&System::look());
        words.extend(words_of(&["--", "/bin/true"]));
        let mut command = tokio::process::Command::new("unshare");
        command.args(["--user", "--map-root-user", "--"]).arg(program).args(words);
        command.env_clear().env("PATH", PATH).stdin(std::process::Stdio::null()).kill_on_drop(true);
        let why = match tokio::time::timeout(PROBE_LIMIT, command.output()).await {
            Ok(Ok(output)) if output.status.success() => return Ok(()),
            Ok(Ok(output)) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => return Err(busy(&format!("it did not answer within {} seconds", PROBE_LIMIT.as_secs()))),
        };
        if passes(&why) {
            return Err(busy(&why));
        }
        let setting = |name: &str| std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
        let forbids = |name: &str, value: &str| setting(name).trim() == value;
        let allow = if forbids("apparmor_restrict_unprivileged_userns", "1") {
            "allow it: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
        } else if forbids("unprivileged_userns_clone", "0") {
            "allow it: sudo sysctl -w kernel.unprivileged_userns_clone=1"
        } else if std::fs::read_to_string("/proc/sys/user/max_user_namespaces").is_ok_and(|most| most.trim() == "0") {
            "allow it: sudo sysctl -w user.max_user_namespaces=15000"
        } else {
            "this machine allows no user namespaces; use --backend docker, or --isolation none, which has no walls"
        };
        Err(Error::new(ErrorCode::Unsupported, "bubblewrap does not work here, so that nothing walls a workspace off")
            .cause(why)
            .hint(allow))
    }

    /// Its name and version.
    ///
    /// # Errors
    /// As [`Self::probe`].
    pub(super) async fn about(&self) -> Result<String> {
        self.probe().await?;
        let said = tokio::process::Command::new(self.program()?).arg("--version").env_clear().output().await;
        let said = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
        Ok(if said.is_empty() { "bubblewrap".to_owned() } else { said })
    }
}

/// Whether a failure is of what there is too little of just now. What runs inside can bring that about, and must not get
/// the next workspace made without walls by it.
fn passes(why: &str) -> bool {
    ["No space left on device", "Resource temporarily unavailable", "Cannot allocate memory", "Too many open files"]
        .iter()
        .any(|passing| why.contains(passing))
}

fn busy(why: &str) -> Error {
    Error::new(ErrorCode::EngineError, "bubblewrap does not work at the moment, so that nothing walls a workspace off")
        .cause(why)
        .hint("stop what takes processes, memory or namespaces, and try again; see: agent-workspace ls --backend host")
}

impl Walls {
    /// The word in documents.
    pub(super) const fn said(self) -> Isolation {
        match self {
            Self::Process => Isolation::Process,
            Self::Strict => Isolation::Strict,
            Self::None => Isolation::None,
        }
    }
}

/// How this machine lays out its programs: what of the old places is a link, and to where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct System {
    links: Vec<(&'static str, String)>,
    folders: Vec<&'static str>,
    /// Whether the one who runs the launcher is root here, and what is inside with them.
    is_root: bool,
}

impl System {
    /// Looks.
    pub(super) fn look() -> Self {
        let mut system = Self { is_root: rustix::process::geteuid().is_root(), ..Self::default() };
        for place in PROGRAMS {
            match std::fs::read_link(place) {
                Ok(target) => system.links.push((place, target.to_string_lossy().into_owned())),
                Err(_) if Path::new(place).is_dir() => system.folders.push(place),
                Err(_) => {}
            }
        }
        system
    }
}

/// What a workspace's command sees of its own folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight<'a> {
    /// Its own, to be written.
    Inside,
    /// From beside: nothing of it can be changed, and what looks has a folder of its own for what it leaves.
    Beside(&'a Path),
}

/// Bubblewrap's words for the machine around a workspace, whichever it is.
fn machine(system: &System) -> Vec<String> {
    let mut words = words_of(&[
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--uid",
        NUMBER,
        "--gid",
        NUMBER,
        "--cap-drop",
        "ALL",
        "--new-session",
        "--clearenv",
        "--ro-bind",
        "/usr",
        "/usr",
    ]);
    for (place, target) in &system.links {
        words.extend(words_of(&["--symlink", target, place]));
    }
    for place in &system.folders {
        words.extend(words_of(&["--ro-bind", place, place]));
    }
    for setting in SETTINGS {
        words.extend(words_of(&["--ro-bind-try", setting, setting]));
    }
    words.extend(words_of(&[
        "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/dev/shm", "--dir", "/run", "--dir", "/var",
    ]));
    // For others these cannot be written anyway, and a `/proc` that is whole lets them nest walls of their own.
    if system.is_root {
        for setting in MACHINE_SETTINGS {
            words.extend(words_of(&["--ro-bind-try", setting, setting]));
        }
    }
    words
}

/// Bubblewrap's words for a workspace: everything but the command.
pub(super) fn words(
    system: &System,
    folder: &Folder,
    walls: Walls,
    hostname: &str,
    secrets: Option<&Secrets>,
    sight: Sight<'_>,
) -> Vec<String> {
    let mut words = machine(system);
    let path = |name: &str| folder.file(name).to_string_lossy().into_owned();
    words.extend(words_of(&["--hostname", hostname]));
    let (own, scratch) = match sight {
        Sight::Inside => ("--bind", path("tmp")),
        Sight::Beside(scratch) => ("--ro-bind-try", scratch.to_string_lossy().into_owned()),
    };
    words.extend(words_of(&["--bind", &scratch, "/tmp", "--symlink", "/tmp", "/var/tmp"]));
    words.extend(words_of(&[own, &path("work"), WORK, own, &path("home"), HOME]));
    for file in ["passwd", "group"] {
        words.extend(words_of(&["--ro-bind-try", &path(file), &format!("/etc/{file}")]));
    }
    match sight {
        Sight::Beside(_) => {
            let environment = ["--setenv", "PATH", PATH, "--setenv", "HOME", HOME];
            words.extend(words_of(&environment));
            words.extend(words_of(&["--unshare-net", "--die-with-parent"]));
        }
        Sight::Inside => {
            words.extend(words_of(&["--ro-bind-try", &path("environment"), ENVIRONMENT]));
            if walls == Walls::Strict {
                words.push("--unshare-net".to_owned());
            }
            if let Some(Secrets { dir, mount, readonly }) = secrets {
                words.extend(words_of(&[if *readonly { "--ro-bind" } else { "--bind" }, dir, mount]));
            }
        }
    }
    words.extend(words_of(&["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--"]));
    words
}

/// The accounts inside: the workspace's user, and root so that its name is known.
pub(super) fn accounts(shell: &str) -> [(&'static str, String); 2] {
    [
        ("passwd", format!("root:x:0:0:root:/:/usr/sbin/nologin\n{USER}:x:{NUMBER}:{NUMBER}::{HOME}:{shell}\n")),
        ("group", format!("root:x:0:\n{USER}:x:{NUMBER}:\n")),
    ]
}

/// The shell of the user inside.
pub(super) fn shell() -> &'static str {
    ["/bin/bash", "/usr/bin/bash"].into_iter().find(|shell| Path::new(OsStr::new(shell)).exists()).unwrap_or("/bin/sh")
}

/// What stands before a command that nothing of what the caller has open is to reach, in a session of its own.
pub(super) fn alone() -> [&'static str; 5] {
    ["setsid", "sh", "-c", ALONE, ALONE]
}

fn words_of(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_up(walls: Walls, secrets: Option<&Secrets>, sight: Sight<'_>) -> Vec<String> {
        let system = System { links: vec![("/bin", "usr/bin".to_owned())], folders: vec!["/lib"], is_root: true };
        words(&system, &Folder::new(Path::new("/state"), "agent-ws-a"), walls, "agent-ws-a", secrets, sight)
    }

    /// What can be written: the sources of binds that are not read-only.
    fn writable(words: &[String]) -> Vec<&str> {
        words.windows(2).filter(|pair| pair[0] == "--bind").map(|pair| pair[1].as_str()).collect()
    }

    #[test]
    fn only_the_workspaces_own_folders_can_be_written() {
        let folders = ["/state/agent-ws-a/tmp", "/state/agent-ws-a/work", "/state/agent-ws-a/home"];
        assert_eq!(writable(&put_up(Walls::Process, None, Sight::Inside)), folders);
        let secrets = |readonly| Secrets { dir: "/s".to_owned(), mount: "/home/agent/s".to_owned(), readonly };
        let with = put_up(Walls::Process, Some(&secrets(false)), Sight::Inside);
        assert_eq!(writable(&with).last(), Some(&"/s"));
        assert_eq!(writable(&put_up(Walls::Process, Some(&secrets(true)), Sight::Inside)), folders);
        let beside = put_up(Walls::Process, Some(&secrets(false)), Sight::Beside(Path::new("/scratch")));
        assert_eq!(writable(&beside), ["/scratch"]);
    }

    #[test]
    fn nothing_of_the_machine_that_says_who_its_people_are_or_reaches_a_daemon_is_inside() {
        for walls in [Walls::Process, Walls::Strict] {
            let words = put_up(walls, None, Sight::Inside);
            for unwanted in ["/home", "/root", "/run", "/var/run", "/etc/shadow", "/etc/gitconfig", "/etc", "/", "/sys"]
            {
                let bound = |pair: &[String]| pair[0].contains("bind") && pair[1] == unwanted;
                assert!(!words.windows(2).any(bound), "{unwanted}");
            }
            for wanted in ["--unshare-user", "--unshare-pid", "--clearenv", "--new-session"] {
                assert!(words.iter().any(|word| word == wanted), "{wanted}");
            }
        }
    }

    #[test]
    fn a_machine_that_has_no_room_just_now_is_not_one_that_forbids_walls() {
        assert!(passes("unshare: unshare failed: No space left on device"));
        for forbidden in
            ["unshare: unshare failed: Operation not permitted", "bwrap: setting up uid map: Permission denied"]
        {
            assert!(!passes(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn nothing_that_a_caller_has_open_stays_open() {
        for number in [5, 27] {
            let script = format!("exec {number}</etc; exec \"$@\"");
            let mut command = std::process::Command::new("/bin/bash");
            command.args(["-c", &script, "bash"]).args(alone()).args(["ls", &format!("/proc/self/fd/{number}/")]);
            assert!(!command.output().unwrap().status.success(), "{number}");
            let through = command.args(["--version"]).output().unwrap();
            assert!(through.status.success(), "{}", String::from_utf8_lossy(&through.stderr));
        }
    }

    #[test]
    fn strict_walls_and_a_look_have_no_network() {
        let has_none = |words: &[String]| words.iter().any(|word| word == "--unshare-net");
        assert!(!has_none(&put_up(Walls::Process, None, Sight::Inside)));
        assert!(has_none(&put_up(Walls::Strict, None, Sight::Inside)));
        assert!(has_none(&put_up(Walls::Process, None, Sight::Beside(Path::new("/x")))));
    }
}
