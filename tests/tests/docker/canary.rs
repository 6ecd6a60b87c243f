//! A token that looks like nothing else is given to every command, and looked for everywhere: in every process of the
//! machine, in everything that the engine shows and writes down, in every file that is left.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use agent_workspace_tests::live::{
    Answer, EngineLog, GitServer, Image, Live, Machines, Running, SshServer, Watch, docker, run_with_input, skip,
};
use agent_workspace_tests::{Launcher, Ran};

const STORE: &str = "/home/agent/.agents-env/git-credentials";
const HOSTS_OF_GH: &str = "/home/agent/.config/gh/hosts.yml";

/// One run of all commands.
struct Search<'a> {
    live: &'a Live,
    token: String,
    server: GitServer,
    since: String,
    log: Option<EngineLog>,
    driven: RefCell<BTreeSet<String>>,
}

impl<'a> Search<'a> {
    fn new(live: &'a Live) -> Self {
        let token = format!("canary-{}-{}", live.id(), std::process::id());
        let server = live.git_server(&live.network("net"), &["git.test", "other.test"], &token);
        for folder in ["home", "tmp"] {
            std::fs::create_dir(live.folder().join(folder)).expect("a folder");
        }
        let time = docker(["system", "info", "--format", "{{.SystemTime}}"]);
        let since = format!("{}Z", time.split('.').next().unwrap_or(&time));
        Self { live, token, server, since, log: EngineLog::find(), driven: RefCell::default() }
    }

    /// The launcher with the token in its environment and nowhere to write but the test's folder.
    fn launcher(&self, line: &str) -> Launcher {
        self.driven.borrow_mut().extend(line.split_whitespace().take(2).map(str::to_owned));
        let folder = self.live.folder();
        let launcher = self.live.launcher(line).env("GH_TOKEN", &self.token).env("GITHUB_TOKEN", &self.token);
        let launcher = launcher.env("GIT_CREDENTIALS_CANARY", &self.token).env("GIT_CREDENTIALS_ORG", &self.token);
        launcher.env("HOME", folder.join("home")).env("TMPDIR", folder.join("tmp"))
    }

    fn creating(&self, image: Image, line: &str) -> Launcher {
        self.launcher(&format!("create --image {} --network {} {line}", image.name(), self.server.network()))
    }

    /// Runs a command for people, who are told everything in events, and for programs, to this end.
    fn drive(&self, launcher: &Launcher, exit: i32) {
        self.heard(&Running::start(&launcher.clone().arg("--log-format=json")).answer().ran.expect(exit));
        self.once(launcher, exit);
    }

    /// Runs a command once, to this end.
    fn once(&self, launcher: &Launcher, exit: i32) {
        self.heard(&Answer::to(launcher).ran.expect(exit));
    }

    fn heard(&self, ran: &Ran) {
        for (stream, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            assert!(!text.contains(&self.token), "the token is on {stream}: {text}");
        }
    }

    /// Files of a container, its volumes included, that hold the token; `docker diff` says that nothing is new in /usr. It goes in over stdin, or the search would find
    /// itself.
    fn files(&self, name: &str) -> Vec<String> {
        let search = "grep -rlaFf - --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr / 2>/dev/null || true";
        let mut command = Command::new("docker");
        command.args(["exec", "-i", "-u", "0", &self.live.full(name), "sh", "-c", search]);
        let found = run_with_input(&mut command, &format!("{}\n", self.token)).expect(0).stdout;
        found.lines().map(str::to_owned).collect()
    }

    /// Looks at what the engine shows of every workspace, of the images, and of what happened.
    fn look_at_the_engine(&self) {
        for name in self.live.containers() {
            self.is_not_in("docker inspect", &docker(["container", "inspect", &name]));
            self.is_not_in("docker logs", &docker(["logs", &name]));
            let changed = docker(["diff", &name]);
            // The engine's own init is put there.
            let searched = |line: &str| !line.contains(" /usr/") || line.contains(" /usr/sbin");
            assert!(changed.lines().all(searched), "{name}: files that were not searched: {changed}");
        }
        for volume in self.live.volumes() {
            self.is_not_in("the volume's labels", &docker(["volume", "inspect", &volume]));
        }
        for image in [Image::Agent, Image::Tools] {
            self.is_not_in("the image", &docker(["image", "inspect", &image.name()]));
            self.is_not_in("the image's layers", &docker(["history", "--no-trunc", &image.name()]));
        }
        self.is_not_in("docker events", &docker(["events", "--since", &self.since, "--until", "0s"]));
        match &self.log {
            Some(log) => self.is_not_in("the engine's log", &log.text()),
            None => skip("the engine's log was not searched for the token: it is neither in a file nor in the journal"),
        }
    }

    /// Looks at every file that the launcher may have left on this machine.
    fn look_at_the_host(&self) {
        let found = run_with_input(
            Command::new("grep").args(["-rlaFf", "-"]).arg(self.live.folder()),
            &format!("{}\n", self.token),
        );
        assert_eq!(found.stdout, "", "files on the host");
    }

    fn is_not_in(&self, place: &str, text: &str) {
        assert!(!text.contains(&self.token), "the token is in {place}: {text}");
    }

    fn owner_and_mode(&self, name: &str, file: &str) -> String {
        self.live.inside_as_root(name, &format!("stat -c '%U %a' {file}"))
    }
}

/// A folder of secrets with a function for profiles that tells what it sees.
fn secrets(folder: &Path) -> String {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder.join("secrets");
    std::fs::create_dir(&dir).expect("a folder");
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o777)).expect("ours");
    let function = "codex-use() { { print -r -- $*; env; ps -ef } >>$CODEX_SECRET_DIR/seen; [[ $1 != bad ]] }";
    std::fs::write(dir.join("codex.zsh"), function).expect("a file");
    dir.to_str().expect("temporary folders are UTF-8").to_owned()
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn the_watch_sees_arguments_and_environments_on_the_host_and_in_containers() {
    let live = Live::new();
    let text = format!("canary-{}-{}", live.id(), std::process::id());
    live.create("--no-clone --name watched").ok();
    let watch = Watch::for_text(&text, &[]);
    let mut shown = Command::new("sh");
    let _ = run_with_input(shown.args(["-c", "sleep 0.3; exit 0", &text]), "");
    let _ = run_with_input(Command::new("sleep").arg("0.3").env("SHOWN", &text), "");
    let inside = Command::new("docker")
        .args(["exec", "-e", "SHOWN", &live.full("watched"), "perl", "-e", "sleep 1"])
        .env("SHOWN", &text)
        .status();
    assert!(inside.expect("docker runs").success());
    let seen = watch.seen();
    for place in ["arguments of sh ", "environment of sleep ", "environment of perl "] {
        assert!(seen.places.iter().any(|seen| seen.starts_with(place)), "{place}: {:?}", seen.places);
    }
    assert!(!seen.places.iter().any(|place| place.contains("arguments of perl")), "{:?}", seen.places);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn the_token_is_nowhere_whatever_command_is_given_it() {
    let live = Live::new();
    let search = Search::new(&live);
    let dir = secrets(live.folder());
    let watch = Watch::for_text(&search.token, &[search.server.id()]);

    // A clone that works, comes back, and fails in every way.
    search.once(&search.creating(Image::Agent, "acme/private --name clone --recurse-submodules"), 0);
    search.drive(&search.creating(Image::Agent, "acme/private --name clone"), 0);
    for (line, exit) in [
        ("acme/private --name failed --ref nosuch", 3),
        ("acme/nosuch --name failed", 3),
        ("https://nosuch.test/acme/private --name failed", 7),
        ("https://git.test:444/acme/private --name failed", 7),
        ("acme/private --name failed --dir /etc/x", 1),
        ("acme/private --name clone --ref nosuch", 3),
    ] {
        search.once(&search.creating(Image::Agent, line), exit);
    }
    search.once(&search.creating(Image::Busybox, "acme/private --name failed"), 9);
    let refused = search.creating(Image::Agent, "acme/private --name failed");
    search.drive(&refused.env("GH_TOKEN", format!("{}-refused", search.token)), 6);
    assert_eq!(search.files("clone"), [""; 0]);

    // Credentials that are kept, without gh and with it, and that cannot be.
    let store = "acme/private --name store --setup-git";
    search.once(&search.creating(Image::Agent, store), 0);
    search.drive(&search.creating(Image::Agent, store), 0);
    search.once(&search.creating(Image::Agent, "--no-clone --name store --setup-git --host other.test"), 0);
    let piped = search.creating(Image::Agent, &format!("{store} --token-stdin")).stdin(format!("{}\n", search.token));
    search.once(&piped.env("GH_TOKEN", "").env("GITHUB_TOKEN", ""), 0);
    let tools =
        format!("acme/private --name tools --setup-git --secrets-dir {dir} --codex-profile work --tunnel-detach");
    search.once(&search.creating(Image::Tools, &tools), 0);
    search.once(&search.creating(Image::Tools, &tools), 0);
    let refused = search.creating(Image::Tools, "--no-clone --name failed --setup-git --host git.test");
    search.drive(&refused.env("GH_TOKEN", format!("{}-refused", search.token)), 6);
    search.once(&search.creating(Image::Busybox, "--no-clone --name failed --setup-git --host git.test"), 9);
    let bad = format!("--no-clone --name tools --secrets-dir {dir} --codex-profile bad");
    search.once(&search.creating(Image::Tools, &bad), 1);
    for name in ["store", "tools"] {
        live.inside(name, "cd /work/acme/private; git fetch -q; git push -q origin HEAD:kept 2>&1");
    }
    assert_eq!((search.files("store"), search.files("tools")), (vec![STORE.to_owned()], vec![HOSTS_OF_GH.to_owned()]));
    assert_eq!(search.owner_and_mode("store", STORE), "agent 600");
    assert_eq!(search.owner_and_mode("tools", HOSTS_OF_GH), "agent 600");

    // What is typed wrong.
    let file = live.file("env", "GH_TOKEN\n");
    search.drive(&search.creating(Image::Agent, &format!("acme/private --name failed --env-file {file}")), 2);
    for line in ["create", "create o/r --bogus", "nosuch", "create o/r --secrets-dir /nonexistent", "ls --backend x"] {
        let ran = Answer::to(&search.launcher(line)).ran;
        assert_ne!(ran.code, 0, "{line}");
        search.heard(&ran);
    }

    // Everything else.
    for line in [
        "ls",
        "describe clone",
        "stop clone",
        "start clone",
        "start clone",
        "capabilities",
        "schema",
        "schema create",
        "help create",
        "parse-repo acme/private",
        "completion bash",
        "create --help",
        "--version",
        "--supports version",
        "--requires >=0.1",
        "tunnel clone --detach",
        "prune --dry-run",
        "prune",
        "doctor",
        "create acme/private --name planned --setup-git --plan",
        "up acme/private --name clone",
    ] {
        let ran = Answer::to(&search.launcher(line)).ran;
        search.heard(&ran.expect(0));
        search.heard(&Running::start(&search.launcher(line)).answer().ran.expect(0));
    }
    search.drive(&search.launcher("describe nosuch"), 3);
    search.heard(&search.launcher("field /a").stdin("{\"a\":1}").run().expect(0));
    let tag = format!("{}:1", live.prefix());
    search.once(&search.launcher(&format!("image build --tag {tag}")), 0);
    search.is_not_in("an image that was built", &docker(["image", "inspect", &tag]));
    search.is_not_in("the layers of an image that was built", &docker(["history", "--no-trunc", &tag]));
    docker(["image", "rm", &tag]);

    // The same over SSH, where a child of the launcher carries everything.
    let server = SshServer::start(live.folder());
    let user = run_with_input(Command::new("id").arg("-un"), "").expect(0).stdout;
    let address = format!("ssh://{}@127.0.0.1:{}", user.trim(), server.port());
    let over = |launcher: Launcher| launcher.env("PATH", server.path()).env("DOCKER_HOST", address.as_str());
    search.once(&over(search.creating(Image::Agent, "acme/private --name ssh --setup-git")), 0);
    assert_eq!(search.files("ssh"), [STORE]);

    // Machines over SSH, which are given nothing of it.
    let machines = Machines::new();
    let machine = machines.start_with_disk("canary");
    let host = format!("{} --accept-new-host-key", machine.address);
    search.once(&machines.over(search.launcher(&format!("vm-host add box {host}"))), 0);
    search.once(&machines.over(search.launcher(&format!("vm create canary --host {host}"))), 0);
    for line in ["vm list --live", "vm describe canary", "vm start canary", "vm reinit canary", "vm-host list"] {
        search.once(&machines.over(search.launcher(line)), 0);
    }
    search.once(&machines.over(search.launcher("vm stop canary")), 9);
    search.once(&machines.over(search.launcher("vm port-forward canary 0:22 --timeout 2s")), 124);
    for line in [
        "agent create claude",
        "agent list",
        "agent describe claude",
        "agent reinit claude",
        "create --vm canary --no-clone --name there",
        "workspace-grants grant claude --all",
        "workspace-grants list claude",
        "workspace-grants deny claude --all",
        "repair there",
        "rehome there --to /srv/agent-workspace/moved",
        "copy there --name too",
        "vm logs canary",
        "vm ssh-config",
    ] {
        search.once(&machines.over(search.launcher(line)), 0);
    }
    let files = machine.run(
        "find /etc /home /root /srv /tmp /run /var/log /var/tmp -xdev -type f -exec cat {} + | tr -cd '[:print:]\\n'",
    );
    search.is_not_in("the files of a machine", &files);

    // Who is to keep it by a template has it in its own store alone.
    let config = live.file(
        "credentials.toml",
        "[agent_templates.default]\ngit_credentials = [\"canary\", \"org\"]\n\
         [git_credentials.canary]\ntype = \"github\"\n[git_credentials.org]\ntype = \"azdo\"\norg = \"acme\"\n",
    );
    for line in ["config check", "agent create keeper", "agent reinit keeper", "agent describe keeper"] {
        let launcher = machines.over(search.launcher(line)).env("AGENT_WORKSPACE_CONFIG", &config);
        search.once(&launcher, 0);
    }
    let mut looking = Command::new("docker");
    let script = "grep -rlaFf - --exclude-dir=proc --exclude-dir=sys / 2>/dev/null; true";
    looking.args(["exec", "-i", &machine.container, "sh", "-c", script]);
    let found = run_with_input(&mut looking, &format!("{}\n", search.token)).stdout;
    assert_eq!(found, "/home/agt--keeper/.agents-env/git-credentials\n");
    search.once(&machines.over(search.launcher("agent delete keeper --force")), 0);
    for line in ["rm there", "rm too", "agent delete claude", "vm delete canary", "vm-host remove box"] {
        search.once(&machines.over(search.launcher(line)), 0);
    }

    // A configuration, which has none of it.
    for line in ["config sample", "config init", "config check"] {
        search.once(&search.launcher(line), 0);
    }
    search.once(&search.launcher("config edit"), 2);

    search.look_at_the_engine();
    live.inside("clone", "touch /work/new");
    search.drive(&search.launcher("rm clone"), 5);
    let rescued = live.folder().join("rescued");
    search.once(&search.launcher(&format!("rm clone --rescue {}", rescued.display())), 0);
    assert!(rescued.exists(), "what look_at_the_host searches");
    for name in ["store", "tools", "clone", "ssh"] {
        search.drive(&search.launcher(&format!("rm {name} --if-exists --force")), 0);
    }
    search.once(&search.launcher("rm clone"), 3);
    live.nothing_is_left();
    search.look_at_the_engine();
    search.look_at_the_host();
    let seen = watch.seen();
    assert!(seen.places.is_empty(), "the token was seen in {:?}", seen.places);
    // It was looked where it mattered.
    for program in ["git", "gh", "ssh", "zsh"] {
        let is = |seen: &String| seen.rsplit('/').next() == Some(program);
        assert!(seen.programs.iter().any(is), "{program} was never seen: {:?}", seen.programs);
    }
    let listed = live.json("capabilities").ok();
    for command in listed.at("/commands").as_object().expect("a map").keys() {
        for word in command.split(' ') {
            assert!(search.driven.borrow().contains(word), "{command} was never driven: do it above");
        }
    }
}
