//! Where a wrapper is and how it is loaded must not matter, and what it does not read it leaves to be read.

use std::os::unix::fs::symlink;
use std::process::Command;

use agent_workspace_tests::Ran;
use agent_workspace_tests::live::{run_with_input, skip};
use agent_workspace_tests::wrappers::{Sandbox, Scenario, Shell, Tree, Variant, Workspace};

const SHELLS: [Shell; 2] = [Shell::Bash, Shell::Zsh];
const AWKWARD: &str = "it's a \"$(place)\" [x]* é";

fn scenario() -> Scenario {
    Scenario {
        command: "agent-workspace".to_owned(),
        launcher: vec!["path".to_owned()],
        workspaces: vec![Workspace {
            name: "demo".to_owned(),
            status: "running".to_owned(),
            repo: Some("acme/hello".to_owned()),
            path: "/work/acme/hello".to_owned(),
            facts: Vec::new(),
        }],
        files: vec![
            ("{HOME}/.config/app/a".to_owned(), "a".to_owned()),
            ("{HOME}/.codex/auth.json".to_owned(), "{}".to_owned()),
        ],
        ..Scenario::default()
    }
}

/// Runs lines of a shell in a world.
fn script(shell: &Shell, sandbox: &Sandbox, lines: &str, stdin: &str) -> Ran {
    let mut command = Command::new(shell.program().expect("bash and zsh are installed"));
    command.args(shell.arguments()).args(["-c", lines]).current_dir(sandbox.path("cwd")).env_clear();
    command.envs(sandbox.env().iter().map(|(name, value)| (name, value)));
    run_with_input(&mut command, stdin)
}

#[test]
fn the_input_is_left_for_what_comes_after() {
    for shell in SHELLS {
        for line in [
            "create --auth none --name x acme/hello acme/other",
            "snapshot --refresh demo",
            "auth codex demo",
            "open demo",
            "rm --yes demo",
            "reset repo --yes demo hello",
            "ls",
            "help exec",
        ] {
            let sandbox = Sandbox::new(&scenario());
            let entry = shell.literal(&shell.entry(&sandbox.wrappers()).display().to_string());
            let lines = format!(". {entry}; agent-workspace {line} >/dev/null || exit; cat");
            let ran = script(&shell, &sandbox, &lines, "one\ntwo\n");
            assert_eq!((ran.code, ran.stdout.as_str()), (0, "one\ntwo\n"), "{}: {line}: {}", shell.name(), ran.stderr);
        }
    }
}

#[test]
fn a_question_takes_one_line() {
    for shell in SHELLS {
        let sandbox = Sandbox::new(&scenario());
        let entry = shell.literal(&shell.entry(&sandbox.wrappers()).display().to_string());
        let lines = format!(". {entry}; agent-workspace rm demo >/dev/null 2>&1 || exit; cat");
        let ran = script(&shell, &sandbox, &lines, "y\nnext\n").expect(0);
        assert_eq!(ran.stdout, "next\n", "{}", shell.name());
    }
}

#[test]
fn a_place_with_an_awkward_name_is_a_place() {
    for shell in [Shell::Bash, Shell::PowerShell, Shell::Zsh] {
        if shell.program().is_none() {
            skip(&format!("wrappers in an awkward place in {}, because it is not installed", shell.name()));
            continue;
        }
        for (run, calls) in [
            (&["help", "exec"][..], &[][..]),
            (&["exec", "demo"], &["launcher describe demo --output json", "demo$ login_shell.sh"]),
            (
                &["snapshot", "demo"],
                &[
                    "launcher describe demo --output json",
                    "demo$ config_snapshot.sh state",
                    "demo$ config_snapshot.sh unpack <tar app/a",
                    "demo$ config_snapshot.sh mark",
                ],
            ),
        ] {
            let scenario = Scenario { run: run.iter().map(|word| (*word).to_owned()).collect(), ..scenario() };
            for variant in [Variant::Plain, Variant::Hostile] {
                let sandbox = Sandbox::with(Tree::called(AWKWARD), &scenario);
                let outcome = sandbox.call(&shell, variant, &scenario);
                assert_eq!(
                    (outcome.code, &outcome.calls[..]),
                    (0, &calls.iter().map(|call| (*call).to_owned()).collect::<Vec<_>>()[..]),
                    "{outcome:?}"
                );
            }
        }
    }
}

/// Before a function gets them, PowerShell makes numbers, lists and pairs of words without quotes.
#[test]
fn words_without_quotes_arrive_from_powershell_as_they_are() {
    let Some(program) = Shell::PowerShell.program() else {
        return skip("words without quotes in PowerShell, because it is not installed");
    };
    let sandbox = Sandbox::new(&scenario());
    let entry = Shell::PowerShell.literal(&Shell::PowerShell.entry(&sandbox.wrappers()).display().to_string());
    let words = "tool -a:b -c --d=e,f 1.50 0x10 -g";
    let file = sandbox.path("world/call.ps1");
    let text = format!("Import-Module {entry}\nagent-workspace exec demo {words}\nexit $LASTEXITCODE\n");
    std::fs::write(&file, text).expect("a script");
    let mut command = Command::new(program);
    command.args(Shell::PowerShell.arguments()).arg(file).current_dir(sandbox.path("cwd")).env_clear();
    command.envs(sandbox.env().iter().map(|(name, value)| (name, value)));
    let _ = run_with_input(&mut command, "").expect(0);
    let calls = sandbox.outcome(0, b"", b"", &[]).calls;
    assert_eq!(calls, ["launcher describe demo --output json".to_owned(), format!("demo$ {words}")]);
}

#[test]
fn rsync_finds_its_way_from_an_awkward_place() {
    let Some(rsync) = std::env::split_paths(&std::env::var_os("PATH").expect("there is a PATH"))
        .map(|folder| folder.join("rsync"))
        .find(|file| file.is_file())
    else {
        return skip("rsync from an awkward place, because it is not installed");
    };
    for shell in [Shell::Bash, Shell::PowerShell, Shell::Zsh] {
        if shell.program().is_none() {
            skip(&format!("rsync from an awkward place in {}, because it is not installed", shell.name()));
            continue;
        }
        let mut scenario = scenario();
        scenario.files.push(("{CWD}/from here/é's".to_owned(), "content".to_owned()));
        scenario.run = ["rsync", "push", "demo", "from here/", "{HOME}/to there"].map(str::to_owned).to_vec();
        let sandbox = Sandbox::with(Tree::called(AWKWARD), &scenario);
        symlink(&rsync, sandbox.path("bin/rsync")).expect("a link");
        // Inside is this machine: both halves of rsync are real.
        sandbox.run_what_is_inside();
        let outcome = sandbox.call(&shell, Variant::Hostile, &scenario);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(outcome.leaves, ["{HOME}/to there/é's"]);
    }
}

#[test]
fn it_can_be_loaded_by_any_path_and_more_than_once() {
    for shell in SHELLS {
        let sandbox = Sandbox::new(&scenario());
        let entry = shell.entry(&sandbox.wrappers());
        let quoted = shell.literal(&entry.display().to_string());
        symlink(&entry, sandbox.path("cwd/link")).expect("a link");
        let folder = shell.literal(&entry.parent().expect("a folder").display().to_string());
        let file = entry.file_name().expect("a name").to_string_lossy().into_owned();
        for load in [
            format!(". {quoted}; . {quoted}"),
            "cd ..; . cwd/link; cd /".to_owned(),
            format!("cd {folder}; . ./{file}; cd /"),
            format!("cd {folder}; . ../*/{file}; cd /"),
            format!("load() {{ local x=1; . {quoted}; }}; load"),
        ] {
            let ran = script(&shell, &sandbox, &format!("{load}; agent-workspace exec --help | head -n 1"), "");
            let wanted = (0, "Run a command in a workspace; it is started when it is stopped\n", "");
            assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), wanted, "{}: {load}", shell.name());
        }
    }
}

#[test]
fn the_function_is_what_runs_and_the_launcher_is_not_taken_for_it() {
    for shell in SHELLS {
        let sandbox = Sandbox::new(&scenario());
        let entry = shell.literal(&shell.entry(&sandbox.wrappers()).display().to_string());
        let lines = format!(". {entry}; type agent-workspace | head -n 1; command agent-workspace start demo");
        let ran = script(&shell, &sandbox, &lines, "").expect(0);
        assert!(ran.stdout.starts_with("agent-workspace is a") && ran.stdout.contains("function"), "{ran:?}");
        assert!(ran.stdout.ends_with("started: agent-ws-demo\n"), "{ran:?}");
    }
}
