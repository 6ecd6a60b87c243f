//! What is asked of the engine for a new workspace.

use std::collections::HashMap;

use agent_workspace_contract::{Plan, PlannedVolume};
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountBindOptions, MountType, MountVolumeOptions};
use jiff::Timestamp;

use super::labels::{
    LABEL_CREATE_ID, LABEL_CREATED_AT, LABEL_REPO, LABEL_SPEC, LABEL_VERSION, LABEL_WORKSPACE, volumes,
};
use super::walls;
use crate::backend::{HOME, RecordedSpec, SECRET_DIR, Secrets, Spec, WORK};
use crate::capabilities::VERSION;
use crate::workspace::name::hostname;

/// Keeps a container alive without doing anything, and ends at once on SIGTERM. `sleep infinity` is not everywhere.
const KEEP_ALIVE: &str = "trap 'exit 0' TERM INT; while :; do sleep 86400 & wait $!; done";

/// How a container is made when the plain way does not work with this engine or image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    /// Whether the engine puts its own init before the command. Without one, stopping takes as long as it may.
    pub(super) init: bool,
    /// Whether the image's own entrypoint runs before the command.
    pub(super) entrypoint: bool,
}

/// What is asked of the engine for a new workspace.
pub(super) fn create_body(spec: &Spec, variant: Variant, now: Timestamp) -> ContainerCreateBody {
    let mut labels: HashMap<String, String> = spec.labels.iter().cloned().collect();
    let recorded = serde_json::to_string(&RecordedSpec::from(spec)).unwrap_or_default();
    labels.extend([
        (LABEL_WORKSPACE.to_owned(), "1".to_owned()),
        (LABEL_CREATED_AT.to_owned(), now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        (LABEL_VERSION.to_owned(), VERSION.to_owned()),
        (LABEL_CREATE_ID.to_owned(), spec.create_id.clone()),
        (LABEL_SPEC.to_owned(), recorded),
    ]);
    labels.extend(spec.repo.iter().map(|repo| (LABEL_REPO.to_owned(), repo.clone())));

    let fixed_env = [
        ("HOME", HOME.to_owned()),
        ("AGENT_HOME", format!("{HOME}/.agents")),
        ("CODEX_AUTH_FILE", format!("{HOME}/.codex/auth.json")),
    ];
    let env = fixed_env
        .into_iter()
        .filter(|(name, _)| spec.env.iter().all(|(given, _)| given != name))
        .map(|(name, value)| format!("{name}={value}"))
        .chain(spec.env.iter().map(|(name, value)| format!("{name}={value}")))
        .chain(spec.secrets.iter().map(|secrets| format!("{SECRET_DIR}={}", secrets.mount)))
        .collect();

    let mount = |(source, target): (String, &str)| Mount {
        typ: Some(MountType::VOLUME),
        source: Some(source),
        target: Some(target.to_owned()),
        volume_options: Some(MountVolumeOptions {
            // The engine puts them on volumes that it makes with this container and on no older one, so that undoing
            // a failed create never takes a volume that was there before.
            labels: Some(HashMap::from([
                (LABEL_WORKSPACE.to_owned(), spec.name.clone()),
                (LABEL_CREATE_ID.to_owned(), spec.create_id.clone()),
            ])),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    };

    let mounts = volumes(&spec.name).map(mount).into_iter().chain(spec.secrets.as_ref().map(bind)).collect();
    ContainerCreateBody {
        // On the host's network the host's name holds.
        hostname: (spec.network.as_deref() != Some("host")).then(|| hostname(&spec.name).0),
        image: Some(spec.image.as_str().to_owned()),
        user: spec.user.clone(),
        working_dir: Some(WORK.to_owned()),
        env: Some(env),
        labels: Some(labels),
        // One empty word is how an engine is told to forget the image's entrypoint.
        entrypoint: (!variant.entrypoint).then(|| vec![String::new()]),
        cmd: Some(["sh", "-c", KEEP_ALIVE].map(str::to_owned).to_vec()),
        host_config: Some(walls::put_up(
            spec.isolation,
            HostConfig {
                init: Some(variant.init),
                mounts: Some(mounts),
                network_mode: spec.network.clone(),
                nano_cpus: spec.nano_cpus,
                memory: spec.memory,
                ..HostConfig::default()
            },
        )),
        ..ContainerCreateBody::default()
    }
}

/// What would be asked of an engine for a spec. Values of variables that an `--env-file` gave may be secrets.
pub(super) fn plan(spec: &Spec) -> Plan {
    let hidden = spec.env.iter().map(|(name, _)| (name.clone(), "(of the --env-file)".to_owned())).collect();
    let shown = Spec { create_id: "(id of the call)".to_owned(), env: hidden, ..spec.clone() };
    let body = create_body(&shown, Variant { init: true, entrypoint: true }, crate::host::now());
    let network = body.host_config.as_ref().and_then(|config| config.network_mode.clone());
    let container = match serde_json::to_value(body) {
        Ok(serde_json::Value::Object(container)) => container,
        // A struct is an object.
        _ => serde_json::Map::new(),
    };
    let volume = |(id, mount): (String, &str)| PlannedVolume { id, mount: mount.to_owned() };
    Plan {
        container,
        volumes: volumes(&spec.name).map(volume).to_vec(),
        networks: vec![network.unwrap_or_else(|| "default".to_owned())],
        steps: Vec::new(),
        timeout_ms: None,
    }
}

/// A folder of the host in a container. Said in words of its own, so that no character of a path means anything.
fn bind(secrets: &Secrets) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(secrets.dir.clone()),
        target: Some(secrets.mount.clone()),
        read_only: Some(secrets.readonly),
        // What is mounted below the folder would stay writable, so it is left out of what is not to be written.
        bind_options: secrets
            .readonly
            .then(|| MountBindOptions { non_recursive: Some(true), ..MountBindOptions::default() }),
        ..Mount::default()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::workspace::{ImageRef, Isolation};

    /// A spec to make bodies of.
    pub(in super::super) fn spec() -> Spec {
        Spec {
            vm: None,
            default_vm: None,
            code_workspace: None,
            default_code_workspace: true,
            name: "agent-ws-demo".to_owned(),
            create_id: "0123".to_owned(),
            image: ImageRef::parse("debian:bookworm-slim").unwrap(),
            fetch: true,
            default_image: false,
            repo: Some("o/r".to_owned()),
            repo_host: Some("github.com".to_owned()),
            path: "/work/o/r".to_owned(),
            user: None,
            nano_cpus: None,
            memory: None,
            network: None,
            isolation: Isolation::Standard,
            default_isolation: false,
            env: vec![("TOKEN".to_owned(), "canary".to_owned()), ("HOME".to_owned(), "/h".to_owned())],
            labels: Vec::new(),
            secrets: None,
            no_secrets: false,
            clones: true,
        }
    }

    pub(in super::super) const PLAIN: Variant = Variant { init: true, entrypoint: true };

    #[test]
    fn old_tools_find_new_workspaces_by_their_labels() {
        let labels = create_body(&spec(), PLAIN, Timestamp::UNIX_EPOCH).labels.unwrap();
        assert_eq!(labels["agent-kit.workspace"], "1");
        assert_eq!(labels["agent-kit.repo"], "o/r");
        assert_eq!(labels["agent-kit.created-at"], "1970-01-01T00:00:00Z");
    }

    #[test]
    fn values_of_variables_are_not_written_into_labels() {
        let body = create_body(&spec(), PLAIN, Timestamp::UNIX_EPOCH);
        assert!(!format!("{:?}", body.labels).contains("canary"));
        let env = body.env.unwrap();
        assert!(env.contains(&"TOKEN=canary".to_owned()));
        assert_eq!(env.iter().filter(|line| line.starts_with("HOME=")).count(), 1, "{env:?}");
    }

    #[test]
    fn secrets_are_a_mount_whose_paths_need_no_escaping_and_a_variable() {
        let dir = "/home/me/a b:c,d'e\"f=ö".to_owned();
        let secrets = Secrets { dir: dir.clone(), mount: "/run/secrets x".to_owned(), readonly: true };
        let spec = Spec { secrets: Some(secrets.clone()), ..spec() };
        let body = create_body(&spec, PLAIN, Timestamp::UNIX_EPOCH);
        let mount = body.host_config.unwrap().mounts.unwrap().pop().unwrap();
        assert_eq!((mount.typ, mount.source.as_ref()), (Some(MountType::BIND), Some(&dir)));
        assert_eq!((mount.target.as_deref(), mount.read_only), (Some("/run/secrets x"), Some(true)));
        assert!(body.env.unwrap().contains(&"CODEX_SECRET_DIR=/run/secrets x".to_owned()));
        let recorded: RecordedSpec = serde_json::from_str(&body.labels.unwrap()[LABEL_SPEC]).unwrap();
        assert_eq!(recorded.secrets, Some(secrets));
    }

    #[test]
    fn a_plan_is_the_very_request_without_secrets() {
        let real = serde_json::to_value(create_body(&spec(), PLAIN, Timestamp::UNIX_EPOCH)).unwrap();
        let planned = serde_json::Value::Object(plan(&spec()).container);
        assert_eq!(planned["HostConfig"]["CapDrop"], real["HostConfig"]["CapDrop"]);
        assert_eq!(planned["Cmd"], real["Cmd"]);
        let text = planned.to_string();
        assert!(!text.contains("canary") && text.contains("TOKEN=(of the --env-file)"), "{text}");
    }
}
