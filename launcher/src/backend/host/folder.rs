//! The folder of one workspace: `work`, `home` and `tmp` are the workspace's, everything beside them is ours.
//!
//! Whoever changes what is ours holds the folder's lock. Records are replaced whole, so that who only reads needs none.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agent_workspace_contract::ErrorCode;
use rustix::fs::FlockOperation;

use super::record::{FORM, Record};
use crate::error::{Error, Result, disk_full, is_disk_full};
use crate::host;

/// What begins like this is half removed.
pub(super) const TRASH: &str = ".trash-";
/// What begins like this only looked into a workspace.
pub(super) const VIEW: &str = ".view-";
/// Bytes of a path that leave room for the longest name, before the kernel takes it for too long.
const FARTHEST: usize = 3000;
/// How long another command may hold the lock: as long as it may take to start or stop one.
const BUSY: Duration = Duration::from_secs(60);

/// The folder of a workspace, there or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder {
    root: PathBuf,
    name: String,
}

/// The right to change a folder, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Folder {
    pub(super) fn new(root: &Path, name: &str) -> Self {
        Self { root: root.to_owned(), name: name.to_owned() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn path(&self) -> PathBuf {
        self.root.join(&self.name)
    }

    /// A file or folder in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// What is written down of it; `None` when it is not there, or nothing was written down yet.
    ///
    /// # Errors
    /// `unsupported` for what a newer launcher has written, `internal` for what cannot be read.
    pub(super) fn read(&self) -> Result<Option<Record>> {
        let text = match std::fs::read_to_string(self.file("record.json")) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(error) => return Err(self.failed("read what is written down of", &error)),
        };
        // Its form first: the rest may have another in a newer one.
        let form = serde_json::from_str::<serde_json::Value>(&text)
            .ok()
            .and_then(|record| record.get("form").and_then(serde_json::Value::as_u64));
        if form.is_some_and(|form| form > u64::from(FORM)) {
            return Err(Error::new(
                ErrorCode::Unsupported,
                format!("workspace {} was made by a newer launcher", self.name),
            )
            .detail("workspace", self.name.clone())
            .hint("use that launcher for it; see: agent-workspace --version"));
        }
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Error::new(ErrorCode::Internal, format!("what is written down of workspace {} cannot be read", self.name))
                .cause(error.to_string())
                .detail("workspace", self.name.clone())
                .hint(format!("its files are in {}", self.path().display()))
        })
    }

    /// Writes it down, so that a reader sees either this or what was there before. For who holds the lock.
    pub(super) fn write(&self, record: &Record) -> Result<()> {
        let text = serde_json::to_string_pretty(record)
            .map_err(|error| Error::new(ErrorCode::Internal, "a record cannot be written").cause(error.to_string()))?;
        self.put("record.json", &text)
    }

    /// Replaces one of our files whole.
    pub(super) fn put(&self, name: &str, text: &str) -> Result<()> {
        let new = self.file(&format!("{name}.new"));
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&new, self.file(name))
        };
        write().map_err(|error| self.failed("write down", &error))
    }

    /// Makes the folder of all and this one, unless they are there.
    fn make(&self) -> Result<()> {
        let make = || -> std::io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.root)?;
            private(&self.path())?;
            // A file of this name, or a link, is not ours to do anything with.
            match std::fs::symlink_metadata(self.path()) {
                Ok(about) if !about.is_dir() => Err(ErrorKind::AlreadyExists.into()),
                _ => Ok(()),
            }
        };
        make().map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::NotADirectory
            | ErrorKind::AlreadyExists => {
                let root = self.root.display();
                Error::new(ErrorCode::InvalidEnvironment, format!("workspaces cannot be made in {root}"))
                    .cause(error.to_string())
                    .hint("name another folder: export AGENT_WORKSPACE_STATE_DIR=/a/folder/of/yours")
            }
            _ => self.failed("make the folder of", &error),
        })
    }

    /// Makes the folders that are the workspace's own.
    pub(super) fn furnish(&self) -> Result<()> {
        ["work", "home", "tmp"]
            .iter()
            .try_for_each(|name| private(&self.file(name)))
            .map_err(|error| self.failed("make the folders of", &error))
    }

    /// Takes the lock, waiting for who has it; `None` when the folder is not there.
    ///
    /// # Errors
    /// `wrong_state` when it is busy for too long.
    pub(super) async fn lock(&self) -> Result<Option<Lock>> {
        let since = Instant::now();
        loop {
            match self.try_lock()? {
                Tried::Got(lock) => return Ok(Some(lock)),
                Tried::Absent => return Ok(None),
                Tried::Busy if since.elapsed() > BUSY => {
                    return Err(Error::new(
                        ErrorCode::WrongState,
                        format!("another command is at work on workspace {}", self.name),
                    )
                    .detail("workspace", self.name.clone())
                    .hint("try again in a moment"));
                }
                Tried::Busy => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// The same, making the folder when it is not there.
    pub(super) async fn lock_new(&self) -> Result<Lock> {
        loop {
            self.make()?;
            // It may be removed between the two.
            if let Some(lock) = self.lock().await? {
                return Ok(lock);
            }
        }
    }

    /// Takes the lock if nobody has it.
    pub(super) fn try_lock(&self) -> Result<Tried> {
        let path = self.file("lock");
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Tried::Absent);
            }
            Err(error) => return Err(self.failed("lock", &error)),
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(Tried::Busy),
            Err(error) => return Err(self.failed("lock", &error.into())),
        }
        // What was locked may have been taken away meanwhile, and another be in its place.
        let same = match (file.metadata(), std::fs::metadata(&path)) {
            (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
            _ => false,
        };
        if same { Ok(Tried::Got(Lock { _file: file })) } else { Ok(Tried::Busy) }
    }

    /// Takes it out of everybody's sight at once. Returns where it is now, to be deleted.
    pub(super) fn to_trash(&self) -> Result<PathBuf> {
        let trash = self.root.join(format!("{TRASH}{}-{}", self.name, host::fresh_id()?));
        std::fs::rename(self.path(), &trash).map_err(|error| self.failed("remove", &error))?;
        Ok(trash)
    }

    /// An error of this machine's disk about it.
    pub(super) fn failed(&self, doing: &str, error: &std::io::Error) -> Error {
        let doing = format!("{doing} workspace {}", self.name);
        if is_disk_full(&error.to_string()) {
            let folder = word(&self.root);
            return disk_full(&doing, &error.to_string()).hint(format!("see what takes the space: du -sh {folder}"));
        }
        Error::new(ErrorCode::Internal, format!("could not {doing}"))
            .cause(error.to_string())
            .detail("workspace", self.name.clone())
            .hint(format!("look at it: ls -la {}", word(&self.path())))
    }
}

/// A path as one word for a shell, for hints.
pub(super) fn word(path: &Path) -> String {
    let path = path.to_string_lossy();
    if path.chars().all(|char| char.is_ascii_alphanumeric() || "/._-+,:@".contains(char)) {
        return path.into_owned();
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// What came of trying to lock.
#[derive(Debug)]
pub(super) enum Tried {
    /// The lock.
    Got(Lock),
    /// Somebody else has it.
    Busy,
    /// There is no such folder.
    Absent,
}

/// Makes a folder that nobody else may look into, unless it is there.
fn private(path: &Path) -> std::io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Deletes a folder and everything in it, also what its owner has made unwritable, and follows no link out of it.
pub(super) async fn delete(path: PathBuf) -> std::io::Result<()> {
    let delete = move || match delete_all(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        deleted => deleted,
    };
    tokio::task::spawn_blocking(delete).await.map_err(std::io::Error::other)?
}

/// The same, at once. Folders in folders without end must not end this program, so that nothing here calls itself or
/// keeps a folder open.
fn delete_all(top: &Path) -> std::io::Result<()> {
    if !std::fs::symlink_metadata(top)?.is_dir() {
        return std::fs::remove_file(top);
    }
    let mut brought_up = 0_u64;
    let mut left = vec![top.to_owned()];
    while let Some(folder) = left.last().cloned() {
        // What that cannot be done to shows when it is emptied.
        let _ = std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700));
        let below = empty_but_for_folders(&folder)?;
        if below.is_empty() {
            std::fs::remove_dir(&folder)?;
            left.pop();
        }
        for child in below {
            if child.as_os_str().len() < FARTHEST {
                left.push(child);
                continue;
            }
            let near = top.join(format!("brought-up-{brought_up}"));
            brought_up += 1;
            let _ = std::fs::set_permissions(&child, std::fs::Permissions::from_mode(0o700));
            std::fs::rename(&child, &near)?;
            left.push(near);
        }
    }
    Ok(())
}

/// Removes everything in a folder but the folders, which are returned.
fn empty_but_for_folders(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // The entry's own kind: a link is none.
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(folders)
}

/// Bytes that everything in a folder takes on its disk, as far down as names reach.
pub(super) fn bytes_in(folder: &Path) -> u64 {
    let mut bytes = 0_u64;
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(about) = entry.metadata() else { continue };
            bytes = bytes.saturating_add(about.blocks().saturating_mul(512));
            if about.is_dir() {
                left.push(entry.path());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::RecordedSpec;
    use crate::backend::host::record::{State, Walls};

    fn record(create_id: &str) -> Record {
        Record {
            form: FORM,
            create_id: create_id.to_owned(),
            created_at: "2026-01-02T03:04:05Z".to_owned(),
            state: State::Ready,
            walls: Walls::Process,
            repo: None,
            spec: RecordedSpec::default(),
            found: false,
        }
    }

    #[tokio::test]
    async fn what_is_written_down_is_read_back_and_private_and_one_at_a_time_changes_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(&root.path().join("deep/er"), "agent-ws-a");
        assert!(folder.lock().await.unwrap().is_none() && folder.read().unwrap().is_none());
        let lock = folder.lock_new().await.unwrap();
        folder.write(&record("1")).unwrap();
        assert_eq!(folder.read().unwrap(), Some(record("1")));
        for (path, mode) in [(folder.path(), 0o700), (folder.file("record.json"), 0o600)] {
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }
        assert!(matches!(folder.try_lock().unwrap(), Tried::Busy));
        let trash = folder.to_trash().unwrap();
        // Another of the same name is another.
        let again = folder.lock_new().await.unwrap();
        drop(lock);
        assert!(matches!(folder.try_lock().unwrap(), Tried::Busy));
        drop(again);
        assert!(matches!(folder.try_lock().unwrap(), Tried::Got(_)));
        delete(trash.clone()).await.unwrap();
        assert!(!trash.exists());
    }

    #[test]
    fn a_path_in_a_hint_is_one_word() {
        assert_eq!(word(Path::new("/a/b-1.c")), "/a/b-1.c");
        assert_eq!(word(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }

    #[tokio::test]
    async fn what_is_no_folder_is_refused_and_left_alone() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), "x").unwrap();
        std::os::unix::fs::symlink("/nowhere", root.path().join("link")).unwrap();
        for name in ["file", "link"] {
            let refused = Folder::new(root.path(), name).lock_new().await.unwrap_err();
            assert_eq!(refused.code(), ErrorCode::InvalidEnvironment, "{name}");
            assert!(std::fs::symlink_metadata(root.path().join(name)).is_ok());
        }
    }

    #[tokio::test]
    async fn folders_in_folders_go_however_deep_they_are() {
        let root = tempfile::tempdir().unwrap();
        let top = root.path().join("top");
        std::fs::create_dir(&top).unwrap();
        // Each goes into the next, as no path reaches the innermost at last.
        for _ in 0..5000 {
            std::fs::create_dir(top.join("next")).unwrap();
            if top.join("d").exists() {
                std::fs::rename(top.join("d"), top.join("next/d")).unwrap();
            }
            std::fs::rename(top.join("next"), top.join("d")).unwrap();
        }
        assert!(bytes_in(&top) > 0);
        delete(top.clone()).await.unwrap();
        assert!(!top.exists());
    }

    #[test]
    fn a_record_of_a_newer_form_or_of_none_is_not_taken_for_ours() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path(), "agent-ws-a");
        std::fs::create_dir(folder.path()).unwrap();
        for (text, code) in [
            ("{\"form\": 2, \"all\": \"else\"}", ErrorCode::Unsupported),
            ("{", ErrorCode::Internal),
            ("{\"form\": 1}", ErrorCode::Internal),
        ] {
            std::fs::write(folder.file("record.json"), text).unwrap();
            assert_eq!(folder.read().unwrap_err().code(), code, "{text}");
        }
    }

    #[tokio::test]
    async fn everything_in_a_folder_goes_and_nothing_a_link_leads_to() {
        let root = tempfile::tempdir().unwrap();
        let (outside, inside) = (root.path().join("outside"), root.path().join("inside"));
        for folder in [&outside, &inside, &inside.join("a"), &inside.join("a/b")] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(outside.join("file"), "x").unwrap();
        std::fs::write(inside.join("a/b/file"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("a/link")).unwrap();
        assert!(bytes_in(&inside) > 0);
        for folder in [inside.join("a/b"), inside.join("a")] {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o500)).unwrap();
        }
        delete(inside.clone()).await.unwrap();
        assert!(!inside.exists() && outside.join("file").exists());
        delete(inside).await.unwrap();
    }
}
