//! What is remembered: by many at once, by newer launchers, and not by those who only look.

use std::path::Path;

use agent_workspace_tests::{Document, Launcher, Ran};

fn launcher(state: &Path, line: &str) -> Launcher {
    Launcher::new(line.split_whitespace()).env("AGENT_WORKSPACE_STATE_DIR", state).json()
}

fn ok(state: &Path, line: &str) -> Document {
    launcher(state, line).run().expect(0).document()
}

fn fails(state: &Path, line: &str, exit: i32, code: &str) -> Document {
    let document = launcher(state, line).run().expect(exit).document();
    assert_eq!(document.error_code(), code);
    document
}

#[test]
fn fifty_commands_at_once_lose_nothing_and_none_is_locked_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let add = |number: usize| launcher(folder.path(), &format!("vm-host add h{number} box --no-check")).spawn();
    let running: Vec<_> = (0..50).map(add).collect();
    for child in running {
        assert_eq!(Ran::of(child).expect(0).document().at("/changed"), true);
    }
    let listed = ok(folder.path(), "vm-host list");
    assert_eq!(listed.at("/vm_hosts").as_array().map(Vec::len), Some(50));

    let running: Vec<_> = (0..20).map(|_| launcher(folder.path(), "vm-host add same box --no-check").spawn()).collect();
    let changed = running.into_iter().map(|child| Ran::of(child).expect(0).document());
    assert_eq!(changed.filter(|document| document.at("/changed") == true).count(), 1, "one of them was first");
}

#[test]
fn who_only_looks_leaves_no_trace() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    assert_eq!(ok(&state, "vm list").at("/vms").as_array().map(Vec::len), Some(0));
    assert_eq!(ok(&state, "vm list --live").at("/vms").as_array().map(Vec::len), Some(0));
    assert_eq!(ok(&state, "vm-host list").at("/vm_hosts").as_array().map(Vec::len), Some(0));
    fails(&state, "vm describe a", 3, "vm_not_found");
    fails(&state, "vm delete a", 3, "vm_not_found");
    assert_eq!(ok(&state, "agent list").at("/agents").as_array().map(Vec::len), Some(0));
    fails(&state, "agent list --vm a", 3, "vm_not_found");
    for line in ["agent describe a", "agent reinit a", "agent delete a", "workspace-grants list a"] {
        fails(&state, line, 3, "agent_not_found");
    }
    for line in ["workspace-grants grant a w", "workspace-grants deny a --all"] {
        fails(&state, line, 3, "agent_not_found");
    }
    assert_eq!(ok(&state, "agent delete a --if-exists").at("/changed"), false);
    fails(&state, "vm-host remove a", 3, "vm_host_not_found");
    assert_eq!(ok(&state, "vm delete a --if-exists").at("/changed"), false);
    assert_eq!(ok(&state, "vm-host remove a --if-exists").at("/changed"), false);
    assert!(!state.exists());
}

#[test]
fn a_machine_that_cannot_be_reached_is_not_remembered() {
    let folder = tempfile::tempdir().expect("a folder");
    let failed = fails(folder.path(), "vm create a --host 127.0.0.1:1", 7, "host_unreachable");
    assert_eq!(failed.at("/error/details/undone/0"), "the record of VM a");
    assert_eq!(ok(folder.path(), "vm list").at("/vms").as_array().map(Vec::len), Some(0));
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("the state").collect();
    assert_eq!(left.len(), 1, "only the state file: {left:?}");
}

#[test]
fn the_state_of_a_newer_launcher_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    ok(folder.path(), "vm-host add h box --no-check");
    let file = folder.path().join("state.db");
    let mut bytes = std::fs::read(&file).expect("the state");
    // Where a database of SQLite says its version.
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&file, &bytes).expect("the state");
    for line in ["vm list", "vm-host add i box --no-check", "vm-host list", "vm create a --host 192.0.2.1"] {
        let error = fails(folder.path(), line, 9, "state_too_new");
        assert!(error.text("/error/hint").contains("newer launcher"), "{error:?}");
    }
    assert_eq!(std::fs::read(&file).expect("the state"), bytes);
}

#[test]
fn a_vm_host_keeps_its_address() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(ok(folder.path(), "vm-host add h admin@box:2222 --no-check").at("/changed"), true);
    assert_eq!(ok(folder.path(), "vm-host add h admin@box:2222 --no-check").at("/changed"), false);
    fails(folder.path(), "vm-host add h other --no-check", 4, "vm_host_exists");
    assert_eq!(ok(folder.path(), "vm-host list").text("/vm_hosts/0/host"), "admin@box:2222");
    assert_eq!(ok(folder.path(), "vm-host remove h").at("/changed"), true);
    fails(folder.path(), "vm-host remove h", 3, "vm_host_not_found");
}

#[test]
fn a_folder_that_cannot_be_written_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    fails(&file.join("state"), "vm-host add h box --no-check", 1, "state_failed");
}

#[test]
fn machines_that_are_remembered_complete_the_line_and_asking_leaves_no_trace() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let ask = |words: [&str; 4]| {
        let words = ["__complete", "--shell", "bash", "--index", "3", "--"].into_iter().chain(words);
        Launcher::new(words).env("AGENT_WORKSPACE_STATE_DIR", &state).run().expect(0).stdout
    };
    let line = ["agent-workspace", "vm-host", "remove", ""];
    assert!(!ask(line).contains("box"));
    assert!(!state.exists());
    ok(&state, "vm-host add box admin@box --no-check");
    assert_eq!(ask(line), "box\tadmin@box\n");
}
