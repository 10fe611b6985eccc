//! The fixture itself: it starts, it restarts, it leaves nothing behind.

use super::{Samba, SambaOptions};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

fn answers(samba: &Samba) -> bool {
    super::address::PORTS.iter().all(|&port| TcpStream::connect((samba.addr(), port)).is_ok())
}

/// Ids of all processes in the session that `leader` leads.
fn session(leader: u32) -> Vec<u32> {
    let ids = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let mut fields = after_name.split_whitespace();
        let is_zombie = fields.next() == Some("Z");
        !is_zombie && fields.nth(2) == Some(leader.to_string().as_str())
    })
    .collect()
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn it_starts_stops_is_killed_and_starts_again_on_one_address() {
    let mut samba = Samba::start(SambaOptions::new());
    assert!(answers(&samba));
    let first = samba.pid().unwrap();
    samba.stop();
    assert!(!answers(&samba) && session(first).is_empty());
    samba.start_again();
    let second = samba.pid().unwrap();
    assert!(answers(&samba) && first != second);
    samba.kill();
    assert!(!answers(&samba) && session(second).is_empty());
    samba.start_again();
    let (third, folder) = (samba.pid().unwrap(), samba.folder.path().to_owned());
    assert!(answers(&samba) && folder.exists());
    drop(samba);
    assert!(session(third).is_empty() && !folder.exists());
}

/// Ids of all processes that were started with a file in `folder`.
fn started_with(folder: &Path) -> Vec<String> {
    let ids = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mention = folder.to_str().unwrap();
    ids.filter(|id| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.split(|&b| b == 0).any(|arg| String::from_utf8_lossy(arg).contains(mention))
    })
    .collect()
}

#[test]
fn helpers_that_leave_the_servers_session_end_with_it() {
    let samba = Samba::start(SambaOptions::new());
    std::fs::write(samba.share_path("data").join("f"), "x").unwrap();
    // Names of users are looked up over RPC.
    samba.deny("f");
    let folder = samba.folder.path().to_owned();
    let helper = folder.join("pid/samba-dcerpcd.pid");
    assert!(
        helper.exists() && started_with(&folder).contains(&std::fs::read_to_string(helper).unwrap().trim().to_owned())
    );
    drop(samba);
    assert_eq!(started_with(&folder), Vec::<String>::new());
}

#[test]
fn two_at_once_do_not_meet() {
    let (one, two) = (Samba::start(SambaOptions::new()), Samba::start(SambaOptions::new().user("more")));
    assert_ne!(one.addr(), two.addr());
    assert!(answers(&one) && answers(&two));
}

/// Run by the test below in a process of its own, which is then killed.
#[test]
#[ignore = "only a part of the_server_does_not_outlive_a_killed_process"]
fn a_process_to_be_killed() {
    let samba = Samba::start(SambaOptions::new());
    let said = format!("{} {}", samba.pid().unwrap(), samba.folder.path().display());
    std::fs::write(crate::child::order("OCTO_SAMBA_SAYS"), said).unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn the_server_does_not_outlive_a_killed_process() {
    let folder = tempfile::tempdir().unwrap();
    let says = folder.path().join("says");
    let mut process = crate::child::test("samba::tests::a_process_to_be_killed")
        .env("OCTO_SAMBA_SAYS", &says)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = || std::fs::read_to_string(&says).unwrap_or_default();
    wait_until("the process starts a server", || said().contains(' '));
    let text = said();
    let (pid, its_folder) = text.split_once(' ').unwrap();
    let pid = pid.parse().unwrap();
    assert!(!session(pid).is_empty());
    process.kill().unwrap();
    process.wait().unwrap();
    wait_until("the server ends", || session(pid).is_empty());
    wait_until("its files are removed", || !Path::new(its_folder).exists());
}

#[test]
fn a_realm_gives_tickets_for_the_server() {
    let samba = Samba::start(SambaOptions::new().with_kerberos());
    let cache = samba.kdc().log_in("plain");
    let before = std::fs::metadata(&cache).unwrap().len();
    samba.kdc().add_ticket(&cache, &samba.addr());
    assert!(std::fs::metadata(&cache).unwrap().len() > before);
    assert!(samba.kdc().address().starts_with(&samba.addr()));
}
