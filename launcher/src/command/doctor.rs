//! `doctor`: looks at everything a workspace needs, and says of each thing how it is and how to mend it. It answers
//! also where nothing else does.

mod disk;
mod engine;
mod environment;
mod fix;
mod image;
mod leftovers;
mod machine;
mod vms;

use std::sync::Arc;

use agent_workspace_contract::{Check, CheckStatus, DoctorReport, SCHEMA_VERSION};

use crate::backend::examination::Examined;
use crate::backend::{self, Backend};
use crate::capabilities::VERSION;
use crate::command::create;
use crate::error::{Error, Result};
use crate::host::{self, Host};
use crate::workspace::{ImageRef, Prefix};

/// Flags of `doctor`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where workspaces live: docker, host or vm
    #[arg(long, value_name = "BACKEND")]
    backend: Option<String>,
}

/// What can be said without the backend, and what the backend is to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Where workspaces live.
    pub backend: &'static str,
    /// The same as it was typed, if it was.
    typed: Option<String>,
    /// What names begin with; the built-in prefix where what is set is none.
    pub prefix: Prefix,
    /// The image of new workspaces; the built-in one where what is set is none.
    image: ImageRef,
    /// Whether that is the built-in one.
    default_image: bool,
    /// Checks that come before those of the backend.
    before: Vec<Check>,
    /// Checks that come after them.
    after: Vec<Check>,
}

impl Args {
    /// Looks at the environment. What is wrong in it is a finding and no failure.
    ///
    /// # Errors
    /// `unsupported` for a backend that was typed.
    pub fn resolve(self, host: &Host) -> Result<Request> {
        let Self { backend } = self;
        // What is wrong in the environment is a finding, and does not keep the others from being made.
        let typed = backend.clone();
        let backend = match backend {
            Some(backend) => backend::choose(Some(&backend), host)?,
            None => backend::choose(None, host).unwrap_or(backend::DOCKER),
        };
        let (prefix, prefix_check) = environment::of_prefix(host)?;
        let image = create::resolve_image(None, host).ok().flatten();
        Ok(Request {
            backend,
            typed,
            prefix,
            default_image: image.is_none(),
            image: image.unwrap_or_else(ImageRef::default_agent_image),
            before: vec![
                check(
                    "launcher",
                    CheckStatus::Ok,
                    format!("agent-workspace {VERSION}, which writes documents of schema version {SCHEMA_VERSION}"),
                ),
                environment::of_variables(host),
                prefix_check,
            ],
            after: vec![environment::git(host, backend == backend::HOST)],
        })
    }
}

/// Makes every check. `opened` is the backend, or why there is none.
pub async fn run(opened: Result<Arc<dyn Backend>>, request: Request) -> DoctorReport {
    let Request { backend: _, typed, prefix: _, image, default_image, before, after } = request;
    let examined = match opened {
        Ok(backend) => Ok(backend.examine(&image).await),
        Err(error) => Err(error),
    };
    let mut checks = before;
    let now = host::now().as_second();
    checks.extend(match examined {
        Ok(Examined::Engine(examined)) => engine::of_backend(Ok(examined), &image, default_image, now),
        Ok(Examined::Machine(facts)) => machine::of_machine(facts, now),
        Ok(Examined::Vms(facts)) => vms::of_vms(facts, now),
        Err(error) => engine::of_backend(Err(error), &image, default_image, now),
    });
    checks.extend(after);
    for check in &mut checks {
        // What is to be pasted has to reach the same workspaces.
        check.fix = check.fix.take().map(|fix| backend::in_the_words_of(typed.as_deref(), &fix));
    }
    DoctorReport { healthy: checks.iter().all(|check| check.status != CheckStatus::Failed), checks }
}

fn check(name: &str, status: CheckStatus, message: String) -> Check {
    Check { check: name.to_owned(), status, message, fix: None }
}

fn with_fix(name: &str, status: CheckStatus, message: String, fix: &str) -> Check {
    Check { fix: Some(fix.to_owned()), ..check(name, status, message) }
}

fn skipped(name: &str) -> Check {
    check(name, CheckStatus::Skipped, "not looked at, as the engine could not be asked".to_owned())
}

/// A check that failed with an error of the launcher's.
fn wrong(name: &str, error: &Error) -> Check {
    // The innermost says most; those around it say that something was asked.
    let cause = error.causes().last().map(|cause| format!(": {cause}")).unwrap_or_default();
    let message = format!("{}{cause}", error.message());
    Check { fix: fix::of(error), ..check(name, CheckStatus::Failed, message) }
}
