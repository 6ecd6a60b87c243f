//! The same engine, reached in every way that the docker client knows.

use std::process::Command;

use agent_workspace_tests::live::{
    Answer, Certificates, Forwarder, Image, Live, Running, SshServer, run_with_input, token,
};
use agent_workspace_tests::{Document, Launcher};

/// A workspace's life over a way to the engine: `over` puts the way into the launcher's environment. Returns the
/// document of its making.
fn lives(live: &Live, name: &str, over: impl Fn(Launcher) -> Launcher) -> Document {
    let json = |line: &str| Answer::to(&over(live.launcher(line))).ok();
    let made = Answer::to(&over(live.creating(Image::Agent, &format!("acme/hello --name {name}")))).ok();
    assert_eq!(made.at("/created"), true);
    let listed = json("ls");
    let full = live.full(name);
    let rows = listed.at("/workspaces").as_array().expect("rows");
    assert!(rows.iter().any(|row| row["workspace"] == full.as_str()));
    assert_eq!(json(&format!("stop {name}")).at("/changed"), true);
    assert_eq!(json(&format!("start {name}")).at("/changed"), true);
    assert_eq!(json(&format!("rm {name}")).at("/removed").as_array().map(Vec::len), Some(3));
    live.nothing_is_left();
    made
}

/// Runs `git` through the transport of a document, in the environment of a launcher.
fn enter(document: &Document, launcher: &Launcher, words: &[&str]) -> String {
    let transport = document.at("/transport/exec").as_array().expect("words");
    let transport: Vec<&str> = transport.iter().filter_map(|word| word.as_str()).collect();
    let mut command = Command::new(transport[0]);
    command.args(&transport[1..]).args(words).env_clear();
    command.envs(launcher.command().get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))));
    run_with_input(&mut command, "").expect(0).stdout
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn over_a_socket() {
    let live = Live::new();
    let way = Forwarder::unix(live.folder());
    lives(&live, "unix", |launcher| launcher.env("DOCKER_HOST", way.address()));
    assert!(way.requests() > 10);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn over_tcp() {
    let live = Live::new();
    let way = Forwarder::tcp();
    lives(&live, "tcp", |launcher| launcher.env("DOCKER_HOST", way.address()));
    assert!(way.requests() > 10);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn over_tls_with_certificates_on_both_sides() {
    let live = Live::new();
    let ours = Certificates::make(&live.folder().join("ours"));
    let others = Certificates::make(&live.folder().join("others"));
    let way = Forwarder::tls(ours.acceptor());
    let over = |launcher: Launcher, certificates: &Certificates| {
        launcher
            .env("DOCKER_HOST", way.address())
            .env("DOCKER_TLS_VERIFY", "1")
            .env("DOCKER_CERT_PATH", certificates.folder())
    };
    lives(&live, "tls", |launcher| over(launcher, &ours));
    let served = way.requests();
    assert!(served > 10);

    // An engine that we do not trust, one that does not trust us, and no TLS at all.
    Answer::to(&over(live.launcher("ls"), &others)).fails(7, "engine_unavailable");
    std::fs::copy(ours.folder().join("ca.pem"), others.folder().join("ca.pem")).expect("a file");
    Answer::to(&over(live.launcher("ls"), &others)).fails(7, "engine_unavailable");
    Answer::to(&live.launcher("ls").env("DOCKER_HOST", way.address())).fails(7, "engine_unavailable");
    assert_eq!(way.requests(), served, "nobody else was served");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn over_ssh() {
    let live = Live::new();
    let server = SshServer::start(live.folder());
    let user = run_with_input(Command::new("id").arg("-un"), "").expect(0).stdout;
    let address = format!("ssh://{}@127.0.0.1:{}", user.trim(), server.port());
    let over = |launcher: Launcher| launcher.env("PATH", server.path()).env("DOCKER_HOST", address.as_str());
    lives(&live, "ssh", over);

    // What the document says works for the docker client in the same environment.
    let made = Answer::to(&over(live.creating(Image::Agent, "acme/hello --name entered"))).ok();
    assert_eq!(enter(&made, &over(live.launcher("")), &["git", "branch", "--show-current"]), "main\n");
    Answer::to(&over(live.launcher("rm entered"))).ok();

    // A host that nobody vouches for; a port where nobody is; no ssh at all.
    let stranger = Answer::to(&live.launcher("ls").env("DOCKER_HOST", address.as_str()));
    let document = stranger.fails(7, "engine_unavailable");
    assert!(document.text("/error/hint").starts_with("check it: ssh "), "{}", document.0);
    Answer::to(&over(live.launcher("ls")).env("DOCKER_HOST", "ssh://127.0.0.1:1")).fails(7, "engine_unavailable");
    let without = Answer::to(&live.launcher("ls").env("DOCKER_HOST", address.as_str()).env("PATH", "/nonexistent"));
    assert!(without.fails(7, "engine_unavailable").text("/error/message").contains("ssh"));
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn over_ssh_the_token_is_not_handed_to_ssh() {
    let live = Live::new();
    let server = SshServer::start(live.folder());
    let user = run_with_input(Command::new("id").arg("-un"), "").expect(0).stdout;
    let repository = live.held_repository("secret").private();
    let launcher = live.creating(Image::Agent, &format!("{} --name token", repository.slug()));
    let address = format!("ssh://{}@127.0.0.1:{}", user.trim(), server.port());
    let launcher = launcher.env("PATH", server.path()).env("DOCKER_HOST", address).env("GH_TOKEN", token());
    let clone = Running::start(&launcher.json());
    repository.wait_until_reached();
    // It could be told by its configuration to send variables on.
    let children = clone.children();
    assert!(!children.is_empty());
    for child in children {
        let environment = std::fs::read(format!("/proc/{child}/environ")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&environment).contains(&token()), "ssh has the token");
    }
    repository.release();
    clone.answer().ok();
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn over_a_docker_context() {
    let live = Live::new();
    let configuration = live.folder().join("docker");
    let way = Forwarder::tcp();
    let context = |words: &[&str]| {
        let mut command = Command::new("docker");
        command.arg("context").args(words).env("DOCKER_CONFIG", &configuration).env_remove("DOCKER_HOST");
        run_with_input(&mut command, "").expect(0)
    };
    let _ = context(&["create", "far", "--docker", &format!("host={}", way.address())]);
    let over = |launcher: Launcher| launcher.env("DOCKER_CONFIG", configuration.as_os_str()).env("DOCKER_HOST", "");
    lives(&live, "context", |launcher| over(launcher).env("DOCKER_CONTEXT", "far"));
    let served = way.requests();
    assert!(served > 10);

    // The one in use counts without the variable; DOCKER_HOST counts more than either.
    let _ = context(&["use", "far"]);
    Answer::to(&over(live.launcher("ls"))).ok();
    assert!(way.requests() > served);
    let served = way.requests();
    let other = Forwarder::unix(live.folder());
    Answer::to(&over(live.launcher("ls")).env("DOCKER_HOST", other.address()).env("DOCKER_CONTEXT", "far")).ok();
    assert_eq!((way.requests(), other.requests() > 0), (served, true));
    Answer::to(&over(live.launcher("ls")).env("DOCKER_CONTEXT", "nosuch")).fails(2, "invalid_environment");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn over_a_docker_context_with_tls() {
    let live = Live::new();
    let configuration = live.folder().join("docker");
    let certificates = Certificates::make(&live.folder().join("tls"));
    let way = Forwarder::tls(certificates.acceptor());
    let file = |name: &str| certificates.folder().join(name).display().to_string();
    let endpoint =
        format!("host={},ca={},cert={},key={}", way.address(), file("ca.pem"), file("cert.pem"), file("key.pem"));
    let mut command = Command::new("docker");
    command.args(["context", "create", "far", "--docker", &endpoint]).env("DOCKER_CONFIG", &configuration);
    let _ = run_with_input(&mut command, "").expect(0);
    let over = live.launcher("ls").env("DOCKER_CONFIG", configuration.as_os_str()).env("DOCKER_HOST", "");
    Answer::to(&over.env("DOCKER_CONTEXT", "far")).ok();
    assert!(way.requests() > 0);
}
