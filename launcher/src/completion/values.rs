//! What may be the value of a flag or the word in a place.

use agent_workspace_contract::Capability;
use clap::{Arg, Command, ValueHint};

use super::Named;
use super::wrapper::WORKSPACE;
use crate::backend::BACKENDS;
use crate::capabilities;
use crate::command::schema;
use crate::platform::PLATFORMS;

/// Places of documents that scripts read most.
const POINTERS: [(&str, &str); 12] = [
    ("/created", "Whether create has made it"),
    ("/error/code", "Which failure it was"),
    ("/error/message", "The failure in one sentence"),
    ("/path", "The clone inside"),
    ("/repo", "OWNER/REPO"),
    ("/status", "The workspace's state"),
    ("/transport/exec", "Words before a command without a terminal"),
    ("/transport/tty", "Words before a command with a terminal"),
    ("/workspace", "The workspace's full name; a row in describe"),
    ("/workspace/status", "The state, in describe"),
    ("/workspace/workspace", "The full name, in describe"),
    ("/workspaces/0/workspace", "The full name of the newest, in ls"),
];

/// What may stand in one place.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// Words, and what each means.
    pub(super) words: Vec<(String, String)>,
    /// What may be named.
    pub(super) names: Option<Named>,
    /// Whether a file of the host may be named.
    pub(super) files: bool,
}

/// What an argument takes, after these words in its command.
pub(super) fn of(root: &Command, command: &Command, arg: &Arg, before: &[String]) -> Values {
    let said = |word: &str, description: &str| (word.to_owned(), description.to_owned());
    let possible = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set());
    let mut values = Values {
        words: possible
            .map(|value| said(value.get_name(), &value.get_help().map(ToString::to_string).unwrap_or_default()))
            .collect(),
        names: None,
        files: matches!(arg.get_value_hint(), ValueHint::AnyPath | ValueHint::DirPath | ValueHint::FilePath),
    };
    let name = arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str()).unwrap_or_default();
    match (command.get_name(), arg.get_id().as_str(), name) {
        ("grant" | "deny", _, WORKSPACE) => values.names = Some(Named::WorkspaceOnVm),
        (_, _, WORKSPACE) => values.names = Some(Named::Workspace),
        (_, _, "NAME") if arg.is_positional() => values.names = Some(Named::Workspace),
        // That of a new one is nobody's yet.
        ("create" | "add", _, "AGENT" | "VM" | "VM_HOST") if arg.is_positional() => {}
        (_, _, "AGENT") => values.names = Some(Named::Agent),
        (_, _, "VM") => values.names = Some(Named::Vm),
        (_, _, "VM_HOST" | "VM_HOST|HOST") => values.names = Some(Named::VmHost),
        (_, _, "BACKEND") => values.words = BACKENDS.iter().map(|name| said(name, "")).collect(),
        (_, _, "PLATFORM") => values.words = PLATFORMS.iter().map(|name| said(name, "")).collect(),
        (_, _, "POINTER") => values.words = POINTERS.map(|(pointer, of)| said(pointer, of)).to_vec(),
        (_, "supports", _) => {
            let list = capabilities::list().into_iter();
            values.words = list.map(|capability: Capability| said(capability.as_str(), capability.promise())).collect();
        }
        ("help", _, "COMMAND") => values.words = commands(root, before),
        ("schema", _, "COMMAND") if before.is_empty() => {
            values.words = schema::names().map(|name| said(name, "")).collect();
        }
        _ => {}
    }
    values
}

/// The commands below these words.
fn commands(root: &Command, before: &[String]) -> Vec<(String, String)> {
    let below = before.iter().try_fold(root, |command, word| command.find_subcommand(word));
    let shown = below.into_iter().flat_map(Command::get_subcommands).filter(|command| !command.is_hide_set());
    let said = |command: &Command| {
        (command.get_name().to_owned(), command.get_about().map(ToString::to_string).unwrap_or_default())
    };
    shown.map(said).collect()
}
