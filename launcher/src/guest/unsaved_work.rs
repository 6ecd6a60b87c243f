//! Finds work that exists in a machine and nowhere else.

use std::time::Duration;

use agent_workspace_contract::ErrorCode;

use crate::backend::{HOME, WORK};
use crate::error::{Error, Result};
use crate::guest::failed;
use crate::machine::{Command, Machine};

const LIMIT: Duration = Duration::from_secs(60);
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
        let (one, many) = match self.kind.as_str() {
            "changes" => ("file that is changed or new", "files that are changed or new"),
            "commits" => ("commit that is on no remote", "commits that are on no remote"),
            "stashes" => ("stash", "stashes"),
            "files" => ("file outside any clone", "files outside any clone"),
            _ => return write!(formatter, "{}: it could not be looked at", self.path),
        };
        match self.count {
            Some(1) => write!(formatter, "{}: 1 {one}", self.path),
            Some(count) => write!(formatter, "{}: {count} {many}", self.path),
            None => write!(formatter, "{}: {many}", self.path),
        }
    }
}

/// Looks through the work folder and the clones in the home, unless their volumes are kept, and through a clone that
/// is in neither. Empty means that nothing would be lost.
///
/// # Errors
/// `guest_failed` when the search itself failed, or the machine's own.
pub async fn find(machine: &dyn Machine, volumes_kept: bool, path: Option<&str>) -> Result<Vec<Unsaved>> {
    let elsewhere = path.filter(|path| is_elsewhere(path));
    let (work, home) = if volumes_kept { ("", "") } else { (WORK, HOME) };
    if volumes_kept && elsewhere.is_none() {
        return Ok(Vec::new());
    }
    let args: Vec<&str> = [work, home].into_iter().chain(elsewhere).collect();
    let mut nobody = |_: &[u8]| {};
    let search = machine.run(Command::script(SCRIPT, &args), &mut nobody);
    // What a clone's own configuration runs may never end.
    let output = tokio::time::timeout(LIMIT, search)
        .await
        .map_err(|_| Error::new(ErrorCode::GuestFailed, "the search for unsaved work took more than a minute"))??;
    if output.status != 0 {
        return Err(failed("look for unsaved work", &output));
    }
    Ok(output.stdout.lines().filter_map(parse).collect())
}

/// Whether a path is on no volume of a workspace, so that it goes with the container.
pub fn is_elsewhere(path: &str) -> bool {
    ![WORK, HOME]
        .iter()
        .any(|folder| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
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
    fn paths_beside_the_volumes_are_elsewhere() {
        assert!(is_elsewhere("/srv/x") && is_elsewhere("/workshop"));
        assert!(!is_elsewhere("/work") && !is_elsewhere("/work/o/r") && !is_elsewhere("/home/agent/x"));
    }

    #[test]
    fn findings_read_as_sentences() {
        let said = |line| parse(line).unwrap().to_string();
        assert_eq!(said("commits\t2\t/work/o/r"), "/work/o/r: 2 commits that are on no remote");
        assert_eq!(said("unchecked\t\t/work/x\ty"), "/work/x\ty: it could not be looked at");
    }
}
