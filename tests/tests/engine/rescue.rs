//! `rm --rescue`: nothing is removed before the work is on this host, and nothing is left of a rescue that failed.

use std::path::Path;
use std::process::Command;

use agent_workspace_tests::Document;
use agent_workspace_tests::engine::{Container, Engine, Fault, Reply, Script, When, tar_of};
use serde_json::json;

use crate::{fails, failure, interrupted, succeeds};

const PACKED: &str = "/tmp/agent-workspace-rescue/out";

fn sha256(content: &str) -> String {
    let words = ["-c", "printf %s \"$0\" | sha256sum | cut -c 1-64", content];
    let output = Command::new("sh").args(words).output().expect("a shell");
    String::from_utf8(output.stdout).expect("hex").trim().to_owned()
}

fn line(content: &str) -> String {
    format!("changes\t{}\t{}\t001-r.changes.patch\t/work/o/r\n", content.len(), sha256(content))
}

/// A workspace with a change in it that can be packed and fetched.
fn workspace(state: &str) -> Engine {
    let engine = Engine::start();
    engine.has(Container::workspace("a").state(state));
    engine.answers(Script::UnsavedWork, Reply::says("changes\t1\t/work/o/r\n"));
    engine.answers(Script::Rescue, Reply::says(line("the patch") + "end\t1\n"));
    engine.has_archive(PACKED, tar_of(&[("out/001-r.changes.patch", b"the patch")]));
    engine
}

/// A folder to rescue into, and its words for the launcher.
fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rescued").to_str().expect("temporary folders are UTF-8").to_owned();
    (folder, path)
}

/// Everything under a folder.
fn everything(path: impl AsRef<Path>) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    entries.map(|entry| entry.expect("an entry").path().display().to_string()).collect()
}

fn stays(engine: &Engine, state: &str) {
    assert_eq!((engine.containers().len(), engine.state_of("agent-ws-a").as_str()), (1, state), "{:?}", engine.calls());
    assert_eq!(engine.volume_names(), ["agent-ws-a-home", "agent-ws-a-work"]);
}

#[test]
fn work_is_on_this_host_before_anything_is_removed() {
    for state in ["exited", "paused", "running"] {
        let engine = workspace(state);
        let (_keep, into) = folder();
        let document = succeeds(&engine, &["rm", "a", "--rescue", &into]);
        let dir = document.text("/rescued/dir");
        assert!(dir.starts_with(&format!("{into}/agent-ws-a-20")), "{dir}");
        assert_eq!(
            document.at("/rescued/items"),
            &json!([{
                "kind": "changes", "repository": "/work/o/r", "file": "001-r.changes.patch", "bytes": 9,
                "sha256": sha256("the patch"),
            }])
        );
        assert_eq!(std::fs::read_to_string(format!("{dir}/001-r.changes.patch")).expect("the patch"), "the patch");
        assert!(std::fs::read_to_string(format!("{dir}/README.txt")).expect("a text").contains("git clone"));
        assert_eq!((engine.containers().len(), engine.volumes().len()), (0, 0), "{state}");
        let calls = engine.calls();
        let place = |beginning: &str| calls.iter().position(|call| call.starts_with(beginning));
        let fetched = place("GET /containers/<agent-ws-a-view-<id>>/archive").expect("it was fetched");
        assert!(place("DELETE /containers/<agent-ws-a>").expect("it was removed") > fetched);
        let paused = place("POST /containers/<agent-ws-a>/pause");
        assert_eq!(paused.is_some(), state == "running", "{calls:?}");
    }
}

#[test]
fn a_clean_workspace_has_nothing_to_rescue_and_costs_one_look() {
    for (state, most) in [("running", 7), ("exited", 10)] {
        let engine = Engine::start();
        engine.has(Container::workspace("a").state(state));
        let (_keep, into) = folder();
        let document = succeeds(&engine, &["rm", "a", "--rescue", &into]);
        assert_eq!(document.at("/rescued"), &json!(null));
        assert!(!Path::new(&into).exists(), "it was made for nothing");
        assert_eq!(engine.calls().len(), most);
    }
    let engine = workspace("exited");
    assert!(succeeds(&engine, &["rm", "a", "--force"]).0.get("rescued").is_none(), "nobody asked");
}

#[test]
fn what_cannot_be_brought_out_whole_is_not_removed_and_runs_again() {
    let good = line("the patch") + "end\t1\n";
    let other = |name: &'static str, content: &'static [u8]| tar_of(&[(name, content)]);
    let cases: Vec<(&str, Reply, Vec<u8>)> = vec![
        ("does not restore", Reply::fails(80, "/work/o/r: its bundle does not restore"), Vec::new()),
        ("ends badly", Reply::fails(1, "tar: disk full"), Vec::new()),
        (
            "a line more than its end says",
            Reply::says(line("a") + &good),
            other("out/001-r.changes.patch", b"the patch"),
        ),
        ("an empty list", Reply::says("end\t0\n"), Vec::new()),
        (
            "a name that leads out",
            Reply::says(good.replace("001-r", "../001-r")),
            other("out/../001-r.changes.patch", b"the patch"),
        ),
        ("other content", Reply::says(good.clone()), other("out/001-r.changes.patch", b"THE PATCH")),
        ("other length", Reply::says(good.clone()), other("out/001-r.changes.patch", b"the patch and more")),
        ("another file", Reply::says(good.clone()), other("out/002-x.bundle", b"the patch")),
        ("nothing", Reply::says(good.clone()), tar_of(&[])),
        ("no tar", Reply::says(good), b"<html>".repeat(200)),
    ];
    let lost =
        ("a list without its end", Reply::says(line("the patch")), other("out/001-r.changes.patch", b"the patch"));
    let failures = cases.into_iter().map(|case| (case, 1, "rescue_failed"));
    for ((what, reply, tar), exit, code) in failures.chain([(lost, 7, "engine_unavailable")]) {
        for state in ["exited", "running"] {
            let engine = workspace(state);
            let (_keep, into) = folder();
            engine.answers(Script::Rescue, reply.clone());
            engine.has_archive(PACKED, tar.clone());
            let document = fails(&engine, &["rm", "a", "--rescue", &into], exit, code);
            stays(&engine, state);
            assert_eq!(everything(&into), [""; 0], "{what}: {}", document.0);
            assert!(!Path::new(&into).exists(), "{what}: it was made for nothing");
        }
    }
}

#[test]
fn what_is_found_and_not_packed_is_a_failure_until_it_may_be_lost() {
    let engine = workspace("exited");
    engine.answers(Script::UnsavedWork, Reply::says("changes\t1\t/work/o/r\nstashes\t1\t/work/x\n"));
    let (_keep, into) = folder();
    let document = fails(&engine, &["rm", "a", "--rescue", &into], 1, "rescue_failed");
    assert!(document.at("/error/causes").to_string().contains("/work/x: 1 stash"), "{}", document.0);
    stays(&engine, "exited");
    let document = succeeds(&engine, &["rm", "a", "--rescue", &into, "--force"]);
    assert_eq!(document.warnings(), ["not_rescued"]);
    assert_eq!(document.at("/rescued/items").as_array().map(Vec::len), Some(1));
    assert_eq!((engine.containers().len(), engine.volumes().len()), (0, 0));
}

#[test]
fn a_rescue_that_loses_its_engine_anywhere_removes_nothing() {
    let (_keep, into) = folder();
    let engine = workspace("running");
    succeeds(&engine, &["rm", "a", "--rescue", &into]);
    let calls = engine.calls();
    let removal = calls.iter().position(|call| call.starts_with("DELETE /containers/<agent-ws-a>")).expect("a removal");
    for nth in 2..=removal {
        for (name, fault) in [
            ("500", Fault::refusal(500, "database is locked")),
            ("cut", Fault::cut()),
            ("cut after", Fault::cut().after_doing_it()),
            ("cut in the middle", Fault::cut_in_the_middle()),
        ] {
            let (_keep, into) = folder();
            let engine = workspace("running");
            engine.goes_wrong(When::Nth(nth), fault);
            let ran = engine.json(["rm", "a", "--rescue", &into]);
            let document = ran.document();
            let place = format!("{name} at {nth} ({}): {}", calls[nth - 1], document.0);
            // A pause that is refused is warned of; a second look is as good as the first.
            if ran.code == 0 {
                assert_eq!(document.at("/rescued/items").as_array().map(Vec::len), Some(1), "{place}");
                continue;
            }
            assert_ne!(document.error_code(), "internal", "{place}");
            assert_eq!((engine.containers().len(), engine.state_of("agent-ws-a").as_str()), (1, "running"), "{place}");
            assert_eq!(engine.volumes().len(), 2, "{place}");
            assert_eq!(everything(&into), [""; 0], "{place}");
        }
    }
}

#[test]
fn a_signal_in_the_middle_of_a_rescue_leaves_everything_as_it_was() {
    for state in ["running", "exited", "paused"] {
        let (_keep, into) = folder();
        let engine = workspace(state);
        engine.answers(Script::Rescue, Reply::hangs());
        let ran =
            interrupted::interrupted(&engine, &["rm", "a", "--rescue", &into], "POST /exec/<rescue>/start", "INT");
        assert_eq!(ran.expect(130).document().error_code(), "interrupted");
        stays(&engine, state);
        assert!(!Path::new(&into).exists());

        // While the files come.
        let engine = workspace(state);
        let archive = "GET /containers/<agent-ws-a-view-<id>>/archive";
        engine.goes_wrong(When::call(archive), Fault::silence());
        let ran = interrupted::interrupted(&engine, &["rm", "a", "--rescue", &into], archive, "TERM");
        assert_eq!(ran.expect(143).document().error_code(), "terminated");
        stays(&engine, state);
        assert!(!Path::new(&into).exists());
    }
}

#[test]
fn whatever_ends_a_removal_after_the_rescue_the_answer_says_where_the_work_is() {
    let removals = ["DELETE /containers/<agent-ws-a>?", "DELETE /volumes/agent-ws-a-work"];
    for (ended_by, exit, code) in [("INT", 130, "interrupted"), ("TERM", 143, "terminated"), ("time", 124, "timeout")] {
        for at in removals {
            let engine = workspace("running");
            let (_keep, into) = folder();
            engine.goes_wrong(When::call(at), Fault::silence());
            let args = ["rm", "a", "--rescue", &into];
            let ran = match ended_by {
                "time" => engine.json(args.into_iter().chain(["--timeout", "2s"])),
                signal => interrupted::interrupted(&engine, &args, at, signal),
            };
            let document = ran.expect(exit).document();
            assert_eq!(document.error_code(), code, "{at}");
            let dir = document.text("/error/details/rescued/dir");
            assert!(Path::new(dir).join("001-r.changes.patch").exists(), "{at}: {}", document.0);
            assert!(document.at("/error/causes").to_string().contains(dir), "{at}: {}", document.0);
            if at == removals[0] {
                stays(&engine, "running");
            }
        }
    }
}

#[test]
fn a_repository_that_is_among_the_files_is_brought_out() {
    for (copied, is_enough) in [("copied\t/work/x\n", true), ("", false)] {
        let engine = workspace("exited");
        let (_keep, into) = folder();
        engine.answers(Script::UnsavedWork, Reply::says("commits\t1\t/work/x\n"));
        let files = format!("{copied}files\t3\t{}\tfiles.tar\t\n", sha256("tar"));
        let count = files.lines().count();
        engine.answers(Script::Rescue, Reply::says(format!("{files}end\t{count}\n")));
        engine.has_archive(PACKED, tar_of(&[("out/files.tar", b"tar")]));
        if is_enough {
            let document = succeeds(&engine, &["rm", "a", "--rescue", &into]);
            assert_eq!(document.at("/rescued/items").as_array().map(Vec::len), Some(1));
        } else {
            fails(&engine, &["rm", "a", "--rescue", &into], 1, "rescue_failed");
            stays(&engine, "exited");
        }
    }
}

#[test]
fn a_removal_that_fails_after_the_rescue_says_where_the_work_is_and_lets_it_run_again() {
    let engine = workspace("running");
    let (_keep, into) = folder();
    engine.goes_wrong(When::call("DELETE /containers/<agent-ws-a>?"), Fault::refusal(409, "it is locked"));
    let document = fails(&engine, &["rm", "a", "--rescue", &into], 1, "engine_error");
    let dir = document.text("/error/details/rescued/dir");
    assert!(Path::new(dir).join("001-r.changes.patch").exists());
    stays(&engine, "running");

    let engine = workspace("running");
    engine.goes_wrong(When::every("DELETE", "/agent-ws-a-home"), Fault::refusal(409, "volume is in use"));
    let document = fails(&engine, &["rm", "a", "--rescue", &into], 8, "partial");
    assert!(Path::new(document.text("/error/details/rescued/dir")).exists());
    // By then it may be another workspace of this name.
    assert!(document.text("/error/hint").ends_with("agent-workspace rm agent-ws-a"), "{}", document.0);
    assert!(document.0["error"]["details"].get("left_behind").is_none(), "{}", document.0);
}

#[test]
fn a_removal_that_fails_lets_it_run_again_also_when_nothing_was_brought_out() {
    let engine = workspace("running");
    let (_keep, into) = folder();
    engine.answers(Script::Rescue, Reply::says("end\t0\n"));
    engine.goes_wrong(When::call("DELETE /containers/<agent-ws-a>?"), Fault::refusal(409, "it is locked"));
    let document = fails(&engine, &["rm", "a", "--rescue", &into, "--force"], 1, "engine_error");
    let calls = engine.calls();
    assert!(calls.contains(&"POST /containers/<agent-ws-a>/pause".to_owned()), "{calls:?}");
    assert!(document.at("/error/details").get("rescued").is_none(), "{}", document.0);
    stays(&engine, "running");
}

#[test]
fn what_somebody_else_has_frozen_meanwhile_stays_frozen() {
    let frozen_already = || Fault::refusal(409, "Container agent-ws-a is already paused").after_doing_it();
    // The rescue fails, and the removal after it.
    let engine = workspace("running");
    let (_keep, into) = folder();
    engine.goes_wrong(When::first("POST", "/pause"), frozen_already());
    engine.answers(Script::Rescue, Reply::fails(1, "tar: disk full"));
    fails(&engine, &["rm", "a", "--rescue", &into], 1, "rescue_failed");
    stays(&engine, "paused");

    let engine = workspace("running");
    engine.goes_wrong(When::first("POST", "/pause"), frozen_already());
    engine.goes_wrong(When::call("DELETE /containers/<agent-ws-a>?"), Fault::refusal(409, "it is locked"));
    let document = fails(&engine, &["rm", "a", "--rescue", &into], 1, "engine_error");
    assert_eq!(document.warnings(), ["not_paused"]);
    stays(&engine, "paused");
}

#[test]
fn an_engine_that_cannot_pause_is_warned_of() {
    let engine = workspace("running");
    let (_keep, into) = folder();
    engine.goes_wrong(When::every("POST", "/pause"), Fault::refusal(500, "cgroups: freezer is not supported"));
    let document = succeeds(&engine, &["rm", "a", "--rescue", &into]);
    assert_eq!(document.warnings(), ["not_paused"]);
    assert_eq!(document.at("/rescued/items").as_array().map(Vec::len), Some(1));
}

#[test]
fn what_is_left_without_a_container_is_rescued_too() {
    let engine = workspace("exited");
    let (_keep, into) = folder();
    succeeds(&engine, &["rm", "a", "--keep-volumes", "--force"]);
    // There is nothing to look with.
    let document = fails(&engine, &["rm", "a", "--rescue", &into], 1, "rescue_failed");
    assert!(document.text("/error/hint").contains("create --no-clone"), "{}", document.0);
    assert_eq!(engine.volumes().len(), 2);
    engine.has_ready_image(&format!("agent-workspace:{}", env!("CARGO_PKG_VERSION")));
    let document = succeeds(&engine, &["rm", "a", "--rescue", &into]);
    assert_eq!(document.at("/rescued/items").as_array().map(Vec::len), Some(1));
    assert_eq!(engine.volumes().len(), 0);
}

#[test]
fn a_folder_that_cannot_be_used_is_said_before_anything_is_asked() {
    let engine = workspace("running");
    let (keep, _) = folder();
    let file = keep.path().join("file");
    std::fs::write(&file, "x").expect("a file");
    for into in ["/nonexistent/a/b", file.to_str().expect("UTF-8"), "/proc/x"] {
        fails(&engine, &["rm", "a", "--rescue", into], 1, "rescue_failed");
    }
    fails(&engine, &["rm", "a", "--rescue", ""], 2, "usage");
    fails(&engine, &["rm", "a", "--rescue", "x", "--keep-volumes"], 2, "usage");
    assert_eq!(engine.calls(), [""; 0]);
}

#[test]
fn a_folder_is_relative_to_where_the_launcher_was_started() {
    let engine = workspace("exited");
    let (keep, _) = folder();
    let mut command = engine.launcher(["rm", "a", "--rescue", "here"]).json().command();
    let output = command.current_dir(keep.path()).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(everything(keep.path().join("here")).len(), 1);
}

#[test]
fn a_refusal_names_the_rescue_and_people_are_told_where_the_work_is() {
    let engine = workspace("exited");
    let refused: Document = failure(&engine.launcher(["rm", "a"]), 5, "unsaved_work");
    assert!(refused.text("/error/hint").contains("rm --rescue DIR agent-ws-a"), "{}", refused.0);
    let (_keep, into) = folder();
    let said = engine.text(["rm", "a", "--rescue", &into]).expect(0).stdout;
    assert!(said.contains(&format!("rescued: {into}/agent-ws-a-")), "{said}");
}
