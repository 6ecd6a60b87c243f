//! Many at once: workspaces of different names, and of one.

use agent_workspace_tests::live::{Answer, Image, Live, Running};

/// Runs creates at once, each with the line of its number, and returns their answers in that order.
fn at_once(live: &Live, count: usize, line: impl Fn(usize) -> String) -> Vec<Answer> {
    let running: Vec<Running> =
        (0..count).map(|number| Running::start(&live.creating(Image::Agent, &line(number)).json())).collect();
    // Somebody has to listen to each, or the first that says much would wait for the last.
    std::thread::scope(|scope| {
        let answers: Vec<_> = running.into_iter().map(|one| scope.spawn(|| one.answer())).collect();
        answers.into_iter().map(|answer| answer.join().expect("a create answers")).collect()
    })
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn twenty_creates_at_once_make_twenty_workspaces_with_their_clones() {
    let live = Live::new();
    for answer in at_once(&live, 20, |number| format!("acme/hello --name many{number}")) {
        let document = answer.ok();
        assert_eq!((document.at("/created"), document.text("/status")), (&true.into(), "running"));
    }
    for number in 0..20 {
        let state = live.inside(&format!("many{number}"), "git -C /work/acme/hello status -sb; ls -A /work/acme");
        assert_eq!(state, "## main...origin/main\nhello");
    }
    assert_eq!((live.containers().len(), live.volumes().len()), (20, 40));
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn of_five_creates_of_one_name_one_makes_it_and_the_others_come_back_to_it() {
    let live = Live::new();
    let documents: Vec<_> =
        at_once(&live, 5, |_| "acme/hello --name same".to_owned()).into_iter().map(Answer::ok).collect();
    assert_eq!(documents.iter().filter(|document| *document.at("/created") == true).count(), 1);
    assert!(documents.iter().all(|document| document.text("/workspace") == live.full("same")));
    assert_eq!(
        live.inside("same", "ls -A /work/acme; git -C /work/acme/hello status -sb"),
        "hello\n## main...origin/main"
    );
    live.json("rm same").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn of_five_creates_that_all_fail_nothing_is_left() {
    let live = Live::new();
    for answer in at_once(&live, 5, |_| "acme/hello --ref no-such-ref --name bad".to_owned()) {
        let document = answer.ran.document();
        // Its own failure, or that of who made the workspace and took it back meanwhile.
        let ended = (answer.ran.code, document.error_code());
        assert!([(3, "ref_not_found"), (4, "container_vanished")].contains(&ended), "{ended:?} {}", document.0);
    }
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_maker_that_fails_leaves_the_workspace_to_those_who_came_back_to_it() {
    let live = Live::new();
    let repository = live.held_repository("left");
    let create = |more: &str| {
        Running::start(&live.creating(Image::Agent, &format!("{} --name left {more}", repository.slug())).json())
    };
    let maker = create("--ref no-such-ref");
    repository.wait_until_reached();
    let others = [create(""), create("")];
    agent_workspace_tests::live::until("both others count on the workspace", || {
        live.inside("left", "ls /tmp/.agent-workspace-joined 2>/dev/null || true").lines().count() == 2
    });
    repository.release();
    let failed = maker.answer().fails(3, "ref_not_found");
    // It says that it has not taken back what is somebody's by now.
    assert!(failed.at("/error/details/left_behind").to_string().contains(&live.full("left")), "{}", failed.0);
    for other in others {
        let document = other.answer().ok();
        assert_eq!((document.at("/created"), document.text("/status")), (&false.into(), "running"));
    }
    let clone = format!("git -C /work/{} status -sb", repository.slug());
    assert_eq!(live.inside("left", &clone), "## main...origin/main");
    live.json("rm left").ok();
    live.nothing_is_left();
}
