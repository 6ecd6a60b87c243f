//! HTTP as far as the fault proxy has to understand it: where a message begins and ends.

use tokio::io::AsyncReadExt;
use tokio::net::unix::OwnedReadHalf;

use super::Wrong;

/// How a message's body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
    /// It ends with the connection, in which both sides may speak.
    Stream,
}

/// A request or an answer; of a stream only the head.
pub(super) struct Message {
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) framing: Framing,
}

impl Message {
    /// Method and path; of the query only that a list is to say what things take, which is another question.
    pub(super) fn line(&self) -> String {
        let head = String::from_utf8_lossy(&self.head);
        let line = head.lines().next().unwrap_or_default();
        let sized = if line.contains("&size=1") { "?size=1" } else { "" };
        line.split(['?', ' ']).take(2).collect::<Vec<_>>().join(" ") + sized
    }

    /// What of an answer that goes wrong reaches the launcher.
    pub(super) fn what_arrives(&self, wrong: Wrong) -> Vec<u8> {
        match wrong {
            Wrong::Truncate if self.body.is_empty() => self.head[..self.head.len() / 2].to_vec(),
            Wrong::Truncate => [&self.head[..], &self.body[..self.body.len() / 2]].concat(),
            Wrong::Behead => self.head.clone(),
            _ => Vec::new(),
        }
    }
}

fn framing(head: &str, answers: Option<&Message>) -> Framing {
    let value = |name: &str| {
        head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_ascii_lowercase())
        })
    };
    let status = answers.and_then(|_| head.split(' ').nth(1)).unwrap_or_default();
    if status == "101" {
        Framing::Stream
    } else if matches!(status, "204" | "304") || answers.is_some_and(|request| request.head.starts_with(b"HEAD ")) {
        Framing::Length(0)
    } else if value("Transfer-Encoding").is_some_and(|coding| coding.contains("chunked")) {
        Framing::Chunked
    } else if let Some(length) = value("Content-Length").and_then(|length| length.parse().ok()) {
        Framing::Length(length)
    } else if answers.is_some() {
        Framing::Stream
    } else {
        Framing::Length(0)
    }
}

/// One direction of a connection, and what of it was read and not yet used.
pub(super) struct Incoming {
    pub(super) stream: OwnedReadHalf,
    pub(super) read: Vec<u8>,
}

impl Incoming {
    pub(super) fn of(stream: OwnedReadHalf) -> Self {
        Self { stream, read: Vec::new() }
    }

    /// The next message; `answers` is the request that it answers, if it is an answer.
    pub(super) async fn message(&mut self, answers: Option<&Message>) -> Option<Message> {
        loop {
            let head = self.until(b"\r\n\r\n").await?;
            let text = String::from_utf8_lossy(&head);
            if answers.is_some() && text.split(' ').nth(1) == Some("100") {
                continue;
            }
            let framing = framing(&text, answers);
            let body = match framing {
                Framing::Length(length) => self.exactly(length).await?,
                Framing::Chunked => self.chunks().await?,
                Framing::Stream => Vec::new(),
            };
            return Some(Message { head, body, framing });
        }
    }

    /// The chunks of a body as they are written, up to the empty one and the trailer after it.
    async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n").await?;
            let size = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).ok()?;
            body.extend(line);
            if size > 0 {
                body.extend(self.exactly(size + 2).await?);
                continue;
            }
            loop {
                let trailer = self.until(b"\r\n").await?;
                body.extend(&trailer);
                if trailer == b"\r\n" {
                    return Some(body);
                }
            }
        }
    }

    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                return Some(self.read.drain(..at + end.len()).collect());
            }
            self.more().await?;
        }
    }

    async fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.read.len() < count {
            self.more().await?;
        }
        Some(self.read.drain(..count).collect())
    }

    /// Everything up to the end.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        self.ends().await;
        std::mem::take(&mut self.read)
    }

    /// Waits for the end.
    pub(super) async fn ends(&mut self) {
        while self.more().await.is_some() {}
    }

    async fn more(&mut self) -> Option<()> {
        let mut bytes = [0; 16 << 10];
        let count = self.stream.read(&mut bytes).await.ok().filter(|count| *count > 0)?;
        self.read.extend_from_slice(&bytes[..count]);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;

    use super::super::REFUSAL;
    use super::*;

    fn message(head: &str, body: &str, framing: Framing) -> Message {
        Message { head: head.as_bytes().to_vec(), body: body.as_bytes().to_vec(), framing }
    }

    /// What a side says, in one piece or byte by byte, read as messages.
    fn read(said: &str, answers: Option<&Message>, piece: usize) -> Vec<Message> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (ours, theirs) = UnixStream::pair().expect("a pair");
            let said = said.to_owned();
            tokio::spawn(async move {
                let mut theirs = theirs;
                for bytes in said.as_bytes().chunks(piece) {
                    theirs.write_all(bytes).await.expect("they are read");
                    tokio::task::yield_now().await;
                }
            });
            let mut incoming = Incoming::of(ours.into_split().0);
            let mut messages = Vec::new();
            while let Some(message) = incoming.message(answers).await {
                messages.push(message);
            }
            messages
        })
    }

    #[test]
    fn every_request_of_a_connection_is_one_message() {
        let said = "GET /a?all=1 HTTP/1.1\r\nHost: e\r\n\r\n\
                    POST /b HTTP/1.1\r\ncontent-length: 12\r\n\r\nGET /no HTTP\
                    POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n\
                    DELETE /d HTTP/1.1\r\n\r\n";
        for piece in [1, 7, said.len()] {
            let lines: Vec<String> = read(said, None, piece).iter().map(Message::line).collect();
            assert_eq!(lines, ["GET /a", "POST /b", "POST /c", "DELETE /d"]);
        }
    }

    #[test]
    fn an_answer_ends_where_its_request_and_its_head_say() {
        let get = message("GET /a HTTP/1.1\r\n\r\n", "", Framing::Length(0));
        let said = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n\
                    HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}\
                    HTTP/1.1 101 UPGRADED\r\n\r\n";
        let framings: Vec<Framing> = read(said, Some(&get), 5).iter().map(|answer| answer.framing).collect();
        assert_eq!(framings, [Framing::Length(0), Framing::Length(2), Framing::Stream]);
        assert_eq!(framing("HTTP/1.1 200 OK\r\nContent-Type: raw\r\n\r\n", Some(&get)), Framing::Stream);
        let head = message("HEAD /a HTTP/1.1\r\n\r\n", "", Framing::Length(0));
        assert_eq!(framing("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", Some(&head)), Framing::Length(0));
    }

    #[test]
    fn half_of_an_answer_is_half_of_what_it_says() {
        let answer = message("head", "body", Framing::Length(4));
        assert_eq!(answer.what_arrives(Wrong::Truncate), b"headbo");
        assert_eq!(answer.what_arrives(Wrong::Behead), b"head");
        assert_eq!(answer.what_arrives(Wrong::CutAfter), b"");
        let answer = message("head", "", Framing::Stream);
        assert_eq!(answer.what_arrives(Wrong::Truncate), b"he");
    }

    #[test]
    fn the_refusal_is_as_long_as_it_says() {
        let (_, body) = REFUSAL.split_once("\r\n\r\n").expect("a head and a body");
        assert!(REFUSAL.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
