//! A server that says too much, too little, ends the session, or is another one: passed over, waited for, or left.

use super::*;
use crate::relay::parts;
use octo_testkit::proxy::interim;

fn credits_are(reply: &mut Reply, credits: u16) {
    for part in parts(reply.bytes()) {
        reply.bytes()[part.start + 14..part.start + 16].copy_from_slice(&credits.to_le_bytes());
    }
}

/// Says this too, without granting anything by it, as the answer with this number.
fn also(reply: &mut Reply, number: Option<u64>) {
    let again = reply.messages[0].clone();
    reply.messages.push(again);
    let said = reply.messages.len() - 1;
    reply.messages.swap(0, said);
    credits_are(reply, 0);
    if let Some(number) = number {
        for part in parts(reply.bytes()) {
            reply.bytes()[part.start + 24..part.start + 32].copy_from_slice(&number.to_le_bytes());
        }
    }
    reply.messages.swap(0, said);
}

#[test]
fn what_nobody_asked_for_is_passed_over() {
    for mode in [Mode::Guest, Mode::Smb302Signed, Mode::Smb311Encrypted] {
        let bench = Bench::new(mode);
        bench.fill();
        let behind = |reply: &mut Reply| reply.bytes()[12] >= TREE_CONNECT;
        let twice = bench.under(move |reply| {
            if behind(reply) {
                also(reply, None)
            }
        });
        assert_eq!(twice, Ok(()), "{mode:?}: every answer twice");
        let unasked = bench.under(move |reply| {
            if behind(reply) {
                also(reply, Some(1 << 40))
            }
        });
        assert_eq!(unasked, Ok(()), "{mode:?}: answers to what was never asked");
        let broken = bench.under(move |reply| {
            if behind(reply) {
                also(reply, Some(u64::MAX));
                reply.messages[1].bytes[12] = OPLOCK_BREAK;
            }
        });
        assert_eq!(broken, Ok(()), "{mode:?}: news of locks that nobody has");
        let elsewhere = bench.under(move |reply| {
            for part in parts(reply.bytes()).into_iter().filter(|_| behind(reply)).collect::<Vec<_>>() {
                reply.bytes()[part.start + 40] ^= 1;
            }
        });
        assert_eq!(elsewhere, Ok(()), "{mode:?}: answers of another session's number");
    }
}

#[test]
fn answers_that_never_come_end_the_run() {
    let bench = Bench::new(Mode::Smb311Signed);
    bench.fill();
    type Lie = fn(&mut Reply);
    let lies: [(&str, Lie); 3] = [
        ("nothing", |reply| reply.messages.clear()),
        ("for another request", |reply| reply.bytes()[24] ^= 0x80),
        ("still at work", |reply| reply.messages[0].bytes = interim(reply.bytes())),
    ];
    for (what, lie) in lies {
        for command in [CREATE, READ] {
            let told = bench.under_silence(move |reply| {
                if reply.answers(command) {
                    lie(reply)
                }
            });
            let error = told.expect_err(what);
            assert!(error.code.stops_run(), "{what}, {command}: {error}");
        }
    }
    let starved = bench.under_silence(|reply| {
        if reply.bytes()[12] > TREE_CONNECT {
            credits_are(reply, 0)
        }
    });
    assert!(starved.as_ref().map_or_else(|error| error.code.stops_run(), |()| true), "without credits: {starved:?}");
    bench.under(|_| {}).unwrap();
}

#[test]
fn a_session_that_is_ended_in_the_middle_is_begun_again() {
    for mode in [Mode::Smb21Signed, Mode::Smb311Encrypted] {
        let bench = Bench::new(mode);
        bench.fill();
        for command in [CREATE, QUERY_DIRECTORY, READ, CLOSE] {
            for status in [0xC000_035C_u32, 0xC000_0203, 0xC000_00C9] {
                // The first connection must stand: nobody waits for a server that never was there.
                let (mut stands, mut left) = (false, 3);
                let told = bench.under_reconnecting(move |reply| {
                    stands |= reply.answers(QUERY_DIRECTORY);
                    reply.each(command, |part| {
                        if stands && left > 0 && is_success(part) {
                            left -= 1;
                            part[8..12].copy_from_slice(&status.to_le_bytes());
                        }
                    });
                });
                // Which entry was asked for three times is no longer believed to be the network's fault.
                let is_good = told.as_ref().map_or_else(|error| error.code == Code::ServerFails, |()| true);
                assert!(is_good, "{mode:?}, {command}, {status:x}: {told:?}");
                assert!(bench.relay.connections() > 1);
            }
        }
    }
}

#[test]
fn a_server_that_is_another_one_after_a_reconnect_is_left() {
    for mode in MODES {
        let bench = Bench::new(mode);
        bench.fill();
        let mut was_cut = false;
        let told = bench.under_reconnecting(move |reply| {
            if reply.answers(READ) && !was_cut {
                (was_cut, reply.hang_up) = (true, true);
                reply.messages.clear();
            } else if was_cut && reply.connection > 0 && reply.answers(QUERY_INFO) {
                // The serial number of the volume; what is asked beside it has a small number there.
                reply.each(QUERY_INFO, |part| {
                    if part.len() > 84 && part[82..84] != [0, 0] {
                        part[80] ^= 1
                    }
                });
            }
        });
        assert_eq!(told.map_err(|error| error.code), Err(Code::SourceChanged), "{mode:?}");
    }
}

#[test]
fn names_that_lead_elsewhere_are_no_entries() {
    for mode in [Mode::Guest, Mode::Smb21Signed, Mode::Smb311Encrypted] {
        let bench = Bench::new(mode);
        let folder = bench.samba.share_path("public").join("named");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("qq"), b"1").unwrap();
        fs::write(folder.join("zz"), b"2").unwrap();
        let names: [([u16; 2], &[&str], usize); 7] = [
            ([0x2E, 0x2E], &["zz"], 0),
            ([0x61, 0x2F], &["zz"], 1),
            ([0x2F, 0x61], &["zz"], 1),
            ([0x61, 0x5C], &["zz"], 1),
            ([0x61, 0], &["zz"], 1),
            ([0, 0], &["zz"], 1),
            ([0x7A, 0x7A], &["zz", "zz"], 0),
        ];
        for (name, entries, problems) in names {
            bench.relay.set(move |reply| {
                reply.each(QUERY_DIRECTORY, |part| {
                    if let Some(at) = part.windows(4).position(|bytes| bytes == [0x71, 0, 0x71, 0]) {
                        part[at..at + 2].copy_from_slice(&name[0].to_le_bytes());
                        part[at + 2..at + 4].copy_from_slice(&name[1].to_le_bytes());
                    }
                });
            });
            let source = bench.connect(Timeouts::default()).unwrap();
            let (listed, kept) = list(&source, "named");
            assert_eq!(listed, Listed::Complete, "{mode:?} {name:x?}");
            assert_eq!(
                (kept.names(), kept.problems.len()),
                (entries.iter().map(|s| (*s).to_owned()).collect(), problems),
                "{mode:?} {name:x?}"
            );
            assert!(kept.problems.iter().all(|(_, error)| error.code == Code::BadName));
        }
    }
}
