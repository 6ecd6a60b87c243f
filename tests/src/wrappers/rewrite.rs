//! Writes into a file of scenarios what came of them, for people to look at the difference.

use std::collections::BTreeMap;

use super::sandbox::Outcome;
use super::words::join;

/// A text of scenarios with the outcomes of those that are named.
pub fn rewrite(text: &str, outcomes: &BTreeMap<String, Outcome>) -> String {
    let mut scenarios: Vec<Vec<&str>> = vec![Vec::new()];
    for line in text.lines() {
        if line.starts_with("== ") {
            scenarios.push(Vec::new());
        }
        scenarios.last_mut().expect("a scenario").push(line);
    }
    let written = scenarios.iter().map(|lines| {
        let name = lines.first().and_then(|line| line.strip_prefix("== ")).unwrap_or_default();
        match outcomes.get(name) {
            Some(outcome) => one(lines, outcome),
            None => format!("{}\n", lines.join("\n")),
        }
    });
    written.collect()
}

fn one(lines: &[&str], outcome: &Outcome) -> String {
    let (mut kept, mut drop) = (String::new(), false);
    for (at, line) in lines.iter().enumerate() {
        let is_value = line.starts_with("    ")
            || (line.is_empty() && lines.get(at + 1).is_some_and(|next| next.starts_with("    ")));
        if !is_value {
            let key = line.split(':').next().unwrap_or_default();
            drop = ["calls", "stdout", "stderr", "exit", "leaves"].contains(&key) || line.is_empty();
        }
        if !drop {
            kept += &format!("{line}\n");
        }
    }
    let mut block = |key: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            kept += &format!("{key}:\n");
            for line in lines {
                kept += format!("    {line}").trim_end_matches(|c| line.is_empty() && c == ' ');
                kept.push('\n');
            }
        }
    };
    block("calls", outcome.calls.clone());
    for (key, text) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if let Some(last) = lines.last_mut().filter(|_| !text.ends_with('\n')) {
            last.push('\\');
        }
        block(key, lines);
    }
    if !outcome.leaves.is_empty() {
        kept += &format!("leaves: {}\n", join(&outcome.leaves));
    }
    if outcome.code != 0 {
        kept += &format!("exit: {}\n", outcome.code);
    }
    kept + "\n"
}
