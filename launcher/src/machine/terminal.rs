//! A raw terminal session over a stream to a command: bytes there, bytes back, and the window's size.

use std::io::Read;

use agent_workspace_contract::ErrorCode;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{Error, Result};

/// Copies between our terminal and the stream until the far end closes it. `resize` is told rows and columns.
///
/// # Errors
/// `internal` when our terminal cannot be driven.
pub(crate) async fn converse<F: Future<Output = ()>>(
    stream: impl AsyncRead + AsyncWrite,
    resize: impl Fn(u16, u16) -> F,
) -> Result<()> {
    let broken = |cause: String| Error::new(ErrorCode::Internal, "the terminal cannot be used").cause(cause);
    let _raw = RawMode::enter().map_err(|error| broken(error.to_string()))?;
    let mut window = signal(SignalKind::window_change()).map_err(|error| broken(error.to_string()))?;
    let (mut from, mut to) = tokio::io::split(stream);
    let mut keys = keyboard();
    let mut typing = true;
    let mut bytes = vec![0; 32 << 10];
    let size = || tcgetwinsize(rustix::stdio::stdout()).ok().map(|size| (size.ws_row, size.ws_col));
    if let Some((rows, columns)) = size() {
        resize(rows, columns).await;
    }
    let mut stdout = std::io::stdout();
    loop {
        tokio::select! {
            read = from.read(&mut bytes) => match read {
                Ok(0) | Err(_) => return Ok(()),
                Ok(count) => {
                    use std::io::Write;
                    // A terminal that has gone away ends the session.
                    if stdout.write_all(&bytes[..count]).and_then(|()| stdout.flush()).is_err() {
                        return Ok(());
                    }
                }
            },
            typed = keys.recv(), if typing => match typed {
                Some(typed) => {
                    if to.write_all(&typed).await.is_err() {
                        return Ok(());
                    }
                }
                // The end of our input; what is running may still have something to say.
                None => {
                    let _ = to.shutdown().await;
                    typing = false;
                }
            },
            _ = window.recv() => if let Some((rows, columns)) = size() {
                resize(rows, columns).await;
            },
        }
    }
}

/// A thread that reads the keyboard. The runtime's own stdin would hold up the exit until the next key.
fn keyboard() -> tokio::sync::mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut bytes = [0; 4096];
        while let Ok(count) = stdin.read(&mut bytes) {
            if count == 0 || sender.blocking_send(bytes[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// The terminal in raw mode, and back as it was when dropped.
struct RawMode(Termios);

impl RawMode {
    fn enter() -> rustix::io::Result<Self> {
        let before = tcgetattr(rustix::stdio::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that cannot be set back.
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &self.0);
    }
}
