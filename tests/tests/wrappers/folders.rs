//! Workspaces of this machine in each shell: made by the flag alone, and found by their names from then on.

use std::os::unix::fs::symlink;
use std::process::Command;

use agent_workspace_tests::live::{Terminal, run_with_input, skip};
use agent_workspace_tests::place::Place;
use agent_workspace_tests::wrappers::{Shell, Tree, Variant, of_powershell, split};
use agent_workspace_tests::{Launcher, Ran};

/// A person who has never set a backend, and has no engine.
struct Person {
    shell: Shell,
    place: Place,
}

impl Person {
    fn new(shell: Shell) -> Self {
        let place = Place::new();
        for folder in ["home", "bin", "world"] {
            std::fs::create_dir(place.folder().join(folder)).expect("a folder");
        }
        symlink(Launcher::binary(), place.folder().join("bin/agent-workspace")).expect("a link");
        Self { shell, place }
    }

    fn command(&self, line: &str) -> Command {
        let world = self.place.folder().join("world");
        let words = [&["agent-workspace".to_owned()], &split(line).expect("words")[..]].concat();
        let script = world.join(if self.shell == Shell::PowerShell { "call.ps1" } else { "call.script" });
        let text = self.shell.script(Variant::Hostile, &Tree::shared().wrappers(), &world, &words);
        std::fs::write(&script, text).expect("a script");
        let home = self.place.folder().join("home");
        let mut command = Command::new(self.shell.program().expect("it is installed"));
        command.args(self.shell.arguments()).arg(script).current_dir(&home).env_clear().envs(of_powershell());
        let path = std::env::var("PATH").expect("there is a PATH");
        command.env("PATH", format!("{}:{path}", self.place.folder().join("bin").display()));
        command.env("HOME", &home).env("LC_ALL", "C.UTF-8").env("AGENT_WORKSPACE_AUTH", "none");
        command.env("AGENT_WORKSPACE_STATE_DIR", self.place.state());
        command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock").env("TERM", "vt100");
        command
    }

    fn says(&self, line: &str) -> Ran {
        run_with_input(&mut self.command(line), "")
    }
}

fn a_folder_is_found_by_its_name(shell: Shell) {
    if shell.program().is_none() {
        return skip(&format!("folders of this machine in {}, because it is not installed", shell.name()));
    }
    let person = Person::new(shell);
    let made = person.says("create --backend host --isolation none --no-work-repos --name own --no-extras").expect(0);
    assert!(made.stdout.contains("workspace: agent-ws-own"), "{}", made.stdout);
    let inside = person.says("exec own -- sh -c 'echo it is $PWD'").expect(0);
    assert!(inside.stdout.contains("workspaces/agent-ws-own/work"), "{}", inside.stdout);
    // The only one is meant where none is named, and the engine that is not there is said to be missing.
    let only = person.says("exec -- pwd").expect(0);
    assert!(only.stderr.contains("no engine runs at"), "{}", only.stderr);
    let mut terminal = Terminal::run(&person.command("shell own"));
    terminal.types(b"echo typed | tr a-z A-Z; pwd; exit 7\r");
    terminal.wait_for("TYPED");
    assert_eq!(terminal.end().code(), Some(7), "{}", terminal.shown());
    assert!(terminal.shown().contains("workspaces/agent-ws-own/work"), "{}", terminal.shown());
    let _ = person.says("rm --yes own").expect(0);
    assert_eq!(person.place.entries(), Vec::<String>::new());
}

#[test]
fn zsh() {
    a_folder_is_found_by_its_name(Shell::Zsh);
}

#[test]
fn bash() {
    a_folder_is_found_by_its_name(Shell::Bash);
}

#[test]
fn powershell() {
    a_folder_is_found_by_its_name(Shell::PowerShell);
}
