//! Several backends at once: an engine, and folders of this machine. What is asked of which, and what one that fails hides.

use std::time::{Duration, Instant};

use agent_workspace_tests::engine::{Container, Engine, Fault, When};
use agent_workspace_tests::place::Place;
use agent_workspace_tests::{Document, Launcher, Ran};

use crate::failure;

/// Longer than an engine may keep others waiting, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(40);

/// An engine with a workspace `box` and a folder `own` on this machine, which runs.
struct Both {
    engine: Engine,
    place: Place,
}

impl Both {
    fn new() -> Self {
        let both = Self { engine: Engine::start(), place: Place::new() };
        both.engine.has(Container::workspace("box"));
        both.document("create --no-clone --name own --backend host --isolation none", 0);
        assert_eq!(both.engine.calls(), [""; 0], "no engine is asked for a folder");
        both
    }

    /// The launcher with no backend in its environment.
    fn launcher(&self, line: &str) -> Launcher {
        self.engine.launcher(line.split_whitespace()).env("AGENT_WORKSPACE_STATE_DIR", self.place.state())
    }

    /// The same where no engine is.
    fn without_engine(&self, line: &str) -> Launcher {
        self.launcher(line).env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    }

    #[track_caller]
    fn document(&self, line: &str, exit: i32) -> Document {
        self.launcher(line).json().run().expect(exit).document()
    }
}

/// Names and backends of the rows.
fn rows(document: &Document) -> Vec<(String, String)> {
    let rows = document.at("/workspaces").as_array().expect("a list").clone();
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().expect("text").to_owned();
    rows.iter().map(|row| (text(row, "name"), text(row, "backend"))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, backend)| ((*name).to_owned(), (*backend).to_owned())).collect()
}

#[test]
fn ls_shows_all_of_them_newest_first_for_one_call_to_the_engine() {
    let both = Both::new();
    let listed = both.document("ls", 0);
    assert_eq!(rows(&listed), pairs(&[("own", "host"), ("box", "docker")]));
    assert_eq!(listed.text("/backends/0/backend"), "docker");
    assert!(listed.at("/backends").as_array().expect("a list").iter().all(|answer| answer["ok"] == true));
    assert_eq!(listed.at("/warnings").to_string(), "[]");
    assert_eq!(both.engine.calls().len(), 1, "{:?}", both.engine.calls());
    let ran = both.launcher("ls").run().expect(0);
    let columns: Vec<_> = ran.stdout.lines().map(|line| line.split('\t').take(2).collect::<Vec<_>>()).collect();
    assert_eq!(columns, [["agent-ws-own", "running"], ["agent-ws-box", "running"]]);
    assert!(ran.stdout.lines().all(|line| line.matches('\t').count() == 3), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
}

#[test]
fn one_that_is_named_is_asked_alone() {
    let both = Both::new();
    for host in [both.launcher("ls --backend host"), both.launcher("ls").env("AGENT_WORKSPACE_BACKEND", "host")] {
        let listed = host.json().run().expect(0).document();
        assert_eq!(rows(&listed), pairs(&[("own", "host")]));
        assert!(listed.0.get("backends").is_none());
    }
    assert_eq!(both.engine.calls(), [""; 0]);
    let listed = both.document("ls --backend docker", 0);
    assert_eq!(rows(&listed), pairs(&[("box", "docker")]));
    assert!(listed.0.get("backends").is_none());
}

#[test]
fn an_engine_that_is_down_hides_no_folder_and_is_no_empty_list() {
    let both = Both::new();
    let ran = both.without_engine("ls").json().run().expect(0);
    let listed = ran.document();
    assert_eq!(rows(&listed), pairs(&[("own", "host")]));
    assert_eq!((listed.text("/backends/0/backend"), listed.at("/backends/0/ok")), ("docker", &false.into()));
    assert_eq!(listed.text("/backends/0/code"), "engine_unavailable");
    assert!(!listed.text("/backends/0/hint").is_empty());
    assert_eq!(listed.text("/warnings/0/code"), "backend_unavailable");
    let warned = listed.text("/warnings/0/message");
    assert!(warned.contains("docker") && warned.contains("no engine runs at"), "{warned}");
    assert!(ran.stderr.contains("warn: ") && ran.stderr.contains("no engine runs at"), "{}", ran.stderr);

    both.document("rm own", 0);
    let refused = failure(&both.without_engine("ls"), 7, "engine_unavailable");
    assert_eq!(refused.at("/error/details/backends/0/ok"), false);
    assert_eq!(refused.at("/error/details/backends/1/ok"), true);
    assert!(refused.text("/error/message").starts_with("no engine runs at"));
}

#[test]
fn an_engine_that_says_nothing_is_not_waited_for_as_long_as_one_that_is_named() {
    let both = Both::new();
    both.engine.goes_wrong(When::From(1), Fault::silence());
    let since = Instant::now();
    let listed = both.document("ls", 0);
    assert!(since.elapsed() < PATIENCE, "{:?}", since.elapsed());
    assert_eq!(rows(&listed), pairs(&[("own", "host")]));
    assert_eq!(listed.text("/backends/0/code"), "engine_unavailable");
    assert!(listed.text("/backends/0/hint").ends_with("agent-workspace ls --backend docker"));
    let expired = both.launcher("ls --timeout 300ms");
    failure(&expired, 124, "timeout");
    let child = both.launcher("ls").json().spawn();
    both.engine.wait_for("GET /containers/json");
    let words = ["-c", "sleep 1; kill -s INT \"$0\"", &child.id().to_string()];
    assert!(std::process::Command::new("sh").args(words).status().expect("a shell").success());
    assert_eq!(Ran::of(child).expect(130).document().error_code(), "interrupted");
}

#[test]
fn a_name_finds_its_folder_without_an_engine_and_its_container_by_the_same_calls_as_ever() {
    let both = Both::new();
    assert_eq!(both.document("describe own", 0).text("/workspace/backend"), "host");
    assert_eq!(*both.document("stop own", 0).at("/changed"), true);
    assert_eq!(*both.document("start own", 0).at("/changed"), true);
    let refused = both.document("describe own --user root", 9);
    assert_eq!(refused.text("/error/details/flag"), "--user");
    assert_eq!(both.without_engine("describe own").json().run().expect(0).document().text("/workspace/name"), "own");
    assert_eq!(both.engine.calls(), [""; 0]);
    assert_eq!(both.document("describe box", 0).text("/workspace/backend"), "docker");
    assert_eq!(both.engine.calls(), ["GET /containers/agent-ws-box/json"]);
    assert_eq!(both.document("rm own", 0).text("/workspace"), "agent-ws-own");
    assert_eq!(both.place.entries(), Vec::<String>::new());
    assert_eq!(both.engine.calls().len(), 1);
}

#[test]
fn a_backend_that_is_named_is_where_a_name_is_looked_for_and_nowhere_else() {
    let both = Both::new();
    assert_eq!(both.document("describe own --backend docker", 3).error_code(), "workspace_not_found");
    let in_environment = both.launcher("stop own").env("AGENT_WORKSPACE_BACKEND", "docker");
    failure(&in_environment, 3, "workspace_not_found");
    let before = both.engine.calls().len();
    assert_eq!(both.document("rm box --backend host", 3).error_code(), "workspace_not_found");
    assert_eq!(both.document("describe own --backend nosuch", 9).error_code(), "unsupported");
    assert_eq!(both.engine.calls().len(), before);
    assert_eq!(both.engine.state_of("agent-ws-box"), "running");
    assert_eq!(both.document("describe own", 0).text("/workspace/status"), "running");
}

#[test]
fn a_create_gets_no_name_of_another_backend_and_asks_nobody_for_it() {
    let both = Both::new();
    for line in [
        "create --no-clone --name own",
        "create --no-clone --name own --plan",
        "create --no-clone --name own --backend docker",
        "create o/r --name Own --image ready:1",
    ] {
        let refused = both.document(line, 4);
        assert_eq!(refused.error_code(), "name_taken", "{line}");
        assert_eq!(refused.text("/error/details/backend"), "host");
        assert_eq!(
            refused.text("/error/hint"),
            "choose another --name, or see what it is: agent-workspace describe --backend host agent-ws-own"
        );
    }
    assert_eq!(both.engine.calls(), [""; 0]);
    let back = both.document("create --no-clone --name own --backend host --isolation none", 0);
    assert_eq!(*back.at("/created"), false);
}

#[test]
fn a_name_that_an_engine_has_too_means_the_one_on_this_machine() {
    let both = Both::new();
    both.engine.has(Container::workspace("own"));
    assert_eq!(both.document("describe own", 0).text("/workspace/backend"), "host");
    assert_eq!(both.document("describe own --backend docker", 0).text("/workspace/backend"), "docker");
    let own = rows(&both.document("ls", 0)).into_iter().filter(|(name, _)| name == "own").count();
    assert_eq!(own, 2);
    both.document("rm own", 0);
    assert_eq!(both.engine.state_of("agent-ws-own"), "running");
    assert_eq!(both.document("describe own", 0).text("/workspace/backend"), "docker");
}

#[test]
fn what_was_kept_of_a_folder_is_not_what_its_name_means_and_is_told_of() {
    let both = Both::new();
    both.document("rm own --keep-volumes", 0);
    let gone = both.document("rm own", 3);
    assert_eq!(gone.error_code(), "workspace_not_found");
    assert!(gone.text("/error/hint").ends_with("agent-workspace rm --backend host agent-ws-own"), "{gone:?}");
    let down = failure(&both.without_engine("describe own"), 7, "engine_unavailable");
    let causes = down.at("/error/causes").to_string();
    assert!(causes.contains("no workspace that this machine knows of"), "{causes}");
    both.engine.has(Container::workspace("own"));
    assert_eq!(both.document("describe own", 0).text("/workspace/backend"), "docker");
    assert_eq!(both.document("rm own --backend host", 0).text("/removed/0/kind"), "folder");
    assert_eq!(both.engine.state_of("agent-ws-own"), "running");
}

#[test]
fn a_state_file_that_is_broken_hides_no_container_and_no_name_is_guessed() {
    let both = Both::new();
    std::fs::write(both.place.state().join("state.db"), "x".repeat(4096)).expect("a file");
    assert_eq!(rows(&both.document("ls", 0)), pairs(&[("own", "host"), ("box", "docker")]));
    for line in ["describe box", "stop box", "rm box --force", "create --no-clone --name new --image ready:1"] {
        let refused = both.document(line, 1);
        assert_eq!(refused.error_code(), "state_failed", "{line}");
        assert!(refused.text("/error/hint").ends_with("--backend docker"), "{line}");
    }
    assert_eq!(both.engine.state_of("agent-ws-box"), "running");
    // A folder is found before the file is looked at, and who says where asks no file.
    both.document("describe own", 0);
    both.document("describe box --backend docker", 0);
    both.document("create --no-clone --name new --image ready:1 --backend docker", 0);
    let in_environment = both.launcher("describe new").env("AGENT_WORKSPACE_BACKEND", "docker");
    assert_eq!(in_environment.json().run().expect(0).document().text("/workspace/name"), "new");
}

#[test]
fn names_of_all_are_offered_and_of_the_one_that_the_line_names() {
    let both = Both::new();
    let offered = |launcher: &dyn Fn(&str) -> Launcher, words: &str| {
        let index = words.split_whitespace().count();
        launcher(&format!("__complete --shell zsh --index {index} -- {words}")).arg("").run().expect(0).stdout
    };
    let here = |line: &str| both.launcher(line);
    let without_engine = |line: &str| both.without_engine(line);
    assert_eq!(offered(&here, "agent-workspace rm"), "box\trunning\nown\trunning\n");
    assert_eq!(offered(&without_engine, "agent-workspace rm"), "own\trunning\n");
    assert_eq!(offered(&here, "agent-workspace rm --backend=host"), "own\trunning\n");
}
