//! Flags and variables: what is for containers is refused before anything is touched.

use agent_workspace_tests::Launcher;
use agent_workspace_tests::place::Place;

#[test]
fn what_is_for_containers_is_refused_and_nothing_is_touched() {
    let place = Place::new();
    for flags in [
        ["--image", "x:1"],
        ["--user", "1000"],
        ["--cpus", "1"],
        ["--memory", "1g"],
        ["--network", "none"],
        ["--label", "a=b"],
    ] {
        let document = place.document(["create", "--no-clone", "--name", "x", flags[0], flags[1]], 9);
        assert_eq!(document.error_code(), "unsupported", "{flags:?}");
        assert_eq!(document.text("/error/details/flag"), flags[0]);
        assert!(document.text("/error/hint").contains(flags[0]));
    }
    assert_eq!(place.document(["create", "--no-clone", "--name", "x", "--no-pull"], 9).error_code(), "unsupported");
    assert_eq!(place.document(["describe", "x", "--user", "root"], 9).error_code(), "unsupported");
    assert_eq!(place.document(["image", "build"], 9).error_code(), "unsupported");
    assert_eq!(place.document(["create", "o/r", "--name", "x", "--dir", "/srv/x"], 2).error_code(), "usage");
    assert!(!place.state().exists());
}

#[test]
fn no_walls_are_for_no_container_and_walls_that_are_required_for_each() {
    let plan =
        |isolation: &str| Launcher::new(["create", "--no-clone", "--name", "x", "--plan", "--isolation", isolation]);
    assert_eq!(plan("none").json().run().expect(9).document().error_code(), "unsupported");
    assert_eq!(plan("require").json().run().expect(0).document().text("/isolation"), "standard");
}

#[test]
fn the_flag_wins_over_the_variable_and_hints_name_it() {
    let place = Place::new();
    let by_flag = Launcher::new(["describe", "x", "--backend", "host"]).env("AGENT_WORKSPACE_STATE_DIR", place.state());
    let document = by_flag.json().run().expect(3).document();
    assert_eq!(document.text("/error/hint"), "see what there is: agent-workspace ls --backend host");
    let by_variable = place.document(["describe", "x"], 3);
    assert_eq!(by_variable.text("/error/hint"), "see what there is: agent-workspace ls");
    // Docker is asked for, and there is none at this address.
    let docker = place.launcher(["ls", "--backend", "docker"]).env("DOCKER_HOST", "unix:///nonexistent.sock").json();
    assert_eq!(docker.run().expect(7).document().error_code(), "engine_unavailable");
}

#[test]
fn the_state_folder_is_where_the_variables_say() {
    let place = Place::new();
    let home = place.folder().join("home");
    let xdg = place.folder().join("xdg");
    let plan = || Launcher::new(["create", "--no-clone", "--name", "x", "--plan", "--backend", "host"]).json();
    for (launcher, folder) in [
        (plan().env("HOME", &home), home.join(".local/state/agent-workspace")),
        (plan().env("HOME", &home).env("XDG_STATE_HOME", &xdg), xdg.join("agent-workspace")),
        (plan().env("XDG_STATE_HOME", &xdg).env("AGENT_WORKSPACE_STATE_DIR", place.state()), place.state()),
    ] {
        let document = launcher.run().expect(0).document();
        let work = folder.join("workspaces/agent-ws-x/work");
        assert_eq!(document.text("/plan/volumes/0/id"), work.to_str().expect("text"));
        assert_eq!(document.text("/image"), "");
    }
    let relative = plan().env("AGENT_WORKSPACE_STATE_DIR", "relative").run().expect(2).document();
    assert_eq!(relative.error_code(), "invalid_environment");
    let file = place.folder().join("file");
    std::fs::write(&file, "").expect("a file");
    let create = place.launcher(["create", "--no-clone", "--name", "x"]).env("AGENT_WORKSPACE_STATE_DIR", &file).json();
    assert_eq!(create.run().expect(2).document().error_code(), "invalid_environment");
    assert!(!home.exists() && !xdg.exists() && !place.state().exists());
}

#[test]
fn a_record_of_a_newer_launcher_is_a_row_with_a_problem_and_is_left_alone() {
    let place = Place::new();
    let folder = place.workspace("agent-ws-newer");
    std::fs::create_dir_all(&folder).expect("a file");
    std::fs::write(folder.join("record.json"), r#"{"form": 99}"#).expect("a file");
    let row = place.document(["ls"], 0);
    assert_eq!(row.text("/workspaces/0/status"), "broken");
    assert_eq!(row.text("/workspaces/0/problems/0/code"), "unreadable_record");
    assert_eq!(place.document(["create", "--no-clone", "--name", "newer"], 9).error_code(), "unsupported");
    assert_eq!(place.document(["rm", "newer"], 5).error_code(), "unsaved_work");
    assert!(folder.exists());
    place.document(["rm", "--force", "newer"], 0);
    assert_eq!(place.entries(), Vec::<String>::new());
}
