//! `field`: one value of a document, for shells without a JSON parser.

use std::process::{Command, Stdio};

use agent_workspace_tests::{Launcher, Ran};

const DOCUMENT: &str = r#"{"workspace":"agent-ws-a","created":false,"n":1.5,"big":9007199254740993,"none":null,"words":["p q","r"],
  "empty":[],"a/b":{"~c":7},"":"nameless","u":"\u00fc\n","rows":[{"x":1}],"o":{"k":[1]}}"#;

fn field(args: &[&str], stdin: impl Into<Vec<u8>>) -> Ran {
    Launcher::new(["field"].iter().chain(args).copied()).stdin(stdin).run()
}

#[test]
fn values_are_printed_as_a_shell_wants_them() {
    for (pointer, printed) in [
        ("/workspace", "agent-ws-a\n"),
        ("/created", "false\n"),
        ("/n", "1.5\n"),
        ("/big", "9007199254740993\n"),
        ("/words", "p q\nr\n"),
        ("/words/1", "r\n"),
        ("/empty", ""),
        ("/a~1b/~0c", "7\n"),
        ("/", "nameless\n"),
        ("/u", "\u{fc}\n\n"),
        ("/rows/0/x", "1\n"),
        ("/o", "{\"k\":[1]}\n"),
    ] {
        let ran = field(&[pointer], DOCUMENT).expect(0);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (printed, ""), "{pointer}");
    }
}

#[test]
fn with_0_every_value_ends_with_a_nul() {
    for flag in ["-0", "--null"] {
        assert_eq!(field(&[flag, "/words"], DOCUMENT).expect(0).stdout, "p q\0r\0");
        assert_eq!(field(&["/workspace", flag], DOCUMENT).expect(0).stdout, "agent-ws-a\0");
        assert_eq!(field(&["/empty", flag], DOCUMENT).expect(0).stdout, "");
    }
}

#[test]
fn null_and_absent_are_nothing_with_exit_1() {
    for pointer in ["/none", "/nosuch", "/words/2", "/words/-", "/workspace/x", "/words/01"] {
        let ran = field(&[pointer], DOCUMENT).expect(1);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""), "{pointer}");
        let ran = field(&[pointer, "--output=json"], DOCUMENT).expect(1);
        assert_eq!(ran.document().error_code(), "field_absent");
    }
}

#[test]
fn the_whole_document_is_the_value_of_the_empty_pointer() {
    assert_eq!(field(&[""], r#"{"a":1}"#).expect(0).stdout, "{\"a\":1}\n");
}

#[test]
fn values_are_documents_when_asked_for_as_json() {
    let document = field(&["/words", "--output", "json"], DOCUMENT).expect(0).document();
    assert_eq!(*document.at("/value"), serde_json::json!(["p q", "r"]));
}

#[test]
fn what_is_read_may_begin_with_a_byte_order_mark_and_space() {
    assert_eq!(field(&["/a"], "\u{feff} {\"a\":1}\r\n").expect(0).stdout, "1\n");
}

#[test]
fn what_is_not_one_document_is_named() {
    for stdin in ["", "{", "{}{}", "{\"a\":1} x", "error: no engine", "\u{0}"] {
        let ran = field(&["/a", "--output=json"], stdin).expect(2);
        assert_eq!(ran.document().error_code(), "invalid_document", "{stdin:?}");
        let ran = field(&["/a"], stdin).expect(2);
        assert_eq!(ran.stdout, "", "{stdin:?}");
    }
    assert_eq!(
        field(&["/a", "--output=json"], b"{\"a\":\"\xff\"}").expect(2).document().error_code(),
        "invalid_document"
    );
}

#[test]
fn what_is_no_pointer_is_wrong() {
    for pointer in ["workspace", "$.workspace", "/~2", "/a~", "#/a"] {
        let ran = field(&[pointer, "--output=json"], DOCUMENT).expect(2);
        assert_eq!(ran.document().error_code(), "usage", "{pointer}");
    }
    let _ = field(&[], DOCUMENT).expect(2);
}

#[test]
fn a_stream_without_end_is_not_read_without_end() {
    let ran = field(&["/a", "--output=json"], vec![b' '; 80 << 20]).expect(2);
    assert_eq!(ran.document().error_code(), "invalid_document");
}

#[test]
fn a_document_that_is_nested_too_deep_is_refused_and_not_a_crash() {
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    assert_eq!(field(&["/0", "--output=json"], deep).expect(2).document().error_code(), "invalid_document");
}

#[test]
fn a_stdin_that_is_closed_is_an_empty_one() {
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" <&-"]).arg(Launcher::binary()).args(["field", "/a", "--output=json"]);
    let child = command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    assert_eq!(Ran::of(child.expect("a shell")).expect(2).document().error_code(), "invalid_document");
}

#[test]
fn a_stdin_that_cannot_be_read_is_named() {
    let folder = std::fs::File::open("/").expect("a folder can be opened");
    let mut command = Launcher::new(["field", "/a"]).json().command();
    let child = command.stdin(folder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    assert_eq!(Ran::of(child).expect(2).document().error_code(), "invalid_document");
}

#[test]
fn documents_of_the_launcher_itself_can_be_read() {
    let document = Launcher::new(["describe", "!!!"]).json().run().expect(2).stdout;
    assert_eq!(field(&["/error/code"], document.clone()).expect(0).stdout, "invalid_name\n");
    assert_eq!(field(&["/error/exit_code"], document.clone()).expect(0).stdout, "2\n");
    assert_eq!(field(&["/ok"], document.clone()).expect(0).stdout, "false\n");
    let capabilities = field(&["/capabilities"], document).expect(0).stdout;
    assert!(capabilities.lines().any(|line| line == "output-json"), "{capabilities}");
}
