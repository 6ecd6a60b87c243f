//! `vm logs`: what the steps of making a VM said.

use agent_workspace_contract::{VmLog, VmLogsReport};

use super::{Target, not_found};
use crate::error::Result;
use crate::store::Store;
use crate::workspace::MachineName;

/// Flags of `vm logs`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The VM
    #[command(flatten)]
    target: Target,
    /// Show every run that is kept, not only the newest
    #[arg(long)]
    all: bool,
    /// Show the last N lines alone
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    lines: Option<u32>,
}

/// What is to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The VM.
    pub name: MachineName,
    /// Whether older runs are shown too.
    pub all: bool,
    /// How many lines at most, the last ones.
    pub lines: Option<u32>,
}

impl Args {
    /// Checks the name.
    ///
    /// # Errors
    /// `invalid_name`.
    pub fn resolve(self) -> Result<Request> {
        let Self { target, all, lines } = self;
        Ok(Request { name: target.resolve()?, all, lines })
    }
}

/// Shows it. Nothing is written, and nobody is asked.
///
/// # Errors
/// `vm_not_found`, or the store's own.
pub fn run(store: &Store, request: Request) -> Result<VmLogsReport> {
    let Request { name, all, lines } = request;
    let Some(records) = store.read()? else { return Err(not_found(&name)) };
    let vm = records.vm(name.as_str())?.ok_or_else(|| not_found(&name))?.name;
    let logs = records.logs(&vm, all)?;
    let logs = match lines {
        Some(lines) => last(logs, lines as usize),
        None => logs,
    };
    Ok(VmLogsReport { vm, logs })
}

/// The last lines, and the steps that they are of.
fn last(logs: Vec<VmLog>, lines: usize) -> Vec<VmLog> {
    let mut left = lines;
    let mut kept = Vec::new();
    for log in logs.into_iter().rev() {
        if left == 0 {
            break;
        }
        let said: Vec<&str> = log.text.lines().collect();
        let from = said.len().saturating_sub(left);
        left -= said.len() - from;
        let text = said[from..].iter().map(|line| format!("{line}\n")).collect();
        kept.push(VmLog { text, ..log });
    }
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_come_with_their_steps() {
        let log = |step: &str, text: &str| VmLog {
            at: String::new(),
            part: String::new(),
            step: step.to_owned(),
            text: text.to_owned(),
        };
        let logs = vec![log("a", "1\n2\n"), log("b", ""), log("c", "3\n4")];
        let shown = |lines| {
            let logs = last(logs.clone(), lines).into_iter();
            logs.map(|log| format!("{}:{}", log.step, log.text.replace('\n', ","))).collect::<Vec<_>>()
        };
        assert_eq!(shown(1), ["c:4,"]);
        assert_eq!(shown(3), ["a:2,", "b:", "c:3,4,"]);
        assert_eq!(shown(9), ["a:1,2,", "b:", "c:3,4,"]);
    }
}
