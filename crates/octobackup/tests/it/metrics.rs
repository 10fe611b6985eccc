//! What a monitoring system reads, judged by Prometheus' own tool.

use crate::server::Server;
use crate::world::World;
use octo_testkit::clock::far_from_now;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

/// What `promtool` says of a page, and whether it finds nothing to complain about.
fn judged(page: &str) -> (bool, String) {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool, of the Debian package prometheus");
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success() && said.is_empty(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_metrics_of_a_server_with_jobs_of_all_kinds_are_clean() {
    let world = World::with_files();
    let server = Server::start(&world);
    let (clean, said) = judged(&server.metrics());
    assert!(clean, "of a new server: {said}");
    let source = world.src().display().to_string();
    let target = |name: &str| world.path(name).display().to_string();
    let gone = world.path("no such folder").display().to_string();
    for (job, source) in [("good", &source), ("failed", &gone), ("dry", &source), ("never", &source)] {
        server.ask(&["job", "add", job, source, &target(job), "--schedule", &far_from_now()]).ends(0);
    }
    server.ask(&["run", "good"]).ends(0);
    server.ask(&["run", "failed"]);
    server.ask(&["run", "dry", "--dry-run"]);
    // Its deletions wait for approval.
    for entry in fs::read_dir(world.src()).unwrap().flatten() {
        let removed =
            if entry.path().is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        removed.unwrap();
    }
    server.ask(&["run", "good"]);
    let page = server.metrics();
    assert!(page.contains("job=\"good\"") && page.contains("job=\"never\""), "{page}");
    let (clean, said) = judged(&page);
    assert!(clean, "{said}\n{page}");
    // It would say so.
    let (clean, said) = judged("# TYPE octobackup_wrong counter\noctobackup_wrong 1\n");
    assert!(!clean && said.contains("octobackup_wrong"), "{said}");
}
