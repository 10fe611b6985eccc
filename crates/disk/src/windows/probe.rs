//! Finding out what a filesystem can do, by doing it in a folder of our own.
//!
//! It must leave nothing behind, and never touches what it did not make: what it makes is gone with its handle.

use crate::times;
use crate::windows::fault::{self, Fault};
use crate::windows::nt::{self, How};
use crate::windows::{Handle, filesystem, stat, tree};
use octo_core::{Abilities, NameRules, TimeRules, Timestamp, wide};
use std::hash::{BuildHasher, Hasher};
use windows_sys::Wdk::Storage::FileSystem as wdk;
use windows_sys::Win32::Storage::FileSystem as fs;

const PREFIX: &str = ".octobackup-probe-";
/// The longest name of NTFS, FAT and their like, in UTF-16 units.
const LENGTH_MAX: usize = 255;

/// What Windows allows in names, on every filesystem it has; its own programs cannot open what breaks these rules.
fn names(parent: &Handle) -> Result<NameRules, Fault> {
    Ok(NameRules {
        length_max: LENGTH_MAX,
        counts_utf16: counts_utf16(parent)?,
        folds_case: true,
        forbidden: "<>:\"|?*\\".to_owned(),
        utf8_only: true,
        windows_rules: true,
    })
}

/// Whether a name may have as many units as ever, whatever they are: not where another system's filesystem is behind it
/// all (Wine, some servers), which counts bytes.
fn counts_utf16(parent: &Handle) -> Result<bool, Fault> {
    let name = private_name(PREFIX);
    let longest = format!("{name}{}", "\u{4e2d}".repeat(LENGTH_MAX - name.len()));
    match tree::passing(parent, &longest) {
        // Names must not depend on how full the disk is.
        Err(fault) if fault::is_full(fault) => Err(fault),
        made => Ok(made.is_ok()),
    }
}

/// A name that nobody else has: unpredictable, so that nothing can wait there for us.
pub(crate) fn private_name(prefix: &str) -> String {
    // The standard library's hasher is keyed from the system's random numbers.
    let random = std::hash::RandomState::new().build_hasher().finish();
    format!("{prefix}{random:016x}")
}

/// Probes the filesystem with a file in `parent` that is gone afterwards, even if the process is killed.
pub(crate) fn probe(parent: &Handle) -> Result<Abilities, Fault> {
    let name = private_name(PREFIX);
    let file = tree::passing(parent, &name)?;
    Ok(Abilities {
        filesystem: filesystem::name(parent),
        hard_links: has_hard_links(parent, &file, &name),
        rename_noreplace: true,
        symlinks: false,
        whole_sync: false,
        times: probed_times(&file)?,
        names: names(parent)?,
    })
}

fn has_hard_links(parent: &Handle, file: &Handle, name: &str) -> bool {
    let Some(second) = wide::to_utf16(format!("{name}-2").as_bytes()) else { return false };
    if tree::link_in(file, parent, &second).is_err() {
        return false;
    }
    // Gone with its handle too.
    let options = wdk::FILE_NON_DIRECTORY_FILE | wdk::FILE_DELETE_ON_CLOSE;
    let linked = nt::open(parent, &second, How::open(fs::DELETE).with(options));
    linked.and_then(|_open| stat::of_handle(file)).is_ok_and(|stat| stat.links == 2)
}

fn probed_times(file: &Handle) -> Result<TimeRules, Fault> {
    let stored = |time: Timestamp| -> Result<Timestamp, Fault> {
        stat::set_times(file, time, None)?;
        Ok(Timestamp::from_filetime(stat::of_handle(file)?.write))
    };
    times::rules(stored)?.ok_or(fault::NO_TIMES)
}
