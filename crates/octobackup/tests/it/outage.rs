//! Mirror runs over a line that breaks: they go on, or say why not, and never delete for it.

use crate::world::{Ran, World, assert_same, finish, tree, until};
use octo_testkit::proxy::{Proxy, Trouble};
use octo_testkit::samba::Samba;
use octo_testkit::samba::SambaOptions;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

const FOLDERS: usize = 40;
const FILES: usize = 50;

/// A few thousand files, small and large.
fn samba() -> (Samba, PathBuf) {
    let samba = Samba::start(SambaOptions::new());
    let root = samba.share_path("plainfs");
    for folder in 0..FOLDERS {
        fs::create_dir(root.join(format!("d{folder}"))).unwrap();
        for file in 0..FILES {
            let content = vec![(folder * 7 + file) as u8; folder * 100 + file];
            fs::write(root.join(format!("d{folder}/f{file}")), content).unwrap();
        }
    }
    fs::write(root.join("large"), (0..20_000_000_u32).map(|i| (i / 1000) as u8).collect::<Vec<_>>()).unwrap();
    (samba, root)
}

fn start(world: &World, at: &str, options: &[&str]) -> Child {
    let (source, dst) = (format!("//{at}/plainfs"), world.dst());
    let mut args = vec!["sync".as_ref(), source.as_ref(), dst.as_os_str(), "--user".as_ref(), "plain".as_ref()];
    args.extend(options.iter().map(std::ffi::OsStr::new));
    world.program(&args).env("OCTOBACKUP_PASSWORD", "pw-plain").spawn().unwrap()
}

/// Files of the folders that are in the mirror by now.
fn arrived(world: &World) -> usize {
    let folders = (0..FOLDERS).map(|folder| fs::read_dir(world.dst().join(format!("d{folder}"))));
    folders.map(|files| files.map_or(0, |files| files.count())).sum()
}

fn sync(world: &World, at: &str, options: &[&str]) -> Ran {
    finish(start(world, at, options))
}

fn proxy(samba: &Samba) -> Proxy {
    Proxy::start(SocketAddr::new(samba.addr().parse().unwrap(), Samba::OTHER_PORT)).unwrap()
}

#[test]
fn a_server_killed_again_and_again_is_mirrored_all_the_same() {
    let (mut samba, root) = samba();
    let world = World::new();
    // Slow enough that much is still to come after the last kill.
    let mut run = start(&world, &samba.addr(), &["--bandwidth", "4MiB", "--reconnect", "60s"]);
    for files in [1, 250, 500, 750, 1000, 1250] {
        until(&format!("{files} files are there"), || run.try_wait().unwrap().is_some() || arrived(&world) >= files);
        samba.kill();
        assert!(run.try_wait().unwrap().is_none(), "it was over before the server was killed at {files} files");
        samba.start_again();
    }
    finish(run).ends(0);
    assert_same(&world.mirror(), &tree(&root));
}

#[test]
fn connections_cut_after_any_number_of_bytes_give_the_whole_mirror() {
    let (samba, root) = samba();
    let proxy = proxy(&samba);
    for bytes in [100_000, 150_000, 400_000, 1_500_000, 6_000_000] {
        let world = World::new();
        proxy.set(Trouble::default(), Trouble { cut_after_bytes: Some(bytes), ..Trouble::default() });
        sync(&world, &proxy.addr().to_string(), &["--reconnect", "30s"]).ends(0);
        assert_same(&world.mirror(), &tree(&root));
    }
}

#[test]
fn connections_that_do_not_carry_a_single_read_of_a_large_file_cost_that_file_only() {
    let (samba, root) = samba();
    let proxy = proxy(&samba);
    for bytes in [20_000, 60_000] {
        let world = World::new();
        proxy.set(Trouble::default(), Trouble { cut_after_bytes: Some(bytes), ..Trouble::default() });
        sync(&world, &proxy.addr().to_string(), &["--reconnect", "30s"]).ends(1).says("large");
        let mut expected = tree(&root);
        expected.retain(|path, _| !path.ends_with("large"));
        assert_same(&world.mirror(), &expected);
    }
}

#[test]
fn a_slow_line_in_crumbs_is_only_slow() {
    let (samba, root) = samba();
    let (proxy, world) = (proxy(&samba), World::new());
    let crumbs = Trouble { delay: Duration::from_millis(5), pieces_bytes_max: Some(700), ..Trouble::default() };
    proxy.set(crumbs, crumbs);
    sync(&world, &proxy.addr().to_string(), &[]).ends(0);
    assert_same(&world.mirror(), &tree(&root));
}

#[test]
fn a_server_that_does_not_come_back_ends_the_run_with_its_reason_and_deletes_nothing() {
    let (mut samba, root) = samba();
    let (proxy, world) = (proxy(&samba), World::new());
    let at = proxy.addr().to_string();
    sync(&world, &at, &[]).ends(0);
    let before = world.mirror();
    for folder in 0..FOLDERS {
        fs::remove_file(root.join(format!("d{folder}/f0"))).unwrap();
    }
    fs::write(root.join("more"), vec![1; 8 << 20]).unwrap();
    // The logon and some listings pass; then the server is gone for good.
    proxy.set(Trouble::default(), Trouble { cut_after_bytes: Some(60_000), ..Trouble::default() });
    let so_far = proxy.connections();
    let mut run = start(&world, &at, &["--bandwidth", "1MiB", "--reconnect", "2s"]);
    until("a second connection", || proxy.connections() >= so_far + 2);
    samba.kill();
    assert!(run.try_wait().unwrap().is_none(), "it ended before the server was gone");
    finish(run).ends(3).says("no connection for");
    let after = world.mirror();
    assert!(before.keys().all(|path| after.contains_key(path)), "something was deleted");
    samba.start_again();
    proxy.set(Trouble::default(), Trouble::default());
    sync(&world, &at, &[]).ends(0);
    assert_same(&world.mirror(), &tree(&root));
}
