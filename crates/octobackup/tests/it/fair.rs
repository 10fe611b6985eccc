//! Two jobs on one server, over one slow line: neither crowds out the other.

use crate::world::{World, finish, until};
use octo_testkit::proxy::{Proxy, Trouble};
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Child;

const FILE_BYTES: usize = 8 * 1024;
const BACKLOG_FILES: usize = 6_000;
const BACKLOG_LARGE_BYTES: usize = 36_000_000;
const FEW_FILES: usize = 30;
/// The backlog takes half a minute alone: the small job has its time on a busy machine too.
const LINE_BYTES_PER_SEC: u32 = 2_800_000;

fn start(world: &World, proxy: &Proxy, share: &str) -> Child {
    let (source, dst) = (format!("//{}/{share}", proxy.addr()), world.dst());
    let args = ["sync".as_ref(), source.as_ref(), dst.as_os_str(), "--user".as_ref(), "plain".as_ref()];
    world.program(&args).env("OCTOBACKUP_PASSWORD", "pw-plain").spawn().unwrap()
}

/// Files that are in the mirror by now.
fn arrived(world: &World) -> usize {
    let listed = fs::read_dir(world.dst().join("files"));
    listed.map_or(0, |entries| entries.count())
}

fn fill(root: &Path, files: usize) {
    fs::create_dir(root.join("files")).unwrap();
    for number in 0..files {
        fs::write(root.join(format!("files/{number:05}")), vec![number as u8; FILE_BYTES]).unwrap();
    }
}

#[test]
fn a_small_job_is_done_while_one_with_a_huge_backlog_on_the_same_server_goes_on() {
    let options = SambaOptions::new();
    let options = ["backlog", "few"].iter().fold(options, |all, name| all.share(name, name, &["vfs objects ="]));
    let samba = Samba::start(options);
    fill(&samba.share_path("backlog"), BACKLOG_FILES);
    fs::write(samba.share_path("backlog").join("large"), vec![7; BACKLOG_LARGE_BYTES]).unwrap();
    fill(&samba.share_path("few"), FEW_FILES);
    let proxy = Proxy::start(SocketAddr::new(samba.addr().parse().unwrap(), Samba::OTHER_PORT)).unwrap();
    let line = Trouble {
        line_bytes_per_sec: Some(LINE_BYTES_PER_SEC),
        pieces_bytes_max: Some(16 * 1024),
        ..Trouble::default()
    };
    proxy.set(line, line);

    let (big, small) = (World::new(), World::new());
    let mut backlog = start(&big, &proxy, "backlog");
    until("the big job copies", || arrived(&big) >= BACKLOG_FILES / 100);
    let before = arrived(&big);
    finish(start(&small, &proxy, "few")).ends(0);
    let after = arrived(&big);
    assert_eq!(arrived(&small), FEW_FILES);
    assert!(after < BACKLOG_FILES * 2 / 3, "the small job waited for {after} of {BACKLOG_FILES} files of the big one");
    assert!(backlog.try_wait().unwrap().is_none());
    until("the big job goes on", || arrived(&big) > before);
    proxy.set(Trouble::default(), Trouble::default());
    finish(backlog).ends(0);
    assert_eq!(arrived(&big), BACKLOG_FILES);
}
