//! What was recorded, as scenarios write it.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::Value;

use super::words::{join, quote};

/// Reads what the recorder wrote down: a line a call.
///
/// `tokens` are the names of what may be in an environment. `folders` says how workspaces are entered as a rule, so that
/// only what differs is shown.
///
/// # Panics
/// When it cannot be understood.
pub fn calls_in(recorded: &str, tokens: &BTreeMap<String, String>, folders: &BTreeMap<String, String>) -> Vec<String> {
    recorded
        .lines()
        .map(|line| {
            let call: Value = serde_json::from_str(line).expect("the recorder writes JSON");
            show(&call, tokens, folders)
        })
        .collect()
}

fn show(call: &Value, tokens: &BTreeMap<String, String>, folders: &BTreeMap<String, String>) -> String {
    let tool = call["tool"].as_str().expect("a tool");
    let mut shown = String::new();
    for name in [
        "GH_TOKEN",
        "GITHUB_TOKEN",
        "GH_ENTERPRISE_TOKEN",
        "GITHUB_ENTERPRISE_TOKEN",
        "REPLY",
        "environment",
        "token",
        "token_source",
    ] {
        // An empty one counts as none.
        if let Some(value) = call["env"][name].as_str().filter(|value| !value.is_empty()) {
            let known = tokens.get(value).map_or_else(|| value.to_owned(), |name| format!("{{token.{name}}}"));
            shown += &format!("{} ", quote(&format!("{name}={known}")));
        }
    }
    shown += &match (tool, call["called"].as_str()) {
        ("guest", _) => guest(&call["argv"], folders),
        // Which of several launchers it was.
        ("launcher", Some(path)) if path.contains('/') => {
            join([&[format!("launcher@{path}")], &words(&call["argv"])[..]].concat())
        }
        _ => join([&[tool.to_owned()], &words(&call["argv"])[..]].concat()),
    };
    if tool == "rsync" {
        let way: Vec<String> =
            call["env"]["AGENT_WORKSPACE_RSH"].as_str().unwrap_or_default().lines().map(str::to_owned).collect();
        shown += &format!(" by {}", guest(&serde_json::json!(way.get(1..).unwrap_or_default()), folders));
    }
    if let Some(stdin) = call["stdin"].as_str() {
        let bytes: Vec<u8> = (0..stdin.len() / 2)
            .map(|at| u8::from_str_radix(&stdin[at * 2..at * 2 + 2], 16).expect("hexadecimal digits"))
            .collect();
        let line = String::from_utf8_lossy(&bytes);
        shown += &match line.strip_suffix('\n').and_then(|line| tokens.get(line)) {
            Some(name) => format!(" < {{token.{name}}}"),
            None => read(&bytes),
        };
    }
    shown
}

/// `NAME[:WHAT...]$ WORD...`: who is entered, how if not as a rule, and what runs there.
fn guest(argv: &Value, folders: &BTreeMap<String, String>) -> String {
    let (way, rest) = if let Some(script) = argv["script"].as_str() {
        (words(&argv["way"]), [&[script.to_owned()], &words(&argv["arguments"])[..]].concat())
    } else {
        let all = words(argv);
        (all.iter().take(6).cloned().collect(), all.into_iter().skip(6).collect())
    };
    let [terminal, _, user, _, folder, name] = &way[..] else { return format!("guest {}", join(&way)) };
    let short = name.trim_start_matches("agent-ws-");
    let mut shown = short.to_owned();
    if terminal == "-it" {
        shown += ":tty";
    }
    if user != "agent" {
        shown += &format!(":{user}");
    }
    if folders.get(short) != Some(folder) && !folders.is_empty() && folders.contains_key(short) {
        shown += &format!(":{folder}");
    }
    [quote(&(shown + "$")), join(&rest)].join(" ").trim_end().to_owned()
}

/// What was given to read: nothing, the names in an archive, or a text.
fn read(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    if bytes.get(257..262) == Some(b"ustar") {
        let mut names: Vec<String> = tar::Archive::new(bytes)
            .entries()
            .expect("an archive")
            .map(|entry| {
                let mut entry = entry.expect("an entry");
                let name = entry.path().expect("a name").to_string_lossy().trim_start_matches("./").to_owned();
                let mut content = String::new();
                let _ = entry.read_to_string(&mut content);
                match entry.link_name().expect("a link") {
                    Some(target) => format!("{name}->{}", target.display()),
                    None => name,
                }
            })
            .collect();
        names.sort();
        return format!(" <tar {}", join(names));
    }
    format!(" < {}", quote(&String::from_utf8_lossy(bytes)))
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
}
