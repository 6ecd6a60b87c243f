//! `schema`: the shape of every document, as it is checked in.

use std::path::Path;

use agent_workspace_tests::Launcher;
use serde_json::Value;

use crate::{fails, succeeds};

fn checked_in() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contract/schema");
    let files = std::fs::read_dir(folder).expect("the folder of schemas").map(|file| file.expect("an entry").path());
    let schema = |file: std::path::PathBuf| {
        let name = file.file_stem().expect("a name").to_str().expect("a plain name").to_owned();
        let text = std::fs::read_to_string(&file).expect("a file");
        (name, serde_json::from_str(&text).expect("JSON"))
    };
    files.map(schema).collect()
}

#[test]
fn what_is_printed_is_what_is_checked_in() {
    for (name, schema) in checked_in() {
        let printed = Launcher::new(["schema", &name]).run().expect(0).stdout;
        assert_eq!(serde_json::from_str::<Value>(&printed).expect("JSON"), schema, "{name}");
        let document = succeeds(&["schema", &name]);
        assert_eq!(document.at("/schemas")[&name], schema, "{name}");
    }
}

#[test]
fn all_of_them_are_printed_by_name() {
    let printed: Value = serde_json::from_str(&Launcher::new(["schema"]).run().expect(0).stdout).expect("JSON");
    let printed = printed.as_object().expect("a map");
    let files = checked_in();
    assert_eq!(printed.len(), files.len());
    assert!(files.iter().all(|(name, schema)| printed[name] == *schema));
}

#[test]
fn every_command_has_one_under_the_name_that_is_typed() {
    let document = succeeds(&["capabilities"]);
    for command in document.at("/commands").as_object().expect("a map").keys() {
        let words: Vec<&str> = std::iter::once("schema").chain(command.split(' ')).collect();
        succeeds(&words);
    }
}

#[test]
fn what_has_no_document_has_no_schema() {
    let document = fails(&["schema", "nosuch"], 2, "usage");
    assert!(document.text("/error/hint").contains("create"), "{document:?}");
}
