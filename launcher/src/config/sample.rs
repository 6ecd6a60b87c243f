//! The sample: every key with what it is while nobody sets it. Lines that begin with `#` and a letter are keys to be
//! taken out of their comment; those with a space after it are words.

use std::fmt::Write;

use super::keys::{Key, SECTIONS, Unset};

/// The whole file. Nothing in it is set.
pub fn sample() -> String {
    let mut text = "# Configuration of agent-workspace. Nothing here is set until its # is taken away.\n\
                    # Look it over: agent-workspace config check\n"
        .to_owned();
    for section in SECTIONS {
        // Writing to a text does not fail.
        let _ = match section.named {
            Some(name) => write!(text, "\n# {}\n#[{}.{name}]\n", section.means, section.name),
            None => write!(text, "\n# {}\n[{}]\n", section.means, section.name),
        };
        for Key { name, kind: _, unset, means, used, required } in section.keys {
            let (value, is) = match unset {
                Unset::Is(value) => (value, ""),
                Unset::Nothing(example) => (example, if *required { " (needed)" } else { " (an example)" }),
            };
            let later = if *used { "" } else { "; not used by this version yet" };
            let _ = write!(text, "# {means}{is}{later}\n#{name} = {value}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use agent_workspace_contract::Severity;

    use super::super::document::{self, Table, Value};
    use super::super::keys;
    use super::super::read::{Whose, read};
    use super::*;

    fn uncommented() -> String {
        let lines = sample();
        let lines = lines.lines().filter(|line| !line.starts_with("# "));
        lines.map(|line| line.trim_start_matches('#').to_owned() + "\n").collect()
    }

    fn table<'a>(tree: &'a Table, name: &str) -> &'a Table {
        let entry = tree.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("no {name}"));
        let Value::Table(table) = &entry.node.value else { panic!("{name} is no table") };
        table
    }

    #[test]
    fn it_has_every_key_and_no_other() {
        let text = uncommented();
        let tree = document::parse(&text).unwrap();
        let mut headers = Vec::new();
        for section in SECTIONS {
            let path = section.name.split('.').chain(section.named);
            let there = path.fold(&tree, |tree, part| table(tree, part));
            let mut there: Vec<_> = there.iter().map(|entry| entry.name.as_str()).collect();
            let mut known: Vec<_> = section.keys.iter().map(|key| key.name).collect();
            there.sort_unstable();
            known.sort_unstable();
            assert_eq!(there, known, "{}", section.name);
            headers.push(section.name.split('.').next().unwrap());
        }
        headers.sort_unstable();
        assert_eq!(tree.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), headers);
    }

    #[test]
    fn with_everything_taken_out_of_its_comment_it_is_right() {
        let problems = read(&uncommented(), Whose::Ours).problems;
        let errors: Vec<_> = problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert!(keys::section("defaults").is_some_and(|section| uncommented().contains(section.keys[0].name)));
    }

    #[test]
    fn as_it_is_it_sets_nothing() {
        let reading = read(&sample(), Whose::Ours);
        assert_eq!(reading.problems, []);
        assert!(reading.sections.values().all(std::collections::BTreeMap::is_empty), "{reading:?}");
        assert!(reading.named.is_empty(), "{reading:?}");
    }
}
