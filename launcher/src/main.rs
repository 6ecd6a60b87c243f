//! argv and process state in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(agent_workspace::run(&agent_workspace::Host::os()).code())
}
