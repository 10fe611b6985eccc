//! The parsers of what lies on a mirror's disk beside the files, where others may have written, and of the system's tables,
//! one name each, as the fuzz targets and the run over their corpus call them. Not an interface: only there in tests and with
//! the feature `fuzzing`.

use crate::linux::database::{DatabasePlace, place_of_file};
use crate::linux::root::Root;
use crate::records::{Purpose, Records};
use crate::{leftovers, samba};
use octo_core::metadata::{Metadata, is_security_descriptor};
use octo_core::{Code, Error, LinkTarget, LinkType, RelPath, Timestamp};
use std::path::Path;
use std::sync::LazyLock;

/// A parser that must take any bytes without panicking or growing.
pub type Parser = fn(&[u8]);

/// Every parser, by the name of its corpus.
pub const PARSERS: &[(&str, Parser)] = &[
    ("dos_attributes", |bytes| {
        let _ = samba::read_dos_attributes(bytes);
    }),
    ("acl", |bytes| {
        let read = samba::read_acl(bytes);
        assert!(read.is_none_or(|security| is_security_descriptor(&security)), "what is not a security descriptor");
    }),
    ("xattr_names", |bytes| {
        let _ = (samba::stream_name(bytes), samba::extended_name(bytes));
    }),
    ("meta_db", meta_db),
];

const NAME: &str = "meta.db";

/// The paths that the database knows.
fn paths() -> [RelPath; 3] {
    ["link", "folder/cut~1", "folder"].map(|path| RelPath::parse(path.as_bytes()).unwrap_or_default())
}

/// A small `meta.db` that has something in every table.
static DATABASE: LazyLock<Result<Vec<u8>, Error>> = LazyLock::new(database);

/// The database below `folder`, an empty one if it was not there.
fn place(folder: &Path) -> Result<DatabasePlace, Error> {
    let failed = |error: rustix::io::Errno| Error::new(Code::TargetFailed, error.to_string());
    let root = Root::open_at(folder).map_err(failed)?;
    let place = place_of_file(&root, &RelPath::parse(NAME.as_bytes()).unwrap_or_default(), true).map_err(failed)?;
    place.ok_or_else(|| Error::new(Code::TargetFailed, "it was made, and is not there"))
}

fn database() -> Result<Vec<u8>, Error> {
    let failed = |error: std::io::Error| Error::new(Code::TargetFailed, error.to_string());
    let dir = tempfile::tempdir().map_err(failed)?;
    let place = place(dir.path())?;
    let [link, cut, folder] = paths();
    if let Some(mut records) = Records::open(&place.path, Purpose::Changing)? {
        let target = LinkTarget { kind: LinkType::Windows(0xA000_000C), data: b"there".to_vec() };
        records.put_link(&link, &target, Timestamp(7))?;
        records.put_name(&cut, b"a name that was too long")?;
        records.keep_time_beyond(&cut, Some(Timestamp(i64::MAX)))?;
        let metadata = Metadata {
            attributes: 3,
            creation_time: Some(Timestamp(5)),
            security: Some(vec![1; 40]),
            extended: vec![(b"note".to_vec(), b"noted".to_vec())],
            reparse: Some((7, b"data".to_vec())),
            ..Metadata::default()
        };
        leftovers::record_whole(&mut records, &folder, &metadata)?;
        records.settle()?;
    }
    std::fs::read(dir.path().join(NAME)).map_err(failed)
}

/// The input is a list of changes of single bytes: where, in two bytes, and the new value.
fn meta_db(changes: &[u8]) {
    let mut bytes = match &*DATABASE {
        Ok(bytes) => bytes.clone(),
        Err(error) => unreachable!("the database could not be made: {error}"),
    };
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] = change[2];
    }
    let Ok(folder) = tempfile::tempdir() else { return };
    for purpose in [Purpose::Looking, Purpose::Changing] {
        let Ok(place) = std::fs::write(folder.path().join(NAME), &bytes)
            .map_or_else(|_| Err(()), |()| place(folder.path()).map_err(drop))
        else {
            return;
        };
        if let Ok(Some(mut records)) = Records::open(&place.path, purpose) {
            use_all(&mut records, purpose);
        }
    }
}

/// Whatever is in it, each call ends, with an error at worst.
fn use_all(records: &mut Records, purpose: Purpose) {
    let [link, cut, folder] = paths();
    for path in [&link, &cut, &folder, &RelPath::root()] {
        let _ = (records.link(path), records.name(path), records.time_beyond(path), records.has_links_in(path));
        let _ = records.links_in(path, b"", 1000);
        if let Ok(Some(found)) = records.detail(path) {
            let no_room = || Err(Error::new(Code::NoSpace, "no large streams here"));
            let _ = leftovers::add(records, found, &mut Metadata::default(), no_room);
        }
    }
    if purpose == Purpose::Changing {
        let _ = (records.entry_linked(&cut, &link), records.entry_renamed(&link, &cut), records.entry_removed(&cut));
        let _ = (records.move_folder(&folder, &link), records.move_link(&link, &folder), records.settle());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_testkit::corpus::{replay, write_seeds};

    #[test]
    fn no_parser_panics_on_its_corpus_and_mutations_of_it() {
        let security = [&[1, 0, 4, 0x80][..], &20u32.to_le_bytes(), &[0; 12], &[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0]];
        let security = security.concat();
        assert!(is_security_descriptor(&security));
        write_seeds("disk", "dos_attributes", &[samba::dos_attributes(0x21, Some(Timestamp(77)))]);
        write_seeds("disk", "acl", &[samba::acl(&security)]);
        write_seeds("disk", "xattr_names", &[b"user.DosStream.note:$DATA".to_vec(), b"user.note".to_vec()]);
        let changes =
            |step: u16| (0..40u16).flat_map(move |n| [(n * step).to_le_bytes().to_vec(), vec![0xFF]].concat());
        write_seeds("disk", "meta_db", &[Vec::new(), changes(3).collect(), changes(401).collect()]);
        replay("disk", PARSERS);
    }
}
