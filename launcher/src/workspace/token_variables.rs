//! Which variables hold tokens.

use agent_workspace_contract::EnvVar;

/// What the names of variables with tokens of git credentials begin with.
pub const PREFIX: &str = "GIT_CREDENTIALS_";

/// Whether a variable of this name holds a token.
pub fn is_token(name: &str) -> bool {
    name == EnvVar::GhToken.name() || name == EnvVar::GithubToken.name() || name.starts_with(PREFIX)
}

/// The variable with the token of a git credential of this name.
pub fn variable(credential: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    PREFIX.chars().chain(credential.chars().map(letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_of_a_name_is_one_that_shells_can_set() {
        for (name, expected) in [
            ("github", "GIT_CREDENTIALS_GITHUB"),
            ("my-org", "GIT_CREDENTIALS_MY_ORG"),
            ("a.b_2", "GIT_CREDENTIALS_A_B_2"),
        ] {
            assert_eq!(variable(name), expected);
            assert!(is_token(expected));
        }
        assert!(is_token("GH_TOKEN") && is_token("GITHUB_TOKEN"));
        assert!(!is_token("GIT_CREDENTIALS") && !is_token("GITHUB_HOST") && !is_token("gh_token"));
    }
}
