//! The binary against a scripted engine: what it asks, what it makes of every answer, what it leaves behind.

mod again;
mod body;
mod calls;
mod clone;
mod codes;
mod credentials;
mod doctor;
mod enter;
mod everywhere;
mod faults;
mod find;
mod images;
mod interrupted;
mod lost;
mod ls;
mod names;
mod phases;
mod plan;
mod prune;
mod rescue;
mod rm;
mod secrets;
mod secrets_dir;
mod stdout;
mod tunnel;
mod unavailable;
mod vanishing;
mod variants;

use agent_workspace_tests::engine::Engine;
use agent_workspace_tests::{Document, Launcher};

/// Runs the launcher on this engine for a document of success.
fn succeeds(engine: &Engine, args: &[&str]) -> Document {
    engine.json(args.iter().copied()).expect(0).document()
}

/// Runs the launcher on this engine for a document of this failure.
fn fails(engine: &Engine, args: &[&str], exit: i32, code: &str) -> Document {
    failure(&engine.launcher(args.iter().copied()), exit, code)
}

/// Runs the launcher for a document of this failure, which says more than nothing to a person.
fn failure(launcher: &Launcher, exit: i32, code: &str) -> Document {
    let ran = launcher.clone().json().run();
    let document = ran.document();
    assert_eq!(document.error_code(), code, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.code, exit, "{}{}", ran.stdout, ran.stderr);
    assert!(!document.text("/error/message").is_empty());
    document
}

#[test]
fn every_file_of_this_suite_is_a_module_of_it() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine");
    let main = std::fs::read_to_string(folder.join("main.rs")).expect("this file");
    for file in std::fs::read_dir(folder).expect("this folder") {
        let name = file.expect("an entry").file_name().into_string().expect("a plain name");
        let module = name.trim_end_matches(".rs");
        assert!(module == "main" || main.contains(&format!("mod {module};")), "{name} is forgotten");
    }
}
