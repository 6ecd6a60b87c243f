//! The check of the room that is left where workspaces are.

use agent_workspace_contract::{Check, CheckStatus};

use super::{check, with_fix};
use crate::backend::examination::DiskFacts;
use crate::workspace::resources::bytes_in_words;

/// Less is too little for an image and a clone.
const LITTLE_SPACE: u64 = 5 << 30;
/// Less is too little for anything.
const NO_SPACE: u64 = 500 << 20;

/// Says what is free and what workspaces take.
pub(super) fn disk(facts: &DiskFacts) -> Check {
    let DiskFacts { folder, free, volumes } = facts;
    let volumes = match volumes {
        Some(bytes) => format!("the volumes of workspaces take {}", bytes_in_words(*bytes)),
        None => "what the volumes of workspaces take is not known".to_owned(),
    };
    let Some(free) = *free else {
        let message = format!("{volumes}; how much is free is not known, as the disk is not on this machine");
        return check("disk", CheckStatus::Ok, message);
    };
    let message = format!("{} are free in {folder}; {volumes}", bytes_in_words(free));
    match free {
        free if free < NO_SPACE => with_fix("disk", CheckStatus::Failed, message, "docker system df"),
        free if free < LITTLE_SPACE => with_fix("disk", CheckStatus::Warning, message, "docker system df"),
        _ => check("disk", CheckStatus::Ok, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_that_runs_out_is_said_before_it_has() {
        let with = |free| disk(&DiskFacts { folder: "/d".to_owned(), free, volumes: None }).status;
        assert_eq!(
            [None, Some(u64::MAX), Some(4 << 30), Some(1 << 20)].map(with),
            [CheckStatus::Ok, CheckStatus::Ok, CheckStatus::Warning, CheckStatus::Failed]
        );
    }
}
