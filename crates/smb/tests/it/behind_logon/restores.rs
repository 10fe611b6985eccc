//! A server that lies to a restore: nothing panics, and what is called restored is there, whole.

use super::*;
use crate::relay::parts;
use octo_core::restore_target::Placing;
use octo_core::{Done, Kind, Meta, Metadata, RestoreTarget, Timestamp};
use octo_smb::SmbRestore;
use std::sync::atomic::{AtomicU64, Ordering};

const FLUSH: u8 = 7;
const WRITE: u8 = 9;
const SET_INFO: u8 = 17;
/// What waits for its permissions, and what does not.
const WRITTEN: [usize; 3] = [0, 700, 1_300_000];

type Alter = fn(&mut [u8]);

const NONSENSE: &[(&str, u8, Alter)] = &[
    ("a write of another structure", WRITE, |m| m[64] = 60),
    ("a write of less", WRITE, |m| m[68..72].fill(0)),
    ("a write of more", WRITE, |m| m[68..72].fill(255)),
    ("another command than a write", WRITE, |m| m[12] = READ),
    ("a flush of another structure", FLUSH, |m| m[64] = 60),
    ("another command than a flush", FLUSH, |m| m[12] = READ),
    ("a change of another structure", SET_INFO, |m| m[64] = 60),
    ("another command than a change", SET_INFO, |m| m[12] = READ),
    ("an open of another structure", CREATE, |m| m[64] = 60),
    ("contexts beyond the end", CREATE, |m| m[144..152].copy_from_slice(&[152, 0, 0, 0, 255, 255, 255, 255])),
    ("another command than an open", CREATE, |m| m[12] = READ),
    ("an end of another structure", CLOSE, |m| m[64] = 17),
    ("facts beyond the end", QUERY_INFO, |m| m[68..72].fill(255)),
];

fn content(size: usize, round: u64) -> Vec<u8> {
    (0..size as u64).map(|at| (at.wrapping_mul(31).wrapping_add(round) >> 3) as u8).collect()
}

fn limits(reconnect: Duration) -> Timeouts {
    let limit = Duration::from_secs(30);
    Timeouts { connect: limit, response: limit, reconnect, ..Timeouts::default() }
}

/// Restores some files of this round by the port, as the engine does. The names of those that are called restored.
fn restore_some(bench: &Bench, round: u64, timeouts: Timeouts) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let (address, who, options) = bench.access(timeouts);
    let target = SmbRestore::connect(&address, &who, &options, false)?;
    target.space()?;
    let (staging, folder) = (path(&format!("staged {round}")), path(&format!("to {round}")));
    target.begin_staging(&staging)?;
    if target.make_folder(&folder)? != Done::Yes {
        return Err(Error::new(Code::TargetMoved, "no folder"));
    }
    let names = WRITTEN.map(|size| format!("to {round}/{size}"));
    let looked: Result<Vec<_>, _> = target.look(&names.each_ref().map(|name| path(name))).into_iter().collect();
    assert!(looked?.iter().all(Option::is_none), "what was never made is there");
    let mut batch = target.batch();
    let mut whole = Vec::new();
    for (file, size) in WRITTEN.into_iter().enumerate() {
        let meta = Meta::new(Kind::File, size as u64, Timestamp::from_unix(1_600_000_000, 123_456_700));
        batch.create(file, &path(&format!("staged {round}/{file}")), &meta)?;
        let mut at = 0;
        for piece in content(size, round).chunks(300_000) {
            batch.write_at(file, at, piece)?;
            at += piece.len() as u64;
        }
        whole.push((file, meta, Metadata::default()));
    }
    let finished = batch.finish(whole);
    let placing = |file: usize| Placing {
        stage: path(&format!("staged {round}/{file}")),
        place: path(&names[file]),
        replaces: None,
    };
    let wanted: Vec<_> = (0..WRITTEN.len()).filter(|file| finished[*file].is_ok()).collect();
    let placed = batch.place(&wanted.iter().map(|file| (*file, placing(*file))).collect::<Vec<_>>());
    let restored: Vec<_> =
        wanted.iter().zip(&placed).filter(|(_, placed)| placed.is_ok()).map(|(file, _)| *file).collect();
    let failed = finished.into_iter().filter_map(Result::err).chain(placed.into_iter().filter_map(Result::err)).next();
    drop(batch);
    let ended = target.end_staging(&staging);
    for file in &restored {
        let is = fs::read(bench.samba.share_path("public").join(&names[*file])).unwrap();
        assert!(is == content(WRITTEN[*file], round), "{} is called restored", names[*file]);
    }
    match failed {
        Some(error) => Err(error),
        None => {
            ended.map(|()| restored.iter().map(|file| (names[*file].clone(), content(WRITTEN[*file], round))).collect())
        }
    }
}

fn nonsense_is_refused(mode: Mode) {
    let bench = Bench::new(mode);
    bench.relay.set(|_| {});
    let mut round = 0;
    let mut next = |lie: Box<dyn FnMut(&mut Reply) + Send>, reconnect: Duration| {
        round += 1;
        bench.relay.set(lie);
        restore_some(&bench, round, limits(reconnect))
    };
    assert_eq!(next(Box::new(|_| {}), Duration::ZERO).unwrap().len(), WRITTEN.len());
    for &(what, command, alter) in NONSENSE {
        let told = next(
            Box::new(move |reply| {
                reply.each(command, |part| {
                    if is_success(part) && part.len() >= 66 {
                        alter_all(part, alter)
                    }
                })
            }),
            Duration::ZERO,
        );
        assert!(told.is_err(), "{mode:?}: {what} is believed");
    }
    // The share is full, write-protected, or gone; the account has lost its rights, or its session.
    for status in [0xC000_007F_u32, 0xC000_00A2, 0xC000_0022, 0xC000_00C9, 0xC000_0203, 0xC000_0001] {
        for command in [WRITE, SET_INFO, FLUSH, CREATE] {
            // Not of what only says that an answer takes a while.
            let lie = move |reply: &mut Reply| {
                reply.each(command, |m| {
                    if m[8..12] != 0x103_u32.to_le_bytes() {
                        m[8..12].copy_from_slice(&status.to_le_bytes());
                    }
                });
            };
            let error = next(Box::new(lie), Duration::ZERO).expect_err("refused");
            assert!(command == CREATE || status != 0xC000_007F || error.code == Code::NoSpace, "{error}");
        }
    }
    bench.relay.set(|_| {});
}

/// Too short for some: those stay as they are, and are cut.
fn alter_all(part: &mut [u8], alter: Alter) {
    let mut long = part.to_vec();
    long.resize(long.len().max(160), 0);
    alter(&mut long);
    let len = part.len();
    part.copy_from_slice(&long[..len]);
}

#[test]
fn a_restore_believes_no_nonsense() {
    nonsense_is_refused(Mode::Smb311Signed);
}

#[test]
fn a_restore_believes_no_nonsense_that_is_encrypted() {
    nonsense_is_refused(Mode::Smb311Encrypted);
}

#[test]
fn a_connection_that_is_cut_at_any_answer_is_told_from_success() {
    let bench = Bench::new(Mode::Smb311Signed);
    // Every answer of a restore is the last one once, or comes cut.
    for nth in 0..u64::MAX {
        let (said, met) = (AtomicU64::new(0), std::sync::Arc::new(AtomicU64::new(0)));
        let noted = std::sync::Arc::clone(&met);
        bench.relay.set(move |reply| {
            if said.fetch_add(1, Ordering::SeqCst) == nth + 6 {
                noted.store(1, Ordering::SeqCst);
                match nth % 2 {
                    0 => reply.hang_up = true,
                    _ => {
                        let last = parts(reply.bytes()).last().unwrap().clone();
                        reply.bytes().truncate(last.start + 66);
                    }
                }
            }
        });
        let told = restore_some(&bench, 1000 + nth, limits(Duration::ZERO));
        let is_met = met.load(Ordering::SeqCst) == 1;
        match told {
            Ok(restored) => assert_eq!(restored.len(), WRITTEN.len()),
            Err(_) => assert!(is_met),
        }
        if !is_met {
            assert!(nth > 10, "there are answers");
            return;
        }
    }
}
