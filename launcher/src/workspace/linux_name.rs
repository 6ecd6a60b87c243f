//! Names of users and groups on VMs. Linux takes 32 characters.

use sha2::{Digest, Sha256};

use super::Prefix;

/// As long as Linux lets a user's or group's name be.
pub const LONGEST: usize = 32;
/// What users and groups of workspaces begin with.
const WORKSPACE: &str = "ws--";
/// What users of agents begin with.
const AGENT: &str = "agt--";
/// Hexadecimal digits of a name that is cut.
const MARK: usize = 8;

/// The user of a workspace, and the group of everybody who is admitted to it, by its full name. One that is too long, has
/// other characters than Linux takes or another prefix than the built-in one is cut, and ends in a sum of the whole.
#[must_use]
pub fn of_workspace(full: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let short =
        full.strip_prefix(Prefix::DEFAULT).and_then(|rest| rest.strip_prefix('-')).filter(|rest| !rest.is_empty());
    if let Some(short) = short.filter(|short| short.len() <= LONGEST - WORKSPACE.len() && short.chars().all(fits)) {
        return format!("{WORKSPACE}{short}");
    }
    let readable = short.unwrap_or(full).to_ascii_lowercase();
    let readable: String = readable.chars().filter(|c| fits(*c)).take(LONGEST - WORKSPACE.len() - MARK - 1).collect();
    let sum = Sha256::digest(full.as_bytes());
    let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{WORKSPACE}{readable}-{}", &sum[..MARK])
}

/// The user of an agent, by its name, which is short enough.
#[must_use]
pub fn of_agent(name: &str) -> String {
    format!("{AGENT}{name}")
}

/// The longest name of an agent whose user Linux takes.
pub const LONGEST_AGENT: usize = LONGEST - AGENT.len();

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_name_is_seen_in_its_user() {
        assert_eq!(of_workspace("agent-ws-web"), "ws--web");
        assert_eq!(of_workspace(&format!("agent-ws-{}", "a".repeat(28))), format!("ws--{}", "a".repeat(28)));
        assert_eq!(of_agent("claude"), "agt--claude");
    }

    proptest! {
        #[test]
        fn every_name_has_a_user_that_linux_takes(full in "[a-zA-Z0-9_.-]{1,200}") {
            let user = of_workspace(&full);
            prop_assert!(user.len() <= LONGEST, "{user}");
            prop_assert!(user.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_')));
        }

        #[test]
        fn names_that_differ_have_users_that_differ(a in "agent-ws-[a-zA-Z0-9_.-]{1,60}", b in "[a-z]{1,9}-[a-zA-Z0-9_.-]{1,60}") {
            prop_assume!(a != b);
            prop_assert_ne!(of_workspace(&a), of_workspace(&b));
        }
    }
}
