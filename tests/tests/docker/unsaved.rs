//! `rm` never destroys the only copy of somebody's work unless it is told to.

use agent_workspace_tests::Document;
use agent_workspace_tests::live::{Image, Live, docker, network, token};
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
    assert_eq!(refusal(&live, "work"), finding("untracked", CLONE, 1));
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
    assert_eq!(refusal(&live, "places"), finding("untracked", "/home/agent/side", 1));
    // A worktree, whose .git is a file; a clone in a clone; a name with spaces; a repository without any remote.
    live.inside("places", "rm -r /home/agent/side; cd /work/acme/hello; git worktree add -q -b tree '/work/a tree'; echo x >'/work/a tree/x'");
    assert_eq!(refusal(&live, "places"), finding("untracked", "/work/a tree", 1));
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
    assert_eq!(refusal(&live, "places"), finding("untracked", "/work/acme/hello/vendor", 1));
    // What git is told to ignore is what can be made again.
    live.inside("places", "rm -r /work/acme/hello/vendor; echo built >/work/acme/hello/vendor");
    // A clone that another user owns, and one that cannot be read: neither is taken for nothing.
    live.inside_as_root("places", "git clone -q https://git.test/acme/hello /work/roots; echo x >/work/roots/x");
    assert_eq!(refusal(&live, "places"), finding("untracked", "/work/roots", 1));
    live.inside_as_root("places", "chmod 700 /work/roots");
    assert!(refusal(&live, "places").iter().any(|(kind, ..)| kind == "unchecked"), "{:?}", refusal(&live, "places"));
    live.json("rm places --force").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_volume_that_the_image_brings_is_looked_into_and_kept_with_the_others() {
    let live = Live::new();
    let image = format!("agent-workspace-test:volume-{}", live.id());
    live.stranger(Image::Agent, &format!("--name {}-model", live.id()));
    docker(["commit", "--change", "VOLUME /work/cache", &format!("{}-model", live.id()), &image]);
    docker(["rm", "-f", &format!("{}-model", live.id())]);
    live.json(&format!("create --no-clone --name brought --image {image}")).ok();
    live.inside_as_root("brought", "echo mine >/work/cache/mine.txt");
    live.json("stop brought").ok();
    assert_eq!(refusal(&live, "brought"), finding("files", "/work/cache/mine.txt", 1));
    let kept = live.json("rm brought --keep-volumes").ok();
    let kept = kept.at("/kept").as_array().expect("a list").clone();
    assert_eq!(kept.len(), 3, "{kept:?}");
    for volume in kept {
        docker(["volume", "rm", volume["id"].as_str().expect("a name")]);
    }
    docker(["rmi", &image]);
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

/// What says when a workspace was started last.
fn started(live: &Live, name: &str) -> Value {
    live.inspect(name)["State"]["StartedAt"].clone()
}

/// A name for what is done to a workspace that does not run any more, and what its row says then.
fn at_rest(live: &Live, name: &str, status: &str) {
    match status {
        "stopped" => drop(live.json(&format!("stop {name}")).ok()),
        _ => drop(docker(["pause", &live.full(name)])),
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_does_not_run_is_looked_into_and_stays_as_it_is() {
    let live = Live::new();
    for (image, status) in [
        (Image::Agent, "stopped"),
        (Image::Agent, "paused"),
        // Its user is only in the container's own files.
        (Image::Debian, "stopped"),
        (Image::Debian, "paused"),
    ] {
        live.create_from(image, "acme/hello --name rest").ok();
        // What only its user can read.
        live.inside("rest", "cd /work/acme/hello; umask 077; mkdir mine; echo x >mine/x; chmod 700 /home/agent");
        at_rest(&live, "rest", status);
        let before = started(&live, "rest");
        assert_eq!(refusal(&live, "rest"), finding("untracked", CLONE, 1), "{image:?} {status}");
        assert_eq!(
            (live.row("rest").expect("a row")["status"].as_str(), started(&live, "rest")),
            (Some(status), before)
        );
        assert_eq!(live.containers(), [live.full("rest")], "nothing that looked is left");

        live.json("start rest").ok();
        live.inside("rest", "rm -r /work/acme/hello/mine");
        at_rest(&live, "rest", status);
        live.json("rm rest").ok();
        live.nothing_is_left();
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_clone_that_is_on_no_volume_is_looked_at_where_it_does_not_run() {
    let live = Live::new();
    live.create_from(Image::Debian, "--no-clone --name out --user root").ok();
    live.json("rm out").ok();
    let image = Image::Debian.name();
    let create =
        format!("create acme/hello --name out --image {image} --network {} --user 0 --dir /srv/a/b", network());
    live.json(&create).ok();
    live.inside_as_root("out", "cd /srv/a/b; echo x >x; mv /srv/a/b /srv/a/real; ln -s real /srv/a/b");
    for status in ["running", "stopped", "paused"] {
        if status != "running" {
            at_rest(&live, "out", status);
        }
        for flags in ["", " --keep-volumes"] {
            let refused = live.json(&format!("rm out{flags}")).fails(5, "unsaved_work");
            let found = refused.at("/error/details/unsaved/0").clone();
            assert_eq!(found, json!({ "kind": "untracked", "path": "/srv/a/b", "count": 1 }), "{status}");
        }
        assert_eq!(live.row("out").expect("a row")["status"], status);
        live.json("start out").ok();
    }
    live.inside_as_root("out", "rm /srv/a/b/x");
    live.json("stop out").ok();
    live.json("rm out").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_clone_cannot_use_the_look_to_do_anything() {
    let live = Live::new();
    live.create("acme/hello --name trap").ok();
    // A filter that git runs when it looks: it writes wherever it can, and asks the network.
    live.inside(
        "trap",
        "cd /work/acme/hello; echo '* filter=trap' >.gitattributes; git config filter.trap.clean \
         'sh -c \"echo trapped >/work/trapped; echo trapped >/home/agent/trapped; \
         git ls-remote https://git.test/acme/hello >/dev/null 2>&1 && echo trapped >/tmp/reached; cat\"'; touch README.md",
    );
    live.json("stop trap").ok();
    assert_eq!(refusal(&live, "trap")[0].0, "untracked");
    live.json("start trap").ok();
    assert_eq!(live.inside("trap", "ls -d /work/trapped /home/agent/trapped /tmp/reached 2>/dev/null || true"), "");
    live.json("rm trap --force").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_workspace_that_cannot_be_started_any_more_is_looked_into_all_the_same() {
    let live = Live::new();
    let network = live.network("gone");
    live.json(&format!("create --no-clone --name cut --image {} --network {network}", Image::Agent.name())).ok();
    live.inside("cut", "echo x >/work/x");
    live.json("stop cut").ok();
    docker(["network", "rm", &network]);
    let failed = live.json("start cut");
    assert!([1, 3].contains(&failed.ran.code), "{}", failed.ran.stdout);
    assert!(failed.ran.document().at("/error/causes").to_string().contains("network"));
    assert_eq!(refusal(&live, "cut"), finding("files", "/work/x", 1));
    assert_eq!(live.row("cut").expect("a row")["status"], "stopped");
    live.json("rm cut --force").ok();
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_an_old_launcher_left_without_volumes_is_looked_into() {
    let live = Live::new();
    let name = live.full("bare");
    let label = "agent-kit.workspace=1";
    for status in ["running", "stopped"] {
        docker(["run", "-d", "--init", "--name", &name, "--label", label, &Image::Agent.name(), "sleep", "600"]);
        live.inside("bare", "echo x >/work/x");
        if status == "stopped" {
            at_rest(&live, "bare", status);
        }
        for flags in ["", " --keep-volumes"] {
            let refused = live.json(&format!("rm bare{flags}")).fails(5, "unsaved_work");
            assert_eq!(refused.text("/error/details/unsaved/0/path"), "/work/x", "{status}");
        }
        assert_eq!(live.row("bare").expect("a row")["status"], status);
        live.json("rm bare --force").ok();
        live.nothing_is_left();
    }
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

    // Its volumes are what is left of it, and they are looked at through the agent image.
    let found = refusal(&live, "keep");
    assert_eq!(found[0], ("untracked".to_owned(), CLONE.to_owned(), json!(1)));
    assert_eq!(found[1], ("files".to_owned(), "/home/agent/mine.rc".to_owned(), json!(1)));
    assert_eq!((live.containers(), live.volumes().len()), (Vec::new(), 2));
    live.json("rm keep --keep-volumes").fails(3, "workspace_not_found");

    let again = live.create("acme/hello --name keep").ok();
    assert_eq!(again.at("/created"), true);
    assert_eq!(live.inside("keep", "cat /work/acme/hello/mine.txt /home/agent/mine.rc"), "mine\nrc");
    live.json("rm keep --force").ok();
    live.nothing_is_left();

    live.create("--no-clone --name keep").ok();
    live.json("rm keep --keep-volumes").ok();
    let removed = live.json("rm keep").ok();
    assert_eq!(removed.at("/removed").as_array().map(Vec::len), Some(2), "nothing is on them");
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

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn nothing_that_a_clone_or_its_environment_says_hides_work() {
    let live = Live::new();
    let file = live.file("env", "CODEX_SECRET_DIR=/work\nGIT_DIR=/nonexistent\n");
    live.create(&format!("acme/hello --name hidden --env-file {file}")).ok();
    // Shapes of work, each alone: how it is made, how it goes, and what is found.
    let local = "git clone -q /work/acme/hello /work/copy; git -C /work/copy commit -q --allow-empty -m c";
    let shapes = [
        ("echo x >/work/note", "rm /work/note", "files /work/note"),
        (local, "rm -rf /work/copy", "commits /work/copy"),
        (
            "git update-index --skip-worktree README.md; echo x >>README.md",
            "git update-index --no-skip-worktree README.md; git checkout -q README.md",
            "changes /work/acme/hello",
        ),
        (
            "git update-index --assume-unchanged README.md; echo x >>README.md",
            "git update-index --no-assume-unchanged README.md; git checkout -q README.md",
            "changes /work/acme/hello",
        ),
        (
            "git config core.worktree /srv",
            "git config --file .git/config --unset core.worktree",
            "unchecked /work/acme/hello",
        ),
        (
            "git worktree add -q --detach /tmp/tree; echo x >/tmp/tree/x",
            "git worktree remove --force /tmp/tree",
            "untracked /tmp/tree",
        ),
        (
            "git worktree add -q --detach ~/.cache/tree; echo x >~/.cache/tree/x",
            "git worktree remove --force ~/.cache/tree",
            "untracked /home/agent/.cache/tree",
        ),
        (
            "git clone -q https://git.test/acme/hello ~/.local/side; echo x >~/.local/side/x",
            "rm -rf ~/.local/side",
            "untracked /home/agent/.local/side",
        ),
        (
            "git init -q --separate-git-dir=/tmp/far.git /work/far; git -C /work/far commit -q --allow-empty -m f",
            "rm -rf /work/far /tmp/far.git",
            "commits /work/far",
        ),
        (
            "git init -q /tmp/far; cd /tmp/far; git commit -q --allow-empty -m f; git worktree add -q /work/far",
            "rm -rf /work/far /tmp/far",
            "commits /work/far",
        ),
        ("git notes add -m n", "git update-ref -d refs/notes/commits", "commits /work/acme/hello"),
        (
            "git update-ref refs/wip/a $(git commit-tree -m w -p HEAD HEAD^{tree})",
            "git update-ref -d refs/wip/a",
            "commits /work/acme/hello",
        ),
        (
            "git clone -q --bare https://git.test/acme/hello .git/modules/gone; cd .git/modules/gone; \
             git update-ref refs/heads/own $(git commit-tree -m w -p HEAD HEAD^{tree})",
            "rm -rf .git/modules",
            "commits /work/acme/hello/.git/modules/gone",
        ),
        (
            "mkdir -p \"$(printf '/work/a\\nb')\"; git clone -q https://git.test/acme/hello \"$(printf '/work/a\\nb')/c\"",
            "rm -rf /work/a*b",
            "unchecked /work",
        ),
        ("echo x >~/..name", "rm ~/..name", "files /home/agent/..name"),
        (
            "mkdir -p ~/.config/git; echo new >~/.config/git/ignore; echo x >new",
            "rm new ~/.config/git/ignore",
            "untracked /work/acme/hello",
        ),
    ];
    let run = |script: &str| live.inside("hidden", &format!("unset GIT_DIR; cd {CLONE}; {script}"));
    run("git config --global user.name x; git config --global user.email x@git.test");
    for (make, unmake, expected) in shapes {
        run(make);
        let found = refusal(&live, "hidden");
        assert!(found.iter().any(|(kind, path, _)| format!("{kind} {path}") == expected), "{make}: {found:?}");
        run(unmake);
    }
    live.json("rm hidden").ok();
    live.nothing_is_left();
}
