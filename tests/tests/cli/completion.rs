//! `completion`: the adapters, and what they are answered. An engine that is down or silent is nobody's business here.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use agent_workspace_tests::{Launcher, Ran, live};

use crate::{fails, succeeds};

const SHELLS: [&str; 3] = ["bash", "powershell", "zsh"];

/// The question of an adapter whose last word is being typed.
fn question(words: &[&str]) -> Launcher {
    let index = (words.len() - 1).to_string();
    Launcher::new(["__complete", "--shell", "bash", "--index", &index, "--"].iter().chain(words).copied())
}

fn words(ran: &Ran) -> Vec<&str> {
    ran.stdout.lines().map(|line| line.split('\t').next().unwrap_or_default()).collect()
}

fn adapter(shell: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../launcher/src/completion/adapters");
    folder.join(match shell {
        "powershell" => "agent-workspace.ps1".to_owned(),
        shell => format!("agent-workspace.{shell}"),
    })
}

fn installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// Runs a shell's script with the adapter as its first argument and the binary's folder on `PATH`.
fn run(program: &str, flags: &[&str], script: &str, shell: &str) -> String {
    let folder = Launcher::binary().parent().expect("a folder").to_owned();
    let mut command = Command::new(program);
    command.args(flags).args(["-c", script, program]).arg(adapter(shell)).env_clear();
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.display())).env("DOCKER_HOST", "unix:///nonexistent");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let ran = Ran::of(child.expect("the shell starts")).expect(0);
    assert_eq!(ran.stderr, "");
    ran.stdout
}

#[test]
fn the_adapter_is_printed_and_is_a_document_when_asked_for_as_json() {
    for shell in SHELLS {
        let file = std::fs::read_to_string(adapter(shell)).expect("an adapter");
        let ran = Launcher::new(["completion", shell]).run().expect(0);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (file.as_str(), ""));
        let document = succeeds(&["completion", shell]);
        assert_eq!((document.text("/shell"), document.text("/script")), (shell, file.as_str()));
    }
    fails(&["completion", "fish"], 2, "usage");
    fails(&["completion"], 2, "usage");
}

#[test]
fn the_question_is_no_command_that_anybody_is_told_of() {
    let help = Launcher::new(["--help"]).run().expect(0).stdout;
    assert!(!help.contains("__complete") && help.contains("completion"), "{help}");
    assert!(succeeds(&["capabilities"]).at("/commands").get("__complete").is_none());
}

#[test]
fn answers_are_sorted_lines_of_a_word_and_its_meaning() {
    let ran = question(&["agent-workspace", "s"]).run().expect(0);
    assert_eq!(
        ran.stdout,
        "schema\tPrint the JSON Schema of a command's document\nstart\tStart a workspace\nstop\tStop a workspace\n"
    );
    let ran = question(&["agent-workspace", "ls", "--output="]).run().expect(0);
    assert_eq!(words(&ran), ["--output=json", "--output=text"]);
    let ran = question(&["agent-workspace", "create", "--env-file", ""]).run().expect(0);
    assert_eq!(ran.stdout, ":files\n");
}

#[test]
fn a_question_that_makes_no_sense_has_an_empty_answer() {
    for args in [
        &["--shell", "zsh", "--index", "0", "--", "agent-workspace"][..],
        &["--shell", "zsh", "--index", "99", "--", "ls", "x"],
        &["--shell", "zsh", "--index", "1"],
        &["--shell", "zsh", "--index", "1", "--", "vim"],
    ] {
        let ran = Launcher::new(["__complete"].iter().chain(args).copied()).run().expect(0);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""), "{args:?}");
    }
}

/// The shortest of some runs, as everything else on the machine only makes them longer.
fn shortest(launcher: &Launcher) -> (Duration, Ran) {
    let runs = (0..5).map(|_| {
        let began = Instant::now();
        let ran = launcher.run();
        (began.elapsed(), ran)
    });
    runs.min_by_key(|(time, _)| *time).expect("a run")
}

#[test]
fn an_engine_that_is_down_or_silent_costs_a_moment_and_no_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let silent = folder.path().join("silent.sock");
    let _listener = UnixListener::bind(&silent).expect("a socket");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    for address in [
        "unix:///nonexistent/docker.sock".to_owned(),
        format!("unix://{}", silent.display()),
        format!("tcp://127.0.0.1:{port}"),
        // Packets to this one are answered by nobody.
        "tcp://192.0.2.1:2375".to_owned(),
        "nonsense".to_owned(),
    ] {
        let launcher = question(&["agent-workspace", "rm", ""]).env("DOCKER_HOST", &address);
        let (time, ran) = shortest(&launcher);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""), "{address}");
        assert!(time < Duration::from_millis(150), "{address}: {time:?}");
        let launcher = question(&["agent-workspace", "rm", "--"]).env("DOCKER_HOST", &address);
        let (time, ran) = shortest(&launcher);
        assert!(words(&ran).contains(&"--force"), "{address}: {}", ran.stdout);
        assert!(time < Duration::from_millis(100), "{address}: {time:?}");
    }
}

#[test]
fn with_a_wrapper_static_words_stand_beside_names_that_cannot_be_had() {
    let flags = ["__complete", "--wrapper", "--shell", "bash", "--index", "3", "--", "aw", "rsync", "push", ""];
    let ran = Launcher::new(flags).env("DOCKER_HOST", "unix:///nonexistent").run().expect(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (":files\n", ""));
}

#[test]
fn an_environment_that_is_wrong_is_nobodys_business_here() {
    let launcher = question(&["agent-workspace", "rm", ""]).env("AGENT_WORKSPACE_PREFIX", "!!!");
    let ran = launcher.env("DOCKER_CONTEXT", "nosuch").run().expect(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
}

#[test]
fn the_adapter_for_bash_completes_however_bash_has_cut_the_line() {
    // As in somebody's strict shell, with hostile aliases.
    let script = r#"
        set -euo pipefail
        shopt -s expand_aliases
        alias local=false read=false command=false
        eval "$(cat "$1")"
        try() {
            COMP_LINE=$1 COMP_POINT=${#1}
            shift
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            __agent_workspace_completion
            printf '%s' "$COMP_LINE:"
            printf ' %s' ${COMPREPLY[@]+"${COMPREPLY[@]}"}
            printf '\n'
        }
        try 'agent-workspace ' agent-workspace '' >/dev/null
        try 'agent-workspace comp' agent-workspace comp
        try 'agent-workspace ls --output=' agent-workspace ls --output =
        try 'agent-workspace ls --output=j' agent-workspace ls --output = j
        try 'agent-workspace ls --output=j' agent-workspace ls --output=j
        try 'agent-workspace ls --output "j' agent-workspace ls --output '"j'
        try 'agent-workspace shell ' agent-workspace shell ''
        COMP_WORDBREAKS=' '
        try 'agent-workspace ls --output=j' agent-workspace ls --output=j
        agent-workspace() { :; }
        try 'awc --gpg-' awc --gpg-
        __agent_workspace_completion_launcher=/nonexistent
        try 'agent-workspace l' agent-workspace l
        complete -p awrw
    "#;
    assert_eq!(
        run("bash", &["--norc"], script, "bash"),
        "agent-workspace comp: completion\n\
         agent-workspace ls --output=: json text\n\
         agent-workspace ls --output=j: json\n\
         agent-workspace ls --output=j: json\n\
         agent-workspace ls --output \"j: json\n\
         agent-workspace shell : \n\
         agent-workspace ls --output=j: --output=json\n\
         awc --gpg-: --gpg-key\n\
         agent-workspace l: \n\
         complete -F __agent_workspace_completion awrw\n"
    );
}

#[test]
fn the_adapter_for_zsh_gives_words_and_meanings_to_the_completion_system() {
    if !installed("zsh") {
        return live::skip("the completion for zsh, because zsh is not installed");
    }
    // Stand-ins for the completion system, which runs on a terminal alone.
    let script = r#"
        compdef() { print -r -- "compdef $#" }
        _describe() { print -rl -- "${(@P)4}" "${(@P)5}" }
        _files() { print files }
        compset() { print -r -- "compset $*" }
        source $1
        try() { words=("$@") CURRENT=$# PREFIX=$argv[-1]; __agent_workspace_completion || print none }
        try agent-workspace comp
        try agent-workspace ls --output=j
        try agent-workspace create --env-file=x
        try agent-workspace exec ''
        agent-workspace() { : }
        try awe --ro
    "#;
    assert_eq!(
        run("zsh", &["-f"], script, "zsh"),
        "compdef 18\n\
         completion:Print what completes command lines in a shell\ncompletion\n\
         --output=json:For programs\n--output=json\n\
         compset -P 1 --*=\nfiles\n\
         none\n\
         --root:Be root\n--root\n"
    );
}
