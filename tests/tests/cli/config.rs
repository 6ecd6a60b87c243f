//! The configuration: where it is, what is wrong with it, who reads it, and who never does.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agent_workspace_tests::live::{Terminal, until};
use agent_workspace_tests::{Document, Launcher, Ran};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A home of its own, in which every run is.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn with(text: &str) -> Self {
        let home = Self::new();
        home.writes(OURS, text);
        home
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn writes(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.at(name).parent().expect("a folder")).expect("a folder");
        std::fs::write(self.at(name), text).expect("a file");
    }

    fn launcher(&self, line: &str) -> Launcher {
        Launcher::new(line.split_whitespace()).env("HOME", self.0.path()).env("DOCKER_HOST", "unix:///nonexistent")
    }

    fn runs(&self, line: &str) -> Ran {
        self.launcher(line).json().run()
    }

    fn ok(&self, line: &str) -> Document {
        self.runs(line).expect(0).document()
    }

    fn fails(&self, line: &str, exit: i32, code: &str) -> Document {
        let document = self.runs(line).expect(exit).document();
        assert_eq!(document.error_code(), code, "{line}");
        document
    }
}

const OURS: &str = ".config/agent-workspace/config.toml";
const OLDER: &str = ".config/agentworks/config.toml";
const BROKEN: &str = "[defaults]\nbakend = \"host\"\n";

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

fn names(document: &Document, pointer: &str) -> Vec<String> {
    let list = document.at(pointer).as_array().expect("a list").iter();
    list.map(|name| name.as_str().expect("a name").to_owned()).collect()
}

#[test]
fn init_writes_what_sample_prints_and_check_finds_nothing_wrong_with_it() {
    let home = Home::new();
    let absent = home.ok("config check");
    assert_eq!((absent.at("/exists"), absent.text("/source")), (&false.into(), "none"));
    let made = home.ok("config init");
    assert_eq!((made.text("/path"), made.at("/backup")), (home.at(OURS).to_str().expect("a path"), &Value::Null));
    let written = std::fs::read_to_string(home.at(OURS)).expect("a file");
    assert_eq!(written, home.launcher("config sample").run().expect(0).stdout);
    assert_eq!(written, home.ok("config sample").text("/sample"));
    assert_eq!((mode(&home.at(OURS)), mode(home.at(OURS).parent().expect("a folder"))), (0o600, 0o700));
    let checked = home.ok("config check");
    assert_eq!((checked.at("/exists"), checked.text("/source")), (&true.into(), "ours"));
    assert_eq!(*checked.at("/problems"), json!([]));
    for kind in ["vm", "agent", "workspace", "session"] {
        assert_eq!(names(&checked, &format!("/templates/{kind}")), ["default"]);
    }
    let image = concat!("agent-workspace:", env!("CARGO_PKG_VERSION"));
    let defaults = json!({ "backend": "docker", "vm": null, "platform": "ssh", "vm_host": null, "image": image });
    assert_eq!(*checked.at("/defaults"), defaults);
}

#[test]
fn init_replaces_nothing_without_force_and_keeps_every_copy_with_it() {
    let home = Home::with("# mine\n");
    let refused = home.fails("config init", 4, "config_exists");
    assert!(refused.text("/error/hint").contains("--force"));
    assert_eq!(std::fs::read_to_string(home.at(OURS)).expect("a file"), "# mine\n");
    for number in 1..=2 {
        let kept = home.ok("config init --force").text("/backup").to_owned();
        assert_eq!(Path::new(&kept), home.at(&format!("{OURS}.bak-{number}")));
        assert_eq!(mode(Path::new(&kept)), 0o600);
    }
    assert_eq!(std::fs::read_to_string(home.at(&format!("{OURS}.bak-1"))).expect("a copy"), "# mine\n");
    let folder = home.at(OURS).parent().expect("a folder").to_owned();
    assert_eq!(std::fs::read_dir(folder).expect("a folder").count(), 3, "and nothing else is left");
}

#[test]
fn what_cannot_be_written_is_an_error_with_another_place_as_its_hint() {
    let home = Home::new();
    home.writes("file", "");
    let launcher = home.launcher("config init").json().env("AGENT_WORKSPACE_CONFIG", home.at("file/below.toml"));
    let document = launcher.run().expect(2).document();
    assert_eq!(document.error_code(), "config_invalid");
    assert!(document.text("/error/hint").contains("AGENT_WORKSPACE_CONFIG="));

    // What is no file is replaced by nothing.
    let pipe = home.at("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there").success());
    let launcher = home.launcher("config init --force").json().env("AGENT_WORKSPACE_CONFIG", &pipe);
    assert_eq!(launcher.run().expect(2).document().error_code(), "config_invalid");
    assert!(!std::fs::metadata(&pipe).expect("it is there").is_file());
}

#[test]
fn the_null_device_is_no_configuration_at_all() {
    let home = Home::with(BROKEN);
    let checked = home.launcher("config check").json().env("AGENT_WORKSPACE_CONFIG", "/dev/null").run().expect(0);
    assert_eq!(*checked.document().at("/problems"), json!([]));
    let _ = home.launcher("create o/r --plan").json().env("AGENT_WORKSPACE_CONFIG", "/dev/null").run().expect(0);
}

#[test]
fn the_place_follows_the_variables() {
    let home = Home::new();
    let check = |name: &str, value: &Path| {
        let document = home.launcher("config check").json().env(name, value).run().expect(0).document();
        document.text("/path").to_owned()
    };
    let path = |path: PathBuf| path.to_str().expect("a path").to_owned();
    assert_eq!(check("XDG_CONFIG_HOME", &home.at("x")), path(home.at("x/agent-workspace/config.toml")));
    assert_eq!(check("AGENT_WORKSPACE_CONFIG", &home.at("c.toml")), path(home.at("c.toml")));
    let relative = home.launcher("config check").json().env("AGENT_WORKSPACE_CONFIG", "c.toml").run().expect(2);
    assert_eq!(relative.document().error_code(), "invalid_environment");
}

#[test]
fn check_says_everything_that_is_wrong_with_key_line_and_what_was_meant() {
    let home = Home::with(&format!("{BROKEN}\n[vm_templates.dev]\napt = [\"-y\"]\n"));
    let document = home.fails("config check", 2, "config_invalid");
    let problems = document.at("/problems").as_array().expect("a list");
    let said = |number: usize| (&problems[number]["key"], &problems[number]["line"], &problems[number]["severity"]);
    assert_eq!(said(0), (&"defaults.bakend".into(), &2.into(), &"error".into()));
    assert_eq!(said(1), (&"vm_templates.dev.apt[0]".into(), &5.into(), &"error".into()));
    assert_eq!(problems[0]["hint"], "did you mean backend?");
    assert_eq!((problems.len(), document.at("/error/details/line")), (2, &2.into()));
    let text = home.launcher("config check").run().expect(2).stdout;
    assert!(
        text.contains("error in line 2: defaults.bakend: there is no such key (did you mean backend?)\n"),
        "{text}"
    );
}

#[test]
fn who_needs_a_broken_one_fails_and_who_does_not_goes_on() {
    let home = Home::with(BROKEN);
    for line in ["create o/r", "prune", "image build", "vm create a", "vm create a --host h --template default"] {
        let document = home.fails(line, 2, "config_invalid");
        assert!(document.text("/error/hint").contains("agent-workspace config check"), "{line}");
        assert!(document.text("/error/message").contains("config.toml:2: defaults.bakend"), "{line}");
    }
    for line in ["--version", "--supports config-v1", "capabilities", "help", "schema ls", "parse-repo o/r", "vm list"]
    {
        let _ = home.runs(line).expect(0);
    }
    for line in ["completion bash", "config sample", "vm-host list", "vm-host add h admin@vm --no-check"] {
        let _ = home.runs(line).expect(0);
    }
    for line in ["ls", "ls --backend docker", "rm a"] {
        home.fails(line, 7, "engine_unavailable");
    }
    let named = home.launcher("ls").json().env("AGENT_WORKSPACE_BACKEND", "host").run().expect(0).document();
    assert_eq!(*named.at("/workspaces"), json!([]));
    home.fails("vm create a --platform ssh --host 127.0.0.1:1", 2, "config_invalid");
    assert_eq!(*home.ok("vm list").at("/vms"), json!([]), "and nothing is left of that");
}

#[test]
fn doctor_shows_a_broken_one_as_a_finding_and_goes_on() {
    let home = Home::with(BROKEN);
    let document = home.fails("doctor", 1, "unhealthy");
    let checks = document.at("/checks").as_array().expect("a list");
    let check = |name: &str| checks.iter().find(|check| check["check"] == name).expect("it is made");
    assert_eq!(
        (&check("config")["status"], &check("config")["fix"]),
        (&"failed".into(), &"agent-workspace config edit".into())
    );
    assert_eq!(check("git")["check"], "git", "the last is made all the same");
}

#[test]
fn programs_that_ask_at_start_up_do_not_even_open_it() {
    let home = Home::new();
    // Whoever opens it waits for a writer that never comes.
    std::fs::create_dir_all(home.at(OURS).parent().expect("a folder")).expect("a folder");
    let made = std::process::Command::new("mkfifo").arg(home.at(OURS)).status().expect("mkfifo is there");
    assert!(made.success());
    for line in
        ["--version", "--supports nosuch", "--requires *", "capabilities", "completion zsh", "field /a", "ls --bogus"]
    {
        let mut child = home.launcher(line).json().spawn();
        let begun = Instant::now();
        let ended = loop {
            if let Some(status) = child.try_wait().expect("its state is known") {
                break Some(status);
            }
            if begun.elapsed() > Duration::from_secs(20) {
                child.kill().expect("it runs");
                break None;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(ended.is_some(), "{line} has opened it");
    }
}

#[test]
fn the_default_backend_is_below_the_flag_and_the_variable() {
    let home = Home::with("[defaults]\nbackend = \"host\"\n");
    let planned = |launcher: Launcher| launcher.json().run().expect(0).document().text("/backend").to_owned();
    assert_eq!(planned(home.launcher("create o/r --plan")), "host");
    assert_eq!(planned(home.launcher("create o/r --plan --backend docker")), "docker");
    assert_eq!(planned(home.launcher("create o/r --plan").env("AGENT_WORKSPACE_BACKEND", "docker")), "docker");
    assert_eq!(home.ok("config check").text("/defaults/backend"), "host");
    // What is listed and what a name finds is of every backend all the same.
    home.fails("ls", 7, "engine_unavailable");
    home.fails("describe a", 7, "engine_unavailable");
}

#[test]
fn the_default_image_is_below_the_flag_and_the_variable() {
    let home = Home::with("[defaults]\nimage = \"mine:1\"\n");
    let plan = |launcher: Launcher| launcher.json().run().expect(0).document().text("/image").to_owned();
    assert_eq!(plan(home.launcher("create o/r --plan")), "mine:1");
    assert_eq!(plan(home.launcher("create o/r --plan").env("AGENT_ENV_IMAGE", "set:1")), "set:1");
    assert_eq!(plan(home.launcher("create o/r --plan --image typed:1")), "typed:1");
}

#[test]
fn a_workspace_template_gives_the_repository_where_none_is_named() {
    let home = Home::with(
        "[workspace_templates.base]\nref = \"v1\"\n\
         [workspace_templates.web]\ninherits = [\"base\"]\nrepo = \"o/web\"\n",
    );
    let plan = home.ok("create --template web --plan");
    assert_eq!((plan.text("/repo"), plan.text("/path")), ("o/web", "/work/o/web"));
    assert!(plan.at("/plan/steps").to_string().contains("o/web.git at v1 into"), "{plan:?}");
    let plan = home.ok("create o/other --template web --plan");
    assert!(plan.text("/repo") == "o/other" && !plan.at("/plan/steps").to_string().contains("at v1"), "{plan:?}");
    assert_eq!(home.ok("create --no-clone --template web --plan").text("/repo"), "o/web");
    let absent = home.fails("create o/r --template wbe --plan", 3, "template_not_found");
    assert_eq!(names(&absent, "/error/details/templates"), ["default", "base", "web"]);
    home.fails("create --template base --plan", 2, "usage");
    home.fails("vm create a --host h --template web", 3, "template_not_found");
    home.writes(OURS, "[workspace_templates.default]\nrepo = \"o/always\"\n");
    assert_eq!(home.ok("create --plan").text("/repo"), "o/always");
    home.fails("create --no-clone", 2, "input_required");
}

#[test]
fn of_a_file_of_agentworks_is_taken_what_means_the_same_until_there_is_one_of_ours() {
    let home = Home::new();
    let text = include_str!("agentworks.toml");
    home.writes(OLDER, text);
    let document = home.ok("config check");
    assert_eq!((document.at("/exists"), document.text("/source")), (&false.into(), "agentworks"));
    assert_eq!(document.text("/read"), home.at(OLDER).to_str().expect("a path"));
    let taken = names(&document, "/taken");
    for key in
        ["operator.ssh_private_key", "defaults.vm_host", "vm_templates.default.apt", "session.config.history_limit"]
    {
        assert!(taken.iter().any(|taken| taken == key), "{key}: {taken:?}");
    }
    let ignored = names(&document, "/ignored");
    for key in ["defaults.platform", "azure", "proxmox", "vm_templates.default.cpus", "admin.config.mise_packages"] {
        assert!(ignored.iter().any(|ignored| ignored == key), "{key}: {ignored:?}");
    }
    assert_eq!(taken.len() + ignored.len(), 43, "every key is in one of them: {taken:?} {ignored:?}");
    assert_eq!(names(&document, "/templates/vm"), ["default", "azure", "small"]);
    assert_eq!(document.text("/problems/0/severity"), "warning");
    assert_eq!(document.text("/defaults/vm_host"), "box");
    // Only the check says so.
    let ran = home.runs("create o/r --plan").expect(0);
    assert!(!ran.stderr.contains("agentworks"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(home.at(OLDER)).expect("a file"), text);
    home.ok("config init");
    assert_eq!(home.ok("config check").text("/source"), "ours");
    assert_eq!(home.ok("config check").at("/defaults/vm_host"), &Value::Null);
}

#[test]
fn edit_needs_a_terminal_and_an_editor_and_says_where_the_file_is() {
    let home = Home::with("");
    let path = home.at(OURS).to_str().expect("a path").to_owned();
    for ran in [home.runs("config edit"), home.launcher("config edit --output json").env("EDITOR", "vi").run()] {
        let document = ran.expect(2).document();
        assert_eq!((document.error_code(), document.text("/error/details/path")), ("input_required", path.as_str()));
        assert!(document.text("/error/hint").contains(&path));
    }
}

/// A terminal with the editor of a test: a script that is told everything after its name.
fn edits(home: &Home, script: &str) -> Terminal {
    home.writes("my editor", &format!("#!/bin/sh\n{script}\n"));
    let editor = home.at("my editor");
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).expect("a script");
    let editor = format!("'{}' --wait \"two words\"", editor.display());
    let launcher = home.launcher("config edit").env("VISUAL", editor).env("GH_TOKEN", "canary-of-this-test");
    Terminal::run(&launcher.env("GIT_CREDENTIALS_A", "canary-of-this-test").command())
}

#[test]
fn edit_gives_the_editor_its_arguments_and_the_terminal_and_checks_afterwards() {
    let home = Home::with("");
    let script = "[ $# = 3 ] && [ -t 0 ] && [ -t 1 ] || exit 9
        echo \"$1,$2,$(env | grep -c canary-of-this-test)\"
        echo '[defaults]\nvm = \"dev\"' > \"$3\"";
    let mut terminal = edits(&home, script);
    assert_eq!(terminal.end().code(), Some(0), "{}", terminal.shown());
    terminal.wait_for("--wait,two words,0");
    terminal.wait_for("changed: ");
    assert_eq!(home.ok("config check").text("/defaults/vm"), "dev");

    let mut terminal = edits(&home, "echo 'a = 1' > \"$3\"");
    assert_eq!(terminal.end().code(), Some(2));
    terminal.wait_for("error in line 1: a: there is no such key");

    let mut terminal = edits(&home, "exit 3");
    assert_eq!(terminal.end().code(), Some(2));
    terminal.wait_for("exit status: 3");
}

#[test]
fn what_is_typed_to_the_editor_does_not_end_the_launcher() {
    let home = Home::with("");
    let mut terminal =
        edits(&home, "trap 'echo caught; done=1' INT\necho ready\nwhile [ -z \"$done\" ]; do sleep 0.05; done\nexit 0");
    terminal.wait_for("ready");
    terminal.types(b"\x03");
    assert_eq!(terminal.end().code(), Some(0), "{}", terminal.shown());
    until("the launcher says how it ended", || terminal.shown().contains("as it was: "));
}
