//! Questions to a person at a terminal.

use std::io::{self, IsTerminal as _};

use qopen::types::Secret;
use tokio::sync::oneshot;

use crate::exit::Failure;
use crate::lang::{Text, phrase};
use crate::say::{self, tell};

/// A terminal with a person who answers.
pub(super) struct Terminal(());

impl Terminal {
    /// Returns the terminal of standard input and standard error, if both are one. Lines in JSON are for
    /// programs.
    pub(super) fn of_process() -> Option<Self> {
        let is_one = io::stdin().is_terminal() && io::stderr().is_terminal();
        (is_one && !say::is_json()).then_some(Self(()))
    }

    /// Asks a question, and returns the line that answers it.
    ///
    /// # Errors
    /// The input ends.
    pub(super) async fn ask(&self, question: &str) -> Result<Secret, Failure> {
        answer(&format!("{question}: "), platform::read_line).await
    }

    /// The same, without showing the answer.
    ///
    /// # Errors
    /// The input ends, or the terminal cannot hide it.
    ///
    /// # Cancellation
    /// The terminal shows again what is typed.
    pub(super) async fn ask_secret(&self, question: &str) -> Result<Secret, Failure> {
        let _hidden = platform::Hidden::begin().map_err(|error| {
            let what = Text::new(
                "the terminal cannot hide what is typed; give secrets by variables",
                "终端无法隐藏输入；请用环境变量提供密钥",
            );
            Failure::usage_of(what, &error)
        })?;
        let question = phrase!("{it} (not shown)", "{it}（不显示）", it = question);
        answer(&format!("{}: ", question.shown()), platform::read_secret).await
    }
}

/// Asks until the answer is text.
async fn answer(question: &str, read: fn() -> io::Result<Secret>) -> Result<Secret, Failure> {
    loop {
        say::to_person(format_args!("{question}"));
        match line(read).await {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tell!(
                    "the answer is not UTF-8 text; set the terminal to UTF-8 and type it again",
                    "输入不是 UTF-8 文本；请将终端设为 UTF-8 后重新输入",
                );
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(Failure::usage(phrase!(
                    "the input ended before all questions were answered; nothing was written",
                    "问题尚未答完，输入就结束了；没有写入任何内容",
                )));
            }
            Err(error) => {
                let what = Text::new(
                    "the terminal cannot be read; nothing was written",
                    "无法读取终端；没有写入任何内容",
                );
                return Err(Failure::usage_of(what, &error));
            }
            Ok(line) => return Ok(line),
        }
    }
}

/// Reads a line on a thread of its own, which ends with the process if the line never comes.
async fn line(read: fn() -> io::Result<Secret>) -> io::Result<Secret> {
    let (tell, told) = oneshot::channel();
    let reading = move || drop(tell.send(read()));
    let thread = std::thread::Builder::new().name("terminal".to_owned()).spawn(reading);
    thread?;
    told.await.unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into()))
}

#[cfg(unix)]
mod platform {
    use std::io;

    use qopen::types::Secret;
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
    use zeroize::Zeroizing;

    /// Maximum length of a line, in bytes.
    const MOST: usize = 64 << 10;

    /// Keeps what is typed from being shown, until it is dropped.
    pub(super) struct Hidden(Termios);

    impl Hidden {
        pub(super) fn begin() -> io::Result<Self> {
            let before = tcgetattr(io::stdin())?;
            let mut hidden = before.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            // The line break after the answer is shown.
            hidden.local_modes.insert(LocalModes::ECHONL);
            tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
            Ok(Self(before))
        }
    }

    impl Drop for Hidden {
        fn drop(&mut self) {
            // Without its terminal, the process has nothing to restore.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
        }
    }

    /// Reads a line past the buffer of standard input, which would keep a secret.
    pub(super) fn read_line() -> io::Result<Secret> {
        // It never grows: no copy of a secret stays in memory.
        let mut line = Zeroizing::new(Vec::with_capacity(MOST));
        let mut byte = [0];
        loop {
            match rustix::io::read(io::stdin(), &mut byte) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) if byte == *b"\n" => break,
                Ok(_) if line.len() == MOST => {
                    return Err(io::Error::other(format!("a line has more than {MOST} bytes")));
                }
                Ok(_) => line.extend(byte),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let text = std::str::from_utf8(&line);
        text.map(Secret::from).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    pub(super) use read_line as read_secret;
}

#[cfg(not(unix))]
mod platform {
    use std::io;

    use console::Term;
    use qopen::types::Secret;

    /// The reading itself hides.
    pub(super) struct Hidden;

    impl Hidden {
        #[expect(clippy::unnecessary_wraps, reason = "other systems need it")]
        pub(super) fn begin() -> io::Result<Self> {
            Ok(Self)
        }
    }

    pub(super) fn read_line() -> io::Result<Secret> {
        Term::stderr().read_line().map(Secret::new)
    }

    pub(super) fn read_secret() -> io::Result<Secret> {
        Term::stderr().read_secure_line().map(Secret::new)
    }
}
