//! `__complete`: answers an adapter's question. Never a failure: who presses Tab has asked for nothing.

use std::ffi::OsString;
use std::time::Duration;

use crate::backend::Backend;
use crate::completion::{self, Named, Question, Shell};
use crate::store::Store;
use crate::workspace::{Prefix, WorkspaceName};

/// How long an engine may take to say which workspaces there are, everything included. With what else a key costs, that
/// is still at once.
pub const PATIENCE: Duration = Duration::from_millis(80);

/// Flags of `__complete`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The shell that asks; the answer is the same for each
    #[arg(long, value_name = "SHELL", value_enum)]
    shell: Shell,
    /// Which word is being typed, counted from the command's name, which is 0
    #[arg(long, value_name = "NUMBER")]
    index: usize,
    /// A wrapper runs: its commands and flags are there too
    #[arg(long)]
    wrapper: bool,
    /// The words, the command's name first
    #[arg(value_name = "WORD", last = true)]
    words: Vec<OsString>,
}

impl Args {
    /// The question. Bytes that are no text match nothing and do no harm.
    pub fn resolve(self) -> Question {
        let Self { shell: _, index, wrapper, words } = self;
        Question { words: words.iter().map(|word| word.to_string_lossy().into_owned()).collect(), index, wrapper }
    }
}

/// The answer as lines. `names` is called only when something may be named there, with what it is.
pub fn run(question: &Question, names: impl FnOnce(Named) -> Vec<(String, String)>) -> String {
    let mut answer = completion::answer(question);
    if let Some(named) = answer.wants_names() {
        answer.add_names(names(named));
    }
    answer.lines()
}

/// The backend that a line names before the word that is being typed.
pub fn backend_in(question: &Question) -> Option<String> {
    let words = question.words.get(..question.index).unwrap_or(&question.words);
    let after = |(place, word): (usize, &String)| match word.strip_prefix("--backend") {
        Some("") => words.get(place + 1).cloned(),
        Some(value) => value.strip_prefix('=').map(str::to_owned),
        None => None,
    };
    words.iter().enumerate().filter_map(after).next_back()
}

/// Every workspace as it is typed, with its state and repository; none when the backend fails.
pub async fn names(backend: &dyn Backend, prefix: &Prefix) -> Vec<(String, String)> {
    let workspaces = backend.list().await.unwrap_or_default();
    let row = |workspace: crate::backend::Workspace| {
        let name = typed(&workspace.name, prefix).to_owned();
        let repo = workspace.repo.map(|repo| format!("  {repo}")).unwrap_or_default();
        (name, format!("{}{repo}", workspace.status.as_str()))
    };
    workspaces.into_iter().map(row).collect()
}

/// Every agent with its VM, VM with its machine, VM host with its address or workspace on a VM; none when nothing is remembered, or it cannot be read.
pub fn remembered(store: &Store, named: Named) -> Vec<(String, String)> {
    let Ok(Some(records)) = store.read() else { return Vec::new() };
    match named {
        Named::Agent => records.agents().unwrap_or_default().into_iter().map(|agent| (agent.name, agent.vm)).collect(),
        Named::WorkspaceOnVm => records
            .workspaces()
            .unwrap_or_default()
            .into_iter()
            .map(|workspace| (workspace.name, workspace.vm))
            .collect(),
        Named::Vm => records.vms().unwrap_or_default().into_iter().map(|vm| (vm.name, vm.host)).collect(),
        Named::VmHost => {
            records.vm_hosts().unwrap_or_default().into_iter().map(|host| (host.name, host.host)).collect()
        }
        Named::Workspace => Vec::new(),
    }
}

/// The short name where that leads back to the workspace, and else the full one.
fn typed<'a>(full: &'a str, prefix: &Prefix) -> &'a str {
    let short = prefix.strip(full);
    let leads_back = WorkspaceName::parse(short, prefix).is_ok_and(|name| name.canonical() == full);
    if leads_back { short } else { full }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_where_that_leads_back() {
        let prefix = Prefix::parse("agent-ws").unwrap();
        for (full, short) in [
            ("agent-ws-a", "a"),
            ("agent-ws-ws-a", "agent-ws-ws-a"),
            ("codex-ws-a", "codex-ws-a"),
            ("team-x", "team-x"),
            ("agent-ws-My.Task", "agent-ws-My.Task"),
        ] {
            assert_eq!(typed(full, &prefix), short);
        }
    }

    #[test]
    fn names_are_those_of_the_backend_that_is_typed() {
        let backend = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            backend_in(&Question { index: words.len() - 1, words, wrapper: false })
        };
        for (words, named) in [
            (&["agent-workspace", "rm", "--backend", "host", ""][..], Some("host")),
            (&["agent-workspace", "rm", "--backend=host", ""], Some("host")),
            (&["agent-workspace", "rm", "--backend=docker", "--backend", "host", ""], Some("host")),
            (&["agent-workspace", "rm", "--backend", ""], None),
            (&["agent-workspace", "rm", ""], None),
        ] {
            assert_eq!(backend(words).as_deref(), named, "{words:?}");
        }
    }

    #[test]
    fn names_are_asked_for_only_where_one_may_stand() {
        let question = |words: &[&str]| Question {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            index: words.len() - 1,
            wrapper: false,
        };
        let names = |_| vec![("alpha".to_owned(), "running".to_owned())];
        assert_eq!(run(&question(&["agent-workspace", "rm", ""]), names), "alpha\trunning\n");
        let never = |_| unreachable!("nobody is to be named there");
        assert!(run(&question(&["agent-workspace", "l"]), never).starts_with("ls\t"));
    }
}
