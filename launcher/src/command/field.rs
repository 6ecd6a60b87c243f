//! `field`: one value of a document, for shells that have no JSON parser.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;

use agent_workspace_contract::{ErrorCode, FieldReport};
use serde_json::value::RawValue;

use crate::error::{Error, Result, usage};
use crate::output::{Human, Terminal};

/// More than any document is long; protects against a stream that never ends.
const LONGEST: u64 = 64 << 20;

/// Flags of `field`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// JSON Pointer (RFC 6901) of the value, for example /workspace
    #[arg(value_name = "POINTER", allow_hyphen_values = true)]
    pub(crate) pointer: String,
    /// End each value with a NUL character instead of a line end
    #[arg(short = '0', long = "null")]
    pub(crate) null: bool,
}

/// A pointer that can be followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pointer: String,
    null: bool,
}

impl Args {
    /// Checks the pointer.
    ///
    /// # Errors
    /// `usage` when it is not a JSON Pointer.
    pub fn resolve(self) -> Result<Request> {
        let Self { pointer, null } = self;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(usage(format!("{pointer:?} is not a JSON Pointer: it must begin with /"))
                .hint(format!("agent-workspace field /{pointer}")));
        }
        let escapes = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if !escapes {
            return Err(usage(format!("{pointer:?} is not a JSON Pointer: ~ stands for itself as ~0, / as ~1"))
                .hint("see RFC 6901"));
        }
        Ok(Request { pointer, null })
    }
}

/// A value and how it is printed.
#[derive(Debug, serde::Serialize)]
#[serde(transparent)]
pub struct Found {
    report: FieldReport,
    #[serde(skip)]
    text: String,
}

/// Reads a document and finds the value.
///
/// # Errors
/// `invalid_document` when it is not one JSON value, `field_absent` when nothing or null is there.
pub fn run(request: &Request, input: impl Read) -> Result<Found> {
    let broken = |cause: String| {
        Error::new(ErrorCode::InvalidDocument, "what was read is not one JSON document")
            .cause(cause)
            .hint("agent-workspace ls --output json | agent-workspace field /workspaces/0/workspace")
    };
    let mut bytes = Vec::new();
    input.take(LONGEST).read_to_end(&mut bytes).map_err(|error| broken(error.to_string()))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| broken(error.to_string()))?;
    let document: &RawValue = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
    match follow(document, &request.pointer) {
        None => Err(Error::new(ErrorCode::FieldAbsent, format!("the document has nothing at {:?}", request.pointer))
            .detail("pointer", request.pointer.clone())),
        Some(value) => {
            let report =
                FieldReport { value: serde_json::from_str(value.get()).map_err(|error| broken(error.to_string()))? };
            Ok(Found { report, text: printed(value, if request.null { '\0' } else { '\n' }) })
        }
    }
}

/// The value at a JSON Pointer, as it was written; nothing for null. Numbers keep every digit.
fn follow<'a>(document: &'a RawValue, pointer: &str) -> Option<&'a RawValue> {
    let mut value = document;
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        value = match value.get().as_bytes().first() {
            Some(b'{') => serde_json::from_str::<BTreeMap<Cow<'a, str>, &'a RawValue>>(value.get())
                .ok()?
                .remove(token.as_str())?,
            Some(b'[') => {
                let canonical = token == "0" || !token.starts_with('0');
                let place = token.parse::<usize>().ok().filter(|_| canonical && !token.starts_with('+'))?;
                *serde_json::from_str::<Vec<&'a RawValue>>(value.get()).ok()?.get(place)?
            }
            _ => return None,
        };
    }
    Some(value).filter(|value| value.get() != "null")
}

/// A string raw, an array an item after the other, everything else as it was written.
fn printed(value: &RawValue, end: char) -> String {
    let scalar =
        |value: &RawValue| serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned());
    match serde_json::from_str::<Vec<&RawValue>>(value.get()) {
        Ok(items) => items.into_iter().fold(String::new(), |text, item| text + &scalar(item) + &end.to_string()),
        Err(_) => scalar(value) + &end.to_string(),
    }
}

impl Human for Found {
    fn human(&self, _: Terminal) -> String {
        self.text.clone()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(document: &str, pointer: &str, null: bool) -> Result<String> {
        let request = Args { pointer: pointer.to_owned(), null }.resolve()?;
        run(&request, document.as_bytes()).map(|found| found.human(Terminal::default()))
    }

    #[test]
    fn values_are_printed_as_a_shell_wants_them() {
        let document = r#"{"a":"x y","n":1.50,"big":12345678901234567890123,"t":true,"l":["p","q"],"e":[],"z":null,"a/b":{"~c":7},"o":{"k":1}}"#;
        for (pointer, printed) in [
            ("/a", "x y\n"),
            ("/n", "1.50\n"),
            ("/big", "12345678901234567890123\n"),
            ("/t", "true\n"),
            ("/l", "p\nq\n"),
            ("/l/1", "q\n"),
            ("/e", ""),
            ("/a~1b/~0c", "7\n"),
            ("/o", "{\"k\":1}\n"),
        ] {
            assert_eq!(read(document, pointer, false).unwrap(), printed, "{pointer}");
        }
        assert_eq!(read(document, "/l", true).unwrap(), "p\0q\0");
    }

    #[test]
    fn null_and_absent_are_nothing() {
        for pointer in ["/z", "/nosuch", "/l/2", "/l/-", "/l/+1", "/l/01", "/a/b"] {
            assert_eq!(
                read(r#"{"z":null,"l":[1,2],"a":"x"}"#, pointer, false).unwrap_err().code(),
                ErrorCode::FieldAbsent
            );
        }
    }

    #[test]
    fn what_is_not_a_document_or_a_pointer_is_named() {
        assert_eq!(read("{", "/a", false).unwrap_err().code(), ErrorCode::InvalidDocument);
        assert_eq!(read("{}{}", "/a", false).unwrap_err().code(), ErrorCode::InvalidDocument);
        assert_eq!(read("{}", "a", false).unwrap_err().code(), ErrorCode::Usage);
        assert_eq!(read("{}", "/~2", false).unwrap_err().code(), ErrorCode::Usage);
        assert_eq!(read("\u{feff}{\"a\":1}", "/a", false).unwrap(), "1\n");
    }

    proptest! {
        #[test]
        fn every_string_can_be_fetched_by_its_key(key in "\\PC{1,20}", value in "\\PC{0,20}") {
            let document = serde_json::json!({ &key: &value }).to_string();
            let pointer = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
            prop_assert_eq!(read(&document, &pointer, true).unwrap(), value + "\0");
        }
    }
}
