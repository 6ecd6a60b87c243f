//! Every scenario in every shell: the same calls, the same streams, the same exit code, whatever the shell's settings.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use agent_workspace_tests::live::{note, skip};
use agent_workspace_tests::wrappers::{Outcome, Sandbox, Scenario, Shell, Tree, Variant, all, rewrite};

macro_rules! files {
    ($($file:ident)*) => {
        const FILES: &[&str] = &[$(stringify!($file)),*];
        mod bash { $(#[test] fn $file() { super::run(&super::Shell::Bash, stringify!($file)); })* }
        mod powershell { $(#[test] fn $file() { super::run(&super::Shell::PowerShell, stringify!($file)); })* }
        mod zsh { $(#[test] fn $file() { super::run(&super::Shell::Zsh, stringify!($file)); })* }
    };
}

files! {
    aliases attach auth call create credentials find gate help open pick remove repos reset secrets snapshot sync values
}

/// A program of somebody else's that is to behave like the function: `./dev conformance COMMAND`. Without one, a program
/// made of the bash wrapper shows with a few scenarios that this can be done.
#[test]
fn conformance() {
    // Short names are for functions, and where a launcher is found depends on where the wrapper is.
    let mut wanted: Vec<Scenario> = scenarios()
        .into_iter()
        .filter(|scenario| scenario.command == "agent-workspace" && scenario.file != "find")
        .collect();
    for scenario in wanted.iter_mut().filter(|scenario| scenario.launcher == ["path"]) {
        scenario.env.insert(0, ("AGENT_WORKSPACE_LAUNCHER".to_owned(), "{LAUNCHER}".to_owned()));
    }
    if let Some(program) = std::env::var_os("AGENT_WORKSPACE_TEST_CONFORMANCE") {
        return report(&Shell::Program(PathBuf::from(program)), &wanted);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = folder.path().join("wrapper");
    let entry = Shell::Bash.entry(&Tree::project().wrappers());
    let script = format!("#!/usr/bin/env bash\nsource '{}'\nagent-workspace \"$@\"\n", entry.display());
    std::fs::write(&program, script).expect("a file");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("a program");
    wanted.retain(|scenario| scenario.file == "attach");
    report(&Shell::Program(program), &wanted);
}

#[test]
fn every_file_of_scenarios_is_run() {
    let mut files: Vec<String> = scenarios().into_iter().map(|scenario| scenario.file).collect();
    files.dedup();
    assert_eq!(files, FILES);
    note(&format!("wrappers: {} scenarios for each shell", scenarios().len()));
}

/// What holds a token in the shell may have the name of a variable that is exported.
#[test]
fn a_token_is_in_no_variable_that_children_get_by_accident() {
    let named = ["token", "token_source", "environment", "REPLY"].map(|name| (name.to_owned(), "mine".to_owned()));
    let scenario = Scenario {
        command: "agent-workspace".to_owned(),
        run: ["create", "--no-extras", "--name", "x", "acme/hello"].map(str::to_owned).to_vec(),
        env: [&named[..], &[("GH_TOKEN".to_owned(), "{token.env}".to_owned())]].concat(),
        tools: vec!["gh".to_owned()],
        gh: BTreeMap::from([("github.com".to_owned(), "{token.keyring}".to_owned())]),
        launcher: vec!["path".to_owned()],
        ..Scenario::default()
    };
    for shell in [Shell::Bash, Shell::Zsh] {
        let outcome = Sandbox::new(&scenario).call(&shell, Variant::Hostile, &scenario);
        assert_eq!((outcome.code, outcome.calls.len()), (0, 4), "{outcome:?}");
        for call in &outcome.calls {
            for (name, _) in &named {
                assert!(!call.contains(&format!("{name}={{token.")), "{}: {call}", shell.name());
            }
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wrappers/scenarios")
}

/// All of them, or those that `AGENT_WORKSPACE_TEST_SCENARIO` names with a part of their names.
fn scenarios() -> Vec<Scenario> {
    let wanted = std::env::var("AGENT_WORKSPACE_TEST_SCENARIO").unwrap_or_default();
    all(&folder()).into_iter().filter(|scenario| scenario.name.contains(&wanted)).collect()
}

fn run(shell: &Shell, file: &str) {
    let scenarios: Vec<Scenario> = scenarios().into_iter().filter(|scenario| scenario.file == file).collect();
    if shell.program().is_none() {
        let count = scenarios.len();
        return skip(&format!("{count} scenarios of {file} in {}, because it is not installed", shell.name()));
    }
    report(shell, &scenarios);
}

fn report(shell: &Shell, scenarios: &[Scenario]) {
    if std::env::var_os("UPDATE_SCENARIOS").is_some_and(|name| name == shell.name().as_str()) {
        return update(shell, scenarios);
    }
    let (mut failures, mut failed) = (String::new(), 0);
    for scenario in scenarios {
        let problems = check(shell, scenario);
        failed += usize::from(!problems.is_empty());
        failures += &problems;
    }
    assert!(failures.is_empty(), "\n{failures}\n{failed} of {} scenarios fail in {}", scenarios.len(), shell.name());
}

/// Writes down what happens instead of what should: `UPDATE_SCENARIOS=zsh`, and then look at the difference.
fn update(shell: &Shell, scenarios: &[Scenario]) {
    let Some(first) = scenarios.first() else { return };
    let mut outcomes = BTreeMap::new();
    for scenario in scenarios {
        let sandbox = Sandbox::new(scenario);
        let mut outcome = sandbox.call(shell, Variant::Plain, scenario);
        if outcome.stdout == expanded(&scenario.stdout) {
            outcome.stdout = scenario.stdout.clone();
        }
        outcomes.insert(scenario.name.clone(), outcome);
    }
    let path = folder().join(format!("{}.txt", first.file));
    let text = std::fs::read_to_string(&path).expect("a file of scenarios");
    std::fs::write(path, rewrite(&text, &outcomes).trim_end().to_owned() + "\n").expect("it is written");
}

/// What is wrong with a scenario in a shell, empty when nothing is.
fn check(shell: &Shell, scenario: &Scenario) -> String {
    let mut problems = String::new();
    let variants = match shell {
        Shell::Program(_) => &[Variant::Plain][..],
        // What PowerShell shows of the lines that it runs is among the answer.
        Shell::Bash | Shell::Zsh if scenario.has_token() => &[Variant::Plain, Variant::Hostile, Variant::Traced][..],
        _ => &[Variant::Plain, Variant::Hostile][..],
    };
    for variant in variants {
        let sandbox = match shell {
            Shell::Program(_) => Sandbox::with(Tree::project(), scenario),
            _ => Sandbox::new(scenario),
        };
        let outcome = sandbox.call(shell, *variant, scenario);
        let found = compare(&sandbox, scenario, *variant, &outcome);
        if !found.is_empty() {
            let _ =
                writeln!(problems, "== {} ({}, {}, {variant:?})\n{found}", scenario.name, scenario.file, shell.name());
        }
    }
    problems
}

fn compare(sandbox: &Sandbox, scenario: &Scenario, variant: Variant, outcome: &Outcome) -> String {
    let mut problems = String::new();
    let mut same = |what: &str, wanted: &str, got: &str| {
        if wanted != got {
            let _ = write!(problems, "{what}:\n{}", differences(wanted, got));
        }
    };
    same("exit", &format!("{}\n", scenario.exit), &format!("{}\n", outcome.code));
    same("stdout", &expanded(&scenario.stdout), &outcome.stdout);
    if variant != Variant::Traced {
        same("stderr", &scenario.stderr, &outcome.stderr);
    }
    same("calls", &lines(&scenario.calls), &lines(&outcome.calls));
    same("leaves", &lines(&scenario.leaves), &lines(&outcome.leaves));
    if let Some(needs) = &scenario.needs {
        let mut gates = outcome.gates.clone();
        gates.dedup();
        same("needs", &lines(needs), &lines(&gates));
    }
    same("what is different in the shell", "", &outcome.left);
    same("leaks", "", &lines(&outcome.leaks));
    let _ = sandbox;
    problems
}

fn lines<S: AsRef<str>>(lines: &[S]) -> String {
    lines.iter().map(|line| format!("{}\n", line.as_ref())).collect()
}

/// `{help NAME}` is what `share/help/NAME.txt` says, `{open WORKSPACE PATH}` what opens one in VS Code.
fn expanded(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some((before, rest)) = text.split_once("{open ") {
        let (workspace, rest) = rest.split_once(' ').expect("a workspace and a path");
        let (path, after) = rest.split_once('}').expect("an end");
        let authority = format!(r#"{{"containerName":"/{workspace}","settings":{{"context":"default"}}}}"#);
        let folder =
            authority.bytes().fold("attached-container+".to_owned(), |hex, byte| format!("{hex}{byte:02x}")) + path;
        let command = format!("code --new-window --folder-uri vscode-remote://{folder}");
        text = format!("{before}{command}\nvscode://vscode-remote/{folder}{after}");
    }
    while let Some((before, rest)) = text.split_once("{help ") {
        let (name, after) = rest.split_once("}\n").expect("a name and a line end");
        let file = Tree::shared().wrappers().join("share/help").join(format!("{name}.txt"));
        let help = std::fs::read_to_string(&file).unwrap_or_else(|error| format!("{}: {error}\n", file.display()));
        text = format!("{before}{help}{after}");
    }
    text
}

/// The lines that only one side has, with those around them.
fn differences(wanted: &str, got: &str) -> String {
    let split = |text: &str| text.split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>();
    let (wanted, got) = (split(wanted), split(got));
    let before = wanted.iter().zip(&got).take_while(|(wanted, got)| wanted == got).count();
    let rest = wanted.len().min(got.len()) - before;
    let after = wanted.iter().rev().zip(got.iter().rev()).take(rest).take_while(|(wanted, got)| wanted == got).count();
    let mut shown = String::new();
    let mut show = |mark: &str, lines: &[String]| {
        for line in lines {
            let _ = write!(shown, "    {mark} {line}");
            if !line.ends_with('\n') {
                shown.push_str("\\\n");
            }
        }
    };
    show(" ", &wanted[..before]);
    show("-", &wanted[before..wanted.len() - after]);
    show("+", &got[before..got.len() - after]);
    show(" ", &wanted[wanted.len() - after..]);
    shown
}
