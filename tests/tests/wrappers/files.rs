//! What can be known of the wrappers' files without running them: tables of the documentation, lists that must fit the
//! binary, constructs that an old shell does not have.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use agent_workspace_tests::Launcher;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project").to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder, by their names.
fn names(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().into_string().expect("a plain name")).collect();
    names.sort();
    names
}

/// All parts of a shell as one text.
fn parts(shell: &str, ending: &str) -> String {
    names(&format!("wrappers/{shell}/parts"))
        .iter()
        .filter(|name| name.ends_with(ending))
        .map(|name| read(format!("wrappers/{shell}/parts/{name}")))
        .collect()
}

/// The cells of a table of `docs/wrappers.md`.
fn table(name: &str) -> Vec<Vec<String>> {
    let text = read("docs/wrappers.md");
    let (_, rest) = text.split_once(&format!("<!-- tested: {name} -->\n")).expect("a table");
    let (table, _) = rest.split_once("<!-- /tested -->").expect("its end");
    table
        .lines()
        .skip(2)
        .map(|line| {
            let line = line.replace("\\|", "/");
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

/// What stands between backquotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn commands() -> BTreeSet<String> {
    let files = names("wrappers/share/help");
    files.iter().map(|name| name.trim_end_matches(".txt").to_owned()).filter(|name| name != "commands").collect()
}

/// Flags that the help of a command lists, with their values: `--user USER`, `-u`.
fn flags(command: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in read(format!("wrappers/share/help/{command}.txt")).lines() {
        let Some(line) = line.strip_prefix("  ").filter(|line| line.trim_start().starts_with('-')) else { continue };
        let said = line.trim_start();
        let said = said.split("  ").next().unwrap_or_default();
        found.extend(said.split(", ").map(str::to_owned));
    }
    found.remove("-h");
    found.remove("--help");
    found
}

#[test]
fn the_documentation_has_every_command() {
    let documented: BTreeSet<String> =
        table("commands").iter().map(|row| quoted(&row[0])[0].split(' ').next().expect("a word").to_owned()).collect();
    assert_eq!(documented, commands());
    let listed = read("wrappers/share/help/commands.txt");
    for command in commands() {
        assert!(listed.contains(&format!("\n  {command} ")), "commands.txt lacks {command}");
    }
}

#[test]
fn the_documentation_has_every_flag_that_the_help_has() {
    let mut documented: Vec<(String, BTreeSet<String>)> =
        commands().into_iter().map(|command| (command, BTreeSet::new())).collect();
    for row in table("flags") {
        let command = &quoted(&row[0])[0];
        let known = documented.iter_mut().find(|(name, _)| name == command).expect("a command");
        known.1.extend(quoted(&row[1]));
    }
    for (command, flags_documented) in documented {
        assert_eq!(flags_documented, flags(&command), "{command}");
    }
}

#[test]
fn every_flag_of_the_help_is_in_the_code_of_every_shell() {
    for (shell, ending) in [("bash", ".bash"), ("powershell", ".ps1"), ("zsh", ".zsh")] {
        let code = parts(shell, ending);
        for command in commands() {
            for flag in flags(&command) {
                let flag = flag.split(' ').next().expect("a word").to_owned();
                // These are the launcher's and go to it unseen.
                if command == "rm" && ["--force", "--if-exists", "--rescue"].contains(&flag.as_str()) {
                    continue;
                }
                assert!(code.contains(&flag), "{shell}: no part knows {flag} of {command}");
            }
        }
    }
}

#[test]
fn the_documentation_has_every_variable_that_the_code_reads() {
    let documented: BTreeSet<String> = table("environment").iter().flat_map(|row| quoted(&row[0])).collect();
    let code = parts("zsh", ".zsh");
    let mut read: BTreeSet<String> = BTreeSet::new();
    for line in code.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let mut words = line.split_whitespace().skip_while(|word| !word.ends_with("setting"));
        if words.next().is_some()
            && let Some(name) = words.next().filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        {
            read.insert(format!("AGENT_WORKSPACE_{name}"));
        }
        for text in line.split("${").skip(1) {
            let name: String = text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let shout = name.len() > 1 && name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            if shout && !["HOME", "REPLY"].contains(&name.as_str()) {
                read.insert(name);
            }
        }
    }
    // The older name of another, which the text below the table says.
    read.remove("AGENT_WORKSPACE_OPEN_VSCODE_ENABLED");
    assert_eq!(documented, read);
    for (shell, ending) in [("bash", ".bash"), ("powershell", ".ps1")] {
        let code = parts(shell, ending);
        for name in &documented {
            let short = name.trim_start_matches("AGENT_WORKSPACE_");
            assert!(code.contains(short), "{shell}: no part reads {name}");
        }
    }
}

#[test]
fn the_documentation_has_every_short_name() {
    let mut documented = BTreeSet::new();
    for row in table("short names") {
        for pair in [&row[0..2], &row[3..5]] {
            let stands_for = quoted(&pair[1]).first().cloned().unwrap_or_default();
            documented.insert(format!("{} {stands_for}", quoted(&pair[0])[0]).trim_end().to_owned());
        }
    }
    for (shell, ending) in [("bash", ".bash"), ("zsh", ".zsh")] {
        let code = read(format!("wrappers/{shell}/parts/aliases{ending}"));
        let defined: BTreeSet<String> = code
            .lines()
            .filter_map(|line| line.split_once("() { agent-workspace "))
            .map(|(name, words)| format!("{name} {}", words.replace("\"$@\"; }", "")).trim_end().to_owned())
            .collect();
        assert_eq!(documented, defined, "{shell}");
    }
}

/// Value flags of a launcher's command, as its help shows them.
fn value_flags(command: &str) -> BTreeSet<String> {
    let help = Launcher::new(["help", command]).run().expect(0).stdout;
    let flags = help.lines().filter_map(|line| {
        let line = line.trim_start();
        let at = line.find("--").filter(|at| *at == 0 || line.starts_with('-'))?;
        let (flag, rest) = line[at..].split_once(' ')?;
        rest.starts_with('<').then(|| flag.to_owned())
    });
    flags.collect()
}

#[test]
fn the_flags_with_values_are_those_of_the_launcher() {
    let mut listed: Vec<(&str, BTreeSet<String>)> = vec![("create", BTreeSet::new()), ("rm", BTreeSet::new())];
    for line in read("wrappers/share/value-flags").lines().filter(|line| !line.starts_with('#')) {
        let (command, flag) = line.split_once(' ').expect("a command and a flag");
        listed.iter_mut().find(|(name, _)| *name == command).expect("create or rm").1.insert(flag.to_owned());
    }
    for (command, flags) in listed {
        assert_eq!(flags, value_flags(command), "{command}");
    }
}

/// What bash has only since version 4 (macOS has 3.2), and how it is recognised in a line without comments.
fn too_new(line: &str) -> Option<&'static str> {
    let words: Vec<&str> = line.split(|c: char| c.is_whitespace() || ";(){}|&".contains(c)).collect();
    let is_declaration = words.iter().any(|word| ["declare", "local", "typeset", "readonly"].contains(word));
    let option = |letter: char| {
        words.iter().any(|word| word.starts_with('-') && !word.starts_with("--") && word.contains(letter))
    };
    if words.iter().any(|word| ["mapfile", "readarray"].contains(word)) {
        return Some("mapfile and readarray");
    }
    if words.contains(&"coproc") {
        return Some("coproc");
    }
    if is_declaration && option('A') {
        return Some("associative arrays");
    }
    if is_declaration && option('n') {
        return Some("references to variables");
    }
    if is_declaration && option('g') {
        return Some("declare -g");
    }
    if line.contains("&>>") {
        return Some("&>>");
    }
    if line.contains("|&") {
        return Some("|&");
    }
    if line.contains(";;&") || line.contains(";&") {
        return Some(";& and ;;&");
    }
    for expansion in line.split("${").skip(1) {
        let body = expansion.split('}').next().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name = &body[..body.find(|c| !plain(c)).unwrap_or(body.len())];
        let mut operator = &body[name.len()..];
        if operator.starts_with("[-") {
            return Some("indices from the end");
        }
        if let Some((_, rest)) = operator.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            operator = rest;
        }
        if !name.is_empty() && (operator.starts_with('^') || operator.starts_with(',')) {
            return Some("changes of case in expansions");
        }
        if !name.is_empty() && operator.len() == 2 && operator.starts_with('@') {
            return Some("${name@X}");
        }
        if operator.starts_with(": -") || operator.starts_with(":0:-") {
            return Some("lengths from the end");
        }
    }
    if words.windows(2).any(|pair| pair[0] == "printf" && pair[1].starts_with("'%(")) || line.contains("%(%") {
        return Some("printf of times");
    }
    if words.windows(2).any(|pair| pair == ["[[", "-v"]) || line.contains("[[ ! -v ") {
        return Some("[[ -v");
    }
    if words.contains(&"globstar") || words.contains(&"lastpipe") || words.contains(&"inherit_errexit") {
        return Some("options of shopt");
    }
    if ["$EPOCHSECONDS", "$EPOCHREALTIME", "$BASHPID", "$SRANDOM", "${BASHPID", "${EPOCH"]
        .iter()
        .any(|name| line.contains(name))
    {
        return Some("variables");
    }
    if words.contains(&"wait") && words.contains(&"-n") {
        return Some("wait -n");
    }
    if words.contains(&"exec") && line.contains("exec {") {
        return Some("numbers of files in variables");
    }
    if words.contains(&"read") && (option('N') || words.contains(&"-i")) {
        return Some("read -N and -i");
    }
    None
}

#[test]
fn bash_is_written_for_version_3() {
    let mut problems = String::new();
    let mut files = vec!["wrappers/bash/agent-workspace.bash".to_owned()];
    files.extend(names("wrappers/bash/parts").iter().map(|name| format!("wrappers/bash/parts/{name}")));
    for file in files {
        for (number, line) in read(&file).lines().enumerate() {
            if line.trim_start().starts_with('#') {
                continue;
            }
            if let Some(construct) = too_new(line) {
                problems += &format!("{file}:{}: {construct}: {}\n", number + 1, line.trim());
            }
        }
    }
    assert!(problems.is_empty(), "\n{problems}");
}

#[test]
fn what_bash_3_does_not_have_is_recognised() {
    for line in [
        "mapfile -t lines <file",
        "declare -A map",
        "local -A map=()",
        "local -n ref=$1",
        "declare -g x=1",
        "echo ${x^^}",
        "echo ${x,,}",
        "echo ${x,}",
        "echo ${list[@]^}",
        "echo ${x@Q}",
        "echo ${list[-1]}",
        "command &>>log",
        "a |& b",
        "x) y ;;&",
        "printf '%(%F)T' -1",
        "[[ -v name ]]",
        "coproc cat",
        "echo $EPOCHSECONDS",
        "wait -n",
        "exec {fd}<file",
        "shopt -s globstar",
        "read -N 1 x",
    ] {
        assert!(too_new(line).is_some(), "{line}");
    }
    for line in [
        "local -a words",
        "words=(${a[@]+\"${a[@]}\"})",
        "x=${y:-,}",
        "x=${y%%,*}",
        "a && b || c",
        "case $x in a) b ;; esac",
        "IFS= read -r -d '' word",
        "printf '%s, %s\\n' a b",
        "x=${y//,/.}",
        "a 2>&1 | b",
        "x=\"${@:2}\"",
    ] {
        assert_eq!(too_new(line), None, "{line}");
    }
}

#[test]
fn nothing_in_the_wrappers_is_of_bytes_that_a_shell_may_misread() {
    for folder in
        ["bash", "bash/parts", "guest", "powershell", "powershell/parts", "share", "share/help", "zsh", "zsh/parts"]
    {
        for name in names(&format!("wrappers/{folder}")) {
            let path = root().join("wrappers").join(folder).join(&name);
            if path.is_dir() {
                continue;
            }
            let text = read(format!("wrappers/{folder}/{name}"));
            assert!(text.is_ascii() && !text.contains('\r') && text.ends_with('\n'), "{folder}/{name}");
        }
    }
}

#[test]
fn every_file_of_this_suite_is_a_module_of_it() {
    let main = read("tests/tests/wrappers/main.rs");
    for name in names("tests/tests/wrappers").iter().filter(|name| name.ends_with(".rs")) {
        let module = name.trim_end_matches(".rs");
        assert!(module == "main" || main.contains(&format!("mod {module};")), "{name} is forgotten");
    }
}
