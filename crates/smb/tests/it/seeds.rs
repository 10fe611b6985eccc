//! Real answers of a real Samba, as seeds of the parsers' corpora.
//!
//! With `OCTO_WRITE_SEEDS=1` the test writes what it captured into `fuzz/corpus/smb`; without, it checks that the seeds
//! there are still of the kinds that the server sends.

use crate::fixture::*;
use crate::proxy::{Fault, Proxy};
use octo_core::SmbAddress;
use octo_smb::{Encrypt, SmbOptions, SmbSource, shares};
use octo_testkit::corpus;
use octo_testkit::samba::{Samba, SambaOptions};
use std::collections::BTreeMap;
use std::fs;

const SEEDS_OF_A_KIND_MAX: usize = 6;
const SEED_BYTES_MAX: usize = 2_000;

/// The kinds, by the command in an answer's header.
fn kind(command: u16) -> Option<&'static str> {
    match command {
        0 => Some("negotiate"),
        5 => Some("create"),
        6 => Some("close"),
        8 => Some("read"),
        11 => Some("ioctl"),
        14 => Some("listing"),
        16 => Some("query_info"),
        _ => None,
    }
}

/// Splits a recorded connection into the bodies of its answers, by kind.
fn bodies(stream: &[u8]) -> BTreeMap<&'static str, Vec<Vec<u8>>> {
    let mut all: BTreeMap<_, Vec<Vec<u8>>> = BTreeMap::new();
    let mut rest = stream;
    while rest.len() > 4 {
        let len = u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize;
        let mut message = &rest[4..4 + len];
        rest = &rest[4 + len..];
        loop {
            let next = u32::from_le_bytes(message[20..24].try_into().unwrap()) as usize;
            let one = if next == 0 { message } else { &message[..next] };
            if let Some(kind) = kind(u16::from_le_bytes([one[12], one[13]])) {
                let body = one[64..].to_vec();
                // An answer of the list of shares: RPC version 5, a RESPONSE.
                let kind = if kind == "ioctl" && body.get(48..51) == Some(&[5, 0, 2]) { "shares" } else { kind };
                if body.len() <= SEED_BYTES_MAX {
                    all.entry(kind).or_default().push(body);
                }
            }
            if next == 0 {
                break;
            }
            message = &message[next..];
        }
    }
    all
}

/// What `kinit` and `kvno` leave: a cache of a realm that is gone with the test, with two tickets and the settings between
/// them.
fn tickets() -> Vec<u8> {
    let samba = Samba::start(SambaOptions::new().with_kerberos());
    let cache = samba.kdc().log_in("plain");
    samba.kdc().add_ticket(&cache, &samba.addr());
    fs::read(cache).unwrap()
}

#[test]
fn seeds_are_what_a_real_server_says() {
    // This dialect has the most to say: it is validated by an IOCTL.
    let samba = Samba::start(SambaOptions::new().global("server max protocol = SMB3_02"));
    let data = samba.share_path("data");
    fs::create_dir(data.join("folder")).unwrap();
    fs::write(data.join("folder/file"), b"content").unwrap();
    fs::write(data.join("\u{1F600} name"), b"").unwrap();
    let proxy = Proxy::start(format!("{}:{}", samba.addr(), Samba::OTHER_PORT));
    proxy.set(Fault::Nothing);
    let address = SmbAddress::parse(&format!("//{}/data", proxy.addr)).unwrap().0;
    let readable = SmbOptions { encrypt: Encrypt::Off, ..SmbOptions::default() };
    shares(&address.host, address.port, &credentials("plain"), &readable).unwrap();
    let source = SmbSource::connect(address, credentials("plain"), readable).unwrap();
    list_all(&source, "");
    list_all(&source, "folder");
    fetch_one(&source, "folder/file", 7);
    fetch_one(&source, "gone", 7);
    fetch_one(&source, "folder/file", 70_000_000);
    let mut captured = bodies(&proxy.seen());
    captured.insert("ccache", vec![tickets()]);
    captured.insert("name", vec!["\u{1F600} name".encode_utf16().flat_map(u16::to_le_bytes).collect()]);
    for (kind, bodies) in &captured {
        let mut distinct = Vec::new();
        for body in bodies {
            if !distinct.iter().any(|other: &Vec<u8>| other.len() == body.len()) && distinct.len() < SEEDS_OF_A_KIND_MAX
            {
                distinct.push(body.clone());
            }
        }
        corpus::write_seeds("smb", kind, &distinct);
        let seed = fs::read(corpus::folder("smb", kind).join("0")).unwrap_or_else(|e| panic!("seed {kind}/0: {e}"));
        let alike = |body: &Vec<u8>| *kind == "name" || body.get(..2) == seed.get(..2);
        assert!(distinct.iter().any(alike), "{kind}: the seeds are of another kind");
    }
    assert_eq!(captured.len(), 10, "every parser has seeds: {:?}", captured.keys());
}
