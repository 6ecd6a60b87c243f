//! Images: pulled with progress, or built from the embedded Dockerfile through the engine.

use std::collections::HashMap;

use agent_workspace_contract::ErrorCode;
use bollard::body_full;
use bollard::models::BuildInfo;
use bollard::query_parameters::{BuildImageOptionsBuilder, CreateImageOptionsBuilder};
use bytes::Bytes;
use futures_util::StreamExt;

use super::engine::Engine;
use crate::error::{Error, Result, disk_full, is_disk_full};
use crate::output::Progress;
use crate::workspace::ImageRef;

/// The agent image. Works with the classic builder, which every engine has.
const DOCKERFILE: &str = include_str!("../../../image/Dockerfile");

/// Pulls an image.
///
/// # Errors
/// `image_not_found`, `registry_auth_failed`, `disk_full`, or the engine's own.
pub(super) async fn pull(engine: &Engine, image: &ImageRef, progress: &Progress) -> Result<()> {
    let doing = format!("pull image {}", image.as_str());
    if image.is_id() {
        return Err(not_found(image, "an image id is known to this engine alone"));
    }
    progress.step("pull_started", &format!("pulling image {}", image.as_str()));
    let (name, tag) = image.name_and_tag();
    let options = CreateImageOptionsBuilder::new().from_image(name).tag(tag).build();
    let mut stream = engine.docker.create_image(Some(options), None, None);
    while let Some(item) = stream.next().await {
        match item {
            Ok(info) => {
                if let Some(message) = info.error_detail.and_then(|detail| detail.message) {
                    return Err(pull_failed(image, &message, &doing));
                }
                // Layers report their every megabyte; people want the milestones.
                if let Some(status) =
                    info.status.filter(|_| info.progress_detail.is_none_or(|detail| detail.total.is_none()))
                {
                    let layer = info.id.map(|id| format!("{id}: ")).unwrap_or_default();
                    progress.detail("pull_progress", &format!("{layer}{status}"));
                }
            }
            Err(bollard::errors::Error::DockerResponseServerError { message, .. }) => {
                return Err(pull_failed(image, &message, &doing));
            }
            Err(bollard::errors::Error::DockerStreamError { error }) => return Err(pull_failed(image, &error, &doing)),
            Err(error) => return Err(engine.explain(error, &doing)),
        }
    }
    Ok(())
}

fn not_found(image: &ImageRef, cause: &str) -> Error {
    Error::new(ErrorCode::ImageNotFound, format!("image {} is not local and cannot be pulled", image.as_str()))
        .cause(cause.to_owned())
        .detail("image", image.as_str())
        .hint(format!("check the name, or bring the image here: docker pull {}", image.as_str()))
}

fn pull_failed(image: &ImageRef, message: &str, doing: &str) -> Error {
    if is_disk_full(message) {
        return disk_full(doing, message);
    }
    let lower = message.to_ascii_lowercase();
    if lower.contains("unauthorized") || lower.contains("authentication required") || lower.contains("no basic auth") {
        return Error::new(
            ErrorCode::RegistryAuthFailed,
            format!("the registry refused to give image {}", image.as_str()),
        )
        .cause(message.to_owned())
        .detail("image", image.as_str())
        .hint(format!("log in and pull it yourself: docker login && docker pull {}", image.as_str()));
    }
    not_found(image, message)
}

/// The error for an image that is absent and may not be fetched.
pub(super) fn absent(image: &ImageRef) -> Error {
    Error::new(
        ErrorCode::ImageNotFound,
        format!("image {} is not local, and --no-pull forbids to fetch it", image.as_str()),
    )
    .detail("image", image.as_str())
    .hint("leave --no-pull out, or name a local image; see: docker image ls")
}

/// Builds the agent image. Returns its id when the engine says it.
///
/// # Errors
/// `image_build_failed` with the last lines of the build, `disk_full`, or the engine's own.
pub(super) async fn build(
    engine: &Engine,
    tag: &ImageRef,
    base: &ImageRef,
    progress: &Progress,
) -> Result<Option<String>> {
    let doing = format!("build image {}", tag.as_str());
    progress.step("build_started", &format!("building image {} from {}", tag.as_str(), base.as_str()));
    let options = BuildImageOptionsBuilder::new()
        .dockerfile("Dockerfile")
        .t(tag.as_str())
        .rm(true)
        .forcerm(true)
        .buildargs(&HashMap::from([("BASE", base.as_str()), ("VERSION", crate::capabilities::VERSION)]))
        .build();
    let mut stream = engine.docker.build_image(options, None, Some(body_full(context()?)));
    let mut id = None;
    let mut tail: Vec<String> = Vec::new();
    while let Some(item) = stream.next().await {
        let info: BuildInfo = match item {
            Ok(info) => info,
            Err(
                bollard::errors::Error::DockerResponseServerError { status_code: 400 | 404 | 500, message }
                | bollard::errors::Error::DockerStreamError { error: message },
            ) => return Err(build_failed(tag, base, &message, &tail, &doing)),
            Err(error) => return Err(engine.explain(error, &doing)),
        };
        if let Some(message) = info.error_detail.and_then(|detail| detail.message) {
            return Err(build_failed(tag, base, &message, &tail, &doing));
        }
        id = info.aux.and_then(|aux| aux.id).or(id);
        for line in info.stream.as_deref().unwrap_or_default().lines().filter(|line| !line.trim().is_empty()) {
            progress.detail("build_progress", line);
            tail.push(line.to_owned());
            if tail.len() > 10 {
                tail.remove(0);
            }
        }
    }
    Ok(id)
}

fn build_failed(tag: &ImageRef, base: &ImageRef, message: &str, tail: &[String], doing: &str) -> Error {
    if is_disk_full(message) {
        return disk_full(doing, message);
    }
    let error = Error::new(ErrorCode::ImageBuildFailed, format!("could not build image {}", tag.as_str()))
        .cause(message.trim().to_owned())
        .detail("base", base.as_str())
        .detail("last_lines", tail.to_vec());
    if tail.iter().all(|line| line.starts_with("Step 1") || line.starts_with("Step 2/")) {
        return error.hint(format!(
            "is the base there? docker pull {0}; or name another: agent-workspace image build --base IMAGE",
            base.as_str()
        ));
    }
    error.hint("read the lines above; the build needs Debian's packages")
}

/// The build context: the Dockerfile alone, as a tar.
fn context() -> Result<Bytes> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(DOCKERFILE.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    archive
        .append_data(&mut header, "Dockerfile", DOCKERFILE.as_bytes())
        .and_then(|()| archive.into_inner())
        .map(Bytes::from)
        .map_err(|error| {
            Error::new(ErrorCode::Internal, "the build context could not be made").cause(error.to_string())
        })
}
