//! An answer that is lost: what a script said never came, though the script has ended well; or an order was carried out
//! and nobody heard.

use agent_workspace_tests::engine::{Container, Engine, Fault, Reply, Script, When};

use crate::{fails, succeeds};

/// A running workspace, inside which a script says nothing.
fn silent(script: Script) -> Engine {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    engine.answers(script, Reply::default());
    engine
}

#[test]
fn silence_does_not_mean_that_nothing_would_be_lost() {
    let engine = silent(Script::UnsavedWork);
    fails(&engine, &["rm", "a"], 7, "engine_unavailable");
    assert_eq!((engine.state_of("agent-ws-a").as_str(), engine.volumes().len()), ("running", 2));
}

#[test]
fn what_was_found_before_the_silence_is_enough_to_refuse() {
    let engine = silent(Script::UnsavedWork);
    engine.answers(Script::UnsavedWork, Reply::says("files\t1\t/work/x\n"));
    fails(&engine, &["rm", "a"], 5, "unsaved_work");
}

#[test]
fn a_clone_that_does_not_say_how_it_ended_is_taken_back() {
    let engine = Engine::start();
    engine.answers(Script::Clone, Reply::default());
    fails(&engine, &["create", "o/r", "--name", "a", "--image", "ready:1"], 7, "engine_unavailable");
    assert_eq!(engine.made_by_create(), [""; 0]);
}

#[test]
fn a_tunnel_that_does_not_say_how_it_is_is_ended() {
    let engine = silent(Script::Tunnel);
    fails(&engine, &["tunnel", "a", "--detach"], 7, "engine_unavailable");
    // The script that starts it, and the one that takes that back.
    assert_eq!(engine.runs(Script::Tunnel).len(), 2);
}

#[test]
fn a_removal_whose_answer_is_lost_is_asked_for_again() {
    for order in ["DELETE /containers", "DELETE /volumes/agent-ws-a-work"] {
        for fault in [Fault::cut(), Fault::cut().after_doing_it(), Fault::refusal(500, "device or resource busy")] {
            let engine = Engine::start();
            engine.has(Container::workspace("a"));
            engine.goes_wrong(When::call(order), fault);
            let removed = succeeds(&engine, &["rm", "a"]);
            assert_eq!(removed.at("/removed").as_array().map(Vec::len), Some(3), "{}", removed.0);
            assert_eq!((engine.containers().len(), engine.volumes().len()), (0, 0));
            assert_eq!(engine.calls().iter().filter(|call| call.starts_with("DELETE")).count(), 4);
        }
    }
}

#[test]
fn a_removal_that_fails_twice_has_failed() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    engine.goes_wrong(When::every("DELETE", "-work"), Fault::refusal(500, "device or resource busy"));
    let document = fails(&engine, &["rm", "a"], 8, "partial");
    assert_eq!(document.text("/error/details/failed/0/message"), "device or resource busy");
    // What somebody else holds the engine will not give, and it is not asked twice.
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    engine.has(Container::stranger("other").mounting("agent-ws-a-work", "/data"));
    fails(&engine, &["rm", "a"], 8, "partial");
    assert_eq!(engine.calls().iter().filter(|call| call.starts_with("DELETE")).count(), 3);
}

#[test]
fn a_volume_that_nobody_holds_any_more_is_asked_for_until_the_engine_lets_go() {
    let engine = Engine::start();
    engine.has(Container::workspace("a"));
    engine.goes_wrong(When::call("DELETE /volumes/agent-ws-a-work"), Fault::refusal(409, "volume is in use"));
    assert_eq!(succeeds(&engine, &["rm", "a"]).at("/removed").as_array().map(Vec::len), Some(3));
    assert_eq!(engine.calls().iter().filter(|call| call.starts_with("DELETE")).count(), 4);
}
