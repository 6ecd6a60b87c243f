//! The token reaches git and nothing else: it is looked for everywhere while a clone runs and afterwards.

use std::process::Command;

use agent_workspace_tests::live::{Answer, Image, Live, Running, docker, run_with_input, token};

/// Everything that the engine and the container's processes show, by where it was seen.
fn shown(live: &Live, name: &str, since: &str) -> Vec<(&'static str, String)> {
    let full = live.full(name);
    // A process may end while it is looked at.
    let processes = "for f in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do cat $f 2>/dev/null || true; echo; done";
    vec![
        ("docker inspect", docker(["container", "inspect", &full])),
        (
            "docker inspect of the volumes",
            docker(["volume", "inspect", &format!("{full}-work"), &format!("{full}-home")]),
        ),
        ("docker logs", docker(["logs", &full])),
        (
            "docker events",
            docker(["events", "--since", since, "--until", "0s", "--filter", &format!("container={full}")]),
        ),
        // Each sees the environment of its own processes only.
        ("/proc of the container", live.inside(name, processes) + &live.inside_as_root(name, processes)),
        ("/proc/*/cmdline of the host", command_lines_of_the_host()),
    ]
}

fn command_lines_of_the_host() -> String {
    let processes = std::fs::read_dir("/proc").expect("there is a /proc").flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned() + "\n").collect()
}

/// Names of the files of a container, its volumes included, that hold the token. The token goes in over stdin, or the
/// search would find itself.
fn files_with_token(live: &Live, name: &str) -> String {
    let search = "grep -rlaFf - --exclude-dir=proc --exclude-dir=sys / 2>/dev/null || true";
    let mut command = Command::new("docker");
    command.args(["exec", "-i", "-u", "0", &live.full(name), "sh", "-c", search]);
    run_with_input(&mut command, &format!("{}\n", token())).expect(0).stdout
}

fn assert_hidden<'a>(seen: impl IntoIterator<Item = (&'a str, String)>) {
    let token = token();
    for (place, text) in seen {
        assert!(!text.contains(&token), "the token is in {place}");
    }
}

/// The engine's time, without fractions: for the end of the events it takes none either.
fn seconds() -> String {
    let time = docker(["system", "info", "--format", "{{.SystemTime}}"]);
    format!("{}Z", time.split('.').next().unwrap_or(&time))
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn the_search_finds_a_token_where_there_is_one() {
    let live = Live::new();
    let since = seconds();
    let secret = live.file("env", &format!("LEAK={}\n", token()));
    live.create(&format!("--no-clone --name leak --env-file {secret}")).ok();
    live.inside("leak", "cat /proc/1/environ >/home/agent/leak");
    let found: Vec<&str> = shown(&live, "leak", &since)
        .into_iter()
        .filter(|(_, text)| text.contains(&token()))
        .map(|(place, _)| place)
        .collect();
    assert_eq!(found, ["docker inspect", "/proc of the container"]);
    assert_eq!(files_with_token(&live, "leak"), "/home/agent/leak\n");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn the_token_is_nowhere_while_a_clone_runs_nor_afterwards() {
    let live = Live::new();
    let repository = live.held_repository("secret").private();
    let since = seconds();
    let line = format!("{} --name canary --log-format json", repository.slug());
    let mut clone = Running::start(&live.creating(Image::Agent, &line).env("GH_TOKEN", token()).json());
    // git has shown the token to the server by now, and waits for the contents.
    repository.wait_until_reached();
    assert_hidden(shown(&live, "canary", &since));
    assert_eq!(files_with_token(&live, "canary"), "");
    assert!(clone.runs(), "the clone runs while it is looked at");
    repository.release();
    let answer = clone.answer();
    assert_hidden([("stdout", answer.ran.stdout.clone()), ("the events", answer.ran.stderr.clone())]);
    answer.ok();

    assert_hidden(shown(&live, "canary", &since));
    assert_eq!(files_with_token(&live, "canary"), "");
    let configuration =
        live.inside("canary", &format!("git -C /work/{} config --list --show-origin", repository.slug()));
    assert!(!configuration.contains("credential") && !configuration.contains('@'), "{configuration}");

    // A failure in the same workspace, and one that removes a new one.
    let line = format!("{} --name canary --dir again --ref nosuch", repository.slug());
    let failed = live.creating(Image::Agent, &line).env("GH_TOKEN", token());
    let failed = Running::start(&failed).answer().ran.expect(3);
    assert_hidden([("stdout", failed.stdout), ("stderr", failed.stderr)]);
    assert_hidden(shown(&live, "canary", &since));
    assert_eq!(files_with_token(&live, "canary"), "");
    assert_eq!(live.inside("canary", "find /tmp /work -name 'tmp.*' -o -name '.clone*'"), "");

    let line = format!("{} --name failed --ref nosuch", repository.slug());
    let failed = live.creating(Image::Agent, &line).env("GH_TOKEN", token());
    let failed = Answer::to(&failed).ran.expect(3);
    assert_hidden([("stdout", failed.stdout), ("stderr", failed.stderr)]);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_refused_token_is_not_shown_either() {
    let live = Live::new();
    let refused = format!("{}-refused", token());
    for form in ["--output json", "--output json --log-format json", "--quiet", ""] {
        let line = format!("acme/private --name refused {form}");
        let ran = live.creating(Image::Agent, &line).env("GITHUB_TOKEN", &refused).run().expect(6);
        assert_hidden([("stdout", ran.stdout), ("stderr", ran.stderr)]);
    }
    live.nothing_is_left();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn the_token_goes_to_the_repositorys_host_and_to_no_other() {
    let live = Live::new();
    let module = live.repository("module").private();
    let repository = live.repository("main").with_submodule(&module).private();
    let create = |url: &str| {
        let line = format!("{url}{} --name host --recurse-submodules", repository.slug());
        Answer::to(&live.creating(Image::Agent, &line).env("GH_TOKEN", token()))
    };
    // The same server by its other name: the submodule is somebody else's there.
    let failed = create("https://other.test/").fails(6, "git_auth_missing");
    assert!(failed.text("/error/message").contains("the token is for other.test alone"), "{}", failed.0);
    assert!(repository.visitors().contains(&"x-access-token".to_owned()));
    assert!(module.visitors().iter().all(|user| user == "-"), "{:?}", module.visitors());
    live.nothing_is_left();

    create("").ok();
    assert_eq!(live.inside("host", &format!("head -n1 /work/{}/sub/README.md", repository.slug())), "# hello");
    assert!(module.visitors().contains(&"x-access-token".to_owned()));
}
