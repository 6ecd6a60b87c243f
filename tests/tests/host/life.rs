//! A workspace's life: made, entered, stopped, started, removed.

use agent_workspace_tests::live::Terminal;
use agent_workspace_tests::place::{GitHost, Place};

#[test]
fn a_workspace_is_made_entered_stopped_started_and_removed() {
    let Some(place) = Place::walled("a life") else { return };
    let made = place.create("My Task");
    assert_eq!(made.text("/workspace"), "agent-ws-my-task");
    assert_eq!((made.text("/backend"), made.text("/isolation"), made.text("/status")), ("host", "process", "running"));
    assert_eq!((made.text("/path"), made.text("/transport/user")), ("/work", "agent"));
    assert_eq!(*made.at("/created"), true);
    let inside = Place::inside(&made, "id -un; pwd; printf %s \"$HOME\"").expect(0);
    assert_eq!(inside.stdout, "agent\n/work\n/home/agent");

    let again = place.create("my-task");
    assert_eq!(*again.at("/created"), false);
    assert_eq!(again.at("/transport"), made.at("/transport"));
    let exists = place.document(["create", "--no-clone", "--name", "my-task", "--if-exists", "fail"], 4);
    assert_eq!(exists.error_code(), "workspace_exists");

    let row = place.document(["ls"], 0);
    assert_eq!(row.text("/workspaces/0/workspace"), "agent-ws-my-task");
    assert_eq!((row.text("/workspaces/0/status"), row.text("/workspaces/0/backend")), ("running", "host"));
    assert!(row.at("/workspaces/0/image").is_null());

    Place::does(&made, "sleep 600 >/dev/null 2>&1 & echo kept >~/kept");
    let stopped = place.document(["stop", "my-task"], 0);
    assert_eq!((stopped.at("/changed").as_bool(), stopped.text("/status")), (Some(true), "stopped"));
    assert_eq!(*place.document(["stop", "my-task"], 0).at("/changed"), false);
    assert_eq!(place.document(["ls"], 0).text("/workspaces/0/status"), "stopped");
    let outside = Place::inside(&made, "true");
    assert_eq!(outside.code, 125, "what is stopped cannot be entered");
    assert!(outside.stderr.contains("agent-workspace start --backend host agent-ws-my-task"), "{}", outside.stderr);

    let back = place.create("my-task");
    assert_eq!((back.at("/created").as_bool(), back.text("/status")), (Some(false), "running"));
    place.document(["stop", "my-task"], 0);
    assert_eq!(*place.document(["start", "my-task"], 0).at("/changed"), true);
    assert_eq!(*place.document(["start", "my-task"], 0).at("/changed"), false);
    // The same words lead in again, and to the same files; nothing of before the stop runs.
    let inside = Place::inside(&made, "cat ~/kept; grep -l sleep /proc/[0-9]*/comm | wc -l").expect(0);
    assert_eq!(inside.stdout, "kept\n1\n");

    assert_eq!(place.document(["rm", "my-task"], 5).error_code(), "unsaved_work");
    Place::does(&made, "rm ~/kept");
    let removed = place.document(["rm", "my-task"], 0);
    assert_eq!(removed.at("/removed").to_string(), r#"[{"id":"agent-ws-my-task","kind":"folder"}]"#);
    assert_eq!(place.entries(), Vec::<String>::new());
    assert_eq!(place.document(["rm", "my-task"], 3).error_code(), "workspace_not_found");
    assert_eq!(*place.document(["rm", "my-task", "--if-exists"], 0).at("/changed"), false);
}

#[test]
fn commands_that_only_look_leave_nothing() {
    let place = Place::new();
    assert_eq!(place.document(["ls"], 0).at("/workspaces").to_string(), "[]");
    place.document(["prune"], 0);
    place.document(["describe", "x"], 3);
    place.document(["create", "--no-clone", "--name", "x", "--plan"], 0);
    place.launcher(["doctor"]).json().run().document();
    assert!(!place.state().exists());
}

#[test]
fn a_repository_is_cloned_and_a_second_create_comes_back_to_it() {
    let Some(place) = Place::walled("a clone") else { return };
    let host = GitHost::new(&place, false);
    let create = || host.trusted(&place, place.launcher(["create", &host.repository(), "--name", "clone"])).json();
    let made = create().run().expect(0).document();
    assert_eq!((made.text("/repo"), made.text("/path")), ("o/r", "/work/o/r"));
    assert_eq!(made.text("/secrets/mount"), "/home/agent/codex_secrets");
    let inside = Place::inside(&made, "pwd; cat README; git status --porcelain").expect(0);
    assert_eq!(inside.stdout, "/work/o/r\nhello\n");
    assert_eq!(*create().run().expect(0).document().at("/created"), false);
    // What is on its host is nothing to lose, and the folder of the secrets stays.
    place.document(["rm", "clone"], 0);
    assert!(place.folder().join("trust/ca.pem").exists());
    assert_eq!(place.entries(), Vec::<String>::new());
}

#[test]
fn a_name_with_odd_characters_stays_inside_the_folder() {
    let Some(place) = Place::walled("odd names") else { return };
    for name in ["../../x", "a b'c\"d", "ä/ö;rm -rf", ".hidden"] {
        let made = place.create(name);
        Place::does(&made, "true");
        assert!(place.workspace(made.text("/workspace")).is_dir());
    }
    assert_eq!(place.entries(), ["agent-ws-a-b-c-d", "agent-ws-hidden", "agent-ws-rm-rf", "agent-ws-x"]);
}

#[test]
fn two_creates_of_one_name_make_one_workspace() {
    let Some(place) = Place::walled("creates in parallel") else { return };
    let create = || place.launcher(["create", "--no-clone", "--name", "one"]).json();
    let running: Vec<_> = (0..6).map(|_| create().spawn()).collect();
    let documents: Vec<_> =
        running.into_iter().map(|child| agent_workspace_tests::Ran::of(child).expect(0).document()).collect();
    assert_eq!(documents.iter().filter(|document| *document.at("/created") == true).count(), 1);
    for document in &documents {
        Place::does(document, "true");
    }
    assert_eq!(place.entries(), ["agent-ws-one"]);
}

#[test]
fn words_go_in_and_statuses_come_out_as_they_are() {
    let Some(place) = Place::walled("the transport") else { return };
    let made = place.create("words");
    let words: Vec<_> = made
        .at("/transport/exec")
        .as_array()
        .expect("as documented")
        .iter()
        .map(|word| word.as_str().expect("as documented").to_owned())
        .collect();
    let odd = ["", "a b", "$HOME `id` 'x' \"y\"", "--", "-n", "*", "two\nlines", "\\"];
    let mut command = std::process::Command::new(&words[0]);
    command
        .args(&words[1..])
        .args(["sh", "-c", "cat; for word do printf '<%s>' \"$word\"; done; exit 7", "sh"])
        .args(odd);
    let ran = agent_workspace_tests::live::run_with_input(&mut command, "input ");
    let expected: String = odd.iter().map(|word| format!("<{word}>")).collect();
    assert_eq!((ran.code, ran.stdout), (7, format!("input {expected}")));
    let elsewhere = place.document(["describe", "words", "--workdir", "/home/agent"], 0);
    assert_eq!(Place::inside(&elsewhere, "pwd").expect(0).stdout, "/home/agent\n");
    assert_eq!(Place::inside(&made, "kill -9 $$").code, 137);
}

#[test]
fn on_a_terminal_the_way_in_gives_one_and_hands_words_keys_and_the_status_on() {
    let Some(place) = Place::walled("a terminal") else { return };
    let made = place.create("terminal");
    let words = made.at("/transport/tty").as_array().expect("words").iter().map(|word| word.as_str().expect("a word"));
    let words: Vec<_> = words.collect();
    let script = "tty; stty size; printf '<%s>' \"$@\"; trap 'echo caught; exit 7' INT; read -r line; echo \"heard $line\"; while :; do sleep 0.1; done";
    let odd = ["it's", "a  b", "$HOME", "two\nlines"];
    let mut command = std::process::Command::new(words[0]);
    command
        .args(&words[1..])
        .args(["sh", "-c", script, "sh"])
        .args(odd)
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "vt100");
    let mut terminal = Terminal::run(&command);
    terminal.wait_for("/dev/pts/");
    terminal.wait_for("24 80");
    terminal.wait_for("<it's><a  b><$HOME><two\r\nlines>");
    terminal.types(b"typed\r");
    terminal.wait_for("heard typed");
    terminal.types(b"\x03");
    terminal.wait_for("caught");
    assert_eq!(terminal.end().code(), Some(7));
    assert!(terminal.is_as_before());
}

#[test]
fn a_tunnel_in_the_background_is_found_again_and_ends_with_its_workspace() {
    let Some(place) = Place::walled("a tunnel") else { return };
    let made = place.create("tunnel");
    let sleeps = format!("{}0", Place::sleeper());
    let code = format!(
        "mkdir -p ~/.local/bin && printf '#!/bin/sh\\necho Open this link in your browser https://vscode.dev/x; exec {sleeps}\\n' >~/.local/bin/code && chmod +x ~/.local/bin/code"
    );
    Place::does(&made, &code);
    let opened = place.document(["tunnel", "tunnel", "--detach"], 0);
    assert_eq!((opened.text("/tunnel_name"), opened.at("/already_running").as_bool()), ("tunnel", Some(false)));
    // The stand-in has become something else by then, which no tunnel is: one with its own name is found.
    let lasting = "printf '#!/bin/sh\\necho Open this link in your browser https://vscode.dev/x; while :; do sleep 1; done\\n' >~/.local/bin/code";
    Place::does(&made, lasting);
    place.document(["tunnel", "tunnel", "--detach"], 0);
    assert_eq!(*place.document(["tunnel", "tunnel", "--detach"], 0).at("/already_running"), true);
    assert!(Place::inside(&made, &format!("cat {}", opened.text("/log_path"))).expect(0).stdout.contains("vscode.dev"));
    place.document(["rm", "--force", "tunnel"], 0);
    assert_eq!(Place::processes(&sleeps), Vec::<String>::new());
}

#[test]
fn a_tunnel_in_front_has_the_terminal_and_ends_with_it() {
    let Some(place) = Place::walled("a tunnel in front") else { return };
    let made = place.create("front");
    let code = "mkdir -p ~/.local/bin && printf '#!/bin/sh\\necho tunnel of \"$4\"; while :; do sleep 0.1; done\\n' >~/.local/bin/code && chmod +x ~/.local/bin/code";
    Place::does(&made, code);
    let mut terminal = Terminal::run(&place.launcher(["tunnel", "front"]).command());
    terminal.wait_for("tunnel of front");
    terminal.types(b"\x03");
    assert_eq!(terminal.end().code(), Some(0), "{}", terminal.shown());
    assert!(terminal.is_as_before());
    assert_eq!(Place::inside(&made, "grep -l code /proc/[0-9]*/comm").stdout, "");
}
