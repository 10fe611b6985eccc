//! Mirror runs while somebody in between turns over bits of what the server says: whatever comes of it, the program does
//! not fall over or hang, and what is in the mirror is what was at the source at one time or another.

use crate::world::{World, assert_same, finish, tree};
use octo_testkit::proxy::{Proxy, Trouble};
use octo_testkit::samba::{Samba, SambaOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const FOLDERS: usize = 8;
const FILES: usize = 12;
const LARGE_BYTES: usize = 1_500_000;
/// The logon is somewhere within.
const LOGON_BYTES: u64 = 2_400;
/// A bit in the length of a message makes the client wait for what never comes: half a minute, or, while the server is
/// alive, six times as long.
const RUN_TIME_MAX: Duration = Duration::from_secs(240);

/// What every file was at one time or another.
type KnownMirrors = BTreeMap<PathBuf, BTreeSet<Vec<u8>>>;

/// A share that is another one in every round: files change, come and go.
struct Share {
    samba: Samba,
    name: &'static str,
    known: KnownMirrors,
    round: usize,
}

impl Share {
    fn new(options: SambaOptions, name: &'static str) -> Share {
        let mut share = Share { samba: Samba::start(options), name, known: KnownMirrors::new(), round: 0 };
        for folder in 0..FOLDERS {
            fs::create_dir(share.root().join(format!("d{folder}"))).unwrap();
            for file in 0..FILES {
                share.write(&format!("d{folder}/f{file}"), folder * 997 + file * 31);
            }
        }
        share.next();
        share
    }

    fn root(&self) -> PathBuf {
        self.samba.share_path(self.name)
    }

    fn write(&mut self, path: &str, bytes: usize) {
        let content: Vec<u8> = format!("{path} in round {}\n", self.round).bytes().cycle().take(bytes + 30).collect();
        fs::write(self.root().join(path), &content).unwrap();
        self.known.entry(path.into()).or_default().insert(content);
    }

    fn next(&mut self) {
        self.round += 1;
        let round = self.round;
        for file in 0..4 {
            let folder = (round + file) % FOLDERS;
            self.write(&format!("d{folder}/f{file}"), 500 * file + round);
            self.write(&format!("d{folder}/only in round {round} {file}"), 100);
            if round > 1 {
                let gone =
                    self.root().join(format!("d{}/only in round {} {file}", (round - 1 + file) % FOLDERS, round - 1));
                fs::remove_file(gone).unwrap();
            }
        }
        self.write("large", LARGE_BYTES);
    }

    /// Nothing in the mirror was never at the source, and nothing of `before` that is at the source has gone.
    fn check(&self, mirror: &Path, before: &Entries, at: u64) {
        let after = entries(mirror);
        for (path, content) in &after {
            let Some(content) = content else { continue };
            let known = self.known.get(path);
            assert!(known.is_some_and(|known| known.contains(content)), "turned at {at}: {} is wrong", path.display());
        }
        for (path, _) in entries(&self.root()) {
            let kept = !before.contains_key(&path) || after.contains_key(&path);
            assert!(kept, "turned at {at}: {} was deleted", path.display());
        }
    }
}

type Entries = BTreeMap<PathBuf, Option<Vec<u8>>>;

fn entries(root: &Path) -> Entries {
    let all = tree(root).into_iter().map(|(path, (content, _))| (path, content));
    all.filter(|(path, _)| !path.starts_with(".octobackup")).collect()
}

/// More of them where the connection begins, then ever farther apart.
fn places() -> impl Iterator<Item = u64> {
    let logon = (0..19).map(|i| i * LOGON_BYTES / 19);
    logon.chain((0..12).map(|i| LOGON_BYTES + 150 * i * i * i))
}

/// One run with a bit turned over at this place of a connection; its exit code.
fn run(world: &World, proxy: &Proxy, share: &Share, at: Option<u64>, options: &[&str]) -> i32 {
    proxy.set(Trouble::default(), Trouble { flip_at_byte: at, ..Trouble::default() });
    let (source, dst) = (format!("//{}/{}", proxy.addr(), share.name), world.dst());
    let mut args = vec!["sync".as_ref(), source.as_ref(), dst.as_os_str(), "--reconnect".as_ref(), "1s".as_ref()];
    args.extend(options.iter().map(std::ffi::OsStr::new));
    let begun = Instant::now();
    let ran = finish(world.program(&args).env("OCTOBACKUP_PASSWORD", "pw-plain").spawn().unwrap());
    assert!(begun.elapsed() < RUN_TIME_MAX, "turned at {at:?}: it took {:?}", begun.elapsed());
    assert!(!ran.stderr.contains("panicked"), "turned at {at:?}: {}", ran.stderr);
    assert!(matches!(ran.code, 0 | 1 | 3 | 4), "turned at {at:?}: {}\n{}{}", ran.code, ran.stdout, ran.stderr);
    ran.code
}

/// Runs with a bit turned over at every place, the source another one each time; then one over a good line.
fn survive(mut share: Share, options: &[&str], is_protected: bool) {
    let world = World::new();
    let proxy = Proxy::start(SocketAddr::new(share.samba.addr().parse().unwrap(), Samba::OTHER_PORT)).unwrap();
    assert_eq!(run(&world, &proxy, &share, None, options), 0);
    let mut turned = 0;
    for at in places() {
        share.next();
        let before = entries(&world.dst());
        run(&world, &proxy, &share, Some(at), options);
        turned += usize::from(proxy.has_flipped());
        if is_protected {
            share.check(&world.dst(), &before, at);
        }
    }
    assert!(turned >= 25, "the server spoke at {turned} of the places only");
    share.next();
    assert_eq!(run(&world, &proxy, &share, None, options), 0);
    if is_protected {
        assert_same(&world.mirror(), &tree(&share.root()));
    }
}

#[test]
fn a_signed_line_with_bits_turned_over_leaves_nothing_wrong_in_the_mirror() {
    survive(Share::new(SambaOptions::new(), "plainfs"), &["--user", "plain", "--encrypt", "off"], true);
}

#[test]
fn an_encrypted_line_with_bits_turned_over_leaves_nothing_wrong_in_the_mirror() {
    survive(Share::new(SambaOptions::new(), "plainfs"), &["--user", "plain", "--encrypt", "require"], true);
}

#[test]
fn an_older_protocol_with_bits_turned_over_leaves_nothing_wrong_in_the_mirror() {
    let old = SambaOptions::new().global("server max protocol = SMB2_10").global("server signing = mandatory");
    survive(Share::new(old, "plainfs"), &["--user", "plain", "--min-dialect", "2.1"], true);
}

#[test]
fn a_guests_line_that_nobody_signs_with_bits_turned_over_ends_in_order() {
    let options = SambaOptions::new().global("map to guest = Bad User").global("guest account = plain");
    let options = options.share("public", "public", &["guest ok = yes", "vfs objects ="]);
    // What is neither signed nor encrypted may be altered unseen, as the report says: only that it ends is promised.
    survive(Share::new(options, "public"), &["--guest"], false);
}
