//! As much HTTP/1.1 as an engine's client needs: requests in, answers out, connections kept.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, `DELETE`.
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// The query, decoded; empty without one.
    pub query: String,
    /// The body, empty without one.
    pub body: Vec<u8>,
    /// What was written to the exec's stdin after the connection was taken over.
    pub stdin: Vec<u8>,
}

impl Request {
    /// Reads the next request of a connection; `None` when the client has gone.
    pub(super) fn read(stream: &mut BufReader<UnixStream>) -> Result<Option<Self>> {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace();
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default().to_owned();
        let mut length = 0;
        let mut chunked = false;
        loop {
            let mut header = String::new();
            stream.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().expect("the client says how long its body is");
            }
            chunked |= name.eq_ignore_ascii_case("transfer-encoding");
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        while chunked {
            let mut size = String::new();
            stream.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).unwrap_or_default();
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk)?;
            body.extend_from_slice(&chunk[..size]);
            chunked = size > 0;
        }
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        Ok(Some(Self { method, path: path.to_owned(), query: decoded(query), body, stdin: Vec::new() }))
    }

    /// The body as JSON, null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A parameter of the query, empty when it is not given.
    pub(super) fn parameter(&self, name: &str) -> &str {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find_map(|(key, value)| (key == name).then_some(value)).unwrap_or_default()
    }
}

/// Percent-encoding and plus signs undone. No value of ours holds an ampersand.
fn decoded(query: &str) -> String {
    let mut bytes = query.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: String = bytes.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).expect("two hex digits follow a percent sign")
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// An answer of the engine.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// A status and a JSON body.
    Json(u16, Value),
    /// A status alone.
    Empty(u16),
    /// A tar.
    Tar(Vec<u8>),
    /// Lines of JSON, as they come.
    Lines(Vec<Value>),
    /// The connection becomes the streams of the exec of this id.
    Exec(String),
}

impl Answer {
    /// A refusal in the engine's form.
    pub(super) fn refusal(status: u16, message: &str) -> Self {
        Self::Json(status, serde_json::json!({ "message": message }))
    }

    /// Head and body.
    pub(super) fn bytes(&self, api: &str) -> Vec<u8> {
        match self {
            Self::Json(status, body) => whole(*status, Some(api), "application/json", body.to_string().as_bytes()),
            Self::Empty(status @ (204 | 304)) => {
                format!("HTTP/1.1 {status} Done\r\nApi-Version: {api}\r\n\r\n").into_bytes()
            }
            Self::Empty(status) => whole(*status, Some(api), "application/json", b""),
            Self::Tar(tar) => whole(200, Some(api), "application/x-tar", tar),
            Self::Lines(lines) => {
                let mut bytes =
                    format!("HTTP/1.1 200 OK\r\nApi-Version: {api}\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
                for line in lines {
                    let line = format!("{line}\r\n");
                    bytes.extend(format!("{:x}\r\n{line}\r\n", line.len()).bytes());
                }
                bytes.extend(b"0\r\n\r\n");
                bytes
            }
            Self::Exec(_) => format!(
                "HTTP/1.1 101 UPGRADED\r\nApi-Version: {api}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\
                 Content-Type: application/vnd.docker.raw-stream\r\n\r\n"
            )
            .into_bytes(),
        }
    }
}

/// An answer with a body of known length, from an engine of this API or from something else.
pub(super) fn whole(status: u16, api: Option<&str>, content_type: &str, body: &[u8]) -> Vec<u8> {
    let api = api.map(|api| format!("Api-Version: {api}\r\n")).unwrap_or_default();
    let mut bytes = format!(
        "HTTP/1.1 {status} Said\r\n{api}Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend(body);
    bytes
}

/// One frame of an exec's streams: 1 is stdout, 2 is stderr.
pub(super) fn frame(stream: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("frames are short");
    let mut frame = vec![stream, 0, 0, 0];
    frame.extend(length.to_be_bytes());
    frame.extend(bytes);
    frame
}

/// Everything up to the end of the client's writing.
pub(super) fn read_stdin(stream: &mut BufReader<UnixStream>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A client that has gone away has written what it has written.
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

/// Writes, whether or not the client is still there.
pub(super) fn write(stream: &UnixStream, bytes: &[u8]) {
    let mut stream = stream;
    let _ = stream.write_all(bytes);
}
