//! `rm` never destroys the only copy of somebody's work unless it is told to.

use agent_workspace_tests::Document;
use agent_workspace_tests::live::{Image, Live, docker, token};
use serde_json::{Value, json};

const CLONE: &str = "/work/acme/hello";

/// What an `rm` that refuses says is unsaved, without the counts that say nothing more.
fn refusal(live: &Live, name: &str) -> Vec<(String, String, Value)> {
    let refused: Document = live.json(&format!("rm {name}")).fails(5, "unsaved_work");
    assert_eq!(refused.text("/error/details/workspace"), live.full(name));
    assert!(refused.text("/error/hint").contains("--force"), "{}", refused.0);
    let list = refused.at("/error/details/unsaved").as_array().expect("a list").clone();
    let text = |item: &Value, key: &str| item[key].as_str().expect("a string").to_owned();
    list.iter().map(|item| (text(item, "kind"), text(item, "path"), item["count"].clone())).collect()
}

fn finding(kind: &str, path: &str, count: u64) -> Vec<(String, String, Value)> {
    vec![(kind.to_owned(), path.to_owned(), json!(count))]
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn each_kind_of_unsaved_work_is_refused_by_name() {
    let live = Live::new();
    live.create("acme/hello --name work").ok();
    let git = |script: &str| {
        live.inside("work", &format!("cd {CLONE}; git config user.name x; git config user.email x@git.test; {script}"))
    };

    git("echo more >>README.md");
    assert_eq!(refusal(&live, "work"), finding("changes", CLONE, 1));
    git("git add README.md");
    assert_eq!(refusal(&live, "work"), finding("changes", CLONE, 1));
    git("git stash -q");
    assert_eq!(refusal(&live, "work"), finding("stashes", CLONE, 1));
    git("git stash drop -q; echo new >new.txt");
    assert_eq!(refusal(&live, "work"), finding("changes", CLONE, 1));
    git("git add new.txt; git commit -q -m one; git commit -q --allow-empty -m two");
    assert_eq!(refusal(&live, "work"), finding("commits", CLONE, 2));
    git(
        "git reset -q --hard origin/main; git switch -q -c mine; git commit -q --allow-empty -m three; git switch -q main",
    );
    assert_eq!(refusal(&live, "work"), finding("commits", CLONE, 1));
    git("git branch -q -D mine; git checkout -q --detach; git commit -q --allow-empty -m four");
    assert_eq!(refusal(&live, "work"), finding("commits", CLONE, 1));
    git("git tag only; git checkout -q main");
    assert_eq!(refusal(&live, "work"), finding("commits", CLONE, 1));
    git("git tag -d only; git tag -a -m mine mine");
    // A tag on a commit that is pushed loses a name and no work.
    live.inside("work", "echo note >/work/note.txt");
    assert_eq!(refusal(&live, "work"), finding("files", "/work/note.txt", 1));
    live.inside("work", "rm /work/note.txt");

    live.json("rm work").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn work_is_looked_for_everywhere_a_clone_can_be() {
    let live = Live::new();
    live.create("acme/hello --name places").ok();
    live.inside("places", "git clone -q https://git.test/acme/hello /home/agent/side; echo x >/home/agent/side/x");
    assert_eq!(refusal(&live, "places"), finding("changes", "/home/agent/side", 1));
    // A worktree, whose .git is a file; a clone in a clone; a name with spaces; a repository without any remote.
    live.inside("places", "rm -r /home/agent/side; cd /work/acme/hello; git worktree add -q -b tree '/work/a tree'; echo x >'/work/a tree/x'");
    assert_eq!(refusal(&live, "places"), finding("changes", "/work/a tree", 1));
    live.inside("places", "cd /work/acme/hello; git worktree remove --force '/work/a tree'; git branch -q -D tree");
    live.inside(
        "places",
        "git init -q /work/local; cd /work/local; git -c user.name=x -c user.email=x commit -q --allow-empty -m x",
    );
    assert_eq!(refusal(&live, "places"), finding("commits", "/work/local", 1));
    live.inside(
        "places",
        "rm -r /work/local; git clone -q https://git.test/acme/hello /work/acme/hello/vendor; \
                           echo /vendor >>/work/acme/hello/.git/info/exclude; echo x >/work/acme/hello/vendor/x",
    );
    assert_eq!(refusal(&live, "places"), finding("changes", "/work/acme/hello/vendor", 1));
    // What git is told to ignore is what can be made again.
    live.inside("places", "rm -r /work/acme/hello/vendor; echo built >/work/acme/hello/vendor");
    // A clone that another user owns, and one that cannot be read: neither is taken for nothing.
    live.inside_as_root("places", "git clone -q https://git.test/acme/hello /work/roots; echo x >/work/roots/x");
    assert_eq!(refusal(&live, "places"), finding("changes", "/work/roots", 1));
    live.inside_as_root("places", "chmod 700 /work/roots");
    assert!(refusal(&live, "places").iter().any(|(kind, ..)| kind == "unchecked"), "{:?}", refusal(&live, "places"));
    live.json("rm places --force").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_pushed_commit_is_saved() {
    let live = Live::new();
    let repository = live.repository("pushed");
    live.create(&format!("{} --name pushed", repository.slug())).ok();
    let clone = format!("/work/{}", repository.slug());
    live.inside(
        "pushed",
        &format!("cd {clone}; git -c user.name=x -c user.email=x@git.test commit -q --allow-empty -m mine"),
    );
    assert_eq!(refusal(&live, "pushed"), finding("commits", &clone, 1));
    let push = format!(
        "git -C {clone} -c http.extraHeader=\"Authorization: Basic $(printf x-access-token:{} | base64 -w0)\" push -q origin main",
        token()
    );
    live.inside("pushed", &push);
    live.json("rm pushed").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_stopped_workspace_is_looked_into_and_is_stopped_afterwards() {
    let live = Live::new();
    live.create("acme/hello --name stopped").ok();
    live.inside("stopped", "echo x >/work/acme/hello/x");
    live.json("stop stopped").ok();
    assert_eq!(refusal(&live, "stopped"), finding("changes", CLONE, 1));
    assert_eq!(live.row("stopped").expect("a row")["status"], "stopped");
    live.json("start stopped").ok();
    live.inside("stopped", "rm /work/acme/hello/x");
    live.json("stop stopped").ok();
    live.json("rm stopped").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_cannot_be_looked_into_is_not_removed_and_not_changed() {
    let live = Live::new();
    // Frozen on purpose, perhaps.
    live.create("--no-clone --name frozen").ok();
    docker(["pause", &live.full("frozen")]);
    assert_eq!(refusal(&live, "frozen")[0].0, "unchecked");
    assert_eq!(live.row("frozen").expect("a row")["status"], "paused");
    live.json("rm frozen --force").ok();

    // Its network is gone, and it cannot be started any more.
    let network = live.network("gone");
    live.json(&format!("create --no-clone --name cut --image {} --network {network}", Image::Agent.name())).ok();
    live.json("stop cut").ok();
    docker(["network", "rm", &network]);
    let failed = live.json("start cut");
    assert!([1, 3].contains(&failed.ran.code), "{}", failed.ran.stdout);
    assert!(failed.ran.document().at("/error/causes").to_string().contains("network"));
    let refused = live.json("rm cut").fails(5, "unsaved_work");
    assert!(refused.at("/error/causes").to_string().contains("network"), "{}", refused.0);
    assert_eq!(live.row("cut").expect("a row")["status"], "stopped");
    live.json("rm cut --force").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_container_that_was_made_and_never_started_is_shown_and_can_be_started_or_removed() {
    let live = Live::new();
    for verb in ["start", "rm"] {
        let name = live.full("never");
        let volume = format!("{name}-work:/work");
        docker([
            "create",
            "--init",
            "--name",
            &name,
            "--label",
            "agent-kit.workspace=1",
            "-v",
            &volume,
            &Image::Agent.name(),
            "sleep",
            "600",
        ]);
        let row = live.row("never").expect("a row");
        assert_eq!((&row["status"], &row["problems"][0]["code"]), (&json!("creating"), &json!("never_started")));
        assert_eq!(live.json("stop never").ok().at("/changed"), false);
        assert_eq!(live.json(&format!("{verb} never")).ok().at("/changed"), true);
        live.json("rm never --if-exists").ok();
        live.nothing_is_left();
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn force_removes_and_keep_volumes_keeps() {
    let live = Live::new();
    live.create("acme/hello --name keep").ok();
    live.inside("keep", "echo mine >/work/acme/hello/mine.txt; echo rc >/home/agent/mine.rc");

    let kept = live.json("rm keep --keep-volumes").ok();
    assert_eq!(kept.at("/removed"), &json!([{ "kind": "container", "id": live.full("keep") }]));
    assert_eq!(kept.at("/kept").as_array().map(Vec::len), Some(2));
    assert_eq!(live.volumes().len(), 2);

    // Its volumes are what is left of it, and nobody knows what they hold.
    let refused = live.json("rm keep").fails(5, "unsaved_work");
    assert_eq!(refused.text("/error/details/unsaved/0/kind"), "unchecked");
    live.json("rm keep --keep-volumes").fails(3, "workspace_not_found");

    let again = live.create("acme/hello --name keep").ok();
    assert_eq!(again.at("/created"), true);
    assert_eq!(live.inside("keep", "cat /work/acme/hello/mine.txt /home/agent/mine.rc"), "mine\nrc");
    live.json("rm keep --force").ok();
    live.nothing_is_left();

    live.create("--no-clone --name keep").ok();
    live.json("rm keep --keep-volumes").ok();
    let removed = live.json("rm keep --force").ok();
    assert_eq!(removed.at("/removed").as_array().map(Vec::len), Some(2));
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_image_without_git_can_be_looked_into_for_what_it_can_hold() {
    let live = Live::new();
    live.create_from(Image::Busybox, "--no-clone --name plain").ok();
    live.inside("plain", "echo x >/work/x");
    assert_eq!(refusal(&live, "plain"), finding("files", "/work/x", 1));
    // What looks like a clone cannot be judged without git.
    live.inside("plain", "rm /work/x; mkdir -p /work/clone/.git");
    let found = refusal(&live, "plain");
    assert_eq!((found[0].0.as_str(), found[0].1.as_str()), ("unchecked", "/work/clone"));
    live.inside("plain", "rm -r /work/clone");
    live.json("rm plain").ok();
    live.nothing_is_left();
}
