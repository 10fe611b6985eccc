//! Where a share is, as people write it: `smb://[DOMAIN;]USER@HOST[:PORT]/SHARE[/PATH]`, `//HOST/SHARE/PATH` or
//! `\\HOST\SHARE\PATH`.
//!
//! Only the `smb://` form is percent-decoded; the others are taken as they stand. A password in an address is refused:
//! addresses end up in argument lists, logs and reports.

use crate::account::Account;
use crate::error::{Code, Error};
use crate::path::RelPath;
use std::fmt;

/// The port of SMB over TCP.
pub const SMB_PORT: u16 = 445;
/// Windows allows 80 characters in the name of a share.
const SHARE_CHARS_MAX: usize = 80;
/// The longest host name of the domain name system.
const HOST_BYTES_MAX: usize = 253;

/// Whether `text` is meant as the address of a share. Windows writes long paths of its own disks in a similar way.
pub fn is_share_address(text: &str) -> bool {
    if cfg!(windows) && (text.starts_with(r"\\?\") || text.starts_with(r"\\.\")) {
        return false;
    }
    let scheme = text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("smb://"));
    scheme || text.starts_with("//") || text.starts_with(r"\\")
}

/// A folder of a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmbAddress {
    /// Host name or address; IPv6 without brackets.
    pub host: String,
    /// TCP port, usually 445.
    pub port: u16,
    /// The share, `c$` for example.
    pub share: String,
    /// The folder in the share; the root for the whole share.
    pub path: RelPath,
}

impl SmbAddress {
    /// Reads an address in any of the three forms, and the account if it names one.
    pub fn parse(text: &str) -> Result<(SmbAddress, Option<Account>), Error> {
        let lower = text.get(..6).unwrap_or_default().to_ascii_lowercase();
        if lower == "smb://" {
            return parse_url(&text[6..]);
        }
        let plain = text.replace('\\', "/");
        // As Windows writes paths that may be long.
        let unc = plain.get(..8).filter(|start| start.eq_ignore_ascii_case("//?/UNC/"));
        let plain = unc.map_or(plain.clone(), |start| format!("//{}", &plain[start.len()..]));
        let Some(rest) = plain.strip_prefix("//") else {
            return Err(usage("an address begins with smb:// or // or \\\\"));
        };
        let (authority, parts) = split(rest);
        if authority.contains('@') {
            return Err(usage("a user name belongs into the smb:// form or into --user"));
        }
        Ok((assemble(authority, parts.map(|p| Ok(p.to_owned())))?, None))
    }

    /// `host:port`, with brackets around IPv6.
    pub fn endpoint(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for SmbAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brackets = self.host.contains(':');
        let (open, close) = if brackets { ("[", "]") } else { ("", "") };
        write!(f, "//{open}{}{close}", self.host)?;
        if self.port != SMB_PORT {
            write!(f, ":{}", self.port)?;
        }
        write!(f, "/{}", self.share)?;
        if self.path.is_root() { Ok(()) } else { write!(f, "/{}", self.path) }
    }
}

fn parse_url(rest: &str) -> Result<(SmbAddress, Option<Account>), Error> {
    let (authority, parts) = split(rest);
    let (account, host) = match authority.rsplit_once('@') {
        Some((account, host)) => (Some(account), host),
        None => (None, authority),
    };
    let user = account.map(parse_account).transpose()?;
    Ok((assemble(host, parts.map(percent_decode))?, user))
}

fn parse_account(text: &str) -> Result<Account, Error> {
    // What has a colon may be a password: it goes to the parser as it is, which does not repeat it.
    if text.contains(':') { Account::parse(text) } else { Account::parse(&percent_decode(text)?) }
}

/// The authority, and the parts of the path that are not empty.
fn split(rest: &str) -> (&str, impl Iterator<Item = &str>) {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    (authority, path.split('/').filter(|part| !part.is_empty()))
}

fn assemble(authority: &str, parts: impl Iterator<Item = Result<String, Error>>) -> Result<SmbAddress, Error> {
    let (host, port) = parse_host(authority)?;
    let mut parts = parts;
    let share = parts.next().ok_or_else(|| usage("the address names no share: //HOST/SHARE"))??;
    let bad_char = |c: char| c.is_control() || "\\/\"[]:|<>+=;,*?".contains(c);
    if share.chars().count() > SHARE_CHARS_MAX || share.chars().any(bad_char) || share == "." || share == ".." {
        return Err(usage(format!("{share:?} cannot be the name of a share")));
    }
    let mut names = Vec::new();
    for part in parts {
        let part = part?;
        if part.contains(['/', '\\']) {
            return Err(usage(format!("{part:?} cannot be the name of a folder: it contains a separator")));
        }
        names.push(part);
    }
    let path = RelPath::parse(names.join("/").as_bytes())
        .map_err(|bad| usage(format!("the folder {:?} is impossible: {}", names.join("/"), bad.reason())))?;
    Ok(SmbAddress { host, port, share, path })
}

fn parse_host(authority: &str) -> Result<(String, u16), Error> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) =
            rest.split_once(']').ok_or_else(|| usage("the bracket of the IPv6 address is not closed"))?;
        if host.split('%').next().is_none_or(|ip| ip.parse::<std::net::Ipv6Addr>().is_err()) {
            return Err(usage(format!("{host:?} is not an IPv6 address")));
        }
        match after.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if after.is_empty() => (host, None),
            None => return Err(usage("only a port may follow the bracket of an IPv6 address")),
        }
    } else {
        match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(usage("an IPv6 address is written in brackets: //[::1]/SHARE"));
            }
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    let is_v6 = host.contains(':');
    let good = |c: char| c.is_alphanumeric() || "-._".contains(c);
    if host.is_empty() || host.len() > HOST_BYTES_MAX || (!is_v6 && !host.chars().all(good)) {
        return Err(usage(format!("{host:?} cannot be the name of a host")));
    }
    let port = match port {
        None => SMB_PORT,
        Some(text) => match text.parse() {
            Ok(0) | Err(_) => return Err(usage(format!("{text:?} is not a TCP port"))),
            Ok(port) => port,
        },
    };
    Ok((host.to_owned(), port))
}

/// Decodes `%XX`. What comes out must be UTF-8 without NUL.
fn percent_decode(text: &str) -> Result<String, Error> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&b, tail)) = rest.split_first() {
        rest = tail;
        if b != b'%' {
            out.push(b);
            continue;
        }
        let digit = |i: usize| tail.get(i).and_then(|&d| char::from(d).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err(usage(format!("{text:?} has a broken % sequence (a percent sign is written %25)")));
        };
        out.push((high * 16 + low) as u8);
        rest = &tail[2..];
    }
    match String::from_utf8(out) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(usage(format!("{text:?} is not UTF-8 text"))),
    }
}

fn usage(detail: impl Into<String>) -> Error {
    Error::new(Code::Usage, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> (SmbAddress, Option<Account>) {
        SmbAddress::parse(text).unwrap()
    }

    #[test]
    fn all_three_forms_name_the_same_folder() {
        let (url, user) = parsed("smb://CORP;backup@fs1/Data%20$/a/b%25");
        assert_eq!(user, Some(Account::parse("CORP\\backup").unwrap()));
        assert_eq!((url.host.as_str(), url.port, url.share.as_str()), ("fs1", 445, "Data $"));
        assert_eq!(url.path.as_bytes(), b"a/b%");
        assert_eq!(parsed("//fs1/Data $/a/b%"), (url.clone(), None));
        assert_eq!(parsed(r"\\fs1\Data $\a\b%"), (url.clone(), None));
        assert_eq!(parsed("SMB://fs1/Data%20$//a/b%25/").0, url);
        assert_eq!(parsed(r"\\?\UNC\fs1\Data $\a\b%"), (url.clone(), None));
        assert_eq!(parsed(r"\\?\unc\fs1\Data $\a\b%").0, url);
        assert_eq!(parsed(r"smb://CORP\backup@fs1/Data%20$/a/b%25"), (url, user));
    }

    #[test]
    fn ports_administrative_shares_and_ipv6_are_understood() {
        assert_eq!(parsed("smb://u@127.0.0.9:4450/c$").0.endpoint(), "127.0.0.9:4450");
        let (v6, _) = parsed("//[fe80::1%eth0]:4450/c$/x");
        assert_eq!((v6.host.as_str(), v6.endpoint().as_str()), ("fe80::1%eth0", "[fe80::1%eth0]:4450"));
        assert_eq!(v6.to_string(), "//[fe80::1%eth0]:4450/c$/x");
        assert_eq!(parsed(&v6.to_string()).0, v6);
    }

    #[test]
    fn a_password_in_an_address_is_refused_without_repeating_it() {
        let error = SmbAddress::parse("smb://me:s3cret@fs/data").unwrap_err();
        assert_eq!(error.code, Code::Usage);
        assert!(error.detail.contains("--password-file") && !error.detail.contains("s3cret"));
    }

    #[test]
    fn impossible_addresses_are_refused() {
        for text in [
            "",
            "fs/data",
            "smb://",
            "smb://fs",
            "smb://fs/",
            "//",
            "///data",
            "//fs:0/d",
            "//fs:99999/d",
            "//fs:x/d",
            "//fe80::1/d",
            "//[fe80::1/d",
            "//[nonsense]/d",
            "//[::1]x/d",
            "//f s/d",
            "smb://fs/d/%zz",
            "smb://fs/d/%ff",
            "smb://fs/d/a%2fb",
            "smb://fs/d/a%5cb",
            "smb://fs/d/%2e%2e/x",
            "//fs/d/../x",
            "//fs/..",
            "smb://fs/%00",
            "smb://@fs/d",
            "smb://;u@fs/d",
            "//user@fs/d",
            "//fs/a:b",
        ] {
            assert_eq!(SmbAddress::parse(text).map_err(|e| e.code), Err(Code::Usage), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,40}", form in 0usize..3) {
            let prefix = ["smb://", "//", "\\\\"][form];
            if let Ok((address, _)) = SmbAddress::parse(&format!("{prefix}{text}")) {
                prop_assert!(!address.host.is_empty() && !address.share.is_empty());
            }
        }
    }
}
