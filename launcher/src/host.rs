//! The only reader of process state: arguments, environment, working directory, terminals, clock, randomness.
//!
//! Everything else is given a `Host`, so that rules are tested with values.

pub mod descriptor;
pub mod own_file;
pub mod ports;
pub mod rescue_folder;
pub mod tokens;
pub mod untar;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use agent_workspace_contract::{EnvVar, ErrorCode};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::machine::Secret;

/// The process as it was started.
#[derive(Clone, Debug, Default)]
pub struct Host {
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    cwd: PathBuf,
    stdin_terminal: bool,
    stdout_terminal: bool,
    stderr_terminal: bool,
    config: OnceLock<Result<Config>>,
    passphrase: Option<Secret>,
    #[cfg(any(test, feature = "fuzzing"))]
    piped: Option<Vec<u8>>,
}

impl Host {
    /// The real process.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads process state")]
    pub fn os() -> Self {
        Self {
            args: std::env::args_os().collect(),
            env: std::env::vars_os().collect(),
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            stdin_terminal: std::io::stdin().is_terminal(),
            stdout_terminal: std::io::stdout().is_terminal(),
            stderr_terminal: std::io::stderr().is_terminal(),
            config: OnceLock::new(),
            passphrase: None,
            #[cfg(any(test, feature = "fuzzing"))]
            piped: None,
        }
    }

    /// A process that only tests know: arguments after the program's name, and an environment.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn fixed<const N: usize>(args: &[&str], env: [(&str, &str); N]) -> Self {
        Self {
            args: std::iter::once("agent-workspace").chain(args.iter().copied()).map(OsString::from).collect(),
            env: env.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            cwd: PathBuf::from("/somewhere"),
            piped: Some(Vec::new()),
            config: OnceLock::from(Ok(Config::default())),
            ..Self::default()
        }
    }

    /// The same with something on stdin.
    #[cfg(test)]
    #[must_use]
    pub fn piped(mut self, bytes: &[u8]) -> Self {
        self.piped = Some(bytes.to_owned());
        self
    }

    /// The same with a configuration.
    #[cfg(test)]
    #[must_use]
    pub fn configured(mut self, config: Result<Config>) -> Self {
        self.config = OnceLock::from(config);
        self
    }

    /// The same at a terminal.
    #[cfg(test)]
    #[must_use]
    pub fn at_a_terminal(mut self) -> Self {
        (self.stdin_terminal, self.stdout_terminal) = (true, true);
        self
    }

    /// The configuration of whoever runs this. Read when it is asked for first; nothing is set where there is no file.
    ///
    /// # Errors
    /// `config_invalid`, `invalid_environment`.
    pub fn config(&self) -> Result<&Config> {
        self.config.get_or_init(|| Config::of(self)).as_ref().map_err(Clone::clone)
    }

    /// The same with what opens encrypted SSH keys.
    #[must_use]
    pub fn with_passphrase(&self, passphrase: Secret) -> Self {
        Self { passphrase: Some(passphrase), ..self.clone() }
    }

    /// What opens encrypted SSH keys, when it was given.
    pub fn passphrase(&self) -> Option<&Secret> {
        self.passphrase.as_ref()
    }

    /// The arguments, the program's own name first.
    pub fn args(&self) -> &[OsString] {
        &self.args
    }

    /// A variable's value; empty counts as not set.
    ///
    /// # Errors
    /// `invalid_environment` when the value is not UTF-8.
    pub fn var(&self, variable: EnvVar) -> Result<Option<String>> {
        Ok(self.named(variable.name())?.filter(|value| !value.is_empty()))
    }

    /// A variable's value; empty is an error, for variables where it is surely a mistake.
    ///
    /// # Errors
    /// `invalid_environment` when the value is empty or not UTF-8.
    pub fn var_not_empty(&self, variable: EnvVar) -> Result<Option<String>> {
        let value = self.named(variable.name())?;
        if value.as_deref() == Some("") {
            let name = variable.name();
            return Err(Error::new(ErrorCode::InvalidEnvironment, format!("{name} is set but empty"))
                .hint(format!("unset {name}")));
        }
        Ok(value)
    }

    /// Any variable by name, for `--env-file` lines that take their value from the host.
    ///
    /// # Errors
    /// `invalid_environment` when the value is not UTF-8.
    pub fn named(&self, name: &str) -> Result<Option<String>> {
        match self.env.get(OsStr::new(name)) {
            None => Ok(None),
            Some(value) => value.to_str().map(|value| Some(value.to_owned())).ok_or_else(|| {
                Error::new(ErrorCode::InvalidEnvironment, format!("{name} is not valid UTF-8"))
                    .hint(format!("unset {name}"))
            }),
        }
    }

    /// The tokens of git credentials that the environment has.
    pub fn tokens(&self) -> tokens::Tokens {
        tokens::Tokens::of(&self.env)
    }

    /// Where a program is that would be run by its name.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let path = self.env.get(OsStr::new("PATH"))?;
        std::env::split_paths(path).map(|folder| folder.join(name)).find(|program| program.is_file())
    }

    /// The home folder of whoever runs this: `HOME` where it is absolute, else what the system's list of users says.
    ///
    /// # Errors
    /// `invalid_environment` when neither says.
    pub fn home(&self) -> Result<PathBuf> {
        let home = self.var(EnvVar::Home)?.filter(|home| home.starts_with('/'));
        let home = home.or_else(|| own_entry().map(|entry| entry.home));
        home.map(PathBuf::from).ok_or_else(|| {
            Error::new(ErrorCode::InvalidEnvironment, "it is not known where your home folder is").hint("set HOME")
        })
    }

    /// The folder of what the launcher keeps on this machine: `AGENT_WORKSPACE_STATE_DIR`, then below `XDG_STATE_HOME`,
    /// then below the home. It need not be there.
    ///
    /// # Errors
    /// `invalid_environment` when it is not absolute, or nothing says where it is.
    pub fn state_folder(&self) -> Result<PathBuf> {
        if let Some(named) = self.var(EnvVar::StateDir)? {
            let path = PathBuf::from(&named);
            if !path.is_absolute() {
                let name = EnvVar::StateDir.name();
                let message = format!("{name} is not an absolute path: {named:?}");
                return Err(Error::new(ErrorCode::InvalidEnvironment, message).hint(format!("unset {name}")));
            }
            return Ok(path);
        }
        // One that is not absolute is to be overlooked, says its specification.
        let base = self.var(EnvVar::XdgStateHome)?.map(PathBuf::from).filter(|path| path.is_absolute());
        let base = match base {
            Some(base) => base,
            None => self.home()?.join(".local/state"),
        };
        Ok(base.join("agent-workspace"))
    }

    /// The name of whoever runs this; empty where the system has none for them.
    pub fn user_name(&self) -> String {
        own_entry().map(|entry| entry.name).unwrap_or_default()
    }

    /// The working directory.
    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// Whether a person can type and read here: stdin and stdout are terminals.
    pub fn interactive(&self) -> bool {
        self.stdin_terminal && self.stdout_terminal
    }

    /// Whether stdin is a terminal.
    pub fn stdin_terminal(&self) -> bool {
        self.stdin_terminal
    }

    /// What there is on stdin to its end, but no more than so many bytes.
    ///
    /// # Errors
    /// What the system says of reading it.
    pub fn stdin(&self, limit: usize) -> std::io::Result<Vec<u8>> {
        #[cfg(any(test, feature = "fuzzing"))]
        if let Some(piped) = &self.piped {
            return Ok(piped.iter().copied().take(limit).collect());
        }
        let mut bytes = Vec::new();
        std::io::stdin().lock().take(limit as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether stdout is a terminal.
    pub fn stdout_terminal(&self) -> bool {
        self.stdout_terminal
    }

    /// Width of the terminal that stdout is, if it is one.
    pub fn columns(&self) -> Option<u16> {
        let size = self.stdout_terminal.then(|| rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok());
        size.flatten().map(|size| size.ws_col)
    }

    /// Whether stderr is a terminal.
    pub fn stderr_terminal(&self) -> bool {
        self.stderr_terminal
    }
}

/// Signals that are ignored, a bit each, the lowest for signal 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct IgnoredSignals(u64);

impl IgnoredSignals {
    /// The kernel's word on it; none where it does not say. To be asked before anybody listens for signals.
    pub fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        Self(mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0))
    }

    /// Whether a signal, by its number, is one of them.
    pub fn has(self, number: i32) -> bool {
        (1..=64).contains(&number) && self.0 >> (number - 1) & 1 == 1
    }
}

/// A line of the system's list of users.
struct Entry {
    name: String,
    home: String,
}

/// The one of whoever runs this.
fn own_entry() -> Option<Entry> {
    let own = rustix::process::getuid().as_raw().to_string();
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut entries = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let entry = entries.find(|entry| entry.len() > 5 && entry[2] == own)?;
    Some(Entry { name: entry[0].to_owned(), home: entry[5].to_owned() })
}

/// Whether a file of ours is not for us alone. One that is somebody else's is as safe as they keep it.
pub fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::getuid().as_raw();
    std::fs::metadata(path).is_ok_and(|file| file.uid() == own && file.mode() & 0o077 != 0)
}

/// Adds a line to a file that only its owner may write, making it and its folder when they are not there.
///
/// # Errors
/// The system's own.
pub fn append_line(path: &Path, line: &str) -> std::io::Result<()> {
    use std::io::{Read, Seek, Write};
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = std::fs::OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    // Others add lines at the same time.
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
    let mut last = [b'\n'];
    if file.seek(std::io::SeekFrom::End(0))? > 0 {
        file.seek(std::io::SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let before = if last == *b"\n" { "" } else { "\n" };
    file.write_all(format!("{before}{line}\n").as_bytes())
}

/// Bytes that are free for ordinary programs where a path is; `None` when it is not on this machine.
pub fn free_space(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// The time now.
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Sixteen hex digits that no other call will get, for marking what this call makes.
///
/// # Errors
/// `internal` when the system gives no randomness.
pub fn fresh_id() -> Result<String> {
    let mut bytes = [0_u8; 8];
    fill_random(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Bytes that nobody can guess.
///
/// # Errors
/// `internal` when the system gives no randomness.
pub fn fill_random(bytes: &mut [u8]) -> Result<()> {
    use std::io::Read;
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(bytes))
        .map_err(|error| Error::new(ErrorCode::Internal, "the system gives no random numbers").cause(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_where_the_variable_says_then_xdg_then_the_home_and_never_where_we_happen_to_be() {
        let at = |env: [(&str, &str); 3]| Host::fixed(&[], env).state_folder();
        let (state, xdg, home) = ("AGENT_WORKSPACE_STATE_DIR", "XDG_STATE_HOME", "HOME");
        assert_eq!(at([(state, "/s"), (xdg, "/x"), (home, "/h")]).unwrap(), Path::new("/s"));
        assert_eq!(at([(state, ""), (xdg, "/x"), (home, "/h")]).unwrap(), Path::new("/x/agent-workspace"));
        for relative in ["", "x"] {
            let found = at([(state, ""), (xdg, relative), (home, "/h")]).unwrap();
            assert_eq!(found, Path::new("/h/.local/state/agent-workspace"));
        }
        let refused = at([(state, "s"), (xdg, "/x"), (home, "/h")]).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidEnvironment);
        assert!(at([(state, ""), (xdg, ""), (home, "h")]).is_ok_and(|path| path.is_absolute()));
    }
}
