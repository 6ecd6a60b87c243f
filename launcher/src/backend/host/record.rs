//! What is written down of a workspace on this machine, beside its folders.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::backend::RecordedSpec;

/// The form of records that this launcher writes. It reads no newer one.
pub(super) const FORM: u32 = 1;

/// How far a workspace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Its create is at work, or was cut off.
    Creating,
    /// It is whole.
    Ready,
    /// It was removed, and its folders were kept.
    Kept,
}

/// What keeps it apart from the rest of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Walls {
    /// Namespaces of its own, and the machine's network.
    Process,
    /// The same without a network.
    Strict,
    /// Nothing.
    None,
}

/// One workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The form it is written in.
    pub(super) form: u32,
    /// The mark of the call that made it.
    pub(super) create_id: String,
    /// RFC 3339, UTC.
    pub(super) created_at: String,
    /// How far it is.
    pub(super) state: State,
    /// What keeps it apart.
    pub(super) walls: Walls,
    /// `owner/repo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) repo: Option<String>,
    /// What was asked for.
    pub(super) spec: RecordedSpec,
    /// Whether its folders were there before, from a workspace whose were kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) found: bool,
}

/// A file of `export` lines for a POSIX shell. Values are words of it and nothing else.
pub(in crate::backend) fn exports(variables: &BTreeMap<String, String>) -> String {
    let line = |(name, value): (&String, &String)| format!("export {name}='{}'\n", value.replace('\'', r"'\''"));
    variables.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_every_value_as_it_was_given() {
        for value in ["", "plain", "a b", "it's", "$(touch x) `y` \"z\"", "two\nlines", "'", "\\", "ä"] {
            let file = exports(&BTreeMap::from([("A".to_owned(), value.to_owned())]));
            let script = format!("{file}printf %s \"$A\"");
            let said = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), value);
        }
    }
}
