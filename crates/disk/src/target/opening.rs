//! Opens a target: at a path that a person names, or below a folder that is allowed.

use super::DiskTarget;
use crate::lazy_records::LazyRecords;
use crate::options::DiskOptions;
use crate::os::metadata::AttributeSupport;
use crate::os::permissions::Permissions;
use crate::os::root::Root;
use crate::os::{Fault, Handle, fault, filesystem, open, owner, tree};
use octo_core::{Abilities, Code, Error, RelPath};
use std::path::Path;
use std::sync::Mutex;

impl DiskTarget {
    /// Opens the folder at `path` as a target, and finds out what its filesystem can do.
    pub fn open(path: &Path, options: DiskOptions) -> Result<DiskTarget, Error> {
        let failed = |fault: Fault| {
            let error = || {
                let why = fault::of_path(fault);
                Error::new(open::open_code(fault), format!("opening {}: {why}", path.display()))
            };
            owner::denied(fault, path).unwrap_or_else(error)
        };
        let rights = open::Rights::take();
        let root = match Root::open_at(path) {
            Err(fault) if fault::is_missing(fault) && options.create => {
                open::make_root(path)?;
                Root::open_at(path).map_err(failed)?
            }
            Err(fault) if fault::is_missing(fault) => Root::absent(),
            other => other.map_err(failed)?,
        };
        let nearest = open::nearest_folder(path).map_err(failed)?;
        DiskTarget::of(path, (owner::keep(root), nearest, rights), options)
    }

    /// Opens a folder below an allowed one, which must exist. It is opened below the handle of that, and what is missing is made
    /// below the handle of its parent, through no link: whatever is swapped for what, nothing else is ever reached. Mounts below
    /// the allowed folder are gone into.
    pub fn open_within(allowed: &Path, below: &RelPath, options: DiskOptions) -> Result<DiskTarget, Error> {
        let outer = DiskTarget::open(allowed, DiskOptions { create: false, ..options })?;
        if !outer.root.exists() {
            let what = format!("{} does not exist: make it first, or mount its disk", allowed.display());
            return Err(Error::new(Code::TargetFailed, what));
        }
        let path = allowed.join(below.to_os());
        let failed = |fault: Fault| {
            let why = fault::of_path(fault);
            let what = format!("opening {}: {why}; no link is followed below {}", path.display(), allowed.display());
            Error::new(open::open_code(fault), what)
        };
        let mut there = below.clone();
        let mut nearest = loop {
            match (outer.root.open_below(&there), there.parent()) {
                (Err(fault), Some(parent)) if fault::is_missing(fault) => there = parent,
                (opened, _) => break opened.map_err(failed)?,
            }
        };
        let missing = below.names().skip(there.names().count());
        for name in missing.filter(|_| options.create) {
            let name = RelPath::root().join(&name);
            let parent = owner::keep(nearest);
            // What somebody else made meanwhile is judged by opening it.
            tree::make_folder(&parent, &name, options.modes.of_folder(&name)).map_err(failed)?;
            nearest = parent.open_below(&name).map_err(failed)?;
        }
        let is_there = options.create || there == *below;
        // The same folder once more.
        let root = if is_there { nearest.open_below(&RelPath::root()).map_err(failed)? } else { Root::absent() };
        let nearest = nearest.into_handle().map_err(failed)?;
        DiskTarget::of(&path, (owner::keep(root), nearest, outer.rights), options)
    }

    /// A target of an open root. `path` is for people.
    fn of(
        path: &Path,
        (root, nearest, rights): (Root, Handle, open::Rights),
        options: DiskOptions,
    ) -> Result<DiskTarget, Error> {
        let failed = |fault: Fault| {
            let why = fault::of_path(fault);
            Error::new(open::open_code(fault), format!("opening {}: {why}", path.display()))
        };
        let volume = filesystem::number(&nearest).map_err(failed)?;
        let abilities = match open::find_abilities(&root) {
            // A dry run changes nothing and may be made by somebody who could not.
            Err(fault) if fault::forbids_trying(fault) && !options.create => {
                Abilities::full(&filesystem::name(&nearest))
            }
            other => other.map_err(|fault| {
                let why = if fault == fault::NO_TIMES {
                    "it does not keep last write times".into()
                } else {
                    fault.to_string()
                };
                let what = format!("finding out what the filesystem of {} can do: {why}", path.display());
                let foreign = owner::demand(&root).err().filter(|error| error.code == Code::OtherOwner);
                foreign.unwrap_or_else(|| Error::new(open::open_code(fault), what))
            })?,
        };
        Ok(DiskTarget {
            root,
            rights,
            nearest,
            modes: options.modes,
            permissions: Permissions::new(options.modes, options.repair),
            abilities,
            volume,
            records: LazyRecords::of(!options.plain),
            manner: AttributeSupport::default(),
            touched: Mutex::default(),
        })
    }
}
