//! What fuzzing runs: for each kind of text that others write, a property that must hold whatever the text is.
//!
//! Built for tests and with the feature `fuzzing`, never into the shipped binary. The crate in `fuzz/` looks for texts
//! that break a property; those it kept in `fuzz/corpus` are tried by every `cargo test`.

mod engine;
mod guest;
mod words;

use crate::error::Error;
use crate::output::{Human, Terminal};

/// A property. It panics when the bytes break it.
pub type Property = fn(&[u8]);

/// Every property by the name of its corpus.
pub const TARGETS: &[(&str, Property)] = &[
    ("arguments", words::arguments),
    ("clone", guest::clone),
    ("engine", engine::engine),
    ("field", words::field),
    ("names", words::names),
    ("repo_spec", words::repo_spec),
    ("reports", guest::reports),
    ("tunnel", guest::tunnel),
    ("words", words::words),
];

/// An error can be told to people and programs, and is no defect.
fn check_error(error: &Error) {
    let body = error.body();
    assert!(body.code != agent_workspace_contract::ErrorCode::Internal, "a defect: {body:?}");
    assert!(!body.message.is_empty());
    check_document(&body);
}

/// A document is one line of ASCII that reads back.
fn check_document(document: &impl serde::Serialize) {
    let line = crate::output::line(document);
    let Ok(line) = line else { panic!("no document: {line:?}") };
    assert!(line.is_ascii() && line.ends_with('\n') && line.matches('\n').count() == 1, "{line:?}");
    let read = serde_json::from_str::<serde_json::Value>(&line);
    assert!(read.is_ok(), "{read:?}: {line:?}");
}

/// What is shown to people cannot drive their terminal.
fn check_shown(report: &impl Human) {
    for terminal in [Terminal::default(), Terminal { is: true, columns: Some(80) }] {
        check_text(&report.human(terminal));
    }
}

/// No control characters but those that lay out lines.
fn check_text(text: &str) {
    assert!(text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t')), "{text:?}");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_text_that_fuzzing_kept_still_holds() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        let mut broken = Vec::new();
        for (target, property) in TARGETS {
            let mut tried = 0;
            for file in std::fs::read_dir(corpus.join(target)).unwrap() {
                let path = file.unwrap().path();
                let bytes = std::fs::read(&path).unwrap();
                tried += 1;
                if std::panic::catch_unwind(|| property(&bytes)).is_err() {
                    broken.push(path);
                }
            }
            assert!(tried > 0, "{target} has no corpus");
        }
        assert!(broken.is_empty(), "{broken:?}");
    }

    #[test]
    fn every_corpus_belongs_to_a_target() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        for folder in std::fs::read_dir(corpus).unwrap() {
            let name = folder.unwrap().file_name().into_string().unwrap();
            assert!(TARGETS.iter().any(|(target, _)| *target == name), "{name}");
        }
    }
}
