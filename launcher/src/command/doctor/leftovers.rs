//! The check of what nothing uses.

use agent_workspace_contract::{Check, CheckStatus};

use super::{check, with_fix};
use crate::backend::survey::{self, Kind, Reason, Survey};

/// Counts what is old enough to go.
pub(super) fn leftovers(survey: &Survey, now: i64) -> Check {
    let due = survey.leavings.iter().filter(|leaving| survey::is_due(leaving.made_at, now, survey::DEFAULT_AGE));
    let mut counts = [0_usize; 6];
    for leaving in due {
        counts[match (leaving.kind, leaving.reason) {
            (Kind::Volume, _) if leaving.create_id.is_some() => 0,
            (Kind::Volume, _) => 1,
            (Kind::Container, Reason::Viewer) => 2,
            (Kind::Container, _) => 3,
            (Kind::Folder, Reason::Unused) => 4,
            (Kind::Folder, _) => 5,
        }] += 1;
    }
    let words = [
        ("volume without a container", "volumes without a container"),
        (
            "volume without a container that only its name says is ours",
            "volumes without a container that only their names say are ours",
        ),
        ("container that looked into a workspace", "containers that looked into workspaces"),
        ("container that was never started", "containers that were never started"),
        ("folder of a workspace that was removed", "folders of workspaces that were removed"),
        ("folder that a cut-off command has left", "folders that cut-off commands have left"),
    ];
    let said = |(count, (one, many)): (usize, (&str, &str))| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{count} {many}")),
    };
    let found: Vec<_> = counts.into_iter().zip(words).filter_map(said).collect();
    if found.is_empty() {
        return check("leftovers", CheckStatus::Ok, "nothing is left over".to_owned());
    }
    with_fix("leftovers", CheckStatus::Warning, found.join(", "), "agent-workspace prune --dry-run")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::survey::Leaving;

    #[test]
    fn what_is_left_over_is_counted_once_it_is_old_enough() {
        let leaving = |kind, reason, made_at, create_id: Option<&str>| Leaving {
            kind,
            id: "1".to_owned(),
            name: "n".to_owned(),
            workspace: "agent-ws-a".to_owned(),
            made_at: Some(made_at),
            create_id: create_id.map(str::to_owned),
            reason,
        };
        let leavings = vec![
            leaving(Kind::Container, Reason::NeverStarted, 0, Some("0a")),
            leaving(Kind::Container, Reason::NeverStarted, 7199, Some("0a")),
            leaving(Kind::Volume, Reason::Unused, 0, Some("0a")),
            leaving(Kind::Volume, Reason::Unused, 0, Some("0a")),
            leaving(Kind::Volume, Reason::Unused, 0, None),
        ];
        let survey = Survey { leavings, ..Survey::default() };
        let found = leftovers(&survey, 7200);
        assert_eq!(found.status, CheckStatus::Warning);
        assert_eq!(
            found.message,
            "2 volumes without a container, 1 volume without a container that only its name says is ours, \
             1 container that was never started"
        );
    }
}
