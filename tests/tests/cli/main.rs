//! The binary without any engine: streams, exit codes, documents, spellings.

mod capabilities;
mod completion;
mod config;
mod field;
mod forms;
mod help;
mod parse_repo;
mod release;
mod schema;
mod security;
mod ssh_config;
mod usage;

use agent_workspace_tests::{Document, Launcher};

/// Runs the launcher for a document of success.
fn succeeds(args: &[&str]) -> Document {
    Launcher::new(args.iter().copied()).json().run().expect(0).document()
}

/// Runs the launcher for a document of this failure.
fn fails(args: &[&str], exit: i32, code: &str) -> Document {
    let ran = Launcher::new(args.iter().copied()).json().run();
    let document = ran.document();
    assert_eq!((ran.code, document.error_code()), (exit, code), "{args:?}: {}", ran.stdout);
    document
}

#[test]
fn every_file_of_this_suite_is_a_module_of_it() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let main = std::fs::read_to_string(folder.join("main.rs")).expect("this file");
    for file in std::fs::read_dir(folder).expect("this folder") {
        let name = file.expect("an entry").file_name().into_string().expect("a plain name");
        if !name.ends_with(".rs") {
            continue;
        }
        let module = name.trim_end_matches(".rs");
        assert!(module == "main" || main.contains(&format!("mod {module};")), "{name} is forgotten");
    }
}
