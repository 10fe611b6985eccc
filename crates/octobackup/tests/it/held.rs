//! Deletions that wait for a person.

use crate::server::{Server, add};
use crate::world::World;
use serde_json::Value;
use std::fs;

/// Many files, mirrored; then most of them gone.
fn mostly_gone() -> World {
    let world = World::new();
    for n in 0..60 {
        fs::write(world.src().join(format!("f{n:02}")), n.to_string()).unwrap();
    }
    world.sync(&[]).ends(0);
    (0..40).for_each(|n| fs::remove_file(world.src().join(format!("f{n:02}"))).unwrap());
    world
}

fn plan(world: &World) -> String {
    let shown = world.held(&["--json"]).ends(0).events().remove(0);
    shown["held"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn suspiciously_many_deletions_wait_until_they_are_approved() {
    let world = mostly_gone();
    fs::write(world.src().join("f50"), "changed").unwrap();
    let ran = world.sync(&[]).ends(4).says("deletions wait for approval");
    assert_eq!(world.mirror().len(), 60, "nothing was deleted");
    assert_eq!(fs::read_to_string(world.dst().join("f50")).unwrap(), "changed", "copies were made");
    let id = plan(&world);
    assert!(ran.stdout.contains(&format!("--approve {id}")));
    world.held(&[]).ends(0).says("40 files").says("- f00").says(&id);

    world.held(&["--approve", "000000000000"]).ends(2).says("superseded");
    assert_eq!(world.mirror().len(), 60);
    world.held(&["--approve", &id]).ends(0).says("Deleted     40 files");
    world.assert_mirrored();
    world.held(&[]).ends(0).says("Nothing waits");
}

#[test]
fn approval_deletes_only_what_is_still_gone() {
    let world = mostly_gone();
    world.sync(&[]).ends(4);
    let id = plan(&world);
    fs::write(world.src().join("f00"), "back").unwrap();
    world.held(&["--approve", &id, "--quiet"]).ends(0);
    assert_eq!(fs::read_to_string(world.dst().join("f00")).unwrap(), "back");
    world.assert_mirrored();
}

#[test]
fn approval_runs_with_the_options_of_the_job() {
    let world = mostly_gone();
    fs::write(world.src().join("new.tmp"), "x").unwrap();
    world.sync(&["--exclude", "*.tmp"]).ends(4);
    world.held(&["--approve", &plan(&world)]).ends(0);
    assert!(!world.dst().join("new.tmp").exists());
    assert_eq!(world.mirror().len(), 20);
}

#[test]
fn a_limit_of_ones_own_lets_them_pass_and_no_delete_keeps_all() {
    let world = mostly_gone();
    world.sync(&["--no-delete"]).ends(0);
    assert_eq!(world.mirror().len(), 60);
    world.sync(&["--max-delete", "39"]).ends(4).says("--max-delete allows 39");
    let world = mostly_gone();
    world.sync(&["--max-delete", "40"]).ends(0);
    world.assert_mirrored();
}

#[test]
fn a_dry_run_says_what_would_be_held() {
    let world = mostly_gone();
    world.sync(&["-n"]).ends(4).says("- f00 (held)").says("would wait for approval");
    world.held(&[]).ends(0).says("Nothing waits");
}

#[test]
fn held_deletions_are_dismissed_and_approved_through_the_server() {
    let world = World::new();
    for n in 0..30 {
        fs::write(world.src().join(format!("f{n}")), "x").unwrap();
    }
    let server = Server::start(&world);
    add(&server, &[]).ends(0);
    server.ask(&["run", "demo"]).ends(0);
    for n in 0..25 {
        fs::remove_file(world.src().join(format!("f{n}"))).unwrap();
    }
    server.ask(&["run", "demo"]).ends(4).says("held").says("octobackup job dismiss demo");
    assert_eq!(world.mirror().len(), 30);
    let id = server.json(&["runs"])[0]["id"].to_string();
    let report: Value = serde_json::from_str(&server.ask(&["report", &id, "--json"]).stdout).unwrap();
    let plan = report["held_plan"].as_str().unwrap();
    server.ask(&["job", "dismiss", "demo", "0123456789ab"]).ends(2).says(plan);
    server.ask(&["job", "dismiss", "demo", plan]).ends(0);
    server.ask(&["job", "show", "demo"]).ends(0).says("Dismissed").says(plan);
    assert_eq!(world.mirror().len(), 30);
    server.ask(&["run", "demo", "--approve", plan]).ends(0);
    world.assert_mirrored();
}
