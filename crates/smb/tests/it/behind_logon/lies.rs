//! Answers whose fields lie, that are cut short, or that are not protected as the session is: never believed.

use super::*;
use crate::relay::parts;

type Alter = fn(&mut [u8]);

/// What the server may do to each of its answers to this command, where no run may believe it.
const REFUSED: &[(&str, u8, Alter)] = &[
    ("a share that is a pipe", TREE_CONNECT, |m| m[66] = 2),
    ("no structure", TREE_CONNECT, |m| m[64] = 0),
    ("an open of another structure", CREATE, |m| m[64] = 60),
    ("contexts beyond the end", CREATE, |m| m[144..152].copy_from_slice(&[152, 0, 0, 0, 255, 255, 255, 255])),
    ("contexts within the header", CREATE, |m| m[144..152].copy_from_slice(&[4, 0, 0, 0, 8, 0, 0, 0])),
    ("a negative size", CREATE, |m| m[119] = 0x80),
    ("another command", CREATE, |m| m[12] = READ),
    ("a page beyond the end", QUERY_DIRECTORY, |m| m[68..72].fill(255)),
    ("a page from beyond the end", QUERY_DIRECTORY, |m| m[66..68].fill(255)),
    ("a page within the header", QUERY_DIRECTORY, |m| m[66..68].copy_from_slice(&[3, 0])),
    ("entries that overlap", QUERY_DIRECTORY, |m| m[72..76].copy_from_slice(&8_u32.to_le_bytes())),
    ("entries out of step", QUERY_DIRECTORY, |m| m[72] |= 1),
    ("an entry beyond the end", QUERY_DIRECTORY, |m| m[72..76].copy_from_slice(&0x00FF_FFF8_u32.to_le_bytes())),
    ("a name beyond the end", QUERY_DIRECTORY, |m| m[132..136].fill(255)),
    ("half a character", QUERY_DIRECTORY, |m| m[132] |= 1),
    ("an entry of a negative size", QUERY_DIRECTORY, |m| m[119] = 0x80),
    ("a listing that is a read", QUERY_DIRECTORY, |m| m[12] = READ),
    ("more than was asked for", READ, |m| m[68..72].fill(255)),
    ("a read from beyond the end", READ, |m| m[66] = 255),
    ("a read within the header", READ, |m| m[66] = 3),
    ("nothing read", READ, |m| m[68..72].fill(0)),
    ("a read of another structure", READ, |m| m[64] = 60),
    ("facts beyond the end", QUERY_INFO, |m| m[68..72].fill(255)),
    ("facts from beyond the end", QUERY_INFO, |m| m[66..68].fill(255)),
    ("the end of another structure", CLOSE, |m| m[64] = 17),
    ("an end with another size", CLOSE, |m| m[112] ^= 1),
    ("an open with less", CREATE, |m| {
        if m[112] == 10 {
            m[112] = 5
        }
    }),
    ("an open with more", CREATE, |m| {
        if m[112] == 10 {
            m[112] = 11
        }
    }),
];

/// Every lie in one mode.
fn lies_are_refused(mode: Mode) {
    let bench = Bench::new(mode);
    bench.fill();
    bench.under(|_| {}).unwrap();
    let mut believed = Vec::new();
    for &(what, command, alter) in REFUSED {
        // Not of the tree's root, or of what is only looked at: whatever is long enough.
        let told = bench.under(move |reply| {
            reply.each(command, |part| {
                if is_success(part) && part.len() >= 72 + 8 {
                    alter(part)
                }
            });
        });
        let Err(error) = told else {
            believed.push(what);
            continue;
        };
        assert!(FAULTS.contains(&error.code), "{mode:?}, {what}: {error}");
    }
    assert!(believed.is_empty(), "{mode:?}: {believed:?}");
    for command in [TREE_CONNECT, CREATE, QUERY_DIRECTORY, READ, CLOSE] {
        protection_is_demanded(&bench, command);
        for at in [64, 70] {
            // What followed it in the same message is waited for.
            let told = bench.under_silence(move |reply| cut(reply, command, at));
            let error = told.expect_err("cut");
            let codes = [&FAULTS[..], &[Code::TimedOut]].concat();
            assert!(codes.contains(&error.code), "{mode:?}, {command} cut at {at}: {error}");
        }
        // The session has expired, was deleted, and the share is gone.
        for status in [0xC000_035C_u32, 0xC000_0203, 0xC000_00C9] {
            let told =
                bench.under(move |reply| reply.each(command, |m| m[8..12].copy_from_slice(&status.to_le_bytes())));
            let error = told.expect_err("the session ended");
            assert_eq!(error.code, Code::ConnectionLost, "{mode:?}, {command}: {error}");
        }
    }
    bench.under(|_| {}).unwrap();
}

/// What a lie may be called: a fault of the server, of the file, or of the network.
const FAULTS: [Code; 6] = [
    Code::Protocol,
    Code::ConnectionLost,
    Code::ShareNotFound,
    Code::ChangedWhileRead,
    Code::SourceEntry,
    Code::KindMoved,
];

/// Ends the server's message so many bytes into the part that answers this command.
fn cut(reply: &mut Reply, command: u8, at: usize) {
    let found = parts(reply.bytes()).into_iter().find(|part| reply.messages[0].bytes[part.start + 12] == command);
    if let Some(part) = found {
        let bytes = reply.bytes();
        bytes.truncate((part.start + at).min(part.end));
        bytes[part.start + 20..part.start + 24].fill(0);
    }
}

/// An answer with a wrong signature or without any is never taken, but by a guest.
fn protection_is_demanded(bench: &Bench, command: u8) {
    let forged = bench.under(move |reply| reply.messages[0].is_forged = reply.answers(command));
    let bare = bench.under(move |reply| {
        if reply.answers(command) {
            reply.messages[0].protection = Protection::Nothing;
            for part in parts(reply.bytes()) {
                let part = &mut reply.bytes()[part];
                part[16] &= !8;
                part[48..64].fill(0);
            }
        }
    });
    for told in [forged, bare] {
        match (bench.mode, told.map_err(|error| error.code)) {
            (Mode::Guest, told) => assert_eq!(told, Ok(()), "a guest's messages are not signed"),
            (_, Err(Code::Protocol | Code::ConnectionLost)) => {}
            (mode, other) => panic!("{mode:?}, {command}: {other:?}"),
        }
    }
}

#[test]
fn a_guest_believes_no_lie() {
    lies_are_refused(Mode::Guest);
}

#[test]
fn lies_that_are_signed_are_not_believed() {
    lies_are_refused(Mode::Smb21Signed);
}

#[test]
fn lies_that_are_signed_by_the_newest_dialect_are_not_believed() {
    lies_are_refused(Mode::Smb311Signed);
}

#[test]
fn lies_that_are_encrypted_are_not_believed() {
    lies_are_refused(Mode::Smb311Encrypted);
}
