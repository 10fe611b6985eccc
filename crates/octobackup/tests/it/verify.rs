//! `octobackup verify`, as it is typed.

use crate::world::{Ran, World};
use std::ffi::OsStr;
use std::fs;
use std::time::{Duration, UNIX_EPOCH};

fn verify(world: &World, options: &[&str]) -> Ran {
    let args: Vec<&OsStr> = ["verify"].iter().chain(options).map(OsStr::new).collect();
    world.run(&args)
}

/// Another content with the same size and time.
fn damage(path: &std::path::Path) {
    let time = fs::metadata(path).unwrap().modified().unwrap();
    let mut content = fs::read(path).unwrap();
    content[0] ^= 0x10;
    fs::write(path, content).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn damage_of_a_file_and_of_a_version_is_named_and_the_exit_code_says_it() {
    let world = World::new();
    for n in 0..5 {
        fs::write(world.src().join(format!("f{n}")), format!("content {n}")).unwrap();
    }
    world.sync(&[]).ends(0);
    fs::write(world.src().join("f1"), "another content").unwrap();
    world.sync(&[]).ends(0);
    let mirror = world.dst();
    let dst = mirror.to_str().unwrap();
    verify(&world, &[dst]).ends(0).says("6 of 6 files intact");
    assert_eq!(verify(&world, &[dst, "--quiet"]).ends(0).stdout, "");
    verify(&world, &[dst, "--older-than", "30d"]).ends(0).says("6 not read this time");

    damage(&mirror.join("f3"));
    damage(&mirror.join(".octobackup/versions/2/tree/f1"));
    let touched = fs::File::options().write(true).open(mirror.join("f4")).unwrap();
    touched.set_modified(UNIX_EPOCH + Duration::from_secs(5)).unwrap();
    let ran = verify(&world, &[dst]).ends(1).says("3 of 6 files intact");
    ran.says("f3: content damaged").says("versions/2/tree/f1: content damaged").says("f4: changed in the mirror");
    let events = verify(&world, &[dst, "--json"]).ends(1).events();
    let last = events.last().unwrap();
    assert_eq!((last["event"].as_str(), last["counts"]["problems"].as_u64()), (Some("verified"), Some(3)), "{last}");

    fs::remove_dir_all(mirror.join(".octobackup/hashes")).unwrap();
    verify(&world, &[dst]).ends(1).says("6 without a recorded hash");
    verify(&world, &[dst, "--record"]).ends(0).says("6 had no recorded hash");
    verify(&world, &[dst]).ends(0).says("6 of 6 files intact");
    verify(&world, &[world.src().to_str().unwrap()]).ends(2).says("no mirror");
    verify(&world, &[dst, "--sample", "0%"]).ends(2);
}
