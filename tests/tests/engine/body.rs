//! What `create` asks for, in the engine's own words.

use agent_workspace_tests::engine::{CREATE_ID, Engine};
use serde_json::{Value, json};

use crate::succeeds;

const PLAIN: [&str; 6] = ["create", "--no-clone", "--name", "a", "--image", "ready:1"];

/// What is asked for with these flags more.
fn body(flags: &[&str]) -> Value {
    let engine = Engine::start();
    engine.has_network("lan");
    succeeds(&engine, &[&PLAIN, flags].concat());
    engine.create_body()
}

#[test]
fn a_workspace_is_a_container_with_an_init_and_two_volumes() {
    let body = body(&[]);
    assert_eq!(body["HostConfig"]["Init"], true);
    assert_eq!(body["Hostname"], "agent-ws-a");
    assert_eq!(body["WorkingDir"], "/work");
    let mounts = body["HostConfig"]["Mounts"].as_array().expect("mounts");
    let places: Vec<_> = mounts.iter().map(|mount| (&mount["Type"], &mount["Source"], &mount["Target"])).collect();
    let volume = json!("volume");
    assert_eq!(
        places,
        [
            (&volume, &json!("agent-ws-a-work"), &json!("/work")),
            (&volume, &json!("agent-ws-a-home"), &json!("/home/agent")),
        ]
    );
}

#[test]
fn nothing_that_was_not_asked_for_is_limited_or_opened() {
    let body = body(&[]);
    assert_eq!(body["Image"], "ready:1");
    for pointer in ["/User", "/Entrypoint", "/ExposedPorts", "/Tty"] {
        assert!(body.pointer(pointer).is_none_or(Value::is_null), "{pointer}: {body}");
    }
    for key in ["NanoCpus", "Memory", "NetworkMode", "Binds", "Privileged", "PortBindings", "CapAdd", "PidMode"] {
        assert!(body["HostConfig"].get(key).is_none_or(Value::is_null), "{key}: {body}");
    }
}

#[test]
fn standard_walls_leave_a_development_box_its_sudo_and_nothing_it_does_not_need() {
    for body in [body(&[]), body(&["--isolation", "standard"])] {
        let host = &body["HostConfig"];
        assert_eq!(host["CapDrop"], json!(["MKNOD", "NET_RAW", "SETFCAP", "SETPCAP", "SYS_CHROOT"]));
        assert_eq!(host["PidsLimit"], 4096);
        for key in ["SecurityOpt", "ReadonlyRootfs", "Tmpfs", "NetworkMode"] {
            assert!(host.get(key).is_none_or(Value::is_null), "{key}: {host}");
        }
    }
}

#[test]
fn strict_walls_leave_no_rights_no_root_and_no_network() {
    let body = body(&["--isolation=strict"]);
    let host = &body["HostConfig"];
    assert_eq!(host["CapDrop"], json!(["ALL"]));
    assert_eq!(host["SecurityOpt"], json!(["no-new-privileges:true"]));
    assert_eq!((&host["ReadonlyRootfs"], &host["NetworkMode"]), (&json!(true), &json!("none")));
    assert_eq!(host["PidsLimit"], 4096);
    let places: Vec<_> = host["Tmpfs"].as_object().expect("folders in memory").keys().collect();
    assert_eq!(places, ["/run", "/tmp", "/var/tmp"]);
}

#[test]
fn no_flag_makes_a_container_privileged_or_mounts_what_it_must_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = folder.path().to_str().expect("temporary folders are UTF-8");
    let choices: [&[&[&str]]; 5] = [
        &[&[], &["--isolation", "strict"], &["--isolation", "standard"]],
        &[&[], &["--network", "lan"], &["--network", "none"]],
        &[&[], &["--user", "root"], &["--user", "0:0"]],
        &[&[], &["--secrets-dir", secrets], &["--secrets-dir", secrets, "--secrets-readonly"]],
        &[&[], &["--cpus", "1", "--memory", "64m", "--label", "a=b"]],
    ];
    let mut combinations = vec![Vec::new()];
    for choice in choices {
        combinations = combinations
            .iter()
            .flat_map(|chosen: &Vec<&str>| choice.iter().map(move |more| [chosen.as_slice(), more].concat()))
            .collect();
    }
    assert_eq!(combinations.len(), 162);
    let engine = Engine::start();
    engine.has_network("lan");
    for flags in combinations {
        let plan = succeeds(&engine, &[&PLAIN[..], &flags, &["--plan"]].concat());
        let body = plan.at("/plan/container");
        let host = body["HostConfig"].as_object().expect("a host configuration");
        let allowed = [
            "CapDrop",
            "Init",
            "Memory",
            "Mounts",
            "NanoCpus",
            "NetworkMode",
            "PidsLimit",
            "ReadonlyRootfs",
            "SecurityOpt",
            "Tmpfs",
        ];
        let others: Vec<_> = host.keys().filter(|key| !allowed.contains(&key.as_str())).collect();
        assert!(others.is_empty(), "{flags:?}: {others:?}");
        for mount in host["Mounts"].as_array().expect("mounts") {
            assert!(mount["Type"] == "volume" || mount["Source"] == secrets, "{flags:?}: {mount}");
        }
        assert!(host.get("SecurityOpt").is_none_or(|options| *options == json!(["no-new-privileges:true"])));
    }
}

#[test]
fn containers_carry_the_labels_of_the_first_launcher_and_ours() {
    let engine = Engine::start();
    succeeds(&engine, &["create", "octocat/Hello-World", "--name", "a", "--image", "ready:1"]);
    let body = engine.create_body();
    let labels = &body["Labels"];
    assert_eq!(labels["agent-kit.workspace"], "1");
    assert_eq!(labels["agent-kit.repo"], "octocat/Hello-World");
    assert_eq!(labels["agent-workspace.version"], env!("CARGO_PKG_VERSION"));
    let created = labels["agent-kit.created-at"].as_str().expect("a time");
    let shape: String = created.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00Z", "RFC 3339 and UTC: {created}");
    let spec: Value = serde_json::from_str(labels["agent-workspace.spec"].as_str().expect("a spec")).expect("JSON");
    assert_eq!((&spec["image"], &spec["path"]), (&json!("ready:1"), &json!("/work/octocat/Hello-World")));
}

#[test]
fn without_a_repository_there_is_no_label_of_one() {
    assert!(body(&[])["Labels"].get("agent-kit.repo").is_none());
}

#[test]
fn volumes_carry_the_name_of_their_workspace_and_the_id_of_their_create() {
    let body = body(&[]);
    let id = &body["Labels"][CREATE_ID];
    assert!(id.as_str().is_some_and(|id| id.len() == 16), "{id}");
    for mount in body["HostConfig"]["Mounts"].as_array().expect("mounts") {
        let labels = &mount["VolumeOptions"]["Labels"];
        assert_eq!(*labels, json!({ "agent-kit.workspace": "agent-ws-a", CREATE_ID: id }));
    }
}

#[test]
fn every_create_has_an_id_of_its_own() {
    assert_ne!(body(&[])["Labels"][CREATE_ID], body(&[])["Labels"][CREATE_ID]);
}

#[test]
fn limits_are_in_the_engines_units() {
    let both = [
        &["--cpus", "1.5", "--memory", "2g", "--network", "lan", "--user", "1000:1000"][..],
        &["--cpus=1.5", "--memory=2g", "--network=lan", "--user=1000:1000"],
    ];
    for flags in both {
        let body = body(flags);
        let host = &body["HostConfig"];
        assert_eq!(host["NanoCpus"], 1_500_000_000_i64, "{flags:?}");
        assert_eq!(host["Memory"], 2_i64 << 30, "{flags:?}");
        assert_eq!(host["NetworkMode"], "lan", "{flags:?}");
        assert_eq!(body["User"], "1000:1000", "{flags:?}");
    }
}

#[test]
fn labels_asked_for_are_set_beside_ours() {
    for flags in [&["--label", "team=blue", "--label", "empty"][..], &["--label=team=blue", "--label=empty"]] {
        let labels = body(flags)["Labels"].clone();
        assert_eq!((&labels["team"], &labels["empty"]), (&json!("blue"), &json!("")), "{flags:?}");
        assert_eq!(labels["agent-kit.workspace"], "1");
    }
}

#[test]
fn the_environment_is_ours_and_that_of_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("env");
    std::fs::write(&file, "# ours\nA=1 2\nFROM_HOST\nNOT_THERE\n").expect("a file");
    let engine = Engine::start();
    let launcher = engine.launcher(PLAIN).arg("--env-file").arg(&file).env("FROM_HOST", "h");
    launcher.json().run().expect(0).document();
    let env = engine.create_body()["Env"].clone();
    let env: Vec<&str> = env.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(env.contains(&"A=1 2") && env.contains(&"FROM_HOST=h"), "{env:?}");
    assert!(env.contains(&"HOME=/home/agent") && env.contains(&"AGENT_HOME=/home/agent/.agents"), "{env:?}");
    assert!(!env.iter().any(|line| line.starts_with("NOT_THERE") || line.starts_with("PATH=")), "{env:?}");
}

#[test]
fn names_that_are_longer_than_a_hostname_are_cut_there_and_only_there() {
    let long = format!("{}-20260122-123456", "x".repeat(60));
    let engine = Engine::start();
    let document = succeeds(&engine, &["create", "--no-clone", "--name", &long, "--image", "ready:1"]);
    assert_eq!(document.text("/workspace"), format!("agent-ws-{long}"));
    assert_eq!(document.warnings(), ["hostname_cut"]);
    let body = engine.create_body();
    let hostname = body["Hostname"].as_str().expect("a hostname");
    assert_eq!(hostname.len(), 63);
    assert!(hostname.starts_with("agent-ws-xxx") && hostname.ends_with("-123456"), "{hostname}");
}

#[test]
fn on_the_hosts_network_the_hosts_name_holds() {
    let engine = Engine::start();
    succeeds(&engine, &[&PLAIN[..], &["--network", "host"]].concat());
    assert!(engine.create_body().get("Hostname").is_none_or(Value::is_null));
}

#[test]
fn images_of_the_environment_are_used_in_the_order_of_the_contract() {
    for (env, image) in [
        (&[("AGENT_ENV_IMAGE", "plain:1"), ("CODEX_ENV_IMAGE", "ready:1")][..], "plain:1"),
        (&[("CODEX_ENV_IMAGE", "plain:1")], "plain:1"),
        (&[], concat!("agent-workspace:", env!("CARGO_PKG_VERSION"))),
    ] {
        let engine = Engine::start();
        engine.has_ready_image(concat!("agent-workspace:", env!("CARGO_PKG_VERSION")));
        let mut launcher = engine.launcher(["up", "--no-clone", "--name", "a"]).json();
        for (name, value) in env {
            launcher = launcher.env(*name, *value);
        }
        let document = launcher.run().expect(0).document();
        assert_eq!((document.text("/image"), document.text("/command")), (image, "up"));
    }
}
