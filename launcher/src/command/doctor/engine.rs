//! The checks of a backend: its address, who answers there, and what else it says of itself.

use agent_workspace_contract::{Check, CheckStatus, ErrorCode};

use super::disk::disk;
use super::image::of_image;
use super::leftovers::leftovers;
use super::{check, skipped, with_fix, wrong};
use crate::backend::examination::{EngineFacts, Examination};
use crate::error::Result;
use crate::workspace::ImageRef;

/// A newer engine where the launcher is at home.
const UPGRADE: &str = "sudo apt-get update && sudo apt-get install docker.io";

/// The checks of a backend, from what it says of itself. Always the same ones.
pub(super) fn of_backend(examined: Result<Examination>, image: &ImageRef, default_image: bool, now: i64) -> Vec<Check> {
    let names = ["address", "engine", "api_version", "image", "disk", "leftovers"];
    let skip = |from: usize| names.into_iter().skip(from).map(skipped);
    let examined = match examined {
        Ok(examined) => examined,
        Err(error) => return std::iter::once(wrong("address", &error)).chain(skip(1)).collect(),
    };
    let address = check("address", CheckStatus::Ok, format!("the engine's address is {}", examined.place));
    let facts = match examined.engine {
        Ok(facts) => facts,
        Err(error) if error.code() == ErrorCode::EngineTooOld => {
            let answers = check("engine", CheckStatus::Ok, "an engine answers".to_owned());
            let too_old = Check { fix: Some(UPGRADE.to_owned()), ..wrong("api_version", &error) };
            return [address, answers, too_old].into_iter().chain(skip(3)).collect();
        }
        Err(error) => return [address, wrong("engine", &error)].into_iter().chain(skip(2)).collect(),
    };
    let EngineFacts { kind, version, platform, .. } = &facts;
    vec![
        address,
        check("engine", CheckStatus::Ok, format!("{kind} {version} on {platform} answers")),
        api_version(&facts),
        asked("image", examined.image, |found| of_image(found, image, default_image, now)),
        asked("disk", examined.disk, |facts| disk(&facts)),
        asked("leftovers", examined.survey, |survey| leftovers(&survey, now)),
    ]
}

/// What a question came to, or that it was not asked or not answered.
fn asked<T>(name: &str, answer: Option<Result<T>>, found: impl FnOnce(T) -> Check) -> Check {
    match answer {
        None => skipped(name),
        Some(Err(error)) => wrong(name, &error),
        Some(Ok(answer)) => found(answer),
    }
}

fn api_version(facts: &EngineFacts) -> Check {
    let EngineFacts { api, oldest_api, too_old, .. } = facts;
    if *too_old {
        let message = format!("{api}, and {oldest_api} is the oldest supported; use Docker Engine 20.10 or later");
        return with_fix("api_version", CheckStatus::Failed, message, UPGRADE);
    }
    check("api_version", CheckStatus::Ok, format!("{api}; {oldest_api} is the oldest supported"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::examination::{DiskFacts, ImageFacts};
    use crate::backend::survey::Survey;
    use crate::capabilities::VERSION;
    use crate::error::Error;

    fn image() -> ImageRef {
        ImageRef::default_agent_image()
    }

    fn healthy() -> Examination {
        Examination {
            place: "unix:///x (from default)".to_owned(),
            engine: Ok(EngineFacts {
                kind: "Docker",
                version: "20.10.24".to_owned(),
                platform: "linux/amd64".to_owned(),
                api: "1.41".to_owned(),
                oldest_api: "1.40".to_owned(),
                too_old: false,
            }),
            image: Some(Ok(Some(ImageFacts {
                id: "sha256:0123456789abcdef".to_owned(),
                made_at: Some(0),
                built_by: Some(VERSION.to_owned()),
            }))),
            disk: Some(Ok(DiskFacts { folder: "/d".to_owned(), free: Some(10 << 30), volumes: Some(3 << 20) })),
            survey: Some(Ok(Survey::default())),
        }
    }

    fn statuses(checks: &[Check]) -> Vec<&str> {
        checks.iter().map(|check| check.status.as_str()).collect()
    }

    fn unavailable() -> Error {
        Error::new(ErrorCode::EngineUnavailable, "no engine runs there").hint("start it: sudo systemctl start docker")
    }

    #[test]
    fn the_checks_are_the_same_whatever_is_found() {
        let all = of_backend(Ok(healthy()), &image(), true, 7200);
        assert_eq!(statuses(&all), ["ok"; 6]);
        let names: Vec<_> = all.iter().map(|check| check.check.clone()).collect();
        let too_old = Error::new(ErrorCode::EngineTooOld, "it speaks API 1.24");
        for (examined, expected) in [
            (Err(unavailable()), ["failed", "skipped", "skipped", "skipped", "skipped", "skipped"]),
            (
                Ok(Examination { engine: Err(unavailable()), image: None, disk: None, survey: None, ..healthy() }),
                ["ok", "failed", "skipped", "skipped", "skipped", "skipped"],
            ),
            (
                Ok(Examination { engine: Err(too_old), image: None, disk: None, survey: None, ..healthy() }),
                ["ok", "ok", "failed", "skipped", "skipped", "skipped"],
            ),
            (Ok(Examination { disk: Some(Err(unavailable())), ..healthy() }), ["ok", "ok", "ok", "ok", "failed", "ok"]),
        ] {
            let checks = of_backend(examined, &image(), true, 7200);
            assert_eq!(statuses(&checks), expected);
            assert_eq!(checks.iter().map(|check| check.check.clone()).collect::<Vec<_>>(), names);
            assert!(checks.iter().all(|check| check.status != CheckStatus::Failed || check.fix.is_some()));
        }
    }
}
