//! What flags of `create` become in the engine.

use agent_workspace_tests::live::{Answer, Image, Live, docker, network};
use serde_json::json;

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn limits_labels_and_variables_are_the_containers() {
    let live = Live::new();
    let file = live.file("env", "# a comment\nGREETING=hello there\nFROM_HOST\nEMPTY=\n");
    let line =
        format!("--no-clone --name limits --cpus 0.5 --memory 64m --label team=blue --label note --env-file {file}");
    let made = Answer::to(&live.creating(Image::Busybox, &line).env("FROM_HOST", "its value")).ok();
    assert_eq!(made.warnings(), [""; 0]);
    let inspected = live.inspect("limits");
    assert_eq!(inspected["HostConfig"]["NanoCpus"], 500_000_000);
    assert_eq!(inspected["HostConfig"]["Memory"], 64 << 20);
    assert_eq!(inspected["HostConfig"]["Init"], true);
    assert_eq!(
        (&inspected["Config"]["Labels"]["team"], &inspected["Config"]["Labels"]["note"]),
        (&json!("blue"), &json!(""))
    );
    assert!(inspected["NetworkSettings"]["Networks"].get(network()).is_some());
    let seen = live.inside("limits", "echo \"$GREETING,$FROM_HOST,$EMPTY,$HOME\"");
    assert_eq!(seen, "hello there,its value,,/home/agent");
    // For tools of the first launcher.
    assert_eq!(inspected["Config"]["Labels"]["agent-kit.workspace"], "1");
    assert_eq!(inspected["Config"]["WorkingDir"], "/work");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn networks_are_the_engines_own() {
    let live = Live::new();
    let create = |network: &str| {
        live.json(&format!("create --no-clone --name net --image {} --network {network}", Image::Busybox.name()))
    };
    create("none").ok();
    assert_eq!(live.inside("net", "ls /sys/class/net"), "lo");
    live.json("rm net").ok();

    create("host").ok();
    assert_eq!(live.inspect("net")["HostConfig"]["NetworkMode"], "host");
    live.json("rm net").ok();

    let failed = create("nosuch-network").fails(3, "network_not_found");
    assert_eq!(failed.text("/error/details/network"), "nosuch-network");
    live.nothing_is_left();

    // No way out from inside: git says so.
    let line = format!("create acme/hello --name net --image {} --network none", Image::Agent.name());
    live.json(&line).fails(7, "git_unreachable");
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_taken_host_port_or_bad_value_of_the_engine_leaves_nothing() {
    let live = Live::new();
    let cpus = docker(["system", "info", "--format", "{{.NCPU}}"]).parse::<u32>().expect("a number") + 1;
    let failed =
        live.create_from(Image::Busybox, &format!("--no-clone --name many --cpus {cpus}")).fails(1, "engine_error");
    assert!(failed.text("/error/causes/0").contains("CPUs"), "{}", failed.0);
    live.nothing_is_left();
}
