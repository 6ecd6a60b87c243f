//! The one place where words become the one string that SSH carries, for the POSIX shell that takes it apart.

/// Joins words so that a POSIX shell gives back exactly these.
pub(crate) fn join<S: AsRef<str>>(words: &[S]) -> String {
    words.iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

fn quote(word: &str) -> String {
    let bare = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./:@%+,".contains(c));
    if bare { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// What a real shell makes of the string: its words, each ended by a NUL.
    fn taken_apart(line: &str) -> Vec<u8> {
        let script = format!("for word in {line}; do printf '%s\\0' \"$word\"; done");
        Command::new("sh").args(["-c", &script]).output().unwrap().stdout
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn a_real_shell_gives_back_every_word(words in prop::collection::vec("[^\0]{0,40}", 1..6)) {
            let expected: Vec<u8> = words.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
            prop_assert_eq!(taken_apart(&join(&words)), expected);
        }

        #[test]
        fn so_it_does_of_what_shells_care_about(words in prop::collection::vec("[ '\"\\\\$`!*?#~=&|;<>(){}\n\t\\[\\]a-]{0,12}", 1..6)) {
            let expected: Vec<u8> = words.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
            prop_assert_eq!(taken_apart(&join(&words)), expected);
        }
    }

    #[test]
    fn plain_words_stay_readable() {
        assert_eq!(join(&["sh", "-c", "exit 7", "", "it's"]), r"sh -c 'exit 7' '' 'it'\''s'");
    }
}
