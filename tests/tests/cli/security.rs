//! `docs/security.md` and `docs/lessons.md` name tests for what they say: each exists.

use std::path::{Path, PathBuf};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What stands between backquotes and has the form of a test: folder, file, `::`, name.
fn named(page: &str) -> Vec<(&str, &str)> {
    let quoted = page.split('`').skip(1).step_by(2);
    let tests = quoted.filter_map(|text| text.split_once("::"));
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_/".contains(c));
    tests.filter(|(file, test)| file.contains('/') && plain(file) && plain(test)).collect()
}

#[test]
fn every_test_that_the_page_on_security_names_exists() {
    all_exist("docs/security.md");
}

#[test]
fn every_test_that_the_page_on_mistakes_names_exists() {
    all_exist("docs/lessons.md");
    let page = read(&root().join("docs/lessons.md"));
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| mistake"));
    for row in rows {
        let (_, tests) = row.trim_end_matches(" |").rsplit_once(" | ").expect("a column of tests");
        assert!(!named(tests).is_empty() || tests.starts_with("none: "), "{row}");
    }
}

fn all_exist(page: &str) {
    let page = read(&root().join(page));
    let tests = named(&page);
    assert!(tests.len() > 30, "{tests:?}");
    for (file, test) in tests {
        let path = match file.strip_prefix("launcher/") {
            Some(rule) => root().join("launcher/src").join(rule),
            None => root().join("tests/tests").join(file),
        };
        let source = read(&path.with_extension("rs"));
        let (before, _) = source.split_once(&format!("fn {test}(")).unwrap_or_else(|| panic!("no {file}::{test}"));
        let attributes = before.lines().rev().take(4).collect::<Vec<_>>().join("\n");
        assert!(attributes.contains("#[test]"), "{file}::{test} is no test");
    }
}
