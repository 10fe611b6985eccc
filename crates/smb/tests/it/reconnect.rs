//! Connections that are lost on the way, and servers that are gone for a while: what was asked for comes all the same,
//! each entry once; what cannot come is said, in bounded time.

use crate::fixture::*;
use octo_core::SmbAddress;
use octo_core::{Cancel, Code, Listed, Source};
use octo_smb::{Encrypt, SmbOptions, SmbSource, Timeouts};
use octo_testkit::proxy::{Proxy, Trouble};
use octo_testkit::samba::Samba;
use std::fs;
use std::net::ToSocketAddrs;
use std::path::Path;
use std::time::Duration;

const FILES: usize = 300;
const LARGE_BYTES: usize = 9_000_001;

fn fill(share: &Path) {
    fs::create_dir(share.join("many")).unwrap();
    for number in 0..FILES {
        fs::write(share.join(format!("many/file {number:04}")), vec![number as u8; 3_000]).unwrap();
    }
    let large: Vec<u8> = (0..LARGE_BYTES).map(|at| (at / 4099) as u8).collect();
    fs::write(share.join("large"), large).unwrap();
}

fn options(reconnect: Duration) -> SmbOptions {
    SmbOptions {
        timeouts: Timeouts { connect: WAIT_MAX, response: WAIT_MAX, reconnect, ..Timeouts::default() },
        encrypt: Encrypt::Off,
        connections: 2,
        ..SmbOptions::default()
    }
}

fn connect_with(at: &str, options: SmbOptions) -> SmbSource {
    let address = SmbAddress::parse(&format!("//{at}/data")).unwrap().0;
    SmbSource::connect(address, credentials("plain"), options).unwrap()
}

/// Lists and fetches everything; each entry and each byte comes once.
fn assert_everything_comes(source: &SmbSource) {
    let kept = list_all(source, "many");
    assert_eq!(kept.entries.len(), FILES);
    let names = kept.names();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "an entry came twice");
    let batch: Vec<_> = names.iter().map(|name| request(&format!("many/{name}"), 3_000)).collect();
    for (number, file) in fetch(source, &batch).iter().enumerate() {
        assert_eq!(file.failed, None);
        assert!(file.bytes() == vec![number as u8; 3_000], "file {number}");
    }
    let large = fetch_one(source, "large", LARGE_BYTES as u64);
    assert_eq!((large.failed.as_ref(), large.finished.map(|meta| meta.size_bytes)), (None, Some(LARGE_BYTES as u64)));
    assert!(large.bytes().iter().enumerate().all(|(at, &byte)| byte == (at / 4099) as u8));
}

fn behind_a_proxy() -> (Samba, Proxy) {
    let samba = samba();
    fill(&samba.share_path("data"));
    let upstream = (samba.addr(), Samba::OTHER_PORT).to_socket_addrs().unwrap().next().unwrap();
    let proxy = Proxy::start(upstream).unwrap();
    (samba, proxy)
}

#[test]
fn connections_that_end_after_so_many_bytes_are_made_anew_until_everything_came() {
    let (_samba, proxy) = behind_a_proxy();
    for cut in [90_000, 150_000, 400_000, 1_500_000, 3_300_000] {
        proxy.set(Trouble::default(), Trouble { cut_after_bytes: Some(cut), ..Trouble::default() });
        let before = proxy.connections();
        // The window of a large file is 8 MiB: of a connection that carries less, nothing would ever come of it but for
        // what was given before it was cut.
        assert_everything_comes(&connect_with(&proxy.addr().to_string(), options(Duration::from_secs(20))));
        assert!(proxy.connections() > before + 2, "it was never cut");
    }
}

#[test]
fn a_connection_that_falls_silent_is_given_up_and_made_anew() {
    let (_samba, proxy) = behind_a_proxy();
    let usual = options(Duration::from_secs(20));
    let timeouts = Timeouts { response: Duration::from_secs(5), ..usual.timeouts };
    let source = connect_with(&proxy.addr().to_string(), SmbOptions { timeouts, ..usual });
    proxy.set(Trouble::default(), Trouble { stall_after_bytes: Some(0), ..Trouble::default() });
    std::thread::scope(|scope| {
        let listing = scope.spawn(|| list_all(&source, "many").entries.len());
        // Only new connections work: the old ones stay open and silent.
        while !listing.is_finished() && proxy.connections() < 2 {
            std::thread::sleep(Duration::from_millis(10));
        }
        proxy.set(Trouble::default(), Trouble::default());
        assert_eq!(listing.join().unwrap(), FILES);
    });
}

#[test]
fn bytes_in_crumbs_and_delays_change_nothing() {
    let (_samba, proxy) = behind_a_proxy();
    let crumbs = Trouble { pieces_bytes_max: Some(37), ..Trouble::default() };
    proxy.set(crumbs, Trouble { pieces_bytes_max: Some(1_009), ..Trouble::delay(Duration::from_millis(5)) });
    assert_everything_comes(&connect_with(&proxy.addr().to_string(), options(Duration::ZERO)));
}

#[test]
fn a_server_that_starts_anew_is_waited_for() {
    let mut samba = samba();
    fill(&samba.share_path("data"));
    let source = connect_with(&samba.addr(), options(Duration::from_secs(60)));
    assert_everything_comes(&source);
    samba.kill();
    std::thread::scope(|scope| {
        let all = scope.spawn(|| assert_everything_comes(&source));
        samba.start_again();
        all.join().unwrap();
    });
}

#[test]
fn waiting_for_a_server_ends_when_the_run_is_cancelled() {
    let mut samba = samba();
    let cancel = Cancel::new();
    let hour = SmbOptions { cancel: cancel.clone(), ..options(Duration::from_secs(3600)) };
    let source = connect_with(&samba.addr(), hour);
    samba.kill();
    std::thread::scope(|scope| {
        let listing = scope.spawn(|| list(&source, "").0);
        cancel.cancel();
        let Listed::Incomplete(error) = listing.join().unwrap() else { panic!("complete without a server") };
        assert_eq!(error.code, Code::Cancelled);
    });
}

#[test]
fn a_share_that_leads_to_another_place_after_a_restart_is_refused() {
    let mut samba = samba();
    fill(&samba.share_path("data"));
    let source = connect_with(&samba.addr(), options(Duration::from_secs(2)));
    samba.kill();
    fs::rename(samba.share_path("data"), samba.share_path("data").with_extension("away")).unwrap();
    samba.start_again();
    let Listed::Incomplete(error) = list(&source, "many").0 else { panic!("complete without a share") };
    assert!(error.code.stops_run(), "{error}");
    assert_eq!(source.pin().unwrap().kind, "smb");
}
