//! The door through which fuzzing hands this room the words of an engine, without an engine.

use hyper::StatusCode;

use super::container::{Inspected, Listed};
use super::{Docker, endpoint};
use crate::backend::Workspace;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::workspace::Prefix;

const DOING: &str = "hear what is said";

/// A client that reads answers nobody has sent.
pub(crate) struct Answers(pub(crate) Docker);

impl Answers {
    /// A client of an engine that is never called.
    ///
    /// # Errors
    /// Those of opening a client.
    pub(crate) fn new(prefix: Prefix) -> Result<Self> {
        Docker::open(&Host::fixed(&[], [("DOCKER_HOST", "unix:///nowhere")]), prefix).map(Self)
    }

    /// The answer to "what is this container": a workspace, nothing, or somebody's own.
    ///
    /// # Errors
    /// What the answer means, when it is not a workspace.
    pub(crate) fn inspected(&self, status: StatusCode, body: &[u8]) -> Result<Option<Workspace>> {
        let found: Option<Inspected> = self.0.engine.answered(status, body, DOING)?;
        found
            .map(|container| {
                // What others ask of it on the way.
                let _ = (container.created(), container.exit_code());
                self.0.recognise(container)
            })
            .transpose()
    }

    /// The answer to "which containers are there".
    ///
    /// # Errors
    /// What the answer means, when it is no list.
    pub(crate) fn listed(&self, status: StatusCode, body: &[u8]) -> Result<Vec<Workspace>> {
        let found: Option<Vec<Listed>> = self.0.engine.answered(status, body, DOING)?;
        let found = found.unwrap_or_default().into_iter().map(Listed::into_workspace);
        Ok(found.filter(|workspace| self.0.is_workspace(workspace)).collect())
    }

    /// The answer to an order. Returns whether it changed anything.
    ///
    /// # Errors
    /// What a refusal means.
    pub(crate) fn obeyed(&self, status: StatusCode, body: &[u8]) -> Result<bool> {
        let answer = self.0.engine.obeyed(status, body, DOING)?;
        answer.map_err(|refused| self.0.engine.explain_refusal(&refused, DOING))
    }

    /// A refusal, and a stream that breaks, as the library for engines reports them.
    pub(crate) fn explained(&self, status: StatusCode, message: &str) -> [Error; 2] {
        use bollard::errors::Error as Bollard;
        let refusal = Bollard::DockerResponseServerError { status_code: status.as_u16(), message: message.to_owned() };
        let stream = Bollard::DockerStreamError { error: message.to_owned() };
        [refusal, stream].map(|error| self.0.engine.explain(error, DOING))
    }
}

/// The address of an engine as typed, and as it is shown.
///
/// # Errors
/// `invalid_environment`.
pub(crate) fn address(text: &str) -> Result<String> {
    endpoint::find(&Host::fixed(&[], [("DOCKER_HOST", text)])).map(|endpoint| endpoint.address.to_string())
}
