//! Containers that are not the launcher's, and workspaces that an earlier launcher made.

use agent_workspace_tests::live::{Image, Live, docker, network};
use serde_json::{Value, json};

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn somebody_elses_container_is_left_alone_by_every_command() {
    let live = Live::new();
    let elsewhere = format!("stranger{}", live.id());
    live.stranger(Image::Busybox, &format!("--name {elsewhere}"));
    live.stranger(Image::Busybox, &format!("--name {}", live.full("taken")));
    for name in [elsewhere.clone(), live.full("taken"), "taken".to_owned()] {
        for verb in ["rm", "rm --force", "rm --if-exists", "stop", "start", "tunnel --detach", "describe"] {
            let refused = live.json(&format!("{verb} {name}")).fails(4, "name_taken");
            assert!(refused.text("/error/hint").contains("docker"), "{}", refused.0);
        }
    }
    live.create("acme/hello --name taken").fails(4, "name_taken");
    live.create(&format!("--no-clone --name {}", live.full("taken"))).fails(4, "name_taken");
    for name in [elsewhere.as_str(), &live.full("taken")] {
        assert_eq!(docker(["container", "inspect", "--format", "{{.State.Running}}", name]), "true");
    }
    assert!(live.row("taken").is_none());
    assert_eq!(live.volumes(), [""; 0]);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_container_of_an_image_that_was_made_of_a_workspace_is_not_one() {
    let live = Live::new();
    live.create("--no-clone --name model").ok();
    let image = format!("{}:committed", live.full("model"));
    docker(["commit", &live.full("model"), &image]);
    let copy = format!("copy{}", live.id());
    docker(["run", "-d", "--name", &copy, "--label", &format!("owner={}", live.id()), &image, "sleep", "600"]);
    let refused = ["rm --force", "stop", "describe"].map(|verb| live.json(&format!("{verb} {copy}")));
    let running = docker(["container", "inspect", "--format", "{{.State.Running}}", &copy]);
    docker(["rm", "-f", &copy]);
    docker(["rmi", "-f", &image]);
    assert_eq!(running, "true");
    for answer in refused {
        answer.fails(4, "name_taken");
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_container_whose_id_begins_like_a_name_is_not_taken_for_it() {
    let live = Live::new();
    live.stranger(Image::Busybox, &format!("--name stranger{}", live.id()));
    let id = docker(["container", "inspect", "--format", "{{.Id}}", &format!("stranger{}", live.id())]);
    live.json(&format!("rm --force {}", &id[..12])).fails(3, "workspace_not_found");
    live.json(&format!("stop {id}")).fails(3, "workspace_not_found");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_workspace_of_the_first_launcher_lives_on() {
    let live = Live::new();
    let name = live.full("octocat-hello-20260122-084652");
    live.stranger(Image::Agent, &format!(
        "--name {name} --label agent-kit.workspace=1 --label agent-kit.repo=octocat/hello \
         --label agent-kit.created-at=20260122-084652 -v {name}-work:/work -v {name}-home:/home/agent -w /work --network {}",
        network()
    ));
    let short = "octocat-hello-20260122-084652";
    let row = live.row(short).expect("a row");
    assert_eq!(
        (&row["status"], &row["repo"], &row["path"]),
        (&json!("running"), &json!("octocat/hello"), &json!("/work/octocat/hello"))
    );
    let created = row["created_at"].as_str().expect("a time");
    assert!(created.ends_with('Z') && created.len() == 20, "one form of time, whatever the label says: {created}");
    assert_eq!(row["image"].as_str(), Some(Image::Agent.name().as_str()));

    assert_eq!(live.json(&format!("stop {short}")).ok().at("/changed"), true);
    assert_eq!(live.row(short).expect("a row")["status"], "stopped");
    assert_eq!(live.json(&format!("start {short}")).ok().at("/changed"), true);
    live.inside_as_root(
        short,
        "mkdir -p /work/octocat && git clone -q https://git.test/acme/hello /work/octocat/hello",
    );
    live.inside_as_root(short, "chown -R agent: /work /home/agent; echo x >/work/octocat/hello/x");
    let refused = live.json(&format!("rm {short}")).fails(5, "unsaved_work");
    assert_eq!(refused.text("/error/details/unsaved/0/kind"), "untracked");
    live.inside_as_root(short, "rm /work/octocat/hello/x");
    let removed = live.json(&format!("rm {short}")).ok();
    assert_eq!(removed.at("/removed").as_array().map(Vec::len), Some(3));
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_old_workspace_whose_image_has_no_such_user_says_why_it_cannot_be_looked_into() {
    let live = Live::new();
    let name = live.full("plain");
    live.stranger(Image::Busybox, &format!("--name {name} --label agent-kit.workspace=1 -v {name}-work:/work"));
    let answer = live.json("rm plain");
    if answer.ran.code == 0 {
        // Looked into as whoever it runs as, which is as good.
        live.nothing_is_left();
        return;
    }
    let refused = answer.fails(5, "unsaved_work");
    assert!(refused.at("/error/causes").to_string().contains("agent"), "{}", refused.0);
    live.json("rm plain --force").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_workspace_without_any_label_is_known_by_its_name_and_volumes() {
    let live = Live::new();
    let name = live.full("bare");
    live.stranger(
        Image::Busybox,
        &format!(
            "--name {name} -v {name}-work:/work -v {name}-home:/home/agent -v {name}-agent-home:/home/agent/.agents"
        ),
    );
    let described = live.json("describe bare").ok();
    assert_eq!(described.at("/workspace/repo"), &Value::Null);
    assert_eq!(described.text("/workspace/path"), "/work");
    live.json("stop bare").ok();
    live.json("start bare").ok();
    let back = live.create_from(Image::Busybox, "--no-clone --name bare").ok();
    assert_eq!(back.at("/created"), false);
    let removed = live.json("rm bare").ok();
    assert_eq!(removed.at("/removed").as_array().map(Vec::len), Some(4));
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn volumes_that_only_resemble_a_workspaces_stay() {
    let live = Live::new();
    let name = live.full("x");
    // Of another workspace whose name only begins the same way; and one that the container mounts but does not own.
    live.create_from(Image::Busybox, "--no-clone --name x-work").ok();
    docker(["volume", "create", &format!("{name}-data")]);
    live.stranger(
        Image::Busybox,
        &format!("--name {name} --label agent-kit.workspace=1 -v {name}-work:/work -v {name}-data:/data"),
    );
    let removed = live.json("rm x --force").ok();
    assert_eq!(removed.at("/removed").as_array().map(Vec::len), Some(2), "{}", removed.0);
    let mut left = live.volumes();
    left.sort();
    assert_eq!(left, [format!("{name}-data"), format!("{name}-work-home"), format!("{name}-work-work")]);

    // Called exactly like one of ours, and labelled by somebody else.
    let theirs = ["work", "home", "agent-home"].map(|ending| format!("{}-{ending}", live.full("theirs")));
    for volume in &theirs {
        docker(["volume", "create", "--label", "com.docker.compose.project=shop", volume]);
    }
    live.json("rm theirs").fails(3, "workspace_not_found");
    live.json("rm theirs --force").fails(3, "workspace_not_found");
    live.stranger(Image::Busybox, &format!("--name {} --label agent-kit.workspace=1", live.full("theirs")));
    let removed = live.json("rm theirs --force").ok();
    assert_eq!(removed.at("/removed").as_array().map(Vec::len), Some(1), "{}", removed.0);
    let left = live.volumes();
    assert!(theirs.iter().all(|volume| left.contains(volume)), "{left:?}");
}
