//! What can be known of the PowerShell module without PowerShell: that it is PowerShell, that its functions fit each
//! other, and that it is the twin of the zsh wrapper.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use agent_workspace_tests::live::note;
use tree_sitter::{Node, Parser, Tree};

/// Variables that PowerShell has by itself, in lower case. Giving them a value is an error or a surprise.
const AUTOMATIC: [&str; 19] = [
    "$",
    "_",
    "args",
    "error",
    "executioncontext",
    "false",
    "foreach",
    "home",
    "host",
    "input",
    "iswindows",
    "ismacos",
    "matches",
    "myinvocation",
    "null",
    "pid",
    "psscriptroot",
    "pscommandpath",
    "true",
];

fn wrappers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project").join("wrappers")
}

/// The files of a language below a folder, sorted.
fn sources(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path, endings));
        } else if path.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A file of PowerShell and what it is made of.
struct File {
    path: PathBuf,
    text: String,
    tree: Tree,
}

impl File {
    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut parser = Parser::new();
        parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).expect("the grammar fits the parser");
        let tree = parser.parse(&text, None).expect("a tree");
        Self { path, text, tree }
    }

    fn all() -> Vec<Self> {
        sources(&wrappers(), &["ps1", "psm1", "psd1"]).into_iter().map(Self::read).collect()
    }

    fn says(&self, node: Node) -> &str {
        &self.text[node.byte_range()]
    }

    fn place(&self, node: Node) -> String {
        let path = self.path.strip_prefix(wrappers()).unwrap_or(&self.path);
        format!("{}:{}", path.display(), node.start_position().row + 1)
    }
}

/// Every node in it, itself first.
fn within(node: Node) -> Vec<Node> {
    let mut found = vec![node];
    let mut next = 0;
    while next < found.len() {
        let node = found[next];
        found.extend(node.children(&mut node.walk()));
        next += 1;
    }
    found
}

fn of_kind<'tree>(node: Node<'tree>, kind: &str) -> Vec<Node<'tree>> {
    within(node).into_iter().filter(|node| node.kind() == kind).collect()
}

/// The first node of the kind among its children.
fn child<'tree>(node: Node<'tree>, kind: &str) -> Option<Node<'tree>> {
    node.children(&mut node.walk()).find(|child| child.kind() == kind)
}

#[test]
fn every_powershell_file_is_powershell() {
    let mut problems = String::new();
    let mut files = File::all();
    // What the launcher prints for PowerShell stands with the launcher.
    let adapters = wrappers().with_file_name("launcher").join("src/completion/adapters");
    files.extend(sources(&adapters, &["ps1"]).into_iter().map(File::read));
    assert!(files.iter().any(|file| file.path.starts_with(&adapters)), "the adapter is gone");
    for file in &files {
        for node in within(file.tree.root_node()) {
            if node.is_error() || node.is_missing() {
                let text = file.says(node).lines().next().unwrap_or_default();
                problems += &format!(
                    "{}: {} {text:?}\n",
                    file.place(node),
                    if node.is_missing() { "missing" } else { "not understood:" }
                );
            }
        }
    }
    assert!(problems.is_empty(), "\n{problems}");
    note(&format!("PowerShell: {} files parsed", files.len()));
}

/// A function of the module.
struct Function<'tree> {
    file: &'tree File,
    node: Node<'tree>,
    name: &'tree str,
    /// Its parameters in their order, and whether each is a switch.
    parameters: Vec<(String, bool)>,
}

fn functions(files: &[File]) -> Vec<Function<'_>> {
    let mut found = Vec::new();
    for file in files {
        for node in of_kind(file.tree.root_node(), "function_statement") {
            let name = child(node, "function_name").map_or("", |name| file.says(name));
            let block = child(node, "script_block").and_then(|block| child(block, "param_block"));
            let parameters = block.map_or_else(Vec::new, |block| {
                of_kind(block, "script_parameter")
                    .into_iter()
                    .map(|parameter| {
                        let variable = child(parameter, "variable").expect("a parameter has a name");
                        let name = file.says(variable).trim_start_matches('$').to_owned();
                        (name, file.says(parameter).to_lowercase().contains("[switch]"))
                    })
                    .collect()
            });
            found.push(Function { file, node, name, parameters });
        }
    }
    found
}

#[test]
fn every_call_of_the_modules_own_functions_fits() {
    let files = File::all();
    let functions = functions(&files);
    let mut by_name: BTreeMap<&str, &Function> = BTreeMap::new();
    let mut problems = String::new();
    for function in &functions {
        if by_name.insert(function.name, function).is_some() {
            problems += &format!("{}: {} is there twice\n", function.file.place(function.node), function.name);
        }
    }
    let mut called: BTreeSet<&str> = BTreeSet::new();
    for file in &files {
        for command in of_kind(file.tree.root_node(), "command") {
            let Some(name) = child(command, "command_name").map(|name| file.says(name)) else { continue };
            let Some(function) = by_name.get(name) else {
                if name.contains("-AwX") {
                    problems += &format!("{}: there is no {name}\n", file.place(command));
                }
                continue;
            };
            called.insert(name);
            for problem in misfits(file, command, function) {
                problems += &format!("{}: {name}: {problem}\n", file.place(command));
            }
        }
    }
    let exported = std::fs::read_to_string(wrappers().join("powershell/AgentWorkspace.psd1")).expect("the manifest");
    for function in &functions {
        if !called.contains(function.name) && !exported.contains(&format!("'{}'", function.name)) {
            problems += &format!("{}: nobody calls {}\n", function.file.place(function.node), function.name);
        }
    }
    assert!(problems.is_empty(), "\n{problems}");
}

/// What is wrong with a call.
fn misfits(file: &File, command: Node, function: &Function) -> Vec<String> {
    let Some(elements) = child(command, "command_elements") else { return Vec::new() };
    let mut problems = Vec::new();
    let mut named = BTreeSet::new();
    let mut positional = 0;
    let mut takes_value = false;
    for element in elements.children(&mut elements.walk()) {
        match element.kind() {
            "command_argument_sep" | "redirection" => {}
            "command_parameter" => {
                if takes_value {
                    problems.push(format!("{} stands where a value was expected", file.says(element)));
                }
                let text = file.says(element);
                let name = text.trim_start_matches('-').trim_end_matches(':');
                match function.parameters.iter().find(|(known, _)| known == name) {
                    None => problems.push(format!("it has no {text}")),
                    Some((_, is_switch)) => {
                        takes_value = !is_switch || text.ends_with(':');
                        named.insert(name.to_owned());
                    }
                }
            }
            _ if takes_value => takes_value = false,
            _ => positional += 1,
        }
    }
    if takes_value {
        problems.push("its last parameter has no value".to_owned());
    }
    let free = function.parameters.iter().filter(|(name, is_switch)| !is_switch && !named.contains(name)).count();
    if positional > free {
        problems.push(format!("{positional} words for {free} parameters"));
    }
    problems
}

#[test]
fn every_variable_has_a_value_before_it_is_read() {
    let files = File::all();
    let functions = functions(&files);
    // Those of the module are given their values in any file.
    let mut shared = BTreeSet::new();
    let mut problems = String::new();
    for file in &files {
        for node in of_kind(file.tree.root_node(), "left_assignment_expression") {
            if let Some(name) = assigned(file, node).filter(|name| name.contains(':')) {
                shared.insert(name);
            }
        }
    }
    for function in &functions {
        let file = function.file;
        let mut known: BTreeSet<String> = function.parameters.iter().map(|(name, _)| name.to_lowercase()).collect();
        for node in within(function.node) {
            let name = match node.kind() {
                "left_assignment_expression" => assigned(file, node),
                "foreach_statement" => child(node, "variable").map(|variable| plain(file.says(variable))),
                "script_parameter" => child(node, "variable").map(|variable| plain(file.says(variable))),
                _ => None,
            };
            let Some(name) = name else { continue };
            if AUTOMATIC.contains(&name.as_str()) && name != "null" {
                problems += &format!("{}: ${name} is PowerShell's own\n", file.place(node));
            }
            known.insert(name);
        }
        for node in of_kind(function.node, "left_assignment_expression") {
            // A parameter has a type, and would turn what it is given into that.
            if let Some(name) = assigned(file, node)
                && function.parameters.iter().any(|(known, _)| known.to_lowercase() == name)
            {
                problems += &format!("{}: ${name} is a parameter, and gets another value\n", file.place(node));
            }
        }
        let mut spelled: BTreeMap<String, &str> = BTreeMap::new();
        for node in of_kind(function.node, "variable") {
            let name = plain(file.says(node));
            let text = file.says(node).trim_start_matches(['$', '@']).trim_matches(['{', '}']);
            if *spelled.entry(name.clone()).or_insert(text) != text {
                problems += &format!("{}: ${text} is the same variable as ${}\n", file.place(node), spelled[&name]);
            }
            let fine = known.contains(&name)
                || AUTOMATIC.contains(&name.as_str())
                || shared.contains(&name)
                || name == "global:lastexitcode"
                || name.starts_with("env:");
            if !fine {
                problems += &format!("{}: ${name} has no value\n", file.place(node));
            }
        }
    }
    assert!(problems.is_empty(), "\n{problems}");
}

/// A variable's name in lower case, without the signs around it.
fn plain(variable: &str) -> String {
    variable.trim_start_matches(['$', '@']).trim_matches(['{', '}']).to_lowercase()
}

/// The variable that an assignment gives a value, unless it is to a part of one.
fn assigned(file: &File, left: Node) -> Option<String> {
    let parts = ["element_access", "member_access", "invokation_expression"];
    if parts.iter().any(|kind| !of_kind(left, kind).is_empty()) {
        return None;
    }
    let variables = of_kind(left, "variable");
    (variables.len() == 1).then(|| plain(file.says(variables[0])))
}

#[test]
fn a_function_that_takes_a_command_line_has_no_parameters_that_could_take_its_flags() {
    let files = File::all();
    for function in functions(&files) {
        let takes = of_kind(function.node, "variable").iter().any(|node| plain(function.file.says(*node)) == "args");
        let place = function.file.place(function.node);
        assert!(!takes || function.parameters.is_empty(), "{place}: {} has parameters and reads $args", function.name);
        assert!(!function.file.says(function.node).contains("CmdletBinding"), "{place}: {}", function.name);
    }
}

/// The names of the parts that a file lists between two of its texts.
fn listed(path: &Path, from: &str, to: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("{} has no {from:?}", path.display()));
    let (list, _) = rest.split_once(to).unwrap_or_else(|| panic!("{} has no {to:?}", path.display()));
    list.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn zsh_parts() -> Vec<String> {
    listed(&wrappers().join("zsh/agent-workspace.zsh"), "for part in ", ";")
}

#[test]
fn parts_are_those_of_zsh_in_the_same_order() {
    let parts = zsh_parts();
    assert_eq!(listed(&wrappers().join("powershell/AgentWorkspace.psm1"), "foreach ($part in @(", "))"), parts);
    for (folder, ending) in [("zsh", "zsh"), ("powershell", "ps1")] {
        let mut named: Vec<String> = sources(&wrappers().join(folder).join("parts"), &[ending])
            .iter()
            .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
            .collect();
        let mut wanted = parts.clone();
        named.sort();
        wanted.sort();
        assert_eq!(named, wanted, "{folder}");
    }
}

#[test]
fn commands_and_short_names_are_those_of_zsh() {
    let folder = wrappers();
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let (zsh, powershell) = (read("zsh/parts/dispatch.zsh"), read("powershell/parts/dispatch.ps1"));
    for help in sources(&folder.join("share/help"), &["txt"]) {
        let command = help.file_stem().expect("a name").to_string_lossy().into_owned();
        if command != "commands" {
            assert!(
                zsh.contains(&format!("{command}|")) || zsh.contains(&format!("|{command}")),
                "dispatch.zsh has no {command}"
            );
            assert!(powershell.contains(&format!("        '{command}' {{")), "dispatch.ps1 has no {command}");
        }
    }
    let manifest = read("powershell/AgentWorkspace.psd1");
    let aliases = read("zsh/parts/aliases.zsh");
    let names: Vec<&str> = aliases.lines().filter_map(|line| line.split_once("() {")).map(|(name, _)| name).collect();
    assert!(names.len() > 10, "only {names:?}");
    for name in names {
        assert!(manifest.contains(&format!("'{name}'")), "the manifest has no {name}");
    }
}

/// A part in both shells, without comments.
fn twins(part: &str) -> (String, String) {
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let folder = wrappers();
    (
        read(folder.join("zsh/parts").join(format!("{part}.zsh"))),
        read(folder.join("powershell/parts").join(format!("{part}.ps1"))),
    )
}

/// What PowerShell never has to say.
const SAID_BY_ZSH_ALONE: [&str; 1] =
    ["no program can check what was downloaded: sha256sum, shasum or openssl is needed"];

/// Flags and words of zsh's part that are of tools which PowerShell does without.
const OF_ZSH_ALONE: [&str; 6] =
    ["--no-recursion", "--null", "--tmpdir", "--verbatim-files-from", "--", "--version-sort"];

#[test]
fn every_flag_of_a_zsh_part_is_in_its_twin() {
    let mut problems = String::new();
    for part in zsh_parts() {
        let (zsh, powershell) = twins(&part);
        for flag in flags(&zsh).difference(&flags(&powershell)) {
            if !OF_ZSH_ALONE.contains(&flag.as_str()) {
                problems += &format!("{part}.ps1 does not have {flag}\n");
            }
        }
    }
    assert!(problems.is_empty(), "\n{problems}");
}

/// Every `--flag` in a text.
fn flags(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("--") {
        let before = text[..at].chars().next_back().unwrap_or(' ');
        if before.is_ascii_alphanumeric() || before == '-' {
            continue;
        }
        let name: String = text[at + 2..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        if !name.is_empty() {
            found.insert(format!("--{}", name.trim_end_matches('-')));
        }
    }
    found
}

#[test]
fn every_sentence_of_a_zsh_part_is_in_its_twin() {
    let mut problems = String::new();
    let mut sentences = 0;
    for part in zsh_parts() {
        let (zsh, powershell) = twins(&part);
        for sentence in said(&zsh) {
            sentences += 1;
            if SAID_BY_ZSH_ALONE.contains(&sentence.as_str()) {
                continue;
            }
            for fragment in fragments(&sentence) {
                if !powershell.contains(&fragment) && !powershell.contains(&fragment.replace('\'', "''")) {
                    problems += &format!("{part}.ps1 does not say {fragment:?} of: {sentence}\n");
                }
            }
        }
    }
    assert!(sentences > 20, "only {sentences} sentences were found in the zsh parts");
    assert!(problems.is_empty(), "\n{problems}");
}

/// What the functions that talk are given, as it is written in zsh.
fn said(text: &str) -> Vec<String> {
    let talk = ["say", "hint", "warn", "usage", "ask", "create_failed"];
    let mut found = Vec::new();
    for line in text.lines() {
        for verb in talk {
            let Some((_, rest)) = line.split_once(&format!("__agent_workspace_{verb} ")) else { continue };
            found.extend(quoted(rest));
        }
        // A sentence that is put together before it is said.
        if let Some((_, rest)) = line.split_once("sentence=").or_else(|| line.split_once("question=")) {
            found.extend(quoted(rest));
        }
    }
    found
}

/// The quoted words that a text begins with, as far as its command goes.
fn quoted(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\'' => found.push(characters.by_ref().take_while(|c| *c != '\'').collect()),
            '"' => {
                let mut word = String::new();
                while let Some(c) = characters.next() {
                    match c {
                        '"' => break,
                        '\\' => word.extend(characters.next()),
                        c => word.push(c),
                    }
                }
                found.push(word);
            }
            ';' | '|' | '&' | '\n' => break,
            _ => {}
        }
    }
    found
}

/// What stays of a sentence when its variables are taken out: pieces that are long enough to be words.
fn fragments(sentence: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut characters = sentence.chars().peekable();
    while let Some(c) = characters.next() {
        if c != '$' {
            pieces.last_mut().expect("one at least").push(c);
            continue;
        }
        pieces.push(String::new());
        match characters.peek() {
            Some('{' | '(') => {
                let mut depth = 0;
                for c in characters.by_ref() {
                    depth += i32::from(c == '{' || c == '(') - i32::from(c == '}' || c == ')');
                    if depth == 0 {
                        break;
                    }
                }
            }
            Some(c) if c.is_ascii_alphabetic() || *c == '_' => {
                while characters.next_if(|c| c.is_ascii_alphanumeric() || *c == '_').is_some() {}
            }
            _ => drop(characters.next()),
        }
    }
    pieces.into_iter().filter(|piece| piece.chars().filter(char::is_ascii_alphabetic).count() > 2).collect()
}
