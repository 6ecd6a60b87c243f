//! State files that older launchers have written: one of each version, with every kind of row.

use std::path::{Path, PathBuf};

use agent_workspace_tests::{Document, Launcher, Ran};
use rusqlite::Connection;

/// The folder of a test, with a state file of this version in it.
fn state_of_version(version: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let dump = std::fs::read_to_string(dump(version)).expect("a dump of that version");
    open(&folder.path().join("state.db")).execute_batch(&dump).expect("a database");
    folder
}

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn dump(version: usize) -> PathBuf {
    fixture(&format!("fixtures/state/version-{version}.sql"))
}

/// The version that this launcher writes.
fn latest() -> usize {
    let scripts = std::fs::read_dir(fixture("../launcher/src/store/migrations")).expect("a folder");
    scripts.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().extension() == Some("sql".as_ref()))).count()
}

fn open(file: &Path) -> Connection {
    Connection::open(file).expect("a database")
}

fn version(file: &Path) -> u32 {
    open(file).pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version")
}

/// Every table and index of a file, in the words that made it.
fn schema(file: &Path) -> Vec<(String, String, Option<String>)> {
    let database = open(file);
    let mut statement = database.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2").expect("a query");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("rows");
    rows.collect::<Result<_, _>>().expect("rows")
}

/// Every row of the tables of the first version, with the columns that it had.
fn rows(file: &Path) -> Vec<String> {
    let database = open(file);
    let mut all = Vec::new();
    for (table, columns) in [
        ("vm_hosts", "name, host, os, architecture, created_at, last_seen_at"),
        (
            "vms",
            "name, platform, host, vm_host, machine_id, provisioning, initialization, admin_user, admin_home, os, \
             architecture, created_at, last_seen_at",
        ),
        ("vm_events", "id, vm, at, event, detail"),
    ] {
        let count = columns.split(',').count();
        let mut statement = database.prepare(&format!("SELECT {columns} FROM {table} ORDER BY 1")).expect("a query");
        let read = statement.query_map([], |row| {
            let values = (0..count).map(|at| row.get::<_, rusqlite::types::Value>(at));
            Ok(format!("{table}: {:?}", values.collect::<Result<Vec<_>, _>>()?))
        });
        all.extend(read.expect("rows").map(|row| row.expect("a row")));
    }
    all
}

fn launcher(state: &Path, line: &str) -> Launcher {
    Launcher::new(line.split_whitespace()).env("AGENT_WORKSPACE_STATE_DIR", state).json()
}

fn ok(state: &Path, line: &str) -> Document {
    launcher(state, line).run().expect(0).document()
}

#[test]
fn of_every_version_before_this_one_there_is_a_file() {
    for version in 1..latest() {
        assert!(dump(version).exists(), "write down what version {version} was: {}", dump(version).display());
    }
}

#[test]
fn who_only_looks_at_an_older_file_sees_everything_and_leaves_it_as_it_is() {
    for version in 1..latest() {
        let folder = state_of_version(version);
        let file = folder.path().join("state.db");
        let before = std::fs::read(&file).expect("the state");
        let listed = ok(folder.path(), "vm list");
        let names: Vec<_> = listed.at("/vms").as_array().expect("rows").iter().map(|row| row["vm"].clone()).collect();
        assert_eq!(names, ["begun", "foreign", "ready", "unprepared"]);
        assert_eq!(listed.text("/vms/2/os"), "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(ok(folder.path(), "vm-host list").text("/vm_hosts/0/vms/0"), "ready");
        assert_eq!(ok(folder.path(), "vm describe begun").text("/vm/problems/0/code"), "cut_off");
        assert_eq!(ok(folder.path(), "vm logs ready").at("/logs").as_array().map(Vec::len), Some(0));
        assert_eq!(std::fs::read(&file).expect("the state"), before);
        assert_eq!(std::fs::read_dir(folder.path()).expect("the state").count(), 1, "and nothing is beside it");
    }
}

#[test]
fn who_writes_brings_an_older_file_up_to_date_and_keeps_what_it_was() {
    let fresh = tempfile::tempdir().expect("a folder");
    ok(fresh.path(), "vm-host add box box --no-check");
    let newest = schema(&fresh.path().join("state.db"));
    for older in 1..latest() {
        let folder = state_of_version(older);
        let file = folder.path().join("state.db");
        let before = rows(&file);
        ok(folder.path(), "vm-host add another box --no-check");
        let after: Vec<_> = rows(&file).into_iter().filter(|row| !row.contains("another")).collect();
        assert_eq!(after, before, "everything is there");
        assert_eq!(version(&file) as usize, latest());
        assert_eq!(schema(&file), newest, "and it is like a new one");
        let copy = folder.path().join(format!("state.db.version-{older}"));
        assert_eq!((version(&copy) as usize, rows(&copy)), (older, before));
    }
}

#[test]
fn a_vm_of_a_platform_that_is_not_known_here_is_left_to_who_knows_it() {
    let folder = state_of_version(1);
    for line in ["vm delete foreign", "vm stop foreign"] {
        let refused = launcher(folder.path(), line).run().expect(9).document();
        assert_eq!((refused.error_code(), refused.text("/error/details/platform")), ("unsupported", "lima"));
    }
    assert_eq!(ok(folder.path(), "vm list").at("/vms").as_array().map(Vec::len), Some(4));
    assert_eq!(ok(folder.path(), "vm delete unprepared").at("/changed"), true);
}

#[test]
fn fifty_commands_at_once_bring_an_older_file_up_to_date_once() {
    let folder = state_of_version(1);
    let before = rows(&folder.path().join("state.db"));
    let line = |number: usize| match number % 5 {
        0 => (format!("vm create new{number} --host 127.0.0.1:1"), 7),
        1 => ("vm list".to_owned(), 0),
        2 => (format!("vm delete none{number} --if-exists"), 0),
        3 => ("vm-host list".to_owned(), 0),
        _ => (format!("vm-host add h{number} box --no-check"), 0),
    };
    let running: Vec<_> =
        (0..50).map(|number| (launcher(folder.path(), &line(number).0).spawn(), line(number))).collect();
    for (child, (line, exit)) in running {
        let ran = Ran::of(child);
        assert_eq!(ran.code, exit, "{line}: {}{}", ran.stdout, ran.stderr);
    }
    let copy = folder.path().join("state.db.version-1");
    assert_eq!(
        (version(&copy), rows(&copy)),
        (1, before.clone()),
        "the copy is of what it was, and of nothing between"
    );
    let listed = ok(folder.path(), "vm-host list");
    assert_eq!(listed.at("/vm_hosts").as_array().map(Vec::len), Some(12));
    assert_eq!(ok(folder.path(), "vm list").at("/vms").as_array().map(Vec::len), Some(4), "what failed left nothing");
    let after = rows(&folder.path().join("state.db"));
    assert!(before.iter().all(|row| after.contains(row)));
    let left = std::fs::read_dir(folder.path()).expect("the state").count();
    assert_eq!(left, latest(), "the file, and one copy of each version that it was");
}

#[test]
fn what_a_hint_says_to_paste_is_quoted() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("my state");
    std::fs::create_dir(&state).expect("a folder");
    std::fs::write(state.join("state.db"), "x".repeat(4096)).expect("a file");
    let broken = launcher(&state, "vm list").run().expect(1).document();
    let path = state.join("state.db");
    let paste = format!("mv '{0}' '{0}.broken'", path.display());
    assert!(broken.text("/error/hint").contains(&paste), "{broken:?}");
}
