//! Where the password comes from: a file, standard input, the environment or a person; never the argument list.
//!
//! A password is never printed, not even its length, and buffers that held it are overwritten.

use octo_core::{Code, Error};
use octo_job::mirror_spec::{LogonBy, MirrorSpec, Origin};
use octo_smb::Password;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The environment variable.
pub const VARIABLE: &str = "OCTOBACKUP_PASSWORD";
/// No password is longer; a file that is was named by mistake.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// Where the password comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordFrom {
    /// `--password-file`.
    File(PathBuf),
    /// `--password-stdin`.
    Stdin,
    /// The variable if it is set, otherwise a prompt on the terminal.
    EnvironmentOrTerminal,
}

fn usage(detail: impl Into<String>) -> Error {
    Error::new(Code::Usage, detail)
}

impl PasswordFrom {
    /// An option says where it is.
    pub fn is_explicit(&self) -> bool {
        *self != PasswordFrom::EnvironmentOrTerminal
    }

    /// There is one without asking a person.
    pub fn is_given(&self) -> bool {
        self.is_explicit() || std::env::var_os(VARIABLE).is_some()
    }

    /// The password of `account`.
    pub fn read(&self, account: &str) -> Result<Zeroizing<String>, Error> {
        match self {
            PasswordFrom::File(path) => secret_file("--password-file", path),
            PasswordFrom::Stdin => one_line(std::io::stdin().lock(), "--password-stdin"),
            PasswordFrom::EnvironmentOrTerminal => match std::env::var(VARIABLE) {
                Ok(text) => one_line(Zeroizing::new(text).as_bytes(), VARIABLE),
                Err(std::env::VarError::NotUnicode(_)) => Err(usage(format!("{VARIABLE}: it is not UTF-8 text"))),
                Err(std::env::VarError::NotPresent) => ask(account),
            },
        }
    }
}

/// The password that a mirror spec needs; `None` if it needs none. Asked for before anything begins, so that a person need not
/// wait for the question.
pub fn ask_for(mirror_spec: &MirrorSpec, from: &PasswordFrom) -> Result<Option<Password>, Error> {
    match &mirror_spec.origin {
        Origin::Local { .. } | Origin::Agent { .. } if from.is_explicit() => {
            Err(usage("--password-file and --password-stdin: only a share needs a password"))
        }
        Origin::Local { .. } | Origin::Agent { .. } => Ok(None),
        Origin::Smb { address, account } => {
            let logon = mirror_spec.connection.logon;
            if !needs_password(logon, from)? {
                return Ok(None);
            }
            if logon == LogonBy::Kerberos && account.principal().is_none() {
                return Err(usage(
                    "--kerberos with a password needs the realm and the user: --user REALM\\USER or USER@REALM",
                ));
            }
            let password = from.read(&format!("{account} at {address}"))?;
            Ok(Some(Password::new(password.as_str().to_owned())))
        }
    }
}

/// For `--kerberos`: with the password if one is given, otherwise with the tickets of a cache.
fn needs_password(logon: LogonBy, from: &PasswordFrom) -> Result<bool, Error> {
    match logon {
        LogonBy::Password => Ok(true),
        LogonBy::Kerberos => Ok(from.is_given()),
        LogonBy::Guest if from.is_explicit() => Err(usage("--guest: a guest has no password")),
        LogonBy::Guest => Ok(false),
    }
}

/// The line in a file that an option names. The permissions are those of the open file, so that nobody can exchange it in between. On Windows its access list is not
/// looked at.
pub fn secret_file(option: &str, path: &Path) -> Result<Zeroizing<String>, Error> {
    let name = format!("{option} {}", path.display());
    let failed = |e: std::io::Error| usage(format!("{name}: {e}"));
    let file = std::fs::File::open(path).map_err(failed)?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().map_err(failed)?.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            let why = format!("{name}: others may read it (its mode is {mode:04o}); chmod 600 makes it private");
            return Err(usage(why));
        }
    }
    one_line(file, &name)
}

/// One line; one line break at its end is cut.
fn one_line(from: impl Read, name: &str) -> Result<Zeroizing<String>, Error> {
    // Full size at once: growing would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(PASSWORD_BYTES_MAX as usize + 1));
    from.take(PASSWORD_BYTES_MAX + 1).read_to_string(&mut text).map_err(|e| match e.kind() {
        std::io::ErrorKind::InvalidData => usage(format!("{name}: it is not UTF-8 text; save it as UTF-8")),
        _ => usage(format!("{name}: {e}")),
    })?;
    if text.len() as u64 > PASSWORD_BYTES_MAX {
        return Err(usage(format!("{name}: it is longer than any password")));
    }
    // Windows marks UTF-8 so, and old editors end a line with `\r` alone.
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    let end = ["\r\n", "\n", "\r"].iter().find(|end| text.ends_with(**end)).map_or(0, |end| end.len());
    let size = text.len() - end;
    text.truncate(size);
    match text.as_str() {
        "" => Err(usage(format!("{name}: the password is empty"))),
        line if line.contains(['\n', '\r', '\0']) => Err(usage(format!("{name}: a password is one line"))),
        _ => Ok(text),
    }
}

fn ask(account: &str) -> Result<Zeroizing<String>, Error> {
    if !std::io::stdin().is_terminal() {
        return Err(usage(format!(
            "a password for {account} is needed, and there is no terminal to ask for it: \
             use --password-file, --password-stdin or {VARIABLE}"
        )));
    }
    let text = rpassword::prompt_password(format!("Password for {account}: "));
    let text = Zeroizing::new(text.map_err(|e| usage(format!("asking for the password: {e}")))?);
    if text.is_empty() { Err(usage("the password is empty")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, PasswordFrom) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pw");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        (folder, PasswordFrom::File(path))
    }

    #[test]
    fn exactly_one_line_break_is_cut() {
        for (content, wanted) in [
            (&b"pw"[..], "pw"),
            (b"pw\n", "pw"),
            (b"pw\r\n", "pw"),
            (b"pw\r", "pw"),
            (b" p w ", " p w "),
            (b"\xef\xbb\xbfpw\r\n", "pw"),
        ] {
            let (_folder, from) = file(content, 0o600);
            assert_eq!(from.read("me").unwrap().as_str(), wanted);
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        for mode in [0o640, 0o604, 0o660, 0o644] {
            let (_folder, from) = file(b"s3cret", mode);
            let error = from.read("me").unwrap_err();
            assert!(error.detail.contains("others may read it") && !error.detail.contains("s3cret"));
        }
    }

    #[test]
    fn what_cannot_be_a_password_is_refused_without_being_repeated() {
        for content in [
            &b""[..],
            b"\n",
            b"s3cret\nmore\n",
            b"s3cret\n\n",
            b"s3cret\xFF",
            b"s3c\rret",
            b"\xef\xbb\xbf",
            b"s3c\0ret",
            &[b's'; 5000],
        ] {
            let (_folder, from) = file(content, 0o600);
            assert!(!from.read("me").unwrap_err().detail.contains("s3c"));
        }
    }
}
