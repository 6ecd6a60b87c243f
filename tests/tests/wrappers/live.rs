//! A workspace's life on a real engine, as a person of each shell lives it: the real launcher, a real git server with
//! private repositories, real rsync and gpg.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use agent_workspace_tests::live::{Image, Live, Terminal, Watch, network, note, run_with_input, skip, token};
use agent_workspace_tests::wrappers::{Shell, Tree, Variant, of_powershell, split};
use agent_workspace_tests::{Launcher, Ran};

/// `ls` shows what others make too, so that one life goes on at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn zsh() {
    life(&Shell::Zsh);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn bash() {
    life(&Shell::Bash);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn powershell() {
    life(&Shell::PowerShell);
}

/// Who has logged in with `gh` has the token in no environment, and so has nobody else.
mod keyring {
    use super::{Shell, keyring};

    #[test]
    #[ignore = "drives a real engine: run ./dev test"]
    fn zsh() {
        keyring(&Shell::Zsh);
    }

    #[test]
    #[ignore = "drives a real engine: run ./dev test"]
    fn bash() {
        keyring(&Shell::Bash);
    }

    #[test]
    #[ignore = "drives a real engine: run ./dev test"]
    fn powershell() {
        keyring(&Shell::PowerShell);
    }
}

/// A person with a home, a shell, and the launcher on PATH.
struct Person<'a> {
    shell: &'a Shell,
    live: Live,
    token: String,
    _alone: MutexGuard<'static, ()>,
}

impl<'a> Person<'a> {
    fn new(shell: &'a Shell) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let live = Live::new();
        for folder in ["home", "tmp", "bin", "world"] {
            std::fs::create_dir(live.folder().join(folder)).expect("a folder");
        }
        symlink(Launcher::binary(), live.folder().join("bin/agent-workspace")).expect("a link");
        Self { shell, live, token: token(), _alone: alone }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.live.folder().join(name)
    }

    /// Writes a file below the home.
    fn file(&self, name: &str, text: &str) {
        let path = self.path("home").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    fn command(&self, variant: Variant, line: &str) -> Command {
        let words = [&["agent-workspace".to_owned()], &split(line).expect("words")[..]].concat();
        let ending = if *self.shell == Shell::PowerShell { "ps1" } else { "script" };
        let script = self.path("world").join(format!("call.{ending}"));
        let text = self.shell.script(variant, &Tree::shared().wrappers(), &self.path("world"), &words);
        std::fs::write(&script, text).expect("a script");
        let mut command = Command::new(self.shell.program().expect("it is installed"));
        command.args(self.shell.arguments()).arg(script).current_dir(self.path("home")).env_clear();
        let launcher = self.live.launcher("").command();
        command.envs(launcher.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let path = std::env::var("PATH").expect("there is a PATH");
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.env("HOME", self.path("home")).env("TMPDIR", self.path("tmp")).env("LC_ALL", "C.UTF-8");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("AGENT_WORKSPACE_AUTH", "env").envs(of_powershell());
        command
    }

    /// Says a line, in a strict shell.
    fn says(&self, line: &str) -> Ran {
        run_with_input(&mut self.command(Variant::Hostile, line), "")
    }

    /// Says a line with something to read.
    fn pipes(&self, input: &str, line: &str) -> Ran {
        run_with_input(&mut self.command(Variant::Hostile, line), input)
    }

    /// Says a line with the token in the environment.
    fn says_with_token(&self, line: &str) -> Ran {
        let mut command = self.command(Variant::Hostile, line);
        let ran = run_with_input(command.env("GH_TOKEN", &self.token), "");
        assert!(!ran.stdout.contains(&self.token) && !ran.stderr.contains(&self.token), "the token is shown: {ran:?}");
        ran
    }

    /// What a command inside prints.
    #[track_caller]
    fn inside(&self, script: &str) -> String {
        self.says(&format!("exec life -- sh -ec \"{script}\"")).expect(0).stdout
    }
}

fn life(shell: &Shell) {
    if shell.program().is_none() {
        return skip(&format!("the life of a workspace in {}, because it is not installed", shell.name()));
    }
    let person = Person::new(shell);
    person.file(".config/app/settings", "mine\n");
    person.file(".config/app/größe 1", "a name\n");
    person.file(".config/gh/hosts.yml", "oauth_token: secret\n");
    make(&person);
    log_in(&person);
    enter(&person);
    copy(&person);
    reset(&person);
    bring_the_configuration_again(&person);
    sign(&person);
    have_several(&person);
    remove(&person);
    let left = run_with_input(Command::new("find").arg(person.path("tmp")).args(["-mindepth", "1"]), "").stdout;
    assert_eq!(left, "", "temporary files");
    let holding =
        run_with_input(Command::new("grep").args(["-rlaF", &person.token]).arg(person.live.folder()), "").stdout;
    assert_eq!(holding, "", "files that hold the token");
    person.live.nothing_is_left();
}

fn keyring(shell: &Shell) {
    if shell.program().is_none() {
        return skip(&format!("the keyring's token in {}, because it is not installed", shell.name()));
    }
    let mut person = Person::new(shell);
    person.token = format!("canary-{}-{}", person.live.id(), std::process::id());
    let server = person.live.git_server(&person.live.network("net"), &["git.test", "other.test"], &person.token);
    // Stands in for gh, whose keyring is this file.
    let keyring = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(keyring.path(), format!("{}\n", person.token)).expect("a token");
    let gh = format!("#!/bin/sh\n[ \"$1 $2\" != 'auth token' ] || exec cat '{}'\n", keyring.path().display());
    std::fs::write(person.path("bin/gh"), gh).expect("a program");
    std::fs::set_permissions(person.path("bin/gh"), PermissionsExt::from_mode(0o755)).expect("a mode");

    let watch = Watch::for_text_that_nobody_is_given(&person.token, &[server.id()]);
    let (image, network) = (Image::Agent.name(), server.network());
    let create = format!(
        "create https://git.test/acme/private https://other.test/acme/secret-lib --name life --image {image} \
         --network {network} --auth auto"
    );
    for line in [create.as_str(), "auth github life --host git.test --auth gh", "reset work-repos --yes life"] {
        let ran = person.says(line).expect(0);
        assert!(!ran.stdout.contains(&person.token) && !ran.stderr.contains(&person.token), "{line}: {ran:?}");
    }
    // It has come where it was to come.
    let fetched =
        person.inside("cd /work/acme/private && git fetch -q && cd ../secret-lib && git fetch -q && echo both");
    assert_eq!(fetched, "both\n");
    let seen = watch.seen();
    assert!(seen.places.is_empty(), "the token was seen in {:?}", seen.places);
    let launcher = person.path("bin/agent-workspace").display().to_string();
    assert!(seen.programs.contains(&launcher), "the launcher was never seen: {:?}", seen.programs);
    let _ = person.says("rm --yes --force life").expect(0);
    let holding =
        run_with_input(Command::new("grep").args(["-rlaF", &person.token]).arg(person.live.folder()), "").stdout;
    assert_eq!(holding, "", "files that hold the token");
    drop(server);
    person.live.nothing_is_left();
}

fn make(person: &Person) {
    let full = person.live.full("life");
    let create = format!(
        "create https://git.test/acme/private https://git.test/acme/secret-lib --name life --image {} --network {}",
        Image::Agent.name(),
        network()
    );
    // Nobody gets in without a token, and nothing is left of the attempt.
    let refused = person.says(&create);
    assert_eq!((refused.code, refused.stdout.as_str()), (6, ""), "{refused:?}");
    person.live.nothing_is_left();

    let made = person.says_with_token(&create).expect(0);
    let lines: Vec<&str> = made.stdout.lines().collect();
    assert_eq!(
        lines[..4],
        [
            format!("workspace: {full}"),
            "repo: acme/private".to_owned(),
            "path: /work/acme/private".to_owned(),
            format!("enter: agent-workspace shell {full}")
        ]
    );
    assert!(lines[4].starts_with("code --new-window --folder-uri vscode-remote://attached-container+7b22"), "{made:?}");
    assert_eq!(person.inside("cat README.md /work/acme/secret-lib/README.md"), "# private\n# secret-lib\n");
    assert_eq!(person.inside("cat ~/.config/app/settings '/home/agent/.config/app/größe 1'"), "mine\na name\n");
    assert_eq!(person.says("exec life test -e /home/agent/.config/gh/hosts.yml").code, 1, "a login was copied");

    // A second time it is there already.
    let again = person.says_with_token(&create).expect(0);
    assert!(again.stdout.starts_with(&format!("workspace: {full}\n")), "{again:?}");
}

fn log_in(person: &Person) {
    let full = person.live.full("life");
    // The token of the clone is kept for git, and for its host alone.
    assert_eq!(person.inside("git fetch && git ls-remote -q https://git.test/acme/secret-lib | wc -l").trim(), "2");
    let ask = "exec life env GIT_TERMINAL_PROMPT=0 git ls-remote -q https://other.test/acme/private";
    assert_ne!(person.says(ask).code, 0, "the token was for another host");
    let logged_in = person.says_with_token("auth github --host other.test life").expect(0);
    assert_eq!(logged_in.stdout, format!("auth: github -> {full} (other.test; source=env)\n"));
    let _ = person.says(ask).expect(0);
    let _ = person.says("auth github --host other.test life").expect(6);
    let _ = person.says_with_token("auth github nobody").expect(3);

    person.file(".codex/auth.json", "{\"login\": true}\n");
    assert_eq!(person.says("auth codex life").expect(0).stdout, format!("auth: codex -> {full} (file)\n"));
    assert_eq!(person.inside("cat ~/.codex/auth.json; stat -c %a ~/.codex/auth.json"), "{\"login\": true}\n600\n");
}

fn enter(person: &Person) {
    assert_eq!(person.pipes("one\n\ntwo", "exec life cat").expect(0).stdout, "one\n\ntwo");
    assert_eq!(person.pipes("id -un\npwd\n", "exec life").expect(0).stdout, "agent\n/work/acme/private\n");
    assert_eq!(person.says("exec life sh -c 'exit 7'").code, 7);
    assert_eq!(person.says("exec --root -w /tmp life sh -c 'id -un; pwd'").expect(0).stdout, "root\n/tmp\n");
    let words = r#"'a b' '' "it's" '$HOME' '`id`' '*' 'a"b' '\' é "two\nlines" --"#;
    let told = person.says(&format!("exec life printf '<%s>' {words}")).expect(0).stdout;
    assert_eq!(told, "<a b><><it's><$HOME><`id`><*><a\"b><\\><é><two\nlines><-->");

    let _ = person.says("stop life").expect(0);
    let started = person.says("exec life echo up").expect(0);
    assert_eq!((started.stdout.as_str(), started.stderr.contains("started: ")), ("up\n", true), "{started:?}");

    // A person at a terminal.
    let mut terminal = Terminal::run(person.command(Variant::Plain, "shell life").env("TERM", "xterm"));
    terminal.wait_for("% ");
    terminal.types(b"[[ -o login ]] && echo in''side $(id -un) $PWD\r");
    terminal.wait_for("inside agent /work/acme/private");
    terminal.types(b"exit 4\r");
    assert_eq!(terminal.end().code(), Some(4), "{}", terminal.shown());
    assert!(terminal.is_as_before());
}

fn copy(person: &Person) {
    if run_with_input(Command::new("sh").args(["-c", "command -v rsync"]), "").code != 0 {
        return skip(&format!("rsync from {}, because it is not installed", person.shell.name()));
    }
    person.file("files/a b/é's \"file\"", "one\n");
    person.file("files/plain", "two\n");
    let _ = person.says("rsync push life files/ '/work/copied here'").expect(0);
    assert_eq!(person.inside("cd '/work/copied here' && cat 'a b'/* plain"), "one\ntwo\n");
    let _ = person.says("rsync pull life '/work/copied here/' back").expect(0);
    let compared =
        run_with_input(Command::new("diff").args(["-r", "files", "back"]).current_dir(person.path("home")), "");
    assert_eq!((compared.code, compared.stdout.as_str()), (0, ""));
    // Relative to the clone, as root, and with options of rsync.
    let _ = person.says("rsync push --root life files/plain from-root -- --chmod=F600").expect(0);
    assert_eq!(person.inside("stat -c '%U %a' from-root"), "root 600\n");
    let _ = person.says("exec --root life rm /work/acme/private/from-root").expect(0);
    let _ = person.says("rsync push --delete -n life files/a\\ b/ '/work/copied here'");
    assert_eq!(person.inside("ls '/work/copied here'"), "a b\nplain\n", "a dry run does nothing");
    assert_eq!(person.says("rsync pull life /work/nowhere .").code, 23);
}

fn reset(person: &Person) {
    let changed = || person.inside("echo x >>README.md; echo y >untracked; git commit -q --allow-empty -m mine");
    let _ = person.inside("git config user.name a && git config user.email a@git.test");
    changed();
    let asked = person.pipes("n\n", "reset repo life acme/private").expect(1);
    for line in ["/work/acme/private -> origin/main (", "  changes 1", "  untracked 1", "  commits 1", "[y/N] "] {
        assert!(asked.stderr.contains(line), "{line}: {asked:?}");
    }
    assert_eq!(person.inside("git status --porcelain"), " M README.md\n?? untracked\n");
    let _ = person.pipes("y\n", "reset repo life acme/private").expect(0);
    assert_eq!(person.inside("git status --porcelain; git log --format=%s"), "private: begin\n");

    changed();
    let _ = person.inside("git remote set-url origin https://git.test/acme/gone");
    let stopped = person.says("reset work-repos --yes life");
    assert_eq!(stopped.code, 7, "{stopped:?}");
    assert_eq!(person.inside("git status --porcelain"), " M README.md\n?? untracked\n");
    let _ = person.inside("git remote set-url origin https://git.test/acme/private");
    let all = person.says("reset work-repos --yes life").expect(0);
    assert!(
        all.stderr.contains("/work/acme/private -> ") && all.stderr.contains("/work/acme/secret-lib -> "),
        "{all:?}"
    );
    assert_eq!(person.inside("git status --porcelain"), "");
    let _ = person.says("reset private-repo --yes life").expect(3);
}

fn bring_the_configuration_again(person: &Person) {
    person.file(".config/app/settings", "newer\n");
    let there = person.says("snapshot life").expect(0);
    assert!(there.stderr.contains("the snapshot is there already (20"), "{there:?}");
    assert_eq!(person.inside("cat ~/.config/app/settings"), "mine\n");
    let _ = person.says("snapshot --refresh --with gh life").expect(0);
    assert_eq!(person.inside("cat ~/.config/app/settings ~/.config/gh/hosts.yml"), "newer\noauth_token: secret\n");
}

fn sign(person: &Person) {
    if run_with_input(Command::new("sh").args(["-c", "command -v gpg"]), "").code != 0 {
        return skip(&format!("signing with a key from {}, because gpg is not installed", person.shell.name()));
    }
    // Sockets of gpg's agent have short names only.
    let home = tempfile::Builder::new().prefix("g").tempdir_in("/tmp").expect("a temporary folder");
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).expect("it is ours");
    let gpg =
        |line: &str| run_with_input(Command::new("sh").args(["-c", line]).env("GNUPGHOME", home.path()), "").expect(0);
    let _ = gpg("gpg --batch --quiet --passphrase '' --quick-generate-key 'Ada <ada@git.test>' ed25519 sign never");
    let mut command = person.command(Variant::Hostile, "auth gpg --key ada@git.test life");
    let sent = run_with_input(command.env("GNUPGHOME", home.path()), "").expect(0);
    assert_eq!(sent.stdout, format!("auth: gpg -> {} (key=ada@git.test)\n", person.live.full("life")));
    let signed = person.inside("echo text | gpg --batch --clearsign | gpg --batch --verify 2>&1");
    assert!(signed.contains("Good signature from \"Ada <ada@git.test>\" [ultimate]"), "{signed}");
    let _ = gpg("gpgconf --kill all");
}

fn have_several(person: &Person) {
    let alone = |name: &str| {
        let listed = person.live.json("ls").ok();
        let rows = listed.at("/workspaces").as_array().expect("rows");
        rows.len() == 1 && rows[0]["workspace"] == person.live.full(name).as_str()
    };
    if alone("life") {
        assert_eq!(person.says("exec -- pwd").expect(0).stdout, "/work/acme/private\n");
    } else {
        note(&format!("{}: other workspaces are on the engine, so the only one was not picked", person.shell.name()));
    }
    let _ = person
        .says(&format!("create --no-work-repos --no-extras --name second --image {}", Image::Agent.name()))
        .expect(0);
    let several = person.says("exec -- pwd");
    assert_eq!(several.code, 2, "{several:?}");
    for row in ["life  running  acme/private", "second  running"] {
        assert!(several.stderr.contains(&format!("  {}-{row}", person.live.prefix())), "{several:?}");
    }
    let listed = person.says("ls").expect(0).stdout;
    assert!(listed.contains(&format!("{}\trunning\tacme/private\t20", person.live.full("life"))), "{listed}");
    let _ = person.says("rm --yes second").expect(0);
}

fn remove(person: &Person) {
    let _ = person.inside("echo work >untracked");
    let refused = person.says("rm --yes life");
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.stderr.contains("/work/acme/private"), "{refused:?}");
    assert_eq!(person.inside("cat untracked"), "work\n");
    let _ = person.pipes("n\n", "rm --force life").expect(1);
    assert!(person.live.row("life").is_some());
    let removed = person.says("rm --yes --force life").expect(0);
    assert!(removed.stdout.contains(&format!("volumes removed: {}", person.live.full("life"))), "{removed:?}");
    assert_eq!(person.says("rm --yes life").code, 3);
}
