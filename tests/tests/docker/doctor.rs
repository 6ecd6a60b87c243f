//! `doctor` on a real engine.

use agent_workspace_tests::live::{Answer, Live, docker};
use serde_json::Value;

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_engine_that_serves_every_other_test_is_healthy() {
    let live = Live::new();
    docker(["volume", "create", &format!("{}-work", live.full("left"))]);
    let answer = Answer::to(&live.launcher("doctor")).within(std::time::Duration::from_secs(10));
    let document = answer.ok();
    let checks = document.at("/checks").as_array().expect("a list");
    let check = |name: &str| checks.iter().find(|check| check["check"] == name).expect("it is made");
    assert!(checks.iter().all(|check| check["status"] != "skipped"), "{}", document.0);
    assert!(check("engine")["message"].as_str().is_some_and(|said| said.starts_with("Docker ")), "{}", document.0);
    assert!(check("disk")["message"].as_str().is_some_and(|said| said.contains(" are free in /")), "{}", document.0);
    assert_eq!(check("image")["fix"], Value::Null, "the image was built before the tests: {}", document.0);
    assert_eq!(check("prefix")["status"], "ok");
    assert_eq!(live.volumes().len(), 1, "nothing is touched");
}
