//! Cloning: refs, folders, submodules, awkward repositories, credentials, failures that leave nothing behind.

use agent_workspace_tests::live::{Answer, Image, Live, docker, network, token};
use serde_json::json;

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_ref_is_a_branch_a_tag_or_a_commit() {
    let live = Live::new();
    let at = |name: &str| {
        live.inside(name, "cd /work/acme/hello; git describe --all --exact-match --always; git status -sb")
    };

    live.create("acme/hello --name branch --ref feature/x").ok();
    assert_eq!(at("branch"), "heads/feature/x\n## feature/x...origin/feature/x");

    live.create("acme/hello --name tag --ref v1.0").ok();
    assert_eq!(at("tag"), "tags/v1.0\n## HEAD (no branch)");
    let commit = live.inside("tag", "git -C /work/acme/hello rev-parse HEAD");

    live.create(&format!("acme/hello --name commit --ref {commit}")).ok();
    assert_eq!(live.inside("commit", "git -C /work/acme/hello rev-parse HEAD"), commit);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_ref_that_is_nowhere_leaves_nothing_behind() {
    let live = Live::new();
    for git_ref in ["nosuch", "feature", "0123456789012345678901234567890123456789"] {
        let failed = live.create(&format!("acme/hello --name ref --ref {git_ref}")).fails(3, "ref_not_found");
        assert_eq!(failed.text("/error/details/ref"), git_ref);
        live.nothing_is_left();
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_ref_asked_for_later_is_checked_out_unless_that_would_touch_changes() {
    let live = Live::new();
    let branch = || live.inside("later", "git -C /work/acme/hello branch --show-current");
    live.create("acme/hello --name later").ok();

    let again = live.create("acme/hello --name later --ref feature/x").ok();
    assert_eq!((again.at("/created"), branch().as_str()), (&json!(false), "feature/x"));

    live.inside("later", "echo changed >>/work/acme/hello/README.md");
    let refused = live.create("acme/hello --name later --ref main").fails(4, "ref_conflict");
    assert_eq!(refused.text("/error/details/path"), "/work/acme/hello");
    assert_eq!(branch(), "feature/x");
    // What it is at already needs no checkout.
    live.create("acme/hello --name later --ref feature/x").ok();
    assert!(live.inside("later", "cat /work/acme/hello/README.md").ends_with("changed"));

    live.create("acme/hello --name later --ref nosuch").fails(3, "ref_not_found");
    assert_eq!(live.row("later").expect("a row")["status"], "running");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_branch_made_since_is_found_on_coming_back() {
    let live = Live::new();
    let repository = live.repository("grows");
    live.create(&format!("{} --name grows", repository.slug())).ok();
    repository.branch("since");
    live.create(&format!("{} --name grows --ref since", repository.slug())).ok();
    let at = live.inside("grows", &format!("git -C /work/{} branch --show-current", repository.slug()));
    assert_eq!(at, "since");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_clone_goes_where_dir_says_and_never_over_something_else() {
    let live = Live::new();
    let made = live.create("acme/hello --name dir --dir src/hello").ok();
    assert_eq!((made.text("/path"), made.text("/transport/workdir")), ("/work/src/hello", "/work/src/hello"));
    assert_eq!(live.inside("dir", "git -C /work/src/hello branch --show-current"), "main");

    // In the home, which is a volume too; and where no volume is, with a warning.
    let home = live.create("acme/hello --name dir --dir /home/agent/hello").ok();
    assert_eq!((home.at("/created"), home.text("/path")), (&json!(false), "/home/agent/hello"));
    let lost = live.create("acme/hello --name dir --dir /tmp/hello").ok();
    assert!(lost.warnings().contains(&"path_not_persistent"), "{:?}", lost.warnings());

    let awkward = "/work/a b/$(id)'ü";
    let made = Answer::to(&live.creating(Image::Agent, "acme/hello --name dir --dir").arg(awkward)).ok();
    assert_eq!((made.text("/path"), made.text("/transport/workdir")), (awkward, awkward));
    assert_eq!(docker(["exec", "-w", awkward, &live.full("dir"), "git", "branch", "--show-current"]), "main");

    live.inside("dir", "mkdir /work/taken; echo x >/work/taken/file");
    let taken = live.create("acme/hello --name dir --dir taken").fails(4, "path_occupied");
    assert_eq!(taken.text("/error/details/path"), "/work/taken");
    assert_eq!(live.inside("dir", "ls /work/taken"), "file");

    live.inside("dir", "git -C /work/src/hello remote set-url origin https://user:hunter2@git.test/acme/other.git");
    let other = live.create("acme/hello --name dir --dir src/hello").fails(4, "spec_conflict");
    assert!(other.text("/error/message").contains("https://git.test/acme/other.git"), "{}", other.0);
    assert!(!other.0.to_string().contains("hunter2"));

    // Where the user may not write.
    live.create("acme/hello --name dir --dir /etc/hello").fails(1, "guest_failed");
    live.create("acme/hello --name new --dir /etc/hello").fails(1, "guest_failed");
    assert_eq!(live.containers(), [live.full("dir")]);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn submodules_are_cloned_when_asked_for() {
    let live = Live::new();
    live.create("acme/with-submodule --name without").ok();
    assert_eq!(live.inside("without", "ls -A /work/acme/with-submodule/vendor/hello"), "");
    live.create("acme/with-submodule --name with --recurse-submodules").ok();
    assert_eq!(live.inside("with", "head -n1 /work/acme/with-submodule/vendor/hello/README.md"), "# hello");
    assert_eq!(live.inside("with", "git -C /work/acme/with-submodule status --porcelain"), "");
    live.json("rm with").ok();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn the_default_branch_is_the_repositorys_own_and_may_have_no_commit() {
    let live = Live::new();
    live.create("acme/master-only --name master").ok();
    assert_eq!(live.inside("master", "git -C /work/acme/master-only branch --show-current"), "master");

    let empty = live.create("acme/empty --name empty").ok();
    assert_eq!(empty.text("/path"), "/work/acme/empty");
    assert_eq!(
        live.inside("empty", "git -C /work/acme/empty status -sb"),
        "## No commits yet on main...origin/main [gone]"
    );
    live.json("rm empty").ok();
    live.create("acme/empty --name empty --ref main").fails(3, "ref_not_found");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn every_spelling_of_a_repository_is_cloned_over_https() {
    let live = Live::new();
    live.create("https://other.test/acme/hello.git --name url").ok();
    assert_eq!(
        live.inside("url", "git -C /work/acme/hello remote get-url origin"),
        "https://other.test/acme/hello.git"
    );
    let scp = live.create("git@other.test:acme/hello.git --name url").ok();
    assert_eq!(scp.at("/created"), false);
    live.create("ssh://git@git.test/acme/hello --name url").fails(4, "spec_conflict");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_private_repository_wants_the_right_token() {
    let live = Live::new();
    let create = |name: &str, env: &[(&str, &str)]| {
        let launcher = live.creating(Image::Agent, &format!("acme/private --name {name}"));
        Answer::to(&env.iter().fold(launcher, |launcher, (name, value)| launcher.env(*name, *value)))
    };
    let token = token();

    let without = create("without", &[]).fails(6, "git_auth_missing");
    assert!(without.text("/error/hint").contains("GH_TOKEN"), "{}", without.0);
    let wrong = create("wrong", &[("GH_TOKEN", "not-it")]).fails(6, "git_auth_failed");
    assert!(wrong.text("/error/message").contains("refused the token"), "{}", wrong.0);
    create("wrong", &[("GH_TOKEN", "not-it"), ("GITHUB_TOKEN", &token)]).fails(6, "git_auth_failed");
    live.nothing_is_left();

    create("gh", &[("GH_TOKEN", &token)]).ok();
    assert_eq!(live.inside("gh", "head -n1 /work/acme/private/README.md"), "# private");
    assert_eq!(
        live.inside("gh", "git -C /work/acme/private remote get-url origin"),
        "https://git.test/acme/private.git"
    );
    create("github", &[("GITHUB_TOKEN", &token)]).ok();
    create("both", &[("GH_TOKEN", &token), ("GITHUB_TOKEN", "not-it")]).ok();
    // An empty one is none.
    create("empty", &[("GH_TOKEN", ""), ("GITHUB_TOKEN", &token)]).ok();
    // What everybody may read, a wrong token does not keep away: git asks for one only when it must.
    Answer::to(&live.creating(Image::Agent, "acme/hello --name open").env("GH_TOKEN", "not-it")).ok();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn failures_of_git_have_codes_and_leave_nothing_behind() {
    let live = Live::new();
    // Without a token the server does not say whether there is such a repository; with one it does.
    let missing = live.create("acme/nosuch --name x").fails(6, "git_auth_missing");
    assert!(missing.text("/error/message").contains("or there is no such repository"), "{}", missing.0);
    live.nothing_is_left();
    let create = |line: &str| Answer::to(&live.creating(Image::Agent, line).env("GH_TOKEN", token()));
    let hidden = create("acme/nosuch --name x").fails(3, "repo_not_found");
    assert!(hidden.text("/error/message").contains("or hides it"), "{}", hidden.0);
    live.nothing_is_left();
    let failed = live.create("https://nosuch.test/acme/hello --name x").fails(7, "git_unreachable");
    assert_eq!(failed.at("/error/retryable"), true);
    live.nothing_is_left();
    live.create("https://git.test:444/acme/hello --name x").fails(7, "git_unreachable");
    live.nothing_is_left();
    // The engine's own name for the server is on no certificate; and an image that does not know the authority.
    let server = network();
    let failed = live.create(&format!("https://{server}/acme/hello --name x")).fails(6, "git_untrusted");
    assert!(failed.text("/error/hint").contains("certificate"), "{}", failed.0);
    live.nothing_is_left();
    let agent_image = concat!("agent-workspace:", env!("CARGO_PKG_VERSION"));
    let untrusting = live.launcher(&format!("create acme/hello --name x --image {agent_image} --network {server}"));
    let failed = Answer::to(&untrusting.env("GH_TOKEN", token())).fails(6, "git_untrusted");
    assert!(failed.text("/error/causes/0").contains("certificate"), "{}", failed.0);
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn hooks_of_a_clone_do_not_run_beside_the_token() {
    let live = Live::new();
    let repository = live.repository("hooks").private();
    let create = |line: &str| {
        let line = format!("{} --name hooks {line}", repository.slug());
        Answer::to(&live.creating(Image::Agent, &line).env("GH_TOKEN", token())).ok()
    };
    create("");
    // What the agent inside can leave in the clone: each says that it ran, and a helper would be told the token.
    let trap = "cd /work/$1
        printf '#!/bin/sh\necho ran \"$0\" >>/tmp/ran\ncat >>/tmp/ran\n' >/tmp/trap; chmod +x /tmp/trap
        for hook in post-checkout reference-transaction post-index-change; do cp /tmp/trap .git/hooks/$hook; done
        git config core.fsmonitor /tmp/trap
        git config credential.helper /tmp/trap
        git config credential.https://git.test/$1.git.helper /tmp/trap
        git checkout -q -b mine; test -s /tmp/ran; rm /tmp/ran";
    live.inside("hooks", &trap.replace("$1", repository.slug()));
    repository.branch("since");
    create("--ref since");
    let at = live.inside("hooks", &format!("git -C /work/{} branch --show-current", repository.slug()));
    assert_eq!(at, "since", "it was fetched with the token");
    assert_eq!(live.inside("hooks", "cat /tmp/ran 2>/dev/null || true"), "");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_full_disk_is_named() {
    let live = Live::new();
    let repository = live.repository("big").with_megabytes(4);
    // A volume that was there before, on a file system of two megabytes.
    let volume = format!("{}-work", live.full("full"));
    docker([
        "volume",
        "create",
        "--opt",
        "type=tmpfs",
        "--opt",
        "device=tmpfs",
        "--opt",
        "o=size=2m,mode=777",
        &volume,
    ]);
    let failed = live.create(&format!("{} --name full", repository.slug())).fails(1, "disk_full");
    assert!(failed.text("/error/causes/0").contains("No space left on device"), "{}", failed.0);
    assert_eq!(live.volumes(), [volume], "a volume that was there before stays");
    assert_eq!(live.containers(), [""; 0]);
}
