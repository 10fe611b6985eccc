//! Kerberos against a real MIT KDC: with tickets from a cache, with a password, and what is refused.

use crate::fixture::*;
use octo_core::{Account, SmbAddress};
use octo_core::{Code, Error};
use octo_smb::{Credentials, Dialect, Encrypt, Kerberos, Logon, Password, SmbOptions, SmbSource};
use octo_testkit::proxy::Proxy;
use octo_testkit::samba::{Kdc, Samba, SambaOptions};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn realm() -> Samba {
    realm_with(&[])
}

fn realm_with(lines: &[&str]) -> Samba {
    let options = lines.iter().fold(SambaOptions::new().with_kerberos(), |options, line| options.global(line));
    let samba = Samba::start(options);
    std::fs::write(samba.share_path("data").join("file"), b"content").unwrap();
    samba
}

fn from(samba: &Samba, cache: Option<PathBuf>) -> SmbOptions {
    let logon = Logon::Kerberos(Kerberos { cache, kdc: Some(samba.kdc().address().to_owned()) });
    SmbOptions { logon, encrypt: Encrypt::Require, ..SmbOptions::default() }
}

fn member(user: &str, password: &str) -> Credentials {
    let account = Account::parse(&format!("{}\\{user}", Kdc::REALM.to_lowercase())).unwrap();
    Credentials { account, password: Password::new(password.into()) }
}

/// Reads a file.
fn read(samba: &Samba, who: Credentials, options: SmbOptions) -> Result<(), Error> {
    let source = SmbSource::connect(address(samba, "data"), who, options)?;
    assert!(list_all(&source, "").names().contains(&"file".to_owned()));
    assert_eq!(fetch_one(&source, "file", 7).bytes(), b"content");
    Ok(())
}

fn refused(result: Result<(), Error>, word: &str) {
    let error = result.expect_err(word);
    assert_eq!(error.code, Code::LogonFailed, "{error}");
    assert!(error.detail.contains(word), "{} lacks {word}", error.detail);
}

#[test]
fn a_password_gets_its_tickets_itself() {
    let samba = realm();
    read(&samba, member("plain", "pw-plain"), from(&samba, None)).unwrap();
    refused(read(&samba, member("plain", "wrong"), from(&samba, None)), "wrong password");
    refused(read(&samba, member("nobody-here", "x"), from(&samba, None)), "does not know this user");
    let homeless = Credentials { account: Account::parse("plain").unwrap(), ..member("plain", "pw-plain") };
    refused(read(&samba, homeless, from(&samba, None)), "REALM\\USER");
}

#[test]
fn a_cache_needs_no_password_and_with_the_servers_ticket_no_kdc() {
    let mut samba = realm();
    let cache = samba.kdc().log_in("plain");
    let options = from(&samba, Some(cache.clone()));
    read(&samba, Credentials::default(), options.clone()).unwrap();
    refused(read(&samba, member("owner", ""), options.clone()), "is of plain, not of owner");
    samba.kdc().add_ticket(&cache, &samba.addr());
    samba.stop_kdc();
    read(&samba, member("plain", ""), options).unwrap();
}

#[test]
fn a_session_that_expires_with_its_ticket_is_replaced_and_the_work_goes_on() {
    const LIFE_SECS: u32 = 3;
    let samba = realm();
    std::fs::write(samba.share_path("data").join("large"), vec![7; 5_000_000]).unwrap();
    samba.kdc().limit_tickets(&samba.addr(), LIFE_SECS);
    let ip = samba.addr().parse().unwrap();
    for cache in [None, Some(samba.kdc().log_in("plain"))] {
        // The ticket is for this name, whatever the port.
        let upstream = SocketAddr::new(ip, Samba::OTHER_PORT);
        let proxy = Proxy::start_at(SocketAddr::new(ip, 0), upstream).unwrap();
        let address = SmbAddress::parse(&format!("//{}/data", proxy.addr())).unwrap().0;
        let source = SmbSource::connect(address, member("plain", "pw-plain"), from(&samba, cache)).unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(u64::from(3 * LIFE_SECS)) {
            assert!(list_all(&source, "").names().contains(&"file".to_owned()));
            let batch = [request("file", 7), request("large", 5_000_000)];
            for (fetched, size) in fetch(&source, &batch).iter().zip([7, 5_000_000]) {
                assert_eq!((fetched.failed.as_ref(), fetched.bytes().len()), (None, size));
            }
        }
        assert!(proxy.connections() > 2, "no session ever expired");
    }
}

#[test]
fn backup_intent_works_with_kerberos() {
    let samba = realm();
    samba.deny("file");
    let connect = |user: &str| {
        let cache = Some(samba.kdc().log_in(user));
        let source = SmbSource::connect(address(&samba, "data"), Credentials::default(), from(&samba, cache)).unwrap();
        fetch_one(&source, "file", 7)
    };
    assert_eq!(connect("backupop").bytes(), b"content");
    assert_eq!(connect("plain").failed.unwrap().code, Code::AccessDenied);
}

#[test]
fn every_cipher_and_dialect_works_with_a_long_ticket_key() {
    for cipher in ["AES-128-CCM", "AES-128-GCM", "AES-256-CCM", "AES-256-GCM"] {
        let samba = realm_with(&[&format!("server smb3 encryption algorithms = {cipher}")]);
        let options = from(&samba, Some(samba.kdc().log_in("plain")));
        read(&samba, Credentials::default(), options).unwrap_or_else(|e| panic!("{cipher}: {e}"));
    }
    for max in ["SMB3_02", "SMB3_00", "SMB2_10"] {
        let samba = realm_with(&[&format!("server max protocol = {max}"), "server signing = mandatory"]);
        let options = from(&samba, Some(samba.kdc().log_in("plain")));
        let options = SmbOptions { encrypt: Encrypt::Auto, min_dialect: Dialect::Smb2_1, ..options };
        read(&samba, Credentials::default(), options).unwrap_or_else(|e| panic!("{max}: {e}"));
    }
}

#[test]
fn what_kerberos_does_not_give_is_never_had_in_another_way() {
    // The password is right, and NTLM would let us in.
    let samba = realm();
    let stranger = Samba::start(SambaOptions::new());
    let options = SmbOptions { encrypt: Encrypt::Auto, ..from(&samba, None) };
    let error = SmbSource::connect(address(&stranger, "data"), member("plain", "pw-plain"), options).err().unwrap();
    assert_eq!(error.code, Code::LogonFailed);
    let name = format!("cifs/{}", stranger.addr());
    assert!(error.detail.contains(&name), "{error}");
}

#[test]
fn a_cache_that_cannot_be_used_says_why() {
    let samba = realm();
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let attempt = |path: PathBuf| read(&samba, Credentials::default(), from(&samba, Some(path)));
    refused(attempt(cache.clone()), "No such file");
    std::fs::write(&cache, b"no cache").unwrap();
    refused(attempt(cache), "it is damaged, or none");
}
