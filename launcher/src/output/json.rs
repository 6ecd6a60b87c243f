//! One document, one line, ASCII only: Windows code pages mangle everything else.

use std::io;

use agent_workspace_contract::ErrorCode;
use serde::Serialize;
use serde_json::ser::Formatter;

use crate::error::{Error, Result};

/// Writes a document to stdout, whole.
///
/// # Errors
/// `output_failed` when stdout takes no more.
pub(super) fn write(document: &impl Serialize) -> Result<()> {
    super::write_stdout(line(document)?.as_bytes())
}

/// A document as one line of ASCII with a line end.
///
/// # Errors
/// `internal` when the document cannot be JSON, which would be a defect.
pub(crate) fn line(document: &impl Serialize) -> Result<String> {
    let broken = |cause: String| Error::new(ErrorCode::Internal, "the document could not be encoded").cause(cause);
    let mut bytes = Vec::with_capacity(1024);
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Ascii);
    document.serialize(&mut serializer).map_err(|error| broken(error.to_string()))?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(|error| broken(error.to_string()))
}

/// Compact JSON with every other character escaped.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for c in fragment.chars() {
            if c.is_ascii() && c != '\u{7f}' {
                writer.write_all(&[c as u8])?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn documents_are_one_ascii_line_that_reads_back(text in any::<String>()) {
            let line = line(&text).unwrap();
            prop_assert!(line.is_ascii());
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
