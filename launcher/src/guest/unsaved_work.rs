//! Finds work that exists in a machine and nowhere else.

use crate::backend::{HOME, WORK};
use crate::error::Result;
use crate::guest::failed;
use crate::machine::{Command, Machine};

const SCRIPT: &str = include_str!("scripts/unsaved_work.sh");

/// Something that would be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsaved {
    /// `changes`, `commits`, `stashes`, `files` or `unchecked`.
    pub kind: String,
    /// The clone or file, inside the workspace.
    pub path: String,
    /// How many, where that is known.
    pub count: Option<u64>,
}

impl std::fmt::Display for Unsaved {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.kind.as_str() {
            "changes" => "files that are changed or new",
            "commits" => "commits that are on no remote",
            "stashes" => "stashes",
            "files" => "files outside any clone",
            _ => "something that could not be looked at",
        };
        match self.count {
            Some(count) => write!(formatter, "{}: {count} {what}", self.path),
            None => write!(formatter, "{}: {what}", self.path),
        }
    }
}

/// Looks through the work folder and the clones in the home. Empty means that nothing would be lost.
///
/// # Errors
/// `guest_failed` when the search itself failed, or the machine's own.
pub async fn find(machine: &dyn Machine) -> Result<Vec<Unsaved>> {
    let output = machine.run(Command::script(SCRIPT, &[WORK, HOME]), &mut |_| {}).await?;
    if output.status != 0 {
        return Err(failed("look for unsaved work", &output));
    }
    Ok(output.stdout.lines().filter_map(parse).collect())
}

/// One line of the script: kind, count or nothing, path, separated by tabs.
fn parse(line: &str) -> Option<Unsaved> {
    let mut parts = line.splitn(3, '\t');
    let (kind, count, path) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Unsaved { kind: kind.to_owned(), path: path.to_owned(), count: count.parse().ok() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_read_as_sentences() {
        let said = |line| parse(line).unwrap().to_string();
        assert_eq!(said("commits\t2\t/work/o/r"), "/work/o/r: 2 commits that are on no remote");
        assert_eq!(said("unchecked\t\t/work/x\ty"), "/work/x\ty: something that could not be looked at");
    }
}
