//! Logging on: what is refused and in which words, what is demanded, and what protects the connection.

use crate::fixture::*;
use octo_core::SmbAddress;
use octo_core::{Code, Error, Source};
use octo_smb::{Credentials, Dialect, Password, SmbOptions, SmbSource, Timeouts};
use octo_testkit::samba::{Samba, SambaOptions};
use std::net::TcpListener;
use std::time::Duration;

fn try_connect(address: SmbAddress, credentials: Credentials) -> Result<SmbSource, Error> {
    SmbSource::connect(address, credentials, SmbOptions::default())
}

fn refusal(address: SmbAddress, credentials: Credentials) -> (Code, String) {
    let error = try_connect(address, credentials).err().expect("refused");
    assert!(error.code.stops_run());
    (error.code, error.detail)
}

/// A file of the share is listed and read.
fn works(samba: &Samba, share: &str, options: SmbOptions) {
    std::fs::write(samba.share_path(share).join("file"), b"content").unwrap();
    let source = SmbSource::connect(address(samba, share), credentials("plain"), options).unwrap();
    assert!(list_all(&source, "").names().contains(&"file".to_owned()));
    assert_eq!(fetch_one(&source, "file", 7).bytes(), b"content");
    assert_eq!(fetch_one(&source, "file", 70_000_000).bytes(), b"content");
}

#[test]
fn every_refusal_says_what_is_wrong() {
    let samba = samba();
    let wrong = Credentials { password: Password::new("no".into()), ..credentials("plain") };
    let (code, detail) = refusal(address(&samba, "data"), wrong);
    assert_eq!(code, Code::LogonFailed);
    assert!(detail.contains("wrong user name or password") && detail.contains("STATUS_LOGON_FAILURE 0xC000006D"));
    let (code, _) = refusal(address(&samba, "data"), credentials("nobody-of-that-name"));
    assert_eq!(code, Code::LogonFailed);
    let (code, detail) = refusal(address(&samba, "nosuch"), credentials("plain"));
    assert_eq!(code, Code::ShareNotFound);
    assert!(detail.contains("nosuch") && detail.contains("STATUS_BAD_NETWORK_NAME"), "{detail}");
    let (code, detail) = refusal(address(&samba, "c$"), credentials("plain"));
    assert_eq!(code, Code::ShareDenied, "{detail}");
    let (code, _) = refusal(address(&samba, "IPC$"), credentials("plain"));
    assert_eq!(code, Code::ShareNotFound, "a share of pipes is none of files");
    let (code, detail) = refusal(address(&samba, "data/no/such/folder"), credentials("plain"));
    assert_eq!(code, Code::SourceMissing, "{detail}");
    std::fs::write(samba.share_path("data").join("file"), b"").unwrap();
    let (code, _) = refusal(address(&samba, "data/file"), credentials("plain"));
    assert_eq!(code, Code::SourceMissing, "a file is not a folder");
}

#[test]
fn the_administrative_share_opens_for_those_who_may() {
    let samba = samba();
    std::fs::write(samba.share_path("c$").join("file"), b"x").unwrap();
    let source = connect(&samba, "c$", "backupop");
    assert_eq!(list_all(&source, "").names(), ["file"]);
}

#[test]
fn a_port_where_nobody_listens_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address = SmbAddress::parse(&format!("//127.0.0.1:{port}/data")).unwrap().0;
    let (code, detail) = refusal(address, credentials("plain"));
    assert_eq!(code, Code::Unreachable);
    assert!(detail.contains(&port.to_string()), "{detail}");
    assert_eq!(detail.matches("127.0.0.1").count(), 1, "said once: {detail}");
}

#[test]
fn a_host_that_does_not_exist_is_unreachable() {
    let address = SmbAddress::parse("//no-such-host.invalid/data").unwrap().0;
    assert_eq!(refusal(address, credentials("plain")).0, Code::Unreachable);
}

#[test]
fn a_server_that_accepts_and_never_answers_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = SmbAddress::parse(&format!("//{}/data", listener.local_addr().unwrap())).unwrap().0;
    let second = Duration::from_secs(1);
    let options = SmbOptions {
        timeouts: Timeouts { connect: second, response: second, reconnect: Duration::ZERO, ..Timeouts::default() },
        ..SmbOptions::default()
    };
    let error = SmbSource::connect(address, credentials("plain"), options).err().unwrap();
    assert_eq!(error.code, Code::TimedOut);
}

#[test]
fn an_old_protocol_is_refused_unless_it_is_allowed() {
    let samba = Samba::start(SambaOptions::new().global("server max protocol = SMB2_10"));
    let (code, detail) = refusal(address(&samba, "data"), credentials("plain"));
    assert_eq!(code, Code::Insecure);
    assert!(detail.contains("SMB 2.1") && detail.contains("SMB 3.0"), "{detail}");
    works(&samba, "data", SmbOptions { min_dialect: Dialect::Smb2_1, ..SmbOptions::default() });
}

#[test]
fn the_dialect_before_the_newest_is_validated_and_works() {
    for max in ["SMB3_00", "SMB3_02"] {
        let samba = Samba::start(SambaOptions::new().global(&format!("server max protocol = {max}")).share(
            "enc",
            "data",
            &["server smb encrypt = required"],
        ));
        works(&samba, "data", SmbOptions::default());
        works(&samba, "enc", SmbOptions::default());
        let demanding = SmbOptions { min_dialect: Dialect::Smb3_1_1, ..SmbOptions::default() };
        let error = SmbSource::connect(address(&samba, "data"), credentials("plain"), demanding).err().unwrap();
        assert_eq!(error.code, Code::Insecure);
    }
}

#[test]
fn a_share_that_demands_encryption_is_read() {
    let samba = Samba::start(SambaOptions::new().share("enc", "data", &["server smb encrypt = required"]));
    works(&samba, "enc", SmbOptions::default());
}

#[test]
fn a_server_that_demands_encryption_with_the_longest_key_is_read() {
    let options = SambaOptions::new()
        .global("server smb encrypt = required")
        .global("server smb3 encryption algorithms = AES-256-GCM");
    works(&Samba::start(options), "data", SmbOptions::default());
}

#[test]
fn a_server_that_wishes_encryption_or_demands_signing_is_read() {
    let options = SambaOptions::new().global("server smb encrypt = desired").global("server signing = mandatory");
    works(&Samba::start(options), "data", SmbOptions::default());
}

#[test]
fn a_guest_session_instead_of_the_account_is_refused() {
    let samba = Samba::start(SambaOptions::new().global("map to guest = Bad User"));
    let (code, detail) = refusal(address(&samba, "data"), credentials("nobody-of-that-name"));
    assert_eq!(code, Code::LogonFailed);
    assert!(detail.contains("guest"), "{detail}");
}

#[test]
fn the_pin_stays_the_same_when_the_server_starts_again() {
    let mut samba = samba();
    std::fs::create_dir(samba.share_path("data").join("Sub")).unwrap();
    let pin = connect(&samba, "DATA/Sub", "plain").pin().unwrap();
    assert_eq!((pin.kind.as_str(), pin.path.as_str()), ("smb", "/data/sub"));
    assert_eq!(pin.server, samba.addr());
    assert!(!pin.volume.is_empty());
    samba.stop();
    std::fs::write(samba.share_path("data").join("Sub/new"), b"").unwrap();
    samba.start_again();
    assert_eq!(connect(&samba, "data/sub", "plain").pin().unwrap(), pin);
    let features = connect(&samba, "data", "plain").features();
    assert!(features.folds_case && features.stable_ids && !features.hides_unreadable);
}

#[test]
fn a_share_that_hides_what_is_unreadable_says_so() {
    let samba = Samba::start(SambaOptions::new().share(
        "abe",
        "data",
        &["access based share enum = yes", "hide unreadable = yes"],
    ));
    assert!(connect(&samba, "abe", "plain").features().hides_unreadable);
}
