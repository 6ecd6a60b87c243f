//! Applies a profile of the secrets inside a machine.

use agent_workspace_contract::ErrorCode;

use crate::error::{Error, Result};
use crate::guest::{failed, last_lines, reported};
use crate::machine::{Command, Machine, Output};
use crate::workspace::Profile;

const SCRIPT: &str = include_str!("scripts/codex_profile.sh");
const MISSING: i64 = 80;
const FAILED: i64 = 81;

/// Applies a profile with what the workspace has for that: `codex-use`, a program or a function of its zsh.
///
/// # Errors
/// `image_unusable` when it has nothing, `profile_failed` with the end of what it said, or the machine's own.
pub async fn apply(machine: &dyn Machine, profile: &Profile) -> Result<()> {
    let output = machine.run(Command::script(SCRIPT, &[profile.as_str()]), &mut |_| {}).await?;
    if output.status == 0 { Ok(()) } else { Err(explain(profile, &output)) }
}

fn explain(profile: &Profile, output: &Output) -> Error {
    let name = profile.as_str();
    match output.status {
        MISSING => Error::new(
            ErrorCode::ImageUnusable,
            "the workspace has no codex-use, neither a program nor a function of zsh, which a profile needs",
        )
        .hint("use an image with it, or leave --codex-profile out"),
        FAILED => {
            let status = reported(&output.stdout, "status").and_then(|status| status.parse::<i64>().ok());
            let words = last_lines(&output.stderr, 5);
            let error = Error::new(ErrorCode::ProfileFailed, format!("codex-use could not apply the profile {name}"))
                .detail("status", status)
                .hint("see that the secrets hold a profile of this name");
            if words.is_empty() { error.cause("it said nothing") } else { error.cause(words) }
        }
        _ => failed(&format!("apply the profile {name}"), output),
    }
    .detail("profile", name)
}
