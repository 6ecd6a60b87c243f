//! Images that are not there: pulled, built, or said to be absent.

use agent_workspace_tests::engine::Engine;

use crate::{fails, succeeds};

const DEFAULT: &str = concat!("agent-workspace:", env!("CARGO_PKG_VERSION"));

fn asked(engine: &Engine, what: &str) -> usize {
    engine.calls().iter().filter(|call| call.starts_with(what)).count()
}

#[test]
fn an_image_that_is_absent_is_pulled_with_progress() {
    let engine = Engine::start();
    engine.registry_has("debian:bookworm");
    let ran = engine.json(["create", "--no-clone", "--name", "a", "--image", "debian:bookworm"]).expect(0);
    assert_eq!(ran.document().text("/image"), "debian:bookworm");
    assert!(ran.stderr.contains("pulling image debian:bookworm"), "{}", ran.stderr);
    assert!(ran.stderr.contains("Pull complete"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("Downloading"), "milestones, not megabytes: {}", ran.stderr);
    assert!(engine.calls().contains(&"POST /images/create?fromImage=debian&tag=bookworm".to_owned()));
}

#[test]
fn without_a_tag_the_latest_is_pulled_and_not_all() {
    let engine = Engine::start();
    engine.registry_has("debian:latest");
    succeeds(&engine, &["create", "--no-clone", "--name", "a", "--image", "debian"]);
    assert_eq!(asked(&engine, "POST /images/create?fromImage=debian&tag=latest"), 1);
}

#[test]
fn quiet_pulls_say_nothing() {
    let engine = Engine::start();
    engine.registry_has("debian:bookworm");
    let args = ["--quiet", "create", "--no-clone", "--name", "a", "--image", "debian:bookworm"];
    assert_eq!(engine.json(args).expect(0).stderr, "");
}

#[test]
fn pulls_are_events_for_programs() {
    let engine = Engine::start();
    engine.registry_has("debian:bookworm");
    let ran =
        engine.json(["create", "--no-clone", "--name", "a", "--image", "debian:bookworm", "--log-format", "json"]);
    let events: Vec<serde_json::Value> =
        ran.stderr.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    assert_eq!(events[0]["event"], "version");
    assert!(events.iter().any(|event| event["event"] == "pull_progress"), "{events:?}");
}

#[test]
fn an_image_that_no_registry_has_is_not_found() {
    let engine = Engine::start();
    let document =
        fails(&engine, &["create", "--no-clone", "--name", "a", "--image", "nosuch:1"], 3, "image_not_found");
    assert_eq!(document.text("/error/details/image"), "nosuch:1");
    assert_eq!(asked(&engine, "POST /images"), 1);
    assert_eq!(asked(&engine, "POST /build"), 0, "only the built-in image is built");
}

#[test]
fn no_pull_means_no_pull_and_no_build() {
    for image in [&["--image", "nosuch:1"][..], &[]] {
        let engine = Engine::start();
        let args = [&["create", "--no-clone", "--name", "a", "--no-pull"][..], image].concat();
        fails(&engine, &args, 3, "image_not_found");
        assert_eq!(asked(&engine, "POST /images") + asked(&engine, "POST /build"), 0);
    }
}

#[test]
fn the_id_of_an_absent_image_is_not_pulled() {
    let engine = Engine::start();
    let image = format!("sha256:{}", "0".repeat(64));
    fails(&engine, &["create", "--no-clone", "--name", "a", "--image", &image], 3, "image_not_found");
    assert_eq!(asked(&engine, "POST /images"), 0);
}

#[test]
fn a_registry_that_wants_credentials_is_an_auth_failure() {
    for message in [
        "Head \"https://r.test/v2/x/manifests/1\": unauthorized: authentication required",
        "Head \"https://r.test/v2/x/manifests/1\": no basic auth credentials",
    ] {
        let engine = Engine::start();
        engine.registry_refuses("r.test/x:1", 500, message);
        fails(&engine, &["create", "--no-clone", "--name", "a", "--image", "r.test/x:1"], 6, "registry_auth_failed");
        let engine = Engine::start();
        engine.pull_breaks("r.test/x:1", message);
        fails(&engine, &["create", "--no-clone", "--name", "a", "--image", "r.test/x:1"], 6, "registry_auth_failed");
    }
}

#[test]
fn an_image_that_cannot_be_pulled_is_absent_with_the_registrys_own_words() {
    for message in [
        "Get \"https://r.test/v2/\": dial tcp: lookup r.test on 127.0.0.1:53: no such host",
        "Get \"https://r.test/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded)",
        "toomanyrequests: You have reached your pull rate limit.",
    ] {
        let engine = Engine::start();
        engine.registry_refuses("r.test/x:1", 500, message);
        let document =
            fails(&engine, &["create", "--no-clone", "--name", "a", "--image", "r.test/x:1"], 3, "image_not_found");
        assert_eq!(document.text("/error/causes/0"), message);
    }
}

#[test]
fn a_full_disk_is_named_wherever_it_strikes_a_pull() {
    let message = "write /var/lib/docker/tmp/GetImageBlob1: no space left on device";
    let engine = Engine::start();
    engine.registry_refuses("debian:1", 500, message);
    fails(&engine, &["create", "--no-clone", "--name", "a", "--image", "debian:1"], 1, "disk_full");
    engine.pull_breaks("debian:1", message);
    fails(&engine, &["create", "--no-clone", "--name", "a", "--image", "debian:1"], 1, "disk_full");
}

#[test]
fn the_built_in_image_is_pulled_when_a_registry_has_it() {
    let engine = Engine::start();
    engine.registry_has(DEFAULT);
    succeeds(&engine, &["create", "--no-clone", "--name", "a"]);
    assert_eq!(asked(&engine, "POST /build"), 0);
}

#[test]
fn the_built_in_image_is_built_when_no_registry_has_it() {
    let engine = Engine::start();
    let document = succeeds(&engine, &["create", "--no-clone", "--name", "a"]);
    assert_eq!(document.text("/image"), DEFAULT);
    assert_eq!(asked(&engine, "POST /build"), 1);
}

#[test]
fn a_failed_build_shows_its_last_lines() {
    let engine = Engine::start();
    engine.build_fails("The command '/bin/sh -c apt-get install git' returned a non-zero code: 100");
    for args in [&["create", "--no-clone", "--name", "a"][..], &["image", "build"]] {
        let document = fails(&engine, args, 1, "image_build_failed");
        let lines = document.at("/error/details/last_lines").to_string();
        assert!(lines.contains("Unable to locate package git"), "{lines}");
        assert!(document.text("/error/causes/0").contains("returned a non-zero code: 100"), "{document:?}");
    }
}

#[test]
fn a_full_disk_is_named_when_it_strikes_a_build() {
    let engine = Engine::start();
    engine.build_fails("mkdir /var/lib/docker/x: no space left on device");
    fails(&engine, &["image", "build"], 1, "disk_full");
}

#[test]
fn image_build_says_what_it_made_of_what() {
    let engine = Engine::start();
    let document = succeeds(&engine, &["image", "build", "--base", "debian:trixie", "--tag=mine:2"]);
    assert_eq!(document.text("/image"), "mine:2");
    assert_eq!(document.text("/base"), "debian:trixie");
    assert_eq!(document.text("/id"), "sha256:b111");
    let build = engine.calls().pop().expect("a build");
    assert!(build.contains("t=mine:2") && build.contains(r#""BASE":"debian:trixie""#), "{build}");
    let context = engine.requests().pop().expect("a build").body;
    assert!(context.starts_with(b"Dockerfile\0"), "the context is a tar with the Dockerfile alone");
}

#[test]
fn a_network_that_is_missing_is_not_found_and_nothing_is_left() {
    let engine = Engine::start();
    let args = ["create", "--no-clone", "--name", "a", "--image", "ready:1", "--network", "nosuch"];
    let document = fails(&engine, &args, 3, "network_not_found");
    assert_eq!(document.text("/error/details/network"), "nosuch");
    assert_eq!(engine.made_by_create(), [""; 0]);
}
