//! Which states are kept, on the command line: why each is, what other rules would keep, and pins.

use crate::world::{Ran, World};
use std::ffi::OsStr;
use std::fs;

fn run(world: &World, command: &str, args: &[&str]) -> Ran {
    let dst = world.dst();
    let args = args.iter().map(OsStr::new);
    world.run(&[OsStr::new(command), dst.as_os_str()].into_iter().chain(args).collect::<Vec<_>>())
}

/// Six states, each with another content of one file.
fn six_states() -> World {
    let world = World::with_files();
    for number in 0..6 {
        fs::write(world.src().join("a.txt"), "x".repeat(1000 + number)).unwrap();
        world.sync(&[]).ends(0);
    }
    world
}

#[test]
fn states_say_why_they_are_kept_and_other_rules_are_tried_before_they_are_saved() {
    let world = six_states();
    run(&world, "states", &[]).ends(0).says("[the mirror as it is]").says("[one of the last 3, within 30 days]");
    run(&world, "pin", &["1", "before the migration"]).ends(0).says("State 1 is kept until it is unpinned");
    let states = run(&world, "states", &["--json"]).ends(0).events();
    let of_first = &states.last().unwrap();
    assert_eq!(of_first["pinned"], "before the migration");
    assert_eq!(of_first["because"][0], "pinned: before the migration");
    let tried = run(&world, "retention", &["--simulate", "daily=1", "--json"]).ends(0).events();
    let kept = |state: u64| tried.iter().find(|line| line["state"] == state).map(|line| line["kept"] == true);
    assert_eq!([1, 2, 3, 6].map(kept), [Some(true), Some(false), Some(true), Some(true)], "{tried:?}");
    let sum = tried.last().unwrap();
    assert_eq!((sum["removed"].as_u64(), sum["freed_bytes"].as_u64()), (Some(1), Some(1001)), "{sum}");
    run(&world, "retention", &[]).ends(0).says("Rules all=30d: 6 states kept, 0 states removed");
    run(&world, "retention", &["--simulate", "hourly=1"]).ends(2).says("such as all=14d");
    run(&world, "pin", &["99"]).ends(2).says("there is no state 99 yet");
    let ran = world.sync(&["--keep", "daily=1"]).ends(0);
    ran.says("older versions of 1 state were removed").says("state 2 of ");
    run(&world, "ls", &["--at", "2"])
        .ends(2)
        .says("there is no state 2 any more: the nearest that are kept are 1 and 3");
    run(&world, "unpin", &["1"]).ends(0);
    run(&world, "unpin", &["1"]).ends(5).says("not pinned");
    world.sync(&["--keep", "daily=1", "--keep-versions", "3d"]).ends(2).says("give one of both");
    world.sync(&["--keep", "daily=1", "--no-versions"]).ends(2).says("give one of both");
}

#[test]
fn the_script_of_the_manual_takes_back_runs_whose_records_are_together() {
    let world = six_states();
    run(&world, "pin", &["1"]).ends(0);
    world.sync(&["--keep", "all=0s"]).ends(0);
    let manual = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/manual/restore.md")).unwrap();
    let script = manual.split("```\n").find(|block| block.starts_with("import json")).unwrap();
    let (file, copy) = (world.path("restore.py"), world.path("copy"));
    fs::write(&file, script).unwrap();
    let ran = |before: &str| {
        let _ = fs::remove_dir_all(&copy);
        let copied = std::process::Command::new("cp").arg("-a").arg(world.dst()).arg(&copy).status().unwrap();
        assert!(copied.success());
        fs::remove_dir_all(copy.join(".octobackup")).unwrap();
        let dst = world.dst();
        let args = [file.as_os_str(), dst.as_os_str(), before.as_ref(), copy.as_os_str()];
        let output = std::process::Command::new("python3").args(args).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(ran("2"), (true, String::new()));
    assert_eq!(fs::read(copy.join("a.txt")).unwrap().len(), 1000, "state 1");
    assert_eq!(ran("4"), (true, String::new()));
    assert_eq!(fs::read(copy.join("a.txt")).unwrap().len(), 1002, "state 3");
    let (is_done, why) = ran("3");
    assert!(!is_done && why.contains("the state before run 3 was removed"), "{why}");
}
