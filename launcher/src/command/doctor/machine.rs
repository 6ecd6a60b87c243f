//! The checks of this machine, where workspaces are folders of it: the same names as those of an engine, so that a reader
//! finds each where it is used to.

use agent_workspace_contract::{Check, CheckStatus};

use super::leftovers::leftovers;
use super::{check, with_fix, wrong};
use crate::backend::examination::MachineFacts;
use crate::workspace::resources::bytes_in_words;

/// Less than this is soon gone.
const LITTLE: u64 = 1 << 30;

/// The checks, from what the backend says.
pub(super) fn of_machine(facts: MachineFacts, now: i64) -> Vec<Check> {
    let MachineFacts { place, unusable, walls, free, survey } = facts;
    let address = match unusable {
        Some(error) => wrong("address", &error),
        None => check("address", CheckStatus::Ok, format!("workspaces are folders in {place}")),
    };
    let engine = match walls {
        Ok(walls) => check("engine", CheckStatus::Ok, format!("no engine is needed; {walls} walls workspaces off")),
        // They can be made all the same, and say so.
        Err(error) => Check { status: CheckStatus::Warning, ..wrong("engine", &error) },
    };
    let needless = |name: &str| check(name, CheckStatus::Skipped, "there is none without an engine".to_owned());
    vec![
        address,
        engine,
        needless("api_version"),
        needless("image"),
        disk(&place, free),
        match survey {
            Ok(survey) => leftovers(&survey, now),
            Err(error) => wrong("leftovers", &error),
        },
    ]
}

fn disk(place: &str, free: Option<u64>) -> Check {
    let Some(free) = free else {
        return check("disk", CheckStatus::Skipped, format!("what is free in {place} is not known"));
    };
    let message = format!("{} are free in {place}", bytes_in_words(free));
    if free < LITTLE {
        return with_fix("disk", CheckStatus::Warning, message, "agent-workspace prune --dry-run");
    }
    check("disk", CheckStatus::Ok, message)
}

#[cfg(test)]
mod tests {
    use agent_workspace_contract::ErrorCode;

    use super::*;
    use crate::backend::survey::Survey;
    use crate::error::Error;

    #[test]
    fn a_machine_without_walls_is_a_warning_with_the_way_to_them_and_one_without_a_folder_a_failure() {
        let facts = |unusable, walls| MachineFacts {
            place: "/s".to_owned(),
            unusable,
            walls,
            free: Some(2 << 30),
            survey: Ok(Survey::default()),
        };
        let statuses = |checks: &[Check]| checks.iter().map(|check| check.status.as_str()).collect::<Vec<_>>();
        let fine = of_machine(facts(None, Ok("bubblewrap 0.8.0".to_owned())), 0);
        assert_eq!(statuses(&fine), ["ok", "ok", "skipped", "skipped", "ok", "ok"]);
        let missing = Error::new(ErrorCode::Unsupported, "no bubblewrap").hint("sudo apt-get install bubblewrap");
        let without = of_machine(facts(None, Err(missing.clone())), 0);
        assert_eq!(without[1].status, CheckStatus::Warning);
        assert_eq!(without[1].fix.as_deref(), Some("sudo apt-get install bubblewrap"));
        assert_eq!(of_machine(facts(Some(missing.clone()), Err(missing)), 0)[0].status, CheckStatus::Failed);
    }
}
