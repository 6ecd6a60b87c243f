//! `rm`: what is lost, what is kept, what could not be removed.

use agent_workspace_tests::engine::{Container, Engine, Fault, Reply, Script, When};
use serde_json::json;

use crate::{fails, succeeds};

fn workspace() -> Engine {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    engine
}

#[test]
fn unsaved_work_is_refused_and_listed() {
    let engine = workspace();
    engine.answers(
        Script::UnsavedWork,
        Reply::says("changes\t3\t/work/o/r\ncommits\t1\t/work/o/r\nunchecked\t\t/work/x\n"),
    );
    let document = fails(&engine, &["rm", "a"], 5, "unsaved_work");
    assert_eq!(
        document.at("/error/details/unsaved"),
        &json!([
            { "kind": "changes", "path": "/work/o/r", "count": 3 },
            { "kind": "commits", "path": "/work/o/r", "count": 1 },
            { "kind": "unchecked", "path": "/work/x", "count": null },
        ])
    );
    assert_eq!(engine.state_of("agent-ws-a"), "running");
    assert_eq!(engine.volumes().len(), 2);
}

#[test]
fn force_removes_unsaved_work() {
    let engine = workspace();
    engine.answers(Script::UnsavedWork, Reply::says("files\t1\t/work/x\n"));
    let document = succeeds(&engine, &["rm", "a", "--force"]);
    assert_eq!(
        document.at("/removed"),
        &json!([
            { "kind": "container", "id": "agent-ws-a" },
            { "kind": "volume", "id": "agent-ws-a-work" },
            { "kind": "volume", "id": "agent-ws-a-home" },
        ])
    );
    assert_eq!((engine.containers().len(), engine.volumes().len()), (0, 0));
}

#[test]
fn people_are_told_that_volumes_are_removed_in_the_words_of_the_first_launcher() {
    assert!(workspace().text(["rm", "a"]).expect(0).stdout.contains("volumes removed"));
    assert!(workspace().text(["rm", "a", "--volumes"]).expect(0).stdout.contains("volumes removed"));
    assert!(!workspace().text(["rm", "a", "--keep-volumes"]).expect(0).stdout.contains("volumes removed"));
}

#[test]
fn a_look_that_fails_is_not_a_clean_bill() {
    let engine = workspace();
    engine.answers(Script::UnsavedWork, Reply::fails(127, "sh: not found"));
    fails(&engine, &["rm", "a"], 5, "unsaved_work");
    assert_eq!(engine.volumes().len(), 2);
}

#[test]
fn a_stopped_workspace_is_started_to_be_looked_into_and_stopped_again_when_it_stays() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("exited"));
    engine.answers(Script::UnsavedWork, Reply::says("files\t1\t/work/x\n"));
    fails(&engine, &["rm", "a"], 5, "unsaved_work");
    assert!(engine.calls().iter().any(|call| call.ends_with("/start")));
    assert_eq!(engine.state_of("agent-ws-a"), "exited");
}

#[test]
fn a_workspace_that_cannot_be_started_may_hold_work() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("exited"));
    engine.goes_wrong(When::every("POST", "/start"), Fault::refusal(500, "failed to create task"));
    let document = fails(&engine, &["rm", "a"], 5, "unsaved_work");
    assert_eq!(document.text("/error/details/unsaved/0/kind"), "unchecked");
    assert_eq!(engine.state_of("agent-ws-a"), "exited");
}

#[test]
fn volumes_can_be_kept() {
    let engine = workspace();
    engine.answers(Script::UnsavedWork, Reply::says("files\t1\t/work/x\n"));
    let document = succeeds(&engine, &["rm", "a", "--keep-volumes"]);
    assert_eq!(document.at("/removed"), &json!([{ "kind": "container", "id": "agent-ws-a" }]));
    assert_eq!(document.at("/kept").as_array().map(Vec::len), Some(2));
    assert_eq!(engine.volume_names(), ["agent-ws-a-home", "agent-ws-a-work"]);
    assert_eq!(engine.containers().len(), 0);
}

#[test]
fn kept_volumes_are_found_again_and_removed_only_by_force() {
    let engine = workspace();
    succeeds(&engine, &["rm", "a", "--keep-volumes"]);
    let document = fails(&engine, &["rm", "a"], 5, "unsaved_work");
    assert_eq!(document.text("/error/details/unsaved/0/kind"), "unchecked");
    let document = succeeds(&engine, &["rm", "a", "--force"]);
    assert_eq!(document.at("/removed").as_array().map(Vec::len), Some(2));
    assert_eq!(engine.volumes().len(), 0);
}

#[test]
fn keeping_what_has_no_container_is_not_found() {
    let engine = workspace();
    succeeds(&engine, &["rm", "a", "--keep-volumes"]);
    fails(&engine, &["rm", "a", "--keep-volumes"], 3, "workspace_not_found");
    assert_eq!(engine.volumes().len(), 2);
}

#[test]
fn what_is_not_there_is_not_found_and_never_claimed_to_be_removed() {
    let engine = Engine::start();
    fails(&engine, &["rm", "a"], 3, "workspace_not_found");
    fails(&engine, &["rm", "a", "--force"], 3, "workspace_not_found");
    let ran = engine.text(["rm", "a"]).expect(3);
    assert_eq!(ran.stdout, "");
    let document = succeeds(&engine, &["rm", "a", "--if-exists"]);
    assert_eq!((document.at("/changed"), document.at("/removed")), (&false.into(), &json!([])));
    assert!(!engine.text(["rm", "a", "--if-exists"]).expect(0).stdout.contains("removed"));
}

#[test]
fn volumes_that_are_in_use_make_it_partial_with_lists() {
    let engine = workspace();
    engine.has(Container::unmarked("other"));
    let in_use = Fault::refusal(409, "remove agent-ws-a-home: volume is in use - [abc]");
    engine.goes_wrong(When::every("DELETE", "/agent-ws-a-home"), in_use);
    let document = fails(&engine, &["rm", "a"], 8, "partial");
    let details = document.at("/error/details");
    assert_eq!(
        details["removed"],
        json!([{ "kind": "container", "id": "agent-ws-a" }, { "kind": "volume", "id": "agent-ws-a-work" }])
    );
    assert_eq!(details["failed"][0]["id"], "agent-ws-a-home");
    assert!(details["failed"][0]["message"].as_str().is_some_and(|message| message.contains("in use")), "{details}");
    assert_eq!(engine.volume_names(), ["agent-ws-a-home", "other-home", "other-work"]);
}

#[test]
fn a_container_that_cannot_be_removed_keeps_its_volumes() {
    let engine = workspace();
    let failed = Fault::refusal(500, "driver \"overlay2\" failed to remove root filesystem: device or resource busy");
    engine.goes_wrong(When::every("DELETE", &engine.containers()[0].id), failed);
    let ran = engine.json(["rm", "a", "--force"]);
    assert!([1, 8].contains(&ran.code), "{}", ran.stdout);
    assert!(ran.document().0.to_string().contains("resource busy"), "{}", ran.stdout);
    assert_eq!(engine.volumes().len(), 2, "volumes of a container that is there are not removed");
}

#[test]
fn volumes_of_others_that_are_merely_called_alike_stay() {
    let engine = workspace();
    for name in ["agent-ws-a-cache", "agent-ws-ab-work", "my-agent-ws-a-work", "a-work", "a-home"] {
        engine.has_volume(name);
    }
    succeeds(&engine, &["rm", "a", "--force"]);
    assert_eq!(
        engine.volume_names(),
        ["a-home", "a-work", "agent-ws-a-cache", "agent-ws-ab-work", "my-agent-ws-a-work"]
    );
}

#[test]
fn volumes_of_others_stay_also_when_there_is_no_workspace_of_the_name() {
    let engine = Engine::start();
    for name in ["db-work", "db-home", "my-agent-ws-db-work"] {
        engine.has_volume(name);
    }
    let ran = engine.json(["rm", "db", "--force"]);
    assert_eq!(engine.volume_names(), ["db-home", "db-work", "my-agent-ws-db-work"], "{}", ran.stdout);
    assert_eq!(ran.expect(3).document().error_code(), "workspace_not_found");
}

#[test]
fn a_removal_by_somebody_else_meanwhile_is_no_failure() {
    let engine = workspace();
    let gone = Fault::refusal(404, "No such container").after_doing_it();
    engine.goes_wrong(When::first("DELETE", &engine.containers()[0].id), gone);
    let document = succeeds(&engine, &["rm", "a", "--force"]);
    assert_eq!(document.at("/removed").as_array().map(Vec::len), Some(2), "the volumes alone are ours");
    assert_eq!(engine.volumes().len(), 0);
}

#[test]
fn a_removal_that_is_under_way_is_waited_for_and_then_the_volumes_go() {
    let engine = workspace();
    let busy = Fault::refusal(409, "removal of container abc is already in progress").after_doing_it();
    engine.goes_wrong(When::first("DELETE", &engine.containers()[0].id), busy);
    succeeds(&engine, &["rm", "a"]);
    assert_eq!((engine.containers().len(), engine.volumes().len()), (0, 0));
}

#[test]
fn what_is_paused_is_not_thawed_to_be_looked_into() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("paused"));
    fails(&engine, &["rm", "a"], 5, "unsaved_work");
    assert_eq!(engine.state_of("agent-ws-a"), "paused");
    succeeds(&engine, &["rm", "a", "--force"]);
    assert_eq!(engine.state_of("agent-ws-a"), "gone");
}
