//! An answer that nobody can take.

use std::fs::File;
use std::process::Stdio;

use agent_workspace_tests::live::{Image, Live};
use agent_workspace_tests::{Launcher, Ran};

/// Runs with something else as its stdout. What it wrote there is lost.
fn run_into(launcher: &Launcher, stdout: impl Into<Stdio>) -> Ran {
    let mut command = launcher.command();
    let child = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn().expect("the binary starts");
    Ran::of(child)
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_answer_that_cannot_be_written_is_a_failure_and_nothing_of_it_is_left() {
    let live = Live::new();
    for (form, name) in [("--output=text", "text"), ("--output=json", "json")] {
        let launcher = live.creating(Image::Busybox, &format!("--no-clone --name {name} {form}"));
        let ran = run_into(&launcher, File::options().write(true).open("/dev/full").expect("/dev/full")).expect(1);
        assert!(ran.stderr.contains("could not be written"), "{}", ran.stderr);
        assert!(live.row(name).is_none(), "{name} is left");
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_reader_that_has_gone_away_is_no_failure() {
    let live = Live::new();
    for (form, name) in [("--output=text", "text"), ("--output=json", "json")] {
        let launcher = live.creating(Image::Busybox, &format!("--no-clone --name {name} {form}"));
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let ran = run_into(&launcher, writer).expect(0);
        assert!(!ran.stderr.contains("error"), "{}", ran.stderr);
        assert_eq!(live.row(name).expect("a row")["status"], "running");
    }
}
