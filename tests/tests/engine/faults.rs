//! Every command, every request it makes, every way that request can go wrong: always one document, never a lie,
//! nothing left behind in silence, and nothing of anybody else's touched.

use std::sync::Mutex;

use agent_workspace_tests::engine::{Container, Engine, Fault, Reply, Script, When};
use agent_workspace_tests::{Document, Ran};
use serde_json::Value;

/// A command whose every request goes wrong once.
struct Case {
    args: &'static [&'static str],
    seed: fn(&Engine),
}

fn nothing(_: &Engine) {}

fn running(engine: &Engine) {
    engine.has(Container::workspace("a"));
}

fn stopped(engine: &Engine) {
    engine.has(Container::workspace("a").state("exited"));
}

fn paused(engine: &Engine) {
    engine.has(Container::workspace("a").state("paused"));
}

fn leftover(engine: &Engine) {
    engine.has_volume("agent-ws-a-work");
    engine.has_volume("agent-ws-a-home");
}

fn in_registry(engine: &Engine) {
    engine.registry_has("debian:1");
}

const READ: [Case; 4] = [
    Case { args: &["ls"], seed: running },
    Case { args: &["ls"], seed: nothing },
    Case { args: &["describe", "a"], seed: running },
    Case { args: &["describe", "ws-a"], seed: running },
];

const CHANGE: [Case; 8] = [
    Case { args: &["start", "a"], seed: stopped },
    Case { args: &["start", "a"], seed: paused },
    Case { args: &["stop", "a"], seed: running },
    Case { args: &["stop", "a"], seed: paused },
    Case { args: &["tunnel", "a", "--detach"], seed: running },
    Case { args: &["tunnel", "a", "--detach"], seed: stopped },
    Case { args: &["image", "build", "--tag", "mine:1"], seed: nothing },
    Case { args: &["image", "build", "--tag", "ready:1"], seed: nothing },
];

const REMOVE: [Case; 7] = [
    Case { args: &["rm", "a"], seed: running },
    Case { args: &["rm", "a"], seed: stopped },
    Case { args: &["rm", "a"], seed: paused },
    Case { args: &["rm", "a", "--force"], seed: running },
    Case { args: &["rm", "a", "--keep-volumes"], seed: running },
    Case { args: &["rm", "a", "--force"], seed: leftover },
    Case { args: &["rm", "a", "--if-exists"], seed: nothing },
];

const CREATE: [Case; 8] = [
    Case { args: &["create", "--no-clone", "--name", "a", "--image", "ready:1"], seed: nothing },
    Case { args: &["create", "o/r", "--name", "a", "--image", "plain:1"], seed: nothing },
    Case { args: &["create", "o/r", "--name", "a", "--image", "ready:1", "--user", "me"], seed: nothing },
    Case { args: &["create", "--no-clone", "--name", "a", "--image", "debian:1"], seed: in_registry },
    Case { args: &["create", "--no-clone", "--name", "a"], seed: nothing },
    Case { args: &["create", "o/r", "--name", "ws-a", "--image", "ready:1"], seed: nothing },
    Case { args: &["create", "o/r", "--name", "a", "--image", "ready:1"], seed: stopped },
    Case { args: &["up", "--no-clone", "--name", "a", "--image", "ready:1", "--tunnel-detach"], seed: nothing },
];

/// A way for a request to go wrong, and how a command may end then.
type Way = (&'static str, Fault, &'static [i32]);

/// The engine itself says no. What it does not have may be no news, or be fetched, or be built.
fn refusals() -> Vec<Way> {
    vec![
        ("500", Fault::refusal(500, "database is locked"), &[0, 1, 3, 5, 8]),
        ("404", Fault::refusal(404, "no such thing"), &[0, 1, 3, 4, 5, 8]),
        ("409", Fault::refusal(409, "conflict: try again"), &[0, 1, 3, 4, 5, 8]),
    ]
}

/// The connection ends, before or after the engine has done what it was asked.
fn losses() -> Vec<Way> {
    const EXITS: &[i32] = &[1, 5, 7, 8];
    vec![
        ("page 502", Fault::page(502), &[0, 1, 3, 5, 7, 8]),
        ("cut", Fault::cut(), EXITS),
        ("cut after", Fault::cut().after_doing_it(), EXITS),
        ("cut in the middle", Fault::cut_in_the_middle(), EXITS),
    ]
}

/// What answers is no engine.
fn nonsense() -> Vec<Way> {
    const EXITS: &[i32] = &[0, 1, 3, 4, 5, 7, 8];
    vec![
        ("page 200", Fault::page(200), EXITS),
        ("page 200 after", Fault::page(200).after_doing_it(), EXITS),
        ("page 404", Fault::page(404), EXITS),
        ("bad json", Fault::bad_json(), EXITS),
        ("bad json after", Fault::bad_json().after_doing_it(), EXITS),
    ]
}

/// An engine with this case's things in it, and things of others that must stay.
fn seeded(case: &Case) -> Engine {
    let engine = Engine::start();
    engine.has(Container::stranger("postgres"));
    engine.has(Container::stranger("redis").state("exited"));
    engine.has_volume("pgdata");
    if case.args[0] != "rm" {
        engine.has_volume("agent-ws-a-work");
    }
    (case.seed)(&engine);
    engine
}

/// How many requests the case makes when all is well, and that all is well then.
fn happy(case: &Case) -> usize {
    let engine = seeded(case);
    let ran = engine.json(case.args.iter().copied());
    let problems = problems(case, &engine, &ran);
    assert!(ran.code == 0 && problems.is_empty(), "{:?}: {problems:?}\n{}", case.args, ran.stdout);
    engine.calls().len()
}

/// What is wrong with how a case ended, whatever went wrong in it.
fn problems(case: &Case, engine: &Engine, ran: &Ran) -> Vec<String> {
    let Ok(document) = std::panic::catch_unwind(|| ran.document()) else {
        return vec!["not one valid document".to_owned()];
    };
    let mut problems = Vec::new();
    if ran.stderr.contains("panicked") || document.error_code() == "internal" {
        problems.push("a defect".to_owned());
    }
    if engine.state_of("postgres") != "running" || engine.state_of("redis") != "exited" {
        problems.push("a stranger's container was touched".to_owned());
    }
    let mut kept = vec!["pgdata"];
    if case.args[0] != "rm" {
        kept.push("agent-ws-a-work");
    }
    problems.extend(
        kept.into_iter()
            .filter(|volume| !engine.volume_names().contains(&(*volume).to_owned()))
            .map(|volume| format!("{volume} was there before and is gone")),
    );
    if ran.code == 0 {
        problems.extend(lie(case, engine, &document));
    } else if matches!(case.args[0], "create" | "up") {
        problems.extend(remains(engine, &document));
    }
    problems
}

/// What a document of success says that is not so.
fn lie(case: &Case, engine: &Engine, document: &Document) -> Option<String> {
    let state = engine.state_of("agent-ws-a");
    let volumes = engine.volume_names().iter().any(|name| name.starts_with("agent-ws-a-"));
    let true_ = match case.args[0] {
        "ls" => document.at("/workspaces").as_array().map(Vec::len) == Some(usize::from(state != "gone")),
        "describe" => document.text("/workspace/workspace") == "agent-ws-a",
        "start" | "create" | "up" | "tunnel" => state == "running",
        "stop" => state == "exited",
        "image" => engine.holds_image("mine:1") || case.args.contains(&"ready:1"),
        "rm" if case.args.contains(&"--keep-volumes") => state == "gone" && volumes,
        "rm" => state == "gone" && !volumes,
        other => panic!("{other} has no truth yet"),
    };
    (!true_).then(|| format!("exit 0 and yet: agent-ws-a is {state}, volumes {:?}", engine.volume_names()))
}

/// What a failed create leaves without saying so. A workspace whose tunnel alone failed is meant to stay.
fn remains(engine: &Engine, document: &Document) -> Option<String> {
    let left = engine.made_by_create();
    let said =
        document.0.pointer("/error/details/left_behind").and_then(Value::as_array).is_some_and(|said| !said.is_empty());
    if left.is_empty() || said || document.error_code() == "partial" {
        None
    } else {
        Some(format!("{left:?} is left and not said"))
    }
}

/// Runs every case with every way to go wrong at every request, some at once, and shows all that was not right.
fn sweep(cases: &[Case], when: fn(usize) -> When, ways: &[Way]) {
    let mut jobs = Vec::new();
    for case in cases {
        for nth in 1..=happy(case) {
            jobs.extend(ways.iter().map(|way| (case, nth, way)));
        }
    }
    let (jobs, found) = (Mutex::new(jobs), Mutex::new(Vec::new()));
    let work = || {
        while let Some((case, nth, (name, fault, exits))) = { jobs.lock().expect("a queue").pop() } {
            let engine = seeded(case);
            engine.goes_wrong(when(nth), fault.clone());
            let ran = engine.json(case.args.iter().copied());
            let call = engine.calls().get(nth - 1).cloned().unwrap_or_default();
            // What an engine says is gone is gone, though ours knows better.
            if *name == "404" && call.starts_with("DELETE") {
                continue;
            }
            let mut wrong = problems(case, &engine, &ran);
            // An order to remove is given again when its answer is lost.
            let given_again = call.starts_with("DELETE") && ran.code == 0;
            if !exits.contains(&ran.code) && !given_again {
                wrong.push(format!("exit code {}", ran.code));
            }
            if !wrong.is_empty() {
                let line =
                    format!("{:?}, {name} at {nth} ({call}): {wrong:?}\n{}{}", case.args, ran.stdout, ran.stderr);
                found.lock().expect("a list").push(line);
            }
        }
    };
    std::thread::scope(|scope| (0..12).for_each(|_| drop(scope.spawn(work))));
    let mut found = found.into_inner().expect("a list");
    found.sort();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn questions_that_are_refused_or_lost_are_never_answered_with_a_lie() {
    sweep(&READ, When::Nth, &refusals());
    sweep(&READ, When::Nth, &losses());
}

#[test]
fn changes_that_are_refused_or_lost_are_never_claimed() {
    sweep(&CHANGE, When::Nth, &refusals());
    sweep(&CHANGE, When::Nth, &losses());
}

#[test]
fn removals_that_are_refused_or_lost_are_never_claimed() {
    sweep(&REMOVE, When::Nth, &refusals());
    sweep(&REMOVE, When::Nth, &losses());
}

#[test]
fn a_create_that_is_refused_or_lost_at_any_step_leaves_nothing() {
    sweep(&CREATE, When::Nth, &refusals());
    sweep(&CREATE, When::Nth, &losses());
}

#[test]
fn a_create_whose_engine_goes_away_says_what_it_leaves() {
    let exits = &[1, 3, 5, 7, 8];
    let ways = [
        ("500", Fault::refusal(500, "database is locked"), &exits[..]),
        ("page 502", Fault::page(502), exits),
        ("cut", Fault::cut(), exits),
        ("cut after", Fault::cut().after_doing_it(), exits),
    ];
    sweep(&CREATE, When::From, &ways);
}

#[test]
fn a_removal_whose_engine_goes_away_claims_nothing() {
    let ways = [("500", Fault::refusal(500, "database is locked"), &[1, 5, 8][..]), ("cut", Fault::cut(), &[5, 7, 8])];
    sweep(&REMOVE, When::From, &ways);
}

#[test]
fn nothing_that_is_no_engine_is_believed_about_workspaces() {
    sweep(&READ, When::Nth, &nonsense());
}

#[test]
fn nothing_that_is_no_engine_is_believed_to_have_changed_anything() {
    sweep(&CHANGE, When::Nth, &nonsense());
}

#[test]
fn nothing_that_is_no_engine_is_believed_to_have_removed_anything() {
    sweep(&REMOVE, When::Nth, &nonsense());
}

#[test]
fn nothing_that_is_no_engine_is_believed_to_have_made_anything() {
    sweep(&CREATE, When::Nth, &nonsense());
}

#[test]
fn a_removal_that_finds_unsaved_work_and_then_loses_its_engine_has_removed_nothing() {
    for nth in 1..=6 {
        for (name, fault, _) in refusals().into_iter().chain(losses()).chain(nonsense()) {
            let engine = Engine::start();
            engine.has(Container::workspace("a").state("exited"));
            engine.answers(Script::UnsavedWork, Reply::says("files\t1\t/work/x\n"));
            engine.goes_wrong(When::From(nth), fault);
            let ran = engine.json(["rm", "a"]);
            assert_ne!(ran.code, 0, "{name} at {nth}: {}", ran.stdout);
            ran.document();
            // What looked may be left by an engine that is gone; it ends by itself.
            assert_eq!(
                (engine.state_of("agent-ws-a").as_str(), engine.volumes().len()),
                ("exited", 2),
                "{name} at {nth}"
            );
        }
    }
}
