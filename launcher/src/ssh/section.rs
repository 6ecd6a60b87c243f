//! The lines of ours in the user's SSH configuration itself, between two marks. Every other byte stays as it is.

use std::ops::Range;

/// How the first line of such lines begins, whoever's they are.
const BEGIN: &str = "# >>> agent-workspace:";
/// Their last line.
const END: &str = "# <<< agent-workspace";

/// What a configuration has between such marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Section {
    /// Nothing.
    None,
    /// Lines of ours, and where they are.
    Ours(Range<usize>),
    /// Those of a launcher with another state.
    Theirs,
    /// It cannot be told where ours begin or end.
    Torn,
}

impl Section {
    /// Looks for the lines that begin with this one.
    pub fn find(config: &[u8], first: &str) -> Self {
        let (mut ours, mut theirs, mut open, mut at) = (Vec::new(), false, None, 0);
        for line in config.split_inclusive(|byte| *byte == b'\n') {
            let (from, text) = (at, line.trim_ascii());
            at += line.len();
            if text.starts_with(BEGIN.as_bytes()) {
                if open.replace((from, text == first.as_bytes())).is_some() {
                    return Self::Torn;
                }
            } else if text == END.as_bytes() {
                match open.take() {
                    Some((from, true)) => ours.push(from..at),
                    Some((_, false)) => theirs = true,
                    None => return Self::Torn,
                }
            }
        }
        match (open, ours.pop(), ours.is_empty()) {
            (None, Some(range), true) => Self::Ours(range),
            (None, None, _) if theirs => Self::Theirs,
            (None, None, _) => Self::None,
            _ => Self::Torn,
        }
    }

    /// The configuration with a text of ours in the place of what it has; at its top when it has none.
    pub fn replaced(&self, config: &[u8], text: &str) -> Vec<u8> {
        // At the top, as of what is said twice `ssh` takes the first.
        let there = if let Self::Ours(range) = self { range.clone() } else { 0..0 };
        let end = line_end(&config[there.start..]);
        let text = if end == "\n" { text.to_owned() } else { text.replace('\n', end) };
        [&config[..there.start], text.as_bytes(), &config[there.end..]].concat()
    }
}

/// The first line of ours in the configuration of a user whose VMs are in this state folder.
pub fn first_line(state: &std::path::Path) -> String {
    format!("{BEGIN} for the VMs in {state:?}; what is changed here is lost")
}

/// The hosts, between the marks.
pub fn text(first: &str, hosts: &str) -> String {
    // What stands below is for every host, as it was.
    format!("{first}\n{hosts}\nHost *\n{END}\n")
}

/// How lines of a configuration end: as the first one does.
pub(super) fn line_end(config: &[u8]) -> &'static str {
    let first = config.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    if first.ends_with(b"\r\n") { "\r\n" } else { "\n" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGS: [&[u8]; 7] =
        [b"", b"Host a\n  User b\n", b"# x\r\nHost a\r\n", b"Host a", b"\xff\xfe\n", b"\n\n", b"User x\n#\n"];

    fn first() -> String {
        first_line(std::path::Path::new("/state"))
    }

    fn find(config: &[u8]) -> Section {
        Section::find(config, &first())
    }

    #[test]
    fn the_lines_go_in_and_out_and_every_other_byte_stays() {
        let (one, two) = (text(&first(), "\nHost v\n"), text(&first(), ""));
        for config in CONFIGS {
            assert_eq!(find(config), Section::None);
            let with = Section::None.replaced(config, &one);
            assert!(with.ends_with(config));
            assert_eq!(find(&with), Section::Ours(0..with.len() - config.len()));
            let other = find(&with).replaced(&with, &two);
            assert_eq!(find(&other).replaced(&other, &one), with);
            assert_eq!(find(&other).replaced(&other, ""), config);
        }
    }

    #[test]
    fn lines_that_somebody_has_moved_stay_where_they_are() {
        let (one, two) = (text(&first(), "\nHost v\n"), text(&first(), ""));
        for (before, after) in [("User x\n", "Host a"), ("a\r\n\n", "\r\n"), ("a\n", "")] {
            let config = |ours: &str| format!("{before}{ours}{after}").into_bytes();
            let found = find(&config(&one));
            assert_eq!(found.replaced(&config(&one), &two), config(&two));
            assert_eq!(found.replaced(&config(&one), ""), config(""));
        }
        // An editor has taken the end of the last line, and put spaces before it.
        let config = format!("a\n{}", one.trim_end().replace(END, &format!("  {END}")));
        assert_eq!(find(config.as_bytes()).replaced(config.as_bytes(), ""), b"a\n");
    }

    #[test]
    fn lines_end_as_those_of_the_file_do() {
        let with = Section::None.replaced(b"# x\r\n", &text(&first(), "\nHost v\n"));
        assert_eq!(with.split(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\r")).count(), 7);
        assert!(!with.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r'), "{with:?}");
        let again = find(&with).replaced(&with, &text(&first(), "\nHost v\n"));
        assert_eq!(again, with);
    }

    #[test]
    fn lines_of_another_state_are_theirs_and_marks_without_their_other_half_are_nobodys() {
        let (ours, theirs) = (text(&first(), ""), text(&first_line(std::path::Path::new("/other")), ""));
        assert_eq!(find(theirs.as_bytes()), Section::Theirs);
        let both = format!("{theirs}{ours}x");
        assert_eq!(find(both.as_bytes()), Section::Ours(theirs.len()..theirs.len() + ours.len()));
        let (first, end) = (first(), format!("{END}\n"));
        for torn in [
            format!("{first}\nHost a\n"),
            end.clone(),
            format!("{end}{first}\n"),
            format!("{first}\n{ours}"),
            format!("{ours}{end}"),
            format!("{ours}{ours}"),
            format!("{ours}{BEGIN}\n"),
        ] {
            assert_eq!(find(torn.as_bytes()), Section::Torn, "{torn}");
        }
        for nobodys in ["# agent-workspace\n", "# x # >>> agent-workspace: y\n", "# <<< agent-workspace <<<\n"] {
            assert_eq!(find(nobodys.as_bytes()), Section::None, "{nobodys}");
        }
    }
}
