//! The tables of `docs/contract.md` are what the enums say.
//!
//! Each stands between `<!-- generated: NAME -->` and `<!-- /generated -->`.

use std::collections::BTreeMap;
use std::path::Path;

use agent_workspace_contract::{Capability, EnvVar, ErrorCode, Exit};

const END: &str = "<!-- /generated -->";

#[test]
fn tables_of_the_documentation_do_not_drift_from_the_enums() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/contract.md");
    let checked_in = std::fs::read_to_string(&file).expect("docs/contract.md can be read");
    let generated = with_tables(&checked_in, &tables());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, generated).expect("docs/contract.md can be written");
        return;
    }
    for (line, (is, should)) in checked_in.lines().zip(generated.lines()).enumerate() {
        assert_eq!(
            is,
            should,
            "docs/contract.md:{} drifted; run UPDATE_DOCS=1 cargo test --test docs_tables",
            line + 1
        );
    }
    assert_eq!(checked_in, generated, "docs/contract.md drifted; run UPDATE_DOCS=1 cargo test --test docs_tables");
}

fn tables() -> BTreeMap<&'static str, String> {
    let retry = |yes: bool| if yes { "yes" } else { "" }.to_owned();
    let code = |text: &str| format!("`{text}`");
    BTreeMap::from([
        (
            "exit-codes",
            table(
                ["code", "name", "when", "worth a retry"],
                Exit::ALL.iter().map(|exit| {
                    let retry = retry(exit.retryable());
                    [exit.code().to_string(), exit.name().to_owned(), exit.when().to_owned(), retry]
                }),
            ),
        ),
        (
            "error-codes",
            table(
                ["code", "exit", "meaning"],
                ErrorCode::ALL
                    .iter()
                    .map(|error| [code(error.as_str()), error.exit().code().to_string(), error.summary().to_owned()]),
            ),
        ),
        (
            "capabilities",
            table(
                ["name", "promise"],
                Capability::ALL.iter().map(|capability| [code(capability.as_str()), capability.promise().to_owned()]),
            ),
        ),
        (
            "variables",
            table(
                ["variable", "meaning"],
                EnvVar::ALL.iter().map(|variable| [code(variable.name()), variable.meaning().to_owned()]),
            ),
        ),
    ])
}

fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let line = |cells: &[String]| format!("|{}\n", cells.iter().map(|cell| cell_text(cell)).collect::<String>());
    let mut text = line(&head.map(str::to_owned)) + "|" + &"---|".repeat(N) + "\n";
    text.extend(rows.map(|row| line(&row)));
    text
}

fn cell_text(text: &str) -> String {
    if text.is_empty() { " |".to_owned() } else { format!(" {} |", text.replace('|', "\\|")) }
}

/// The page with what stands between its markers made anew. Every table has its place, every place its table.
fn with_tables(page: &str, tables: &BTreeMap<&str, String>) -> String {
    let mut parts = page.split("<!-- generated: ");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    let mut placed = Vec::new();
    for part in parts {
        let (name, rest) = part.split_once(" -->\n").expect("a marker is a line of its own");
        let (_, after) = rest.split_once(END).unwrap_or_else(|| panic!("{name}: there is no {END} after it"));
        let table = tables.get(name).unwrap_or_else(|| panic!("there is no table {name:?}"));
        placed.push(name);
        whole += &format!("<!-- generated: {name} -->\n{table}{END}{after}");
    }
    placed.sort_unstable();
    assert!(placed.iter().eq(tables.keys()), "the page has the tables {placed:?}");
    whole
}
