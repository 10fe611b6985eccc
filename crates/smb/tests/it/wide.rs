//! One folder with half a million entries: listed whole, in little memory.

use crate::fixture::*;
use octo_core::{Entry, Error, ListSink, Listed, Source};
use std::fs;
use std::ops::ControlFlow;

const ENTRIES: usize = 500_000;
/// Names of one file: no filesystem takes as many as there are entries.
const NAMES_OF_A_FILE: usize = 50_000;
/// A page of the listing is at most one mebibyte.
const MEMORY_BYTES_MAX: u64 = 48 << 20;

/// Ticks entries off.
struct Ticks {
    seen: Vec<bool>,
    count: usize,
}

impl ListSink for Ticks {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        let number: usize = entry.name.to_string().trim_start_matches("entry number ").parse().unwrap();
        assert!(!std::mem::replace(&mut self.seen[number], true), "{number} came twice");
        self.count += 1;
        ControlFlow::Continue(())
    }
    fn problem(&mut self, name: &[u8], error: Error) {
        panic!("{}: {error}", String::from_utf8_lossy(name));
    }
    fn restart(&mut self) {
        panic!("nothing was lost");
    }
}

/// A line of what the kernel says of this process, in bytes.
fn memory_bytes(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|l| l.strip_prefix(line)).unwrap();
    found.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap() * 1024
}

#[test]
fn half_a_million_entries_of_one_folder_come_each_once_in_little_memory() {
    let samba = samba();
    let folder = samba.share_path("plainfs").join("wide");
    fs::create_dir(&folder).unwrap();
    let name = |number: usize| folder.join(format!("entry number {number:06}"));
    for number in 0..ENTRIES {
        match number % NAMES_OF_A_FILE {
            0 => drop(fs::File::create(name(number)).unwrap()),
            more => fs::hard_link(name(number - more), name(number)).unwrap(),
        }
    }
    let source = connect(&samba, "plainfs", "plain");
    assert_eq!(list_all(&source, "").names(), ["wide"]);
    let mut ticks = Ticks { seen: vec![false; ENTRIES], count: 0 };
    // Forgets the peak so far.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory_bytes("VmRSS:");
    assert_eq!(source.list(&path("wide"), &mut ticks), Listed::Complete);
    let peak = memory_bytes("VmHWM:");
    assert_eq!(ticks.count, ENTRIES);
    assert!(peak < before + MEMORY_BYTES_MAX, "{} MiB more than before", (peak - before) >> 20);
}
