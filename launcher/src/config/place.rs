//! Where the configuration is, and what is there.

use std::io::{ErrorKind, IsTerminal, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use agent_workspace_contract::{EnvVar, ErrorCode};

use crate::error::{Error, Result};
use crate::host::Host;

/// Bytes. A page of settings is well below it, and a disk that was named by mistake above.
const LARGEST: u64 = 1 << 20;

/// Our file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it is, or would be.
    pub path: PathBuf,
    /// Whether a variable names it.
    pub named: bool,
}

/// Our file: `AGENT_WORKSPACE_CONFIG`, then below `XDG_CONFIG_HOME`, then below the home. It need not be there.
///
/// # Errors
/// `invalid_environment` when it is not absolute, or nothing says where it is.
pub fn ours(host: &Host) -> Result<Place> {
    if let Some(named) = host.var(EnvVar::Config)? {
        let path = PathBuf::from(&named);
        if !path.is_absolute() {
            let name = EnvVar::Config.name();
            let message = format!("{name} is not an absolute path: {named:?}");
            return Err(Error::new(ErrorCode::InvalidEnvironment, message).hint(format!("unset {name}")));
        }
        return Ok(Place { path, named: true });
    }
    // One that is not absolute is to be overlooked, says its specification.
    let base = host.var(EnvVar::XdgConfigHome)?.map(PathBuf::from).filter(|path| path.is_absolute());
    let base = match base {
        Some(base) => base,
        None => host.home()?.join(".config"),
    };
    Ok(Place { path: base.join("agent-workspace/config.toml"), named: false })
}

/// That of the older system; `None` where no home is known.
pub(super) fn agentworks(host: &Host) -> Option<PathBuf> {
    Some(host.home().ok()?.join(".config/agentworks/config.toml"))
}

/// What is in a file; `None` when there is none.
///
/// # Errors
/// `config_invalid` when it cannot be read, or is no text.
pub(super) fn text(path: &Path) -> Result<Option<String>> {
    let unreadable = |why: String| {
        Error::new(ErrorCode::ConfigInvalid, format!("the configuration in {} cannot be read", path.display()))
            .cause(why)
            .detail("path", path.to_string_lossy())
            .hint(format!("look at it: ls -l '{}'", path.display().to_string().replace('\'', r"'\''")))
    };
    // A pipe that nobody writes to would be waited for without end, and so would a keyboard.
    let waits = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = match std::fs::OpenOptions::new().read(true).custom_flags(waits).open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let kind = file.metadata().map_err(|error| unreadable(error.to_string()))?.file_type();
    if kind.is_fifo() || file.is_terminal() {
        return Err(unreadable("it is no file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(unreadable("it is larger than 1 MiB".to_owned()));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(unreadable("it is not UTF-8".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path<const N: usize>(env: [(&str, &str); N]) -> String {
        ours(&Host::fixed(&[], env)).unwrap().path.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_variable_comes_first_and_then_the_folder_of_configurations() {
        let home = ("HOME", "/home/me");
        assert_eq!(path([home]), "/home/me/.config/agent-workspace/config.toml");
        assert_eq!(path([home, ("XDG_CONFIG_HOME", "/x")]), "/x/agent-workspace/config.toml");
        assert_eq!(path([home, ("XDG_CONFIG_HOME", "x")]), "/home/me/.config/agent-workspace/config.toml");
        assert_eq!(path([home, ("XDG_CONFIG_HOME", "/x"), ("AGENT_WORKSPACE_CONFIG", "/a/b")]), "/a/b");
        let relative = Host::fixed(&[], [home, ("AGENT_WORKSPACE_CONFIG", "b.toml")]);
        assert_eq!(ours(&relative).unwrap_err().code(), ErrorCode::InvalidEnvironment);
    }

    #[test]
    fn what_is_not_there_is_nothing_and_what_is_no_text_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(text(&folder.path().join("none")).unwrap(), None);
        let file = folder.path().join("file");
        std::fs::write(&file, "a").unwrap();
        assert_eq!(text(&file.join("below")).unwrap(), None);
        for bytes in [&b"\xff"[..], &vec![b'#'; (1 << 20) + 1]] {
            std::fs::write(&file, bytes).unwrap();
            assert_eq!(text(&file).unwrap_err().code(), ErrorCode::ConfigInvalid);
        }
        assert_eq!(text(folder.path()).unwrap_err().code(), ErrorCode::ConfigInvalid, "a folder");
        assert_eq!(text(Path::new("/dev/null")).unwrap().as_deref(), Some(""));
    }

    #[test]
    fn a_pipe_that_nobody_writes_to_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
        assert_eq!(text(&pipe).unwrap_err().code(), ErrorCode::ConfigInvalid);
    }
}
