//! Names as they are typed and as the engine gets them; two creates that want the same one.

use std::collections::BTreeSet;

use agent_workspace_tests::live::{Answer, Image, Live, docker};
use serde_json::json;

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_name_typed_for_create_is_the_name_for_everything() {
    let live = Live::new();
    for (typed, full) in [("Foo Bar", "foo-bar"), ("ws-short", "short"), ("x.y/Z", "x-y-z")] {
        let named = |line: &str| Answer::to(&live.launcher(line).arg(typed));
        let made = Answer::to(&live.creating(Image::Busybox, "--no-clone --name").arg(typed)).ok();
        assert_eq!(made.text("/workspace"), live.full(full), "{typed}");
        assert_eq!(named("describe").ok().text("/workspace/name"), full);
        assert_eq!(named("stop").ok().at("/changed"), true);
        assert_eq!(named("start").ok().at("/changed"), true);
        assert_eq!(
            live.json(&format!("describe {}", live.full(full))).ok().text("/workspace/workspace"),
            live.full(full)
        );
        assert_eq!(named("rm").ok().at("/changed"), true);
    }
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn the_prefix_is_what_the_environment_says() {
    let live = Live::new();
    let prefix = format!("{}-team", live.prefix());
    let create = |line: &str| live.creating(Image::Busybox, line);
    let made = Answer::to(&create("--no-clone --name ws-x").env("AGENT_WORKSPACE_PREFIX", prefix.as_str())).ok();
    assert_eq!(made.text("/workspace"), format!("{prefix}-ws-x"));
    // The older variable counts where the newer is not set; a full name is found under any prefix.
    let other = format!("{}-old", live.prefix());
    let older =
        create("--no-clone --name y").env("AGENT_WORKSPACE_PREFIX", "").env("CODEX_WORKSPACE_PREFIX", other.as_str());
    assert_eq!(Answer::to(&older).ok().text("/workspace"), format!("{other}-y"));
    live.json(&format!("rm {other}-y")).ok();
    Answer::to(&create("--no-clone --name x").env("AGENT_WORKSPACE_PREFIX", "No Good")).fails(2, "invalid_environment");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_workspace_that_was_named_before_ws_was_dropped_is_found_by_its_short_name() {
    let live = Live::new();
    let old = live.full("ws-old");
    live.stranger(Image::Busybox, &format!("--name {old} -v {old}-work:/work --label agent-kit.workspace=1"));
    assert_eq!(live.json("describe ws-old").ok().text("/workspace/workspace"), old);
    let back = live.create_from(Image::Busybox, "--no-clone --name ws-old").ok();
    assert_eq!((back.text("/workspace"), back.at("/created")), (old.as_str(), &json!(false)));
    live.json("rm ws-old").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_name_too_long_for_a_hostname_is_cut_there_alone() {
    let live = Live::new();
    let long = "a-very-long-name-for-a-workspace-that-somebody-has-chosen-20260122-084652";
    let made = live.create_from(Image::Busybox, &format!("--no-clone --name {long}")).ok();
    assert_eq!(made.text("/workspace"), live.full(long));
    assert_eq!(made.warnings(), ["hostname_cut"]);
    let hostname = docker(["exec", &live.full(long), "hostname"]);
    assert_eq!(hostname.len(), 63);
    assert!(live.full(long).starts_with(&hostname[..50]) && hostname.ends_with("-60122-084652"), "{hostname}");
    live.create_from(Image::Busybox, &format!("--no-clone --name {}", "x".repeat(200))).fails(2, "invalid_name");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn two_creates_of_one_name_make_one_workspace_with_one_clone() {
    let live = Live::new();
    let answers = at_once(2, || live.create("acme/hello --name same"));
    let documents: Vec<_> = answers.into_iter().map(Answer::ok).collect();
    let made = documents.iter().filter(|document| document.at("/created") == true).count();
    assert_eq!(made, 1);
    assert!(documents.iter().all(|document| document.text("/path") == "/work/acme/hello"));
    assert_eq!(live.inside("same", "ls -A /work /work/acme"), "/work:\nacme\n\n/work/acme:\nhello");
    assert_eq!(live.inside("same", "git -C /work/acme/hello status -sb"), "## main...origin/main");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn many_creates_of_one_repository_make_a_workspace_each() {
    let live = Live::new();
    let answers = at_once(8, || live.create("acme/hello"));
    let documents: Vec<_> = answers.into_iter().map(Answer::ok).collect();
    assert!(documents.iter().all(|document| document.at("/created") == true));
    let names: BTreeSet<&str> = documents.iter().map(|document| document.text("/workspace")).collect();
    assert_eq!(names.len(), 8, "{names:?}");
    let stem = live.full("acme-hello-20");
    assert!(names.iter().all(|name| name.starts_with(&stem)), "{names:?}");
    assert_eq!(live.containers().len(), 8);
}

fn at_once(count: usize, create: impl Fn() -> Answer + Sync) -> Vec<Answer> {
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..count).map(|_| scope.spawn(&create)).collect();
        running.into_iter().map(|thread| thread.join().expect("a create answers")).collect()
    })
}
