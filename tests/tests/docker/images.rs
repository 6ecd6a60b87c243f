//! Images of every kind: what is made to work, and what is refused without leaving anything.

use std::time::Duration;

use agent_workspace_tests::live::{Image, Live, docker};

fn stops_at_once(live: &Live, name: &str) {
    live.json(&format!("stop {name}")).within(Duration::from_secs(2)).ok();
    live.json(&format!("start {name}")).ok();
    live.json(&format!("rm {name}")).ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_shell_is_enough_for_a_workspace_without_a_clone() {
    let live = Live::new();
    let made = live.create_from(Image::Busybox, "--no-clone --name small").ok();
    assert_eq!((made.text("/path"), made.text("/transport/user")), ("/work", "agent"));
    assert_eq!(made.at("/repo"), &serde_json::Value::Null);
    let enter: Vec<String> = made
        .at("/transport/exec")
        .as_array()
        .expect("words")
        .iter()
        .map(|word| word.as_str().expect("a word").to_owned())
        .collect();
    let run = |words: &[&str]| docker(enter.iter().skip(1).map(String::as_str).chain(words.iter().copied()));
    assert_eq!(run(&["id", "-un"]), "agent");
    assert_eq!(run(&["pwd"]), "/work");
    assert_eq!(run(&["sh", "-c", "echo $HOME"]), "/home/agent");
    assert_eq!(run(&["stat", "-c", "%U:%G", "/work", "/home/agent"]), "agent:agent\nagent:agent");
    assert_eq!(run(&["sh", "-c", "touch /work/x /home/agent/y && rm /work/x /home/agent/y && echo yes"]), "yes");
    stops_at_once(&live, "small");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_clone_needs_git_in_the_image() {
    let live = Live::new();
    let failed = live.create_from(Image::Busybox, "acme/hello --name nogit").fails(9, "image_unusable");
    assert!(failed.text("/error/message").contains("git"), "{}", failed.0);
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_image_without_a_shell_is_no_workspace() {
    let live = Live::new();
    let failed = live.create_from(Image::NoShell, "--no-clone --name noshell").fails(9, "image_unusable");
    assert!(failed.text("/error/message").contains("shell"), "{}", failed.0);
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_entrypoint_that_runs_no_command_is_left_out_and_said_so() {
    let live = Live::new();
    let made = live.create_from(Image::Entrypoint, "--no-clone --name entry").ok();
    assert_eq!(made.warnings(), ["entrypoint_skipped"]);
    assert_eq!(live.inside("entry", "id -un; pwd"), "agent\n/work");
    stops_at_once(&live, "entry");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn plain_debian_gets_its_user() {
    let live = Live::new();
    live.create_from(Image::Debian, "acme/hello --name debian").ok();
    assert_eq!(
        live.inside("debian", "id -un; echo $HOME; stat -c %U /work /home/agent /work/acme/hello/README.md"),
        "agent\n/home/agent\nagent\nagent\nagent"
    );
    assert_eq!(live.inside("debian", "git -C /work/acme/hello status --porcelain"), "");
    stops_at_once(&live, "debian");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn commands_run_as_the_user_asked_for() {
    let live = Live::new();
    let made = live.create_from(Image::Debian, "acme/hello --name number --user 1234").ok();
    assert_eq!(made.text("/transport/user"), "1234");
    let owner = |name: &str| {
        docker(["exec", "-u", "0", &live.full(name), "stat", "-c", "%u", "/work", "/work/acme/hello/README.md"])
    };
    assert_eq!(owner("number"), "1234\n1234");
    live.json("stop number").within(Duration::from_secs(2)).ok();
    live.json("rm number").ok();

    let made = live.create_from(Image::Debian, "acme/hello --name root --user root").ok();
    assert_eq!(made.text("/transport/user"), "root");
    assert_eq!(owner("root"), "0\n0");
    live.json("rm root").ok();

    let made = live.create_from(Image::Debian, "acme/hello --name daemon --user daemon").ok();
    assert_eq!(made.text("/transport/user"), "daemon");
    assert_eq!(owner("daemon"), "1\n1");
    live.json("rm daemon").ok();

    let failed =
        live.create_from(Image::Debian, "acme/hello --name nobody --user nosuchuser").fails(9, "image_unusable");
    assert!(failed.text("/error/message").contains("nosuchuser"), "{}", failed.0);
    assert!(failed.text("/error/hint").contains("--user"), "{}", failed.0);
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_image_that_is_nowhere_is_named() {
    let live = Live::new();
    let absent = format!("agent-workspace-test:absent-{}", live.id());
    let failed =
        live.json(&format!("create --no-clone --name x --no-pull --image {absent}")).fails(3, "image_not_found");
    assert_eq!(failed.text("/error/details/image"), absent);
    live.nothing_is_left();
}
