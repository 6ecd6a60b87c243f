//! Finds work that exists in a machine and nowhere else.

use std::time::Duration;

use agent_workspace_contract::ErrorCode;

use crate::backend::WORK;
pub use crate::backend::is_elsewhere;
use crate::error::{Error, Result};
use crate::guest::{cut_off, failed, said_all};
use crate::machine::{Command, Machine, Places};

const LIMIT: Duration = Duration::from_secs(60);
const SCRIPT: &str = include_str!("scripts/unsaved_work.sh");

/// Something that would be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsaved {
    /// `changes`, `untracked`, `commits`, `stashes`, `files` or `unchecked`.
    pub kind: String,
    /// The clone or file, inside the workspace.
    pub path: String,
    /// How many, where that is known.
    pub count: Option<u64>,
}

impl std::fmt::Display for Unsaved {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (one, many) = match self.kind.as_str() {
            "changes" => ("changed file", "changed files"),
            "untracked" => ("new file or folder", "new files or folders"),
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

/// Looks through folders of a workspace from beside it: everything in the work folder, in the home all but what tools
/// keep there, and the clones in any other. Empty means that nothing would be lost.
///
/// # Errors
/// `guest_failed` when the search itself failed, `engine_unavailable` when its answer was lost, or the machine's own.
pub async fn find(machine: &dyn Machine, folders: &[&str]) -> Result<Vec<Unsaved>> {
    search(machine, folders, ["", "beside"]).await
}

/// The same from inside one that runs. `secrets` is where the engine says that a folder of the host is mounted, which
/// does not go with the workspace; what its environment says is anybody's.
///
/// # Errors
/// As [`find`].
pub async fn find_inside(machine: &dyn Machine, folders: &[&str], secrets: Option<&str>) -> Result<Vec<Unsaved>> {
    search(machine, folders, [secrets.unwrap_or_default(), ""]).await
}

async fn search(machine: &dyn Machine, folders: &[&str], seen_from: [&str; 2]) -> Result<Vec<Unsaved>> {
    let places = machine.places();
    let mut args = arguments(folders, &places);
    args.splice(2..2, seen_from);
    let mut nobody = |_: &[u8]| {};
    let search = machine.run(Command::script(SCRIPT, &args), &mut nobody);
    // What a clone's own configuration runs may never end.
    let output = tokio::time::timeout(LIMIT, search)
        .await
        .map_err(|_| Error::new(ErrorCode::GuestFailed, "the search for unsaved work took more than a minute"))??;
    if output.status != 0 {
        return Err(failed("look for unsaved work", &output));
    }
    let found: Vec<Unsaved> = output.stdout.lines().filter(|line| *line != "end").map(heard).collect();
    // What was found is enough to refuse; that nothing was found must have been said to the end.
    if found.is_empty() && !said_all(&output.stdout) {
        return Err(cut_off("look for unsaved work"));
    }
    Ok(found)
}

/// What one look has found where another has found nothing of that kind.
pub fn not_among(found: Vec<Unsaved>, others: &[Unsaved]) -> Vec<Unsaved> {
    let is_new =
        |unsaved: &Unsaved| !others.iter().any(|other| (&other.kind, &other.path) == (&unsaved.kind, &unsaved.path));
    found.into_iter().filter(is_new).collect()
}

/// What stands for a search that failed: nobody knows what is there.
pub fn unchecked() -> Unsaved {
    Unsaved { kind: "unchecked".to_owned(), path: WORK.to_owned(), count: None }
}

/// Folders as the scripts take them: the work folder or nothing, the home or nothing, the others.
pub(super) fn arguments<'a>(folders: &[&'a str], places: &Places) -> Vec<&'a str> {
    let or_nothing = |wanted: &str| folders.iter().copied().find(|folder| *folder == wanted).unwrap_or_default();
    let own = [places.work.as_str(), places.home.as_str()];
    let others = folders.iter().copied().filter(|folder| !own.contains(folder));
    own.map(or_nothing).into_iter().chain(others).collect()
}

/// A finding as the script says it. What is said in any other way is something that nobody knows to be saved.
fn heard(line: &str) -> Unsaved {
    parse(line).unwrap_or_else(unchecked)
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
    use crate::backend::HOME;

    #[test]
    fn folders_that_are_not_to_be_looked_at_leave_their_place_empty() {
        assert_eq!(arguments(&[WORK, HOME], &Places::default()), [WORK, HOME]);
        assert_eq!(arguments(&[HOME, "/srv/x"], &Places::default()), ["", HOME, "/srv/x"]);
        assert_eq!(arguments(&["/srv/x"], &Places::default()), ["", "", "/srv/x"]);
    }

    #[test]
    fn what_cannot_be_understood_may_be_work() {
        for line in ["", "ends", "changes", "changes\t3", "sh: printf: not found"] {
            assert_eq!(heard(line).kind, "unchecked", "{line:?}");
        }
    }

    #[test]
    fn what_two_looks_find_alike_counts_once() {
        let said = |line| parse(line).unwrap();
        let (one, two) = (said("commits\t2\t/work/a"), said("changes\t1\t/work/a"));
        assert_eq!(not_among(vec![one.clone(), two.clone()], &[said("commits\t3\t/work/a")]), [two]);
        assert_eq!(not_among(vec![one], &[said("commits\t2\t/work/ab")]).len(), 1);
    }

    #[test]
    fn findings_read_as_sentences() {
        let said = |line| parse(line).unwrap().to_string();
        assert_eq!(said("commits\t2\t/work/o/r"), "/work/o/r: 2 commits that are on no remote");
        assert_eq!(said("changes\t1\t/work/o/r"), "/work/o/r: 1 changed file");
        assert_eq!(said("untracked\t3\t/work/o/r"), "/work/o/r: 3 new files or folders");
        assert_eq!(said("unchecked\t\t/work/x\ty"), "/work/x\ty: it could not be looked at");
    }
}
