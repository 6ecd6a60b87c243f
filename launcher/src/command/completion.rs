//! `completion`: what a shell runs to complete command lines.

use agent_workspace_contract::CompletionReport;

use crate::completion::Shell;

/// Flags of `completion`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

/// The adapter of the shell.
pub fn run(args: &Args) -> CompletionReport {
    let Args { shell } = args;
    CompletionReport { shell: shell.as_str().to_owned(), script: shell.adapter().to_owned() }
}
