//! `parse-repo`: a repository as `create` reads it, for programs that need its parts before there is a workspace.

use agent_workspace_contract::ParseRepoReport;

use crate::command::create;
use crate::error::Result;
use crate::host::Host;
use crate::workspace::RepoSpec;

/// Flags of `parse-repo`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Repository: OWNER/REPO, https://HOST/OWNER/REPO or git@HOST:OWNER/REPO
    #[arg(value_name = "REPO")]
    repo: String,
    /// Git host of OWNER/REPO; by default GITHUB_HOST or github.com
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
}

impl Args {
    /// Reads it by the rules of `create`.
    ///
    /// # Errors
    /// `invalid_repo`, `invalid_environment`, and `usage` for a host that is none or contradicts the repository's.
    pub fn resolve(self, host: &Host) -> Result<RepoSpec> {
        let Self { repo, host: git_host } = self;
        let flag = git_host.as_deref();
        create::read_repo(&repo, flag, &create::default_host(flag, host)?)
    }
}

/// Its parts.
pub fn run(repo: &RepoSpec) -> ParseRepoReport {
    ParseRepoReport { repo: repo.slug(), host: repo.host().to_owned(), url: repo.url(), path: create::clone_path(repo) }
}
