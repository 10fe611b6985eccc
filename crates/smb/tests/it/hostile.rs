//! A connection that is cut or bent at any place: never a whole listing or file that is not whole.

use crate::fixture::*;
use crate::proxy::{Fault, Proxy};
use octo_core::SmbAddress;
use octo_core::{Code, Error, Listed};
use octo_smb::{Encrypt, SmbOptions, SmbSource, Timeouts};
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs;
use std::time::Duration;

const FILES: usize = 3_000;
const FILE_BYTES: usize = 5_000_003;

struct Bench {
    _samba: Samba,
    proxy: Proxy,
    share: &'static str,
}

fn bench(share: &'static str) -> Bench {
    let encrypted = SambaOptions::new().share("enc", "plainfs", &["vfs objects =", "server smb encrypt = required"]);
    let samba = Samba::start(encrypted);
    let folder = samba.share_path("plainfs");
    fs::create_dir(folder.join("many")).unwrap();
    for i in 0..FILES {
        fs::File::create(folder.join(format!("many/entry {i:05}"))).unwrap();
    }
    fs::write(folder.join("large"), vec![7; FILE_BYTES]).unwrap();
    fs::write(folder.join("small"), vec![7; 40_000]).unwrap();
    let proxy = Proxy::start(format!("{}:{}", samba.addr(), Samba::OTHER_PORT));
    Bench { _samba: samba, proxy, share }
}

impl Bench {
    fn connect(&self, fault: Fault) -> Result<SmbSource, Error> {
        self.proxy.set(fault);
        let address = SmbAddress::parse(&format!("//{}/{}", self.proxy.addr, self.share)).unwrap().0;
        let limit = Duration::from_secs(2);
        let timeouts = Timeouts { connect: limit, response: limit, reconnect: Duration::ZERO, ..Timeouts::default() };
        // What is not encrypted is easier to bend in a way that matters.
        let options = SmbOptions { timeouts, encrypt: Encrypt::Off, ..SmbOptions::default() };
        SmbSource::connect(address, credentials("plain"), options)
    }

    /// How many bytes the server says for a whole listing, a small and a large file, and for the logon before.
    fn measure(&self) -> (usize, usize) {
        let source = self.connect(Fault::Nothing).unwrap();
        let before = self.proxy.seen().len();
        use_all(&source).unwrap();
        (before, self.proxy.seen().len())
    }
}

/// Lists and fetches everything; what is called whole must be whole.
fn use_all(source: &SmbSource) -> Result<(), Error> {
    let (listed, kept) = list(source, "many");
    match listed {
        Listed::Complete => assert_eq!(kept.entries.len(), FILES, "a listing that is called complete"),
        Listed::Incomplete(error) => return Err(error),
    }
    for (name, size) in [("small", 40_000), ("large", FILE_BYTES)] {
        let fetched = fetch_one(source, name, size as u64);
        match (fetched.finished.is_some(), fetched.failed.clone()) {
            (true, None) => assert!(fetched.bytes() == vec![7; size], "{name} is called finished"),
            (false, Some(error)) => return Err(error),
            other => panic!("{name} neither finished nor failed: {other:?}"),
        }
    }
    Ok(())
}

fn try_all(source: Result<SmbSource, Error>) -> Result<(), Error> {
    source.and_then(|source| use_all(&source))
}

/// Places from `from` to `to`, more densely at the beginning.
fn places(from: usize, to: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |i| from + (to - from) * i * i / (count * count) + i)
}

#[test]
fn a_connection_cut_at_any_place_never_gives_less_for_the_whole() {
    let bench = bench("plainfs");
    let (after_logon, all) = bench.measure();
    assert!(all > after_logon + FILE_BYTES);
    for at in places(0, after_logon, 12).chain(places(after_logon, all - FILE_BYTES, 40)).chain(places(
        all - FILE_BYTES,
        all - 200,
        12,
    )) {
        let error = try_all(bench.connect(Fault::CutAt(at))).expect_err("the connection was cut");
        assert!(matches!(error.code, Code::ConnectionLost), "cut at {at}: {error}");
        assert!(error.code.stops_run());
    }
    try_all(bench.connect(Fault::Nothing)).unwrap();
}

#[test]
fn a_bit_turned_over_on_the_way_is_never_believed() {
    for share in ["plainfs", "enc"] {
        let bench = bench(share);
        let (after_logon, all) = bench.measure();
        let logon = places(0, after_logon, 30);
        for at in logon.chain(places(after_logon, all - FILE_BYTES, 40)).chain(places(all - FILE_BYTES, all - 200, 6)) {
            match try_all(bench.connect(Fault::FlipAt(at))) {
                // Some bits mean nothing, such as those of the transport's own header; what came was whole.
                Ok(()) => {}
                Err(error) => assert!(error.code.stops_run(), "turned at {at} of {after_logon}, {all}: {error}"),
            }
        }
    }
}
