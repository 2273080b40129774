//! The password that an account is to have: from a file, or asked for twice.

use std::path::PathBuf;

use clap::Args;
use zeroize::Zeroizing;

use crate::exit::Stop;
use crate::prompt;

/// The flag of every verb that sets a password.
#[derive(Args, Clone)]
pub struct NewPassword {
    /// A file whose first line is the new password; asked for on a terminal where it is not given
    #[arg(long, value_name = "FILE", env = "HOLDFAST_NEW_PASSWORD_FILE")]
    new_password_file: Option<PathBuf>,
}

impl NewPassword {
    /// The password that `account` is to have.
    ///
    /// # Errors
    ///
    /// A usage error naming the flag where there is no terminal, or where the two answers differ.
    pub fn read(&self, account: &str) -> Result<Zeroizing<String>, Stop> {
        const FLAG: &str = "--new-password-file";
        if let Some(file) = &self.new_password_file {
            return prompt::password_file(file);
        }
        let first = prompt::password(&format!("New password of {account}"), FLAG)?;
        let again = prompt::password("The same again", FLAG)?;
        if first == again { Ok(first) } else { Err(Stop::usage("the two passwords differ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn without_a_terminal_the_file_is_asked_for() {
        if prompt::possible() {
            return;
        }
        let stop = NewPassword { new_password_file: None }.read("ann").unwrap_err();
        assert_eq!(stop.exit, Exit::Usage);
        assert!(stop.text.contains("--new-password-file"), "{stop}");
    }
}
