//! Every command, every request that it makes of a real engine, every way in which that request can go wrong: one
//! document, the right exit code, nothing left behind, nothing of the user's harmed, and the same command again succeeds.

mod cases;
mod rescue;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use agent_workspace_tests::Document;
use agent_workspace_tests::live::{Answer, FaultProxy, Image, Live, Wrong, note};

use serde_json::Value;

use cases::{ALL, CASES, Case, Ending, UNSIZED};
use world::{State, World, bring, inside};

/// How many cases run at once: most of each is waiting for the engine.
const WORKERS: usize = 4;
/// How many of those run beside them that wait for a time limit.
const WAITERS: usize = 3;

/// What a command that is not answered is given at the most before it gives up.
const LONGEST: Duration = Duration::from_secs(30);

/// What requests a case makes when all goes well, and how long that takes; it then does what it says.
fn learn(live: &Live, case: &'static Case) -> (&'static Case, Vec<String>, Duration) {
    bring(live, case.before, case.clones());
    let engine = FaultProxy::watching(live.folder());
    let answer = case.run(live, Some(&engine), "");
    let took = answer.took;
    answer.ok();
    let world = World::of(live);
    assert!(world.is(live, case.after), "{}: {world:?}", case.line);
    inside(live, &world, case.reset);
    let requests = engine.requests();
    assert!(requests.len() >= case.requests, "{} makes only {requests:?}", case.line);
    (case, requests, took)
}

/// One request of a case that goes wrong in one way.
#[derive(Clone, Copy)]
struct Fault {
    case: &'static Case,
    number: usize,
    /// How many requests the case makes.
    of: usize,
    wrong: Wrong,
    /// When a command that is not answered is to give up.
    limit: Duration,
}

impl Fault {
    /// Whether the workspace is as it is to be when this goes wrong.
    fn comes_afterwards(&self) -> bool {
        self.number + self.case.afterwards > self.of
    }
}

/// Lets one request of a case go wrong. Returns whether it came to that, and the exception that it was.
///
/// # Panics
/// When anything is not as it must be.
fn let_go_wrong(live: &Live, fault: &Fault) -> (bool, Option<usize>) {
    let Fault { case, number, wrong, limit, .. } = *fault;
    bring(live, case.before, case.clones());
    let before = World::of(live);
    let engine = FaultProxy::with(live.folder(), wrong, number);
    let time = limit;
    let limit = if wrong == Wrong::Stall { format!("--timeout {}ms", limit.as_millis()) } else { String::new() };
    let answer = case.run(live, Some(&engine), &limit);
    let world = World::of(live);
    let requests = engine.requests();
    let request = requests.get(number - 1).cloned().unwrap_or_default();
    let shown = format!(
        "{request}\n{world:?}\n{requests:?}\n--- stdout\n{}--- stderr\n{}",
        answer.ran.stdout, answer.ran.stderr
    );
    assert!(!answer.ran.stderr.contains("panicked"), "a defect: {shown}");

    let document = answer.ran.document();
    if wrong == Wrong::Stall && !engine.struck_within(time) {
        // On a busy machine its time may run out before that request; it is tried again with more.
        assert!([0, 124].contains(&answer.ran.code), "{shown}");
        again(live, case, &world);
        if answer.ran.code == 124 && time < LONGEST && !case.line.starts_with("doctor") {
            return let_go_wrong(live, &Fault { limit: time * 2, ..*fault });
        }
        return (false, None);
    }
    let exception = case.exception(&request, wrong).filter(|_| engine.struck());
    let ending = if engine.struck() { case.ending(&request, wrong) } else { Ending::Success };
    let (exit, code) = ending.codes();
    assert_eq!((answer.ran.code, document.error_code()), (exit, code), "{shown}");
    if ending == Ending::Kept {
        assert!(world.is_of(&before), "something is left: {shown}");
        assert_ne!(document.at("/kept"), &Value::Array(Vec::new()), "{shown}");
    } else if exit == 0 {
        assert!(world.is(live, case.after), "it is not as the document says: {shown}");
    } else if fault.comes_afterwards() {
        assert!(world.is(live, case.after), "it is not as it was to be: {shown}");
        assert_eq!(document.text("/error/details/workspace"), live.full("w"), "{shown}");
    } else {
        unharmed(live, case, &before, &world, &request, &document);
    }

    again(live, case, &world);
    (engine.struck(), exception)
}

/// Fails unless everything is there that was there before a command that failed, and nothing else.
fn unharmed(live: &Live, case: &Case, before: &World, world: &World, request: &str, document: &Document) {
    let shown = format!("{request}\nbefore {before:?}\nafter {world:?}\n{}", document.0);
    let left = document.0.pointer("/error/details/left_behind").map(Value::to_string);
    let is_cut_off = case.line.starts_with("rm ") && request.starts_with("DELETE /volumes/");
    if is_cut_off && document.error_code() == "timeout" && !before.containers.is_empty() {
        // The container is gone and its volumes were to go with it: each that stays is said.
        let left = left.unwrap_or_default();
        assert!(!world.volumes.is_empty() && world.volumes.iter().all(|volume| left.contains(volume)), "{shown}");
    } else {
        assert_eq!(left, None, "not all was undone: {shown}");
    }
    if request.starts_with("DELETE ") || case.line.starts_with("prune ") {
        // In the middle of a removal no more can be said.
        assert!(world.is_of(before), "something is left: {shown}");
        return;
    }
    assert_eq!(world.asleep(), before.asleep(), "something is left or gone: {shown}");
    // What was to be started or stopped may be: the order was carried out, and its answer lost.
    let keeps_state = case.before == case.after || matches!(case.after, State::Absent | State::Volumes(_));
    assert!(!keeps_state || world == before, "it was started or stopped: {shown}");
    assert_eq!(inside(live, world, case.remains), "", "left inside: {shown}");
}

/// Runs the command again, with nothing in its way. `world` is what the first time has left.
fn again(live: &Live, case: &Case, world: &World) {
    let again = case.run(live, None, "").ran;
    if case.line.starts_with("rm ") && world.is(live, case.after) {
        assert_eq!((again.code, again.document().error_code()), (3, "workspace_not_found"));
        return;
    }
    assert_eq!(again.code, 0, "again, after {world:?}\n{}{}", again.stdout, again.stderr);
    let world = World::of(live);
    assert!(world.is(live, case.after), "again: {world:?}");
    inside(live, &world, case.reset);
}

/// Works through jobs with some workers, each with a guard of its own, and returns what they gave; a job that panics is
/// a line in `wrong`.
fn work<J: Send, R: Send>(
    workers: usize,
    jobs: Vec<J>,
    wrong: &Mutex<Vec<String>>,
    name: impl Fn(&J) -> String + Sync,
    run: impl Fn(&Live, &J) -> R + Sync,
) -> Vec<R> {
    let (jobs, results) = (Mutex::new(jobs.into_iter()), Mutex::new(Vec::new()));
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = || {
        let mut live = Live::new();
        while let Some(job) = next() {
            match catch_unwind(AssertUnwindSafe(|| run(&live, &job))) {
                Ok(result) => results.lock().unwrap_or_else(PoisonError::into_inner).push(result),
                Err(panic) => {
                    let text = panic.downcast::<String>().map(|text| *text).unwrap_or_default();
                    let line = format!("{}: {text}", name(&job));
                    wrong.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                    live = Live::new();
                }
            }
        }
    };
    std::thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(worker))));
    results.into_inner().unwrap_or_default()
}

/// When a command that is not answered gives up: it has had several times what it takes, and less than the patience
/// that `doctor` itself has.
fn limit(took: Duration) -> Duration {
    (took * 4).clamp(Duration::from_millis(1500), Duration::from_secs(4))
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn whichever_request_goes_wrong_the_answer_is_true_nothing_is_left_and_again_it_succeeds() {
    let problems = Mutex::new(Vec::new());
    let learned =
        work(WORKERS, CASES.iter().collect(), &problems, |case| case.line.to_owned(), |live, case| learn(live, case));
    let mut all = Vec::new();
    for &(case, ref requests, took) in &learned {
        let of = requests.len();
        for number in 1..=of {
            all.extend(ALL.map(|wrong| Fault { case, number, of, wrong, limit: limit(took) }));
        }
    }
    let name = |Fault { case, number, wrong, .. }: &Fault| {
        format!("{} ({:?}), {wrong:?} at request {number}", case.line, case.before)
    };
    let run = |live: &Live, fault: &Fault| (*fault, let_go_wrong(live, fault));
    let (slow, quick): (Vec<_>, Vec<_>) = all.into_iter().partition(|fault| fault.wrong == Wrong::Stall);
    let (problems, name, run) = (&problems, &name, &run);
    let mut done = std::thread::scope(|scope| {
        let waiting = scope.spawn(move || work(WAITERS, slow, problems, name, run));
        let mut done = work(WORKERS, quick, problems, name, run);
        done.extend(waiting.join().expect("what a case panics with is caught"));
        done
    });
    done.retain(|(_, (struck, _))| *struck);

    let mut problems = std::mem::take(&mut *problems.lock().unwrap_or_else(PoisonError::into_inner));
    problems.sort();
    assert!(problems.is_empty(), "{} of the fault cases failed\n{}", problems.len(), problems.join("\n\n"));
    for case in CASES {
        let of_case = || done.iter().filter(|(fault, _)| std::ptr::eq(fault.case, case));
        for wrong in ALL {
            // An answer without a body has none to lose.
            let fewest = if matches!(wrong, Wrong::Truncate | Wrong::Behead) { 1 } else { case.requests };
            let ran = of_case().filter(|(fault, _)| fault.wrong == wrong).count();
            assert!(ran >= fewest, "{}: {wrong:?} was tried {ran} times", case.line);
        }
        let requests = learned.iter().filter(|(learned, ..)| std::ptr::eq(*learned, case)).flat_map(|(_, all, _)| all);
        let requests: Vec<_> = requests.collect();
        for (number, exception) in case.exceptions.iter().enumerate() {
            // Not every engine is asked the same for sizes.
            if UNSIZED.contains(exception) && !requests.iter().any(|request| request.starts_with(exception.0)) {
                continue;
            }
            let used = of_case().any(|(_, (_, used))| *used == Some(number));
            assert!(used, "{} ({:?}): nothing ended as {exception:?} says", case.line, case.before);
        }
    }
    note(&format!("{} fault cases", done.len()));
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn whatever_goes_wrong_work_that_exists_nowhere_else_is_not_removed() {
    let live = Live::new();
    live.create_from(Image::Busybox, "--no-clone --name w").ok();
    live.inside("w", "echo mine >/work/mine.txt");
    let before = World::of(&live);
    let engine = FaultProxy::watching(live.folder());
    Answer::to(&live.launcher("rm w").env("DOCKER_HOST", engine.address())).fails(5, "unsaved_work");
    let requests = engine.requests().len();
    assert!(requests >= 4, "{:?}", engine.requests());
    for number in 1..=requests {
        for wrong in ALL.into_iter().filter(|wrong| *wrong != Wrong::Stall) {
            let engine = FaultProxy::with(live.folder(), wrong, number);
            let answer = Answer::to(&live.launcher("rm w").env("DOCKER_HOST", engine.address()));
            let document = answer.ran.document();
            let refused = (5, "unsaved_work");
            let expected = match Ending::of(wrong) {
                Ending::Failure(exit, code) if engine.struck() => (exit, code),
                _ => refused,
            };
            assert_eq!((answer.ran.code, document.error_code()), expected, "{wrong:?} at {number}: {}", document.0);
            assert_eq!(World::of(&live), before, "{wrong:?} at {number}: {}", document.0);
        }
    }
    assert_eq!(live.inside("w", "cat /work/mine.txt"), "mine");
}
