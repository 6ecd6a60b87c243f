//! `--output`, `--quiet` and `--log-format`, wherever they stand and however they are written.

use std::process::Stdio;

use agent_workspace_tests::{Launcher, Ran};
use serde_json::Value;

use crate::fails;

/// `ls` with an engine that is not there.
fn ls(args: &[&str]) -> Ran {
    Launcher::new(args.iter().copied()).env("DOCKER_HOST", "unix:///nonexistent").run()
}

fn is_document(ran: &Ran) -> bool {
    ran.stdout.starts_with('{')
}

#[test]
fn the_form_is_asked_for_before_or_after_the_command_in_both_spellings() {
    for args in [
        &["ls", "--output", "json"][..],
        &["ls", "--output=json"],
        &["--output", "json", "ls"],
        &["--output=json", "ls"],
        &["--quiet", "--output=json", "ls"],
        &["-q", "ls", "--output=json"],
    ] {
        let ran = ls(args).expect(7);
        assert_eq!(ran.document().text("/command"), "ls", "{args:?}");
    }
    for args in [&["ls"][..], &["ls", "--output", "text"], &["--output=text", "ls"], &["ls", "--output="]] {
        assert_eq!(ls(args).expect(7).stdout, "", "{args:?}");
    }
}

#[test]
fn errors_that_strike_before_the_command_is_known_are_in_the_form_that_was_asked_for() {
    for args in [
        &["nosuch", "--output", "json"][..],
        &["--output", "json", "nosuch"],
        &["--output=json", "--bogus"],
        &["--bogus", "--output=json"],
        &["--output", "json", "--"],
    ] {
        let ran = ls(args);
        assert!([0, 2].contains(&ran.code), "{args:?}: {}", ran.stdout);
        ran.document();
    }
}

#[test]
fn a_form_that_is_none_is_wrong() {
    for args in
        [&["ls", "--output", "yaml"][..], &["ls", "--output=JSON"], &["ls", "--output"], &["--log-format=x", "ls"]]
    {
        let ran = ls(args).expect(2);
        assert_eq!(ran.stdout, "", "{args:?}");
        assert!(ran.stderr.starts_with("error: "), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn what_stands_after_two_dashes_asks_for_nothing() {
    let ran = ls(&["describe", "--", "--output=json"]);
    assert!(!is_document(&ran), "{}", ran.stdout);
}

#[test]
fn documents_say_which_spelling_was_used() {
    for command in ["create", "up"] {
        assert_eq!(fails(&[command, "--bogus"], 2, "usage").text("/command"), command);
    }
    assert_eq!(*fails(&["nosuch"], 2, "usage").at("/command"), Value::Null);
}

#[test]
fn quiet_is_taken_before_and_after_the_command() {
    for args in [&["-q", "ls"][..], &["ls", "-q"], &["--quiet", "ls"], &["ls", "--quiet"]] {
        let ran = ls(&[args, &["--output=json"]].concat()).expect(7);
        assert_eq!(ran.stderr, "", "{args:?}: the document says it all");
        let ran = ls(args).expect(7);
        assert!(ran.stderr.starts_with("error: "), "without a document an error is always said: {}", ran.stderr);
    }
}

#[test]
fn events_are_json_lines_and_the_first_is_the_version() {
    for args in [
        &["ls", "--log-format", "json"][..],
        &["--log-format=json", "ls"],
        &["nosuch", "--log-format=json"],
        &["create", "--no-clone", "--name", "a", "--log-format=json", "--output=json"],
    ] {
        let ran = ls(args);
        assert_ne!(ran.code, 0);
        let events: Vec<Value> =
            ran.stderr.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
        assert_eq!(events[0]["event"], "version", "{args:?}");
        assert_eq!(events[0]["version"], env!("CARGO_PKG_VERSION"));
        let last = events.last().expect("an event");
        assert_eq!((&last["event"], &last["error"]["exit_code"]), (&"error".into(), &ran.code.into()), "{args:?}");
    }
}

#[test]
fn nothing_is_coloured_that_is_not_on_a_terminal() {
    for variables in [&[][..], &[("NO_COLOR", "1")], &[("CLICOLOR_FORCE", "1"), ("TERM", "xterm-256color")]] {
        for args in [&["--help"][..], &["create", "--help"], &["nosuch"], &["ls"]] {
            let mut launcher = Launcher::new(args.iter().copied()).env("DOCKER_HOST", "unix:///nonexistent");
            for (name, value) in variables {
                launcher = launcher.env(*name, *value);
            }
            let ran = launcher.run();
            assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{args:?} {variables:?}");
        }
    }
}

#[test]
fn documents_are_ascii_whatever_was_typed() {
    let document = fails(&["describe", "\u{1f600} \u{fc}"], 2, "invalid_name");
    assert!(document.text("/error/message").contains('\u{1f600}') || document.text("/error/message").contains("1f600"));
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    for args in [&["capabilities"][..], &["--help"], &["schema", "--output=json"], &["--version"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Launcher::new(args.iter().copied()).command();
        let child = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn().expect("it starts");
        let ran = Ran::of(child).expect(0);
        assert_eq!(ran.stderr, "", "{args:?}");
    }
}

#[test]
fn a_full_device_is_an_error() {
    for args in [&["capabilities"][..], &["--help"], &["schema"], &["--version", "--output=json"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("/dev/full is there");
        let mut command = Launcher::new(args.iter().copied()).command();
        let child = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().expect("it starts");
        let ran = Ran::of(child).expect(1);
        assert!(ran.stderr.contains("error: the answer could not be written to stdout"), "{args:?}: {}", ran.stderr);
    }
}
