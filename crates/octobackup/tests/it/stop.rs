//! Being stopped, and not being alone.

use crate::world::{World, tree};
use rustix::process::Signal;
use std::fs;

const FILE_BYTES: usize = 1 << 20;

/// Some MiB, and options that make copying them take its time.
fn much() -> (World, &'static [&'static str]) {
    let world = World::new();
    for n in 0..12_u8 {
        fs::write(world.src().join(format!("f{n:02}")), vec![n; FILE_BYTES]).unwrap();
    }
    (world, &["--bandwidth", "2MiB"])
}

fn stopped_by(signal: Signal) {
    let (world, slowly) = much();
    let run = world.sync_until(slowly, "\"change\":\"created\"");
    run.signal(signal);
    let (code, report) = run.end();
    assert_eq!((code, &report["outcome"]), (130, &"cancelled".into()));
    let mirror = world.mirror();
    assert!(!mirror.is_empty() && mirror.len() < 12, "{} files were there", mirror.len());
    let source = tree(&world.src());
    assert!(mirror.iter().all(|(path, entry)| source[path].0 == entry.0), "something is half written");
    world.sync(&[]).ends(0);
    world.assert_mirrored();
}

/// How many files have their place, and how many are under way: some of their content has come.
fn placed_and_under_way(world: &World) -> (usize, usize) {
    let placed = world.mirror().len();
    let staged = tree(&world.dst().join(".octobackup/tmp"));
    let begun = staged.values().filter(|(content, _)| content.as_ref().is_some_and(|it| !it.is_empty()));
    (placed, begun.count())
}

#[test]
fn what_is_under_way_from_a_share_comes_to_its_end_and_nothing_is_left_behind() {
    let (samba, world) = (crate::share::samba(), World::new());
    for n in 0..12_u8 {
        fs::write(samba.share_path("data").join(format!("f{n:02}")), vec![n; 3 * FILE_BYTES]).unwrap();
    }
    let password = world.path("pw");
    fs::write(&password, "pw-backupop").unwrap();
    fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let source = format!("smb://backupop@{}/data", samba.addr());
    let options = ["--bandwidth", "8MiB", "--password-file", &password.display().to_string()];
    let run = world.sync_from_until(source.as_ref(), &options, "\"change\":\"created\"");
    let begun = std::time::Instant::now();
    let (placed, under_way) = loop {
        let (placed, under_way) = placed_and_under_way(&world);
        if under_way > 0 {
            break (placed, under_way);
        }
        assert!(begun.elapsed() < crate::world::WAIT_MAX, "nothing was ever under way");
    };
    run.signal(Signal::TERM);
    let (code, report) = run.end();
    assert_eq!((code, &report["outcome"]), (130, &"cancelled".into()));
    let source = tree(&samba.share_path("data"));
    let mirror = world.mirror();
    assert!(mirror.len() >= placed + under_way, "{placed} and {under_way} were there, now {}", mirror.len());
    assert!(mirror.len() < source.len() && mirror.iter().all(|(path, entry)| source[path].0 == entry.0));
    assert_eq!(tree(&world.dst().join(".octobackup/tmp")).len(), 0);
}

#[test]
fn ctrl_c_stops_cleanly_and_the_next_run_completes() {
    stopped_by(Signal::INT);
}

#[test]
fn termination_stops_cleanly_too() {
    stopped_by(Signal::TERM);
}

#[test]
fn a_bandwidth_limit_does_not_delay_the_end() {
    let (world, _) = much();
    // At this rate the first piece alone would take minutes.
    let run = world.sync_until(&["--bandwidth", "1K"], "\"phase\":\"copy\"");
    run.signal(Signal::INT);
    let begun = std::time::Instant::now();
    assert_eq!(run.end().0, 130);
    assert!(begun.elapsed() < crate::world::WAIT_MAX, "it took {:?}", begun.elapsed());
}

#[test]
fn a_cancelled_run_keeps_to_its_limit_and_ends_soon() {
    const LIMIT: u64 = 2 << 20;
    let world = World::new();
    // Not large enough to be resumed: it may come to its end, if that is soon.
    fs::write(world.src().join("f"), vec![7; 60 << 20]).unwrap();
    let run = world.sync_until(&["--bandwidth", "2MiB"], "\"phase\":\"copy\"");
    crate::world::until("a file is under way", || placed_and_under_way(&world).1 > 0);
    run.signal(Signal::TERM);
    let (code, report) = run.end();
    assert_eq!((code, &report["outcome"]), (130, &"cancelled".into()));
    let (bytes, millis) = (report["counts"]["copied_bytes"].as_u64().unwrap(), report["duration_ms"].as_u64().unwrap());
    // Each thread may bring one piece more.
    let allowed = LIMIT * millis / 1000 + (4 << 20);
    assert!(bytes > 0 && bytes <= allowed, "{bytes} bytes in {millis} ms");
    assert!(bytes < 60 << 20, "it ran to the end of the file");
}

#[test]
fn a_killed_run_leaves_whole_files_and_the_next_one_completes() {
    let (world, slowly) = much();
    drop(world.sync_until(slowly, "\"change\":\"created\""));
    let source = tree(&world.src());
    assert!(world.mirror().iter().all(|(path, entry)| source[path].0 == entry.0));
    world.sync(&[]).ends(0).says("did not end");
    world.assert_mirrored();
}

#[test]
fn a_first_run_that_was_killed_is_remembered_all_the_same() {
    let (world, slowly) = much();
    drop(world.sync_until(slowly, "\"change\":\"created\""));
    fs::rename(world.dst(), world.path("unmounted")).unwrap();
    world.sync(&[]).ends(3).says("not mounted");
}

#[test]
fn a_second_run_at_the_same_time_is_refused() {
    let (world, slowly) = much();
    let first = world.sync_until(slowly, "\"change\":\"created\"");
    let second = world.sync(&["--json"]).ends(3);
    assert_eq!(second.report()["causes"][0]["code"], "target-busy");
    first.signal(Signal::INT);
    assert_eq!(first.end().0, 130);
}
