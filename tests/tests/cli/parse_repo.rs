//! `parse-repo`: a repository by the rules of `create`, without an engine.

use agent_workspace_tests::Launcher;

use crate::{fails, succeeds};

#[test]
fn a_repository_is_taken_apart() {
    for (spec, host) in [
        ("octocat/Hello-World", "github.com"),
        ("https://git.test:8443/octocat/Hello-World.git", "git.test:8443"),
        ("git@git.test:octocat/Hello-World", "git.test"),
        ("ssh://git@git.test:2222/octocat/Hello-World.git", "git.test"),
    ] {
        let document = succeeds(&["parse-repo", spec]);
        assert_eq!(document.text("/command"), "parse-repo");
        assert_eq!(document.text("/repo"), "octocat/Hello-World", "{spec}");
        assert_eq!(document.text("/host"), host, "{spec}");
        assert_eq!(document.text("/url"), format!("https://{host}/octocat/Hello-World.git"), "{spec}");
        assert_eq!(document.text("/path"), "/work/octocat/Hello-World", "{spec}");
    }
}

#[test]
fn for_people_it_is_a_line_each() {
    let ran = Launcher::new(["parse-repo", "o/r", "--host", "git.test"]).run().expect(0);
    assert_eq!(ran.stdout, "repo: o/r\nhost: git.test\nurl: https://git.test/o/r.git\npath: /work/o/r\n");
    assert_eq!(ran.stderr, "");
}

#[test]
fn the_host_of_those_that_name_none_is_that_of_create() {
    let at = |args: &[&str]| {
        let launcher = Launcher::new(args.iter().copied()).env("GITHUB_HOST", "ghe.test").json();
        launcher.run().expect(0).document().text("/host").to_owned()
    };
    assert_eq!(at(&["parse-repo", "o/r"]), "ghe.test");
    assert_eq!(at(&["parse-repo", "o/r", "--host=Other.Test"]), "other.test");
    assert_eq!(at(&["parse-repo", "https://third.test/o/r"]), "third.test");
}

#[test]
fn what_create_refuses_it_refuses_in_the_same_words() {
    for (args, code) in [
        (&["owner"][..], "invalid_repo"),
        (&["a/b/c"], "invalid_repo"),
        (&[""], "invalid_repo"),
        (&["https://user:hunter2@h/o/r"], "invalid_repo"),
        (&["file:///o/r"], "invalid_repo"),
        (&["o/r", "--host", "a b"], "usage"),
        (&["https://h.test/o/r", "--host", "other.test"], "usage"),
        (&["-x/y"], "usage"),
        (&[], "usage"),
    ] {
        let ours = fails(&[&["parse-repo"], args].concat(), 2, code);
        assert!(!ours.text("/error/message").contains("hunter2"));
        if !matches!(args, [] | ["-x/y"]) {
            let create = fails(&[&["create"], args].concat(), 2, code);
            assert_eq!(ours.at("/error"), create.at("/error"), "{args:?}");
        }
    }
}

#[test]
fn neither_engine_nor_token_nor_prefix_matters() {
    let launcher = Launcher::new(["parse-repo", "o/r"])
        .env("DOCKER_HOST", "nonsense")
        .env("AGENT_WORKSPACE_PREFIX", "!!!")
        .env("GH_TOKEN", "two\nlines");
    let _ = launcher.run().expect(0);
}
