//! The manual's way back: the script in `docs/manual/restore.md` is run as it is printed there.

use crate::world::{Tree, World, tree};
use std::fs;
use std::process::Command;
use std::time::SystemTime;

const MANUAL: &str = include_str!("../../../../docs/manual/restore.md");

/// The manual's last block of code.
fn script() -> &'static str {
    MANUAL.rsplit("```").nth(1).expect("a block of code")
}

/// Without the times of folders, which move when something is put back into them.
fn state(mut tree: Tree) -> Tree {
    tree.values_mut().filter(|(content, _)| content.is_none()).for_each(|(_, time)| *time = SystemTime::UNIX_EPOCH);
    tree
}

/// What happens to the source before each run.
fn change(world: &World, step: u32) {
    let at = |path: &str| world.src().join(path);
    let write = |path: &str, text: &str| {
        fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        fs::write(at(path), text).unwrap();
    };
    match step {
        1 => (0..30).for_each(|n| write(&format!("many/{n}"), &n.to_string())),
        2 => {
            write("a.txt", "two of it");
            fs::remove_dir_all(at("docs")).unwrap();
            write("new/deep/file", "n");
        }
        3 => {
            fs::rename(at("many/3"), at("new/three of many")).unwrap();
            write("a.txt", "three of it all");
        }
        4 => {
            fs::remove_dir_all(at("new")).unwrap();
            write("new", "a file now");
            fs::remove_file(at("many/4")).unwrap();
            write("many/4/in", "a folder now");
        }
        _ => fs::rename(at("many"), at("all of them")).unwrap(),
    }
}

#[test]
fn the_manuals_script_brings_back_the_state_before_every_run() {
    let jq = Command::new("jq").arg("--version").output();
    assert!(jq.is_ok(), "the manual's script needs jq; run:\n  apt-get install --no-install-recommends jq");
    let world = World::with_files();
    let mut states = Vec::new();
    for step in 1..=5 {
        change(&world, step);
        world.sync(&["--max-delete", "100%"]).ends(0);
        world.assert_mirrored();
        states.push(state(world.mirror()));
    }
    for before in 2..=5 {
        let restored = world.path(&format!("restored-{before}"));
        let script = script()
            .replace("/srv/mirror", world.dst().to_str().unwrap())
            .replace("/restore", restored.to_str().unwrap());
        let ran = Command::new("bash").args(["-euc", &script]).env("k", before.to_string()).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(state(tree(&restored)), states[before - 2], "before run {before}");
    }
}
