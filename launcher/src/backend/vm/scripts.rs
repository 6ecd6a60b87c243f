//! What is run on a VM as root, and what it says.

use agent_workspace_contract::VmStep;

/// Makes a workspace.
pub(super) const MAKE: &str = concat!(
    include_str!("scripts/processes.sh"),
    include_str!("../../guest/scripts/numbers.sh"),
    include_str!("scripts/furnish.sh"),
    include_str!("scripts/make.sh")
);
/// Proves and restores what belongs to one.
pub(super) const REPAIR: &str = concat!(
    include_str!("scripts/processes.sh"),
    include_str!("../../guest/scripts/numbers.sh"),
    include_str!("scripts/furnish.sh"),
    include_str!("scripts/repair.sh")
);
/// Moves one.
pub(super) const REHOME: &str = concat!(include_str!("scripts/processes.sh"), include_str!("scripts/rehome.sh"));
/// Removes one.
pub(super) const REMOVE: &str = concat!(
    include_str!("scripts/processes.sh"),
    include_str!("../../guest/scripts/numbers.sh"),
    include_str!("scripts/remove.sh")
);
/// Ends, freezes and thaws what runs in one.
pub(super) const RUN: &str = concat!(include_str!("scripts/processes.sh"), include_str!("scripts/run.sh"));
/// Says how several are.
pub(super) const LOOK: &str = concat!(include_str!("scripts/processes.sh"), include_str!("scripts/look.sh"));
/// Makes room for a look into one.
pub(super) const VIEW: &str = concat!(include_str!("scripts/processes.sh"), include_str!("scripts/view.sh"));
/// Says what folders take.
pub(super) const SIZE: &str = include_str!("scripts/size.sh");

/// What `make.sh` ends with when something else is where the workspace would be.
pub(super) const FOLDER_TAKEN: i64 = 81;
/// The same of its user.
pub(super) const USER_TAKEN: i64 = 82;
/// What the others end with when there is no such workspace.
pub(super) const NOT_THERE: i64 = 83;
/// What `rehome.sh` ends with when something runs in the workspace, something is where it is to be, or nothing can be.
pub(super) const AT_WORK: i64 = 84;
pub(super) const OCCUPIED: i64 = 85;
pub(super) const NO_PLACE: i64 = 86;

/// How a workspace's folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folder {
    /// As it was made.
    There,
    /// Gone.
    Missing,
    /// Without a record or a user.
    Broken,
    /// Another workspace's.
    Other,
}

/// How a workspace is on its VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) name: String,
    pub(super) folder: Folder,
    /// Whether something runs in it, and all of that is frozen.
    pub(super) frozen: bool,
}

/// Something in the folder of workspaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) create_id: String,
    pub(super) owner: String,
    pub(super) user: String,
    pub(super) changed_at: Option<i64>,
}

/// What a look at a VM has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) seen: Vec<Seen>,
    pub(super) entries: Vec<Entry>,
}

/// Reads what `look.sh` says.
pub(super) fn looked(said: &str) -> Looked {
    let mut looked = Looked::default();
    for line in said.lines() {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["workspace", name, state, processes] => {
                let folder = match state {
                    "there" => Folder::There,
                    "missing" => Folder::Missing,
                    "other" => Folder::Other,
                    _ => Folder::Broken,
                };
                let frozen = !processes.is_empty() && processes.chars().all(|state| state == 'T');
                looked.seen.push(Seen { name: name.to_owned(), folder, frozen });
            }
            ["entry", name, create_id, owner, user, changed_at] => looked.entries.push(Entry {
                name: name.to_owned(),
                create_id: create_id.to_owned(),
                owner: owner.to_owned(),
                user: user.to_owned(),
                changed_at: changed_at.parse().ok(),
            }),
            _ => {}
        }
    }
    looked
}

/// Reads what `repair.sh` says: each step, and whether it had to change anything.
pub(super) fn steps(said: &str) -> Vec<VmStep> {
    let step = |line: &str| {
        let (step, changed) = line.strip_prefix("step\t")?.split_once('\t')?;
        Some(VmStep { step: step.to_owned(), changed: changed == "yes" })
    };
    said.lines().filter_map(step).collect()
}

/// Reads what `size.sh` says: bytes by folder.
pub(super) fn sizes(said: &str) -> Vec<(String, u64)> {
    let sized = |line: &str| {
        let mut parts = line.strip_prefix("size\t")?.rsplitn(2, '\t');
        let kibibytes: u64 = parts.next()?.parse().ok()?;
        Some((parts.next()?.to_owned(), kibibytes.saturating_mul(1024)))
    };
    said.lines().filter_map(sized).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_vm_says_of_its_workspaces_is_read_line_by_line() {
        let said = "workspace\tagent-ws-a\tthere\t\nworkspace\tagent-ws-b\tthere\tTT\nworkspace\tagent-ws-c\tthere\tTR\n\
                    workspace\tagent-ws-d\tmissing\t\nworkspace\tagent-ws-e\tnew\t\nentry\tagent-ws-a\t1f\t0a\tws--a\t12\nend\n";
        let looked = looked(said);
        let seen: Vec<_> = looked.seen.iter().map(|seen| (seen.folder, seen.frozen)).collect();
        let there = Folder::There;
        assert_eq!(
            seen,
            [(there, false), (there, true), (there, false), (Folder::Missing, false), (Folder::Broken, false)]
        );
        assert_eq!((looked.entries[0].create_id.as_str(), looked.entries[0].changed_at), ("1f", Some(12)));
    }

    #[test]
    fn a_size_is_of_the_whole_path_before_it() {
        assert_eq!(sizes("size\t/a b\t2\nsize\t/c\tx\nend\n"), [("/a b".to_owned(), 2048)]);
    }
}
