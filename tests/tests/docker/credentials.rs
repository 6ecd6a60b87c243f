//! Git credentials that stay in a workspace: kept by gh or by git's own store, for one host each, and used by nobody
//! else.

use std::process::Command;

use agent_workspace_tests::live::{Answer, GitServer, Image, Live, run_with_input, try_docker};
use agent_workspace_tests::{Launcher, Ran};

const STORE: &str = "/home/agent/.agents-env/git-credentials";
const HOSTS_OF_GH: &str = "/home/agent/.config/gh/hosts.yml";

fn creating(live: &Live, image: Image, server: &GitServer, line: &str) -> Launcher {
    live.launcher(&format!("create --image {} --network {} {line} --setup-git", image.name(), server.network()))
}

/// Runs a script in a workspace as its user, whatever comes of it.
fn attempt(live: &Live, name: &str, script: &str) -> Ran {
    try_docker(["exec", "-u", "agent", &live.full(name), "sh", "-c", script])
}

/// Whether a token is what git in the workspace would use for a host. It goes in over stdin.
fn answers(live: &Live, name: &str, host: &str, token: &str) -> bool {
    let script = format!(
        "read -r token; test \"$(printf 'protocol=https\\nhost={host}\\n\\n' | GIT_TERMINAL_PROMPT=0 git credential \
         fill 2>/dev/null | sed -n s/^password=//p)\" = \"$token\""
    );
    let mut command = Command::new("docker");
    command.args(["exec", "-i", "-u", "agent", &live.full(name), "sh", "-c", &script]);
    run_with_input(&mut command, &format!("{token}\n")).code == 0
}

/// Fetches and pushes from inside, with nothing but what is kept there.
fn works_inside(live: &Live, name: &str, branch: &str) {
    live.inside(
        name,
        &format!(
            "cd /work/acme/private; env | grep -i token && exit 1
             git fetch -q; git switch -q -c {branch}; echo x >>README.md
             git -c user.name=x -c user.email=x@git.test commit -qam more; git push -q -u origin {branch} 2>&1
             git ls-remote --exit-code origin {branch}"
        ),
    );
}

/// Owner and mode of a file in a workspace.
fn owner_and_mode(live: &Live, name: &str, file: &str) -> String {
    live.inside_as_root(name, &format!("stat -c '%U %a' {file}"))
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn git_fetches_and_pushes_inside_with_what_its_own_store_keeps() {
    let live = Live::new();
    let token = format!("store-{}", live.id());
    let server = live.git_server(&live.network("net"), &["git.test"], &token);
    let made = Answer::to(&creating(&live, Image::Agent, &server, "acme/private --name store").env("GH_TOKEN", &token));
    assert!(made.ok().at("/timings_ms/credentials").is_u64());
    works_inside(&live, "store", "one");
    assert_eq!(owner_and_mode(&live, "store", STORE), "agent 600");
    // Nothing of it is in the clone, and it outlives the container's stopping.
    let clone = live.inside("store", "git -C /work/acme/private config --local --list");
    assert!(!clone.contains("credential") && !clone.contains(&token), "{clone}");
    live.json("stop store").ok();
    live.json("start store").ok();
    works_inside(&live, "store", "two");
    assert!(!answers(&live, "store", "elsewhere.test", &token));
    // What is kept is no unsaved work.
    live.json("rm store").ok();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn git_fetches_and_pushes_inside_with_what_gh_keeps() {
    let live = Live::new();
    let token = format!("gh-{}", live.id());
    let server = live.git_server(&live.network("net"), &["git.test"], &token);
    let create = |line: &str| Answer::to(&creating(&live, Image::Tools, &server, line).env("GH_TOKEN", &token));
    create("acme/private --name gh").ok();
    works_inside(&live, "gh", "one");
    assert_eq!(owner_and_mode(&live, "gh", HOSTS_OF_GH), "agent 600");
    assert_eq!(attempt(&live, "gh", &format!("test -e {STORE}")).code, 1, "one keeper is enough");
    assert!(!answers(&live, "gh", "elsewhere.test", &token));
    // Again is no failure.
    create("acme/private --name gh").ok();
    works_inside(&live, "gh", "two");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn each_host_is_given_its_own_token_and_no_other() {
    let live = Live::new();
    let network = live.network("net");
    let (first, second) = (format!("first-{}", live.id()), format!("second-{}", live.id()));
    let one = live.git_server(&network, &["git.test"], &first);
    let other = live.git_server(&network, &["other.test"], &second);
    for image in [Image::Agent, Image::Tools] {
        let name = format!("hosts-{image:?}").to_lowercase();
        let line = format!("--no-clone --name {name} --host");
        let keep = |host: &str, token: &str| {
            Answer::to(&creating(&live, image, &one, &format!("{line} {host}")).env("GH_TOKEN", token)).ok()
        };
        keep("git.test", &first);
        keep("other.test", &second);
        for (host, token, is) in [
            ("git.test", &first, true),
            ("git.test", &second, false),
            ("other.test", &second, true),
            ("other.test", &first, false),
            ("third.test", &first, false),
            ("third.test", &second, false),
            ("sub.git.test", &first, false),
            ("git.test:8443", &first, false),
        ] {
            assert_eq!(answers(&live, &name, host, token), is, "{image:?} {host}");
        }
        for host in ["git.test", "other.test"] {
            live.inside(&name, &format!("git ls-remote --exit-code https://{host}/acme/private.git main"));
        }
        // Whoever is shown another's token refuses it, and writes that down.
        for server in [&one, &other] {
            let log = server.log();
            assert!(log.contains("x-access-token 200") && !log.contains("x-access-token 401"), "{log}");
        }
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_host_that_is_no_github_is_served_by_gits_own_store_though_gh_is_there() {
    let live = Live::new();
    let network = live.network("net");
    let token = format!("token-{}", live.id());
    let server = live.git_server(&network, &["plain.test"], &token);
    let line = "--no-clone --name plain --host plain.test";
    Answer::to(&creating(&live, Image::Tools, &server, line).env("GH_TOKEN", &token)).ok();
    assert!(answers(&live, "plain", "plain.test", &token));
    assert_eq!(live.inside("plain", &format!("test -e {HOSTS_OF_GH} || echo none")), "none");
    live.inside("plain", "git ls-remote --exit-code https://plain.test/acme/private.git main");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_token_given_later_takes_the_place_of_the_first() {
    let live = Live::new();
    let network = live.network("net");
    let (old, new) = (format!("old-{}", live.id()), format!("new-{}", live.id()));
    let server = live.git_server(&network, &["git.test"], &new);
    let keep = |image: Image, token: &str| {
        let line = "--no-clone --name later --host git.test";
        Answer::to(&creating(&live, image, &server, line).env("GH_TOKEN", token))
    };
    // git's own store takes any token without a question.
    keep(Image::Agent, &old).ok();
    assert!(answers(&live, "later", "git.test", &old));
    keep(Image::Agent, &new).ok();
    assert!(answers(&live, "later", "git.test", &new));
    assert_eq!(live.inside("later", &format!("grep -c . {STORE}")), "1");
    assert_eq!(
        live.inside("later", "git config --global --get-all credential.https://git.test.helper | grep -c ."),
        "1"
    );
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn other_helpers_are_not_told_the_token() {
    let live = Live::new();
    let token = format!("helper-{}", live.id());
    let server = live.git_server(&live.network("net"), &["git.test"], &token);
    for image in [Image::Agent, Image::Tools] {
        let name = format!("helper-{image:?}").to_lowercase();
        live.json(&format!("create --no-clone --name {name} --image {} --network {}", image.name(), server.network()))
            .ok();
        live.inside(
            &name,
            "git config --global credential.helper '!f() { cat >>/home/agent/.told; }; f'
             git config --global credential.https://git.test.helper 'store --file /home/agent/.plain'",
        );
        let line = format!("acme/private --name {name}");
        Answer::to(&creating(&live, image, &server, &line).env("GH_TOKEN", &token)).ok();
        works_inside(&live, &name, &name);
        let found = live.inside(&name, "cat /home/agent/.told /home/agent/.plain 2>/dev/null || true");
        assert!(!found.contains(&token), "{image:?}: {found}");
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_token_that_is_refused_or_cannot_be_kept_fails_the_create_and_is_not_kept() {
    let live = Live::new();
    let token = format!("good-{}", live.id());
    let server = live.git_server(&live.network("net"), &["git.test"], &token);
    let keep = |image: Image, token: &str, line: &str| {
        Answer::to(&creating(&live, image, &server, &format!("--no-clone --name failed {line}")).env("GH_TOKEN", token))
    };
    keep(Image::Tools, "not-it", "--host git.test").fails(6, "git_auth_failed");
    keep(Image::Tools, &token, "--host nosuch.test").fails(7, "git_unreachable");
    let container = server.id()[..12].to_owned();
    keep(Image::Tools, &token, &format!("--host {container}")).fails(6, "git_untrusted");
    keep(Image::Busybox, &token, "--host git.test").fails(9, "image_unusable");
    keep(Image::Agent, "", "--host git.test").fails(6, "git_auth_missing");
    live.nothing_is_left();

    // A workspace that was there stays, with what it had.
    keep(Image::Tools, &token, "--host git.test").ok();
    keep(Image::Tools, "not-it", "--host git.test").fails(6, "git_auth_failed");
    assert!(answers(&live, "failed", "git.test", &token));

    // Where nothing can be written.
    live.json(&format!("create --no-clone --name full --image {} --network {}", Image::Agent.name(), server.network()))
        .ok();
    live.inside_as_root("full", "rm -rf /home/agent/.agents-env; echo x >/home/agent/.agents-env");
    let line = "--no-clone --name full --host git.test";
    let failed = Answer::to(&creating(&live, Image::Agent, &server, line).env("GH_TOKEN", &token));
    failed.fails(1, "credentials_failed");
    assert_eq!(live.row("full").expect("a row")["status"], "running");
    assert!(!answers(&live, "full", "git.test", &token));
}
