//! A program on a terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use super::until;

/// A pseudo-terminal and the program on it.
pub struct Terminal {
    keyboard: File,
    line: File,
    shown: Arc<Mutex<Vec<u8>>>,
    child: Child,
    settings: String,
}

impl Terminal {
    /// Starts a program with a terminal of 24 rows and 80 columns as its standard streams and its controlling one.
    ///
    /// # Panics
    /// When there is no terminal to be had.
    pub fn run(command: &Command) -> Self {
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal");
        let name = ptsname(&master, Vec::new()).expect("a terminal's name");
        let name = name.to_str().expect("terminals have plain names");
        // No controlling terminal of the test itself: it has one already, or none and is no session leader.
        let line = File::options().read(true).write(true).open(name).expect("a terminal");
        tcsetwinsize(&line, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).expect("a size");
        let settings = settings(&line);
        let clone = || line.try_clone().expect("a terminal");
        // What makes a terminal the controlling one needs a fork in two; setsid does it.
        let mut session = Command::new("setsid");
        session.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args()).env_clear();
        session.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let child = session.stdin(clone()).stdout(clone()).stderr(clone()).spawn().expect("setsid is installed");
        let keyboard = File::from(master);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut screen, showing) = (keyboard.try_clone().expect("a terminal"), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count) = screen.read(&mut bytes) {
                if count == 0 {
                    break;
                }
                showing.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..count]);
            }
        });
        Self { keyboard, line, shown, child, settings }
    }

    /// What has been shown so far.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Waits until something is shown.
    ///
    /// # Panics
    /// When it is not.
    pub fn wait_for(&self, text: &str) {
        until(&format!("the terminal shows {text:?}"), || self.shown().contains(text));
    }

    /// Types.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn types(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).expect("a keyboard");
    }

    /// Gives the terminal another size.
    ///
    /// # Panics
    /// When it takes none.
    pub fn resize(&self, rows: u16, columns: u16) {
        tcsetwinsize(&self.line, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })
            .expect("a size");
    }

    /// Sends a signal to the program.
    ///
    /// # Panics
    /// When it has ended.
    pub fn signal_program(&self, signal: Signal) {
        // It is the one child of setsid, which waits for it.
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let children = std::fs::read_to_string(children).expect("setsid runs");
        let pid = children.split_whitespace().next().map_or(self.child.id(), |pid| pid.parse().expect("a number"));
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("it runs");
    }

    /// Whether the terminal is set as it was before the program came.
    pub fn is_as_before(&self) -> bool {
        settings(&self.line) == self.settings
    }

    /// Waits for the program's end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn end(&mut self) -> ExitStatus {
        let mut status = None;
        until("the program on the terminal ends", || {
            status = self.child.try_wait().expect("its state is known");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn settings(line: &File) -> String {
    format!("{:?}", tcgetattr(line).expect("a terminal has settings"))
}
