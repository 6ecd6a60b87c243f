//! One workspace from its making to its removal, as a program and as a shell script see it.

use std::process::Command;
use std::time::Duration;

use agent_workspace_tests::Launcher;
use agent_workspace_tests::live::{Image, Live, docker, network, run_with_input};
use serde_json::json;

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_workspace_is_made_listed_stopped_started_and_removed() {
    let live = Live::new();
    let name = live.full("hello");

    let made = live.create("acme/hello --name hello").ok();
    assert_eq!(made.text("/command"), "create");
    assert_eq!(made.text("/workspace"), name);
    assert_eq!(made.at("/created"), true);
    assert_eq!(made.text("/repo"), "acme/hello");
    assert_eq!(made.text("/path"), "/work/acme/hello");
    assert_eq!(made.text("/image"), Image::Agent.name());
    assert_eq!(
        made.at("/secrets"),
        &json!({ "enabled": false, "dir": null, "mount": null, "codex_profile": null, "readonly": false })
    );
    assert_eq!((made.text("/backend"), made.text("/status")), ("docker", "running"));
    assert!(made.at("/timings_ms/clone").is_u64());
    assert_eq!(made.warnings(), [""; 0]);

    // The document says how to get in, and there the clone is, with nothing in its address but the address.
    let enter: Vec<&str> =
        made.at("/transport/exec").as_array().expect("words").iter().filter_map(|w| w.as_str()).collect();
    let run = |words: &[&str]| {
        let mut command = Command::new(enter[0]);
        run_with_input(command.args(&enter[1..]).args(words), "").expect(0).stdout
    };
    assert_eq!(run(&["pwd"]), "/work/acme/hello\n");
    assert_eq!(run(&["id", "-un"]), "agent\n");
    assert_eq!(run(&["cat", "README.md"]), "# hello\nSays hello.\n");
    assert_eq!(run(&["git", "remote", "get-url", "origin"]), "https://git.test/acme/hello.git\n");
    assert_eq!(run(&["git", "status", "--porcelain"]), "");

    let row = live.row("hello").expect("a row");
    assert_eq!(
        (&row["name"], &row["status"], &row["repo"]),
        (&json!("hello"), &json!("running"), &json!("acme/hello"))
    );
    assert_eq!((&row["path"], &row["problems"]), (&json!("/work/acme/hello"), &json!([])));
    let created = row["created_at"].as_str().expect("a time");
    assert!(created.starts_with("20") && created.ends_with('Z') && created.len() == 20, "{created}");

    let described = live.json("describe hello").ok();
    assert_eq!(described.at("/workspace"), &row);
    assert_eq!(described.at("/transport"), made.at("/transport"));

    let stopped = live.json("stop hello").within(Duration::from_secs(2)).ok();
    assert_eq!((stopped.text("/workspace"), stopped.text("/status")), (name.as_str(), "stopped"));
    assert_eq!(stopped.at("/changed"), true);
    assert_eq!(live.row("hello").expect("a row")["status"], "stopped");
    let again = live.json("stop hello").ok();
    assert_eq!((again.at("/changed"), again.text("/status")), (&json!(false), "stopped"));
    assert_eq!(live.inspect("hello")["State"]["Running"], false);

    let started = live.json("start hello").ok();
    assert_eq!((started.at("/changed"), started.text("/status")), (&json!(true), "running"));
    assert_eq!(live.json("start hello").ok().at("/changed"), false);
    assert_eq!(live.inside("hello", "cat /work/acme/hello/bin/hello"), "#!/bin/sh\necho hello");

    let mut removed = live.json("rm hello").ok();
    removed.0["removed"].as_array_mut().expect("a list").sort_by_key(|item| item["id"].to_string());
    assert_eq!(
        removed.at("/removed"),
        &json!([
            { "kind": "container", "id": name },
            { "kind": "volume", "id": format!("{name}-home") },
            { "kind": "volume", "id": format!("{name}-work") },
        ])
    );
    assert_eq!((removed.at("/changed"), removed.at("/failed")), (&json!(true), &json!([])));
    live.nothing_is_left();

    let missing = live.json("rm hello").fails(3, "workspace_not_found");
    assert_eq!(missing.at("/error/retryable"), false);
    assert_eq!(live.json("rm hello --if-exists").ok().at("/changed"), false);
    for verb in ["start", "stop", "describe", "tunnel --detach"] {
        live.json(&format!("{verb} hello")).fails(3, "workspace_not_found");
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_shell_script_needs_exit_codes_and_field_and_nothing_else() {
    let live = Live::new();
    let script = live.file("life.sh", include_str!("life.sh"));
    let launcher = live.launcher("").command();
    let mut command = Command::new("sh");
    command.arg(&script).env_clear().envs(launcher.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("LAUNCHER", Launcher::binary()).env("IMAGE", Image::Agent.name()).env("NETWORK", network());
    let ran = run_with_input(&mut command, "").expect(0);
    assert_eq!(ran.stdout, include_str!("life.out").replace("PREFIX", &live.prefix()), "{}", ran.stderr);
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn people_read_lines_that_keep_their_beginnings() {
    let live = Live::new();
    let name = live.full("people");
    let made = live.creating(Image::Agent, "acme/hello --name people").run().expect(0);
    assert_eq!(made.stdout, format!("workspace: {name}\nrepo: acme/hello\npath: /work/acme/hello\n"));
    let listed = live.text("ls").expect(0).stdout;
    let row = listed.lines().find(|line| line.starts_with(&name)).expect("a row");
    let columns: Vec<&str> = row.split('\t').collect();
    assert_eq!(columns[..3], [name.as_str(), "running", "acme/hello"], "{row}");
    assert_eq!(live.text("stop people").expect(0).stdout, format!("stopped: {name}\n"));
    assert_eq!(live.text("start people").expect(0).stdout, format!("started: {name}\n"));
    let removed = live.text("rm people --volumes").expect(0).stdout;
    assert!(removed.lines().any(|line| line == format!("volumes removed: {name}")), "{removed}");
    let missing = live.text("rm people").expect(3);
    assert_eq!(missing.stdout, "");
    assert!(missing.stderr.starts_with("error: workspace not found"), "{}", missing.stderr);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn coming_back_keeps_what_is_there_and_says_what_differs() {
    let live = Live::new();
    live.create("acme/hello --name back").ok();
    live.inside("back", "echo mine >/work/acme/hello/mine.txt");
    live.json("stop back").ok();

    let again = live.create("acme/hello --name back").ok();
    assert_eq!((again.at("/created"), again.text("/status")), (&json!(false), "running"));
    assert_eq!(live.inside("back", "cat /work/acme/hello/mine.txt"), "mine");
    assert_eq!(again.warnings(), [""; 0]);

    let differs = live.create("acme/hello --name back --memory 1g --label a=b").ok();
    assert_eq!(differs.warnings(), ["spec_differs", "spec_differs"]);
    assert_eq!(live.inspect("back")["HostConfig"]["Memory"], 0);

    live.create("acme/master-only --name back").fails(4, "spec_conflict");
    live.create("acme/hello --name back --if-exists fail").fails(4, "workspace_exists");
    assert_eq!(live.inside("back", "cat /work/acme/hello/mine.txt"), "mine");

    // A frozen one is thawed.
    docker(["pause", &live.full("back")]);
    assert_eq!(live.row("back").expect("a row")["status"], "paused");
    assert_eq!(live.create("acme/hello --name back").ok().text("/status"), "running");
    docker(["pause", &live.full("back")]);
    assert_eq!(live.json("start back").ok().at("/changed"), true);
    docker(["pause", &live.full("back")]);
    live.json("stop back").within(Duration::from_secs(3)).ok();
}
