//! Which folders of the host may be mounted into containers: never one that gives the engine away, and only where the
//! engine sees it.

use std::path::{Path, PathBuf};

use agent_workspace_contract::ErrorCode;

use super::endpoint::{Address, Endpoint};
use crate::backend::Spec;
use crate::error::{Error, Result};

/// Checks a folder, without asking the engine. `sockets` are where other engines of this host may listen.
///
/// # Errors
/// `unsupported` when the engine sees other files than ours, `invalid_secrets` when an engine's socket is in the folder.
pub(super) fn check(folder: &Path, endpoint: &Endpoint, sockets: &[PathBuf]) -> Result<()> {
    if endpoint.address.is_elsewhere() {
        return Err(Error::new(
            ErrorCode::Unsupported,
            format!("the engine at {} is not on this machine and cannot see {}", endpoint.address, folder.display()),
        )
        .detail("dir", folder.display().to_string())
        .hint("run the launcher on the machine of the engine, or leave --secrets-dir out"));
    }
    let own = match &endpoint.address {
        Address::Unix(socket) => Some(socket),
        _ => None,
    };
    let inside = |socket: &&PathBuf| {
        let real = std::fs::canonicalize(socket);
        socket.starts_with(folder) || real.is_ok_and(|real| real.starts_with(folder))
    };
    match own.into_iter().chain(sockets).find(inside) {
        None => Ok(()),
        Some(socket) => Err(Error::new(
            ErrorCode::InvalidSecrets,
            format!("{} holds an engine's socket, {}", folder.display(), socket.display()),
        )
        .detail("dir", folder.display().to_string())
        .hint("who has the socket rules the machine; give a folder that holds secrets alone")),
    }
}

/// The engine does not see a folder that is there: it has other files than ours.
pub(super) fn unseen(spec: &Spec, cause: &str) -> Error {
    let dir = spec.secrets.as_ref().map(|secrets| secrets.dir.clone()).unwrap_or_default();
    Error::new(ErrorCode::InvalidSecrets, format!("the engine does not see the folder {dir}"))
        .cause(cause)
        .detail("dir", dir)
        .hint("the engine has other files than the launcher; give a folder that is on the engine's machine")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::docker::endpoint;
    use crate::host::Host;

    fn checked(engine: &str, folder: &Path) -> Result<()> {
        let host = Host::fixed(&[], [("DOCKER_HOST", engine)]);
        check(folder, &endpoint::find(&host).unwrap(), &endpoint::sockets(&host).unwrap())
    }

    #[test]
    fn only_an_engine_of_this_machine_sees_our_folders() {
        for engine in ["ssh://me@far", "ssh://localhost", "tcp://10.0.0.1", "https://engine.test"] {
            assert_eq!(checked(engine, Path::new("/s")).unwrap_err().code(), ErrorCode::Unsupported, "{engine}");
        }
        for engine in ["unix:///run/x.sock", "tcp://127.0.0.1:2375", "tcp://localhost:2375", "tcp://[::1]:2375"] {
            assert!(checked(engine, Path::new("/s")).is_ok(), "{engine}");
        }
    }

    #[test]
    fn a_folder_that_holds_an_engines_socket_is_never_shared() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let socket = real.join("engine.sock");
        std::fs::write(&socket, "").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&socket, &link).unwrap();
        for engine in [&socket, &link] {
            let refused = checked(&format!("unix://{}", engine.display()), &real).unwrap_err();
            assert_eq!(refused.code(), ErrorCode::InvalidSecrets, "{refused}");
        }
        // Other engines of this machine count as well.
        for known in ["/var/run", "/run", "/run/podman"] {
            let refused = checked("tcp://127.0.0.1:2375", Path::new(known)).unwrap_err();
            assert_eq!(refused.code(), ErrorCode::InvalidSecrets, "{known}");
        }
    }
}
