//! The one line of ours in the user's SSH configuration. Every other byte of that file stays as it is.

use std::path::Path;

use super::section::line_end;

/// Where the file of ours is, below the folder of the user's configuration.
pub const FILE: &str = "config.d/agent-workspace.conf";

/// The line that has a configuration read a file of ours; `None` when `ssh` would take its name for something else.
pub fn line(file: &Path, home: &Path) -> Option<String> {
    // A name without a folder is looked for there, wherever the configuration is.
    let name = file.strip_prefix(home.join(".ssh")).unwrap_or(file).to_str()?;
    // Patterns, escapes, and what is put in for variables and tokens.
    let is_plain = !name.contains(|c: char| c.is_control() || "*?[]\\\"%$".contains(c));
    let is_word = !name.contains(|c: char| c.is_whitespace() || "'#".contains(c));
    is_plain.then(|| if is_word { format!("Include {name}") } else { format!("Include \"{name}\"") })
}

/// Whether the configuration reads our file already, for every host: by our line or by another one of the user's.
pub fn is_included(config: &[u8], file: &Path, home: &Path) -> bool {
    let file = file.to_string_lossy();
    heads(config).any(|line| patterns(line).iter().any(|pattern| matches(&absolute(pattern, home), &file)))
}

/// The configuration with our line at its top.
pub fn with_line(config: &[u8], line: &str) -> Vec<u8> {
    [line.as_bytes(), line_end(config).as_bytes(), config].concat()
}

/// The configuration without our line; `None` when it is not in there.
pub fn without_line(config: &[u8], line: &str) -> Option<Vec<u8>> {
    let mut lines: Vec<&[u8]> = config.split_inclusive(|byte| *byte == b'\n').collect();
    let at = lines.iter().position(|own| own.trim_ascii_end() == line.as_bytes())?;
    lines.remove(at);
    Some(lines.concat())
}

/// Lines that hold for every host: those before the first that does not.
fn heads(config: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_narrowing = |line: &[u8]| keyword(line).is_some_and(|(word, _)| ["host", "match"].contains(&word.as_str()));
    config.split(|byte| *byte == b'\n').take_while(move |line| !is_narrowing(line))
}

/// A line's keyword in small letters, and what stands after it.
fn keyword(line: &[u8]) -> Option<(String, String)> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim();
    let end = text.find(|c: char| c.is_whitespace() || c == '=' || c == '"')?;
    let rest = text[end..].trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    Some((text[..end].to_ascii_lowercase(), rest.to_owned()))
}

/// The files that a line includes; none when it includes nothing.
fn patterns(line: &[u8]) -> Vec<String> {
    let Some((_, rest)) = keyword(line).filter(|(word, _)| word == "include") else { return Vec::new() };
    let (mut found, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in rest.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => found.push(std::mem::take(&mut word)),
            '#' if !quoted && word.is_empty() => break,
            c => word.push(c),
        }
    }
    found.push(word);
    found.retain(|word| !word.is_empty());
    found
}

/// A pattern as `ssh` completes it.
fn absolute(pattern: &str, home: &Path) -> String {
    let home = home.to_string_lossy();
    match pattern.strip_prefix("~/") {
        Some(rest) => format!("{home}/{rest}"),
        None if pattern.starts_with('/') => pattern.to_owned(),
        None => format!("{home}/.ssh/{}", pattern.trim_start_matches("./")),
    }
}

/// Whether a path is meant by a pattern, whose signs never stand for a slash.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (parts(pattern), parts(path));
    let hidden = |pattern: &str, part: &str| part.starts_with('.') && !pattern.starts_with('.');
    pattern.len() == path.len()
        && pattern
            .iter()
            .zip(&path)
            .all(|(pattern, part)| !hidden(pattern, part) && fits(pattern.as_bytes(), part.as_bytes()))
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect()
}

/// Whether a word fits signs: `*` for any letters, `?` for one.
fn fits(signs: &[u8], word: &[u8]) -> bool {
    match (signs.split_first(), word.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) if fits(rest, word) => true,
        (Some((b'*', _)), Some((_, left))) => fits(signs, left),
        (Some((b'?', rest)), Some((_, left))) => fits(rest, left),
        (Some((sign, rest)), Some((letter, left))) if sign == letter => fits(rest, left),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_in_any_spelling_that_reads_our_file_counts_and_no_other_does() {
        let (home, file) = (Path::new("/home/me"), Path::new("/home/me/.ssh/config.d/agent-workspace.conf"));
        for line in [
            "Include config.d/agent-workspace.conf",
            "include \"config.d/agent-workspace.conf\"",
            "  INCLUDE = ~/.ssh/config.d/*.conf",
            "Include other /home/me/.ssh/config.d/*",
            "Include=config.?/agent-*.conf # ours",
            "User x\nInclude ./config.d/agent-workspace.conf\r",
            "Include\t/home/me/.ssh//config.d/./agent-workspace.conf",
        ] {
            assert!(is_included(line.as_bytes(), file, home), "{line}");
        }
        for line in [
            "",
            "# Include config.d/agent-workspace.conf",
            "Host a\n  Include config.d/agent-workspace.conf",
            "Match user x\nInclude config.d/*",
            "Include config.d",
            "Include *",
            "Include config.d/x # config.d/agent-workspace.conf",
            "Includes config.d/agent-workspace.conf",
            "Include",
            "Include \"config.d/agent-workspace.conf x\"",
        ] {
            assert!(!is_included(line.as_bytes(), file, home), "{line}");
        }
    }

    #[test]
    fn the_line_goes_in_and_out_and_every_other_byte_stays() {
        let home = Path::new("/home/me");
        for (file, line) in [
            ("/home/me/.ssh/config.d/agent-workspace.conf", "Include config.d/agent-workspace.conf"),
            ("/home/me/.ssh/work/config.d/x", "Include work/config.d/x"),
            ("/home/me/dotfiles/config.d/x", "Include /home/me/dotfiles/config.d/x"),
            ("/etc/my files/x", "Include \"/etc/my files/x\""),
            ("/etc/it's/#x", "Include \"/etc/it's/#x\""),
        ] {
            let file = Path::new(file);
            assert_eq!(super::line(file, home).unwrap(), line);
            for config in [&b""[..], b"Host a\n  User b\n", b"# x\r\nHost a\r\n", b"Host a", b"\xff\xfe\n", b"\n\n"] {
                let with = with_line(config, line);
                assert!(is_included(&with, file, home) && !is_included(&with, &file.join("x"), home), "{line}");
                assert!(with.ends_with(config));
                assert_eq!(without_line(&with, line).unwrap(), config);
                assert_eq!(without_line(config, line), None);
            }
        }
        assert!(with_line(b"# x\r\n", "Include x").starts_with(b"Include x\r\n"));
    }

    #[test]
    fn a_file_that_ssh_would_take_for_others_has_no_line() {
        for file in ["/a*/x", "/a?/x", "/[a]/x", "/a\\b/x", "/a\"b/x", "/%d/x", "/${HOME}/x", "/a\nb/x"] {
            assert_eq!(line(Path::new(file), Path::new("/home/me")), None, "{file}");
        }
    }
}
