//! `image build`: makes the agent image from the embedded Dockerfile.

use std::collections::BTreeMap;
use std::time::Instant;

use agent_workspace_contract::ImageBuildReport;

use crate::backend::{self, DEFAULT_BASE};
use crate::command::App;
use crate::error::Result;
use crate::host::Host;
use crate::workspace::ImageRef;

/// Flags of `image build`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Image to build on; by default debian:bookworm-slim
    #[arg(long, value_name = "IMAGE")]
    base: Option<String>,
    /// Tag of the image; by default the one that create uses
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Where workspaces live: docker
    #[arg(long, value_name = "BACKEND")]
    pub backend: Option<String>,
}

/// What is built from what.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What the image is built on.
    pub base: ImageRef,
    /// What it is called.
    pub tag: ImageRef,
}

impl Args {
    /// Checks both references.
    ///
    /// # Errors
    /// `invalid_image`, `unsupported`.
    pub fn resolve(self, host: &Host) -> Result<Request> {
        let Self { base, tag, backend } = self;
        backend::choose(backend.as_deref(), host)?;
        let parse = |text: &str, example: &str| ImageRef::parse(text).map_err(|error| error.hint(example));
        let tag = tag.map(|tag| parse(&tag, "for example: --tag agent-workspace:mine")).transpose()?;
        Ok(Request {
            base: parse(base.as_deref().unwrap_or(DEFAULT_BASE), "for example: --base debian:bookworm-slim")?,
            tag: tag.unwrap_or_else(ImageRef::default_agent_image),
        })
    }
}

/// Builds it.
///
/// # Errors
/// `image_build_failed`, `disk_full`, or the backend's own.
pub async fn run(app: &App, request: Request) -> Result<ImageBuildReport> {
    let since = Instant::now();
    let id = app.backend.build_image(&request.tag, &request.base, &app.progress).await?;
    let spent = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(ImageBuildReport {
        image: request.tag.as_str().to_owned(),
        id,
        base: request.base.as_str().to_owned(),
        timings_ms: BTreeMap::from([("build".to_owned(), spent)]),
    })
}
