//! A server that goes and comes, goes for good, or falls over one entry.

use crate::fixture::*;
use crate::proxy::{Fault, Proxy};
use octo_core::SmbAddress;
use octo_core::{Code, Error, FetchSink, Listed, Meta, Source, Stop};
use octo_smb::{Encrypt, SmbOptions, SmbSource, Timeouts};
use octo_testkit::samba::Samba;
use std::fs;
use std::time::{Duration, Instant};

fn options(reconnect_secs: u64) -> SmbOptions {
    let (limit, reconnect) = (Duration::from_secs(1), Duration::from_secs(reconnect_secs));
    SmbOptions {
        timeouts: Timeouts { connect: limit, response: limit, reconnect, ..Timeouts::default() },
        // So that a proxy can read names.
        encrypt: Encrypt::Off,
        ..SmbOptions::default()
    }
}

fn patient(samba: &Samba, reconnect_secs: u64) -> SmbSource {
    connect_in_time(address(samba, "data"), options(reconnect_secs))
}

fn through(proxy: &Proxy) -> SmbSource {
    let address = SmbAddress::parse(&format!("//{}/data", proxy.addr)).unwrap().0;
    connect_in_time(address, options(20))
}

fn why(listed: Listed) -> Error {
    match listed {
        Listed::Incomplete(error) => error,
        Listed::Complete => panic!("complete"),
    }
}

#[test]
fn a_server_that_is_gone_for_good_is_said_once_the_patience_ends_however_many_wait() {
    let mut samba = samba();
    let source = patient(&samba, 2);
    samba.kill();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        // One after the other they would take far longer than the deadline.
        let waiting: Vec<_> = (0..200).map(|_| scope.spawn(|| list(&source, "").0)).collect();
        for end in waiting {
            let error = why(end.join().unwrap());
            assert!(error.code.stops_run() && error.detail.contains("no connection for"), "{error}");
        }
    });
    assert!(begun.elapsed() < WAIT_MAX, "{:?}", begun.elapsed());
}

#[test]
fn a_file_or_folder_that_ends_every_connection_or_is_never_answered_is_named_and_the_others_come() {
    let samba = samba();
    let data = samba.share_path("data");
    fs::create_dir(data.join("poison-folder")).unwrap();
    let mut batch = Vec::new();
    for i in 0..60 {
        fs::write(data.join(format!("good {i}")), [i; 100]).unwrap();
        batch.push(request(&format!("good {i}"), 100));
    }
    for name in ["poison", "poison-large"] {
        fs::write(data.join(name), [7; 100]).unwrap();
    }
    batch.insert(20, request("poison", 100));
    batch.insert(30, request("poison-large", 50_000_000));
    let proxy = Proxy::start(format!("{}:{}", samba.addr(), Samba::OTHER_PORT));
    for fault in [Fault::CutOn("poison"), Fault::SilentOn("poison")] {
        proxy.set(fault);
        let source = through(&proxy);
        let fetched = fetch(&source, &batch);
        for (wanted, fetched) in batch.iter().zip(&fetched) {
            let name = wanted.path.to_string();
            if name.starts_with("poison") {
                let error = fetched.failed.as_ref().unwrap_or_else(|| panic!("{fault:?}: {name} was read"));
                assert_eq!(error.code, Code::ServerFails, "{fault:?} {name}: {error}");
            } else {
                assert_eq!((fetched.bytes().len(), &fetched.failed), (100, &None), "{fault:?}: {name}");
            }
        }
        assert_eq!(why(list(&source, "poison-folder").0).code, Code::ServerFails, "{fault:?}");
        assert_eq!(list_all(&source, "").entries.len(), 63);
    }
}

/// Does something at the first piece of a file.
struct AtFirstPiece<'a> {
    basket: Basket,
    act: Option<Box<dyn FnOnce() + 'a>>,
}

impl FetchSink for AtFirstPiece<'_> {
    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.basket.opened(file, meta)
    }
    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        self.act.take().into_iter().for_each(|act| act());
        self.basket.data(file, offset_bytes, bytes)
    }
    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.basket.finished(file, meta)
    }
    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        self.basket.failed(file, error)
    }
}

#[test]
fn a_large_file_goes_on_where_it_was_unless_it_has_changed_meanwhile() {
    const SIZE: usize = 30_000_000;
    for changes in [false, true] {
        let mut samba = samba();
        let file = samba.share_path("data").join("large");
        fs::write(&file, vec![7; SIZE]).unwrap();
        let source = patient(&samba, 60);
        let act = || {
            samba.kill();
            if changes {
                fs::write(&file, vec![8; SIZE]).unwrap();
            }
            samba.start_again();
        };
        let basket = Basket(vec![Fetched::default()]);
        let mut sink = AtFirstPiece { basket, act: Some(Box::new(act)) };
        source.fetch(&[request("large", SIZE as u64)], &mut sink);
        let fetched = &sink.basket.0[0];
        if changes {
            assert_eq!(fetched.failed.as_ref().map(|e| e.code), Some(Code::ChangedWhileRead));
        } else {
            assert!(fetched.failed.is_none(), "{:?}", fetched.failed);
            assert!(fetched.bytes() == vec![7; SIZE], "every byte came, and came once");
        }
    }
}

#[test]
fn a_share_that_is_taken_away_is_sought_and_found_again_or_named() {
    let samba = samba();
    fs::write(samba.share_path("data").join("file"), b"x").unwrap();
    let (patient, hasty) = (patient(&samba, 60), patient(&samba, 1));
    samba.offer("data", false);
    // The server tells its own processes so, which takes them a moment.
    let mut listed = Listed::Complete;
    until("the share is gone", || {
        listed = list(&hasty, "").0;
        matches!(listed, Listed::Incomplete(_))
    });
    let error = why(listed);
    assert_eq!(error.code, Code::ShareNotFound, "{error}");
    std::thread::scope(|scope| {
        let listing = scope.spawn(|| list_all(&patient, ""));
        samba.offer("data", true);
        assert_eq!(listing.join().unwrap().names(), ["file"]);
    });
}
