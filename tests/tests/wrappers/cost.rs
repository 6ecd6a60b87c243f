//! What it costs to source a wrapper, which every new shell of a person does.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use agent_workspace_tests::live::{note, skip};
use agent_workspace_tests::wrappers::{Sandbox, Scenario, Shell};

/// What is allowed more than a shell takes by itself. PowerShell takes longer to read a module than others to start.
const LIMIT: Duration = Duration::from_millis(20);
const LIMIT_OF_POWERSHELL: Duration = Duration::from_millis(400);
const TIMES: usize = 41;

#[test]
fn zsh() {
    costs_little(&Shell::Zsh);
}

#[test]
fn bash() {
    costs_little(&Shell::Bash);
}

#[test]
fn powershell() {
    costs_little(&Shell::PowerShell);
}

fn costs_little(shell: &Shell) {
    let Some(program) = shell.program() else {
        return skip(&format!("what it costs to load the wrapper in {}, because it is not installed", shell.name()));
    };
    let sandbox = Sandbox::new(&Scenario { launcher: vec!["path".to_owned()], ..Scenario::default() });
    let entry = shell.literal(&shell.entry(&sandbox.wrappers()).display().to_string());
    let load = if *shell == Shell::PowerShell { format!("Import-Module {entry}") } else { format!(". {entry}") };
    let ending = if *shell == Shell::PowerShell { "ps1" } else { "script" };
    let script = |name: &str, text: &str| {
        let path = sandbox.path("world").join(format!("{name}.{ending}"));
        std::fs::write(&path, text).expect("a script");
        path
    };
    let (loads, empty) = (script("loads", &load), script("empty", ""));
    let time = |script: &std::path::Path| {
        let mut command = Command::new(&program);
        command.args(shell.arguments()).arg(script).env_clear();
        command.envs(sandbox.env().iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let since = Instant::now();
        let status = command.status().expect("the shell starts");
        assert!(status.success());
        since.elapsed()
    };
    // One after the other, so that a busy machine is as busy for both. What is left of the noise only adds, so that the
    // quickest times tell what it really costs; a machine that is never quick gets more of them.
    let limit = if *shell == Shell::PowerShell { LIMIT_OF_POWERSHELL } else { LIMIT };
    let (mut loaded, mut bare) = (Duration::MAX, Duration::MAX);
    let mut cost = Duration::MAX;
    for round in 0..4 * TIMES {
        loaded = loaded.min(time(&loads));
        bare = bare.min(time(&empty));
        cost = loaded.saturating_sub(bare);
        if round >= TIMES && cost < limit {
            break;
        }
    }
    note(&format!("{}: loading the wrapper takes {:.1} ms", shell.name(), cost.as_secs_f64() * 1000.0));
    assert!(cost < limit, "loading takes {cost:?} more than the {bare:?} of the shell, and {limit:?} are allowed");
    assert!(!sandbox.path("world/calls").exists() && !sandbox.path("world/gates").exists(), "loading calls something");
}

/// A shell with no program on PATH at all can load it: nothing is run.
#[test]
fn loading_runs_no_program() {
    for shell in [Shell::Bash, Shell::Zsh] {
        let program = shell.program().expect("bash and zsh are installed");
        let sandbox = Sandbox::new(&Scenario::default());
        let entry = shell.literal(&shell.entry(&sandbox.wrappers()).display().to_string());
        let line = format!("PATH=; . {entry} && type agent-workspace >/dev/null && echo loaded");
        let mut command = Command::new(program);
        command.args(shell.arguments()).args(["-c", &line]).env_clear().env("HOME", sandbox.path("home"));
        let ran = agent_workspace_tests::live::run_with_input(&mut command, "").expect(0);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("loaded\n", ""), "{}", shell.name());
    }
}
