//! What runs inside a workspace, run here by the system's sh in folders of the test, with real git, tar and gpg.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use agent_workspace_tests::Ran;
use agent_workspace_tests::live::{run_with_input, until};

/// A home, and git with one remote.
struct Inside {
    folder: tempfile::TempDir,
}

impl Inside {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("home")).expect("a home");
        std::fs::write(
            folder.path().join("home/.gitconfig"),
            "[user]\n\tname = a\n\temail = a@git.test\n[init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n",
        )
        .expect("a file");
        Self { folder }
    }

    /// With a remote repository `remote.git` and a clone of it, `clone`.
    fn with_clone(branch: &str) -> Self {
        let inside = Self::new();
        inside.sh(&format!(
            "git init -q -b {branch} work && cd work && echo one >file && echo ignored >.gitignore && git add . && git commit -q -m one
             cd .. && git clone -q --bare work remote.git && git clone -q remote.git clone"
        ));
        inside
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, script: &Path) -> Command {
        let mut command = Command::new("sh");
        command.arg(script).current_dir(self.folder.path()).env_clear();
        command
            .env("HOME", self.path("home"))
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    /// Runs a guest script.
    fn run(&self, script: &str, words: &[&str], stdin: &str) -> Ran {
        run_with_input(self.command(&shared(&format!("guest/{script}.sh"))).args(words), stdin)
    }

    /// Runs lines of shell, which must succeed.
    #[track_caller]
    fn sh(&self, script: &str) -> String {
        let mut command = self.command(Path::new("-ec"));
        run_with_input(command.arg(script), "").expect(0).stdout
    }
}

fn shared(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project").join("wrappers").join(name)
}

#[test]
fn a_repository_is_cloned_once_and_whole() {
    let inside = Inside::with_clone("main");
    let url = inside.path("remote.git").display().to_string();
    let target = inside.path("deep/er/target").display().to_string();
    assert_eq!(inside.run("clone_repo", &[&url, &target], "").expect(0).stdout, "cloned\n");
    assert_eq!(inside.sh("cat deep/er/target/file"), "one\n");
    assert_eq!(inside.run("clone_repo", &[&url, &target], "").expect(0).stdout, "present\n");
    // However it is written, but no other.
    inside.sh("git -C deep/er/target remote set-url origin git@Git.test:a/b.git");
    let there = "https://git.test/a/b";
    assert_eq!(inside.run("clone_repo", &[there, &target], "").expect(0).stdout, "present\n");
    for other in [&url, "https://git.test/a/c.git", "https://other.test/a/b.git"] {
        let ran = inside.run("clone_repo", &[other, &target], "").expect(4);
        assert!(ran.stderr.contains("is a clone of another repository"), "{}", ran.stderr);
    }

    // An empty folder is in nobody's way, anything else is.
    inside.sh("mkdir empty full && touch full/file && ln -s nowhere link");
    let _ = inside.run("clone_repo", &[&url, &inside.path("empty").display().to_string()], "").expect(0);
    for occupied in ["full", "link", "remote.git/config"] {
        let ran = inside.run("clone_repo", &[&url, &inside.path(occupied).display().to_string()], "").expect(4);
        assert!(ran.stderr.contains("is not a clone"), "{}", ran.stderr);
    }
    assert_eq!(inside.sh("ls full"), "file\n");
}

#[test]
fn a_clone_that_fails_leaves_nothing() {
    let inside = Inside::new();
    let url = inside.path("nowhere.git").display().to_string();
    let _ = inside.run("clone_repo", &[&url, &inside.path("a/b").display().to_string()], "").expect(1);
    let _ = inside.run("private_repo", &[&url], "").expect(1);
    assert_eq!(inside.sh("find . -name '*b*' -o -name '.private*'"), "");
}

#[test]
fn a_clone_that_is_interrupted_leaves_nothing() {
    let inside = Inside::new();
    // A git that never comes to an end.
    inside.sh(
        "mkdir bin && printf '#!/bin/sh\\nmkdir -p \"$5\"; touch begun; exec sleep 60\\n' >bin/git && chmod +x bin/git",
    );
    let mut command = inside.command(&shared("guest/clone_repo.sh"));
    command
        .args(["https://git.test/a/b.git", "target"])
        .env("PATH", format!("{}:/usr/bin:/bin", inside.path("bin").display()));
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a shell");
    until("git runs", || inside.path("begun").exists());
    let group = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process_group(group, rustix::process::Signal::TERM).expect("it runs");
    assert_ne!(Ran::of(child).code, 0);
    assert_eq!(inside.sh("ls -A"), "begun\nbin\nhome\n");
}

#[test]
fn the_private_repository_is_cloned_and_then_pulled() {
    let inside = Inside::with_clone("main");
    let url = inside.path("remote.git").display().to_string();
    assert_eq!(inside.run("private_repo", &[&url], "").expect(0).stdout, "cloned\n");
    inside.sh("cd clone && echo two >file && git commit -qam two && git push -q");
    assert_eq!(inside.run("private_repo", &[&url], "").expect(0).stdout, "pulled\n");
    assert_eq!(inside.sh("cat home/.private/file"), "two\n");
    let _ = inside.run("private_repo", &["https://git.test/a/other.git"], "").expect(4);
    // What cannot be brought forward stays as it is.
    inside.sh("cd home/.private && echo mine >file && git commit -qam mine");
    inside.sh("cd clone && echo three >file && git commit -qam three && git push -q");
    let _ = inside.run("private_repo", &[&url], "").expect(1);
    assert_eq!(inside.sh("cat home/.private/file"), "mine\n");
    inside.sh("rm -rf home/.private && mkdir home/.private && touch home/.private/mine");
    let _ = inside.run("private_repo", &[&url], "").expect(4);
    assert_eq!(inside.sh("ls home/.private"), "mine\n");
}

#[test]
fn a_login_file_is_written_whole_and_for_its_owner_alone() {
    let inside = Inside::new();
    let _ = inside.run("codex_auth", &["9"], "{\"a\": 1}\n").expect(0);
    let file = inside.path("home/.codex/auth.json");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), "{\"a\": 1}\n");
    assert_eq!(std::fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
    // Nothing is not a login.
    let _ = inside.run("codex_auth", &["0"], "").expect(1);
    // Neither is a part of one.
    let _ = inside.run("codex_auth", &["9"], "{\"b\"").expect(1);
    assert_eq!(inside.sh("cat home/.codex/auth.json; ls -A home/.codex"), "{\"a\": 1}\nauth.json\n");
    // What a link points to is left alone.
    std::fs::rename(&file, inside.path("other")).expect("renamed");
    symlink(inside.path("other"), &file).expect("a link");
    let _ = inside.run("codex_auth", &["4"], "new\n").expect(0);
    assert_eq!(inside.sh("cat other home/.codex/auth.json; ls -A home/.codex"), "{\"a\": 1}\nnew\nauth.json\n");
}

#[test]
fn a_snapshot_is_marked_when_it_was_unpacked() {
    let inside = Inside::new();
    assert_eq!(inside.run("config_snapshot", &["state"], "").expect(0).stdout, "none\n");
    assert_ne!(inside.run("config_snapshot", &["unpack"], "this is no archive").code, 0);
    assert_eq!(inside.run("config_snapshot", &["state"], "").expect(0).stdout, "none\n");
    inside.sh("mkdir -p from/app home/.config/app && echo new >from/app/file && echo kept >home/.config/app/other");
    inside.sh(&format!("tar -C from -cf - ./app/file | sh '{}' unpack", shared("guest/config_snapshot.sh").display()));
    assert_eq!(inside.sh("cd home/.config/app && cat file other"), "new\nkept\n");
    // Who sent it has not said yet that this is all.
    assert_eq!(inside.run("config_snapshot", &["state"], "").expect(0).stdout, "none\n");
    let _ = inside.run("config_snapshot", &["mark"], "").expect(0);
    let state = inside.run("config_snapshot", &["state"], "").expect(0).stdout;
    assert!(state.starts_with("done 20") && state.ends_with("Z\n"), "{state}");
    assert_eq!(inside.sh("ls -A home/.agents-env"), "config.snapshot\n");
    let _ = inside.run("config_snapshot", &["dance"], "").expect(2);
}

#[test]
fn a_snapshot_leaves_gits_settings_of_the_workspace_beside_those_of_the_host() {
    let inside = Inside::new();
    inside.sh("rm home/.gitconfig && mkdir -p from/git && printf '[user]\\n\\tname = host\\n' >from/git/config");
    let unpack = format!("tar -C from -cf - ./git | sh '{}' unpack", shared("guest/config_snapshot.sh").display());
    inside.sh(&unpack);
    inside.sh("git config --global core.editor mine");
    inside.sh(&unpack);
    assert_eq!(inside.sh("git config core.editor; git config user.name"), "mine\nhost\n");
}

#[test]
fn clones_are_found_by_depth_without_submodules() {
    let inside = Inside::with_clone("main");
    inside.sh(
        "mkdir -p root/a/b/c 'root/with space' && git init -q root && git init -q root/a/one && git init -q root/a/b/two
         git init -q root/a/b/c/three && git init -q 'root/with space/four' && git init -q \"root/a/$(printf 'new\\nline')\"
         git -C root/a/one submodule --quiet add \"$PWD/remote.git\" sub
         git -C clone worktree add -q ../root/tree && mkdir root/a/not
         mkdir modules && git init -q --separate-git-dir=\"$PWD/modules/apart\" root/apart",
    );
    let root = inside.path("root").display().to_string();
    let found = |depth: &str| inside.run("find_repos", &[&root, depth], "").expect(0).stdout.replace(&root, "");
    assert_eq!(found("1"), "/apart\n/tree\n");
    assert_eq!(found("2"), "/a/one\n/apart\n/tree\n/with space/four\n");
    assert_eq!(found("3"), "/a/b/two\n/a/one\n/apart\n/tree\n/with space/four\n");
    assert_eq!(found("9"), "/a/b/c/three\n/a/b/two\n/a/one\n/apart\n/tree\n/with space/four\n");
    let slash = inside.run("find_repos", &[&format!("{root}/"), "1"], "").expect(0).stdout;
    assert_eq!(slash, format!("{root}/apart\n{root}/tree\n"));
    let _ = inside.run("find_repos", &["/nowhere", "3"], "").expect(3);
}

#[test]
fn what_a_reset_would_lose_is_counted_and_then_lost() {
    let inside = Inside::with_clone("trunk");
    let clone = inside.path("clone").display().to_string();
    let target = inside.sh("git -C remote.git rev-parse trunk");
    let head = format!("ref origin/trunk\ntarget {target}");
    // The remote's own branch, whatever it is called.
    assert_eq!(inside.run("reset_repo", &["look", &clone, ""], "").expect(0).stdout, head);

    inside.sh(
        "cd clone && echo x >mine && git add mine && git commit -qm mine && git commit -q --allow-empty -m more
         echo changed >file && echo y >untracked && echo z >ignored && mkdir inner && git init -q inner && touch inner/file",
    );
    let look = inside.run("reset_repo", &["look", &clone, ""], "").expect(0).stdout;
    assert_eq!(look, format!("{head}changes 1\nuntracked 1\ncommits 2\n"));
    assert_eq!(inside.sh("cd clone && cat file untracked"), "changed\ny\n");

    let _ = inside.run("reset_repo", &["reset", &clone, ""], "").expect(0);
    assert_eq!(
        inside.sh("cd clone && cat file && git rev-parse HEAD && git status --porcelain --untracked-files=no"),
        format!("one\n{target}")
    );
    assert_eq!(inside.sh("cd clone && ls -A"), ".git\n.gitignore\nfile\nignored\ninner\n");
    let look = inside.run("reset_repo", &["look", &clone, ""], "").expect(0).stdout;
    assert_eq!(look, head);
}

#[test]
fn what_is_ignored_survives_a_reset_to_where_it_is_not() {
    let inside = Inside::with_clone("main");
    let clone = inside.path("clone").display().to_string();
    // The remote ignores nothing any more, and has files where ignored ones are here.
    inside.sh("cd clone && printf 'secret\\nbuilt\\ncache\\nout\\n' >.gitignore && git commit -qam more && git push -q
         cd ../work && git pull -q ../remote.git main && git rm -q .gitignore && mkdir built && echo theirs >built/a
         echo theirs >cache && git add . && git commit -qm theirs && git push -q ../remote.git main
         cd ../clone && echo mine >secret && mkdir built cache out && echo mine >built/a && echo mine >built/b
         echo mine >cache/c && echo mine >out/o && echo x >rubbish");
    let look = inside.run("reset_repo", &["look", &clone, ""], "").expect(0).stdout;
    assert!(look.ends_with("\nuntracked 3\n"), "rubbish, built/a and cache/c: {look}");
    let _ = inside.run("reset_repo", &["reset", &clone, ""], "").expect(0);
    assert_eq!(
        inside.sh("cd clone && cat secret built/b out/o && cat built/a cache"),
        "mine\nmine\nmine\ntheirs\ntheirs\n"
    );
    assert_eq!(inside.sh("cd clone && ls -A"), ".git\nbuilt\ncache\nfile\nout\nsecret\n");
}

#[test]
fn a_submodule_with_commits_of_its_own_is_left() {
    let inside = Inside::with_clone("main");
    let clone = inside.path("clone").display().to_string();
    inside.sh(
        "git -C work submodule --quiet add \"$PWD/remote.git\" sub && git -C work commit -qm sub
         git -C work push -q ../remote.git main && cd clone && git pull -q && git submodule --quiet update --init
         git config submodule.recurse true && cd sub && git checkout -q --detach && echo mine >file && git commit -qam mine",
    );
    let ran = inside.run("reset_repo", &["reset", &clone, ""], "").expect(0);
    assert!(ran.stderr.contains("stay as they are, for commits are on no branch in sub"), "{}", ran.stderr);
    assert_eq!(inside.sh("git -C clone/sub log -1 --format=%s && cat clone/sub/file"), "mine\nmine\n");
    // On a branch they are safe, and the submodule goes where it belongs.
    inside.sh("git -C clone/sub branch mine");
    let ran = inside.run("reset_repo", &["reset", &clone, ""], "").expect(0);
    assert_eq!(ran.stderr, "");
    assert_eq!(inside.sh("cat clone/sub/file && git -C clone/sub log -1 --format=%s mine"), "one\nmine\n");
}

#[test]
fn a_reset_follows_the_remote_and_leaves_other_branches() {
    let inside = Inside::with_clone("main");
    let clone = inside.path("clone").display().to_string();
    inside.sh(
        "cd work && git checkout -q -b dev && echo dev >file && git commit -qam dev && git push -q ../remote.git dev
         cd ../clone && git checkout -q -b mine && echo m >m && git add m && git commit -qm m",
    );
    let look = inside.run("reset_repo", &["look", &clone, "origin/dev"], "").expect(0).stdout;
    assert!(look.starts_with("ref origin/dev\n") && !look.contains("commits"), "{look}");
    let _ = inside.run("reset_repo", &["reset", &clone, "origin/dev"], "").expect(0);
    assert_eq!(
        inside.sh("cd clone && git symbolic-ref --short HEAD && cat file && git log -1 --format=%s mine"),
        "dev\ndev\nm\n"
    );
}

#[test]
fn a_remote_that_cannot_be_reached_stops_a_reset_before_anything_is_touched() {
    let inside = Inside::with_clone("main");
    let clone = inside.path("clone").display().to_string();
    inside.sh("cd clone && echo changed >file && git remote set-url origin ../gone.git");
    for what in ["look", "reset"] {
        let ran = inside.run("reset_repo", &[what, &clone, ""], "").expect(7);
        assert!(ran.stderr.contains("cannot be fetched"), "{}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
    assert_eq!(inside.sh("cat clone/file"), "changed\n");
}

#[test]
fn what_is_no_clone_or_has_no_such_ref_is_not_reset() {
    let inside = Inside::with_clone("main");
    let clone = inside.path("clone").display().to_string();
    inside.sh("mkdir clone/folder plain && echo changed >clone/file");
    for (folder, reference) in [
        (inside.path("nowhere").display().to_string(), ""),
        (inside.path("plain").display().to_string(), ""),
        // git would go up to the clone around it.
        (inside.path("clone/folder").display().to_string(), ""),
        (clone.clone(), "origin/nothing"),
        (clone.clone(), "elsewhere/main"),
        (clone, "main"),
    ] {
        let ran = inside.run("reset_repo", &["reset", &folder, reference], "").expect(3);
        assert!(ran.stderr.starts_with("agent-workspace: "), "{}", ran.stderr);
    }
    assert_eq!(inside.sh("cat clone/file"), "changed\n");
}

#[test]
fn a_key_is_imported_trusted_and_asks_where_it_runs() {
    if run_with_input(Command::new("sh").args(["-c", "command -v gpg"]), "").code != 0 {
        return agent_workspace_tests::live::skip("the import of a key, because gpg is not installed");
    }
    let inside = Inside::new();
    // Sockets of gpg's agent have short names only.
    let short = tempfile::Builder::new().prefix("g").tempdir_in("/tmp").expect("a temporary folder");
    let homes = [short.path().join("a"), short.path().join("b")];
    for home in &homes {
        std::fs::create_dir(home).expect("a folder");
        std::fs::set_permissions(home, std::fs::Permissions::from_mode(0o700)).expect("it is ours");
    }
    let gpg = |home: &Path, line: &str, stdin: &str| {
        let mut command = inside.command(Path::new("-c"));
        run_with_input(command.arg(line).env("GNUPGHOME", home), stdin)
    };
    let make = "gpg --batch --quiet --passphrase '' --quick-generate-key 'Ada <ada@git.test>' ed25519 sign never";
    let _ = gpg(&homes[0], make, "").expect(0);
    let key = gpg(&homes[0], "gpg --batch --armor --export-secret-keys -- ada@git.test", "").expect(0).stdout;
    let import = format!("sh '{}' ada@git.test", shared("guest/gpg_import.sh").display());
    let ran = gpg(&homes[1], &import, &key);
    let settings = std::fs::read_to_string(homes[1].join("gpg.conf")).unwrap_or_default();
    let _ = ran.expect(0);
    assert_eq!(settings, "pinentry-mode loopback\n");
    let listed = gpg(&homes[1], "gpg --batch --with-colons --list-secret-keys", "").expect(0).stdout;
    assert!(listed.starts_with("sec:u:"), "it is trusted: {listed}");
    let signed = gpg(&homes[1], "echo text | gpg --batch --clearsign | gpg --batch --verify", "");
    assert!(signed.stderr.contains("Good signature from \"Ada <ada@git.test>\" [ultimate]"), "{}", signed.stderr);
    // A second time changes nothing.
    let _ = gpg(&homes[1], &import, &key).expect(0);
    assert_eq!(std::fs::read_to_string(homes[1].join("gpg.conf")).expect("settings"), settings);
    assert_ne!(gpg(&homes[1], &import.replace("ada@", "eve@"), &key).code, 0, "the key is another");
    assert_ne!(gpg(&homes[1], &import, "no key").code, 0);
    // A setting before that has no line end stays one of its own.
    std::fs::write(homes[1].join("gpg.conf"), "no-greeting").expect("settings");
    let _ = gpg(&homes[1], &import, &key).expect(0);
    let settings = std::fs::read_to_string(homes[1].join("gpg.conf")).expect("settings");
    assert_eq!(settings, "no-greeting\npinentry-mode loopback\n");
    for home in &homes {
        let _ = gpg(home, "gpgconf --kill all", "");
    }
}

#[test]
fn the_remote_shell_of_rsync_goes_the_way_that_it_is_told() {
    let inside = Inside::new();
    let run = |quoting: &str, words: &[&str]| {
        let mut command = inside.command(&shared("share/rsh.sh"));
        command.args(words).env("AGENT_WORKSPACE_RSH", "printf\n<%s>\nthe way\n-x");
        if !quoting.is_empty() {
            command.env("AGENT_WORKSPACE_RSH_QUOTING", quoting);
        }
        run_with_input(&mut command, "").expect(0).stdout
    };
    let words = ["agent-ws-demo", "rsync", "--server", "a b", "", "it's"];
    assert_eq!(run("", &words), "<the way><-x><rsync><--server><a b><><it's>");
    assert_eq!(run("argv", &words), "<the way><-x><rsync><--server><a b><><it's>");
    assert_eq!(run("shell", &words), r"<the way><-x><'rsync' '--server' 'a b' '' 'it'\''s'>");
    // What rsync says for ssh is dropped.
    assert_eq!(run("", &["-l", "user", "-4", "host", "rsync"]), "<the way><-x><rsync>");
}

#[test]
fn a_login_shell_is_that_of_the_user() {
    let inside = Inside::new();
    let passwd = std::fs::read_to_string("/etc/passwd").expect("users");
    let id = inside.sh("id -u");
    let shell = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.get(2) == Some(&id.trim()))
        .and_then(|fields| fields.get(6).map(|shell| (*shell).to_owned()));
    let ran = inside.run("login_shell", &[], "echo \"$SHELL\"\nexit 6\n").expect(6);
    match shell {
        Some(shell) if Path::new(&shell).is_file() && !shell.ends_with("nologin") => {
            assert_eq!(ran.stdout, format!("{shell}\n"));
        }
        _ => assert!(ran.stdout.ends_with("sh\n"), "{}", ran.stdout),
    }
}
