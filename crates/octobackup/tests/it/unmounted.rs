//! A disk that is not mounted is noticed whatever the environment says.

use crate::world::{Ran, World, finish};
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Where no folder can be made, not even by root.
const NOWHERE: &str = "/dev/null/home";

/// Unmounted with the test.
pub struct Mount(PathBuf);

impl Mount {
    pub fn tmpfs(at: PathBuf) -> Mount {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2g", "none"]).arg(&at).status();
        assert!(mounted.unwrap().success());
        Mount(at)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// `sync` with nothing in its environment but this.
fn sync_with(world: &World, environment: &[(&str, &OsStr)], options: &[&str]) -> Ran {
    let (source, target) = (world.src(), world.dst());
    let args = [OsStr::new("sync"), source.as_os_str(), target.as_os_str()];
    let mut command = world.program(&args.into_iter().chain(options.iter().map(OsStr::new)).collect::<Vec<_>>());
    finish(command.env_clear().envs(environment.iter().copied()).spawn().unwrap())
}

#[test]
fn what_a_run_at_a_terminal_remembers_is_known_to_one_that_cron_starts() {
    let world = World::with_files();
    fs::create_dir(world.dst()).unwrap();
    let (home, of_user, state) = (world.path("home"), world.path("of-user"), world.path("state"));
    let lasting = ("OCTOBACKUP_TEST_HOME", home.as_os_str());
    let at_terminal = [lasting, ("HOME", of_user.as_os_str()), ("XDG_STATE_HOME", state.as_os_str())];
    let mounted = Mount::tmpfs(world.dst());
    sync_with(&world, &at_terminal, &[]).ends(0);
    drop(mounted);
    sync_with(&world, &[lasting], &[]).ends(3).says("not mounted");
    sync_with(&world, &[lasting, ("HOME", OsStr::new(NOWHERE))], &[]).ends(3).says("not mounted");
    sync_with(&world, &at_terminal, &[]).ends(3).says("not mounted");
    assert!(fs::read_dir(world.dst()).unwrap().next().is_none());
}

#[test]
fn where_nothing_can_be_remembered_an_empty_folder_is_not_begun_unasked() {
    let world = World::with_files();
    fs::create_dir(world.dst()).unwrap();
    let nowhere = [("OCTOBACKUP_TEST_HOME", OsStr::new(NOWHERE))];
    sync_with(&world, &nowhere, &[]).ends(2).says("--new-target").says("no mount point");
    assert!(fs::read_dir(world.dst()).unwrap().next().is_none());
    // On a disk that is mounted nothing can be mistaken; and once it is not, the same rule holds.
    let mounted = Mount::tmpfs(world.dst());
    sync_with(&world, &nowhere, &[]).ends(0).says("could not be remembered");
    sync_with(&world, &nowhere, &[]).ends(0);
    drop(mounted);
    sync_with(&world, &nowhere, &[]).ends(2).says("--new-target");
    // A person may say so; from then on it is a mirror.
    sync_with(&world, &nowhere, &["--new-target"]).ends(0);
    sync_with(&world, &nowhere, &[]).ends(0);
    world.assert_mirrored();
}
