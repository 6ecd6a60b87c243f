//! What only a terminal shows: questions, a shell inside and the way back, Tab.

use std::process::Command;

use agent_workspace_tests::live::{Terminal, skip, until};
use agent_workspace_tests::wrappers::{Sandbox, Scenario, Shell, Variant, Workspace, split};

const CONTROL_C: &[u8] = b"\x03";
const CONTROL_D: &[u8] = b"\x04";

macro_rules! on_a_terminal {
    ($($test:ident)*) => {
        mod bash { $(#[test] fn $test() { super::$test(&super::Shell::Bash); })* }
        mod powershell { $(#[test] fn $test() { super::$test(&super::Shell::PowerShell); })* }
        mod zsh { $(#[test] fn $test() { super::$test(&super::Shell::Zsh); })* }
    };
}

on_a_terminal! {
    a_question_is_answered_with_yes
    a_question_is_answered_with_no
    the_end_of_input_is_a_no
    an_interrupt_at_a_question_does_nothing
    exec_gets_a_terminal
    exec_behind_a_pipe_gets_none
    shell_is_a_login_shell_and_its_exit_code_comes_back
    a_workspace_is_attached_to_and_left
}

/// A world with one running workspace.
fn world() -> Sandbox {
    Sandbox::new(&scenario())
}

fn scenario() -> Scenario {
    Scenario {
        launcher: vec!["path".to_owned()],
        workspaces: vec![Workspace {
            name: "demo".to_owned(),
            status: "running".to_owned(),
            repo: Some("acme/hello".to_owned()),
            path: "/work/acme/hello".to_owned(),
            facts: Vec::new(),
        }],
        ..Scenario::default()
    }
}

/// A call on a terminal; `None` when the shell is not installed.
fn call(shell: &Shell, sandbox: &Sandbox, line: &str) -> Option<Terminal> {
    if shell.program().is_none() {
        skip(&format!("`{line}` on a terminal in {}, because it is not installed", shell.name()));
        return None;
    }
    let mut command = sandbox.command(shell, Variant::Plain, &split(line).expect("words"));
    command.env("TERM", "xterm");
    // A terminal's program starts where the test is; the script itself says where the call is made.
    Some(Terminal::run(&command))
}

fn calls(sandbox: &Sandbox) -> Vec<String> {
    sandbox.outcome(0, b"", b"", &[]).calls
}

fn a_question_is_answered_with_yes(shell: &Shell) {
    let sandbox = world();
    let Some(mut terminal) = call(shell, &sandbox, "agent-workspace rm demo") else { return };
    terminal.wait_for("remove demo and its volumes? [y/N] ");
    assert_eq!(calls(&sandbox), [""; 0]);
    terminal.types(b"y\r");
    assert_eq!(terminal.end().code(), Some(0), "{}", terminal.shown());
    assert_eq!(calls(&sandbox), ["launcher rm demo"]);
    assert!(terminal.is_as_before());
}

fn a_question_is_answered_with_no(shell: &Shell) {
    let sandbox = world();
    let Some(mut terminal) = call(shell, &sandbox, "agent-workspace rm demo") else { return };
    terminal.wait_for("[y/N] ");
    terminal.types(b"n\r");
    assert_eq!(terminal.end().code(), Some(1), "{}", terminal.shown());
    terminal.wait_for("agent-workspace: nothing was done\r\n");
    assert_eq!(calls(&sandbox), [""; 0]);
}

fn the_end_of_input_is_a_no(shell: &Shell) {
    let sandbox = world();
    let Some(mut terminal) = call(shell, &sandbox, "agent-workspace rm demo") else { return };
    terminal.wait_for("[y/N] ");
    terminal.types(CONTROL_D);
    assert_eq!(terminal.end().code(), Some(1), "{}", terminal.shown());
    // On a line of its own, as nobody has ended that of the question.
    terminal.wait_for("[y/N] \r\nagent-workspace: nothing was done\r\n");
    assert_eq!(calls(&sandbox), [""; 0]);
    assert!(terminal.is_as_before());
}

fn an_interrupt_at_a_question_does_nothing(shell: &Shell) {
    let sandbox = world();
    let Some(mut terminal) = call(shell, &sandbox, "agent-workspace rm demo") else { return };
    terminal.wait_for("[y/N] ");
    terminal.types(CONTROL_C);
    assert_ne!(terminal.end().code(), Some(0), "{}", terminal.shown());
    assert_eq!(calls(&sandbox), [""; 0]);
    assert!(terminal.is_as_before());
}

fn exec_gets_a_terminal(shell: &Shell) {
    let sandbox = world();
    let Some(mut terminal) = call(shell, &sandbox, "agent-workspace exec demo top") else { return };
    assert_eq!(terminal.end().code(), Some(0), "{}", terminal.shown());
    assert_eq!(calls(&sandbox), ["launcher describe demo --output json", "demo:tty$ top"]);
}

fn exec_behind_a_pipe_gets_none(shell: &Shell) {
    let sandbox = world();
    let Some(program) = shell.program() else { return skip("a pipe in PowerShell, because it is not installed") };
    let words = split("agent-workspace exec demo top").expect("words");
    let command = sandbox.command(shell, Variant::Plain, &words);
    let mut piped = Command::new("sh");
    piped.args(["-c", "\"$@\" | cat", "sh"]).arg(program).args(command.get_args()).env_clear();
    piped.envs(sandbox.env().iter().map(|(name, value)| (name, value))).env("TERM", "xterm");
    let mut terminal = Terminal::run(&piped);
    assert_eq!(terminal.end().code(), Some(0), "{}", terminal.shown());
    assert_eq!(calls(&sandbox), ["launcher describe demo --output json", "demo$ top"]);
}

fn shell_is_a_login_shell_and_its_exit_code_comes_back(shell: &Shell) {
    let mut scenario = scenario();
    scenario.answers = vec![agent_workspace_tests::wrappers::Answer {
        tool: "guest".to_owned(),
        words: vec!["login_shell.sh".to_owned()],
        code: 5,
        ..Default::default()
    }];
    let sandbox = Sandbox::new(&scenario);
    let Some(mut terminal) = call(shell, &sandbox, "agent-workspace shell") else { return };
    assert_eq!(terminal.end().code(), Some(5), "{}", terminal.shown());
    assert_eq!(
        calls(&sandbox),
        ["launcher ls --output json", "launcher describe agent-ws-demo --output json", "demo:tty$ login_shell.sh"]
    );
}

fn a_workspace_is_attached_to_and_left(shell: &Shell) {
    let sandbox = world();
    sandbox.run_what_is_inside();
    // Not the login shell of who runs the tests, whose settings nobody knows.
    let Some(mut terminal) = call(shell, &sandbox, "agent-workspace exec demo env 'PS1=in''side> ' sh") else { return };
    terminal.wait_for("inside> ");
    terminal.types(b"test -t 0 && test -t 1 && test -t 2 && echo a ter''minal\r");
    terminal.wait_for("a terminal");
    // An interrupt is for what runs inside.
    terminal.types(b"sleep 60; echo sle''pt\r");
    until("sleep runs", || terminal.shown().contains("echo sle''pt"));
    std::thread::sleep(std::time::Duration::from_millis(300));
    terminal.types(CONTROL_C);
    terminal.types(b"stty size; exit 7\r");
    terminal.wait_for("24 80");
    assert_eq!(terminal.end().code(), Some(7), "{}", terminal.shown());
    assert!(terminal.is_as_before());
}

// ------------------------------------------------------------------------------------------ a shell that stays

/// A shell that a person types at.
struct Session {
    terminal: Terminal,
    seen: usize,
}

impl Session {
    /// Starts one and loads the wrapper.
    fn start(shell: &Shell, sandbox: &Sandbox, before: &str) -> Self {
        let mut command = Command::new(shell.program().expect("bash and zsh are installed"));
        let arguments: &[&str] = if *shell == Shell::Zsh { &["-f", "-i"] } else { &["--noprofile", "--norc", "-i"] };
        command.args(arguments).env_clear().envs(sandbox.env().iter().map(|(name, value)| (name, value)));
        command
            .env("TERM", "xterm")
            .env("INPUTRC", "/dev/null")
            .env("PS1", "$ ")
            .env("HISTFILE", sandbox.path("history"));
        // Nothing asks whether there is an engine on this machine.
        command.env("DOCKER_HOST", format!("unix://{}", sandbox.path("no-engine").display()));
        let mut session = Self { terminal: Terminal::run(&command), seen: 0 };
        let quiet = match shell {
            Shell::Zsh => {
                "unsetopt prompt_sp zle_bracketed_paste 2>/dev/null; unset zle_bracketed_paste; HISTSIZE=99 SAVEHIST=99; "
            }
            _ => "bind 'set enable-bracketed-paste off'; bind 'set bell-style none'; ",
        };
        let entry = shell.literal(&shell.entry(&sandbox.wrappers()).display().to_string());
        session.line(&format!("{before}{quiet}cd {}; . {entry}; PS1='re''ady> '", sandbox.path("cwd").display()));
        session.sees("ready> ");
        session
    }

    fn types(&mut self, keys: &str) {
        self.terminal.types(keys.as_bytes());
    }

    fn line(&mut self, line: &str) {
        self.types(&format!("{line}\r"));
    }

    /// Waits until this is shown after what was seen before, and returns what was shown until then.
    #[track_caller]
    fn sees(&mut self, text: &str) -> String {
        let mut found = None;
        until(&format!("the terminal shows {text:?} after {:?}", self.unseen()), || {
            found = self.unseen().find(text);
            found.is_some()
        });
        let end = found.expect("it was found") + text.len();
        let shown = self.unseen()[..end].to_owned();
        self.seen += end;
        shown
    }

    fn unseen(&self) -> String {
        self.terminal.shown().get(self.seen..).unwrap_or_default().to_owned()
    }
}

macro_rules! in_a_shell_that_stays {
    ($($test:ident)*) => {
        mod stays {
            mod bash { $(#[test] fn $test() { super::super::$test(&super::super::Shell::Bash); })* }
            mod zsh { $(#[test] fn $test() { super::super::$test(&super::super::Shell::Zsh); })* }
        }
    };
}

in_a_shell_that_stays! {
    tab_completes
    tab_is_silent_without_a_launcher
    an_interrupt_leaves_the_shell_as_it_was
    no_token_is_shown_or_remembered
}

fn tab_completes(shell: &Shell) {
    let sandbox = world();
    let compinit = "autoload -Uz compinit && compinit -u -D; ";
    let before = if *shell == Shell::Zsh { compinit } else { "" };
    let mut session = Session::start(shell, &sandbox, before);
    // What is typed, and what stands there after Tab. A C-u empties the line for the next one.
    for (typed, completed) in [
        ("agent-workspace snap", "agent-workspace snapshot"),
        ("agent-workspace reset work", "agent-workspace reset work-repos"),
        ("agent-workspace exec --wor", "agent-workspace exec --workdir"),
        ("aw desc", "aw describe"),
        ("awr opt", "awr opt-repos"),
        ("awa gith", "awa github"),
        ("awc --no-work", "awc --no-work-repos"),
        ("awm --keep", "awm --keep-volumes"),
        ("agent-workspace create --auth keyr", "agent-workspace create --auth keyring"),
    ] {
        session.types(&format!("{typed}\t"));
        let shown = session.sees(completed.rsplit(' ').next().expect("a word"));
        // The same word is in what was typed only for a part.
        assert!(!shown.contains("error") && !shown.contains("not found"), "{shown}");
        session.types("\x15");
        session.line("echo do''ne");
        session.sees("done\r\n");
        session.sees("ready> ");
    }
    assert_eq!(calls(&sandbox), [""; 0], "Tab calls nothing but the completion");
}

fn tab_is_silent_without_a_launcher(shell: &Shell) {
    let mut scenario = scenario();
    scenario.launcher.clear();
    let sandbox = Sandbox::new(&scenario);
    let before = if *shell == Shell::Zsh { "autoload -Uz compinit && compinit -u -D; " } else { "" };
    let mut session = Session::start(shell, &sandbox, before);
    session.types("agent-workspace snap\t\t");
    std::thread::sleep(std::time::Duration::from_millis(500));
    session.types("\x15");
    session.line("echo do''ne");
    let shown = session.sees("done\r\n");
    for word in ["hint", "not found", "error", "launcher was"] {
        assert!(!shown.contains(word), "{shown}");
    }
}

fn an_interrupt_leaves_the_shell_as_it_was(shell: &Shell) {
    let sandbox = world();
    let mut session = Session::start(shell, &sandbox, "");
    session.line("agent-workspace rm demo");
    session.sees("[y/N] ");
    session.types("\x03");
    session.sees("ready> ");
    session.line("echo code $?; agent-workspace ls");
    let shown = session.sees("acme/hello");
    assert!(!shown.contains("code 0"), "{shown}");
    session.sees("ready> ");
    session.line("trap; set -o | grep -c errexit; echo do''ne");
    session.sees("done\r\n");
    assert_eq!(calls(&sandbox), ["launcher ls"]);
}

fn no_token_is_shown_or_remembered(shell: &Shell) {
    let mut scenario = scenario();
    scenario.tools.push("gh".to_owned());
    scenario.gh.insert("github.com".to_owned(), "{token.keyring}".to_owned());
    scenario.env.push(("GH_TOKEN".to_owned(), "{token.env}".to_owned()));
    let sandbox = Sandbox::new(&scenario);
    let before = if *shell == Shell::Zsh { "setopt inc_append_history; " } else { "" };
    let mut session = Session::start(shell, &sandbox, before);
    session.line("set -x");
    session.sees("ready> ");
    for line in
        ["agent-workspace create --no-extras --name x acme/hello", "agent-workspace auth github demo", "awah demo"]
    {
        session.line(&format!("{line}; echo do''ne"));
        session.sees("done\r\n");
        session.sees("ready> ");
    }
    session.line("set +x; history 2>/dev/null || fc -l; typeset; set; env | grep -v '^GH_TOKEN='; echo ov''er");
    let listed = session.sees("over\r\n");
    let shown = session.terminal.shown();
    let keyring = sandbox.token("keyring");
    assert!(!shown.contains(keyring), "the keyring's token is shown");
    // The shell itself knows that of the environment, and says so when it is asked for all variables.
    let before_the_listing = &shown[..shown.len() - listed.len()];
    assert!(!before_the_listing.contains(sandbox.token("env")), "the environment's token is shown");
    assert!(
        calls(&sandbox).iter().any(|call| call.starts_with("launcher create") && call.ends_with(" < {token.keyring}"))
    );
    session.line("exit");
    let _ = session.terminal.end();
    let history = std::fs::read_to_string(sandbox.path("history")).expect("a history");
    assert!(history.contains("awah demo"), "{history}");
    assert!(!history.contains("canary-"), "{history}");
}
