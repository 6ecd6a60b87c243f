//! What a workspace like another one is: what of the source means the same where the copy is, and what does not.

use crate::backend::{DOCKER, RecordedSpec, Spec, VM, WORK, Workspace, is_elsewhere};
use crate::error::Result;
use crate::workspace::{ImageRef, Isolation, WorkspaceName};

/// A workspace that is like another one.
#[derive(Debug, PartialEq)]
pub(super) struct Like {
    /// What it is to be.
    pub(super) spec: Spec,
    /// What of its source it is not, as sentences.
    pub(super) not_copied: Vec<String>,
}

/// What a copy of `source` is. `from` and `to` are names of backends, `image` what a container gets whose source is none.
///
/// # Errors
/// `invalid_image` when the source runs what cannot be named.
pub(super) fn like(
    source: &Workspace,
    from: &str,
    to: &str,
    name: &WorkspaceName,
    image: Option<ImageRef>,
) -> Result<Like> {
    let mut not_copied = Vec::new();
    let there = &source.name;
    let RecordedSpec {
        image: recorded_image,
        repo_host,
        path: _,
        user,
        nano_cpus,
        memory,
        network,
        isolation,
        env,
        labels,
        secrets: _,
        // This one clones nothing, and is not finished before the work has come.
        clones: _,
        // That of another one is no place for its own.
        code_workspace: _,
        path_before: _,
    } = source.recorded.clone().unwrap_or_default();

    let both = from == DOCKER && to == DOCKER;
    let default = ImageRef::default_agent_image();
    let runs = Some(recorded_image).filter(|image| !image.is_empty()).or_else(|| source.image.clone());
    let image = match runs.filter(|_| from == DOCKER) {
        Some(runs) if both => Some(ImageRef::parse(&runs)?),
        Some(runs) => {
            if runs != default.as_str() {
                not_copied.push(format!("{there} runs image {runs}, and the copy is no container"));
            }
            None
        }
        None => image.filter(|_| to == DOCKER),
    };
    if !both {
        let settings = [
            ("--user", user.is_some()),
            ("--cpus", nano_cpus.is_some()),
            ("--memory", memory.is_some()),
            ("--network", network.is_some()),
            ("--label", !labels.is_empty()),
        ];
        for (flag, _) in settings.into_iter().filter(|(_, set)| *set) {
            not_copied.push(format!("{there} was made with {flag}, which means nothing for the copy"));
        }
    }
    if !env.is_empty() {
        let names = env.join(", ");
        not_copied.push(format!("the values of {there}'s variables are written down nowhere: {names}"));
    }
    if let Some(secrets) = &source.secrets {
        not_copied.push(format!("the secrets {} are shared with {there} alone", secrets.dir));
    }
    let path = source.path.as_deref().map_or_else(|| WORK.to_owned(), |path| source.places.usual(path));
    let in_work = path == WORK || (path.starts_with(WORK) && !is_elsewhere(&path));
    if !in_work {
        not_copied.push(format!("{path} of {there} is outside {WORK}, of which everything is copied"));
    }
    let isolation = match isolation.unwrap_or_default() {
        // A container is walled off always.
        Isolation::Require | Isolation::None if to == DOCKER => Isolation::Standard,
        Isolation::Strict if to == VM => {
            not_copied.push(format!("{there} has strict walls, which no workspace on a VM can have"));
            Isolation::Standard
        }
        Isolation::Require | Isolation::None if to == VM => Isolation::Standard,
        isolation => isolation,
    };
    let kept = |setting: Option<i64>| setting.filter(|_| both);
    let spec = Spec {
        code_workspace: None,
        default_code_workspace: true,
        default_vm: None,
        name: name.canonical().to_owned(),
        vm: None,
        create_id: String::new(),
        default_image: image.as_ref().is_none_or(|image| *image == default),
        image: image.unwrap_or(default),
        fetch: true,
        repo: source.repo.clone(),
        repo_host,
        path: if in_work { path } else { WORK.to_owned() },
        user: user.filter(|_| both),
        nano_cpus: kept(nano_cpus),
        memory: kept(memory),
        network: network.filter(|_| both),
        isolation,
        default_isolation: isolation == Isolation::Standard,
        env: Vec::new(),
        labels: labels.into_iter().filter(|_| both).collect(),
        secrets: None,
        no_secrets: false,
        clones: true,
    };
    Ok(Like { spec, not_copied })
}

#[cfg(test)]
mod tests {
    use agent_workspace_contract::{Isolation as Walls, WorkspaceStatus};

    use super::*;
    use crate::backend::{HOST, Secrets};
    use crate::machine::Places;
    use crate::workspace::Prefix;

    fn source(recorded: RecordedSpec) -> Workspace {
        Workspace {
            id: "1".to_owned(),
            name: "agent-ws-a".to_owned(),
            status: WorkspaceStatus::Running,
            repo: Some("o/r".to_owned()),
            path: Some("/work/o/r".to_owned()),
            image: None,
            created_at: None,
            user: "agent".to_owned(),
            ready_made: true,
            marked: true,
            unlabelled: false,
            create_id: None,
            made_by_us: true,
            volumes: Vec::new(),
            mounts: Vec::new(),
            image_id: None,
            recorded: Some(recorded),
            isolation: Walls::Unknown,
            secrets: None,
            places: Places::default(),
            problems: Vec::new(),
        }
    }

    fn container() -> RecordedSpec {
        RecordedSpec {
            image: "a:1".to_owned(),
            repo_host: Some("git.test".to_owned()),
            path: "/work/o/r".to_owned(),
            user: Some("1000".to_owned()),
            nano_cpus: Some(1),
            memory: Some(2),
            network: Some("n".to_owned()),
            isolation: Some(Isolation::Strict),
            labels: [("k".to_owned(), "v".to_owned())].into(),
            ..RecordedSpec::default()
        }
    }

    #[track_caller]
    fn copy(source: &Workspace, from: &str, to: &str) -> Like {
        let name = WorkspaceName::parse("b", &Prefix::parse(Prefix::DEFAULT).unwrap()).unwrap();
        like(source, from, to, &name, Some(ImageRef::parse("env:1").unwrap())).unwrap()
    }

    #[test]
    fn a_container_like_a_container_has_all_that_was_asked_for() {
        let Like { spec, not_copied } = copy(&source(container()), DOCKER, DOCKER);
        assert_eq!(not_copied, Vec::<String>::new());
        assert_eq!(RecordedSpec::from(&spec), RecordedSpec { clones: true, ..container() });
        assert_eq!((spec.name.as_str(), spec.repo.as_deref()), ("agent-ws-b", Some("o/r")));
    }

    #[test]
    fn what_means_nothing_where_the_copy_is_is_said_and_left_out() {
        let Like { spec, not_copied } = copy(&source(container()), DOCKER, HOST);
        for word in ["image a:1", "--user", "--cpus", "--memory", "--network", "--label"] {
            assert_eq!(not_copied.iter().filter(|said| said.contains(word)).count(), 1, "{word} {not_copied:?}");
        }
        assert_eq!(not_copied.len(), 6);
        assert!(spec.user.is_none() && spec.memory.is_none() && spec.labels.is_empty() && spec.default_image);
        assert_eq!((spec.isolation, spec.path.as_str()), (Isolation::Strict, "/work/o/r"));
        let plain =
            RecordedSpec { image: ImageRef::default_agent_image().as_str().to_owned(), ..RecordedSpec::default() };
        assert_eq!(copy(&source(plain), DOCKER, HOST).not_copied, Vec::<String>::new());
    }

    #[test]
    fn a_container_like_a_folder_runs_what_a_new_one_would_and_has_its_walls() {
        for walls in [Isolation::None, Isolation::Require, Isolation::Standard] {
            let recorded = RecordedSpec { isolation: Some(walls), ..RecordedSpec::default() };
            let Like { spec, not_copied } = copy(&source(recorded), HOST, DOCKER);
            assert_eq!((spec.image.as_str(), spec.isolation), ("env:1", Isolation::Standard));
            assert_eq!(not_copied, Vec::<String>::new());
        }
    }

    #[test]
    fn what_a_vm_cannot_have_is_said() {
        let Like { spec, not_copied } = copy(&source(container()), DOCKER, VM);
        assert_eq!((spec.isolation, spec.vm), (Isolation::Standard, None));
        assert!(not_copied.iter().any(|said| said.contains("strict walls")), "{not_copied:?}");
    }

    #[test]
    fn values_and_secrets_stay_the_sources_own() {
        let secrets = Some(Secrets { dir: "/s".to_owned(), mount: "/m".to_owned(), readonly: true });
        let recorded = RecordedSpec { env: vec!["TOKEN".to_owned()], secrets: secrets.clone(), ..container() };
        let Like { spec, not_copied } = copy(&Workspace { secrets, ..source(recorded) }, DOCKER, DOCKER);
        assert!(spec.env.is_empty() && spec.secrets.is_none());
        assert!(not_copied.len() == 2 && not_copied[0].contains("TOKEN") && not_copied[1].contains("/s"));
    }

    #[test]
    fn a_clone_is_where_it_was_unless_it_is_outside_the_work() {
        let places =
            Places { work: "/state/a/work".to_owned(), home: "/state/a/home".to_owned(), scratch: String::new() };
        for (path, copied, said) in [
            ("/state/a/work/o/r", "/work/o/r", 0),
            ("/state/a/work", "/work", 0),
            ("/state/a/home/x", "/work", 1),
            ("/srv/x", "/work", 1),
        ] {
            let source =
                Workspace { places: places.clone(), path: Some(path.to_owned()), ..source(RecordedSpec::default()) };
            let Like { spec, not_copied } = copy(&source, HOST, HOST);
            assert_eq!((spec.path.as_str(), not_copied.len()), (copied, said), "{path}");
        }
    }
}
