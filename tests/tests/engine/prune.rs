//! `prune`: what nothing uses goes, and nothing else does.

use agent_workspace_tests::engine::{
    CONTAINER_BYTES, CREATE_ID, Container, Engine, Fault, Reply, Script, VOLUME_BYTES, When,
};
use agent_workspace_tests::{Document, Ran};
use serde_json::{Value, json};

use crate::{fails, succeeds};

const IMAGE: &str = concat!("agent-workspace:", env!("CARGO_PKG_VERSION"));
const SPEC: &str = r#"{"image":"ready:1","path":"/work/o/r","clones":true}"#;
/// The call that made what is left over.
const ID: &str = "00000000000000aa";

fn engine() -> Engine {
    let engine = Engine::start();
    engine.has_ready_image(IMAGE);
    engine
}

/// One that is asked what takes the space by kind.
fn newer_engine() -> Engine {
    let engine = engine();
    engine.speaks("1.42");
    engine
}

/// What an engine was asked to count.
fn counted(engine: &Engine) -> Vec<String> {
    engine.calls().into_iter().filter(|call| call.contains("size=1") || call.contains("/system/df")).collect()
}

/// A workspace whose create was to clone, in this state, with the volumes that came with it.
fn cloning(engine: &Engine, state: &str) {
    for kind in ["work", "home"] {
        engine.has_volume_of(&format!("agent-ws-a-{kind}"), "agent-ws-a", ID);
    }
    let ours = Container::workspace("a").label(CREATE_ID, ID).label("agent-workspace.version", "0.2.0");
    engine.has(ours.label("agent-workspace.spec", SPEC).state(state));
}

fn left_volumes(engine: &Engine) {
    for kind in ["work", "home"] {
        engine.has_volume_of(&format!("agent-ws-a-{kind}"), "agent-ws-a", ID);
    }
}

/// Names in one of the report's lists.
fn names(document: &Document, list: &str) -> Vec<String> {
    let mut names: Vec<String> = document
        .at(&format!("/{list}"))
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| item["id"].as_str().expect("a name").to_owned())
        .collect();
    names.sort();
    names
}

const EVERYTHING: [&str; 3] = ["agent-ws-a", "agent-ws-a-home", "agent-ws-a-work"];

fn nothing_is_left(engine: &Engine) {
    assert_eq!((engine.containers().len(), engine.volume_names().len()), (0, 0), "{:?}", engine.calls());
}

#[test]
fn where_nothing_is_left_over_it_is_two_questions() {
    let engine = engine();
    engine.has(Container::workspace("a"));
    engine.has(Container::stranger("postgres"));
    let document = succeeds(&engine, &["prune"]);
    assert_eq!((names(&document, "removed").len(), names(&document, "kept").len()), (0, 0));
    let mut calls = engine.calls();
    calls.sort();
    assert_eq!(calls, ["GET /containers/json?all=1", r#"GET /volumes?filters={"dangling":["true"]}"#]);
    assert_eq!(engine.text(["prune"]).expect(0).stdout, "nothing is left over\n");
}

#[test]
fn a_container_that_was_never_started_goes_with_the_volumes_that_were_made_with_it() {
    let engine = newer_engine();
    cloning(&engine, "created");
    let document = succeeds(&engine, &["prune"]);
    assert_eq!(names(&document, "removed"), EVERYTHING);
    assert_eq!(
        document.at("/removed/0"),
        &json!({
            "kind": "container", "id": "agent-ws-a", "workspace": "agent-ws-a", "bytes": CONTAINER_BYTES, "reason": "never_started"
        })
    );
    assert_eq!(*document.at("/reclaimed_bytes"), CONTAINER_BYTES + 2 * VOLUME_BYTES);
    nothing_is_left(&engine);
}

#[test]
fn volumes_that_were_there_before_stay_when_the_container_goes() {
    let engine = engine();
    engine.has_volume_of("agent-ws-a-work", "agent-ws-a", "00000000000000bb");
    cloning(&engine, "created");
    let document = succeeds(&engine, &["prune"]);
    assert_eq!(names(&document, "removed"), ["agent-ws-a", "agent-ws-a-home"]);
    assert_eq!(engine.volume_names(), ["agent-ws-a-work"]);
}

#[test]
fn a_container_that_is_started_meanwhile_is_kept() {
    let engine = engine();
    cloning(&engine, "created");
    let running = Fault::refusal(409, "You cannot remove a running container");
    engine.goes_wrong(When::every("DELETE", engine.containers()[0].id.clone()), running);
    let document = succeeds(&engine, &["prune"]);
    assert_eq!(names(&document, "removed"), [""; 0]);
    assert!(document.text("/kept/0/why").contains("running"), "{document:?}");
    assert_eq!(engine.volume_names().len(), 2);
    assert!(
        !engine
            .calls()
            .iter()
            .any(|call| call.starts_with("DELETE /containers/<agent-ws-a>") && call.contains("force"))
    );
}

#[test]
fn what_only_looked_into_a_workspace_goes() {
    let engine = engine();
    let view =
        |of: &str| Container::stranger(&format!("{of}-view-1")).label("agent-workspace.view", of).label(CREATE_ID, ID);
    engine.has(view("agent-ws-a"));
    engine.has(view("team-a"));
    let document = succeeds(&engine, &["prune"]);
    assert_eq!(names(&document, "removed"), ["agent-ws-a-view-1"]);
    assert_eq!((document.text("/removed/0/reason"), document.text("/removed/0/workspace")), ("viewer", "agent-ws-a"));
    assert_eq!(engine.state_of("team-a-view-1"), "running");
}

#[test]
fn a_half_made_workspace_goes_whether_or_not_it_runs() {
    for state in ["running", "exited"] {
        let engine = engine();
        cloning(&engine, state);
        let document = succeeds(&engine, &["prune"]);
        assert_eq!(names(&document, "removed"), EVERYTHING, "{state}");
        assert_eq!(document.text("/removed/0/reason"), "half_made");
        nothing_is_left(&engine);
    }
}

#[test]
fn a_workspace_that_was_finished_is_not_even_looked_into() {
    for path in [format!("/home/agent/.agents-env/finished-{ID}"), "/work/o/r/.git".to_owned()] {
        for state in ["running", "exited"] {
            let engine = engine();
            cloning(&engine, state);
            engine.has_archive(&path, Vec::new());
            for args in [&["prune"][..], &["prune", "--force", "--older-than", "0"]] {
                let document = succeeds(&engine, args);
                assert_eq!((names(&document, "removed"), names(&document, "kept")), (vec![], vec![]), "{path}");
            }
            assert!(engine.calls().iter().all(|call| call.starts_with("GET ") || call.starts_with("HEAD ")));
            assert_eq!((engine.state_of("agent-ws-a"), engine.volume_names().len()), (state.to_owned(), 2));
        }
    }
}

#[test]
fn whether_it_was_finished_is_believed_of_one_that_cannot_be_asked() {
    let engine = engine();
    cloning(&engine, "running");
    engine.goes_wrong(When::every("HEAD", "/archive"), Fault::refusal(500, "mount failed"));
    succeeds(&engine, &["prune", "--force"]);
    assert_eq!(engine.state_of("agent-ws-a"), "running");
}

#[test]
fn a_half_made_workspace_that_is_of_use_to_somebody_is_kept_until_force() {
    type SetUp = fn(&Engine);
    let cases: [(&str, SetUp); 3] = [
        ("/work/own/README", |engine| engine.answers(Script::FirstFile, Reply::says("file=/work/own/README\n"))),
        ("work that exists nowhere else", |engine| {
            engine.answers(Script::UnsavedWork, Reply::says("files\t1\t/work/x\n"));
        }),
        ("cannot be looked into", |engine| engine.answers(Script::UnsavedWork, Reply::fails(127, "sh: not found"))),
    ];
    for (why, set_up) in cases {
        let engine = engine();
        cloning(&engine, "running");
        set_up(&engine);
        let document = succeeds(&engine, &["prune"]);
        assert_eq!(names(&document, "kept"), EVERYTHING, "{why}");
        assert!(document.text("/kept/0/why").contains(why), "{why}: {document:?}");
        assert_eq!((engine.state_of("agent-ws-a").as_str(), engine.containers().len()), ("running", 1), "{why}");
        assert_eq!(names(&succeeds(&engine, &["prune", "--force"]), "removed"), EVERYTHING, "{why}");
        nothing_is_left(&engine);
    }
}

#[test]
fn a_half_made_workspace_in_which_somebody_is_at_work_is_kept_whatever_is_said() {
    type SetUp = fn(&Engine);
    let cases: [(&str, SetUp); 2] = [
        ("git runs in it", |engine| engine.answers(Script::AtWork, Reply::says("runs=git\n"))),
        ("another create has come back to it", |engine| engine.answers(Script::Joined, Reply::fails(82, ""))),
    ];
    for (why, set_up) in cases {
        for args in [&["prune"][..], &["prune", "--older-than", "0", "--force"]] {
            let engine = engine();
            cloning(&engine, "running");
            set_up(&engine);
            let document = succeeds(&engine, args);
            assert_eq!(names(&document, "kept"), EVERYTHING, "{why} {args:?}");
            assert_eq!(document.text("/kept/0/why"), why, "{args:?}");
            assert_eq!((engine.state_of("agent-ws-a").as_str(), engine.volume_names().len()), ("running", 2), "{why}");
        }
    }
}

#[test]
fn force_takes_a_half_made_workspace_that_cannot_say_what_runs_in_it() {
    let engine = engine();
    cloning(&engine, "running");
    engine.answers(Script::AtWork, Reply::fails(127, "sh: not found"));
    let document = succeeds(&engine, &["prune"]);
    assert!(document.text("/kept/0/why").contains("cannot be looked into"), "{document:?}");
    assert_eq!(names(&succeeds(&engine, &["prune", "--force"]), "removed"), EVERYTHING);
    nothing_is_left(&engine);
}

#[test]
fn a_half_made_workspace_that_changes_meanwhile_is_kept_whatever_is_said() {
    let now = r#"{"Id":"1","Name":"/agent-ws-a","State":{"Status":"running"},"Config":{},"HostConfig":{},"Mounts":[]}"#;
    let forced = ["prune", "--older-than", "0", "--force"];
    for (args, look) in [(&["prune"][..], 1), (&forced, 1), (&forced, 2)] {
        let engine = engine();
        cloning(&engine, "exited");
        engine.goes_wrong(When::Call("GET /containers/<agent-ws-a>/json".to_owned(), look), Fault::body(now));
        let document = succeeds(&engine, args);
        assert_eq!(names(&document, "kept"), EVERYTHING, "{args:?} {look}");
        assert_eq!(document.text("/kept/0/why"), "its state has changed meanwhile", "{args:?} {look}");
        assert_eq!((engine.containers().len(), engine.volume_names().len()), (1, 2));
    }
    for (state, args) in [("running", &["prune"][..]), ("running", &forced), ("exited", &forced)] {
        let engine = engine();
        cloning(&engine, state);
        // What it has when it is asked a second time.
        engine.has_archive("/work/o/r/.git", Vec::new());
        for _ in 0..2 {
            engine.goes_wrong(When::first("HEAD", "/archive"), Fault::refusal(404, "no such file"));
        }
        let document = succeeds(&engine, args);
        assert_eq!(names(&document, "kept"), EVERYTHING, "{state} {args:?}");
        assert_eq!(document.text("/kept/0/why"), "it has been finished meanwhile", "{state} {args:?}");
        assert!(engine.runs(Script::Joined).is_empty(), "it is nobody's to abandon");
    }
}

#[test]
fn what_is_paused_is_left_frozen() {
    let engine = engine();
    cloning(&engine, "paused");
    succeeds(&engine, &["prune", "--force", "--older-than", "0"]);
    assert_eq!((engine.state_of("agent-ws-a").as_str(), engine.volume_names().len()), ("paused", 2));
}

#[test]
fn what_is_young_stays_unless_any_age_will_do() {
    let engine = engine();
    engine.answers(Script::Clone, Reply::fails(128, "fatal: early EOF"));
    // A failed create takes everything back; this one cannot.
    engine.goes_wrong(When::every("GET", "/containers/json"), Fault::refusal(500, "database is locked"));
    fails(&engine, &["create", "o/r", "--name", "a", "--image", "ready:1"], 1, "clone_failed");
    engine.is_well_again();
    let document = succeeds(&engine, &["prune"]);
    assert_eq!((names(&document, "removed"), engine.state_of("agent-ws-a").as_str()), (vec![], "running"));
    assert_eq!(names(&succeeds(&engine, &["prune", "--older-than", "0"]), "removed"), EVERYTHING);
    nothing_is_left(&engine);
}

#[test]
fn a_look_that_could_not_begin_leaves_nothing_that_keeps_the_volumes_busy() {
    for end in ["/start", "/exec"] {
        let engine = engine();
        left_volumes(&engine);
        engine.goes_wrong(When::every("POST", end), Fault::refusal(500, "mount failed"));
        let document = succeeds(&engine, &["prune"]);
        assert_eq!(names(&document, "kept"), ["agent-ws-a-home", "agent-ws-a-work"], "{end}");
        assert_eq!(engine.containers().len(), 0, "{end}");
        engine.is_well_again();
        succeeds(&engine, &["prune"]);
        nothing_is_left(&engine);
    }
}

#[test]
fn volumes_without_a_container_go_when_they_hold_nothing() {
    let engine = newer_engine();
    left_volumes(&engine);
    let document = succeeds(&engine, &["prune"]);
    assert_eq!(names(&document, "removed"), EVERYTHING[1..]);
    assert_eq!(*document.at("/reclaimed_bytes"), 2 * VOLUME_BYTES);
    nothing_is_left(&engine);
}

#[test]
fn volumes_that_hold_work_or_cannot_be_looked_into_are_kept_until_force() {
    for (reply, why) in [
        (Reply::says("commits\t2\t/work/o/r\n"), "2 commits that are on no remote"),
        (Reply::fails(1, "broken"), "cannot be looked into"),
    ] {
        let engine = engine();
        left_volumes(&engine);
        engine.answers(Script::UnsavedWork, reply);
        let document = succeeds(&engine, &["prune"]);
        assert_eq!(names(&document, "kept"), EVERYTHING[1..]);
        assert!(document.text("/kept/0/why").contains(why), "{document:?}");
        assert_eq!(engine.containers().len(), 0, "what looked is gone");
        assert_eq!(names(&succeeds(&engine, &["prune", "--force"]), "removed"), EVERYTHING[1..]);
    }
    let engine = Engine::start();
    left_volumes(&engine);
    let document = succeeds(&engine, &["prune"]);
    assert!(document.text("/kept/0/why").contains("agent-workspace image build"), "{document:?}");
}

#[test]
fn volumes_that_only_their_names_say_are_ours_go_by_force_alone() {
    let engine = engine();
    for name in ["agent-ws-old-work", "agent-ws-cache", "team-a-work", "data"] {
        engine.has_volume(name);
    }
    engine.has_volume_of("team-b-work", "team-b", ID);
    let document = succeeds(&engine, &["prune"]);
    assert_eq!((names(&document, "removed"), names(&document, "kept")), (vec![], vec!["agent-ws-old-work".to_owned()]));
    succeeds(&engine, &["prune", "--force"]);
    assert_eq!(engine.volume_names(), ["agent-ws-cache", "data", "team-a-work", "team-b-work"]);
    let team = engine.launcher(["prune"]).json().env("AGENT_WORKSPACE_PREFIX", "team").run().expect(0).document();
    assert_eq!(names(&team, "removed"), ["team-b-work"]);
}

#[test]
fn a_volume_that_is_in_use_meanwhile_is_kept_and_no_failure() {
    let engine = engine();
    left_volumes(&engine);
    let in_use = Fault::refusal(409, "remove agent-ws-a-work: volume is in use - [abc]");
    engine.goes_wrong(When::every("DELETE", "/agent-ws-a-work"), in_use);
    let document = succeeds(&engine, &["prune"]);
    assert_eq!(
        (names(&document, "removed"), names(&document, "kept")),
        (vec!["agent-ws-a-home".to_owned()], vec!["agent-ws-a-work".to_owned()])
    );
    assert!(document.text("/kept/0/why").contains("in use"), "{document:?}");
}

#[test]
fn what_cannot_be_removed_makes_it_partial_with_the_whole_report() {
    let engine = newer_engine();
    left_volumes(&engine);
    engine.goes_wrong(When::every("DELETE", "/agent-ws-a-work"), Fault::refusal(500, "device or resource busy"));
    let document = fails(&engine, &["prune"], 8, "partial");
    assert_eq!(
        (names(&document, "removed"), names(&document, "failed")),
        (vec!["agent-ws-a-home".to_owned()], vec!["agent-ws-a-work".to_owned()])
    );
    assert!(document.text("/failed/0/message").contains("resource busy"), "{document:?}");
    assert_eq!(*document.at("/reclaimed_bytes"), VOLUME_BYTES);
    assert_eq!(document.at("/error/details/failed"), document.at("/failed"));
}

#[test]
fn an_engine_that_goes_away_in_the_middle_fails_what_is_left_and_hides_nothing_that_is_gone() {
    let engine = engine();
    left_volumes(&engine);
    engine.has_volume_of("agent-ws-b-work", "agent-ws-b", ID);
    engine.goes_wrong(When::every("DELETE", "/volumes/agent-ws-a-home"), Fault::cut());
    let document = fails(&engine, &["prune", "--force"], 8, "partial");
    assert_eq!(names(&document, "removed"), ["agent-ws-a-work"]);
    assert_eq!(names(&document, "failed"), ["agent-ws-a-home", "agent-ws-b-work"]);
}

/// What a killed look has left, beside volumes that nothing mounts.
fn a_killed_look(engine: &Engine) {
    let of = Container::stranger("agent-ws-b-view-1").label("agent-workspace.view", "agent-ws-b");
    engine.has(of.label(CREATE_ID, ID));
}

#[test]
fn an_engine_that_goes_away_after_the_first_removal_is_answered_with_what_is_gone() {
    // The second of these is for sizes, and the third looks for what is free after the first removal.
    let survey = "GET /containers/json";
    for fault in [Fault::cut(), Fault::refusal(500, "database is locked")] {
        let engine = engine();
        a_killed_look(&engine);
        engine.goes_wrong(When::Call(survey.to_owned(), 3), fault);
        let document = fails(&engine, &["prune"], 8, "partial");
        assert_eq!(
            (names(&document, "removed"), names(&document, "failed")),
            (vec!["agent-ws-b-view-1".into()], vec![])
        );
        assert!(document.text("/unfinished").starts_with("could not look for what nothing uses"), "{document:?}");
        assert_eq!(document.at("/error/causes/0"), document.at("/unfinished"));
    }
    // The one that is lost for good fails everything that was known.
    let engine = engine();
    a_killed_look(&engine);
    cloning(&engine, "running");
    engine.has_volume_of("agent-ws-c-work", "agent-ws-c", ID);
    engine.goes_wrong(When::Call(survey.to_owned(), 3), Fault::cut());
    let document = fails(&engine, &["prune"], 8, "partial");
    assert_eq!(names(&document, "removed"), ["agent-ws-b-view-1"]);
    assert_eq!(names(&document, "failed"), ["agent-ws-a", "agent-ws-c-work"]);
    assert_eq!(engine.calls().last().map(|call| call.starts_with("GET ")), Some(true), "{:?}", engine.calls());
    let nothing = succeeds(&engine, &["prune"]);
    assert_eq!(*nothing.at("/unfinished"), Value::Null);
}

#[test]
fn an_engine_that_goes_away_at_any_call_hides_nothing_that_is_gone() {
    let scene = || {
        let engine = engine();
        a_killed_look(&engine);
        cloning(&engine, "running");
        engine.has_volume_of("agent-ws-c-work", "agent-ws-c", ID);
        engine
    };
    let whole = scene();
    let everything = names(&succeeds(&whole, &["prune"]), "removed").len();
    assert_eq!(everything, 5, "{:?}", whole.calls());
    for number in 1..=whole.calls().len() {
        let engine = scene();
        engine.goes_wrong(When::From(number), Fault::cut());
        let ran = engine.launcher(["prune"]).json().run();
        let document = ran.document();
        let gone = 5
            - (engine.containers().iter().filter(|container| !container.name.contains("agent-ws-c")).count()
                + engine.volume_names().len());
        match ran.code {
            7 => assert_eq!(gone, 0, "{number}: {document:?}"),
            // What the order for was carried out, and its answer lost, is not known to be gone.
            8 => assert!(names(&document, "removed").len() >= gone.saturating_sub(1), "{number}: {document:?}"),
            0 => assert_eq!(gone, 5, "{number}: {document:?}"),
            code => panic!("{number}: {code} {document:?}"),
        }
    }
}

#[test]
fn a_dry_run_asks_and_touches_nothing() {
    let engine = engine();
    cloning(&engine, "running");
    engine.has(
        Container::workspace("b").label(CREATE_ID, "0b").label("agent-workspace.version", "0.2.0").state("created"),
    );
    engine.has_volume_of("agent-ws-c-work", "agent-ws-c", "0c");
    engine.has_volume("agent-ws-d-work");
    let document = succeeds(&engine, &["prune", "--dry-run"]);
    assert_eq!(*document.at("/dry_run"), true);
    assert_eq!(names(&document, "removed"), ["agent-ws-b"]);
    assert_eq!(*document.at("/reclaimed_bytes"), CONTAINER_BYTES);
    let kept = document.at("/kept").as_array().expect("a list");
    let looked: Vec<&Value> = kept
        .iter()
        .filter(|item| item["why"].as_str().is_some_and(|why| why.contains("would be looked into")))
        .collect();
    assert_eq!((looked.len(), kept.len()), (4, 5), "{kept:?}");
    let forced = succeeds(&engine, &["prune", "--dry-run", "--force"]);
    // Nobody was asked what runs in the one that does.
    assert_eq!((names(&forced, "removed").len(), names(&forced, "kept")), (3, EVERYTHING.map(String::from).to_vec()));
    assert!(forced.text("/kept/0/why").starts_with("it would be asked what runs in it"), "{forced:?}");
    let calls = engine.calls();
    assert!(calls.iter().all(|call| call.starts_with("GET ") || call.starts_with("HEAD ")), "{calls:?}");
    assert_eq!((engine.containers().len(), engine.volumes().len()), (2, 6));
}

#[test]
fn sizes_that_are_not_said_are_null() {
    for refused in ["GET /containers/json?all=1&size=1", "GET /system/df"] {
        let engine = newer_engine();
        cloning(&engine, "created");
        engine.goes_wrong(When::call(refused), Fault::refusal(500, "database is locked"));
        let document = succeeds(&engine, &["prune"]);
        assert_eq!((document.at("/removed/0/bytes"), document.at("/reclaimed_bytes")), (&Value::Null, &json!(0)));
        nothing_is_left(&engine);
    }
}

#[test]
fn an_engine_counts_nothing_but_what_is_left_over() {
    // A viewer, a container that was never started, one that is half made; and one that is in use.
    let scene = |engine: Engine| {
        a_killed_look(&engine);
        cloning(&engine, "running");
        let created = Container::workspace("c").label(CREATE_ID, "0c").label("agent-workspace.version", "0.2.0");
        engine.has(created.state("created"));
        engine.has(Container::workspace("used"));
        engine
    };
    let volumes = "GET /system/df?type=volume&verbose=true";
    for (engine, asked) in [(newer_engine(), &[volumes][..]), (engine(), &[])] {
        let engine = scene(engine);
        let found = engine.containers();
        let id = |name: &str| &found.iter().find(|container| container.name == name).expect("it is there").id;
        let ids = ["agent-ws-c", "agent-ws-b-view-1", "agent-ws-a"].map(id);
        let by_id = format!("GET /containers/json?all=1&size=1&filters={}", json!({ "id": ids }));
        succeeds(&engine, &["prune", "--dry-run"]);
        let mut calls = counted(&engine);
        calls.sort();
        assert_eq!(calls, [&[by_id.as_str()], asked].concat());
    }
}

#[test]
fn an_engine_that_would_count_everything_for_a_volume_is_not_asked_and_the_size_is_null() {
    let engine = engine();
    left_volumes(&engine);
    let document = succeeds(&engine, &["prune"]);
    assert_eq!(names(&document, "removed"), EVERYTHING[1..]);
    assert_eq!((document.at("/removed/0/bytes"), document.at("/reclaimed_bytes")), (&Value::Null, &json!(0)));
    assert_eq!(counted(&engine), [""; 0]);
    // What a container took is known all the same.
    cloning(&engine, "created");
    let document = succeeds(&engine, &["prune"]);
    assert_eq!(
        (document.at("/removed/0/bytes"), document.at("/removed/1/bytes")),
        (&json!(CONTAINER_BYTES), &Value::Null)
    );
    assert_eq!(*document.at("/reclaimed_bytes"), CONTAINER_BYTES);
    left_volumes(&engine);
    let people = engine.text(["prune"]).expect(0).stdout;
    assert!(people.contains("removed: volume agent-ws-a-work (unused)\n"), "{people}");
    assert!(!people.contains("freed"), "{people}");
    cloning(&engine, "created");
    let people = engine.text(["prune", "--dry-run"]).expect(0).stdout;
    assert!(people.ends_with(&format!("it would free {CONTAINER_BYTES} bytes\n")), "{people}");
    let people = engine.text(["prune"]).expect(0).stdout;
    assert!(people.ends_with(&format!("freed: at least {CONTAINER_BYTES} bytes\n")), "{people}");
}

#[test]
fn people_get_a_line_a_thing_and_what_it_comes_to() {
    let engine = newer_engine();
    left_volumes(&engine);
    engine.has_volume("agent-ws-old-work");
    let dry = engine.text(["prune", "--dry-run", "--force"]).expect(0).stdout;
    assert!(dry.contains("would remove: volume agent-ws-a-work (unused, 4.0 KiB)\n"), "{dry}");
    assert!(dry.ends_with("it would free 12.0 KiB\n"), "{dry}");
    let done = engine.text(["prune"]).expect(0).stdout;
    assert!(done.contains("removed: volume agent-ws-a-work (unused, 4.0 KiB)\n"), "{done}");
    assert!(done.contains("kept: volume agent-ws-old-work (only its name says"), "{done}");
    assert!(done.ends_with("freed: 8.0 KiB\n"), "{done}");
}

/// A create that is killed when this is asked.
fn killed(engine: &Engine, at: &str) {
    let mut child = engine.launcher(["create", "o/r", "--name", "a", "--image", "ready:1"]).json().spawn();
    engine.wait_for(at);
    child.kill().expect("it runs");
    assert_eq!(Ran::of(child).code, 128 + 9);
}

#[test]
fn a_create_that_is_killed_at_any_call_is_recovered_by_prune_and_by_the_next_create() {
    let points = [
        "POST /containers/create",
        "GET /containers/<agent-ws-a>/json",
        "POST /containers/<agent-ws-a>/start",
        "POST /containers/<agent-ws-a>/exec",
        "POST /exec/<clone>/start",
    ];
    for at in points {
        for recovered_by in ["prune", "create"] {
            let engine = engine();
            engine.goes_wrong(When::call(at), Fault::silence().after_doing_it());
            killed(&engine, at);
            assert_eq!(engine.made_by_create(), ["agent-ws-a", "agent-ws-a-work", "agent-ws-a-home"], "{at}");
            if recovered_by == "prune" {
                let document = succeeds(&engine, &["prune", "--older-than", "0"]);
                assert_eq!(names(&document, "removed"), EVERYTHING, "{at}: {document:?}");
                nothing_is_left(&engine);
            } else {
                succeeds(&engine, &["create", "o/r", "--name", "a", "--image", "ready:1"]);
                assert_eq!(engine.state_of("agent-ws-a"), "running", "{at}");
                let document = succeeds(&engine, &["prune", "--older-than", "0", "--force"]);
                assert_eq!(names(&document, "removed"), [""; 0], "{at}: it is finished");
                assert_eq!(engine.state_of("agent-ws-a"), "running", "{at}");
            }
        }
    }
}

#[test]
fn who_comes_back_without_the_clone_that_was_cut_off_keeps_the_workspace() {
    let engine = engine();
    cloning(&engine, "running");
    succeeds(&engine, &["create", "--no-clone", "--name", "a", "--image", "ready:1"]);
    let document = succeeds(&engine, &["prune"]);
    assert_eq!(names(&document, "kept"), EVERYTHING);
    assert_eq!(engine.state_of("agent-ws-a"), "running");
}
