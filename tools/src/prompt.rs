//! Questions on a terminal; never asked where none is there.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::exit::Stop;

/// Whether somebody can be asked.
pub fn possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for a line; `flag` is what the user could have given instead.
///
/// # Errors
///
/// A usage error naming `flag` where there is no terminal.
pub fn line(question: &str, flag: &str) -> Result<String, Stop> {
    if !possible() {
        return Err(Stop::usage(format!("{flag} is missing")));
    }
    eprint!("{question}: ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(unreadable)?;
    Ok(answer.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks for a password without showing it; `flag` is what the user could have given instead.
///
/// # Errors
///
/// A usage error naming `flag` where there is no terminal.
pub fn password(question: &str, flag: &str) -> Result<Zeroizing<String>, Stop> {
    if !possible() {
        return Err(Stop::usage(format!("{flag} is missing")));
    }
    let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(unreadable)?;
    let before = tcgetattr(&terminal).map_err(|error| unreadable(error.into()))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    silent.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(&terminal, OptionalActions::Flush, &silent).map_err(|e| unreadable(e.into()))?;
    let answer = read_answer(&terminal, question);
    // Whatever happened, the terminal shows letters again.
    tcsetattr(&terminal, OptionalActions::Flush, &before).map_err(|e| unreadable(e.into()))?;
    answer.map_err(unreadable)
}

fn read_answer(mut terminal: &File, question: &str) -> std::io::Result<Zeroizing<String>> {
    write!(terminal, "{question}: ")?;
    let mut answer = Zeroizing::new(String::new());
    BufReader::new(terminal).read_line(&mut answer)?;
    let end = answer.trim_end_matches(['\r', '\n']).len();
    answer.truncate(end);
    Ok(answer)
}

/// The first line of a file that holds a password.
pub fn password_file(path: &Path) -> Result<Zeroizing<String>, Stop> {
    let text = Zeroizing::new(
        std::fs::read_to_string(path)
            .map_err(|e| Stop::file("read the password file", path, &e))?,
    );
    let first = text.lines().next().unwrap_or_default();
    if first.is_empty() {
        return Err(Stop::usage(format!("the first line of {} is empty", path.display())));
    }
    Ok(Zeroizing::new(first.to_owned()))
}

#[allow(clippy::needless_pass_by_value)] // As `map_err` hands it over.
fn unreadable(error: std::io::Error) -> Stop {
    Stop::failed(format!("the terminal cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_password_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let cases =
            [("secret\n", Some("secret")), ("a b \r\nc", Some("a b ")), ("", None), ("\nx", None)];
        for (text, expected) in cases {
            let path = folder.path().join("password");
            std::fs::write(&path, text).unwrap();
            let read = password_file(&path).ok();
            assert_eq!(read.as_ref().map(|password| password.as_str()), expected, "{text:?}");
        }
    }

    #[test]
    fn without_a_terminal_the_missing_flag_is_named() {
        if possible() {
            return;
        }
        let stop = password("Password", "--password-file").unwrap_err();
        assert_eq!(stop.exit, Exit::Usage);
        assert!(stop.text.contains("--password-file"));
    }
}
