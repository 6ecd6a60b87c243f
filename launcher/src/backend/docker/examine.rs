//! What an engine says of itself to `doctor`: who it is first, then everything else at once, each within a few
//! seconds.

use std::path::Path;
use std::time::Duration;

use agent_workspace_contract::ErrorCode;
use jiff::Timestamp;
use serde::Deserialize;

use super::Docker;
use super::endpoint::Address;
use super::engine::Engine;
use super::labels::LABEL_IMAGE_VERSION;
use crate::backend::examination::{DiskFacts, EngineFacts, Examination, ImageFacts};
use crate::error::Result;
use crate::host;
use crate::workspace::ImageRef;

/// Longer than a healthy engine takes for any of these questions, and no longer than somebody waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Version {
    version: Option<String>,
    api_version: Option<String>,
    os: Option<String>,
    arch: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Info {
    docker_root_dir: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Image {
    id: String,
    created: Option<String>,
    config: Option<ImageConfig>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ImageConfig {
    labels: Option<std::collections::BTreeMap<String, String>>,
}

impl Docker {
    /// Everything `doctor` asks. An engine that does not answer the first question is not asked the others.
    pub(super) async fn examined(&self, image: &ImageRef) -> Examination {
        let endpoint = self.engine.endpoint();
        let place = format!("{} (from {})", endpoint.address, endpoint.source);
        let engine = self.who_answers().await;
        if engine.is_err() {
            return Examination { place, engine, image: None, disk: None, survey: None };
        }
        let (image, disk, survey) = tokio::join!(
            self.within("look for the image", self.image(image)),
            self.disk(),
            self.within("look for what nothing uses", self.surveyed()),
        );
        Examination { place, engine, image: Some(image), disk: Some(disk), survey: Some(survey) }
    }

    async fn who_answers(&self) -> Result<EngineFacts> {
        let doing = "ask the engine who it is";
        let asked = || self.within(doing, self.engine.get::<Version>("/version", doing));
        let said = match asked().await {
            // That was its first answer. Now it may say how old it is.
            Err(error) if error.code() == ErrorCode::EngineTooOld => asked().await,
            said => said,
        };
        let Version { version, api_version, os, arch } = said?.unwrap_or_default();
        let unknown = || "unknown".to_owned();
        let api = api_version.unwrap_or_else(unknown);
        Ok(EngineFacts {
            kind: if self.engine.is_podman() { "Podman" } else { "Docker" },
            version: version.unwrap_or_else(unknown),
            platform: format!("{}/{}", os.unwrap_or_else(unknown), arch.unwrap_or_else(unknown)),
            oldest_api: Engine::oldest_api(),
            too_old: Engine::is_too_old(&api),
            api,
        })
    }

    async fn image(&self, image: &ImageRef) -> Result<Option<ImageFacts>> {
        let path = format!("/images/{}/json", image.as_str());
        let found: Option<Image> = self.engine.get(&path, &format!("look for image {}", image.as_str())).await?;
        Ok(found.map(|found| ImageFacts {
            id: found.id,
            made_at: found.created.and_then(|text| text.parse::<Timestamp>().ok()).map(Timestamp::as_second),
            built_by: found.config.and_then(|config| config.labels?.remove(LABEL_IMAGE_VERSION)),
        }))
    }

    async fn disk(&self) -> Result<DiskFacts> {
        let doing = "ask where the engine keeps its data";
        let (info, volumes) = tokio::join!(
            self.within(doing, self.engine.get::<Info>("/info", doing)),
            // Counting takes as long as there is much, which is nothing that is wrong.
            self.within("ask what takes the space", self.taken_by_volumes()),
        );
        let folder = info?.unwrap_or_default().docker_root_dir.unwrap_or_default();
        let is_local = matches!(self.engine.endpoint().address, Address::Unix(_)) && !folder.is_empty();
        let free = is_local.then(|| host::free_space(Path::new(&folder))).flatten();
        Ok(DiskFacts { folder, free, volumes: volumes.ok().flatten() })
    }

    /// The answer to a question, or that there is none, in a few seconds.
    async fn within<T>(&self, doing: &str, question: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(PATIENCE, question).await.unwrap_or_else(|_| Err(self.engine.silent(doing)))
    }
}
