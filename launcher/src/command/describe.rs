//! `describe`: one workspace and how to enter it.

use agent_workspace_contract::{DescribeReport, ErrorCode};

use crate::backend::{self, WORK};
use crate::command::{App, Target, create};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::workspace::{WorkspaceName, resources};

/// Flags of `describe`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The workspace
    #[command(flatten)]
    pub target: Target,
    /// User that the transport enters as, a name or UID[:GID]; by default the workspace's own
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Folder inside where the transport starts; by default the clone's
    #[arg(long, value_name = "DIR")]
    workdir: Option<String>,
}

/// What is described, and how it is to be entered.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The workspace.
    pub name: WorkspaceName,
    /// Who enters, when it is not its own user.
    pub user: Option<String>,
    /// Where commands start, when it is not the clone.
    pub workdir: Option<String>,
}

impl Args {
    /// Checks everything before any call.
    ///
    /// # Errors
    /// `usage`, `invalid_name`, `invalid_environment`, `unsupported`.
    pub fn resolve(self, host: &Host) -> Result<Request> {
        let Self { target, user, workdir } = self;
        if user.is_some() && backend::choose(target.backend.as_deref(), host)? != backend::DOCKER {
            return Err(Error::new(ErrorCode::Unsupported, "a workspace that is no container has one user")
                .detail("flag", "--user")
                .hint("leave --user out"));
        }
        Ok(Request {
            name: target.resolve(host)?,
            user: user.map(|user| resources::user(&user)).transpose()?,
            workdir: workdir.map(|workdir| resources::workdir(&workdir, WORK)).transpose()?,
        })
    }
}

/// Describes it.
///
/// # Errors
/// `workspace_not_found`, or the backend's own.
pub async fn run(app: &App, request: Request) -> Result<DescribeReport> {
    let Request { name, user, workdir } = request;
    let workspace = app.find(&name).await?;
    let secrets = create::secrets::report(workspace.secrets.as_ref(), None);
    Ok(DescribeReport {
        workspace: app.row(&workspace),
        isolation: workspace.isolation,
        secrets,
        transport: app.transport_of(&workspace, user.as_deref(), workdir.as_deref()),
    })
}
