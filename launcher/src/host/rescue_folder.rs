//! The folder on this host that work is brought out into. What comes is not trusted: only files that were announced are
//! written, of the size announced, in a new folder that nobody else can enter, and never through a link. What was written
//! is read back from the disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use agent_workspace_contract::{ErrorCode, RescuedItem};
use rustix::fs::{Access, Mode, OFlags};
use sha2::{Digest, Sha256};

use super::untar::{Piece, Untar};
use crate::error::{Error, Result};

const README: &str = "README.txt";

/// The folder that was asked for: it is there and can be written.
#[derive(Clone, Debug)]
pub struct RescueParent {
    path: PathBuf,
    made: bool,
}

/// A new folder in it.
#[derive(Debug)]
pub struct RescueFolder {
    path: PathBuf,
    folder: OwnedFd,
}

/// A file that is being written.
struct Open {
    name: String,
    file: File,
}

impl RescueParent {
    /// Makes sure of a folder, making the last part of its path when that alone is missing.
    ///
    /// # Errors
    /// `rescue_failed` when it is no folder that can be written.
    pub fn open(path: &Path) -> Result<Self> {
        let unusable = |cause: &str, hint: String| {
            Error::new(ErrorCode::RescueFailed, format!("nothing can be rescued into {}", path.display()))
                .cause(cause.to_owned())
                .hint(hint)
        };
        let make_it = || format!("make it: mkdir -p {}", path.display());
        let another = || "name a folder of yours: --rescue DIR".to_owned();
        let made = match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) => true,
            Err(rustix::io::Errno::EXIST) => false,
            Err(rustix::io::Errno::NOENT) => {
                return Err(unusable("the folder that it would be in is not there", make_it()));
            }
            // What is there may be on a disk that nothing can be made on; the next question tells.
            Err(_) if path.is_dir() => false,
            Err(error) => return Err(unusable(&std::io::Error::from(error).to_string(), another())),
        };
        if !path.is_dir() {
            return Err(unusable("it is not a folder", another()));
        }
        let parent = Self { path: path.to_owned(), made };
        if let Err(error) = rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK) {
            parent.leave();
            return Err(unusable(&std::io::Error::from(error).to_string(), another()));
        }
        Ok(parent)
    }

    /// Leaves it as it was found.
    pub fn leave(&self) {
        if self.made {
            // It stays when something is in it.
            let _ = rustix::fs::rmdir(&self.path);
        }
    }

    /// Makes a new folder in it, for its maker alone. One that is there is somebody's, and the next name is taken.
    ///
    /// # Errors
    /// `rescue_failed` when it cannot be made.
    pub fn make(&self, name: &str) -> Result<RescueFolder> {
        let mut path = self.path.join(name);
        let mut made = rustix::fs::mkdir(&path, Mode::RWXU);
        for number in 2..100 {
            if made != Err(rustix::io::Errno::EXIST) {
                break;
            }
            path = self.path.join(format!("{name}-{number}"));
            made = rustix::fs::mkdir(&path, Mode::RWXU);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match made.and_then(|()| rustix::fs::open(&path, flags, Mode::empty())) {
            Ok(folder) => Ok(RescueFolder { path, folder }),
            Err(error) => Err(failed(&path, &error.into())),
        }
    }
}

impl RescueFolder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fails when there is less room than this many bytes need.
    ///
    /// # Errors
    /// `rescue_failed`.
    pub fn has_room(&self, bytes: u64) -> Result<()> {
        let Ok(disk) = rustix::fs::fstatvfs(&self.folder) else { return Ok(()) };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free > bytes {
            return Ok(());
        }
        let cause = format!("it takes {bytes} bytes and {free} are free");
        Err(Error::new(ErrorCode::RescueFailed, format!("there is not enough room in {}", self.path.display()))
            .cause(cause)
            .hint("name a folder on another disk: --rescue DIR"))
    }

    /// Writes files as they come.
    pub fn receiver<'a>(&'a self, root: &'a str, items: &'a [RescuedItem]) -> Receiver<'a> {
        let missing = items.iter().map(|item| (item.file.as_str(), item.bytes)).collect();
        Receiver { folder: self, root, missing, untar: Untar::default(), open: None }
    }

    /// Reads every file back from the disk and compares it with what was announced, then says how to restore.
    ///
    /// # Errors
    /// `rescue_failed`.
    pub fn prove(&self, items: &[RescuedItem], readme: &str) -> Result<()> {
        for item in items {
            let (bytes, sha256) = self.read_back(&item.file).map_err(|error| failed(&self.path, &error))?;
            if (bytes, sha256.as_str()) != (item.bytes, item.sha256.as_str()) {
                let why = std::io::Error::other(format!("{} is not on the disk as it was sent", item.file));
                return Err(failed(&self.path, &why));
            }
        }
        let write = || -> std::io::Result<()> {
            let mut file = self.create(README)?;
            file.write_all(readme.as_bytes())?;
            file.sync_all()?;
            rustix::fs::fsync(&self.folder)?;
            File::open(self.path.parent().unwrap_or(&self.path))?.sync_all()
        };
        write().map_err(|error| failed(&self.path, &error))
    }

    /// Removes it and what it holds.
    ///
    /// # Errors
    /// `rescue_failed` when it stays.
    pub fn remove(path: &Path) -> Result<bool> {
        match std::fs::remove_dir_all(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(path, &error)),
        }
    }

    fn create(&self, name: &str) -> std::io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.folder, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    fn read_back(&self, name: &str) -> std::io::Result<(u64, String)> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file: File = rustix::fs::openat(&self.folder, name, flags, Mode::empty())?.into();
        // What was just written is in memory as well; the disk is asked.
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        let (mut hash, mut total, mut buffer) = (Sha256::new(), 0_u64, vec![0_u8; 1 << 16]);
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok((total, hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()));
            }
            hash.update(&buffer[..read]);
            total += read as u64;
        }
    }
}

/// Takes in the tar of a folder whose files were announced.
pub struct Receiver<'a> {
    folder: &'a RescueFolder,
    root: &'a str,
    missing: BTreeMap<&'a str, u64>,
    untar: Untar,
    open: Option<Open>,
}

impl Receiver<'_> {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// `rescue_failed` for what was not announced, and when it cannot be written.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        let Self { folder, root, missing, untar, open } = self;
        let taken = untar.feed(bytes, |piece| -> std::result::Result<(), Stopped> {
            match piece {
                Piece::File(path, size) => {
                    let name = path.strip_prefix(*root).and_then(|path| path.strip_prefix('/')).unwrap_or_default();
                    if missing.remove(name) != Some(size) {
                        return Err(Stopped(std::io::Error::other(format!(
                            "{path:?} of {size} bytes was not announced"
                        ))));
                    }
                    *open = Some(Open { name: name.to_owned(), file: folder.create(name).map_err(Stopped)? });
                    Ok(())
                }
                Piece::Data(data) => match open {
                    Some(open) => open.file.write_all(data).map_err(Stopped),
                    None => Ok(()),
                },
                Piece::End => match open.take() {
                    Some(open) => open.file.sync_all().map_err(Stopped),
                    None => Ok(()),
                },
            }
        });
        taken.map_err(|Stopped(error)| failed(&folder.path, &error))
    }

    /// Fails unless everything that was announced has come.
    ///
    /// # Errors
    /// `rescue_failed`.
    pub fn finish(self) -> Result<()> {
        let missing =
            self.open.map(|open| open.name).or_else(|| self.missing.keys().next().map(|name| (*name).to_owned()));
        match missing {
            None => Ok(()),
            Some(name) => Err(failed(&self.folder.path, &std::io::Error::other(format!("{name} did not come whole")))),
        }
    }
}

/// Why taking an archive apart was stopped.
struct Stopped(std::io::Error);

impl From<String> for Stopped {
    fn from(why: String) -> Self {
        Self(std::io::Error::other(why))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    let error_code =
        Error::new(ErrorCode::RescueFailed, format!("work could not be brought out into {}", path.display()));
    error_code.cause(error.to_string()).hint("make room there, or name another folder: --rescue DIR")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn item(file: &str, content: &[u8]) -> RescuedItem {
        let sha256 = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        RescuedItem {
            kind: "bundle".to_owned(),
            repository: None,
            file: file.to_owned(),
            bytes: content.len() as u64,
            sha256,
        }
    }

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            // By hand, as the crate refuses paths that lead out.
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            archive.append(&header, *content).unwrap();
        }
        archive.into_inner().unwrap()
    }

    fn brought(items: &[RescuedItem], files: &[(&str, &[u8])]) -> (tempfile::TempDir, Result<()>) {
        let outside = tempfile::tempdir().unwrap();
        let folder = RescueParent::open(&outside.path().join("new")).unwrap().make("a").unwrap();
        let mut receiver = folder.receiver("out", items);
        let bytes = archive(files);
        let result =
            receiver.feed(&bytes).and_then(|()| receiver.finish()).and_then(|()| folder.prove(items, "read me"));
        (outside, result)
    }

    #[test]
    fn what_was_announced_is_written_for_its_owner_alone_and_proved() {
        let (outside, result) = brought(&[item("x.bundle", b"content")], &[("out/x.bundle", b"content")]);
        result.unwrap();
        let mode = |path: &str| std::fs::metadata(outside.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode("new"), mode("new/a"), mode("new/a/x.bundle"), mode("new/a/README.txt")),
            (0o700, 0o700, 0o600, 0o600)
        );
        assert_eq!(std::fs::read(outside.path().join("new/a/x.bundle")).unwrap(), b"content");
    }

    #[test]
    fn what_was_not_announced_is_refused() {
        let announced = [item("x", b"one")];
        for files in [
            &[("out/y", &b"one"[..])][..],
            &[("out/x", b"longer")],
            &[("out/x", b"one"), ("out/x", b"one")],
            &[("out/../x", b"one")],
            &[("/etc/x", b"one")],
            &[("x", b"one")],
            &[],
        ] {
            let (outside, result) = brought(&announced, files);
            assert_eq!(result.unwrap_err().code(), ErrorCode::RescueFailed, "{files:?}");
            assert!(!outside.path().join("x").exists() && !outside.path().join("new/x").exists());
        }
    }

    #[test]
    fn what_is_not_on_the_disk_as_it_was_announced_is_no_rescue() {
        let (_outside, result) = brought(&[item("x", b"one")], &[("out/x", b"two")]);
        assert!(result.unwrap_err().causes()[0].contains("not on the disk as it was sent"));
    }

    #[test]
    fn a_folder_that_is_there_is_left_alone() {
        let outside = tempfile::tempdir().unwrap();
        let parent = RescueParent::open(outside.path()).unwrap();
        let paths = ["a", "a", "a"].map(|name| parent.make(name).unwrap().path().to_owned());
        assert_eq!(paths, ["a", "a-2", "a-3"].map(|name| outside.path().join(name)));
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_said_and_nothing_is_left_of_the_question() {
        let outside = tempfile::tempdir().unwrap();
        let file = outside.path().join("file");
        std::fs::write(&file, "x").unwrap();
        for path in [outside.path().join("a/b"), file.clone(), file.join("x")] {
            assert_eq!(RescueParent::open(&path).unwrap_err().code(), ErrorCode::RescueFailed, "{path:?}");
        }
        let new = outside.path().join("new");
        RescueParent::open(&new).unwrap().leave();
        assert!(!new.exists());
        RescueParent::open(outside.path()).unwrap().leave();
        assert!(outside.path().exists(), "it was there before");
    }
}
