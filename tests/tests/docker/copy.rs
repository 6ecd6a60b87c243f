//! `copy` between an engine and this machine, and between containers: the same work everywhere.

use agent_workspace_tests::live::{Answer, Image, Live, skip};
use agent_workspace_tests::work;

/// Whether workspaces of this machine have walls, so that theirs are the folders of a container.
fn walled(live: &Live) -> bool {
    let document = live.launcher("doctor --backend host").json().env("AGENT_WORKSPACE_STATE_DIR", live.folder()).run();
    let document = document.document();
    let checks = document.at("/checks").as_array().expect("checks");
    checks.iter().any(|check| check["check"] == "engine" && check["status"] == "ok")
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn work_goes_from_a_container_to_this_machine_and_back_and_is_the_same() {
    let live = Live::new();
    if !walled(&live) {
        return skip("copies to this machine, because nothing walls workspaces off here");
    }
    let run = |line: &str| Answer::to(&live.launcher(line).env("AGENT_WORKSPACE_STATE_DIR", live.folder())).ok();
    let made = live.create("acme/hello --name from --memory 1g --label k=v").ok();
    let _ = work::inside(&made, work::FILL).expect(0);
    let there = work::listing(&made);

    let out = run("copy from --name out --source-backend docker --backend host");
    assert_eq!(work::listing(&out), there);
    let said = out.at("/warnings").to_string();
    assert!(said.contains("--memory") && said.contains("--label") && said.contains("image"), "{said}");
    assert_eq!((out.text("/repo"), out.text("/path")), ("acme/hello", "/work/acme/hello"));

    // What is stopped is copied from beside, and stays so.
    run("stop out --backend host");
    let back = run("copy out --name back --source-backend host --backend docker");
    assert_eq!(work::listing(&back), there);
    assert_eq!((back.text("/backend"), back.text("/source_backend")), ("docker", "host"));
    assert_eq!(run("describe out --backend host").text("/workspace/status"), "stopped");
    run("rm --force --backend host out");

    live.json("stop from").ok();
    let again = live.json("copy from --name again").ok();
    assert_eq!(work::listing(&again), there);
    assert_eq!(again.at("/warnings").to_string(), "[]");
    assert_eq!(live.inspect("again")["Config"]["Labels"]["k"], "v");
    assert_eq!(live.row("from").expect("a row")["status"], "stopped");
    live.json("copy from --name again").fails(4, "workspace_exists");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_copy_into_a_container_that_does_not_come_to_its_end_leaves_nothing() {
    let live = Live::new();
    live.create_from(Image::Debian, "acme/hello --name from").ok();
    live.inside("from", "head -c 300M /dev/zero >/work/big");
    live.json("copy from --name to --timeout=2s").fails(124, "timeout");
    live.inside_as_root("from", "echo x >/work/closed; chmod 600 /work/closed");
    live.json("copy from --name to").fails(1, "guest_failed");
    assert!(live.row("to").is_none());
    assert!(!live.volumes().iter().any(|volume| volume.contains(&live.full("to"))));
    assert_eq!(live.row("from").expect("a row")["status"], "running");
}
