//! Splits a command as a shell does, without one: spaces between words, quotes and backslashes as POSIX has them.
//! Nothing is put in for anything.

/// The words of a command. `None` when a quote is not closed.
pub(super) fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        letter => word.push(letter),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '"' => break,
                        '\\' => match letters.next()? {
                            '\n' => {}
                            letter @ ('"' | '\\' | '$' | '`') => word.push(letter),
                            letter => word.extend(['\\', letter]),
                        },
                        letter => word.push(letter),
                    }
                }
            }
            '\\' => match letters.next()? {
                '\n' => {}
                letter => word.get_or_insert_default().push(letter),
            },
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_those_that_a_shell_makes() {
        for (text, words) in [
            ("vi", &["vi"][..]),
            ("  code  --wait\t-n ", &["code", "--wait", "-n"]),
            (r#"'/opt/my editor/ed' --title "a \"b\" \c $x""#, &["/opt/my editor/ed", "--title", "a \"b\" \\c $x"]),
            (r"a\ b c\'d", &["a b", "c'd"]),
            ("emacs ''", &["emacs", ""]),
            ("a'b'\"c\"", &["abc"]),
            ("a;b $(c) `d` | e", &["a;b", "$(c)", "`d`", "|", "e"]),
            ("", &[]),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        for open in ["'a", "\"a", "a\\", "\"a\\"] {
            assert_eq!(split(open), None, "{open}");
        }
    }

    proptest! {
        #[test]
        fn quoted_words_come_back_as_they_were(words in proptest::collection::vec(".*", 0..4)) {
            let quoted: Vec<_> = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
            prop_assert_eq!(split(&quoted.join(" ")), Some(words));
        }
    }
}
