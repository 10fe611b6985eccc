//! Reads a credential cache of MIT Kerberos, as `kinit` leaves it in a file (format 3 or 4).
//!
//! A damaged file is an error, never a panic or a huge allocation. Tickets that have expired, or whose key has another
//! length than its type says, are left out. What is kept for the programs of Kerberos themselves is skipped.
//! (The format: "The Kerberos credential cache file format" in the documentation of MIT krb5.)

use octo_core::{Code, Error};
use smb2::auth::kerberos::ccache::{CCache, CcacheCredential, CcachePrincipal};
use std::io::Read;
use std::path::Path;

/// A cache holds a few tickets of a few kilobytes; a file that is larger was named by mistake.
const CACHE_BYTES_MAX: u64 = 4 << 20;
const COMPONENTS_MAX: u32 = 16;
const REALM_OF_SETTINGS: &str = "X-CACHECONF:";

/// Reads the cache in `path`, with the tickets that are valid at `now` (seconds since 1970).
pub(crate) fn read(path: &Path, now: u64) -> Result<CCache, Error> {
    let failed = |why: String| Error::new(Code::LogonFailed, format!("the credential cache {}: {why}", path.display()));
    let file = open(path).map_err(&failed)?;
    let mut data = Vec::new();
    file.take(CACHE_BYTES_MAX + 1).read_to_end(&mut data).map_err(|e| failed(e.to_string()))?;
    if data.len() as u64 > CACHE_BYTES_MAX {
        return Err(failed("it is far larger than any such cache".into()));
    }
    let mut cache = parse(&data).ok_or_else(|| failed("it is damaged, or none".into()))?;
    let all = cache.credentials.len();
    cache.credentials.retain(|ticket| u64::from(ticket.endtime) > now);
    match (cache.credentials.is_empty(), all) {
        (false, _) => Ok(cache),
        (true, 0) => Err(failed("it holds no ticket that can be used".into())),
        (true, _) => Err(failed("its tickets have expired; kinit gets new ones".into())),
    }
}

/// A regular file of our own, or of root: `/tmp`, where caches lie, is everybody's. Nothing is followed and nothing waited for.
#[cfg(unix)]
fn open(path: &Path) -> Result<std::fs::File, String> {
    use rustix::fs::{FileType, Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        rustix::io::Errno::LOOP => "it is a link; name the file itself (KRB5CCNAME)".to_owned(),
        other => other.to_string(),
    })?;
    let stat = rustix::fs::fstat(&opened).map_err(|errno| errno.to_string())?;
    let us = rustix::process::geteuid().as_raw();
    match (FileType::from_raw_mode(stat.st_mode), stat.st_uid) {
        (FileType::RegularFile, 0) => Ok(opened.into()),
        (FileType::RegularFile, owner) if owner == us => Ok(opened.into()),
        (FileType::RegularFile, owner) => {
            Err(format!("it belongs to user {owner}, not to {us} as which this program runs; run kinit as that user"))
        }
        _ => Err("it is not a file".to_owned()),
    }
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<std::fs::File, String> {
    std::fs::File::open(path).map_err(|error| error.to_string())
}

/// `None` for what is no such file.
pub(crate) fn parse(data: &[u8]) -> Option<CCache> {
    let mut rest = CcacheReader(data);
    let version = rest.u16()?;
    match version {
        0x0503 => {}
        0x0504 => {
            let tags = rest.u16()?;
            rest.take(tags.into())?;
        }
        _ => return None,
    }
    let default_principal = rest.principal()?;
    let mut credentials = Vec::new();
    while !rest.0.is_empty() {
        let one = rest.credential()?;
        if one.server.realm != REALM_OF_SETTINGS && key_bytes(one.key_etype) == Some(one.key_data.len()) {
            credentials.push(one);
        }
    }
    Some(CCache { version, default_principal, credentials })
}

/// How long a key of this type is, for the types that can be used.
fn key_bytes(etype: u16) -> Option<usize> {
    match etype {
        18 => Some(32),
        17 | 23 => Some(16),
        _ => None,
    }
}

/// What is still to be read; all numbers are big-endian.
struct CcacheReader<'a>(&'a [u8]);

impl<'a> CcacheReader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// Bytes after their length.
    fn data(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u32()?).ok()?;
        self.take(len)
    }

    fn text(&mut self) -> Option<String> {
        self.data().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok())
    }

    fn principal(&mut self) -> Option<CcachePrincipal> {
        let (name_type, count) = (self.u32()?, self.u32()?);
        if count > COMPONENTS_MAX {
            return None;
        }
        let realm = self.text()?;
        let components = (0..count).map(|_| self.text()).collect::<Option<_>>()?;
        Some(CcachePrincipal { name_type, realm, components })
    }

    fn credential(&mut self) -> Option<CcacheCredential> {
        let (client, server) = (self.principal()?, self.principal()?);
        let (key_etype, key_data) = (self.u16()?, self.data()?.to_vec());
        let [authtime, starttime, endtime, renew_till] = [self.u32()?, self.u32()?, self.u32()?, self.u32()?];
        // Whether it is for a second user, and its flags.
        self.take(1 + 4)?;
        for _list in ["addresses", "authorization data"] {
            for _ in 0..self.u32()? {
                self.u16()?;
                self.data()?;
            }
        }
        let ticket = self.data()?.to_vec();
        let _second_ticket = self.data()?;
        Some(CcacheCredential { client, server, key_etype, key_data, authtime, starttime, endtime, renew_till, ticket })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn data(bytes: &[u8]) -> Vec<u8> {
        [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
    }

    fn principal(realm: &str, names: &[&str]) -> Vec<u8> {
        let mut all = [1u32.to_be_bytes(), (names.len() as u32).to_be_bytes()].concat();
        all.extend(data(realm.as_bytes()));
        names.iter().for_each(|name| all.extend(data(name.as_bytes())));
        all
    }

    fn credential(realm: &str, service: &[&str], key: (u16, usize), endtime: u32) -> Vec<u8> {
        let mut all = [principal("R", &["me"]), principal(realm, service)].concat();
        all.extend([&key.0.to_be_bytes()[..], &data(&vec![7; key.1])].concat());
        [1u32, 2, endtime, 4].iter().for_each(|time| all.extend(time.to_be_bytes()));
        all.extend([0; 5]);
        // One address, no authorization data.
        all.extend(
            [&1u32.to_be_bytes()[..], &2u16.to_be_bytes(), &data(&[127, 0, 0, 1]), &0u32.to_be_bytes()].concat(),
        );
        all.extend([data(b"the ticket"), data(b"")].concat());
        all
    }

    fn cache(credentials: &[Vec<u8>]) -> Vec<u8> {
        let header = [&[5, 4, 0, 12][..], &[0, 1, 0, 8], &[0; 8], &principal("R", &["me"])].concat();
        [header, credentials.concat()].concat()
    }

    fn read_bytes(bytes: &[u8], now: u64) -> Result<CCache, Error> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        read(file.path(), now)
    }

    fn failure(bytes: &[u8], now: u64) -> String {
        let error = read_bytes(bytes, now).unwrap_err();
        assert_eq!(error.code, Code::LogonFailed);
        error.detail
    }

    #[test]
    fn tickets_that_can_be_used_are_found() {
        let settings = credential(REALM_OF_SETTINGS, &["krb5_ccache_conf_data", "x"], (0, 0), 0);
        let usable = credential("R", &["krbtgt", "R"], (18, 32), 100);
        let read = read_bytes(&cache(&[settings, usable]), 50).unwrap();
        assert_eq!(read.default_principal.components, ["me"]);
        assert_eq!(read.credentials.len(), 1);
        let ticket = read.find_tgt("R").unwrap();
        assert_eq!((ticket.ticket.as_slice(), ticket.endtime, ticket.key_data.len()), (&b"the ticket"[..], 100, 32));
    }

    #[test]
    fn expired_tickets_and_keys_of_a_wrong_length_are_left_out() {
        let expired = credential("R", &["cifs", "h"], (18, 32), 100);
        assert!(failure(&cache(std::slice::from_ref(&expired)), 100).contains("kinit"));
        let fresh = credential("R", &["krbtgt", "R"], (17, 16), 200);
        let read = read_bytes(&cache(&[expired, fresh]), 100).unwrap();
        assert!(read.find_service_ticket("cifs", "h", "R").is_none() && read.find_tgt("R").is_some());
        for key in [(18, 16), (17, 32), (23, 0), (3, 8)] {
            assert!(failure(&cache(&[credential("R", &["krbtgt", "R"], key, 200)]), 100).contains("no ticket"));
        }
    }

    #[test]
    fn damage_is_refused_wherever_it_is() {
        let whole = cache(&[credential("R", &["krbtgt", "R"], (18, 32), 100)]);
        let principals = cache(&[]).len();
        for len in (0..whole.len()).filter(|&len| len != principals) {
            assert!(failure(&whole[..len], 50).contains("damaged"), "cut at {len}");
        }
        // A count and a length of four thousand millions.
        for at in [20, 24] {
            let mut bad = whole.clone();
            bad[at..at + 4].fill(0xFF);
            assert!(failure(&bad, 50).contains("damaged"));
        }
        assert!(failure(b"\x05\x02\0\0", 50).contains("damaged"));
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_a_link_and_a_file_of_another_user_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let good = cache(&[credential("R", &["krbtgt", "R"], (18, 32), 100)]);
        std::fs::write(at("mine"), &good).unwrap();
        assert!(read(&at("mine"), 50).is_ok());
        std::os::unix::fs::symlink(at("mine"), at("link")).unwrap();
        std::fs::write(at("theirs"), &good).unwrap();
        std::os::unix::fs::chown(at("theirs"), Some(4321), None).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        for (name, why) in
            [("link", "is a link"), ("theirs", "belongs to user 4321"), ("pipe", "not a file"), (".", "not a file")]
        {
            let error = read(&at(name), 50).unwrap_err();
            assert!(error.code == Code::LogonFailed && error.detail.contains(why), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in 0usize..200, with in any::<u8>(), tail in any::<Vec<u8>>()) {
            let mut bytes = cache(&[credential("R", &["krbtgt", "R"], (18, 32), 100)]);
            let at = at % bytes.len();
            bytes[at] = with;
            bytes.extend(tail);
            let _ = parse(&bytes);
        }
    }
}
