//! `vm ssh-config`: our file and one line in the user's configuration, or lines in that itself, and no other byte.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use agent_workspace_tests::{Document, Launcher};
use tempfile::TempDir;

const LINE: &str = "Include config.d/agent-workspace.conf\n";

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn with(config: &[u8]) -> Self {
        let home = Self::new();
        fs::create_dir(home.ssh()).expect("a folder");
        fs::write(home.config(), config).expect("a file");
        home
    }

    fn ssh(&self) -> PathBuf {
        self.0.path().join(".ssh")
    }

    fn config(&self) -> PathBuf {
        self.ssh().join("config")
    }

    fn file(&self) -> PathBuf {
        self.ssh().join("config.d/agent-workspace.conf")
    }

    /// Makes this the configuration of the launcher's own.
    fn says(&self, operator: &str) {
        let folder = self.0.path().join(".config/agent-workspace");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("config.toml"), format!("[operator]\n{operator}\n")).expect("a file");
    }

    /// Makes this a VM that is remembered.
    fn has_vm(&self, name: &str) {
        self.ok("vm-host add box box.example.org --no-check");
        let state = rusqlite::Connection::open(self.0.path().join("state/state.db")).expect("a state file");
        state
            .execute(
                "INSERT INTO vms (name, platform, host, provisioning, initialization, created_at) \
                 VALUES (?1, 'ssh', 'me@vm.example.org', 'complete', 'complete', '2026-01-01T00:00:00Z')",
                [name],
            )
            .expect("a row");
    }

    #[track_caller]
    fn ok(&self, line: &str) -> Document {
        self.launcher("state", line).run().expect(0).document()
    }

    fn launcher(&self, state: &str, line: &str) -> Launcher {
        let launcher = Launcher::new(line.split_whitespace()).json().env("HOME", self.0.path());
        // The system's ssh reads the configuration of whoever runs this, whatever the home.
        let launcher = launcher.env("PATH", self.0.path());
        launcher.env("AGENT_WORKSPACE_STATE_DIR", self.0.path().join(state))
    }

    #[track_caller]
    fn run(&self, flag: &str, code: i32) -> Document {
        self.of_state("state", flag, code)
    }

    #[track_caller]
    fn of_state(&self, state: &str, flag: &str, code: i32) -> Document {
        self.launcher(state, &format!("vm ssh-config {flag}")).run().expect(code).document()
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).expect("a file")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

#[test]
fn printing_touches_nothing() {
    let home = Home::new();
    let printed = home.run("", 0);
    assert!(printed.text("/text").starts_with("# Written by agent-workspace"));
    assert_eq!((printed.at("/installed").as_bool(), printed.at("/changed").as_bool()), (Some(false), Some(false)));
    assert_eq!(fs::read_dir(home.0.path()).expect("a folder").count(), 0);
}

#[test]
fn the_line_is_put_in_once_and_taken_out_and_every_other_byte_stays() {
    for config in [&b"# mine\nHost a\n  User b"[..], b"Host a\r\n  User b\r\n", b"", b"\xff\n"] {
        let home = Home::with(config);
        fs::set_permissions(home.config(), Permissions::from_mode(0o640)).expect("a file");
        let installed = home.run("--install", 0);
        assert_eq!(
            (installed.at("/installed").as_bool(), installed.at("/changed").as_bool()),
            (Some(true), Some(true))
        );
        let end: &[u8] = if config.contains(&b'\r') { b"\r\n" } else { b"\n" };
        assert_eq!(bytes(&home.config()), [LINE.trim_end().as_bytes(), end, config].concat());
        assert_eq!(
            (mode(&home.config()), mode(&home.file()), mode(&home.ssh().join("config.d"))),
            (0o640, 0o600, 0o700)
        );
        let again = home.run("--install", 0);
        assert_eq!((again.at("/installed").as_bool(), again.at("/changed").as_bool()), (Some(true), Some(false)));
        let removed = home.run("--uninstall", 0);
        assert_eq!((removed.at("/installed").as_bool(), removed.at("/changed").as_bool()), (Some(false), Some(true)));
        assert_eq!((bytes(&home.config()), mode(&home.config())), (config.to_owned(), 0o640));
        assert!(!home.file().exists());
        assert_eq!(*home.run("--uninstall", 0).at("/changed"), false);
    }
}

#[test]
fn a_configuration_that_is_not_there_is_made_for_its_owner_alone() {
    let home = Home::new();
    home.run("--install", 0);
    assert_eq!((bytes(&home.config()), mode(&home.config()), mode(&home.ssh())), (LINE.into(), 0o600, 0o700));
}

#[test]
fn a_line_of_the_users_own_that_reads_the_file_is_enough() {
    for config in ["Include config.d/*\n", "include ~/.ssh/config.d/*.conf\nHost a\n"] {
        let home = Home::with(config.as_bytes());
        assert_eq!(*home.run("--install", 0).at("/installed"), true);
        assert_eq!(bytes(&home.config()), config.as_bytes());
        home.run("--uninstall", 0);
        assert_eq!(bytes(&home.config()), config.as_bytes());
        assert!(!home.file().exists());
    }
}

#[test]
fn a_link_stays_a_link_and_what_it_leads_to_is_changed() {
    let home = Home::with(b"");
    let real = home.0.path().join("dotfiles");
    fs::write(&real, "Host a\n").expect("a file");
    fs::remove_file(home.config()).expect("a file");
    std::os::unix::fs::symlink("../dotfiles", home.config()).expect("a link");
    home.run("--install", 0);
    assert!(home.config().is_symlink());
    assert_eq!(bytes(&real), format!("{LINE}Host a\n").as_bytes());
    home.says("ssh_config_dir = false");
    home.run("--install", 0);
    assert!(home.config().is_symlink() && bytes(&real).starts_with(b"# >>> ") && bytes(&real).ends_with(b"Host a\n"));
    fs::remove_file(&real).expect("a file");
    assert_eq!(home.run("--install", 1).error_code(), "ssh_config_failed");
    assert!(home.config().is_symlink() && !real.exists());
}

#[test]
fn what_is_not_ours_or_cannot_be_written_is_left_as_it_is_and_said() {
    let home = Home::with(b"Host a\n");
    fs::set_permissions(home.config(), Permissions::from_mode(0o400)).expect("a file");
    assert_eq!(home.run("--install", 1).error_code(), "ssh_config_failed");
    assert_eq!((bytes(&home.config()), home.file().exists()), (b"Host a\n".to_vec(), false));
    fs::set_permissions(home.config(), Permissions::from_mode(0o600)).expect("a file");

    fs::create_dir_all(home.ssh().join("config.d")).expect("a folder");
    fs::write(home.file(), "mine\n").expect("a file");
    assert_eq!(home.run("--install", 1).error_code(), "ssh_config_failed");
    home.run("--uninstall", 0);
    assert_eq!((bytes(&home.config()), bytes(&home.file())), (b"Host a\n".to_vec(), b"mine\n".to_vec()));

    fs::remove_file(home.file()).expect("a file");
    let theirs = home.0.path().join("theirs");
    fs::write(&theirs, "theirs\n").expect("a file");
    std::os::unix::fs::symlink(&theirs, home.file()).expect("a link");
    assert_eq!(home.run("--install", 1).error_code(), "ssh_config_failed");
    assert_eq!(bytes(&theirs), b"theirs\n");
    fs::remove_file(home.file()).expect("a link");

    home.run("--install", 0);
    // Another state is another launcher's.
    assert_eq!(home.of_state("other", "--install", 1).error_code(), "ssh_config_failed");
    assert_eq!(*home.run("", 0).at("/installed"), true);

    fs::set_permissions(home.ssh().join("config.d"), Permissions::from_mode(0o777)).expect("a folder");
    assert_eq!(home.run("--install", 1).error_code(), "ssh_config_failed");
}

#[test]
fn a_configuration_that_is_no_file_is_said_and_not_waited_for() {
    let home = Home::with(b"");
    fs::remove_file(home.config()).expect("a file");
    let made = std::process::Command::new("mkfifo").arg(home.config()).status().expect("mkfifo is there");
    assert!(made.success());
    let failed = home.run("--install", 1);
    assert_eq!(failed.error_code(), "ssh_config_failed");
    assert_eq!(failed.at("/error/causes/0"), "it is no file");
    assert!(!home.file().exists());
}

/// What the document says of it.
fn state(document: &Document) -> (bool, bool) {
    let is = |at: &str| document.at(at).as_bool().expect("yes or no");
    (is("/installed"), is("/changed"))
}

#[test]
fn the_configuration_names_another_file_and_the_names_are_beside_it() {
    let home = Home::with(b"Host a\n");
    let folder = home.0.path().join("my dotfiles");
    let (config, file) = (folder.join("ssh"), folder.join("config.d/agent-workspace.conf"));
    home.says("ssh_config = \"~/my dotfiles/ssh\"");
    let installed = home.run("--install", 0);
    assert_eq!(state(&installed), (true, true));
    assert_eq!(installed.text("/config"), config.display().to_string());
    assert_eq!(installed.text("/file"), file.display().to_string());
    assert_eq!(bytes(&config), format!("Include \"{}\"\n", file.display()).as_bytes());
    assert_eq!((mode(&config), mode(&file), mode(&folder)), (0o600, 0o600, 0o700));
    assert_eq!(state(&home.run("--install", 0)), (true, false));
    // Who deletes and makes VMs finds it there.
    home.has_vm("dev");
    assert_eq!(state(&home.run("", 0)), (true, false));
    assert!(!String::from_utf8_lossy(&bytes(&file)).contains("Host awvm--dev"));
    home.has_vm("gone");
    assert_eq!(home.ok("vm delete gone").warnings(), Vec::<&str>::new());
    assert!(String::from_utf8_lossy(&bytes(&file)).contains("Host awvm--dev\n  HostName vm.example.org\n"));
    assert_eq!(state(&home.run("--uninstall", 0)), (false, true));
    assert_eq!((bytes(&config), file.exists()), (Vec::new(), false));
    assert_eq!((bytes(&home.config()), home.ssh().join("config.d").exists()), (b"Host a\n".to_vec(), false));

    // A line of the user's own does.
    let line = "include = \"~/my dotfiles/config.d/*.conf\"\nHost a\n";
    fs::write(&config, line).expect("a file");
    assert_eq!(state(&home.run("--install", 0)), (true, true));
    assert_eq!((bytes(&config), file.exists()), (line.into(), true));

    // No line could name that one.
    home.says("ssh_config = \"~/what*/ssh\"");
    let failed = home.run("--install", 1);
    assert_eq!(failed.error_code(), "ssh_config_failed");
    assert!(failed.text("/error/hint").contains("ssh_config_dir = false"), "{failed:?}");
    home.says("ssh_config = \"~/what*/ssh\"\nssh_config_dir = false");
    assert_eq!(state(&home.run("--install", 0)), (true, true));
}

#[test]
fn inline_the_names_stand_in_the_configuration_itself_and_every_other_byte_stays() {
    for config in [&b"User x\nHost a\n  User b"[..], b"Host a\r\n  User b\r\n", b"", b"\xff\n"] {
        let home = Home::with(config);
        fs::set_permissions(home.config(), Permissions::from_mode(0o640)).expect("a file");
        home.says("ssh_config_dir = false");
        home.has_vm("dev");
        let printed = home.run("", 0);
        assert_eq!((state(&printed), bytes(&home.config())), ((false, false), config.to_owned()));
        let installed = home.run("--install", 0);
        assert_eq!((state(&installed), installed.text("/file")), ((true, true), installed.text("/config")));
        let end = if config.contains(&b'\r') { "\r\n" } else { "\n" };
        let text = installed.text("/text").replace('\n', end);
        assert!(text.starts_with("# >>> agent-workspace:") && text.contains("\nHost awvm--dev"), "{text}");
        assert!(text.ends_with(&format!("{end}Host *{end}# <<< agent-workspace{end}")), "{text}");
        assert_eq!((bytes(&home.config()), mode(&home.config())), ([text.as_bytes(), config].concat(), 0o640));
        assert!(!home.ssh().join("config.d").exists());
        assert_eq!(state(&home.run("--install", 0)), (true, false));

        // A change of the VMs is one there, wherever the lines have been moved to.
        fs::write(home.config(), [b"# moved\n", text.as_bytes(), config].concat()).expect("a file");
        assert_eq!(home.ok("vm delete dev").warnings(), Vec::<&str>::new());
        let kept = home.run("", 0);
        assert!(kept.at("/installed") == true && !kept.text("/text").contains("awvm--dev"), "{kept:?}");
        let text = kept.text("/text").replace('\n', end);
        assert_eq!(bytes(&home.config()), [b"# moved\n", text.as_bytes(), config].concat());

        assert_eq!(state(&home.run("--uninstall", 0)), (false, true));
        assert_eq!((bytes(&home.config()), mode(&home.config())), ([b"# moved\n", config].concat(), 0o640));
        assert_eq!(state(&home.run("--uninstall", 0)), (false, false));
        // Who has not installed it has nothing kept.
        home.has_vm("more");
        assert_eq!(home.ok("vm delete more").warnings(), Vec::<&str>::new());
        assert_eq!(bytes(&home.config()), [b"# moved\n", config].concat());
    }
}

#[test]
fn another_way_takes_the_place_of_the_one_before_and_nothing_is_left_of_that() {
    let config = "User x\nHost a\n  User b\n";
    let home = Home::with(config.as_bytes());
    let beside = |home: &Home| {
        assert_eq!(bytes(&home.config()), format!("{LINE}{config}").as_bytes());
        assert!(home.file().exists());
    };
    let inline = |home: &Home| {
        let text = String::from_utf8(bytes(&home.config())).expect("text");
        assert!(text.starts_with("# >>> agent-workspace:") && text.ends_with(config), "{text}");
        assert!(!text.contains("Include") && !home.file().exists(), "{text}");
    };
    home.run("--install", 0);
    beside(&home);
    home.says("ssh_config_dir = false");
    assert_eq!(*home.run("", 0).at("/installed"), false);
    assert_eq!(state(&home.run("--install", 0)), (true, true));
    inline(&home);
    home.says("");
    assert_eq!(*home.run("", 0).at("/installed"), false);
    assert_eq!(state(&home.run("--install", 0)), (true, true));
    beside(&home);
    // A change of the VMs does the same.
    for (says, is) in [("ssh_config_dir = false", &inline as &dyn Fn(&Home)), ("", &beside)] {
        home.says(says);
        home.has_vm("dev");
        assert_eq!(home.ok("vm delete dev").warnings(), Vec::<&str>::new());
        is(&home);
        assert_eq!(state(&home.run("--install", 0)), (true, false));
    }
    // Both are taken away whatever the configuration says.
    home.says("ssh_config_dir = false");
    assert_eq!(state(&home.run("--uninstall", 0)), (false, true));
    assert_eq!((bytes(&home.config()), home.file().exists()), (config.into(), false));
    home.run("--install", 0);
    home.says("");
    assert_eq!(state(&home.run("--uninstall", 0)), (false, true));
    assert_eq!(bytes(&home.config()), config.as_bytes());
}

#[test]
fn inline_what_is_not_ours_or_cannot_be_written_is_left_as_it_is_and_said() {
    let home = Home::with(b"Host a\n");
    home.says("ssh_config_dir = false");
    fs::set_permissions(home.config(), Permissions::from_mode(0o400)).expect("a file");
    assert_eq!(home.run("--install", 1).error_code(), "ssh_config_failed");
    assert_eq!(bytes(&home.config()), b"Host a\n");
    fs::set_permissions(home.config(), Permissions::from_mode(0o600)).expect("a file");

    home.run("--install", 0);
    let installed = bytes(&home.config());
    assert_eq!(home.of_state("other", "--install", 1).error_code(), "ssh_config_failed");
    assert_eq!(state(&home.of_state("other", "--uninstall", 0)), (false, false));
    assert_eq!(bytes(&home.config()), installed);

    // Without its end, nobody knows what is ours: not who installs, and not who keeps it.
    let torn = String::from_utf8(installed).expect("text").replace("# <<< agent-workspace\n", "");
    fs::write(home.config(), &torn).expect("a file");
    for flag in ["--install", "--uninstall"] {
        assert_eq!(home.run(flag, 1).error_code(), "ssh_config_failed");
    }
    home.has_vm("dev");
    assert_eq!(home.ok("vm delete dev").warnings(), ["ssh_config_failed"]);
    assert_eq!(bytes(&home.config()), torn.as_bytes());
}

#[test]
fn a_file_of_another_launcher_keeps_the_line_that_reads_it() {
    let home = Home::with(b"Host a\n");
    home.run("--install", 0);
    assert_eq!(state(&home.of_state("other", "--uninstall", 0)), (false, false));
    assert_eq!(*home.run("", 0).at("/installed"), true);
    home.says("ssh_config_dir = false");
    assert_eq!(state(&home.of_state("other", "--install", 0)), (true, true));
    assert!(String::from_utf8_lossy(&bytes(&home.config())).ends_with(&format!("{LINE}Host a\n")));
    assert!(home.file().exists());
}

#[test]
fn a_configuration_that_is_wrong_is_a_warning_where_something_is_kept_and_nothing_elsewhere() {
    let home = Home::with(b"");
    for (flag, warnings) in [("--uninstall", &[][..]), ("--install", &["ssh_config_failed"])] {
        home.says("");
        home.run(flag, 0);
        home.has_vm("dev");
        home.says("ssh_config_dir = 1");
        assert_eq!(home.run("--install", 2).error_code(), "config_invalid");
        assert_eq!(home.ok("vm delete dev").warnings(), warnings);
    }
}
