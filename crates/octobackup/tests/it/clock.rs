//! A clock that jumped is believed when the source's own clock agrees, and not when that says something else.

use crate::agent::{HOST, Machine, add, listening, source};
use crate::world::{Ran, World, finish};
use octo_testkit::clock::{AHEAD_SECS, shim};
use octo_testkit::samba::{Samba, SambaOptions};
use std::ffi::OsString;
use std::fs;
use std::path::Path;

const DAY_SECS: i64 = 86_400;
const DOUBT: &str = "no older version was removed for its age";

/// As if the mirror's last run had been two months ago: nothing in between vouches for our clock.
fn was_off_for_two_months(mirror: &Path) {
    let marker = mirror.join(".octobackup/marker.toml");
    let text = fs::read_to_string(&marker).unwrap();
    let earlier = |line: &str| match line.split_once(" = ") {
        Some((name @ ("believed" | "since"), ticks)) => {
            format!("{name} = {}\n", ticks.parse::<i64>().unwrap() - 60 * DAY_SECS * 10_000_000)
        }
        _ => format!("{line}\n"),
    };
    let changed: String = text.lines().map(earlier).collect();
    assert_ne!(text, changed, "the marker keeps what the clock showed");
    fs::write(marker, changed).unwrap();
}

fn sync(world: &World, samba: &Samba) -> Ran {
    let (source, dst) = (format!("smb://backupop@{}/data", samba.addr()), world.dst());
    let args = ["sync".as_ref(), source.as_ref(), dst.as_os_str()];
    finish(world.program(&args).env("OCTOBACKUP_PASSWORD", "pw-backupop").spawn().unwrap()).ends(0)
}

/// The second of two runs, with two months in between.
fn after_two_months(options: SambaOptions) -> String {
    let (samba, world) = (Samba::start(options), World::new());
    fs::write(samba.share_path("data").join("file"), "data").unwrap();
    assert!(!sync(&world, &samba).stdout.contains(DOUBT));
    was_off_for_two_months(&world.dst());
    sync(&world, &samba).stdout
}

#[test]
fn a_servers_clock_vouches_for_ours_where_nobody_in_between_can_have_altered_it() {
    let said = after_two_months(SambaOptions::new());
    assert!(!said.contains(DOUBT), "{said}");
    let said = after_two_months(SambaOptions::new().global("server max protocol = SMB3_02"));
    assert!(said.contains(DOUBT) && !said.contains("the source's clock"), "{said}");
}

#[test]
fn a_server_whose_clock_says_something_else_vouches_for_nothing() {
    let said = after_two_months(SambaOptions::new().clock_ahead(30 * DAY_SECS));
    assert!(said.contains(DOUBT) && said.contains("the source's clock shows"), "{said}");
}

/// A job of an agent whose clock is ahead by so much, before and after two months in which our clock was not watched.
fn of_agent(ahead_secs: i64) -> String {
    let world = World::with_files();
    let (server, address) = listening(&world);
    let program = Path::new(env!("CARGO_BIN_EXE_octobackup")).with_file_name("octobackup-agent");
    let mut preload = OsString::from("LD_PRELOAD=");
    preload.push(shim(&world.path(".")));
    let ahead = format!("{AHEAD_SECS}={ahead_secs}").into();
    let command = vec!["env".into(), preload, ahead, program.into()];
    let mut machine = Machine::with(&world, command, &world.src(), Path::to_owned);
    machine.join(&server, &address);
    let skew_secs = server.json(&["host", "show", HOST])["clock_skew_secs"].as_i64().unwrap();
    assert!((skew_secs - ahead_secs).abs() < 3600, "{skew_secs}: does the shim work?");
    add(&server, &source(&world.src()), &[]);
    assert!(!server.ask(&["run", "demo"]).ends(0).stdout.contains(DOUBT));
    was_off_for_two_months(&world.dst());
    server.ask(&["run", "demo"]).ends(0).stdout
}

#[test]
fn an_agents_clock_vouches_for_ours_and_one_that_says_something_else_does_not() {
    let said = of_agent(0);
    assert!(!said.contains(DOUBT), "{said}");
    let said = of_agent(30 * DAY_SECS);
    assert!(said.contains(DOUBT) && said.contains("the source's clock shows"), "{said}");
}
