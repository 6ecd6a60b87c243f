//! Limits, labels, networks, users and environment files of a workspace, as typed.

use crate::error::{Error, Result, usage};
use crate::workspace::token_variables::is_token;

/// Smallest memory limit engines accept.
const LEAST_MEMORY: i64 = 6 * 1024 * 1024;

/// Reads `--cpus`: a decimal number of CPUs. Returns billionths of a CPU.
///
/// # Errors
/// `usage` when it is not a number above zero.
pub fn cpus(text: &str) -> Result<i64> {
    match text.parse::<f64>() {
        Ok(cpus) if cpus.is_finite() && (0.01..=1024.0).contains(&cpus) =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "at most 1024e9")]
            Ok((cpus * 1e9).round() as i64)
        }
        _ => Err(usage(format!("--cpus {text:?} is not a number of CPUs")).hint("for example: --cpus 1.5")),
    }
}

/// Reads `--memory`: a number with an optional unit `b`, `k`, `m`, `g` (powers of 1024). Returns bytes.
///
/// # Errors
/// `usage` when it is not a size, or less than engines accept.
pub fn memory(text: &str) -> Result<i64> {
    let wrong = || usage(format!("--memory {text:?} is not a size of at least 6m")).hint("for example: --memory 2g");
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: i64 = match &lower[digits.len()..] {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return Err(wrong()),
    };
    let bytes = digits.parse::<i64>().ok().and_then(|count| count.checked_mul(unit)).ok_or_else(wrong)?;
    if bytes < LEAST_MEMORY { Err(wrong()) } else { Ok(bytes) }
}

/// Reads `--network`: the name of an engine's network.
///
/// # Errors
/// `usage` when it is not a name; `container:ID` is refused, as it would share another container's network.
pub fn network(text: &str) -> Result<String> {
    let valid = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if valid {
        return Ok(text.to_owned());
    }
    Err(usage(format!("--network {text:?} is not the name of a network")).hint("see: docker network ls"))
}

/// Reads `--user`: a user name or uid, with an optional group.
///
/// # Errors
/// `usage` when it is neither.
pub fn user(text: &str) -> Result<String> {
    let part = |part: &str| {
        !part.is_empty()
            && part.len() <= 32
            && !part.starts_with('-')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    };
    let mut parts = text.split(':');
    if parts.by_ref().take(2).all(part) && parts.next().is_none() {
        return Ok(text.to_owned());
    }
    Err(usage(format!("--user {text:?} is not a user")).hint("for example: --user 1000:1000"))
}

/// Reads `--label`: KEY=VALUE, or KEY alone for an empty value.
///
/// # Errors
/// `usage` when the key is empty or one of those that mark workspaces.
pub fn label(text: &str) -> Result<(String, String)> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() || key.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(usage(format!("--label {text:?} is not KEY=VALUE")).hint("for example: --label team=blue"));
    }
    if key.starts_with("agent-kit.") || key.starts_with("agent-workspace.") {
        return Err(usage(format!("--label {key}: labels of this prefix mark workspaces and are set by the launcher"))
            .hint("choose another key"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads an `--env-file`: lines NAME=VALUE, or NAME alone to take the host's value; `#` begins a comment line.
/// `lookup` finds the host's values.
///
/// # Errors
/// `usage` naming the line; also for tokens, which must never stand in a container's environment.
pub fn env_file(
    path: &str,
    text: &str,
    mut lookup: impl FnMut(&str) -> Result<Option<String>>,
) -> Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{path}:{}", number + 1);
        let (name, value) = line.split_once('=').map_or((line.trim_end(), None), |(name, value)| (name, Some(value)));
        let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid {
            return Err(usage(format!("{place}: not NAME=VALUE")).hint("see --help for the form of --env-file"));
        }
        if is_token(name) {
            return Err(usage(format!("{place}: {name} would stay readable in the container's environment"))
                .hint(format!("leave it out of the file and export {name}: the launcher alone reads it")));
        }
        if value.is_some_and(|value| value.contains('\0')) {
            return Err(usage(format!("{place}: the value holds a NUL character"))
                .hint("environments cannot hold one; encode the value"));
        }
        match value {
            Some(value) => variables.push((name.to_owned(), value.to_owned())),
            None => variables.extend(lookup(name)?.map(|value| (name.to_owned(), value))),
        }
    }
    Ok(variables)
}

/// Reads `--dir`: where the clone goes. Relative paths are under the work directory.
///
/// # Errors
/// `usage` when it is empty, the root, or climbs with `..`.
pub fn clone_dir(text: &str, work: &str) -> Result<String> {
    let clean = folder("--dir", text, work)?;
    if clean == "/" || clean == work {
        return Err(wrong_folder("--dir", text, work, "a clone needs a folder of its own"));
    }
    Ok(clean)
}

/// Reads `--workdir`: where commands start inside. Relative paths are under the work directory.
///
/// # Errors
/// `usage` when it is empty or climbs with `..`.
pub fn workdir(text: &str, work: &str) -> Result<String> {
    folder("--workdir", text, work)
}

/// A folder inside a workspace: absolute, each part once, none that climbs.
fn folder(flag: &str, text: &str, work: &str) -> Result<String> {
    let wrong = |reason: &str| Err(wrong_folder(flag, text, work, reason));
    if text.is_empty() || text.chars().any(char::is_control) {
        return wrong("not a path");
    }
    if text.starts_with('~') {
        return wrong("no shell reads it here, so `~` would be a folder of that name");
    }
    let joined = if text.starts_with('/') { text.to_owned() } else { format!("{work}/{text}") };
    let mut clean = String::new();
    for part in joined.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            return wrong("`..` is not allowed");
        }
        clean.push('/');
        clean.push_str(part);
    }
    Ok(if clean.is_empty() { "/".to_owned() } else { clean })
}

fn wrong_folder(flag: &str, text: &str, work: &str, reason: &str) -> Error {
    usage(format!("{flag} {text:?}: {reason}")).hint(format!("for example: {flag} {work}/src"))
}

/// Reads `--timeout`: seconds, or a number with `s`, `m` or `h`.
///
/// # Errors
/// `usage` when it is not a time above zero.
pub fn timeout(text: &str) -> Result<std::time::Duration> {
    let wrong =
        || usage(format!("--timeout {text:?} is not a time")).hint("for example: --timeout 90s or --timeout 5m");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "ms" => 0,
        _ => return Err(wrong()),
    };
    let count = digits.parse::<u64>().ok().filter(|count| *count > 0 && *count <= 1_000_000_000).ok_or_else(wrong)?;
    Ok(if unit == 0 { std::time::Duration::from_millis(count) } else { std::time::Duration::from_secs(count * unit) })
}

/// A number of bytes as people write it, in powers of 1024.
pub fn bytes_in_words(bytes: u64) -> String {
    let unit = [("GiB", 30), ("MiB", 20), ("KiB", 10)].into_iter().find(|(_, bits)| bytes >> bits > 0);
    match unit {
        // One digit after the point, cut and not rounded.
        Some((unit, bits)) => {
            let tenths = ((bytes & ((1 << bits) - 1)) * 10) >> bits;
            format!("{}.{tenths} {unit}", bytes >> bits)
        }
        None => format!("{bytes} bytes"),
    }
}

/// Reads `--older-than`: seconds, or a number with `s`, `m`, `h` or `d`; zero means whatever its age.
///
/// # Errors
/// `usage` when it is not an age.
pub fn age(text: &str) -> Result<std::time::Duration> {
    let wrong = || {
        usage(format!("--older-than {text:?} is not an age")).hint("for example: --older-than 2h or --older-than 7d")
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return Err(wrong()),
    };
    let count = digits.parse::<u64>().ok().filter(|count| *count <= 1_000_000_000).ok_or_else(wrong)?;
    Ok(std::time::Duration::from_secs(count * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts_are_read_with_their_units() {
        assert_eq!(cpus("1.5").unwrap(), 1_500_000_000);
        assert_eq!(memory("2g").unwrap(), 2 << 30);
        assert_eq!(memory("512M").unwrap(), 512 << 20);
        assert_eq!(timeout("90").unwrap().as_secs(), 90);
        assert_eq!(timeout("5m").unwrap().as_secs(), 300);
        assert_eq!(timeout("250ms").unwrap().as_millis(), 250);
        assert_eq!(
            ["0", "90s", "5m", "2h", "7d"].map(|text| age(text).unwrap().as_secs()),
            [0, 90, 300, 7200, 604_800]
        );
    }

    #[test]
    fn bytes_are_written_in_the_largest_unit_that_fits() {
        let said = [0, 1023, 1024, 1536 << 10, 5 << 30, u64::MAX].map(bytes_in_words);
        assert_eq!(said, ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 MiB", "5.0 GiB", "17179869183.9 GiB"]);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "0", "-1", "x", "NaN", "inf", "1e9"] {
            assert!(cpus(text).is_err(), "{text}");
        }
        for text in ["", "1", "1m", "5x", "-1g", "9999999999g", "é"] {
            assert!(memory(text).is_err(), "{text}");
        }
        for text in ["", "0", "-3", "5d", "x", "1.5s"] {
            assert!(timeout(text).is_err(), "{text}");
        }
        for text in ["", "-3", "5w", "x", "1.5h", "250ms", "9999999999d"] {
            assert!(age(text).is_err(), "{text}");
        }
        for text in ["", "container:abc", "a b", "-x"] {
            assert!(network(text).is_err(), "{text}");
        }
        for text in ["", "a:b:c", ":", "a b", "-x"] {
            assert!(user(text).is_err(), "{text}");
        }
        assert!(user("1000:1000").is_ok() && user("vscode").is_ok());
    }

    #[test]
    fn labels_of_the_launcher_cannot_be_forged() {
        assert_eq!(label("a=b=c").unwrap(), ("a".to_owned(), "b=c".to_owned()));
        for text in ["", "=x", "agent-kit.workspace=1", "agent-workspace.spec=x"] {
            assert!(label(text).is_err(), "{text}");
        }
    }

    #[test]
    fn env_files_take_values_from_the_file_or_the_host() {
        let read = |text| env_file("f", text, |name| Ok(Some(format!("host {name}"))));
        assert_eq!(
            read("# comment\nA=1 2\n\n B\nC=\n").unwrap(),
            [("A", "1 2"), ("B", "host B"), ("C", "")].map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert!(read("A=1\n1x=2").unwrap_err().message().starts_with("f:2"));
        assert!(["GH_TOKEN", "GITHUB_TOKEN=x", "GIT_CREDENTIALS_A=x"].iter().all(|text| read(text).is_err()));
    }

    #[test]
    fn clone_folders_stay_where_they_are_said_to_be() {
        assert_eq!(clone_dir("src", "/work").unwrap(), "/work/src");
        assert_eq!(clone_dir("/work//a/./b/", "/work").unwrap(), "/work/a/b");
        for text in ["", "/", "~/x", "..", "/work", ".", "/work/../etc", "a\nb"] {
            assert!(clone_dir(text, "/work").is_err(), "{text}");
        }
    }

    #[test]
    fn commands_may_start_in_any_folder_that_is_named_plainly() {
        for (text, folder) in [("/", "/"), ("/work", "/work"), ("src", "/work/src"), ("/etc//ssl/.", "/etc/ssl")] {
            assert_eq!(workdir(text, "/work").unwrap(), folder);
        }
        for text in ["", "~", "~/x", "..", "/work/../etc", "a\nb"] {
            let error = workdir(text, "/work").unwrap_err();
            assert!(error.message().starts_with("--workdir "), "{error}");
        }
    }
}
