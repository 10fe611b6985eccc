//! Servers that grant few credits, take them back, or are at work for long: slow, and never wrong or for ever.

use crate::fixture::*;
use crate::proxy::{Fault, Proxy};
use octo_core::SmbAddress;
use octo_core::{Cancel, Code, Error, Listed, Source};
use octo_smb::{Credentials, Encrypt, Inspector, Logon, SmbOptions, SmbSource, Timeouts};
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs;
use std::path::Path;
use std::time::Duration;

const FILES: usize = 1_500;
/// Of one message and of many reads.
const SIZES: [usize; 5] = [0, 10, 70_000, 1_000_000, 3_000_001];

fn fill(folder: &Path) {
    fs::create_dir(folder.join("many")).unwrap();
    for number in 0..FILES {
        fs::write(folder.join(format!("many/a file with a name of some length {number:05}")), b"").unwrap();
    }
    for size in SIZES {
        fs::write(folder.join(size.to_string()), vec![7; size]).unwrap();
    }
}

fn use_all(source: &SmbSource) -> Result<(), Error> {
    let (listed, kept) = list(source, "many");
    if let Listed::Incomplete(error) = listed {
        return Err(error);
    }
    assert_eq!(kept.entries.len(), FILES);
    let batch: Vec<_> = SIZES.iter().map(|&size| request(&size.to_string(), size as u64)).collect();
    for (fetched, size) in fetch(source, &batch).into_iter().zip(SIZES) {
        match (fetched.failed.clone(), fetched.finished) {
            (None, Some(_)) => assert!(fetched.bytes() == vec![7; size], "{size} bytes"),
            (Some(error), None) => return Err(error),
            other => panic!("{size} bytes: {other:?}"),
        }
    }
    Ok(())
}

fn limits(response: Duration) -> Timeouts {
    Timeouts { connect: Duration::from_secs(5), response, reconnect: Duration::from_secs(20), ..Timeouts::default() }
}

#[test]
fn a_server_that_grants_few_credits_is_only_slow() {
    for credits in [1, 2, 3, 5, 17, 40] {
        let samba = Samba::start(SambaOptions::new().global(&format!("smb2 max credits = {credits}")));
        fill(&samba.share_path("plainfs"));
        let options = SmbOptions { timeouts: limits(Duration::from_secs(5)), ..SmbOptions::default() };
        let inspector = Inspector::connect(address(&samba, "plainfs"), &credentials("plain"), &options).unwrap();
        assert_eq!(inspector.access(&[path("10")]).unwrap().len(), 1, "{credits} credits");
        let source = SmbSource::connect(address(&samba, "plainfs"), credentials("plain"), options).unwrap();
        use_all(&source).unwrap_or_else(|error| panic!("{credits} credits: {error}"));
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| assert_eq!(list_all(&source, "many").entries.len(), FILES));
            }
        });
        assert!(source.snapshots().unwrap().is_empty());
    }
}

fn credits_are(message: &mut [u8], of: fn(u16, u16) -> u16) {
    let mut at = 0;
    loop {
        let number = |at: usize| u16::from_le_bytes([message[at], message[at + 1]]);
        let (command, granted) = (number(at + 12), number(at + 14));
        let next = u32::from_le_bytes([message[at + 20], message[at + 21], message[at + 22], message[at + 23]]);
        message[at + 14..at + 16].copy_from_slice(&of(command, granted).to_le_bytes());
        if next == 0 {
            return;
        }
        at += next as usize;
    }
}

/// A guest, whose session nobody signs, through somebody who grants what they like.
fn through(proxy: &Proxy, fault: Fault) -> Result<(), Error> {
    proxy.set(fault);
    let address = SmbAddress::parse(&format!("//{}/public", proxy.addr)).unwrap().0;
    let timeouts = Timeouts { reconnect: Duration::from_secs(10), ..limits(Duration::from_secs(2)) };
    let options = SmbOptions { logon: Logon::Guest, timeouts, ..SmbOptions::default() };
    use_all(&SmbSource::connect(address, Credentials::default(), options)?)
}

#[test]
fn credits_that_are_taken_back_end_connections_and_nothing_else() {
    let options = SambaOptions::new().global("map to guest = Bad User").global("guest account = plain");
    let samba = Samba::start(options.share("public", "public", &["guest ok = yes", "vfs objects ="]));
    fill(&samba.share_path("public"));
    let proxy = Proxy::start(format!("{}:{}", samba.addr(), Samba::OTHER_PORT));
    through(&proxy, Fault::Nothing).unwrap();
    // Never more than one, so that every message has to go by itself.
    through(&proxy, Fault::AlterAnswers(|m| credits_are(m, |_, granted| granted.min(1)))).unwrap();
    // Those of the logon, and none for any work afterwards.
    through(&proxy, Fault::AlterAnswers(|m| credits_are(m, |command, granted| if command < 5 { granted } else { 0 })))
        .unwrap();
    // Two at first, and then one more with each answer.
    through(&proxy, Fault::AlterAnswers(|m| credits_are(m, |_, granted| granted.min(2)))).unwrap();
    let error = through(&proxy, Fault::AlterAnswers(|m| credits_are(m, |_, _| 0))).unwrap_err();
    assert!(error.code.stops_run(), "{error}");
}

/// It comes by one read.
const SLOW_BYTES: usize = 400_000;
/// What the listing says: more, so that it is asked for by a read of its own.
const SLOW_LISTED_BYTES: u64 = 1_100_000;

/// How often the server says that it is at work, as the proxy passes it on.
fn interims(proxy: &Proxy) -> usize {
    // Its status is STATUS_PENDING.
    proxy.seen().windows(8).filter(|at| at.starts_with(b"\xFESMB")).count()
}

fn at_work_for(samba: &Samba, time: Duration, cancel: Cancel) -> (Proxy, SmbSource) {
    fs::write(samba.share_path("data").join("slow"), vec![7; SLOW_BYTES]).unwrap();
    let proxy = Proxy::start(format!("{}:{}", samba.addr(), Samba::OTHER_PORT));
    proxy.set(Fault::Pending(time));
    let address = SmbAddress::parse(&format!("//{}/data", proxy.addr)).unwrap().0;
    // Encrypted, the proxy would not see what is a read.
    let timeouts = limits(Duration::from_millis(400));
    let options = SmbOptions { timeouts, encrypt: Encrypt::Off, cancel, ..SmbOptions::default() };
    (proxy, connect_in_time(address, options))
}

#[test]
fn a_server_that_says_it_is_at_work_is_waited_for_longer_than_any_silent_one() {
    let samba = samba();
    // Longer than what is granted to a silent server that lives, six times the time for an answer.
    let (_proxy, source) = at_work_for(&samba, Duration::from_secs(4), Cancel::new());
    let fetched = fetch_one(&source, "slow", SLOW_LISTED_BYTES);
    assert_eq!((fetched.failed.as_ref(), fetched.bytes().len()), (None, SLOW_BYTES));
}

#[test]
fn waiting_for_a_server_that_is_at_work_for_ever_ends_when_the_run_is_cancelled() {
    let (samba, cancel) = (samba(), Cancel::new());
    let (proxy, source) = at_work_for(&samba, Duration::from_secs(3600), cancel.clone());
    std::thread::scope(|scope| {
        let fetching = scope.spawn(|| fetch_one(&source, "slow", SLOW_LISTED_BYTES));
        // Longer than silence is waited for.
        until("the server is at work", || fetching.is_finished() || interims(&proxy) >= 10);
        cancel.cancel();
        assert_eq!(fetching.join().unwrap().failed.map(|error| error.code), Some(Code::Cancelled));
    });
}
