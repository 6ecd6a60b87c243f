//! The yardstick of `./dev bench`: the requests that `ls`, `create` and `rm` cannot do without, and nothing else.
//!
//! `bare_engine SOCKET ls|create|rm|rm-force [NAME] [IMAGE] [LABEL]`. Uses the standard library alone, so that
//! `rustc` builds it in a second, and prints nothing. Independent of the launcher's code on purpose: a request that
//! the launcher sends without need shows as a worse ratio.

use std::io::{BufRead, BufReader, Error, Read, Result, Write};
use std::os::unix::net::UnixStream;

const UNSAVED_WORK: &str = include_str!("../../../launcher/src/guest/scripts/unsaved_work.sh");
const KEEP_ALIVE: &str = "trap 'exit 0' TERM INT; while :; do sleep 86400 & wait $!; done";

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [socket, "ls"] => ls(&mut Engine::connect(socket)?),
        [socket, "create", name, image, label] => create(&mut Engine::connect(socket)?, name, image, label),
        [socket, "rm", name] => remove(socket, name, true),
        [socket, "rm-force", name] => remove(socket, name, false),
        _ => Err(Error::other("usage: bare_engine SOCKET ls|create NAME IMAGE LABEL|rm NAME|rm-force NAME")),
    }
}

fn ls(engine: &mut Engine) -> Result<()> {
    // {"label":["agent-kit.workspace=1"]}
    let filter = "%7B%22label%22%3A%5B%22agent-kit.workspace%3D1%22%5D%7D";
    engine.ask("GET", &format!("/containers/json?all=1&filters={filter}"), "").map(drop)
}

fn create(engine: &mut Engine, name: &str, image: &str, label: &str) -> Result<()> {
    let mount = |volume: &str, target: &str| {
        format!(
            r#"{{"Type":"volume","Source":"{name}-{volume}","Target":"{target}","VolumeOptions":{{"Labels":{{"{label}":"1"}}}}}}"#
        )
    };
    let body = format!(
        concat!(
            r#"{{"Hostname":"{name}","Image":"{image}","WorkingDir":"/work","Cmd":["sh","-c",{keep_alive}],"#,
            r#""Env":["HOME=/home/agent","AGENT_HOME=/home/agent/.agents","CODEX_AUTH_FILE=/home/agent/.codex/auth.json"],"#,
            r#""Labels":{{"agent-kit.workspace":"1","{label}":"1"}},"#,
            r#""HostConfig":{{"Init":true,"Mounts":[{work},{home}]}}}}"#
        ),
        name = name,
        image = image,
        label = label,
        keep_alive = quoted(KEEP_ALIVE),
        work = mount("work", "/work"),
        home = mount("home", "/home/agent"),
    );
    let made = engine.ask("POST", &format!("/containers/create?name={name}"), &body)?;
    let id = id_in(&made)?;
    engine.ask("GET", &format!("/containers/{id}/json"), "")?;
    engine.ask("POST", &format!("/containers/{id}/start"), "").map(drop)
}

fn remove(socket: &str, name: &str, look: bool) -> Result<()> {
    let mut engine = Engine::connect(socket)?;
    let found = engine.ask("GET", &format!("/containers/{name}/json"), "")?;
    let container = id_in(&found)?.to_owned();
    if look {
        let body = format!(
            r#"{{"AttachStdout":true,"AttachStderr":true,"User":"agent","Cmd":["sh","-c",{},"agent-workspace","/work","/home/agent","",""]}}"#,
            quoted(UNSAVED_WORK)
        );
        let made = engine.ask("POST", &format!("/containers/{container}/exec"), &body)?;
        let exec = id_in(&made)?;
        // The answer is a stream that takes the connection with it.
        engine.ask("POST", &format!("/exec/{exec}/start"), r#"{"Detach":false,"Tty":false}"#)?;
        engine = Engine::connect(socket)?;
        engine.ask("GET", &format!("/exec/{exec}/json"), "")?;
    }
    engine.ask("DELETE", &format!("/containers/{container}?v=true&force=true"), "")?;
    engine.ask("DELETE", &format!("/volumes/{name}-work"), "")?;
    engine.ask("DELETE", &format!("/volumes/{name}-home"), "").map(drop)
}

/// One connection.
struct Engine(BufReader<UnixStream>);

impl Engine {
    fn connect(socket: &str) -> Result<Self> {
        Ok(Self(BufReader::new(UnixStream::connect(socket)?)))
    }

    /// Sends a request and returns the body of its answer. A refusal is an error.
    fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<String> {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: engine\r\n");
        let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        self.0.get_mut().write_all(format!("{head}{kind}content-length: {length}\r\n\r\n{body}").as_bytes())?;

        let status = self.line()?;
        let (mut length, mut chunked) = (None, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().ok(),
                Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
                Some(_) => {}
                None => break,
            }
        }
        let mut answer = Vec::new();
        match length {
            _ if status.contains(" 204 ") || status.contains(" 304 ") => {}
            _ if chunked => self.chunks(&mut answer)?,
            Some(length) => {
                answer.resize(length, 0);
                self.0.read_exact(&mut answer)?;
            }
            None => drop(self.0.read_to_end(&mut answer)?),
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        if status.contains(" 2") {
            Ok(answer)
        } else {
            Err(Error::other(format!("{method} {path}: {status} {answer}")))
        }
    }

    fn chunks(&mut self, answer: &mut Vec<u8>) -> Result<()> {
        loop {
            let size = usize::from_str_radix(self.line()?.trim(), 16).map_err(Error::other)?;
            let start = answer.len();
            answer.resize(start + size, 0);
            self.0.read_exact(&mut answer[start..])?;
            self.line()?;
            if size == 0 {
                return Ok(());
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

/// The value of the first `Id` in an answer.
fn id_in(answer: &str) -> Result<&str> {
    let rest = answer.split_once(r#""Id":""#).map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split('"').next()).ok_or_else(|| Error::other(format!("no Id in {answer}")))
}

/// A string as JSON writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
