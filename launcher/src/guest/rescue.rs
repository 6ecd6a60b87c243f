//! Brings work that exists nowhere else out of a machine: packed and proved inside, then fetched and proved again.

use std::time::Duration;

use agent_workspace_contract::{ErrorCode, RescuedItem};

use crate::error::{Error, Result};
use crate::guest::unsaved_work::{Unsaved, arguments};
use crate::guest::{Lines, cut_off, failed};
use crate::machine::{Command, Machine};
use crate::output::Progress;

/// A long history takes its time, and something that never ends must end.
pub const LIMIT: Duration = Duration::from_secs(1800);
const SCRIPT: &str = include_str!("scripts/rescue.sh");
const CANNOT: i64 = 80;
/// What the folder to fetch is called in its archive.
pub const ROOT: &str = "out";

/// Where it is packed; in no volume, as those cannot be written.
fn scratch(machine: &dyn Machine) -> String {
    format!("{}/agent-workspace-rescue", machine.places().scratch)
}

/// The folder to fetch.
pub fn packed(machine: &dyn Machine) -> String {
    format!("{}/{ROOT}", scratch(machine))
}

/// What was packed.
#[derive(Debug, PartialEq)]
pub struct Packed {
    /// What is in the folder to fetch.
    pub items: Vec<RescuedItem>,
    /// Repositories that are among the files, all of each, as git could not read them.
    pub copied: Vec<String>,
}

/// Packs everything that is unsaved in folders of a workspace.
///
/// # Errors
/// `rescue_failed` when something cannot be packed or does not restore, `engine_unavailable` when the answer was lost,
/// or the machine's own.
pub async fn pack(machine: &dyn Machine, folders: &[&str], progress: &Progress) -> Result<Packed> {
    let (scratch, places) = (scratch(machine), machine.places());
    let mut words = vec![scratch.as_str()];
    words.extend(arguments(folders, &places));
    let mut lines = Lines::default();
    let mut listener = |bytes: &[u8]| {
        lines.feed(bytes, |line, _| progress.detail("rescue_progress", line));
    };
    let output = machine.run(Command::script(SCRIPT, &words), &mut listener).await?;
    match output.status {
        0 if !output.stdout.lines().any(|line| line.starts_with("end\t")) => Err(cut_off("pack the work")),
        0 => {
            manifest(&output.stdout).ok_or_else(|| Error::new(ErrorCode::RescueFailed, "what was packed is not known"))
        }
        CANNOT => {
            let said = output.stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            Err(Error::new(ErrorCode::RescueFailed, "not all work can be brought out").cause(said.trim()))
        }
        _ => {
            let error = failed("pack the work", &output);
            let ours = Error::new(ErrorCode::RescueFailed, "not all work can be brought out").cause(error.message());
            Err(error.causes().iter().fold(ours, |ours, cause| ours.cause(cause.clone())))
        }
    }
}

/// What was found and is in nothing that was packed.
pub fn left_out<'a>(found: &'a [Unsaved], packed: &Packed) -> Vec<&'a Unsaved> {
    let Packed { items, copied } = packed;
    let has_files = items.iter().any(|item| item.kind == "files");
    let is_in = |path: &str, folder: &str| {
        path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let holds = |unsaved: &Unsaved| {
        let of_it = |item: &&RescuedItem| item.repository.as_deref() == Some(unsaved.path.as_str());
        match unsaved.kind.as_str() {
            "files" => has_files,
            // Packing fails at what it cannot read and at what it cannot see, so that this is in what it took.
            "unchecked" => true,
            _ if has_files && copied.iter().any(|folder| is_in(&unsaved.path, folder)) => true,
            // Commits and stashes are in bundles; what is changed may be too, when it was committed meanwhile.
            "commits" | "stashes" => items.iter().filter(of_it).any(|item| item.kind == "bundle"),
            _ => items.iter().any(|item| of_it(&item)),
        }
    };
    found.iter().filter(|unsaved| !holds(unsaved)).collect()
}

/// How to get everything back, for a person who finds the folder.
pub fn readme(workspace: &str, items: &[RescuedItem]) -> String {
    let mut text = format!(
        "Work from the workspace {workspace}, brought out before it was removed.\n\n\
         Each repository has the same number in all its files:\n\n\
         NNN-NAME.bundle          every commit, branch, tag and stash\n\
         NNN-NAME.changes.patch   the files as they were, against the last commit\n\
         NNN-NAME.staged.patch    what was staged, where that was something else\n\
         NNN-NAME.shallow         where a shallow history ends\n\
         files.tar                with their whole paths: files outside any repository, and repositories that git\n\
         \x20                        could not read\n\n\
         To restore one:\n\n\
         git clone NNN-NAME.bundle NAME && cd NAME\n\
         git fetch origin '+refs/*:refs/rescued/*'    # stashes are refs/rescued/stashes/0 and so on:\n\
         git stash apply refs/rescued/stashes/0       # for each that is wanted\n\
         git apply --binary ../NNN-NAME.changes.patch\n\
         git remote remove origin    # the bundle is no place to push to\n\n\
         With a .shallow file, instead of the clone:\n\n\
         git init NAME && cd NAME && cp ../NNN-NAME.shallow .git/shallow\n\
         git fetch ../NNN-NAME.bundle '+refs/*:refs/rescued/*' && git checkout refs/rescued/heads/BRANCH\n\n\
         Without a bundle there were no commits: git init NAME, and apply the patch.\n\n"
    );
    for item in items {
        let repository: String = item.repository.as_deref().unwrap_or("(no repository)").escape_debug().collect();
        text += &format!("{}  {}  {repository}\n", item.sha256, item.file);
    }
    text
}

/// The script's list, if it is whole and names nothing but plain files.
fn manifest(stdout: &str) -> Option<Packed> {
    let (lines, end) = stdout.trim_end_matches('\n').rsplit_once('\n').unwrap_or(("", stdout.trim_end_matches('\n')));
    let count: usize = end.strip_prefix("end\t")?.parse().ok()?;
    let mut packed = Packed { items: Vec::new(), copied: Vec::new() };
    for line in lines.split('\n').filter(|line| !line.is_empty()) {
        match line.strip_prefix("copied\t") {
            Some(repository) => packed.copied.push(repository.to_owned()),
            None => packed.items.push(item(line)?),
        }
    }
    (packed.items.len() + packed.copied.len() == count).then_some(packed)
}

fn item(line: &str) -> Option<RescuedItem> {
    let mut parts = line.splitn(5, '\t');
    let (kind, bytes, sha256) = (parts.next()?, parts.next()?, parts.next()?);
    let (file, repository) = (parts.next()?, parts.next()?);
    let is_kind = ["bundle", "changes", "staged", "shallow", "files"].contains(&kind);
    let is_sum =
        sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase());
    let is_name = file.len() <= 100
        && file.starts_with(|first: char| first.is_ascii_alphanumeric())
        && file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    (is_kind && is_sum && is_name).then_some(())?;
    Some(RescuedItem {
        kind: kind.to_owned(),
        repository: (!repository.is_empty()).then(|| repository.to_owned()),
        file: file.to_owned(),
        bytes: bytes.parse().ok()?,
        sha256: sha256.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: &str, file: &str, repository: &str) -> String {
        format!("{kind}\t3\t{}\t{file}\t{repository}\n", "a".repeat(64))
    }

    fn unsaved(kind: &str, path: &str) -> Unsaved {
        Unsaved { kind: kind.to_owned(), path: path.to_owned(), count: None }
    }

    #[test]
    fn a_list_is_read_whole_or_not_at_all() {
        let text = line("bundle", "001-a.bundle", "/work/a b\tc") + &line("files", "files.tar", "");
        let Packed { items, .. } = manifest(&format!("{text}end\t2\n")).unwrap();
        assert_eq!((items[0].repository.as_deref(), items[0].bytes), (Some("/work/a b\tc"), 3));
        assert_eq!(items[1].repository, None);
        assert_eq!(manifest(&text), None, "its end is missing");
        assert_eq!(manifest(&format!("{text}end\t3\n")), None, "a line is missing");
        let copied = manifest("copied\t/work/a b\tc\nend\t1\n").unwrap();
        assert_eq!((copied.items, copied.copied), (Vec::new(), vec!["/work/a b\tc".to_owned()]));
        assert_eq!(manifest("end\t0\n"), Some(Packed { items: Vec::new(), copied: Vec::new() }));
    }

    #[test]
    fn names_that_lead_anywhere_else_are_not_names() {
        for name in ["../x", "/x", "a/b", "", ".x", "a b", "x\u{e4}", "-x"] {
            assert_eq!(item(line("bundle", name, "/work/a").trim_end()), None, "{name:?}");
        }
        assert_eq!(item(line("link", "x", "/work/a").trim_end()), None);
    }

    #[test]
    fn what_is_in_nothing_that_was_packed_is_told() {
        let text = line("changes", "001-a.changes.patch", "/work/a") + "end\t1\n";
        let packed = manifest(&text).unwrap();
        let found = [unsaved("untracked", "/work/a"), unsaved("stashes", "/work/a"), unsaved("files", "/work/x")];
        assert_eq!(left_out(&found, &packed), [&found[1], &found[2]]);
        assert_eq!(left_out(&[unsaved("commits", "/work/a"), unsaved("changes", "/work/b")], &packed).len(), 2);
    }

    #[test]
    fn a_repository_among_the_files_is_packed_and_its_neighbour_is_not() {
        let text = line("files", "files.tar", "") + "copied\t/work/a\nend\t2\n";
        let packed = manifest(&text).unwrap();
        let found = [unsaved("commits", "/work/a"), unsaved("changes", "/work/a/b"), unsaved("commits", "/work/ab")];
        assert_eq!(left_out(&found, &packed), [&found[2]]);
        // Without the files it is only said to be there.
        let packed = manifest("copied\t/work/a\nend\t1\n").unwrap();
        assert_eq!(left_out(&found[..1], &packed), [&found[0]]);
    }
}
