//! Walls, tried from inside.

use agent_workspace_tests::live::{Answer, Image, Live, network, try_docker};
use serde_json::json;

/// Runs a script inside as the workspace's user, whatever comes of it.
fn tried(live: &Live, name: &str, script: &str) -> i32 {
    try_docker(["exec", "-u", "agent", &live.full(name), "sh", "-ec", script]).code
}

/// What holds for every workspace, whatever was asked for.
fn assert_nothing_of_the_host_is_inside(live: &Live, name: &str) {
    let inspected = live.inspect(name);
    let host = &inspected["HostConfig"];
    assert_eq!(host["Privileged"], false);
    assert!(host["CapAdd"].is_null(), "{host}");
    for key in ["PidMode", "IpcMode", "UTSMode", "UsernsMode"] {
        assert_ne!(host[key], "host", "{key}");
    }
    assert_eq!(host["Devices"].as_array().map_or(0, Vec::len), 0);
    for mount in inspected["Mounts"].as_array().expect("mounts") {
        assert_eq!(mount["Type"], "volume", "{mount}");
    }
    assert_eq!(tried(live, name, "test ! -e /var/run/docker.sock && test ! -e /run/docker.sock"), 0);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn standard_walls_keep_sudo_and_drop_what_a_development_box_does_not_need() {
    let live = Live::new();
    let made = live.create("--no-clone --name standard").ok();
    assert_eq!(made.text("/isolation"), "standard");
    assert_eq!(live.json("describe standard").ok().text("/isolation"), "standard");
    assert_nothing_of_the_host_is_inside(&live, "standard");

    assert_eq!(live.inside("standard", "sudo id -u"), "0");
    // What package managers do: owners, modes, users, another user's processes.
    live.inside(
        "standard",
        "sudo useradd bob; sudo install -o bob -m 4755 /bin/true /usr/local/bin/t; sudo -u bob id; sudo chown bob /work",
    );
    assert_ne!(tried(&live, "standard", "sudo mknod /tmp/disk b 8 0"), 0);
    assert_ne!(tried(&live, "standard", "sudo chroot / true"), 0);
    let bounding = live.inside("standard", "sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status");
    let bounding = u64::from_str_radix(&bounding, 16).expect("a mask");
    for (name, bit) in [("SETPCAP", 8), ("NET_RAW", 13), ("SYS_CHROOT", 18), ("MKNOD", 27), ("SETFCAP", 31)] {
        assert_eq!(bounding >> bit & 1, 0, "{name}");
    }
    assert_eq!(live.inspect("standard")["HostConfig"]["PidsLimit"], 4096);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn strict_walls_have_no_way_up_and_no_way_out() {
    let live = Live::new();
    let line = |rest: &str| format!("create --image {} --isolation strict {rest}", Image::Agent.name());
    let made = live.json(&line("--no-clone --name strict")).ok();
    assert_eq!((made.text("/isolation"), made.warnings()), ("strict", vec![]));
    assert_eq!(live.json("describe strict").ok().text("/isolation"), "strict");
    assert_nothing_of_the_host_is_inside(&live, "strict");

    assert_ne!(tried(&live, "strict", "sudo -n id"), 0);
    assert_ne!(tried(&live, "strict", "touch /etc/x"), 0);
    live.inside("strict", "touch /work/a ~/b /tmp/c /var/tmp/d");
    // Root that somebody gets by the engine itself has no rights either.
    assert_ne!(try_docker(["exec", "-u", "0", &live.full("strict"), "touch", "/etc/x"]).code, 0);
    assert_ne!(try_docker(["exec", "-u", "0", &live.full("strict"), "touch", "/work/x"]).code, 0);
    assert_eq!(live.inside("strict", "ls /sys/class/net"), "lo");
    assert_eq!(live.inside("strict", "grep -c 'NoNewPrivs:.*1' /proc/self/status"), "1");
    let capabilities =
        live.inside_as_root("strict", "sed -n 's/^Cap\\(Eff\\|Bnd\\):[[:space:]]*//p' /proc/self/status");
    assert_eq!(capabilities, "0000000000000000\n0000000000000000");

    // It is stopped, started and come back to like any other.
    live.json("stop strict").ok();
    assert_eq!(live.json("start strict").ok().text("/status"), "running");
    let again = live.json(&line("--no-clone --name strict")).ok();
    assert_eq!((again.at("/created"), again.warnings()), (&json!(false), vec![]));
    live.inside("strict", "rm /work/a ~/b");
    live.json("rm strict").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_clone_works_behind_strict_walls_with_the_network_that_is_named() {
    let live = Live::new();
    let refused =
        live.json(&format!("create acme/hello --name out --image {} --isolation strict", Image::Agent.name()));
    assert!(refused.fails(2, "usage").text("/error/hint").contains("--network"));
    live.create("acme/hello --name out --isolation strict").ok();
    assert!(live.inspect("out")["NetworkSettings"]["Networks"].get(network()).is_some());
    live.inside("out", "cd /work/acme/hello && git status");
    live.json("rm out").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_image_that_would_have_to_be_prepared_is_refused_behind_strict_walls() {
    let live = Live::new();
    for image in [Image::Debian, Image::Busybox] {
        let failed = live.create_from(image, "--no-clone --name plain --isolation strict").fails(9, "image_unusable");
        assert!(failed.text("/error/hint").contains("--isolation standard"), "{}", failed.0);
        live.nothing_is_left();
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn walls_cannot_be_moved_and_say_so() {
    let live = Live::new();
    live.create_from(Image::Busybox, "--no-clone --name fixed").ok();
    let again = live.create_from(Image::Busybox, "--no-clone --name fixed --isolation strict").ok();
    assert_eq!((again.text("/isolation"), again.warnings()), ("standard", vec!["spec_differs"]));
    // One that the first launcher made has the walls that the engine gives.
    live.stranger(Image::Busybox, &format!("--name {} --label agent-kit.workspace=1", live.full("old")));
    assert_eq!(live.json("describe old").ok().text("/isolation"), "engine_default");
    // The default is no wish; the same word is one when it is said.
    live.create("--no-clone --name high --isolation strict").ok();
    assert_eq!(live.create("--no-clone --name high").ok().warnings(), [""; 0]);
    let again = live.create("--no-clone --name high --isolation standard").ok();
    assert_eq!((again.text("/isolation"), again.warnings()), ("strict", vec!["spec_differs"]));
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn secrets_may_be_mounted_deep_inside_behind_strict_walls() {
    let live = Live::new();
    let secrets = live.folder().join("secrets");
    std::fs::create_dir(&secrets).expect("a folder");
    std::fs::write(secrets.join("a"), "b").expect("a file");
    let line = format!(
        "--no-clone --name deep --isolation strict --secrets-dir {} --secrets-mount ~/.config/codex_secrets",
        secrets.display()
    );
    live.create(&line).ok();
    assert_eq!(live.inside("deep", "cat ~/.config/codex_secrets/a"), "b");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_plan_is_what_the_engine_then_shows() {
    let live = Live::new();
    let line = "--no-clone --name planned --cpus 0.5 --isolation strict --plan";
    let plan = Answer::to(&live.creating(Image::Agent, line)).ok();
    live.nothing_is_left();
    Answer::to(&live.creating(Image::Agent, line.trim_end_matches(" --plan"))).ok();
    let (planned, made) = (plan.at("/plan/container").clone(), live.inspect("planned"));
    for key in ["CapDrop", "SecurityOpt", "ReadonlyRootfs", "Tmpfs", "NanoCpus", "PidsLimit", "NetworkMode", "Init"] {
        assert_eq!(planned["HostConfig"][key], made["HostConfig"][key], "{key}");
    }
    assert_eq!(planned["Cmd"], made["Config"]["Cmd"]);
    assert_eq!(plan.at("/plan/networks/0"), &json!(network()));
}
