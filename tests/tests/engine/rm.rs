//! `rm`: what is lost, what is kept, what could not be removed.

use agent_workspace_tests::engine::{Container, Engine, Fault, Reply, Script, When, tar_of};
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

/// What is there of a workspace `a` that is all there, in this state, and nothing that looked into it.
fn is_as_it_was(engine: &Engine, state: &str) {
    assert_eq!((engine.containers().len(), engine.state_of("agent-ws-a").as_str()), (1, state), "{:?}", engine.calls());
    assert_eq!(engine.volume_names(), ["agent-ws-a-home", "agent-ws-a-work"]);
    let touched = |call: &String| call.starts_with("POST /containers/<agent-ws-a>/");
    assert!(!engine.calls().iter().any(touched), "{:?}", engine.calls());
}

#[test]
fn what_does_not_run_is_looked_into_without_being_touched() {
    for state in ["exited", "paused", "created", "dead"] {
        let engine = Engine::start();
        engine.has(Container::workspace("a").state(state));
        engine.answers(Script::UnsavedWork, Reply::says("files\t1\t/work/x\n"));
        let document = fails(&engine, &["rm", "a"], 5, "unsaved_work");
        assert_eq!(document.text("/error/details/unsaved/0/path"), "/work/x");
        is_as_it_was(&engine, state);

        engine.answers(Script::UnsavedWork, Reply::says("end\n"));
        succeeds(&engine, &["rm", "a"]);
        assert_eq!((engine.containers().len(), engine.volumes().len()), (0, 0), "{state}");
    }
}

#[test]
fn what_looks_can_change_nothing_and_is_no_workspace() {
    let engine = Engine::start();
    engine.has(Container::workspace("a").state("exited"));
    succeeds(&engine, &["rm", "a"]);
    let body = engine.create_body();
    assert_eq!(body["Image"], "sha256:ready:1");
    assert_eq!(body["Labels"]["agent-workspace.view"], "agent-ws-a");
    assert_eq!(body["Labels"]["agent-kit.workspace"], "");
    let host = &body["HostConfig"];
    assert_eq!((&host["NetworkMode"], &host["AutoRemove"]), (&json!("none"), &json!(true)));
    assert_eq!((&host["CapDrop"], &host["CapAdd"]), (&json!(["ALL"]), &json!(null)));
    assert_eq!((&host["SecurityOpt"], &host["ReadonlyRootfs"]), (&json!(["no-new-privileges"]), &json!(true)));
    let mounts = host["Mounts"].as_array().expect("mounts");
    let places: Vec<_> = mounts.iter().map(|mount| (&mount["Source"], &mount["Target"], &mount["ReadOnly"])).collect();
    assert_eq!(
        places,
        [
            (&json!("agent-ws-a-work"), &json!("/work"), &json!(true)),
            (&json!("agent-ws-a-home"), &json!("/home/agent"), &json!(true)),
        ]
    );
    assert_eq!(engine.runs(Script::UnsavedWork)[0].1, "agent");
}

#[test]
fn what_looks_is_not_listed_and_cannot_be_removed_as_a_workspace() {
    let engine = Engine::start();
    engine.has_ready_image("of-a-workspace:1");
    engine.has(
        Container::stranger("agent-ws-a-view-01234567")
            .label("agent-kit.workspace", "")
            .label("agent-workspace.version", "0")
            .label("agent-workspace.view", "agent-ws-a"),
    );
    assert_eq!(succeeds(&engine, &["ls"]).at("/workspaces"), &json!([]));
    fails(&engine, &["rm", "agent-ws-a-view-01234567", "--force"], 4, "name_taken");
}

#[test]
fn a_user_that_only_the_stopped_container_knows_looks_by_its_number() {
    let plain = |engine: &Engine| {
        engine.has(
            Container::unmarked("agent-ws-a")
                .state("exited")
                .label("agent-kit.workspace", "1")
                .label("agent-workspace.version", "0"),
        );
    };
    let engine = Engine::start();
    plain(&engine);
    let passwd = b"root:x:0:0::/root:/bin/sh\nagent:x:1001:1002::/home/agent:/bin/sh\n";
    engine.has_archive("/etc/passwd", tar_of(&[("passwd", passwd)]));
    succeeds(&engine, &["rm", "a"]);
    assert_eq!(engine.runs(Script::UnsavedWork)[0].1, "1001:1002");

    // Never prepared: nobody has worked in it under that name.
    let engine = Engine::start();
    plain(&engine);
    succeeds(&engine, &["rm", "a"]);
    assert_eq!(engine.runs(Script::UnsavedWork)[0].1, "0");
}

#[test]
fn a_clone_that_is_on_no_volume_is_brought_to_where_it_is_looked_at() {
    let recorded = r#"{"image":"ready:1","path":"/srv/x"}"#;
    let stopped = || Container::workspace("a").state("exited").label("agent-workspace.spec", recorded);
    let engine = Engine::start();
    engine.has(stopped());
    let clone = tar_of(&[("./.git/HEAD", b"ref: refs/heads/main")]);
    engine.has_archive("/srv/x/.", clone.clone());
    for flags in [&["rm", "a"][..], &["rm", "a", "--keep-volumes"]] {
        engine.answers(Script::UnsavedWork, Reply::says("stashes\t1\t/srv/x\n"));
        fails(&engine, flags, 5, "unsaved_work");
        let sent: Vec<_> = engine.requests().into_iter().filter(|request| request.method == "PUT").collect();
        assert_eq!(sent.last().expect("it was brought").body, clone);
        is_as_it_was(&engine, "exited");
    }
    let words: Vec<_> = engine.runs(Script::UnsavedWork).into_iter().map(|(words, _)| words).collect();
    assert!(words.contains(&["/work", "/home/agent", "", "beside", "/srv/x"].map(str::to_owned).to_vec()), "{words:?}");
    assert!(words.contains(&["", "", "", "beside", "/srv/x"].map(str::to_owned).to_vec()), "{words:?}");
}

#[test]
fn what_cannot_be_looked_into_may_hold_work() {
    let faults: [(&str, Fault); 4] = [
        ("POST /containers/create", Fault::refusal(500, "no space left on device")),
        ("POST /containers/create", Fault::refusal(404, "No such image: sha256:0")),
        ("POST /containers/<agent-ws-a-view-<id>>/start", Fault::refusal(500, "failed to create task")),
        ("POST /exec/<unsaved-work>/start", Fault::refusal(500, "no such process")),
    ];
    for (call, fault) in faults {
        let engine = Engine::start();
        engine.has(Container::workspace("a").state("exited"));
        engine.goes_wrong(When::call(call), fault);
        let ran = engine.json(["rm", "a"]);
        assert!([1, 5].contains(&ran.code), "{call}: {}", ran.stdout);
        if ran.code == 5 {
            assert_eq!(ran.document().text("/error/details/unsaved/0/kind"), "unchecked");
        }
        is_as_it_was(&engine, "exited");
    }
}

#[test]
fn an_answer_that_is_lost_leaves_nothing_that_looks() {
    for call in
        ["POST /containers/create", "POST /containers/<agent-ws-a-view-<id>>/start", "POST /exec/<unsaved-work>"]
    {
        let engine = Engine::start();
        engine.has(Container::workspace("a").state("exited"));
        engine.goes_wrong(When::call(call), Fault::cut().after_doing_it());
        fails(&engine, &["rm", "a"], 7, "engine_unavailable");
        is_as_it_was(&engine, "exited");
    }
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
fn volumes_without_a_container_are_looked_at_where_there_is_an_image_to_look_with() {
    let engine = workspace();
    let agent_image = format!("agent-workspace:{}", env!("CARGO_PKG_VERSION"));
    engine.has_ready_image(&agent_image);
    succeeds(&engine, &["rm", "a", "--keep-volumes"]);
    engine.has_volume("agent-ws-a-agent-home");
    engine.answers(Script::UnsavedWork, Reply::says("commits\t2\t/work/o/r\n"));
    let document = fails(&engine, &["rm", "a"], 5, "unsaved_work");
    assert_eq!(document.at("/error/details/unsaved/0"), &json!({ "kind": "commits", "path": "/work/o/r", "count": 2 }));
    assert!(document.text("/error/hint").contains("create --no-clone --name agent-ws-a"), "{}", document.0);
    assert_eq!((engine.containers().len(), engine.volumes().len()), (0, 3));
    let host = engine.create_body()["HostConfig"].clone();
    let mount = |place: usize| (host["Mounts"][place]["Target"].clone(), host["Mounts"][place]["ReadOnly"].clone());
    let mounts = [mount(0), mount(1), mount(2)];
    assert!(
        ["/work", "/home/agent", "/home/agent/.agents"].iter().all(|at| mounts.contains(&(json!(at), json!(true))))
    );

    engine.answers(Script::UnsavedWork, Reply::says("end\n"));
    let document = succeeds(&engine, &["rm", "a"]);
    assert_eq!(document.at("/removed").as_array().map(Vec::len), Some(3));
    assert_eq!((engine.containers().len(), engine.volumes().len()), (0, 0));
}

#[test]
fn the_third_volume_of_old_launchers_goes_too() {
    let old = || Container::old_workspace("a").state("exited");
    let engine = Engine::start();
    engine.has(old().mounting("agent-ws-a-agent-home", "/home/agent/.agents"));
    let document = succeeds(&engine, &["rm", "a"]);
    assert_eq!(document.at("/removed").as_array().map(Vec::len), Some(4));
    assert_eq!(engine.volumes().len(), 0);

    // There, and not mounted: only who wants everything gone is sure of it, and others are told that it stays.
    for (flags, left) in
        [(&["rm", "a"][..], 1), (&["rm", "a", "--keep-volumes", "--force"], 3), (&["rm", "a", "--force"], 0)]
    {
        let engine = Engine::start();
        engine.has(old());
        engine.has_volume("agent-ws-a-agent-home");
        let document = succeeds(&engine, flags);
        assert_eq!(engine.volumes().len(), left, "{flags:?}");
        let mut kept: Vec<_> =
            document.at("/kept").as_array().expect("a list").iter().map(|item| item["id"].clone()).collect();
        kept.sort_by_key(ToString::to_string);
        assert_eq!(kept, engine.volume_names(), "{flags:?}");
    }

    // Whether it is there cannot be told: the others go, and that is said.
    let engine = Engine::start();
    engine.has(old());
    engine.goes_wrong(When::every("GET", "/agent-ws-a-agent-home"), Fault::refusal(500, "database is locked"));
    let document = fails(&engine, &["rm", "a"], 8, "partial");
    assert_eq!(document.text("/error/details/failed/0/id"), "agent-ws-a-agent-home");
    assert_eq!((engine.containers().len(), engine.volumes().len()), (0, 0));

    // The home of another workspace, whose work is beside it.
    let engine = Engine::start();
    engine.has(old());
    engine.has_volume("agent-ws-a-agent-home");
    engine.has_volume("agent-ws-a-agent-work");
    succeeds(&engine, &["rm", "a", "--force"]);
    assert_eq!(engine.volume_names(), ["agent-ws-a-agent-home", "agent-ws-a-agent-work"]);
    let engine = Engine::start();
    engine.has(old());
    succeeds(&engine, &["create", "--no-clone", "--name", "a-agent", "--image", "ready:1"]);
    succeeds(&engine, &["rm", "a-agent", "--keep-volumes"]);
    succeeds(&engine, &["rm", "a", "--force"]);
    assert_eq!(engine.volume_names(), ["agent-ws-a-agent-home", "agent-ws-a-agent-work"]);
}

#[test]
fn what_is_in_a_container_without_volumes_is_looked_at_also_when_volumes_are_kept() {
    for state in ["running", "exited"] {
        let engine = Engine::start();
        engine.has(Container::old_workspace("a").without_volumes().state(state));
        engine.has_archive("/work/.", tar_of(&[("./x", b"x")]));
        engine.answers(Script::UnsavedWork, Reply::says("files\t1\t/work/x\n"));
        for flags in [&["rm", "a"][..], &["rm", "a", "--keep-volumes"]] {
            fails(&engine, flags, 5, "unsaved_work");
        }
        assert_eq!((engine.containers().len(), engine.state_of("agent-ws-a").as_str()), (1, state));
        engine.answers(Script::UnsavedWork, Reply::says("end\n"));
        let document = succeeds(&engine, &["rm", "a"]);
        assert_eq!(document.at("/removed"), &json!([{ "kind": "container", "id": "agent-ws-a" }]));
    }
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
fn volumes_that_carry_somebody_elses_label_stay_whatever_they_are_called() {
    let engine = Engine::start();
    engine.has_ready_image(&format!("agent-workspace:{}", env!("CARGO_PKG_VERSION")));
    for ending in ["work", "home", "agent-home"] {
        engine.has_volume_of_somebody_else(&format!("agent-ws-a-{ending}"));
    }
    for flags in [&["rm", "a"][..], &["rm", "a", "--force"], &["rm", "agent-ws-a", "--force"]] {
        fails(&engine, flags, 3, "workspace_not_found");
        assert_eq!(engine.volumes().len(), 3, "{flags:?}");
    }
    // Beside one of ours, and beside an old workspace that does not mount it.
    engine.has_volume_of("agent-ws-b-work", "agent-ws-b", "0a");
    engine.has_volume_of_somebody_else("agent-ws-b-home");
    let document = succeeds(&engine, &["rm", "b", "--force"]);
    assert_eq!(document.at("/removed"), &json!([{ "kind": "volume", "id": "agent-ws-b-work" }]));
    engine.has(Container::old_workspace("c"));
    engine.has_volume_of_somebody_else("agent-ws-c-agent-home");
    let document = succeeds(&engine, &["rm", "c", "--force"]);
    assert_eq!(document.at("/removed").as_array().map(Vec::len), Some(3));
    assert!(engine.volume_names().contains(&"agent-ws-c-agent-home".to_owned()), "{:?}", engine.volume_names());
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
fn volumes_of_a_workspace_that_is_being_made_are_not_leftovers() {
    // The engine has listed its container, and shows it at the third look.
    let being_made = || {
        let engine = workspace();
        for look in 1..=2 {
            let when = When::Call("GET /containers/<agent-ws-a>/json".to_owned(), look);
            engine.goes_wrong(when, Fault::refusal(404, "No such container: agent-ws-a"));
        }
        engine
    };
    let engine = being_made();
    let document = succeeds(&engine, &["rm", "a", "--force"]);
    assert_eq!(document.at("/removed").as_array().map(Vec::len), Some(3), "{document:?}");
    assert_eq!((engine.containers().len(), engine.volumes().len()), (0, 0));

    // Its work is looked for like anybody's.
    let engine = being_made();
    engine.answers(Script::UnsavedWork, Reply::says("files\t1\t/work/x\n"));
    fails(&engine, &["rm", "a"], 5, "unsaved_work");
    assert_eq!((engine.state_of("agent-ws-a").as_str(), engine.volumes().len()), ("running", 2));
}

#[test]
fn a_removal_that_the_engine_refuses_is_over_at_once_and_nothing_is_said_to_be_left() {
    let engine = workspace();
    engine.goes_wrong(When::every("DELETE", ""), Fault::refusal(500, "device or resource busy"));
    let since = std::time::Instant::now();
    let document = fails(&engine, &["rm", "a", "--force"], 1, "engine_error");
    // It is not waited for what stays.
    assert!(since.elapsed() < std::time::Duration::from_secs(4), "{:?}", since.elapsed());
    assert!(document.0["error"]["details"].get("left_behind").is_none(), "{document:?}");
    assert_eq!((engine.state_of("agent-ws-a").as_str(), engine.volumes().len()), ("running", 2));
}
