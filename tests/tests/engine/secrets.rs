//! A token goes to two places only: the stdin of the clone, and that of what keeps it when that is asked for.

use agent_workspace_tests::Ran;
use agent_workspace_tests::engine::{Container, Engine, Reply, Script};

const CANARY: &str = "ghp_canary0123456789";
const CREATE: [&str; 6] = ["create", "o/r", "--name", "a", "--image", "plain:1"];

/// Fails when the canary is anywhere but in the clone's stdin. Returns how often it is there.
fn searched(engine: &Engine, ran: &Ran, told: &str) -> usize {
    assert!(!ran.stdout.contains(CANARY), "{told}: stdout\n{}", ran.stdout);
    assert!(!ran.stderr.contains(CANARY), "{told}: stderr\n{}", ran.stderr);
    let holds = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
    for (request, line) in engine.requests().iter().zip(engine.calls()) {
        assert!(!line.contains(CANARY) && !holds(&request.body), "{told}: {line}");
    }
    let stdins = engine.requests().into_iter().filter(|request| holds(&request.stdin)).inspect(|request| {
        assert_eq!(request.stdin, format!("{CANARY}\n").as_bytes(), "{told}");
    });
    stdins.count()
}

#[test]
fn a_token_reaches_the_clone_and_nothing_else() {
    for variable in ["GH_TOKEN", "GITHUB_TOKEN"] {
        for flags in [&[][..], &["--output=json"], &["--log-format=json"], &["--output=json", "--log-format=json"]] {
            for reply in [
                Reply::says("result=cloned\n"),
                Reply::fails(128, "fatal: Authentication failed for 'https://github.com/o/r.git/'"),
                Reply::fails(83, ""),
                Reply::fails(1, ""),
            ] {
                let engine = Engine::start();
                engine.answers(Script::Clone, reply);
                let ran = engine.launcher(CREATE.iter().chain(flags)).env(variable, CANARY).run();
                assert_eq!(searched(&engine, &ran, variable), 1, "{flags:?}: {}", ran.stderr);
                let clone = engine.runs(Script::Clone).pop().expect("a clone").0;
                assert_eq!(clone[5], "yes", "the script is told that a token comes");
            }
        }
    }
}

#[test]
fn a_token_from_stdin_wins_over_the_environment_and_reaches_the_clone_and_what_keeps_it() {
    let engine = Engine::start();
    engine.answers(Script::GitAuth, Reply::says("with=store\n"));
    let launcher = engine.launcher(CREATE).arg("--setup-git").arg("--token-stdin").stdin(format!("{CANARY}\n"));
    let ran = launcher.env("GH_TOKEN", "ghp_of_the_environment").run();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(searched(&engine, &ran, "--token-stdin"), 2);
    assert!(engine.requests().iter().all(|request| !String::from_utf8_lossy(&request.stdin).contains("environment")));
}

#[test]
fn where_no_token_comes_on_stdin_nothing_is_asked_of_the_engine() {
    for stdin in ["", "\n"] {
        let engine = Engine::start();
        let ran = engine.launcher(CREATE).arg("--token-stdin").env("GH_TOKEN", CANARY).stdin(stdin).run();
        assert_eq!((ran.code, searched(&engine, &ran, "--token-stdin")), (6, 0), "{}", ran.stderr);
        assert_eq!(engine.calls(), [""; 0]);
    }
}

#[test]
fn a_token_that_is_kept_goes_to_what_keeps_it_and_nowhere_else() {
    for flags in [&[][..], &["--output=json"], &["--log-format=json"]] {
        for reply in [
            Reply::says("with=gh\n"),
            Reply::fails(81, "error validating token: HTTP 401: Bad credentials"),
            Reply::fails(82, ""),
            Reply::fails(1, ""),
        ] {
            let engine = Engine::start();
            engine.answers(Script::GitAuth, reply);
            let launcher = engine.launcher(CREATE.iter().chain(flags)).arg("--setup-git");
            let ran = launcher.env("GH_TOKEN", CANARY).run();
            assert_eq!(searched(&engine, &ran, "--setup-git"), 2, "the clone and the keeper: {}", ran.stderr);
        }
    }
}

#[test]
fn the_newer_variable_wins() {
    let engine = Engine::start();
    let ran = engine.launcher(CREATE).env("GH_TOKEN", CANARY).env("GITHUB_TOKEN", "other").run();
    assert_eq!(searched(&engine, &ran.expect(0), "both"), 1);
}

#[test]
fn without_a_clone_no_token_is_sent_anywhere() {
    let engine = Engine::start();
    engine.has(Container::workspace("b"));
    for args in [
        &["create", "--no-clone", "--name", "a", "--image", "plain:1"][..],
        &["ls"],
        &["describe", "b"],
        &["tunnel", "b", "--detach"],
        &["rm", "b"],
        &["capabilities"],
    ] {
        let ran = engine.launcher(args.iter().copied()).json().env("GH_TOKEN", CANARY).run().expect(0);
        assert_eq!(searched(&engine, &ran, args[0]), 0);
    }
}

#[test]
fn errors_about_what_was_typed_do_not_tell_the_token() {
    let engine = Engine::start();
    for args in
        [&["create", "o/r", "--bogus"][..], &["create", "owner"], &["create", "o/r", "--ref", "-x"], &["nosuch"]]
    {
        for flags in [&[][..], &["--output=json"], &["--output=json", "--log-format=json"]] {
            let ran = engine.launcher(args.iter().chain(flags).copied()).env("GH_TOKEN", CANARY).run().expect(2);
            assert_eq!(searched(&engine, &ran, args[0]), 0);
        }
    }
}

#[test]
fn a_token_that_cannot_be_one_is_refused_without_being_shown() {
    let engine = Engine::start();
    let launcher = engine.launcher(CREATE).env("GH_TOKEN", format!("{CANARY}\nsecond line"));
    let document = crate::failure(&launcher, 2, "invalid_environment");
    assert!(!document.0.to_string().contains(CANARY), "{document:?}");
    assert_eq!(engine.calls(), [""; 0]);
}

#[test]
fn a_token_in_the_address_of_the_repository_is_refused_without_being_shown() {
    let engine = Engine::start();
    let url = format!("https://x:{CANARY}@github.com/o/r");
    for flags in [&[][..], &["--output=json"], &["--log-format=json"]] {
        let ran = engine.launcher(["create", &url].into_iter().chain(flags.iter().copied())).run().expect(2);
        assert_eq!(searched(&engine, &ran, &url), 0);
    }
    assert_eq!(engine.calls(), [""; 0]);
}

#[test]
fn a_token_is_not_put_into_a_container_by_a_file_of_variables() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("env");
    for line in ["GH_TOKEN".to_owned(), format!("GITHUB_TOKEN={CANARY}")] {
        std::fs::write(&file, line).expect("a file");
        let engine = Engine::start();
        let launcher = engine.launcher(CREATE).arg("--env-file").arg(&file).env("GH_TOKEN", CANARY);
        let document = crate::failure(&launcher, 2, "usage");
        assert!(!document.0.to_string().contains(CANARY), "{document:?}");
    }
}
