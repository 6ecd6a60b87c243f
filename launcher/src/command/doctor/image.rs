//! The check of the image that new workspaces get.

use agent_workspace_contract::{Check, CheckStatus};

use super::{check, with_fix};
use crate::backend::examination::ImageFacts;
use crate::capabilities::VERSION;
use crate::workspace::ImageRef;

/// Says whether it is local, how old it is, and whether this launcher has built it.
pub(super) fn of_image(found: Option<ImageFacts>, image: &ImageRef, default_image: bool, now: i64) -> Check {
    let image = image.as_str();
    let Some(ImageFacts { id, made_at, built_by }) = found else {
        return if default_image {
            let message = format!("{image} is not local; create pulls or builds it, which takes a while");
            with_fix("image", CheckStatus::Warning, message, "agent-workspace image build")
        } else {
            let message = format!("{image} is not local; create pulls it, which takes a while");
            with_fix("image", CheckStatus::Warning, message, &format!("docker pull {image}"))
        };
    };
    let id: String = id.trim_start_matches("sha256:").chars().take(12).collect();
    let age = made_at.map(|made_at| format!(", made {} ago", age_in_words(now - made_at))).unwrap_or_default();
    let message = format!("{image} is local: {id}{age}");
    match built_by {
        Some(other) if default_image && other != VERSION => with_fix(
            "image",
            CheckStatus::Warning,
            format!("{message}, built by version {other} of the launcher and not by this one"),
            "agent-workspace image build",
        ),
        _ => check("image", CheckStatus::Ok, message),
    }
}

/// A time that has passed, in its largest unit.
fn age_in_words(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86400 => (seconds / 3600, "hour"),
        _ => (seconds / 86400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_is_absent_or_of_another_version_can_be_built() {
        let default = ImageRef::default_agent_image();
        let absent = of_image(None, &default, true, 7200);
        assert_eq!((absent.status, absent.fix.as_deref()), (CheckStatus::Warning, Some("agent-workspace image build")));
        let facts = ImageFacts { id: "sha256:01".to_owned(), made_at: Some(0), built_by: Some("0.0.1".to_owned()) };
        let other = of_image(Some(facts.clone()), &default, true, 7200);
        assert_eq!(other.fix, absent.fix);
        assert!(other.message.contains("made 2 hours ago"), "{}", other.message);
        let mine = ImageRef::parse("mine:1").unwrap();
        assert_eq!(of_image(None, &mine, false, 0).fix.as_deref(), Some("docker pull mine:1"));
        assert_eq!(of_image(Some(facts), &mine, false, 0).status, CheckStatus::Ok);
    }
}
