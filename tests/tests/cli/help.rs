//! Help is an answer: on stdout, with exit code 0, and never the deed itself.

use agent_workspace_tests::Launcher;

use crate::{fails, succeeds};

const COMMANDS: [&[&str]; 15] = [
    &["capabilities"],
    &["completion"],
    &["create"],
    &["describe"],
    &["field"],
    &["help"],
    &["image", "build"],
    &["ls"],
    &["parse-repo"],
    &["rm"],
    &["schema"],
    &["start"],
    &["stop"],
    &["tunnel"],
    &["up"],
];

fn help(args: &[&str]) -> String {
    let launcher = Launcher::new(args.iter().copied()).env("DOCKER_HOST", "unix:///nonexistent");
    let ran = launcher.run().expect(0);
    assert_eq!(ran.stderr, "", "{args:?}");
    ran.stdout
}

#[test]
fn help_of_the_program_holds_what_consumers_look_for() {
    for args in [&["--help"][..], &["-h"], &["help"], &[]] {
        let text = help(args);
        assert!(text.contains("up|create") && text.contains("--output json"), "{args:?}: {text}");
    }
}

#[test]
fn help_of_every_command_names_the_same_flags_in_both_spellings_and_does_nothing() {
    let flags = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| c.is_whitespace() || ",[]|".contains(c));
        words.filter(|word| word.starts_with("--")).map(str::to_owned).collect()
    };
    for command in COMMANDS {
        let by_flag = help(&[command, &["--help"]].concat());
        assert!(by_flag.contains("Usage:") && by_flag.contains("--output"), "{command:?}: {by_flag}");
        assert_eq!(flags(&by_flag), flags(&help(&[&["help"], command].concat())), "{command:?}");
    }
}

#[test]
fn help_wins_over_what_else_was_typed() {
    assert!(help(&["rm", "a", "--force", "--help"]).contains("Usage:"));
    assert!(help(&["create", "--help", "o/r", "--name", "x"]).contains("Usage:"));
}

#[test]
fn help_is_a_document_when_asked_for_as_json() {
    for args in
        [&["--help"][..], &["help"], &["help", "create"], &["create", "--help"], &["help", "image", "build"], &[]]
    {
        let document = succeeds(args);
        assert_eq!(document.text("/command"), "help", "{args:?}");
        assert!(document.text("/help").contains("Usage:"), "{args:?}");
    }
}

#[test]
fn every_flag_of_create_is_explained() {
    let text = help(&["create", "--help"]);
    for flag in [
        "--name",
        "--no-clone",
        "--if-exists",
        "--backend",
        "--ref",
        "--dir",
        "--host",
        "--recurse-submodules",
        "--image",
        "--no-pull",
        "--user",
        "--cpus",
        "--memory",
        "--network",
        "--env-file",
        "--label",
        "--tunnel",
        "--tunnel-detach",
        "--output",
        "--quiet",
        "--log-format",
        "--timeout",
    ] {
        assert!(text.contains(flag), "{flag} is missing in\n{text}");
    }
}

#[test]
fn help_of_what_is_no_command_is_wrong() {
    fails(&["help", "nosuch"], 2, "usage");
    fails(&["help", "image", "nosuch"], 2, "usage");
}
