//! Who is at work on a VM: a lock on a file, which the system lets go of whatever ends its holder.

use std::fs::File;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use agent_workspace_contract::ErrorCode;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::unusable;
use crate::error::{Error, Result};

/// A claim to one VM. Ends when it is dropped.
pub struct Claim {
    file: File,
    path: PathBuf,
}

impl Claim {
    pub(super) fn lay(folder: &Path, vm: &str) -> Result<Self> {
        Self::lay_at(path(folder, vm), || busy(vm))
    }

    /// The same to a workspace.
    pub(super) fn lay_to_workspace(folder: &Path, workspace: &str) -> Result<Self> {
        Self::lay_at(workspace_path(folder, workspace), || workspace_busy(workspace))
    }

    fn lay_at(path: PathBuf, busy: impl Fn() -> Error) -> Result<Self> {
        loop {
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let file = options.open(&path).map_err(|error| unusable(&path, &error))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => match flock(&file, FlockOperation::NonBlockingLockShared) {
                    // Only somebody who looks, and is done in a moment.
                    Ok(()) => {
                        std::thread::yield_now();
                        continue;
                    }
                    Err(_) => return Err(busy()),
                },
                Err(error) => return Err(unusable(&path, &error.into())),
            }
            // Whoever held it before may have removed the file while we waited for its name.
            let same = match (file.metadata(), std::fs::metadata(&path)) {
                (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
                _ => false,
            };
            if same {
                return Ok(Self { file, path });
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // While it is still locked, so that nobody else's is removed. What stays locks nothing.
        let _ = std::fs::remove_file(&self.path);
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// Whether somebody holds a claim.
pub(super) fn is_laid(folder: &Path, vm: &str) -> bool {
    is_locked(&path(folder, vm))
}

/// Whether somebody holds a claim to a workspace.
pub(super) fn is_laid_to_workspace(folder: &Path, workspace: &str) -> bool {
    is_locked(&workspace_path(folder, workspace))
}

fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    flock(&file, FlockOperation::NonBlockingLockShared).is_err()
}

fn workspace_path(folder: &Path, workspace: &str) -> PathBuf {
    folder.join(format!("workspace-{workspace}.lock"))
}

fn workspace_busy(workspace: &str) -> Error {
    Error::new(ErrorCode::WrongState, format!("another command is at work on workspace {workspace}"))
        .detail("workspace", workspace)
        .hint("wait for it; see: agent-workspace ls")
}

fn path(folder: &Path, vm: &str) -> PathBuf {
    folder.join(format!("vm-{vm}.lock"))
}

fn busy(vm: &str) -> Error {
    Error::new(ErrorCode::VmBusy, format!("another command is at work on VM {vm}"))
        .detail("vm", vm)
        .hint(format!("wait for it; see: agent-workspace vm describe {vm}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_excludes_others_until_it_ends_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let claim = Claim::lay(folder.path(), "a").unwrap();
        assert!(is_laid(folder.path(), "a") && !is_laid(folder.path(), "b"));
        assert_eq!(Claim::lay(folder.path(), "a").err().unwrap().code(), ErrorCode::VmBusy);
        drop(claim);
        assert!(!is_laid(folder.path(), "a"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        drop(Claim::lay(folder.path(), "a").unwrap());
    }

    #[test]
    fn who_only_looks_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let looking = File::create(path(folder.path(), "a")).unwrap();
        flock(&looking, FlockOperation::NonBlockingLockShared).unwrap();
        let done = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            drop(looking);
        });
        drop(Claim::lay(folder.path(), "a").unwrap());
        done.join().unwrap();
    }
}
