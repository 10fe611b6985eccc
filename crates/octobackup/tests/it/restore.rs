//! The manual's way back: the script in `docs/manual/restore.md` is run as it is printed there.

use crate::world::{Tree, World, tree};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

const MANUAL: &str = include_str!("../../../../docs/manual/restore.md");

/// Names that a record or a script could stumble over.
const ODD: [&[u8]; 10] = [
    b"100%",
    b"%0A",
    b"two\nlines",
    b"ends in a newline\n",
    b"\x01\x1b[2J\t\r",
    b"not utf-8 \xff\xed\xa0\x80",
    "\u{85}\u{2028}".as_bytes(),
    b"-rf",
    b" \\ 'quoted' \"twice\" $HOME ",
    b"*",
];

/// The manual's block of Python.
fn script() -> &'static str {
    MANUAL.split("```").find(|block| block.contains("import json")).expect("a block of code")
}

/// Takes a copy of the mirror back to the state before a run.
fn take_back(world: &World, run: usize) -> (PathBuf, Output) {
    let restored = world.path(&format!("restored-{run}"));
    let copied = Command::new("cp").arg("-a").args([&world.dst(), &restored]).status();
    assert!(copied.unwrap().success());
    fs::remove_dir_all(restored.join(".octobackup")).unwrap();
    let mut python = Command::new("python3");
    python.args(["-c", script()]).arg(world.dst()).arg(run.to_string()).arg(&restored);
    (restored, python.output().expect("the manual's script needs python3"))
}

/// Adds a second, as what is written in the same instant could look unchanged.
fn write(world: &World, path: &OsStr, text: &str) {
    let file = world.src().join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let later = fs::metadata(&file).map(|meta| meta.modified().unwrap() + Duration::from_secs(1));
    fs::write(&file, text).unwrap();
    if let Ok(later) = later {
        File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
    }
}

fn shift_by_an_hour(world: &World, path: &OsStr) {
    let file = File::options().write(true).open(world.src().join(path)).unwrap();
    file.set_modified(file.metadata().unwrap().modified().unwrap() + Duration::from_secs(3600)).unwrap();
}

/// What happens to the source before each run. Returns the options of the run.
fn change(world: &World, step: u32) -> &'static [&'static str] {
    let at = |path: &str| world.src().join(path);
    let write_to = |path: &str, text: &str| write(world, OsStr::new(path), text);
    let odd = |folder: &str| ODD.map(|name| [folder.as_bytes(), b"/", name].concat());
    match step {
        1 => {
            (0..30).for_each(|n| write_to(&format!("many/{n}"), &n.to_string()));
            for folder in ["changed", "deleted", "moved", "stamped", "kinds"] {
                odd(folder).iter().for_each(|path| write(world, OsStr::from_bytes(path), folder));
            }
            ODD.iter().for_each(|name| fs::create_dir(at("docs").join(OsStr::from_bytes(name))).unwrap());
        }
        2 => {
            write_to("a.txt", "two of it");
            fs::remove_dir_all(at("docs")).unwrap();
            write_to("new/deep/file", "n");
            odd("changed").iter().for_each(|path| write(world, OsStr::from_bytes(path), "changed again"));
            odd("created").iter().for_each(|path| write(world, OsStr::from_bytes(path), "new"));
        }
        3 => {
            fs::rename(at("many/3"), at("new/three of many")).unwrap();
            write_to("a.txt", "three of it all");
            fs::rename(at("moved"), at("moved\nto 50%")).unwrap();
            fs::remove_dir_all(at("deleted")).unwrap();
        }
        4 => {
            fs::remove_dir_all(at("new")).unwrap();
            write_to("new", "a file now");
            fs::remove_file(at("many/4")).unwrap();
            write_to("many/4/in", "a folder now");
            for path in odd("kinds") {
                let path = at("").join(OsStr::from_bytes(&path));
                fs::remove_file(&path).unwrap();
                std::os::unix::fs::symlink("a%b\n", &path).unwrap();
            }
        }
        5 => {
            odd("stamped").iter().for_each(|path| shift_by_an_hour(world, OsStr::from_bytes(path)));
            // What was renamed shares its content with a version.
            odd("moved\nto 50%").iter().for_each(|path| shift_by_an_hour(world, OsStr::from_bytes(path)));
            return &["--restamp-shift=+1h"];
        }
        _ => fs::rename(at("many"), at("all of them")).unwrap(),
    }
    &[]
}

/// Without the time of the topmost folder, which is not recorded, and is not in a [`Tree`].
#[test]
fn the_manuals_script_brings_back_the_state_before_every_run() {
    let world = World::with_files();
    let mut states: Vec<Tree> = vec![Tree::new()];
    for step in 1..=6 {
        let options = change(&world, step);
        let ran = world.sync(&[options, &["--max-delete", "100%"]].concat()).ends(0);
        if step == 5 {
            ran.says("Time only   20 files");
        }
        states.push(world.mirror());
    }
    for before in 1..=6 {
        let (restored, ran) = take_back(&world, before);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_alike(&tree(&restored), &states[before - 1], before);
    }
    for (state, should) in states.iter().enumerate().skip(1) {
        let to = world.path(&format!("state-{state}"));
        let ran = world.run(&[
            "restore".as_ref(),
            world.dst().as_ref(),
            "--at".as_ref(),
            state.to_string().as_ref(),
            "--to".as_ref(),
            to.as_ref(),
        ]);
        ran.ends(0);
        assert_alike(&tree(&to), should, state + 1);
    }
}

#[track_caller]
fn assert_alike(restored: &Tree, state: &Tree, before: usize) {
    let names = |tree: &Tree| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(restored), names(state), "before run {before}");
    for (path, (content, time)) in state {
        assert!(restored[path].0 == *content, "before run {before}: {path:?} has other content");
        let ticks = |time: &SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() / 100;
        assert_eq!(ticks(&restored[path].1), ticks(time), "before run {before}: the time of {path:?}");
    }
}

#[test]
fn the_manuals_script_stops_at_what_it_does_not_understand() {
    let world = World::with_files();
    world.sync(&[]).ends(0);
    write(&world, OsStr::new("a.txt"), "changed");
    world.sync(&[]).ends(0);
    let changes = world.dst().join(".octobackup/versions/2/changes");
    let whole = fs::read(&changes).unwrap();
    let add = |line: &[u8]| fs::write(&changes, [&whole[..], line].concat()).unwrap();

    add(b"{\"do\":\"invented\",\"path\":\"a.txt\"}\n");
    assert!(!take_back(&world, 2).1.status.success());
    fs::remove_dir_all(world.path("restored-2")).unwrap();
    add(b"no record\n");
    assert!(!take_back(&world, 2).1.status.success());
    fs::remove_dir_all(world.path("restored-2")).unwrap();
    // A record that was torn when the power went was never followed by its change.
    add(b"{\"do\":\"crea");
    let (restored, ran) = take_back(&world, 2);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(fs::read_to_string(restored.join("a.txt")).unwrap(), "one");

    fs::remove_dir_all(world.dst().join(".octobackup/versions/1")).unwrap();
    let to = world.path("too-old");
    let dst = world.dst();
    let args = ["restore".as_ref(), dst.as_ref(), "--at".as_ref(), "1".as_ref(), "--to".as_ref(), to.as_ref()];
    world.run(&args).ends(0);
    add(b"no record\n");
    world.run(&args).ends(3).says("versions/2/changes: line");

    let too_old = take_back(&world, 1).1;
    assert!(!too_old.status.success() && String::from_utf8_lossy(&too_old.stderr).contains("before run 2"));
}
