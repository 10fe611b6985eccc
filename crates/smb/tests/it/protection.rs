//! What protects a connection: encryption wherever it can be had, the demanded protocol, and guests only on demand.
//! What crosses the wire is looked at, not what anybody says about it.

use crate::fixture::*;
use crate::proxy::{Fault, Proxy};
use octo_core::SmbAddress;
use octo_core::{Code, Error, Source};
use octo_smb::{Credentials, Dialect, Encrypt, Logon, SmbOptions, SmbSource};
use octo_testkit::samba::{Samba, SambaOptions};

/// Written into the file that is read, so that it is seen on the wire if it can be.
const CONTENT: &[u8] = b"the content that nobody else may read";
const REMARK: &str = "the server does not encrypt";

/// A file is read from `share`; tells the remarks, and whether the content was readable on the wire.
fn read_through(samba: &Samba, share: &str, options: SmbOptions) -> Result<(Vec<String>, bool), Error> {
    std::fs::write(samba.share_path(share).join("file"), CONTENT).unwrap();
    let proxy = Proxy::start(format!("{}:{}", samba.addr(), Samba::OTHER_PORT));
    proxy.set(Fault::Nothing);
    let address = SmbAddress::parse(&format!("//{}/{share}", proxy.addr)).unwrap().0;
    let who = if options.logon == Logon::Guest { Credentials::default() } else { credentials("plain") };
    let source = SmbSource::connect(address, who, options)?;
    assert!(list_all(&source, "").names().contains(&"file".to_owned()));
    assert_eq!(fetch_one(&source, "file", CONTENT.len() as u64).bytes(), CONTENT);
    let readable = proxy.seen().windows(CONTENT.len()).any(|window| window == CONTENT);
    Ok((source.remarks(), readable))
}

fn encrypting(encrypt: Encrypt) -> SmbOptions {
    SmbOptions { encrypt, min_dialect: Dialect::Smb2_1, ..SmbOptions::default() }
}

fn refused(samba: &Samba, options: SmbOptions, word: &str) -> Code {
    let error = read_through(samba, "data", options).expect_err(word);
    assert!(error.detail.contains(word) && error.code.stops_run(), "{error}");
    error.code
}

#[test]
fn encryption_is_used_wherever_the_server_can_unless_it_is_switched_off() {
    let samba = samba();
    for encrypt in [Encrypt::Auto, Encrypt::Require] {
        assert_eq!(read_through(&samba, "data", encrypting(encrypt)), Ok((vec![], false)), "{encrypt:?}");
    }
    assert_eq!(read_through(&samba, "data", encrypting(Encrypt::Off)), Ok((vec![], true)));
}

#[test]
fn every_cipher_works() {
    for cipher in ["AES-128-CCM", "AES-128-GCM", "AES-256-CCM", "AES-256-GCM"] {
        let algorithms = format!("server smb3 encryption algorithms = {cipher}");
        let samba = Samba::start(SambaOptions::new().global(&algorithms));
        assert_eq!(read_through(&samba, "data", encrypting(Encrypt::Require)), Ok((vec![], false)), "{cipher}");
    }
}

#[test]
fn the_dialects_before_the_newest_encrypt_too() {
    for max in ["SMB3_00", "SMB3_02"] {
        let samba = Samba::start(SambaOptions::new().global(&format!("server max protocol = {max}")));
        assert_eq!(read_through(&samba, "data", encrypting(Encrypt::Auto)), Ok((vec![], false)), "{max}");
    }
}

#[test]
fn off_still_encrypts_where_the_server_demands_it() {
    let share = SambaOptions::new().share("enc", "data", &["server smb encrypt = required"]);
    for (options, share) in [(share, "enc"), (SambaOptions::new().global("server smb encrypt = required"), "data")] {
        let samba = Samba::start(options);
        assert_eq!(read_through(&samba, share, encrypting(Encrypt::Off)), Ok((vec![], false)), "{share}");
    }
}

#[test]
fn a_server_that_cannot_encrypt_is_refused_or_named() {
    for line in ["server max protocol = SMB2_10", "server smb encrypt = off"] {
        let samba = Samba::start(SambaOptions::new().global(line));
        let (remarks, readable) = read_through(&samba, "data", encrypting(Encrypt::Auto)).unwrap();
        assert!(readable && remarks.len() == 1 && remarks[0].contains(REMARK), "{line}: {remarks:?}");
        assert_eq!(read_through(&samba, "data", encrypting(Encrypt::Off)), Ok((vec![], true)), "{line}");
        let code = refused(&samba, encrypting(Encrypt::Require), "encryption is demanded");
        assert_eq!(code, Code::Insecure, "{line}");
    }
}

#[test]
fn every_minimum_lets_its_own_dialect_in_and_none_below() {
    use Dialect::{Smb2_1, Smb3_0, Smb3_0_2, Smb3_1_1};
    let servers = [("SMB2_10", Smb2_1), ("SMB3_00", Smb3_0), ("SMB3_02", Smb3_0_2), ("SMB3_11", Smb3_1_1)];
    for (max, spoken) in servers {
        let samba = Samba::start(SambaOptions::new().global(&format!("server max protocol = {max}")));
        for min_dialect in [Smb2_1, Smb3_0, Smb3_0_2, Smb3_1_1] {
            let options = SmbOptions { min_dialect, ..SmbOptions::default() };
            if spoken >= min_dialect {
                assert!(read_through(&samba, "data", options).is_ok(), "{max} for {min_dialect}");
            } else {
                assert_eq!(refused(&samba, options, &min_dialect.to_string()), Code::Insecure);
            }
        }
    }
}

fn with_guests(lines: &[&str]) -> Samba {
    let options = SambaOptions::new().global("map to guest = Bad User").global("guest account = plain");
    let options = options.share("public", "public", &["guest ok = yes"]);
    Samba::start(lines.iter().fold(options, |options, line| options.global(line)))
}

fn guest() -> SmbOptions {
    SmbOptions { logon: Logon::Guest, ..SmbOptions::default() }
}

#[test]
fn a_guest_who_asked_to_be_one_reads_and_is_told_that_nothing_is_protected() {
    for max in ["SMB3_11", "SMB3_02"] {
        let samba = with_guests(&[&format!("server max protocol = {max}")]);
        let (remarks, readable) = read_through(&samba, "public", guest()).unwrap();
        assert!(readable && remarks.len() == 1 && remarks[0].contains("neither signed nor encrypted"), "{remarks:?}");
        let error = read_through(&samba, "data", guest()).unwrap_err();
        assert_eq!(error.code, Code::ShareDenied, "a share without guests");
    }
}

#[test]
fn a_guest_is_refused_in_clear_words_where_the_server_or_the_options_demand_more() {
    let samba = with_guests(&["server signing = mandatory"]);
    assert_eq!(refused(&samba, guest(), "the server demands signing"), Code::LogonFailed);
    let samba = with_guests(&[]);
    let demanding = SmbOptions { encrypt: Encrypt::Require, ..guest() };
    assert_eq!(refused(&samba, demanding, "encryption is demanded"), Code::Insecure);
    let no_guests = Samba::start(SambaOptions::new());
    assert_eq!(refused(&no_guests, guest(), "lets no guest in"), Code::LogonFailed);
}
