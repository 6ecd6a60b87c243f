//! The labels and the names of volumes by which a workspace's things are known.

use std::collections::BTreeMap;

use crate::backend::{HOME, WORK};
use crate::workspace::Prefix;

/// Marks workspaces; the first launcher's label, so that each finds the other's.
pub(super) const LABEL_WORKSPACE: &str = "agent-kit.workspace";
pub(super) const LABEL_REPO: &str = "agent-kit.repo";
pub(super) const LABEL_CREATED_AT: &str = "agent-kit.created-at";
pub(super) const LABEL_VERSION: &str = "agent-workspace.version";
pub(super) const LABEL_SPEC: &str = "agent-workspace.spec";
/// The mark of the one call that made a thing.
pub(super) const LABEL_CREATE_ID: &str = "agent-workspace.create-id";
/// On a container that only looks into a workspace: which one.
pub(super) const LABEL_VIEW: &str = "agent-workspace.view";
/// On an image that `image build` made: the launcher's version.
pub(super) const LABEL_IMAGE_VERSION: &str = "agent-workspace.image-version";
/// On an image: made for workspaces, with the user, the folders and their owner in place.
pub(super) const LABEL_READY: &str = "agent-workspace.ready";

/// The volumes of a workspace and where each is mounted.
pub(super) fn volumes(name: &str) -> [(String, &'static str); 2] {
    [(format!("{name}-work"), WORK), (format!("{name}-home"), HOME)]
}

/// Every volume name that a launcher ever gave to a workspace of this name.
pub(super) fn volume_names(name: &str) -> [String; 3] {
    [format!("{name}-work"), format!("{name}-home"), format!("{name}-agent-home")]
}

/// The work volume that stands beside a home. Where `a-agent-work` is there, `a-agent-home` is the home of the workspace
/// `a-agent` and not the third volume of `a`.
pub(super) fn work_beside_home(home: &str) -> String {
    format!("{}-work", home.strip_suffix("-home").unwrap_or(home))
}

/// Whether a volume is one of a workspace's: it has one of those names, and our label names the workspace; or it has no
/// label at all, as launchers set none at first and Podman drops them, and the workspace's name begins like one of ours.
/// What carries somebody else's labels is somebody else's.
pub(super) fn is_volume_of(
    workspace: &str,
    volume: &str,
    labels: Option<&BTreeMap<String, String>>,
    prefix: &Prefix,
) -> bool {
    let is_ours = match labels.filter(|labels| !labels.is_empty()) {
        Some(labels) => labels.get(LABEL_WORKSPACE).is_some_and(|owner| owner == workspace),
        None => prefix.strip(workspace) != workspace,
    };
    is_ours && volume_names(workspace).iter().any(|name| name == volume)
}

/// Where a volume of one of those names is inside.
pub(super) fn mount_point(volume: &str) -> Option<&'static str> {
    // The longer ending first: one ends like another.
    [("-agent-home", "/home/agent/.agents"), ("-home", HOME), ("-work", WORK)]
        .into_iter()
        .find_map(|(ending, at)| volume.ends_with(ending).then_some(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_a_workspaces_by_our_label_or_by_its_name_where_it_has_none() {
        let prefix = Prefix::parse("mine").unwrap();
        let is_of = |workspace: &str, volume: &str, labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            is_volume_of(workspace, volume, Some(&labels), &prefix)
        };
        for workspace in ["mine-a", "agent-ws-a", "codex-ws-a"] {
            for volume in volume_names(workspace) {
                assert!(is_of(workspace, &volume, &[]) && is_volume_of(workspace, &volume, None, &prefix), "{volume}");
                assert!(is_of(workspace, &volume, &[(LABEL_WORKSPACE, workspace), ("x", "y")]), "{volume}");
                assert!(!is_of(workspace, &volume, &[("com.docker.compose.project", "shop")]), "{volume}");
                assert!(!is_of(workspace, &volume, &[(LABEL_WORKSPACE, "mine-b")]), "{volume}");
            }
        }
        assert!(is_of("team-a", "team-a-work", &[(LABEL_WORKSPACE, "team-a")]));
        assert!(!is_of("team-a", "team-a-work", &[]));
        assert!(!is_of("mine", "mine-work", &[]));
        assert!(!is_of("mine-a", "mine-a-cache", &[(LABEL_WORKSPACE, "mine-a")]));
        assert!(!is_of("mine-a", "mine-ab-work", &[]));
        // The home of one is called like the third volume of another.
        assert!(is_of("mine-a", "mine-a-agent-home", &[]) && is_of("mine-a-agent", "mine-a-agent-home", &[]));
    }
}
