//! A secret that somebody hands over by an open descriptor, so that it stands in no argument and no variable.

use std::fs::File;
use std::io::{IsTerminal, Read};

use crate::error::{Error, Result, usage};
use crate::machine::Secret;

/// Longer than any passphrase.
const LONGEST: usize = 64 << 10;

/// The first line of what a descriptor gives, without its end. Nothing behind it is read.
///
/// # Errors
/// `usage` when the descriptor is not open, is a terminal, or gives no line that could be a passphrase.
pub fn passphrase(descriptor: u32) -> Result<Secret> {
    let wrong = |why: &str| {
        usage(format!("--passphrase-fd {descriptor}: {why}"))
            .hint("for example: agent-workspace vm list --live --passphrase-fd 3 3<passphrase-file")
    };
    if is_for_writing(descriptor) {
        return Err(wrong("it is open for writing, and nothing comes from it"));
    }
    // The system's name for it; taking a bare number for a descriptor could not be proved to be right.
    let opened = File::open(format!("/dev/fd/{descriptor}"));
    let file = opened.map_err(|error| wrong("no such descriptor can be read").cause(error.to_string()))?;
    if file.is_terminal() {
        return Err(wrong("it is a terminal, and nobody is asked for anything"));
    }
    first_line(file, wrong)
}

/// Whether nothing can be read from a descriptor. Of a pipe that is written to, the name is that of its other end too, and
/// reading there would wait for ourselves.
fn is_for_writing(descriptor: u32) -> bool {
    std::fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).is_ok_and(|facts| says_writing(&facts))
}

fn says_writing(facts: &str) -> bool {
    const MODE: u32 = 0o3;
    const WRITING: u32 = 0o1;
    let flags = facts.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).is_some_and(|flags| flags & MODE == WRITING)
}

fn first_line(mut from: impl Read, wrong: impl Fn(&str) -> Error) -> Result<Secret> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    // One by one, as what comes behind the line is for somebody else.
    while line.len() <= LONGEST {
        match from.read(&mut byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(wrong("it cannot be read").cause(error.to_string())),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    if line.is_empty() {
        return Err(wrong("it gives no passphrase"));
    }
    if line.len() > LONGEST {
        return Err(wrong("it gives more than 64 KiB without a line end"));
    }
    if str::from_utf8(&line).is_err() {
        return Err(wrong("what it gives is not UTF-8"));
    }
    Ok(Secret::new(line))
}

#[cfg(test)]
mod tests {
    use agent_workspace_contract::ErrorCode;

    use super::*;

    fn read(mut bytes: &[u8]) -> Result<Secret> {
        first_line(&mut bytes, |why| usage(why))
    }

    #[test]
    fn a_passphrase_is_the_first_line_and_no_more_is_read() {
        for bytes in [&b"secret words"[..], b"secret words\n", b"secret words\r\n", b"secret words\nmore\n"] {
            assert_eq!(read(bytes).unwrap().expose(), b"secret words");
        }
        let mut rest = &b"one\ntwo\n"[..];
        assert_eq!(first_line(&mut rest, |why| usage(why)).unwrap().expose(), b"one");
        assert_eq!(rest, b"two\n");
    }

    #[test]
    fn the_writing_end_of_a_pipe_is_refused_and_not_waited_for() {
        use std::os::fd::AsRawFd;

        let (reader, writer) = std::io::pipe().unwrap();
        let number = |raw: i32| u32::try_from(raw).unwrap();
        let refused = passphrase(number(writer.as_raw_fd())).unwrap_err();
        assert!(refused.message().ends_with("it is open for writing, and nothing comes from it"), "{refused:?}");
        drop(writer);
        let empty = passphrase(number(reader.as_raw_fd())).unwrap_err();
        assert!(empty.message().ends_with("it gives no passphrase"), "{empty:?}");
        assert!(!says_writing("") && !says_writing("flags:\tx") && !says_writing("pos:\t0\nflags:\t0100002\n"));
    }

    #[test]
    fn what_can_be_no_passphrase_is_refused() {
        for bytes in [&b""[..], b"\nmore", b"\xff", &[b'x'; LONGEST + 1]] {
            assert_eq!(read(bytes).unwrap_err().code(), ErrorCode::Usage);
        }
        assert_eq!(read(&[b'x'; LONGEST]).unwrap().expose().len(), LONGEST);
        assert_eq!(passphrase(9999).unwrap_err().code(), ErrorCode::Usage);
    }
}
