//! The program dies, or is refused, at single system calls, those of SQLite included: the next run ends as if nothing had
//! been, and nobody is told of damage that is not there.

#![expect(clippy::print_stdout, reason = "a failure can be repeated")]

use crate::world::{World, assert_same, tree};
use octo_testkit::strace::{self, EFFECTS};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

/// Other calls are tried by every run of the test. It is printed, so that one can be repeated.
fn seed() -> u32 {
    let given = std::env::var("OCTO_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(std::process::id);
    println!("OCTO_SEED={seed}");
    seed
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// A mirror of an older state of the source, kept aside, and the source changed since in every way.
struct Case {
    world: World,
}

impl Case {
    fn new() -> Case {
        let world = World::with_files();
        let write = |name: &str, text: &str| fs::write(world.src().join(name), text).unwrap();
        for n in 0..12 {
            write(&format!("f{n}"), &format!("first {n}"));
        }
        world.sync(&[]).ends(0);
        copy(&world.dst(), &world.path("older"));
        for n in 0..12 {
            let place = world.src().join(format!("f{n}"));
            match n % 4 {
                0 => write(&format!("f{n}"), &format!("second one, {n}")),
                1 => fs::rename(&place, world.src().join(format!("docs/moved{n}"))).unwrap(),
                2 => fs::remove_file(&place).unwrap(),
                _ => fs::set_permissions(&place, fs::Permissions::from_mode(0o640)).unwrap(),
            }
        }
        write("new", "new");
        std::os::unix::fs::symlink("a.txt", world.src().join("link")).unwrap();
        Case { world }
    }

    fn sync(&self) -> Command {
        let (src, dst) = (self.world.src(), self.world.dst());
        self.world.program(&[OsStr::new("sync"), src.as_os_str(), dst.as_os_str(), OsStr::new("-q")])
    }

    /// The older mirror, or none at all.
    fn reset(&self, is_first_run: bool) {
        let _ = fs::remove_dir_all(self.world.path("home"));
        if is_first_run {
            let _ = fs::remove_dir_all(self.world.dst());
        } else {
            copy(&self.world.path("older"), &self.world.dst());
        }
    }

    /// Somebody looks, which changes nothing; then a plain run ends well, and the next has nothing to do.
    #[track_caller]
    fn assert_goes_on(&self, what: &str) {
        println!("{what}");
        let meta = self.world.dst().join(".octobackup/meta");
        let before = meta.exists().then(|| tree(&meta));
        self.world.sync(&["--dry-run"]).ends(0);
        assert!(before == meta.exists().then(|| tree(&meta)), "{what}: a dry run changed the records");
        self.world.sync(&["-q"]).ends(0);
        assert_same(&self.world.mirror(), &tree(&self.world.src()));
        let report = self.world.sync(&["--json"]).ends(0).report();
        assert_eq!((&report["counts"]["created"], &report["counts"]["replaced"]), (&0.into(), &0.into()), "{what}");
    }

    fn for_samples(&self, calls: &[&str], is_first_run: bool, mut each: impl FnMut(&str, u32)) {
        let seed = seed();
        self.reset(is_first_run);
        for (call, count) in strace::count(&self.sync(), calls, &self.world.path("trace")) {
            println!("{call}: {count}");
            for k in strace::samples(count, seed) {
                self.reset(is_first_run);
                each(&call, k);
            }
        }
    }
}

/// Kills the run at each of these calls. Which thread makes a call differs from run to run, so a few of them come to their end.
fn killed_at(calls: &[&str], is_first_run: bool) {
    let (case, mut tried, mut killed) = (Case::new(), 0, 0);
    case.for_samples(calls, is_first_run, |call, k| {
        let (status, said) = strace::with_fate(&case.sync(), call, "signal=SIGKILL", k, false);
        assert!(status.signal() == Some(9) || status.success(), "{call} {k}: {status}: {said}");
        (tried, killed) = (tried + 1, killed + u32::from(!status.success()));
        case.assert_goes_on(&format!("killed at {call} {k}"));
    });
    assert!(killed * 2 > tried, "only {killed} of {tried} kills fell into the run");
}

#[test]
fn killed_at_any_system_call_of_a_run_the_next_run_ends_well() {
    killed_at(EFFECTS, false);
}

#[test]
fn killed_at_any_system_call_of_the_first_run_the_next_run_ends_well() {
    killed_at(&["pwrite64", "ftruncate", "fdatasync", "unlink", "renameat2"], true);
}

#[test]
fn a_disk_that_is_full_from_any_write_on_is_called_full_and_the_next_run_ends_well() {
    let case = Case::new();
    case.for_samples(&["pwrite64", "renameat2", "linkat"], false, |call, k| called_full(&case, call, "ENOSPC", k));
}

#[test]
fn a_quota_that_is_used_up_from_any_call_on_is_called_that_and_the_next_run_ends_well() {
    let case = Case::new();
    let calls = ["pwrite64", "renameat2", "linkat", "fdatasync", "ftruncate"];
    case.for_samples(&calls, false, |call, k| called_full(&case, call, "EDQUOT", k));
}

/// The run says that there is no room from the k-th call on, whichever it is.
fn called_full(case: &Case, call: &str, error: &str, k: u32) {
    let (status, said) = strace::with_fate(&case.sync(), call, &format!("error={error}"), k, true);
    let what = format!("{error} from {call} {k} on");
    assert!(!said.contains("damaged") && !said.contains("the target failed"), "{what}: {said}");
    assert!(["full", "No space", "quota"].iter().any(|it| said.contains(it)) || status.success(), "{what}: {said}");
    case.assert_goes_on(&what);
}

#[test]
fn a_disk_that_fails_at_any_call_proves_no_damage_and_the_next_run_ends_well() {
    let case = Case::new();
    case.for_samples(&["pwrite64", "ftruncate", "fdatasync", "fsync", "unlink"], false, |call, k| {
        let (_, said) = strace::with_fate(&case.sync(), call, "error=EIO", k, false);
        let what = format!("{call} {k} failed");
        assert!(!said.contains("damaged"), "{what}: {said}");
        case.assert_goes_on(&what);
    });
}

/// A filesystem in memory of some size.
struct Small(std::path::PathBuf);

impl Small {
    fn new(place: std::path::PathBuf, size: &str) -> Small {
        fs::create_dir(&place).unwrap();
        mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "none"], &place);
        Small(place)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn mount(args: &[&str], place: &Path) {
    assert!(Command::new("mount").args(args).arg(place).status().unwrap().success());
}

#[test]
fn a_disk_that_fills_up_before_the_records_are_settled_is_full_and_not_damaged() {
    let world = World::new();
    for n in 0..1500 {
        fs::write(world.src().join(format!("f{n}")), "small").unwrap();
    }
    for n in 0..3 {
        fs::write(world.src().join(format!("large{n}")), vec![n + 1; 14 << 20]).unwrap();
    }
    let small = Small::new(world.dst(), "40m");
    for _ in 0..3 {
        let (ran, looked) = (world.sync(&["-q"]), world.sync(&["--dry-run"]));
        assert_ne!(ran.code, 0, "it fits");
        assert!(!(ran.stderr + &looked.stderr + &looked.stdout).contains("damaged"));
    }
    mount(&["-o", "remount,size=400m"], &small.0);
    world.sync(&["-q"]).ends(0);
    world.assert_mirrored();
}
