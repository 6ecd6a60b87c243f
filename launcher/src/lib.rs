//! `agent-workspace`: makes isolated, persistent workspaces for coding agents and tells programs about them in JSON.
//!
//! This file is the program's table of contents: parse, open, dispatch, finish. `docs/architecture.md` shows the rooms.

pub mod backend;
pub mod capabilities;
pub mod cli;
pub mod command;
pub mod completion;
mod conduct;
pub mod config;
mod dispatch;
pub mod ending;
pub mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod guest;
pub mod host;
pub mod machine;
pub mod output;
pub mod phase;
pub mod platform;
mod signals;
pub mod ssh;
pub mod store;
pub mod undo;
pub mod workspace;

use agent_workspace_contract::{Exit, HelpReport, VersionReport};
use clap::error::ErrorKind;

use crate::error::usage;
pub use crate::host::Host;
use crate::output::{Early, Output};

/// Runs one invocation from argv to exit code.
pub fn run(host: &Host) -> Exit {
    let early = Early::scan(host, &cli::COMMANDS);
    output::answer_panics(&early);
    let mut output = Output::new(&early, host);
    // Building the tree is most of what a short command costs.
    let parsed = cli::at_once(host.args()).map_or_else(|| cli::parse(host.args()), Ok);
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return answer_parse_error(&mut output, &error),
    };
    if cli.version {
        output.set_command("version");
        return output.finish(Ok(VersionReport {}));
    }
    if let Some(name) = cli.supports {
        output.set_command("supports");
        return output.finish(command::capabilities::supports(&name));
    }
    if let Some(requirement) = cli.requires {
        output.set_command("requires");
        return output.finish(command::capabilities::requires(&requirement));
    }
    let timeout = match cli.global.timeout.as_deref().map(workspace::resources::timeout).transpose() {
        Ok(timeout) => timeout,
        Err(error) => return output.finish::<VersionReport>(Err(error)),
    };
    let passphrase = match cli.global.passphrase_fd.map(host::descriptor::passphrase).transpose() {
        Ok(passphrase) => passphrase,
        Err(error) => return output.finish::<VersionReport>(Err(error)),
    };
    let with_passphrase = passphrase.map(|passphrase| host.with_passphrase(passphrase));
    let host = with_passphrase.as_ref().unwrap_or(host);
    let Some(verb) = cli.command else { return help(&mut output, cli::help(&[]).unwrap_or_default()) };
    dispatch::run(host, &mut output, verb, timeout)
}

/// Help is an answer; every other parse error is a usage error in the words of the parser.
fn answer_parse_error(output: &mut Output, error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp => help(output, error.to_string()),
        // The text of this one is the whole help of a command that has commands of its own.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            let text = error.to_string();
            let usage_line = text.lines().find_map(|line| line.trim_start().strip_prefix("Usage: agent-workspace "));
            let group = usage_line.and_then(|line| line.split_whitespace().next()).unwrap_or("it");
            output.finish::<VersionReport>(Err(
                usage(format!("{group} needs a command")).hint(format!("see: agent-workspace {group} --help"))
            ))
        }
        _ => {
            let text = error.to_string();
            let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let message = lines.next().unwrap_or("the command line is wrong").trim_start_matches("error: ").to_owned();
            let rest: Vec<&str> = lines.filter(|line| !line.starts_with("For more information")).collect();
            let tip = rest
                .iter()
                .find_map(|line| line.strip_prefix("tip: "))
                // What would be passed as a value that way is an argument of its own.
                .filter(|tip| !tip.starts_with("to pass"));
            let missing: Vec<&str> = rest.iter().copied().take_while(|line| line.starts_with(['<', '-'])).collect();
            let command = output.command().map(|command| format!("{command} ")).unwrap_or_default();
            let hint = tip.map_or_else(|| format!("see: agent-workspace {command}--help"), str::to_owned);
            let message = if missing.is_empty() { message } else { format!("{message} {}", missing.join(" ")) };
            output.finish::<VersionReport>(Err(usage(message).hint(hint)))
        }
    }
}

fn help(output: &mut Output, help: String) -> Exit {
    output.set_command("help");
    output.finish(Ok(HelpReport { help }))
}
