//! What a run does about one that did not end: names put back, leftovers removed, finished work kept.

use crate::changes::{self, Record};
use crate::context::Context;
use crate::index::{self, Generation};
use crate::order::NameOrder;
use crate::spill::{Pool, Sorter};
use crate::{files, layout};
use octo_core::target::Done;
use octo_core::{Abilities, Error, Kind, RelPath};
use std::sync::Arc;

/// Parts of large files that were not continued for this long are removed.
const PART_SECS_MAX: i64 = 7 * 86_400;

/// Clears staging, and takes back what an interrupted run left half done.
/// Without a clock that is believed no part is too old.
pub fn recover(
    context: &Context<'_>,
    abilities: &Abilities,
    interrupted: Option<u64>,
    clock_is_doubted: bool,
) -> Result<(), Error> {
    if let Some(run) = interrupted.filter(|_| !abilities.hard_links) {
        put_names_back(context, run)?;
    }
    clear_staging(context, clock_is_doubted)
}

/// Without hard links a replaced name is missing for an instant: old content in `versions`, new content not yet in place.
/// Such a name gets its old content back, unless it was to be deleted.
fn put_names_back(context: &Context<'_>, run: u64) -> Result<(), Error> {
    let pool = Pool::new(8 << 20);
    let mut fates = Sorter::new(context.target, &pool);
    changes::read(context.target, run, |record| match record {
        Record::Replaced { path, .. } => fates.push(path.as_bytes(), b"r"),
        Record::Moved { from, .. } => fates.push(from.as_bytes(), b"d"),
        Record::Deleted { path, .. } => fates.push(path.as_bytes(), b"d"),
        _ => Ok(()),
    })?;
    let fates = fates.finish()?;
    let mut records = fates.iter()?.peekable();
    while let Some(record) = records.next() {
        let record = record?;
        let mut gone = record.value() == b"d";
        while let Some(Ok(next)) = records.peek()
            && next.key() == record.key()
        {
            gone |= next.value() == b"d";
            records.next();
        }
        let Ok(place) = RelPath::parse(record.key()) else { continue };
        if !gone && context.target.look(&place)?.is_none() {
            // Missing: the version was not taken either, so there is nothing to put back.
            let _: Done = context.target.rename_over(&layout::version(run, &place), &place)?;
        }
    }
    Ok(())
}

/// Removes everything temporary but parts that may still be gone on with.
fn clear_staging(context: &Context<'_>, clock_is_doubted: bool) -> Result<(), Error> {
    let target = context.target;
    for entry in files::list_small(target, &layout::tmp())? {
        let path = layout::tmp().join(&entry.name);
        if path == layout::parts() {
            clear_parts(context, clock_is_doubted)?;
        } else if entry.meta.kind == Kind::Folder {
            files::remove_tree(target, &path)?;
        } else {
            target.remove_file(&path)?;
        }
    }
    Ok(())
}

/// A part needs both its data and its map, and somebody who cares.
fn clear_parts(context: &Context<'_>, clock_is_doubted: bool) -> Result<(), Error> {
    let target = context.target;
    let entries = files::list_small(target, &layout::parts())?;
    let limit = context.clock.now().plus_secs(-PART_SECS_MAX);
    for entry in &entries {
        let name = String::from_utf8_lossy(entry.name.as_bytes()).into_owned();
        let partner = match name.rsplit_once('.') {
            Some((key, "data")) => layout::part_map(key),
            Some((key, "map")) => layout::part_data(key),
            _ => RelPath::root(),
        };
        let has_partner = entries.iter().any(|e| layout::parts().join(&e.name) == partner);
        if !has_partner || (entry.meta.write_time < limit && !clock_is_doubted) {
            target.remove_file(&layout::parts().join(&entry.name))?;
        }
    }
    Ok(())
}

/// The last index with the work of an interrupted run merged in.
pub fn index(context: &Context<'_>, order: NameOrder, pool: &Arc<Pool>, run: u64) -> Result<Option<Generation>, Error> {
    let target = context.target;
    let last = index::open_latest(target)?;
    let journal = index::sorted_journal(target, pool, order)?;
    if journal.count() == 0 {
        return Ok(last);
    }
    let base = last.iter().flat_map(Generation::records);
    // A damaged end of the last generation is cut off: the index is a cache.
    let base = base.take_while(Result::is_ok);
    index::publish(target, pool, order, run, base, index::journal_records(&journal)?)?;
    drop(last);
    index::open_latest(target)
}
