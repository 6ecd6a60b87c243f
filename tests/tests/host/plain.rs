//! Workspaces without walls, on machines that allow none: said plainly, and otherwise the same.

use agent_workspace_tests::place::{GitHost, Place};

#[test]
fn a_workspace_without_walls_says_so_and_lives_like_any_other() {
    let place = Place::new();
    let made = place.document(["create", "--no-clone", "--name", "plain", "--isolation", "none"], 0);
    assert_eq!(made.text("/isolation"), "none");
    assert_eq!(made.at("/warnings").to_string(), "[]", "it was asked for");
    let folder = place.workspace("agent-ws-plain");
    assert_eq!(made.text("/path"), folder.join("work").to_str().expect("text"));
    let inside = Place::inside(&made, "pwd; printf '%s\\n' \"$HOME\" \"$TMPDIR\"").expect(0);
    let expected: String = ["work", "home", "tmp"].map(|name| format!("{}\n", folder.join(name).display())).concat();
    assert_eq!(inside.stdout, expected);
    let elsewhere = place.document(["describe", "plain", "--workdir", "sub"], 0);
    assert_eq!(elsewhere.text("/transport/workdir"), folder.join("work/sub").to_str().expect("text"));

    let sleeps = format!("{}1", Place::sleeper());
    Place::does(&made, &format!("{sleeps} >/dev/null 2>&1 & echo mine >mine"));
    assert_eq!(Place::processes(&sleeps).len(), 1);
    assert_eq!(*place.document(["stop", "plain"], 0).at("/changed"), true);
    assert_eq!(Place::processes(&sleeps), Vec::<String>::new());
    assert_eq!(Place::inside(&made, "true").code, 125);
    assert_eq!(place.document(["rm", "plain"], 5).error_code(), "unsaved_work");
    place.document(["start", "plain"], 0);
    assert_eq!(Place::inside(&made, "cat mine").expect(0).stdout, "mine\n");
    let rescue = place.launcher(["rm", "plain", "--rescue"]).arg(place.folder().join("rescued")).json();
    assert_eq!(rescue.run().expect(0).document().text("/rescued/items/0/kind"), "files");
    assert_eq!(place.entries(), Vec::<String>::new());
}

#[test]
fn where_there_is_no_bubblewrap_nobody_is_left_to_believe_in_walls() {
    let place = Place::new();
    let bare = place.folder().join("bare");
    std::fs::create_dir(&bare).expect("a file");
    let create = place.launcher(["create", "--no-clone", "--name", "bare"]).env("PATH", bare);
    let made = create.clone().json().run().expect(0).document();
    assert_eq!(made.text("/isolation"), "none");
    assert_eq!(made.text("/warnings/0/code"), "no_isolation");
    assert!(made.text("/warnings/0/message").contains("bubblewrap"));
    assert_eq!(place.document(["describe", "bare"], 0).text("/isolation"), "none");
    // Secrets need a mount.
    let secrets = place.folder().join("secrets");
    std::fs::create_dir(&secrets).expect("a file");
    let args = ["create", "--no-clone", "--name", "secrets"];
    let refused = place.launcher(args).env("PATH", "/nowhere").arg("--secrets-dir").arg(&secrets).json().run();
    assert_eq!(refused.expect(9).document().error_code(), "unsupported");
    assert_eq!(place.entries(), ["agent-ws-bare"]);
}

#[test]
fn a_repository_is_cloned_and_kept_without_walls_too() {
    let place = Place::new();
    let host = GitHost::new(&place, false);
    let trust = place.folder().join("plain-environment");
    std::fs::write(&trust, format!("GIT_SSL_CAINFO={}\n", place.folder().join("trust/ca.pem").display()))
        .expect("a file");
    let args = ["create", &host.repository(), "--name", "clone", "--isolation", "none"];
    let create = || place.launcher(args).arg("--env-file").arg(&trust).json().run().expect(0).document();
    let made = create();
    assert_eq!(made.text("/path"), place.workspace("agent-ws-clone").join("work/o/r").to_str().expect("text"));
    assert_eq!(made.at("/warnings").to_string(), "[]");
    assert_eq!(Place::inside(&made, "cat README").expect(0).stdout, "hello\n");
    assert_eq!(*create().at("/created"), false);
    assert_eq!(place.document(["prune", "--older-than", "0"], 0).at("/removed").to_string(), "[]", "it is finished");
    place.document(["rm", "clone"], 0);
    assert_eq!(place.entries(), Vec::<String>::new());
}
