//! The account that logs on to a share, and the one parser of how people write it: `USER`, `DOMAIN\USER` or `USER@DOMAIN`.
//!
//! The command line, addresses, credentials and the marker of a mirror all read accounts by way of it. What it takes,
//! [`Display`](fmt::Display) writes so that it reads the same again. It never repeats what may be a password.
//! (MS-NLMP 2.2.1.3, MS-ADA3 2.222, RFC 4120 6.2.)

use crate::error::{Code, Error};
use crate::printable::{is_hidden, printable};
use serde::{Deserialize, Serialize};
use std::fmt;

/// No account's name is longer.
const ACCOUNT_BYTES_MAX: usize = 256;
/// What may stand between domain and user. No name of Windows holds one of them.
const SEPARATORS: [char; 3] = ['\\', '/', ';'];
/// How Windows writes "of the machine itself".
const THIS_MACHINE: &str = ".";
const FORMS: &str = "write USER, DOMAIN\\USER or USER@DOMAIN";

/// Who logs on. The default is no account: a guest, or the owner of the Kerberos tickets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct Account {
    domain: String,
    user: String,
}

/// As the marker of a mirror keeps an account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    domain: String,
    user: String,
}

impl Account {
    /// Reads an account. `.\USER` is an account of the server itself, as is `USER`.
    pub fn parse(text: &str) -> Result<Account, Error> {
        if text.contains(':') {
            return Err(usage(format!(
                "an account has no colon. If that is a password, give it with --password-file, --password-stdin or the \
                 environment: others can see arguments. For the account, {FORMS}"
            )));
        }
        let wrong = |why: &str| Err(usage(format!("the account '{}': {why}; {FORMS}", printable(text))));
        let mut parts = text.split(SEPARATORS);
        let (domain, user) = match (parts.next(), parts.next(), parts.next()) {
            (Some(user), None, _) => (None, user),
            (Some(domain), Some(user), None) => (Some(domain), user),
            _ => return wrong("more than one separator between domain and user"),
        };
        if user.is_empty() {
            return wrong("the user is empty");
        }
        if domain == Some("") || user.starts_with('@') || user.ends_with('@') {
            return wrong("the domain or the user is empty");
        }
        if text.chars().any(is_hidden) {
            return wrong("it holds characters that cannot be seen");
        }
        if [domain.unwrap_or_default(), user].iter().any(|part| part.trim() != *part) {
            return wrong("a domain or a user cannot begin or end with a space");
        }
        if text.len() > ACCOUNT_BYTES_MAX {
            return wrong(&format!("it is longer than {ACCOUNT_BYTES_MAX} bytes"));
        }
        let domain = domain.filter(|domain| *domain != THIS_MACHINE).unwrap_or_default();
        Ok(Account { domain: domain.to_owned(), user: user.to_owned() })
    }

    /// Whether it is no account.
    pub fn is_empty(&self) -> bool {
        self.user.is_empty()
    }

    /// The name to log on with; with its domain where it was written as `USER@DOMAIN`, which the server takes apart.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The domain; empty for an account of the server itself, and for `USER@DOMAIN`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The name and the realm for Kerberos; `None` if the account names no realm.
    pub fn principal(&self) -> Option<(&str, &str)> {
        if self.domain.is_empty() { self.user.rsplit_once('@') } else { Some((&self.user, &self.domain)) }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.domain.is_empty() { f.write_str(&self.user) } else { write!(f, "{}\\{}", self.domain, self.user) }
    }
}

impl TryFrom<Parts> for Account {
    type Error = Error;

    fn try_from(Parts { domain, user }: Parts) -> Result<Account, Error> {
        let kept = Account { domain, user };
        if kept == Account::default() {
            return Ok(kept);
        }
        Account::parse(&kept.to_string())
    }
}

fn usage(detail: String) -> Error {
    Error::new(Code::Usage, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SmbAddress;
    use proptest::prelude::*;

    #[test]
    fn accounts_are_read_as_people_write_them() {
        let table = [
            ("backup", "", "backup"),
            ("CORP\\backup", "CORP", "backup"),
            ("CORP/backup", "CORP", "backup"),
            ("CORP;backup", "CORP", "backup"),
            ("FS1\\Backup Operator", "FS1", "Backup Operator"),
            (".\\backup", "", "backup"),
            ("backup@corp.example.com", "", "backup@corp.example.com"),
            ("CORP.EXAMPLE.COM\\j.doe-\u{e4}", "CORP.EXAMPLE.COM", "j.doe-\u{e4}"),
            ("100%", "", "100%"),
            ("fs1$", "", "fs1$"),
        ];
        for (text, domain, user) in table {
            let account = Account::parse(text).unwrap();
            assert_eq!((account.domain(), account.user()), (domain, user), "{text}");
            // The same account in an address.
            let encoded = text.replace('%', "%25").replace('\\', "%5C").replace('/', "%2F");
            let (_, named) = SmbAddress::parse(&format!("smb://{encoded}@fs/d")).unwrap();
            assert_eq!(named, Some(account), "{encoded}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_account_is_said_with_the_right_form() {
        let table = [
            ("", "the user is empty"),
            ("CORP\\", "the user is empty"),
            ("\\backup", "the domain or the user is empty"),
            (";backup", "the domain or the user is empty"),
            ("@corp", "the domain or the user is empty"),
            ("backup@", "the domain or the user is empty"),
            ("CORP\\a\\b", "more than one separator"),
            ("CORP\\\\backup", "more than one separator"),
            ("CORP\\a/b", "more than one separator"),
            ("back\nup", "cannot be seen"),
            ("CORP\\back\u{202e}up", "cannot be seen"),
            ("CORP\\ backup", "begin or end with a space"),
            ("backup ", "begin or end with a space"),
            (&"x".repeat(257), "longer than 256"),
        ];
        for (text, why) in table {
            let error = Account::parse(text).unwrap_err();
            assert!(error.code == Code::Usage && error.detail.contains(why), "{text:?}: {error}");
            assert!(error.detail.contains("DOMAIN\\USER") && !error.detail.chars().any(is_hidden), "{text:?}: {error}");
            let encoded = text.replace('\\', "%5C").replace('/', "%2F").replace('\n', "%0A");
            let address = SmbAddress::parse(&format!("smb://{encoded}@fs/d")).unwrap_err();
            assert_eq!(address.detail, error.detail, "an address and an option say the same");
        }
        let plain = Account::parse("CORP\\a\\b").unwrap_err();
        assert!(plain.detail.contains("'CORP\\a\\b'"), "as it was typed: {plain}");
    }

    #[test]
    fn a_password_is_not_repeated() {
        for text in ["me:s3cret", "CORP\\me:s3cret", ":s3cret"] {
            let error = Account::parse(text).unwrap_err();
            assert!(error.detail.contains("--password-file") && !error.detail.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn kerberos_takes_the_realm_from_either_form() {
        let principal = |text: &str| {
            let account = Account::parse(text).unwrap();
            account.principal().map(|(name, realm)| (name.to_owned(), realm.to_owned()))
        };
        let wanted = Some(("backup".to_owned(), "CORP.EXAMPLE.COM".to_owned()));
        assert_eq!(principal("CORP.EXAMPLE.COM\\backup"), wanted);
        assert_eq!(principal("backup@CORP.EXAMPLE.COM"), wanted);
        assert_eq!(principal("backup"), None);
        assert_eq!(principal(".\\backup"), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_the_same_again(text in "[a-c@.%;:/\\\\ \\x00é]{0,10}|\\PC{0,20}") {
            if let Ok(account) = Account::parse(&text) {
                prop_assert!(!account.is_empty());
                prop_assert_eq!(Account::parse(&account.to_string()), Ok(account.clone()));
                prop_assert_eq!(Account::try_from(Parts { domain: account.domain.clone(), user: account.user.clone() }), Ok(account));
            }
        }
    }
}
