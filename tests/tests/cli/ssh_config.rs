//! `vm ssh-config`: our file and one line in the user's configuration, and no other byte of it.

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

    #[track_caller]
    fn run(&self, flag: &str, code: i32) -> Document {
        self.of_state("state", flag, code)
    }

    #[track_caller]
    fn of_state(&self, state: &str, flag: &str, code: i32) -> Document {
        let words = ["vm", "ssh-config", flag].into_iter().filter(|word| !word.is_empty());
        let launcher = Launcher::new(words).json().env("HOME", self.0.path());
        launcher.env("AGENT_WORKSPACE_STATE_DIR", self.0.path().join(state)).run().expect(code).document()
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
