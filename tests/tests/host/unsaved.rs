//! Work that exists nowhere else: refused, brought out, kept, or lost when that is said.

use std::process::Command;

use agent_workspace_tests::live::run_with_input;
use agent_workspace_tests::place::{GitHost, Place};

/// Whatever state it is in, a workspace with this is not removed.
const COMMIT: &str = "cd /work/o/r && echo mine >mine && git add mine && git -c user.name=t -c user.email=t@t commit -qm mine && echo more >more";

#[test]
fn unsaved_work_is_refused_whatever_state_the_workspace_is_in() {
    let Some(place) = Place::walled("unsaved work") else { return };
    let host = GitHost::new(&place, false);
    let create = host.trusted(&place, place.launcher(["create", &host.repository(), "--name", "work"])).json();
    let made = create.run().expect(0).document();
    Place::does(&made, COMMIT);
    for stop in [false, true] {
        if stop {
            place.document(["stop", "work"], 0);
        }
        let refused = place.document(["rm", "work"], 5);
        let kinds = refused.at("/error/details/unsaved").to_string();
        assert!(kinds.contains("commits") && kinds.contains("untracked"), "{kinds}");
        assert_eq!(place.entries(), ["agent-ws-work"], "a look leaves nothing");
    }
    let status = place.document(["describe", "work"], 0);
    assert_eq!(status.text("/workspace/status"), "stopped", "a look starts nothing");

    let rescued = place.launcher(["rm", "work", "--rescue"]).arg(place.folder().join("rescued")).json();
    let rescued = rescued.run().expect(0).document();
    let dir = rescued.text("/rescued/dir");
    let bundle = rescued
        .at("/rescued/items")
        .as_array()
        .expect("as documented")
        .iter()
        .find(|item| item["kind"] == "bundle")
        .expect("as documented");
    let restored = place.folder().join("restored");
    let mut clone = Command::new("git");
    clone
        .args(["clone", "-q"])
        .arg(format!("{dir}/{}", bundle["file"].as_str().expect("as documented")))
        .arg(&restored);
    let _ = run_with_input(&mut clone, "").expect(0);
    assert_eq!(std::fs::read_to_string(restored.join("mine")).expect("a file"), "mine\n");
    assert_eq!(place.entries(), Vec::<String>::new());
}

#[test]
fn what_runs_is_frozen_while_it_is_brought_out() {
    let Some(place) = Place::walled("a rescue of what runs") else { return };
    let made = place.create("running");
    let sleeps = format!("{}2", Place::sleeper());
    Place::does(&made, &format!("echo x >/work/file; {sleeps} >/dev/null 2>&1 &"));
    let rescue = place.launcher(["rm", "running", "--rescue"]).arg(place.folder().join("rescued")).json();
    let rescued = rescue.run().expect(0).document();
    assert_eq!(rescued.text("/rescued/items/0/kind"), "files");
    assert_eq!(rescued.at("/warnings").to_string(), "[]");
    assert_eq!(Place::processes(&sleeps), Vec::<String>::new());
}

#[test]
fn a_rescue_that_fails_leaves_the_workspace_running() {
    let Some(place) = Place::walled("a failed rescue") else { return };
    let made = place.create("stays");
    Place::does(&made, "echo x >/work/file; mkdir /work/closed; echo y >/work/closed/y; chmod 0 /work/closed");
    let rescue = place.launcher(["rm", "stays", "--rescue"]).arg(place.folder().join("rescued")).json().run();
    // The superuser can read everything.
    if rescue.code != 0 {
        assert_eq!(rescue.document().error_code(), "rescue_failed");
        assert_eq!(place.document(["describe", "stays"], 0).text("/workspace/status"), "running");
        Place::does(&made, "true");
    }
}

#[test]
fn folders_that_are_kept_come_back_with_the_name_and_are_guarded_until_then() {
    let Some(place) = Place::walled("kept folders") else { return };
    let made = place.create("kept");
    Place::does(&made, "echo precious >/work/file");
    let removed = place.document(["rm", "kept", "--keep-volumes"], 0);
    assert_eq!(removed.at("/kept").to_string(), r#"[{"id":"agent-ws-kept","kind":"folder"}]"#);
    assert_eq!(place.document(["ls"], 0).at("/workspaces").to_string(), "[]");
    assert_eq!(place.document(["describe", "kept"], 3).error_code(), "workspace_not_found");
    // A word of prune and of rm is not the end of it.
    let pruned = place.document(["prune", "--older-than", "0"], 0);
    assert_eq!(pruned.text("/kept/0/reason"), "unused");
    assert_eq!(place.document(["rm", "kept"], 5).error_code(), "unsaved_work");
    let made = place.create("kept");
    assert_eq!(*made.at("/created"), true);
    assert_eq!(Place::inside(&made, "cat /work/file").expect(0).stdout, "precious\n");
    place.document(["rm", "kept", "--keep-volumes"], 0);
    place.document(["rm", "kept", "--force"], 0);
    assert_eq!(place.entries(), Vec::<String>::new());
}

#[test]
fn what_a_tool_has_made_unwritable_is_removed_and_nothing_a_link_leads_to() {
    let Some(place) = Place::walled("unwritable folders") else { return };
    let outside = place.folder().join("outside");
    std::fs::create_dir(&outside).expect("a file");
    std::fs::write(outside.join("file"), "x").expect("a file");
    let made = place.create("modules");
    let script = format!(
        "mkdir -p ~/go/pkg/mod/a/b && touch ~/go/pkg/mod/a/b/c && ln -s \"{}\" ~/go/pkg/mod/a/b/link && chmod -R a-w ~/go",
        outside.display()
    );
    let _ = Place::inside(&made, &script);
    place.document(["rm", "modules", "--force"], 0);
    assert_eq!(place.entries(), Vec::<String>::new());
    assert!(outside.join("file").exists());
}

#[test]
fn a_clones_own_configuration_is_not_run_outside_its_walls() {
    let Some(place) = Place::walled("a look at a hostile clone") else { return };
    let made = place.create("hostile");
    let proof = place.folder().join("was-run");
    let script = format!(
        "mkdir -p /work/r && cd /work/r && git init -q . && echo a >f && printf 'f filter=x\\n' >.gitattributes && \
         proof=\"{}\" && git config filter.x.clean \"touch \\\"$proof\\\"; cat\" && git add -A 2>/dev/null; true",
        proof.display()
    );
    Place::does(&made, &script);
    place.document(["stop", "hostile"], 0);
    place.document(["rm", "hostile"], 5);
    assert!(!proof.exists());
    // Where the walls are gone since, nobody looks.
    let bare = place.folder().join("bare");
    std::fs::create_dir(&bare).expect("a file");
    let refused = place.launcher(["rm", "hostile"]).env("PATH", bare).json().run().expect(5).document();
    assert_eq!(refused.text("/error/details/unsaved/0/kind"), "unchecked");
}
