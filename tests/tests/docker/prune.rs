//! `prune` on a real engine: volumes that were kept, strangers, other prefixes, and that a dry run changes nothing.

use agent_workspace_tests::Document;
use agent_workspace_tests::live::{Image, Live, docker};
use serde_json::Value;

fn items<'a>(document: &'a Document, list: &str) -> &'a Vec<Value> {
    document.at(&format!("/{list}")).as_array().expect("a list")
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn kept_volumes_stay_while_they_hold_work_and_go_when_they_do_not() {
    let live = Live::new();
    live.create("acme/hello --name kept").ok();
    live.inside("kept", "echo mine >/work/acme/hello/mine.txt");
    live.json("rm kept --keep-volumes").ok();
    let document = live.json("prune --older-than 0").ok();
    assert_eq!((items(&document, "removed").len(), items(&document, "kept").len()), (0, 2), "{}", document.0);
    assert!(document.text("/kept/0/why").contains("/work/acme/hello"), "{}", document.0);
    assert_eq!(live.volumes().len(), 2);

    live.create("acme/hello --name kept").ok();
    assert_eq!(live.inside("kept", "cat /work/acme/hello/mine.txt; rm /work/acme/hello/mine.txt"), "mine");
    live.json("rm kept --keep-volumes").ok();
    let dry = live.json("prune --older-than 0 --dry-run").ok();
    assert_eq!((items(&dry, "removed").len(), items(&dry, "kept").len()), (0, 2), "{}", dry.0);
    assert_eq!((live.containers().len(), live.volumes().len()), (0, 2));
    let document = live.json("prune --older-than 0").ok();
    let removed = items(&document, "removed");
    assert_eq!(removed.len(), 2, "{}", document.0);
    // An engine before API 1.42 is not asked what volumes take.
    let bytes: Vec<u64> = removed.iter().filter_map(|item| item["bytes"].as_u64()).collect();
    assert_eq!(*document.at("/reclaimed_bytes"), bytes.iter().sum::<u64>(), "{}", document.0);
    assert!(bytes.is_empty() || bytes.iter().any(|bytes| *bytes > 0), "{}", document.0);
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn healthy_workspaces_and_what_is_not_ours_stay_whatever_is_said() {
    let live = Live::new();
    live.create("acme/hello --name runs").ok();
    live.create("acme/hello --name stopped").ok();
    live.json("stop stopped").ok();
    live.create("acme/hello --name paused").ok();
    docker(["pause", &live.full("paused")]);
    live.create_from(Image::Busybox, "--no-clone --name plain").ok();
    live.stranger(Image::Busybox, &format!("--name {0} -v {0}-work:/work", live.full("stranger")));
    let theirs = format!("{}-work", live.full("theirs"));
    docker(["volume", "create", "--label", "owner=them", &theirs]);
    let (containers, volumes) = (live.containers(), live.volumes());
    for flags in ["", "--force", "--dry-run", "--dry-run --force"] {
        let document = live.json(&format!("prune --older-than 0 {flags}")).ok();
        assert_eq!((items(&document, "removed").len(), items(&document, "kept").len()), (0, 0), "{}", document.0);
    }
    assert_eq!((live.containers(), live.volumes()), (containers, volumes));
    assert_eq!(
        ["runs", "stopped", "paused"].map(|name| live.row(name).expect("a row")["status"].clone()),
        ["running", "stopped", "paused"]
    );
    docker(["unpause", &live.full("paused")]);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn another_prefix_is_another_teams() {
    let (mine, other) = (Live::new(), Live::new());
    for live in [&mine, &other] {
        live.create_from(Image::Busybox, "--no-clone --name x").ok();
        live.json("rm x --keep-volumes").ok();
    }
    mine.json("prune --older-than 0 --force").ok();
    assert_eq!((mine.volumes().len(), other.volumes().len()), (0, 2));
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn volumes_that_only_their_names_say_are_ours_go_by_force_alone() {
    let live = Live::new();
    let name = format!("{}-work", live.full("old"));
    docker(["volume", "create", &name]);
    let document = live.json("prune --older-than 0").ok();
    assert!(document.text("/kept/0/why").contains("--force"), "{}", document.0);
    assert_eq!(live.volumes(), [name.as_str()]);
    live.json("prune --older-than 0 --force").ok();
    live.nothing_is_left();
}
