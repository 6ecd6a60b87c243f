//! `copy`: what is in the new workspace is what was in its source, whatever that holds, or there is none.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use agent_workspace_tests::live::{run_with_input, skip};
use agent_workspace_tests::place::Place;
use agent_workspace_tests::{Document, Ran, work};
use rustix::process::{Pid, Signal, kill_process};

#[track_caller]
fn said(document: &Document, script: &str) -> String {
    Place::inside(document, script).expect(0).stdout
}

fn runs(place: &Place) -> Vec<String> {
    Place::processes(place.state().to_str().expect("text"))
}

#[track_caller]
fn warned(document: &Document) -> Vec<String> {
    let warnings = document.at("/warnings").as_array().expect("warnings");
    warnings.iter().map(|warning| warning["code"].as_str().expect("a code").to_owned()).collect()
}

/// A workspace whose own tar is this script, as somebody at work in it could have it.
fn with_a_tar_of_its_own(place: &Place, name: &str, script: &str) -> Document {
    let made = place.create(name);
    let put = format!(
        "mkdir -p ~/.local/bin && cat >~/.local/bin/tar <<'E' && chmod +x ~/.local/bin/tar\n#!/bin/sh\n{script}\nE"
    );
    Place::does(&made, &put);
    made
}

#[test]
fn all_work_comes_over_as_it_is_and_nothing_else_does() {
    let Some(place) = Place::walled("a copy") else { return };
    let made = place.create("from");
    Place::does(&made, work::FILL);
    let there = work::listing(&made);
    for (name, stopped) in [("running", false), ("stopped", true)] {
        if stopped {
            place.document(["stop", "from"], 0);
        }
        let copy = place.document(["copy", "from", "--name", name], 0);
        assert_eq!(work::listing(&copy), there);
        assert_eq!(warned(&copy), Vec::<String>::new());
        assert_eq!(copy.text("/source"), "agent-ws-from");
        assert_eq!((copy.text("/backend"), copy.text("/source_backend")), ("host", "host"));
        let bytes = said(&copy, "find /work -type f -printf '%s\\n' | awk '{ all += $1 } END { print all }'");
        assert_eq!(copy.at("/bytes").to_string(), bytes.trim());
        assert_eq!(said(&copy, "ls -A ~/.git-credentials 2>/dev/null | wc -l").trim(), "0", "the home stays");
        Place::does(&copy, "cd /work/o/r && git fsck --strict && git status --porcelain | grep -qx ' M one'");
        // Neither knows anything of the other.
        Place::does(&copy, "echo more >/work/more");
    }
    let status = place.document(["describe", "from"], 0);
    assert_eq!(status.text("/workspace/status"), "stopped");
    let started = place.document(["start", "from"], 0);
    assert_eq!(*started.at("/changed"), true);
    assert_eq!(work::listing(&made), there);
    assert_eq!(place.entries(), ["agent-ws-from", "agent-ws-running", "agent-ws-stopped"]);
    // A copy is finished: nothing takes it for what a create has left.
    let pruned = place.document(["prune", "--older-than", "0", "--dry-run"], 0);
    assert_eq!(pruned.at("/kept").to_string() + &pruned.at("/removed").to_string(), "[][]");
}

#[test]
fn a_copy_is_for_the_same_repository_and_folder_and_says_what_it_is_without() {
    let Some(place) = Place::walled("a copy of settings") else { return };
    std::fs::write(place.folder().join("environment"), "A=1\nB=2\n").expect("a file");
    std::fs::create_dir(place.folder().join("secrets")).expect("a folder");
    let create = ["create", "acme/hello", "--no-clone", "--name", "from", "--isolation", "strict"];
    let made = place.launcher(create).json().arg("--env-file").arg(place.folder().join("environment"));
    let _ = made.arg("--secrets-dir").arg(place.folder().join("secrets")).run().expect(0);
    let copy = place.document(["copy", "from", "--name", "to"], 0);
    assert_eq!((copy.text("/repo"), copy.text("/path"), copy.text("/isolation")), ("acme/hello", "/work", "strict"));
    assert_eq!(warned(&copy), ["not_copied", "not_copied"]);
    assert_eq!(said(&copy, "echo \"$A$B\"; ls ~/codex_secrets 2>&1 | grep -c 'No such'"), "\n1\n");
}

#[test]
fn git_credentials_come_only_when_they_are_given_anew() {
    let Some(place) = Place::walled("a copy with credentials") else { return };
    let _ = place.create("from");
    let words = ["copy", "from", "--name", "to", "--setup-git", "--token-stdin"];
    let copy = place.launcher(words).json().stdin("canary-of-the-copy\n").run().expect(0).document();
    assert!(said(&copy, "cd && grep -rl canary-of-the-copy . | wc -l").trim() != "0");
    assert_eq!(place.document(["copy", "from", "--name", "x", "--setup-git"], 6).error_code(), "git_auth_missing");
    assert_eq!(place.entries(), ["agent-ws-from", "agent-ws-to"]);
}

#[test]
fn what_is_there_is_never_copied_to() {
    let Some(place) = Place::walled("copies to what is there") else { return };
    let made = place.create("from");
    let there = place.create("there");
    Place::does(&there, "echo mine >/work/mine");
    for name in ["there", "from"] {
        let refused = place.document(["copy", "from", "--name", name], 4);
        assert_eq!(refused.error_code(), "workspace_exists");
    }
    place.document(["rm", "there", "--keep-volumes"], 0);
    assert_eq!(place.document(["copy", "from", "--name", "there"], 4).error_code(), "workspace_exists");
    let back = place.create("there");
    assert_eq!(said(&back, "cat /work/mine"), "mine\n");
    assert_eq!(place.document(["copy", "nothing", "--name", "x"], 3).error_code(), "workspace_not_found");
    assert_eq!(place.document(["copy", "from"], 2).error_code(), "input_required");
    assert_eq!(place.document(["copy", "from", "--name", "x", "--backend", "y"], 9).error_code(), "unsupported");
    Place::does(&made, "true");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_said() {
    let Some(place) = Place::walled("a copy of what changes") else { return };
    let made = place.create("from");
    let sleeps = Place::sleeper();
    Place::does(&made, &format!("(while :; do date +%N >>/work/grows; done & {sleeps}) >/dev/null 2>&1 &"));
    let copy = place.document(["copy", "from", "--name", "to"], 0);
    assert_eq!(warned(&copy), ["changed_while_copied"]);
    Place::does(&copy, "test -s /work/grows");
}

#[test]
fn what_cannot_be_read_fails_the_copy_and_nothing_of_it_stays() {
    let Some(place) = Place::walled("a copy of what cannot be read") else { return };
    let made = place.create("from");
    Place::does(&made, "echo x >/work/x && chmod 0 /work/x");
    let failed = place.document(["copy", "from", "--name", "to"], 1);
    assert_eq!(failed.error_code(), "guest_failed");
    assert_eq!(failed.text("/error/details/source"), "agent-ws-from");
    assert_eq!(place.entries(), ["agent-ws-from"]);
    // A tar that ends well and leaves something out is no copy either.
    let _ = with_a_tar_of_its_own(&place, "lies", "exec /usr/bin/tar --exclude=b \"$@\"");
    Place::does(&place.document(["describe", "lies"], 0), "echo a >/work/a; echo b >/work/b");
    let failed = place.document(["copy", "lies", "--name", "to"], 1);
    assert!(failed.text("/error/message").contains("not what its source is"), "{}", failed.0);
    assert_eq!(place.entries(), ["agent-ws-from", "agent-ws-lies"]);
    assert_eq!(runs(&place).iter().filter(|said| said.contains("agent-ws-to")).count(), 0);
}

/// A tar that was made by hand: names and links that lead out, rights, other people's files.
fn hostile(folder: &Path, kind: &str) {
    let script = r"import io, sys, tarfile
kind, path = sys.argv[1:]
archive = tarfile.open(path, 'w')
def add(name, type=tarfile.REGTYPE, link='', mode=0o644, data=b'evil\n'):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode, entry.uid, entry.gid = type, link, mode, 0, 0
    entry.devmajor, entry.devminor = 1, 3
    entry.size = len(data) if type == tarfile.REGTYPE else 0
    archive.addfile(entry, io.BytesIO(data))
if kind == 'absolute': add('/home/agent/evil'), add('/tmp/evil')
if kind == 'parents': add('../home/agent/evil'), add('a/../../tmp/evil')
if kind == 'link': add('out', tarfile.SYMTYPE, '/home/agent'), add('out/evil')
if kind == 'relative': add('out', tarfile.SYMTYPE, '../home/agent'), add('out/evil')
if kind == 'twice': add('d', tarfile.DIRTYPE, mode=0o755), add('d', tarfile.SYMTYPE, '/home/agent'), add('d/evil')
if kind == 'hard': add('hard', tarfile.LNKTYPE, '/home/agent/.profile'), add('hard')
if kind == 'device': add('device', tarfile.CHRTYPE)
if kind == 'setuid': add('run', mode=0o6755), add('d', tarfile.DIRTYPE, mode=0o7777)
archive.close()
";
    let mut command = Command::new("python3");
    command.args(["-c", script, kind]).arg(folder.join(kind));
    assert_eq!(run_with_input(&mut command, "").code, 0);
}

#[test]
fn a_tar_made_by_hand_reaches_nothing_but_the_new_workspaces_own_work() {
    let Some(place) = Place::walled("hostile tars") else { return };
    if Command::new("python3").arg("--version").output().is_err() {
        return skip("hostile tars, because there is no python3 to make them with");
    }
    // It gives the tar of a kind and lies about what is there, so that only what came of it tells.
    let made =
        with_a_tar_of_its_own(&place, "from", "case $* in *-cf*) cat ~/tar;; *) exec /usr/bin/tar \"$@\";; esac");
    Place::does(&made, "touch -d 2001-01-01 ~/.profile");
    for kind in ["absolute", "parents", "link", "relative", "twice", "hard", "device", "setuid"] {
        hostile(place.folder(), kind);
        std::fs::copy(place.folder().join(kind), place.workspace("agent-ws-from").join("home/tar")).expect("a file");
        // What it says of itself changes all the time, so that it is not compared.
        let change = "rm -rf /work/x; (while :; do date +%N >/work/x; sleep 0.01; done) >/dev/null 2>&1 &";
        let copy = place.launcher(["copy", "from", "--name", kind]).json();
        Place::does(&made, &format!("pkill -f 'date +%N' ; {change}"));
        let ran = copy.run();
        let full = format!("agent-ws-{kind}");
        if ran.code == 0 {
            let document = ran.document();
            let inside = "find /home/agent /tmp -name 'evil*'; find /work -perm /7000; find /work ! -user agent; \
                          find /work -type c -o -type b";
            assert_eq!(said(&document, inside), "", "{kind}");
            place.document(["rm", "--force", kind], 0);
        } else {
            assert_eq!(ran.document().error_code(), "guest_failed", "{kind}");
        }
        assert!(!place.workspace(&full).exists(), "{kind}");
        assert_eq!(said(&made, "cat ~/.profile 2>/dev/null | grep -c evil || :").trim(), "0");
    }
    for outside in ["/tmp/evil", "/home/agent/evil"] {
        assert!(!Path::new(outside).exists());
    }
    assert_eq!(place.entries(), ["agent-ws-from"]);
}

#[test]
fn a_copy_that_is_cut_off_at_any_moment_is_taken_back_and_its_source_is_as_it_was() {
    let Some(place) = Place::walled("copies that are cut off") else { return };
    let made = place.create("from");
    Place::does(&made, "head -c 200M /dev/zero >/work/big; for i in $(seq 300); do echo $i >/work/$i; done");
    let there = work::listing(&made);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for step in 0..6_u64 {
            for stopped in [false, true] {
                place.document([if stopped { "stop" } else { "start" }, "from"], 0);
                let child = place.launcher(["copy", "from", "--name", "cut"]).json().spawn();
                std::thread::sleep(Duration::from_millis(20 + step * 90));
                // It may be over by then.
                let _ = kill_process(Pid::from_child(&child), signal);
                let ran = Ran::of(child);
                if ran.code == 0 {
                    place.document(["rm", "--force", "cut"], 0);
                } else {
                    assert_eq!(ran.code, code, "{}", ran.stderr);
                }
                assert_eq!(place.entries(), ["agent-ws-from"], "after {step} steps");
            }
        }
    }
    place.document(["start", "from"], 0);
    assert_eq!(work::listing(&made), there);
    let late = place.launcher(["copy", "from", "--name", "cut"]).json().arg("--timeout=200ms").run().expect(124);
    assert_eq!(late.document().error_code(), "timeout");
    assert_eq!(place.entries(), ["agent-ws-from"]);
    assert_eq!(runs(&place).iter().filter(|said| said.contains("agent-ws-cut")).count(), 0);
}

#[test]
fn a_copy_that_is_killed_is_no_finished_workspace() {
    let Some(place) = Place::walled("copies that are killed") else { return };
    // Its tar never ends.
    let sleeps = Place::sleeper();
    let tar = format!("case $* in *-cf*) exec {sleeps};; *) exec /usr/bin/tar \"$@\";; esac");
    let _ = with_a_tar_of_its_own(&place, "from", &tar);
    let child = place.launcher(["copy", "from", "--name", "cut"]).json().spawn();
    agent_workspace_tests::live::until("the work is on its way", || !Place::processes(&sleeps).is_empty());
    let _ = kill_process(Pid::from_child(&child), Signal::KILL);
    let _ = Ran::of(child);
    place.document(["stop", "from"], 0);
    place.document(["stop", "cut"], 0);
    let pruned = place.document(["prune", "--older-than", "0"], 0);
    assert_eq!(pruned.text("/removed/0/reason"), "half_made");
    assert_eq!(place.entries(), ["agent-ws-from"]);
}

#[test]
fn a_disk_that_is_full_takes_the_copy_back() {
    let Some(place) = Place::walled("a copy on a full disk") else { return };
    let small = place.state();
    let sudo = if rustix::process::geteuid().is_root() { vec![] } else { vec!["sudo", "-n"] };
    let run = |words: &[&str]| {
        let words: Vec<&str> = sudo.iter().copied().chain(words.iter().copied()).collect();
        Command::new(words[0]).args(&words[1..]).output().is_ok_and(|output| output.status.success())
    };
    std::fs::create_dir(&small).expect("a folder");
    let path = small.to_str().expect("text").to_owned();
    if !run(&["mount", "-t", "tmpfs", "-o", "size=16m,mode=777", "tmpfs", &path]) {
        return skip("a copy on a full disk, because nothing can be mounted here");
    }
    let made = place.create("from");
    Place::does(&made, "head -c 10M /dev/zero >/work/big");
    let full = place.launcher(["copy", "from", "--name", "to"]).json().run();
    let entries = place.entries();
    let whole = said(&made, "stat -c %s /work/big");
    place.document(["rm", "--force", "from"], 0);
    assert!(run(&["umount", "-l", &path]));
    let full = full.expect(1).document();
    assert_eq!(full.error_code(), "disk_full", "{}", full.0);
    assert_eq!((entries, whole.trim()), (vec!["agent-ws-from".to_owned()], "10485760"));
}
