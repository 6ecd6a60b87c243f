//! How high a container's walls are: put up when it is made, and read off what the engine says of it.

use agent_workspace_contract::Isolation as Walls;
use bollard::models::HostConfig;
use serde::Deserialize;

use crate::workspace::isolation::{DROPPED, Isolation, PIDS_LIMIT, TMPFS};

/// How an engine is told to drop all capabilities.
const EVERY_CAPABILITY: &str = "ALL";
/// Capabilities that only dropping all of them takes away.
const EVERY_DEVELOPERS: [&str; 3] = ["CHOWN", "SETGID", "SETUID"];
/// How an engine is told that no program may gain rights.
const NO_NEW_PRIVILEGES: &str = "no-new-privileges:true";

/// Puts the walls up. Nothing here, nor anything that can be asked for, makes a container privileged or adds a capability.
pub(super) fn put_up(isolation: Isolation, config: HostConfig) -> HostConfig {
    let config = HostConfig { pids_limit: Some(PIDS_LIMIT), ..config };
    let names = |capabilities: &[&str]| Some(capabilities.iter().map(|name| (*name).to_owned()).collect());
    match isolation {
        // A container has walls always: what asks for some gets them, and what asks for none is refused before.
        Isolation::Standard | Isolation::Require | Isolation::None => {
            HostConfig { cap_drop: names(&DROPPED), ..config }
        }
        Isolation::Strict => HostConfig {
            cap_drop: names(&[EVERY_CAPABILITY]),
            security_opt: names(&[NO_NEW_PRIVILEGES]),
            readonly_rootfs: Some(true),
            tmpfs: Some(TMPFS.map(|(place, options)| (place.to_owned(), options.to_owned())).into()),
            network_mode: config.network_mode.or_else(|| Some("none".to_owned())),
            ..config
        },
    }
}

/// What an engine says of a container's walls.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Said {
    cap_drop: Option<Vec<String>>,
    security_opt: Option<Vec<String>>,
    readonly_rootfs: Option<bool>,
    pids_limit: Option<i64>,
    privileged: Option<bool>,
    cap_add: Option<Vec<String>>,
    pid_mode: Option<String>,
    ipc_mode: Option<String>,
}

impl Said {
    /// How high the walls are. Engines spell capabilities with their prefix or without, and some list all of them
    /// where all were dropped.
    pub(super) fn isolation(&self) -> Walls {
        let dropped: Vec<&str> =
            self.cap_drop.iter().flatten().map(|name| name.strip_prefix("CAP_").unwrap_or(name)).collect();
        let all = dropped.contains(&EVERY_CAPABILITY) || EVERY_DEVELOPERS.iter().all(|name| dropped.contains(name));
        let mut options = self.security_opt.iter().flatten();
        let no_new_privileges =
            options.clone().any(|option| option == NO_NEW_PRIVILEGES || option == "no-new-privileges");
        let opened = self.privileged == Some(true)
            || self.cap_add.as_ref().is_some_and(|added| !added.is_empty())
            || [&self.pid_mode, &self.ipc_mode].into_iter().any(|mode| mode.as_deref() == Some("host"))
            || options.any(|option| option.ends_with("unconfined"));
        if opened {
            Walls::Unknown
        } else if all && no_new_privileges && self.readonly_rootfs == Some(true) {
            Walls::Strict
        } else if DROPPED.iter().all(|name| dropped.contains(name)) && self.pids_limit.is_some_and(|limit| limit > 0) {
            Walls::Standard
        } else {
            Walls::EngineDefault
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::body::create_body;
    use super::super::body::tests::{PLAIN, spec};
    use super::super::container::Inspected;
    use super::*;
    use crate::backend::Spec;

    #[test]
    fn walls_are_read_off_what_the_engine_says_and_not_off_what_was_asked_for() {
        let said = |config: serde_json::Value| {
            let json = serde_json::json!({ "Id": "a", "Name": "/a", "HostConfig": config });
            serde_json::from_value::<Inspected>(json).unwrap().into_workspace().isolation
        };
        for isolation in [Isolation::Standard, Isolation::Strict] {
            let spec = Spec { isolation, ..spec() };
            let config = create_body(&spec, PLAIN, Timestamp::UNIX_EPOCH).host_config.unwrap();
            assert_eq!(said(serde_json::to_value(config).unwrap()).as_str(), isolation.as_str());
        }
        // Podman's spelling.
        let listed = ["CHOWN", "MKNOD", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"];
        let listed: Vec<String> = listed.iter().map(|name| format!("CAP_{name}")).collect();
        let config = serde_json::json!({ "CapDrop": listed, "PidsLimit": 4096 });
        assert_eq!(said(config), Walls::Standard);
        let config =
            serde_json::json!({ "CapDrop": listed, "SecurityOpt": ["no-new-privileges"], "ReadonlyRootfs": true });
        assert_eq!(said(config), Walls::Strict);
        assert_eq!(said(serde_json::json!({ "CapDrop": null, "PidsLimit": 0 })), Walls::EngineDefault);
        let strict =
            serde_json::json!({ "CapDrop": ["ALL"], "SecurityOpt": [NO_NEW_PRIVILEGES], "ReadonlyRootfs": true });
        for (key, value) in [
            ("Privileged", serde_json::json!(true)),
            ("CapAdd", serde_json::json!(["SYS_ADMIN"])),
            ("PidMode", serde_json::json!("host")),
            ("SecurityOpt", serde_json::json!([NO_NEW_PRIVILEGES, "seccomp=unconfined"])),
        ] {
            let mut config = strict.clone();
            config[key] = value;
            assert_eq!(said(config), Walls::Unknown, "{key} makes a hole that no word is kept for");
        }
        let mut config = strict.clone();
        config["SecurityOpt"] = serde_json::json!(["no-new-privileges:false"]);
        assert_eq!(said(config), Walls::EngineDefault);
    }
}
