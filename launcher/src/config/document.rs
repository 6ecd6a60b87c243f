//! TOML as a tree in which everything knows its line. The only file that names the parser.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// What stands behind a key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Words.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Bool(bool),
    /// Several values.
    List(Vec<Node>),
    /// Keys of its own.
    Table(Table),
    /// What no key takes, by the name of its kind.
    Other(&'static str),
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// Its line, the first is 1.
    pub(super) line: u64,
    /// The value.
    pub(super) value: Value,
}

/// A key and what it is set to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// The key.
    pub(super) name: String,
    /// Its line.
    pub(super) line: u64,
    /// What it is set to.
    pub(super) node: Node,
}

/// Keys in the order of their names.
pub(super) type Table = Vec<Entry>;

/// What breaks the grammar: a line and a sentence.
pub(super) type Broken = (Option<u64>, String);

/// The tree of a text.
///
/// # Errors
/// Everything that breaks the grammar.
pub(super) fn parse(text: &str) -> Result<Table, Vec<Broken>> {
    let lines = Lines::of(text);
    let (tree, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(table(tree.get_ref(), &lines));
    }
    let broken = |error: &toml::de::Error| (error.span().map(|span| lines.at(&span)), error.message().to_owned());
    let mut errors: Vec<_> = errors.iter().map(broken).collect();
    // The parser looks for brackets first.
    errors.sort_by_key(|(line, _)| *line);
    Err(errors)
}

impl Value {
    /// What it is, for a sentence.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::Bool(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    fn at(&self, span: &Range<usize>) -> u64 {
        self.0.partition_point(|begin| *begin <= span.start) as u64
    }
}

fn table(table: &DeTable<'_>, lines: &Lines) -> Table {
    let entry = |(key, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| Entry {
        name: key.get_ref().to_string(),
        line: lines.at(&key.span()),
        node: node(value, lines),
    };
    table.iter().map(entry).collect()
}

fn node(value: &toml::Spanned<DeValue<'_>>, lines: &Lines) -> Node {
    let line = lines.at(&value.span());
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Other("a number that is too large"),
        },
        DeValue::Boolean(yes) => Value::Bool(*yes),
        DeValue::Array(values) => Value::List(values.iter().map(|value| node(value, lines)).collect()),
        DeValue::Table(inner) => Value::Table(table(inner, lines)),
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Datetime(_) => Value::Other("a time"),
    };
    Node { line, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_knows_its_line() {
        let tree = parse("a = 1\n\n[b]\nc = [\"x\",\n  2.5]\nd.e = true\n").unwrap();
        assert_eq!((tree[0].name.as_str(), tree[0].line, &tree[0].node.value), ("a", 1, &Value::Number(1)));
        let Value::Table(b) = &tree[1].node.value else { panic!("{tree:?}") };
        let Value::List(c) = &b[0].node.value else { panic!("{tree:?}") };
        assert_eq!((b[0].line, c[0].line, c[1].line), (4, 4, 5));
        assert_eq!(c[1].value.kind(), "a number with a fraction");
        assert_eq!((b[1].name.as_str(), b[1].line), ("d", 6));
    }

    #[test]
    fn every_mistake_of_grammar_is_named_with_its_line() {
        let broken = parse("a = 1\nb = \nc = 3\nd = [1\n").unwrap_err();
        assert!(broken.len() > 1, "{broken:?}");
        assert_eq!(broken[0].0, Some(2), "{broken:?}");
        assert!(parse("a = 1\na = 2\n").is_err(), "a key that is set twice");
    }

    #[test]
    fn numbers_are_read_in_every_spelling_and_too_large_ones_are_none() {
        let tree = parse("a = 0xFF\nb = 1_000\nc = 99999999999999999999\nd = -5").unwrap();
        let values: Vec<_> = tree.iter().map(|entry| &entry.node.value).collect();
        assert_eq!(values[..2], [&Value::Number(255), &Value::Number(1000)]);
        assert_eq!(values[2].kind(), "a number that is too large");
        assert_eq!(values[3], &Value::Number(-5));
    }
}
