//! A server that has no end: runs come to theirs by themselves.
//!
//! It is a real Samba behind a relay that reads its messages. Nobody signs a guest's, so the relay may say what it likes.

use crate::world::{Ran, World, finish};
use octo_testkit::proxy::interim;
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const READ: u8 = 8;
const QUERY_DIRECTORY: u8 = 14;
const NO_MORE_FILES: u32 = 0x8000_0006;
/// More than are listed by one message.
const FILES: usize = 1_000;
/// More than is read by the message that opens a file.
const FILE_BYTES: usize = 2_000_000;

/// What the relay makes of the server's answers.
#[derive(Clone, Copy)]
enum Lie {
    /// For each answer to this command, for ever: it is still at work.
    Pending(u8),
    /// A listing that is at its end begins anew.
    Endless,
}

fn command(message: &[u8]) -> u8 {
    message[12]
}

fn status(message: &[u8]) -> u32 {
    u32::from_le_bytes(message[8..12].try_into().unwrap())
}

fn message(from: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut len = [0; 4];
    from.read_exact(&mut len)?;
    let mut message = vec![0; u32::from_be_bytes(len) as usize];
    from.read_exact(&mut message)?;
    Ok(message)
}

fn send(to: &mut TcpStream, message: &[u8]) -> std::io::Result<()> {
    to.write_all(&[&(message.len() as u32).to_be_bytes()[..], message].concat())
}

/// Hands the server's answers on, one by one.
fn answers(mut from: TcpStream, mut to: TcpStream, lie: Lie) -> std::io::Result<()> {
    let mut page = Vec::new();
    loop {
        let answer = message(&mut from)?;
        let is_compound = answer[20..24] != [0; 4];
        match lie {
            Lie::Pending(at) if command(&answer) == at => loop {
                send(&mut to, &interim(&answer))?;
                thread::sleep(Duration::from_millis(100));
            },
            Lie::Endless if command(&answer) == QUERY_DIRECTORY && !is_compound => {
                if status(&answer) == NO_MORE_FILES {
                    // This answer's head with the last page's entries.
                    let mut again = [&answer[..64], &page[64..]].concat();
                    again[8..12].fill(0);
                    send(&mut to, &again)?;
                } else {
                    page.clone_from(&answer);
                    send(&mut to, &answer)?;
                }
            }
            _ => send(&mut to, &answer)?,
        }
    }
}

/// Relays to `server` from an address of its own; ends with the connections.
fn relay(server: String, lie: Lie) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&server) else { continue };
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
            thread::spawn(move || {
                let ends = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                let _ = answers(server, client, lie);
                ends.iter().for_each(|end| drop(end.shutdown(Shutdown::Both)));
            });
        }
    });
    addr
}

/// A share that guests may read, with a folder of many files and ten of few.
fn samba() -> Samba {
    let options = SambaOptions::new().global("map to guest = Bad User").global("guest account = plain");
    let samba = Samba::start(options.share("public", "public", &["guest ok = yes", "vfs objects ="]));
    let share = samba.share_path("public");
    fs::create_dir(share.join("many")).unwrap();
    (0..FILES).for_each(|n| drop(fs::File::create(share.join(format!("many/{n:0>60}"))).unwrap()));
    for n in 0..10 {
        fs::create_dir(share.join(format!("few{n}"))).unwrap();
        fs::write(share.join(format!("few{n}/file")), vec![7; FILE_BYTES]).unwrap();
    }
    samba
}

/// A run through the relay: to its end, or the test hangs.
fn sync(samba: &Samba, world: &World, lie: Option<Lie>, options: &[&str]) -> Ran {
    let server = format!("{}:{}", samba.addr(), Samba::OTHER_PORT);
    let addr = lie.map_or(server.clone(), |lie| relay(server, lie).to_string());
    let (source, dst) = (format!("smb://{addr}/public"), world.dst());
    let mut args = vec!["sync".as_ref(), source.as_ref(), dst.as_os_str(), "--guest".as_ref(), "--json".as_ref()];
    args.extend(options.iter().map(std::ffi::OsStr::new));
    finish(world.program(&args).spawn().unwrap())
}

fn codes(ran: &Ran) -> Vec<String> {
    let report = ran.report();
    report["causes"].as_array().unwrap().iter().map(|cause| cause["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_listing_without_end_is_cut_and_everything_else_is_copied() {
    let (samba, world) = (samba(), World::new());
    let ran = sync(&samba, &world, Some(Lie::Endless), &["--max-folder-entries", "20000"]).ends(1);
    assert!(codes(&ran).contains(&"listing-cut".to_owned()), "{}", ran.stdout);
    assert!(ran.stdout.contains("more than 20000 entries"), "{}", ran.stdout);
    assert_eq!(fs::read(world.dst().join("few9/file")).unwrap().len(), FILE_BYTES);

    let world = World::new();
    let ran = sync(&samba, &world, Some(Lie::Endless), &["--max-folder-bytes", "1MB"]).ends(1);
    assert!(ran.stdout.contains("more than 1000000 bytes of names"), "{}", ran.stdout);
    assert_eq!(codes(&sync(&samba, &World::new(), None, &[]).ends(0)), [""; 0], "the limits are far above it");
}

#[test]
fn requests_that_are_put_off_for_ever_are_problems_of_their_entries() {
    let (samba, world) = (samba(), World::new());
    for n in 1..10 {
        fs::remove_dir_all(samba.share_path("public").join(format!("few{n}"))).unwrap();
    }
    let ran = sync(&samba, &world, Some(Lie::Pending(READ)), &["--max-answer", "1s"]).ends(1);
    assert_eq!(codes(&ran), ["server-fails"], "{}", ran.stdout);
    assert!(ran.stdout.contains("no final answer for 1 s"), "{}", ran.stdout);
    assert_eq!(fs::read_dir(world.dst().join("many")).unwrap().count(), FILES, "what is not read is there");
    let world = World::new();
    let ran = sync(&samba, &world, Some(Lie::Pending(QUERY_DIRECTORY)), &["--max-answer", "1s"]).ends(1);
    assert_eq!(codes(&ran), ["server-fails"], "{}", ran.stdout);
    assert_eq!(fs::read(world.dst().join("few0/file")).unwrap().len(), FILE_BYTES, "the other folders");
}

#[test]
fn a_run_whose_source_gives_nothing_for_too_long_fails_by_itself() {
    let (samba, world) = (samba(), World::new());
    let ran = sync(&samba, &world, Some(Lie::Pending(READ)), &["--max-answer", "1h", "--max-idle", "2s"]).ends(3);
    let report = ran.report();
    assert_eq!((&report["outcome"], &codes(&ran)[..]), (&"failed".into(), &["timed-out".to_owned()][..]), "{report}");
    assert!(ran.stdout.contains("the source gave nothing for"), "{}", ran.stdout);
    // The next run goes on where this one stopped.
    sync(&samba, &world, None, &["--accept-source"]).ends(0);
    assert_eq!(fs::read(world.dst().join("few9/file")).unwrap().len(), FILE_BYTES);
}
