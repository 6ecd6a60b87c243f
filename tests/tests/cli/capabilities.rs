//! What consumers ask before they rely on something: `capabilities`, `--supports`, `--requires`, `--version`.

use agent_workspace_contract::{Capability, ErrorCode};
use agent_workspace_tests::Launcher;

use crate::{fails, succeeds};

fn names() -> Vec<String> {
    let document = succeeds(&["capabilities"]);
    let names = document.at("/capabilities").as_array().expect("a list").clone();
    names.into_iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
}

#[test]
fn the_first_names_are_those_of_the_first_launcher_in_their_order() {
    let first = [
        "capabilities-command",
        "supports-flag",
        "version",
        "create-alias",
        "output-json",
        "tunnel-name-v1",
        "tunnel-json",
        "secrets-explicit-dir",
        "rm-default-volumes",
        "rm-keep-volumes-flag",
    ];
    assert_eq!(names()[..first.len()], first);
}

#[test]
fn every_name_that_is_listed_is_supported_and_no_other() {
    let names = names();
    for name in Capability::ALL.iter().map(|capability| capability.as_str()) {
        assert!(names.iter().any(|listed| listed == name), "{name}");
        let _ = Launcher::new(["--supports", name]).run().expect(0);
    }
    assert!(names.iter().all(|name| Capability::ALL.iter().any(|known| known.as_str() == name)), "{names:?}");
}

#[test]
fn capabilities_are_a_document_in_both_modes() {
    let text = Launcher::new(["capabilities"]).run().expect(0);
    let json = Launcher::new(["capabilities"]).json().run().expect(0);
    assert_eq!(text.stdout, json.stdout);
    assert_eq!(text.stderr, "");
}

#[test]
fn every_document_carries_the_capabilities() {
    let listed = succeeds(&["capabilities"]).at("/capabilities").clone();
    assert_eq!(*succeeds(&["--version"]).at("/capabilities"), listed);
    assert_eq!(*fails(&["nosuch"], 2, "usage").at("/capabilities"), listed);
}

#[test]
fn every_error_code_is_explained() {
    let document = succeeds(&["capabilities"]);
    let errors = document.at("/errors").as_object().expect("a map").clone();
    assert_eq!(errors.len(), ErrorCode::ALL.len());
    for code in ErrorCode::ALL {
        let entry = &errors[code.as_str()];
        assert_eq!(entry["exit_code"], code.exit().code());
        assert_eq!(entry["retryable"], code.retryable());
        assert_eq!(entry["summary"], code.summary());
    }
}

#[test]
fn every_command_that_help_names_is_listed_as_one_that_answers_in_json() {
    let document = succeeds(&["capabilities"]);
    let commands = document.at("/commands").as_object().expect("a map").clone();
    for command in ["capabilities", "create", "up", "describe", "field", "help", "image build", "ls", "rm", "schema"] {
        assert_eq!(commands[command]["json"], true, "{command}");
    }
    for (command, summary) in commands {
        assert_eq!(summary["json"], true, "{command}");
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        succeeds(&words);
    }
}

#[test]
fn the_default_backend_is_docker() {
    assert_eq!(*succeeds(&["capabilities"]).at("/backends/docker/default"), true);
}

#[test]
fn questions_are_answered_by_the_exit_code_alone() {
    for (args, exit) in [
        (&["--supports", "output-json"][..], 0),
        (&["--supports=output-json"], 0),
        (&["--supports", "nosuch"], 1),
        (&["--supports", "secrets-explicit-dir"], 0),
        (&["--supports", ""], 1),
        (&["--requires", ">=0.2, <1"], 0),
        (&["--requires", "=0.2.0"], 0),
        (&["--requires", "^0.2"], 0),
        (&["--requires", "*"], 0),
        (&["--requires", ">=1"], 1),
        (&["--requires", "<0.2.0"], 1),
    ] {
        let ran = Launcher::new(args.iter().copied()).run().expect(exit);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""), "{args:?}");
    }
}

#[test]
fn questions_are_documents_when_asked_for_as_json() {
    assert_eq!(succeeds(&["--supports", "output-json"]).text("/capability"), "output-json");
    assert_eq!(succeeds(&["--requires", ">=0.2"]).text("/requirement"), ">=0.2");
    assert_eq!(fails(&["--supports", "nosuch"], 1, "capability_absent").text("/error/details/capability"), "nosuch");
    fails(&["--requires", ">=99"], 1, "capability_absent");
}

#[test]
fn what_is_no_requirement_is_wrong_and_not_a_no() {
    for requirement in ["latest", "", ">=", "1.2.3.4"] {
        fails(&["--requires", requirement], 2, "usage");
    }
}

#[test]
fn the_version_is_printed_alone() {
    for flag in ["--version", "-V"] {
        let ran = Launcher::new([flag]).run().expect(0);
        assert_eq!(ran.stdout, concat!(env!("CARGO_PKG_VERSION"), "\n"));
        assert_eq!(ran.stderr, "");
    }
    assert_eq!(succeeds(&["--version"]).text("/version"), env!("CARGO_PKG_VERSION"));
}

#[test]
fn nothing_of_this_touches_engine_or_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("config.json"), "{").expect("a broken file");
    for args in [
        &["capabilities"][..],
        &["--supports", "version"],
        &["--requires", "*"],
        &["--version"],
        &["schema"],
        &["completion", "zsh"],
    ] {
        let launcher = Launcher::new(args.iter().copied())
            .env("DOCKER_CONFIG", folder.path())
            .env("AGENT_WORKSPACE_PREFIX", "!!!")
            .env("GH_TOKEN", "two\nlines");
        let _ = launcher.run().expect(0);
    }
}
