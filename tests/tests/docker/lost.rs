//! The engine is not there, or goes away in the middle.

use agent_workspace_tests::live::{Answer, FaultProxy, Image, Live};

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_engine_that_is_not_there_is_named_with_its_address() {
    let live = Live::new();
    let nowhere = live.folder().join("nowhere.sock");
    for verb in ["ls", "create --no-clone --name x", "rm x --force", "stop x", "tunnel x --detach"] {
        let address = format!("unix://{}", nowhere.display());
        let document =
            Answer::to(&live.launcher(verb).env("DOCKER_HOST", address.as_str())).fails(7, "engine_unavailable");
        assert_eq!(document.text("/error/details/address"), address);
        assert_eq!(document.at("/error/retryable"), true);
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_create_whose_engine_goes_away_says_what_it_leaves_and_the_next_one_makes_it_whole() {
    let live = Live::new();
    for (image, line) in [(Image::Busybox, "--no-clone --name gone"), (Image::Agent, "acme/hello --name gone")] {
        let launcher = live.creating(image, line);
        let whole = FaultProxy::watching(live.folder());
        Answer::to(&launcher.clone().env("DOCKER_HOST", whole.address())).ok();
        live.json("rm gone").ok();
        for number in 1..=whole.requests().len() {
            let engine = FaultProxy::gone_from(live.folder(), number);
            let answer = Answer::to(&launcher.clone().env("DOCKER_HOST", engine.address()));
            let document = answer.fails(7, "engine_unavailable");
            let left = document.0.pointer("/error/details/left_behind").map(ToString::to_string).unwrap_or_default();
            assert!(left.contains(&live.full("gone")), "request {number}: {}", document.0);
            // The first error is the one that is told, and what could not be undone is said after it.
            assert!(document.text("/error/message").starts_with("could not "), "request {number}: {}", document.0);
            assert_eq!(live.containers().len(), usize::from(number > 1), "request {number}: {}", document.0);

            let again = Answer::to(&launcher).ok();
            assert_eq!((again.at("/created"), again.text("/status")), (&(number == 1).into(), "running"));
            let state = live.inside("gone", "id -un; ls -A /work");
            assert_eq!(state, if image == Image::Agent { "agent\nacme" } else { "agent" }, "request {number}");
            live.json("rm gone").ok();
            live.nothing_is_left();
        }
    }
}
