//! Every request of a rescue going wrong: the work is inside or on this host, and again it succeeds.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use agent_workspace_tests::live::{Answer, FaultProxy, Image, Live, Wrong, note};
use serde_json::Value;

use super::cases::{ALL, BROKEN, Case, Ending, case};
use super::world::{State, World, make};
use super::{WORKERS, work};

/// Not run as it stands: its folder is another one each time.
const RESCUE: Case = Case {
    exceptions: &[
        // What was removed twice is removed once.
        ("DELETE /", "", BROKEN, Ending::Success),
        // What cannot be paused is looked through as it is, with a warning.
        ("POST /containers/", "/pause", &[Wrong::Refuse], Ending::Success),
        // What cannot be looked into cannot be brought out.
        ("POST /containers/create", "", &[Wrong::Refuse], Ending::Failure(1, "rescue_failed")),
        ("GET /containers/", "/archive", &[Wrong::Refuse], Ending::Failure(1, "rescue_failed")),
        ("POST /containers/", "/start", &[Wrong::Refuse], Ending::Failure(1, "rescue_failed")),
    ],
    ..case("rm w --rescue", State::Running(Image::Busybox), State::Absent, 12)
};

/// A workspace with work that exists nowhere else.
fn work_inside(live: &Live) {
    if World::of(live).containers.is_empty() {
        make(live, Image::Busybox, false);
        live.inside("w", "echo mine >/work/mine.txt");
    }
}

fn rescue(live: &Live, dir: &Path, engine: Option<&FaultProxy>, more: &str) -> Answer {
    let launcher = live.launcher(&format!("rm w --rescue {} {more}", dir.display()));
    Answer::to(&match engine {
        Some(engine) => launcher.env("DOCKER_HOST", engine.address()),
        None => launcher,
    })
}

/// What was rescued into a folder, one folder each time.
fn rescued(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Lets one request of a rescue go wrong; one that is not answered is given up after a while. Returns whether it came to
/// that, and the exception that it was.
fn goes_wrong(live: &Live, number: usize, wrong: Wrong, limit: Duration) -> (bool, Option<usize>) {
    work_inside(live);
    let before = World::of(live);
    let dir = live.folder().join(format!("rescued-{number}-{wrong:?}"));
    let engine = FaultProxy::with(live.folder(), wrong, number);
    let time = limit;
    let limit = if wrong == Wrong::Stall { format!("--timeout {}ms", limit.as_millis()) } else { String::new() };
    let answer = rescue(live, &dir, Some(&engine), &limit);
    let document = answer.ran.document();
    if wrong == Wrong::Stall && !engine.struck_within(time) {
        // On a busy machine its time may run out before that request; it is counted as not tried.
        assert!([0, 124].contains(&answer.ran.code), "{}", document.0);
        live.json("rm w --force --if-exists").ok();
        return (false, None);
    }
    let requests = engine.requests();
    let request = requests.get(number - 1).cloned().unwrap_or_default();
    // The engine hears late of what it has paused itself, and takes what runs again for paused until then.
    let settled = answer.ran.code != 0 && !request.starts_with("DELETE /");
    let mut world = World::of(live);
    for _ in 0..40 {
        if !settled || world == before {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        world = World::of(live);
    }
    let shown = format!("{request}\n{world:?}\n{requests:?}\n{}", document.0);
    let exception = RESCUE.exception(&request, wrong).filter(|_| engine.struck());
    let ending = if engine.struck() { RESCUE.ending(&request, wrong) } else { Ending::Success };
    assert_eq!((answer.ran.code, document.error_code()), ending.codes(), "{shown}");
    if answer.ran.code == 0 {
        assert!(world.is(live, State::Absent), "something is left: {shown}");
        let files = document.at("/rescued/items").as_array().expect("a list");
        assert!(!files.is_empty() && rescued(&dir).len() == 1, "{shown}");
    } else if request.starts_with("DELETE /") {
        // It may have begun to remove; then the work is here, and the document says where.
        assert!(world == before || !rescued(&dir).is_empty(), "the work is nowhere: {shown}");
        let said = document.0.pointer("/error/details/rescued/dir").and_then(Value::as_str).map(PathBuf::from);
        assert_eq!(rescued(&dir), said.as_slice(), "{shown}");
    } else {
        assert_eq!(world, before, "the workspace is as it was, and runs: {shown}");
        assert_eq!(live.inside("w", "cat /work/mine.txt"), "mine");
        assert!(rescued(&dir).is_empty(), "half a rescue is left: {shown}");
    }

    let again = rescue(live, &dir, None, "").ran;
    let is_absent = world.is(live, State::Absent);
    let expected = if is_absent { (3, "workspace_not_found") } else { (0, "") };
    assert_eq!((again.code, again.document().error_code()), expected, "again: {shown}\n{}", again.stdout);
    assert!(World::of(live).is(live, State::Absent), "again: {shown}");
    assert!(!rescued(&dir).is_empty(), "the work is nowhere: {shown}");
    (engine.struck(), exception)
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn whatever_goes_wrong_in_a_rescue_the_work_is_inside_or_on_this_host() {
    let live = Live::new();
    work_inside(&live);
    let engine = FaultProxy::watching(live.folder());
    let answer = rescue(&live, &live.folder().join("rescued"), Some(&engine), "");
    // It has had several times what it takes.
    let limit = (answer.took * 4).clamp(Duration::from_secs(3), Duration::from_secs(10));
    answer.ok();
    let requests = engine.requests().len();
    assert!(requests >= RESCUE.requests, "{:?}", engine.requests());

    let jobs: Vec<(usize, Wrong)> =
        (1..=requests).flat_map(|number| ALL.into_iter().map(move |wrong| (number, wrong))).collect();
    let problems = Mutex::new(Vec::new());
    let name = |(number, wrong): &(usize, Wrong)| format!("rm w --rescue, {wrong:?} at request {number}");
    let run = |live: &Live, (number, wrong): &(usize, Wrong)| goes_wrong(live, *number, *wrong, limit);
    let mut done = work(WORKERS, jobs, &problems, name, run);
    let problems = problems.into_inner().unwrap_or_default();
    assert!(problems.is_empty(), "{} of the fault cases failed\n{}", problems.len(), problems.join("\n\n"));
    done.retain(|(struck, _)| *struck);
    assert!(done.len() >= 5 * requests, "only {} came to it", done.len());
    for (number, exception) in RESCUE.exceptions.iter().enumerate() {
        assert!(done.iter().any(|(_, used)| *used == Some(number)), "nothing ended as {exception:?} says");
    }
    note(&format!("{} fault cases of a rescue", done.len()));
}
