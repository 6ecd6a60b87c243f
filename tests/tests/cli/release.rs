//! `./dev release`: archives that are the same bytes each time, with their sums and pins.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use agent_workspace_tests::Ran;

/// A folder with a stand-in for the binary, which says a version.
fn world(version: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let binary = folder.path().join("binary");
    std::fs::write(&binary, format!("#!/bin/sh\necho {version}\n")).expect("a file");
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o700)).expect("it is ours");
    folder
}

fn release(folder: &Path, args: &[&str]) -> Ran {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the project");
    let mut command = Command::new(root.join("dev"));
    command.arg("release").args(args).current_dir(folder).env_clear();
    command
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", folder)
        .env("CARGO_TARGET_DIR", folder.join("target"));
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    Ran::of(child.expect("it starts"))
}

fn sh(folder: &Path, script: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-euc", script]).current_dir(folder).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    Ran::of(child.expect("a shell")).expect(0).stdout
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn a_release_is_two_archives_and_their_sums_and_the_same_bytes_each_time() {
    let world = world("1.2.3");
    let folder = world.path();
    std::fs::create_dir(folder.join("a")).expect("a folder");
    std::fs::write(folder.join("a/agent-workspace-1.2.3-macos-aarch64.tar.gz"), "other").expect("a file");
    std::fs::write(folder.join("a/agent-workspace-1.2.2-linux-aarch64.tar.gz"), "old").expect("a file");
    let args = ["--url", "https://releases.test/1.2.3/", "--binary", "binary", "--out"];
    let _ = release(folder, &[&args[..], &["a"]].concat()).expect(0);
    sh(
        folder,
        "cp -R a b && cd b && rm agent-workspace-1.2.3-linux-* agent-workspace-wrappers-* SHA256SUMS && sleep 1",
    );
    let _ = release(folder, &[&args[..], &["b"]].concat()).expect(0);
    assert_eq!(sh(folder, "cd b && sha256sum *"), sh(folder, "cd a && sha256sum *"));

    let a = folder.join("a");
    assert_eq!(files(&a).len(), 5, "{:?}", files(&a));
    sh(&a, "sha256sum -c SHA256SUMS");
    let sums = sh(&a, "cut -d' ' -f3 SHA256SUMS");
    let names: Vec<&str> = sums.lines().collect();
    assert_eq!(names.len(), 3, "{sums}");
    assert!(names[0].starts_with("agent-workspace-1.2.3-linux-"), "{sums}");
    assert_eq!(names[1..], ["agent-workspace-1.2.3-macos-aarch64.tar.gz", "agent-workspace-wrappers-1.2.3.tar.gz"]);
    assert_eq!(sh(&a, "tar -tzf agent-workspace-1.2.3-linux-*"), "agent-workspace\nLICENSE\nREADME.md\n");
    assert_eq!(sh(&a, "tar -xzf agent-workspace-1.2.3-linux-* && ./agent-workspace --version"), "1.2.3\n");

    let pins = sh(&a, "tar -xzOf agent-workspace-wrappers-1.2.3.tar.gz wrappers/share/pins");
    let pins: Vec<&str> = pins.lines().collect();
    assert_eq!(pins[..2], ["version 1.2.3", "url https://releases.test/1.2.3"]);
    let sums = std::fs::read_to_string(a.join("SHA256SUMS")).expect("the sums");
    for pin in &pins[2..] {
        let [platform, sum, file] = pin.split(' ').collect::<Vec<_>>()[..] else { panic!("{pin}") };
        assert_eq!(file, format!("agent-workspace-1.2.3-{platform}.tar.gz"));
        assert!(sums.contains(&format!("{sum}  {file}\n")), "{pin}");
    }
    assert_eq!(pins.len(), 4, "{pins:?}");
    let listed = sh(&a, "tar -tvzf agent-workspace-wrappers-1.2.3.tar.gz");
    assert!(listed.contains("wrappers/README.md") && listed.lines().all(|line| line.contains(" 0/0 ")), "{listed}");
}

#[test]
fn what_makes_no_release_is_refused_before_anything_is_written() {
    let world = world("not-a-version");
    for (args, said) in [
        (&["--url", "http://releases.test", "--binary", "binary"][..], "https://"),
        (&["--binary", "binary"], "no version"),
        (&["--binary"], "needs a value"),
        (&["--bogus"], "usage:"),
    ] {
        let ran = release(world.path(), &[args, &["--out", "out"]].concat());
        let ran = if args == ["--binary"] { release(world.path(), args) } else { ran }.expect(1);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
    }
    assert!(!world.path().join("out").exists());
}
