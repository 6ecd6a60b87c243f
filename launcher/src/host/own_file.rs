//! Files of ours in folders of the user's: replaced whole, and never one that somebody else has put there.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::FlockOperation;

/// What is where a file of ours would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum There {
    /// Nothing.
    Nothing,
    /// A file, and what is in it.
    File(Vec<u8>),
    /// A link, a folder, or a file of somebody else.
    Other,
}

/// Looks at what is there, and follows no link in its place.
///
/// # Errors
/// The system's own.
pub fn look(path: &Path) -> Result<There> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(There::Nothing);
        }
        Err(error) => return Err(error),
    };
    if !found.is_file() || found.uid() != rustix::process::geteuid().as_raw() {
        return Ok(There::Other);
    }
    std::fs::read(path).map(There::File)
}

/// Makes a folder for its owner alone, unless it is there. One that somebody else may write is refused.
///
/// # Errors
/// The system's own.
pub fn make_folder(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let found = std::fs::metadata(path)?;
    let theirs = found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o022 != 0;
    match found.is_dir() {
        true if theirs => Err(Error::new(ErrorKind::PermissionDenied, "others may write in this folder")),
        true => Ok(()),
        false => Err(Error::from(ErrorKind::NotADirectory)),
    }
}

/// Waits until nobody else changes files of ours in a folder; until the lock is dropped, nobody does.
///
/// # Errors
/// The system's own.
pub fn lock(folder: &Path) -> Result<File> {
    let folder = File::open(folder)?;
    rustix::fs::flock(&folder, FlockOperation::LockExclusive)?;
    Ok(folder)
}

/// Puts a file in the place of what is there, whole or not at all.
///
/// # Errors
/// The system's own; then what was there is as it was.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    let id = super::fresh_id().map_err(Error::other)?;
    let new = folder.join(format!(".agent-workspace-{id}"));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// Writes a file of ours where nothing is, or what we have written before. Returns whether it is there then: what somebody
/// has changed or put there stays.
///
/// # Errors
/// The system's own.
pub fn put(path: &Path, bytes: &[u8], before: Option<&[u8]>) -> Result<bool> {
    match look(path)? {
        There::File(there) if there == bytes => Ok(true),
        There::File(there) if before != Some(&there) => Ok(false),
        There::Other => Ok(false),
        There::Nothing | There::File(_) => replace(path, bytes, 0o600).map(|()| true),
    }
}

/// Removes a file that is still as we have written it. Returns whether it was.
///
/// # Errors
/// The system's own.
pub fn take(path: &Path, bytes: &[u8]) -> Result<bool> {
    match look(path)? {
        There::File(there) if there == bytes => std::fs::remove_file(path).map(|()| true),
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_has_changed_is_neither_overwritten_nor_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ours");
        assert!(put(&path, b"one", None).unwrap());
        assert!(put(&path, b"one", None).unwrap());
        assert!(!put(&path, b"two", None).unwrap());
        assert!(put(&path, b"two", Some(b"one")).unwrap());
        assert!(!take(&path, b"one").unwrap());
        std::fs::write(&path, "mine").unwrap();
        assert!(!put(&path, b"three", Some(b"two")).unwrap() && !take(&path, b"two").unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        assert!(take(&path, b"mine").unwrap() && !take(&path, b"mine").unwrap());
        std::os::unix::fs::symlink("/nowhere", &path).unwrap();
        assert!(!put(&path, b"x", None).unwrap() && !take(&path, b"x").unwrap());
    }

    #[test]
    fn a_file_is_replaced_whole_and_a_link_in_its_place_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
        assert_eq!(look(&path).unwrap(), There::Nothing);
        replace(&path, b"one", 0o600).unwrap();
        assert_eq!(look(&path).unwrap(), There::File(b"one".to_vec()));
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        std::fs::write(&theirs, "theirs").unwrap();
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&theirs, &path).unwrap();
        assert_eq!(look(&path).unwrap(), There::Other);
        replace(&path, b"two", 0o644).unwrap();
        assert_eq!(std::fs::read(&theirs).unwrap(), b"theirs");
        assert_eq!(look(&path).unwrap(), There::File(b"two".to_vec()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_cannot_be_written_leaves_what_was_there_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folder");
        std::fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"x", 0o600).is_err());
        assert!(replace(&path.join("no/x"), b"x", 0o600).is_err());
        assert_eq!(look(&path).unwrap(), There::Other);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_others_may_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let ours = folder.path().join("a/b");
        make_folder(&ours).unwrap();
        assert_eq!(std::fs::metadata(&ours).unwrap().mode() & 0o777, 0o700);
        std::fs::set_permissions(&ours, Permissions::from_mode(0o777)).unwrap();
        assert!(make_folder(&ours).is_err());
        std::fs::write(folder.path().join("file"), "x").unwrap();
        assert!(make_folder(&folder.path().join("file")).is_err());
    }
}
