//! The state file's shape, and how an older one becomes it: forward only, in one transaction each, with a copy of the
//! file kept before.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_workspace_contract::ErrorCode;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{failed, unusable};
use crate::error::{Error, Result};
use crate::ssh::quoting::join;

/// What makes each version out of the one before. Never changed once shipped; only added to.
const MIGRATIONS: &[&str] = &[include_str!("migrations/0001.sql"), include_str!("migrations/0002.sql")];

/// How much of an older file is copied at a time, and how long whoever writes to it is waited for between.
const PAGES: std::ffi::c_int = 1000;
const PAUSE: Duration = Duration::from_millis(5);

/// The version that this launcher writes.
pub(super) const LATEST: u32 = MIGRATIONS.len() as u32;

/// The version of a file; 0 when nothing is in it.
pub(super) fn version(connection: &Connection) -> Result<u32, rusqlite::Error> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings a file up to date.
///
/// # Errors
/// `state_too_new`, `state_failed`.
pub(super) fn run(connection: &mut Connection, path: &Path) -> Result<()> {
    migrate(connection, path, MIGRATIONS)
}

/// A file as this launcher knows it, for who only looks: an older one is brought up to date in memory, and stays as it is.
///
/// # Errors
/// `state_failed`.
pub(super) fn for_looking(connection: Connection, path: &Path) -> Result<Connection> {
    migrated_in_memory(connection, path, MIGRATIONS)
}

fn migrated_in_memory(connection: Connection, path: &Path, migrations: &[&str]) -> Result<Connection> {
    let copied = || {
        if version(&connection)? as usize >= migrations.len() {
            return Ok(None);
        }
        let mut copy = Connection::open_in_memory()?;
        Backup::new(&connection, &mut copy)?.run_to_completion(PAGES, PAUSE, None)?;
        Ok(Some(copy))
    };
    match copied().map_err(|error| failed(path, &error))? {
        Some(mut copy) => advance(&mut copy, path, migrations, |_| Ok(())).map(|()| copy),
        None => Ok(connection),
    }
}

fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<()> {
    advance(connection, path, migrations, |at| keep_copy(path, at))
}

/// Takes every step that is left; `before` is told the version that each one changes. A new file is made whole at once:
/// nobody ever sees it as an older one.
fn advance(
    connection: &mut Connection,
    path: &Path,
    migrations: &[&str],
    before: impl Fn(u32) -> Result<()>,
) -> Result<()> {
    let sqlite = |error: rusqlite::Error| failed(path, &error);
    loop {
        let at = version(connection).map_err(sqlite)?;
        let steps = migrations.get(at as usize..).unwrap_or_default();
        let steps = if at == 0 { steps } else { steps.get(..1).unwrap_or_default() };
        if steps.is_empty() {
            return if at as usize == migrations.len() { Ok(()) } else { Err(too_new(path, at)) };
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
        // Another command may have been faster.
        if version(&transaction).map_err(sqlite)? != at {
            continue;
        }
        if at > 0 {
            before(at)?;
        }
        for step in steps {
            transaction.execute_batch(step).map_err(sqlite)?;
        }
        transaction.pragma_update(None, "user_version", at + steps.len() as u32).map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
    }
}

/// Copies the file as it is for others now, for its owner alone. By SQLite itself: who closes a second handle of the file by hand loses the
/// locks of the first.
fn keep_copy(path: &Path, version: u32) -> Result<()> {
    let copy = copy_of(path, version);
    let part = copy.with_extension("part");
    let remove = std::fs::remove_file(&part);
    if let Err(error) =
        remove.or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
    {
        return Err(unusable(&part, &error));
    }
    // SQLite writes into a file that is there and empty, and would make one that everybody can read.
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
    let made = made.map_err(|error| unusable(&part, &error))?;
    let into = || {
        let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        reader.execute("VACUUM INTO ?1", [part.to_string_lossy()])
    };
    into().map_err(|error| failed(&part, &error))?;
    // On the disk before the name is, and before what it is a copy of changes.
    made.sync_all().map_err(|error| unusable(&part, &error))?;
    std::fs::rename(&part, &copy).map_err(|error| unusable(&copy, &error))
}

fn copy_of(path: &Path, version: u32) -> PathBuf {
    path.with_extension(format!("db.version-{version}"))
}

/// A file that a newer launcher has written, with the way back.
pub(super) fn too_new(path: &Path, version: u32) -> Error {
    let copies = (1..=LATEST).rev().map(|version| copy_of(path, version));
    let kept = copies.into_iter().find(|copy| copy.exists());
    let back = match kept {
        Some(copy) => {
            let moved = join(&["mv", &copy.to_string_lossy(), &path.to_string_lossy()]);
            format!("or go back to what it was before: {moved}")
        }
        None => {
            let path = path.to_string_lossy();
            format!("or begin anew: {}", join(&["mv", &path, &format!("{path}.newer")]))
        }
    };
    Error::new(
        ErrorCode::StateTooNew,
        format!("the state in {} has version {version}, and this launcher knows {LATEST}", path.display()),
    )
    .detail("version", version)
    .detail("known", LATEST)
    .hint(format!("use the newer launcher; {back}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "CREATE TABLE one(x TEXT) STRICT; INSERT INTO one VALUES ('kept');";
    const TWO: &str = "ALTER TABLE one ADD COLUMN y TEXT; UPDATE one SET x = 'changed';";

    fn open(path: &Path) -> Connection {
        Connection::open(path).unwrap()
    }

    fn x(path: &Path) -> String {
        open(path).query_row("SELECT x FROM one", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn each_step_is_taken_once_and_what_was_before_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        migrate(&mut open(&path), &path, &[ONE]).unwrap();
        assert!(!copy_of(&path, 0).exists(), "nothing was there before the first");
        migrate(&mut open(&path), &path, &[ONE, TWO]).unwrap();
        migrate(&mut open(&path), &path, &[ONE, TWO]).unwrap();
        assert_eq!((x(&path).as_str(), x(&copy_of(&path, 1)).as_str()), ("changed", "kept"));
        assert_eq!(version(&open(&copy_of(&path, 1))).unwrap(), 1);
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(copy_of(&path, 1)).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_new_file_was_never_an_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        migrate(&mut open(&path), &path, &[ONE, TWO]).unwrap();
        assert_eq!((x(&path).as_str(), version(&open(&path)).unwrap()), ("changed", 2));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "so that there is no copy of one");
    }

    #[test]
    fn who_only_looks_sees_an_older_file_as_a_newer_one_and_leaves_it_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        migrate(&mut open(&path), &path, &[ONE]).unwrap();
        let before = std::fs::read(&path).unwrap();
        let reader = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let seen = migrated_in_memory(reader, &path, &[ONE, TWO]).unwrap();
        let row = seen.query_row("SELECT x, y FROM one", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(row, ("changed".to_owned(), None::<String>));
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "and no copy beside it");
    }

    #[test]
    fn a_step_that_fails_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        migrate(&mut open(&path), &path, &[ONE]).unwrap();
        let broken = format!("{TWO} SELECT nothing FROM nowhere;");
        assert_eq!(migrate(&mut open(&path), &path, &[ONE, &broken]).unwrap_err().code(), ErrorCode::StateFailed);
        assert_eq!((x(&path).as_str(), version(&open(&path)).unwrap()), ("kept", 1));
        migrate(&mut open(&path), &path, &[ONE, TWO]).unwrap();
        assert_eq!(x(&path), "changed");
    }

    #[test]
    fn what_is_newer_is_refused_with_the_way_back_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        migrate(&mut open(&path), &path, &[ONE]).unwrap();
        migrate(&mut open(&path), &path, &[ONE, TWO]).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = migrate(&mut open(&path), &path, &[ONE]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::StateTooNew);
        assert!(error.hint_text().unwrap().contains("state.db.version-1"), "{error:?}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}
