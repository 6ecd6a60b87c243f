//! Where a folder of secrets is mounted inside a workspace, as typed after `--secrets-mount`.

/// Folders that a workspace cannot do without, with everything in them.
const SYSTEM: [&str; 14] = [
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/sbin", "/sys", "/usr", "/var",
    "/nix",
];
/// Folders that hold what others need, but in which there is room for one more.
const SHARED: [&str; 8] = ["/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp"];

/// Reads a place: absolute, or `~` for the home. Gives it without slashes too many.
///
/// # Errors
/// Why it is no such place, as the end of a sentence.
pub fn parse(text: &str, home: &str, work: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.chars().any(char::is_control) || text.contains('\\') {
        return Err("it holds a control character or a backslash");
    }
    let text = match text.strip_prefix('~') {
        None => text.to_owned(),
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
        Some(_) => return Err("`~` stands for the home of the workspace's user and for nobody else's"),
    };
    if !text.starts_with('/') {
        return Err("it is not an absolute path");
    }
    let mut place = String::new();
    for part in text.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            return Err("`..` is not allowed");
        }
        place.push('/');
        place.push_str(part);
    }
    // The launcher's own folder in the home holds the credentials it keeps.
    let ours = format!("{home}/.agents-env");
    if place.is_empty() || place == home || place == work || SHARED.contains(&place.as_str()) {
        return Err("it would hide what the workspace needs there");
    }
    if SYSTEM.into_iter().chain([ours.as_str()]).any(|folder| is_in(&place, folder)) {
        return Err("it is in a folder that belongs to the workspace's system");
    }
    Ok(place)
}

/// Whether a clean path is a folder or in it.
pub fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(text: &str) -> Result<String, &'static str> {
        parse(text, "/home/agent", "/work")
    }

    #[test]
    fn places_are_absolute_and_clean() {
        for (text, is) in [
            ("/home/agent/codex_secrets", "/home/agent/codex_secrets"),
            ("/home/agent/codex_secrets/", "/home/agent/codex_secrets"),
            ("//secrets//x//", "/secrets/x"),
            ("/./a/./b", "/a/b"),
            ("~/s", "/home/agent/s"),
            ("~/s/", "/home/agent/s"),
            ("/run/secrets", "/run/secrets"),
            ("/work/secrets", "/work/secrets"),
            ("/a b:c,d'e\"ö", "/a b:c,d'e\"ö"),
            ("/binaries", "/binaries"),
        ] {
            assert_eq!(place(text).as_deref(), Ok(is), "{text}");
        }
    }

    #[test]
    fn places_that_would_hide_something_are_refused() {
        for text in [
            "",
            "s",
            "./s",
            "~user",
            "~user/s",
            "~",
            "~/",
            "/",
            "//",
            "/.",
            "/work",
            "/work/",
            "/home",
            "/home/agent",
            "/home/agent/",
            "/bin",
            "/boot",
            "/dev/shm",
            "/etc",
            "/etc/ssl",
            "/lib64",
            "/proc/1",
            "/root",
            "/run",
            "/sbin",
            "/sys",
            "/usr",
            "/usr/bin",
            "/var",
            "/var/lib",
            "/tmp",
            "/opt",
            "/a/../etc",
            "/..",
            "/a\nb",
            "/a\0b",
            "/a\\b",
            "~/.agents-env",
            "~/.agents-env/x",
        ] {
            assert!(place(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_clean_and_stays_as_it_is(text in "[~/a-z. ]{0,20}|\\PC{0,20}") {
            if let Ok(accepted) = place(&text) {
                prop_assert!(accepted.starts_with('/') && !accepted.contains("//") && !accepted.ends_with('/'));
                prop_assert!(accepted.split('/').all(|part| part != ".."));
                prop_assert_eq!(place(&accepted), Ok(accepted.clone()));
            }
        }
    }
}
