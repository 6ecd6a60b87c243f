//! The connection to the engine breaks at every request in turn: before the engine gets it, and after it was done and
//! the answer is lost.

use agent_workspace_tests::live::{Answer, Cut, Forwarder, Image, Live};

/// Runs a line for each request that may be lost, until one run needs fewer. `check` is told what it answered.
fn for_each_cut(
    live: &Live,
    cut: fn(usize) -> Cut,
    mut run: impl FnMut(&str, usize) -> Answer,
    mut check: impl FnMut(Answer, usize),
) {
    for number in 1..=40 {
        let engine = Forwarder::cutting(live.folder(), cut(number));
        let answer = run(engine.address(), number);
        if engine.requests() < number {
            // It never came to the request that was to be lost.
            answer.ok();
            assert!(number > 3, "a command of {} requests", number - 1);
            return;
        }
        check(answer, number);
    }
    panic!("a command of more than forty requests");
}

fn create_over(live: &Live, cut: fn(usize) -> Cut) {
    for_each_cut(
        live,
        cut,
        |engine, number| {
            let launcher =
                live.creating(Image::Busybox, &format!("--no-clone --name lost{number} --label number={number}"));
            Answer::to(&launcher.env("DOCKER_HOST", engine))
        },
        |answer, number| {
            // It may have got on without that answer; if not, nothing is left, of the container nor of the volumes.
            let failed = answer.ran.code != 0;
            let document = answer.ran.document();
            if failed {
                assert_eq!(
                    (answer.ran.code, document.error_code()),
                    (7, "engine_unavailable"),
                    "{number}: {}",
                    document.0
                );
                let left: Vec<String> = [live.containers(), live.volumes()].concat();
                let left: Vec<&String> = left.iter().filter(|name| name.contains(&format!("lost{number}"))).collect();
                assert!(left.is_empty(), "request {number}: {left:?}; {}", document.0);
            }
        },
    );
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_create_whose_request_is_lost_leaves_nothing() {
    create_over(&Live::new(), Cut::Before);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_create_whose_answer_is_lost_leaves_nothing() {
    create_over(&Live::new(), Cut::After);
}

fn rm_over(live: &Live, cut: fn(usize) -> Cut) {
    live.create_from(Image::Busybox, "--no-clone --name lost").ok();
    for_each_cut(
        live,
        cut,
        |engine, _| Answer::to(&live.launcher("rm lost").env("DOCKER_HOST", engine)),
        |answer, number| {
            let document = answer.ran.document();
            assert!([0, 7, 8].contains(&answer.ran.code), "request {number}: {}", document.0);
            // Whatever is left of it can be removed by the same command, and made again for the next time.
            let again = live.json("rm lost --force --if-exists").ok();
            assert_eq!(again.at("/failed"), &serde_json::json!([]));
            live.nothing_is_left();
            live.create_from(Image::Busybox, "--no-clone --name lost").ok();
        },
    );
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_rm_whose_request_is_lost_can_be_repeated() {
    rm_over(&Live::new(), Cut::Before);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_rm_whose_answer_is_lost_can_be_repeated() {
    rm_over(&Live::new(), Cut::After);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_clone_whose_connection_breaks_leaves_nothing() {
    let live = Live::new();
    let line = "acme/hello --name lost";
    let count = Forwarder::unix(live.folder());
    Answer::to(&live.creating(Image::Agent, line).env("DOCKER_HOST", count.address())).ok();
    live.json("rm lost").ok();
    let requests = count.requests();
    assert!(requests > 3, "{requests}");
    // The clone is the last of it: an exec made, run, and asked how it ended.
    for number in requests - 2..=requests {
        for cut in [Cut::Before, Cut::After] {
            let engine = Forwarder::cutting(live.folder(), cut(number));
            let answer = Answer::to(&live.creating(Image::Agent, line).env("DOCKER_HOST", engine.address()));
            answer.fails(7, "engine_unavailable");
            live.nothing_is_left();
        }
    }
}

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
