//! The readers of the mirror's own files, which others may have written or damaged, one name each, as the fuzz targets and the
//! run over their corpus call them. Each file is that of a real small mirror in memory, with the input in its place; then
//! real runs go over it. Whatever it says, they end, delete nothing that the source has, and make no name that neither side had.
//! Not an interface: only there in tests and with the feature `fuzzing`.

mod world;

use crate::copy::parts_there;
use crate::hashes::sealed;
use crate::index::{Journal, Placed};
use crate::vanished::Vanished;
use crate::{layout, small_files};
use octo_testkit::clock::TestClock;
use octo_testkit::memory::MemTarget;
use std::sync::Arc;
use world::{INTERRUPTED, NOW, POWER_CUT, TEMPLATE, World, path};

/// A parser that must take any bytes.
pub type Parser = fn(&[u8]);

/// Every parser, by the name of its corpus.
pub const PARSERS: &[(&str, Parser)] = &[
    ("marker", |bytes| World::with(&layout::marker(), bytes).is_run()),
    ("run_open", |bytes| World::with(&layout::run_open(), bytes).is_run()),
    ("suspects", |bytes| World::with(&layout::suspects(), bytes).is_run()),
    ("placed", |bytes| {
        let world = World::with(&layout::placed(INTERRUPTED), bytes);
        world.put(&layout::run_open(), POWER_CUT.as_bytes());
        world.is_run();
    }),
    ("changes", |bytes| {
        let world = World::with(&layout::changes(INTERRUPTED), bytes);
        // As after a crash between the two renames of a replacement where there are no hard links.
        world.rename("a/changes", &layout::version(INTERRUPTED, &path("a/changes")));
        world.put(&layout::run_open(), POWER_CUT.as_bytes());
        world.is_run();
        // On a full disk it is asked what the old versions take.
        World::full(&layout::changes(INTERRUPTED - 1), bytes).is_run();
    }),
    ("pins", |bytes| World::with(&layout::pins(), bytes).is_run()),
    ("index", |bytes| World::with(&layout::index(9), bytes).is_run()),
    ("index_ids", |bytes| {
        let world = World::with(&layout::index_ids(9), bytes);
        let index = TEMPLATE.file(&layout::index(TEMPLATE.generation()));
        world.put(&layout::index(9), &index);
        world.is_run();
    }),
    ("journal", |bytes| World::with(&layout::journal(), bytes).is_run()),
    // With the check that fits.
    ("journal_record", |bytes| {
        let target = MemTarget::new(Arc::new(TestClock::at(NOW)));
        if let Ok(placed) = Placed::decode(bytes) {
            assert_eq!(Placed::decode(&placed.encode()).ok().as_ref(), Some(&placed), "what is written is read again");
            let journal = Journal::new(&target);
            assert!(journal.push(&placed).and_then(|()| journal.sync()).is_ok());
            World::with(
                &layout::journal(),
                &small_files::read_small(&target, &layout::journal()).ok().flatten().unwrap_or_default(),
            )
            .is_run();
        }
        let _ = Vanished::decode(bytes);
    }),
    ("held", |bytes| World::with(&layout::held_plan(), bytes).is_run()),
    ("unread", |bytes| World::with(&layout::unread_folders(), bytes).is_run()),
    ("report", |bytes| World::full(&layout::report(3), bytes).is_run()),
    ("part_map", |bytes| {
        const SIZE_BYTES: u64 = 4096;
        let world = World::with(&layout::part_map("key"), bytes);
        world.put(&layout::part_data("key"), &[1; SIZE_BYTES as usize]);
        let there = parts_there(&world.target, "key", SIZE_BYTES);
        assert!(there.iter().all(|part| part.start < part.end && part.end <= SIZE_BYTES));
        assert!(there.missing(SIZE_BYTES).is_well_formed());
    }),
    ("history", |bytes| {
        for run in 1..=INTERRUPTED {
            World::with(&layout::changes(run), bytes).is_read();
        }
    }),
    ("hash_table", |bytes| World::with(&layout::hash_table(), bytes).is_verified()),
    ("hash_log", |bytes| World::with(&layout::hash_log(), bytes).is_verified()),
    // With the checks that fit.
    ("hash_records", |bytes| {
        let records = sealed(bytes);
        World::with(&layout::hash_table(), &records).is_verified();
        World::with(&layout::hash_log(), &records).is_verified();
    }),
];

#[cfg(test)]
mod tests {
    use super::world::NEW;
    use super::*;
    use crate::hashes::RECORD_BYTES;
    use crate::index::IndexRecord;
    use octo_core::RelPath;
    use octo_testkit::corpus;

    /// What a real mirror has in these files.
    fn seeds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
        let file = |path: RelPath| vec![TEMPLATE.file(&path)];
        let number = TEMPLATE.generation();
        let older = b"run = 3\nboot_id = \"x\"\nlast_checkpoint = 16900000000000000\n".to_vec();
        let run_open = vec![POWER_CUT.as_bytes().to_vec(), older];
        let suspects = b"\"stays\"\n\"a/changes\"\n".to_vec();
        let placed = b"{\"do\":\"created\",\"path\":\"stays\",\"kind\":\"file\"}\n".to_vec();
        let mut map = octo_core::Ranges::new();
        map.insert(0..1000);
        map.insert(2000..4096);
        let map = serde_json::json!({"format": 1, "size_bytes": 4096, "ranges": map}).to_string().into_bytes();
        let of_run = b"{\"do\":\"run\",\"run\":1,\"written\":16900000000000000}\n".to_vec();
        let merged = [of_run, TEMPLATE.file(&layout::changes(2))].concat();
        let pins = br#"{"format":1,"pins":[{"state":2,"words":"old","pinned_at":16900000000000000}]}"#.to_vec();
        let records = vec![record_of("a/changes"), record_of("a/moved on"), record_of("gone")];
        let table = TEMPLATE.file(&layout::hash_table());
        vec![
            ("marker", file(layout::marker())),
            ("run_open", run_open),
            ("suspects", vec![suspects, b"\"\"\n".to_vec()]),
            ("placed", vec![placed]),
            (
                "changes",
                [1, 2, 3].map(|run| TEMPLATE.file(&layout::changes(run))).into_iter().chain([merged]).collect(),
            ),
            ("pins", vec![pins]),
            ("index", file(layout::index(number))),
            ("index_ids", file(layout::index_ids(number))),
            ("journal", vec![journal(&records)]),
            ("journal_record", records.iter().map(Placed::encode).collect()),
            ("held", file(layout::held_plan())),
            ("unread", file(layout::unread_folders())),
            ("report", file(layout::report(3))),
            ("part_map", vec![map]),
            ("history", [1, 2, 3].map(|run| TEMPLATE.file(&layout::changes(run))).into()),
            ("hash_table", vec![table.clone()]),
            ("hash_log", vec![table.clone()]),
            (
                "hash_records",
                vec![table.chunks(RECORD_BYTES).flat_map(|record| &record[..RECORD_BYTES - 4]).copied().collect()],
            ),
        ]
    }

    fn record_of(at: &str) -> Placed {
        let meta = octo_core::Meta {
            id: Some(octo_core::FileId { volume: 1, id: 3 }),
            ..octo_core::Meta::new(octo_core::Kind::File, 5, NEW)
        };
        let record = IndexRecord::new(&meta, &meta, false).unwrap();
        Placed { place: path(at), record: IndexRecord { hash: Some([7; 32]), ..record } }
    }

    fn journal(records: &[Placed]) -> Vec<u8> {
        let target = MemTarget::new(Arc::new(TestClock::at(NOW)));
        let journal = Journal::new(&target);
        records.iter().for_each(|record| journal.push(record).unwrap());
        journal.sync().unwrap();
        small_files::read_small(&target, &layout::journal()).unwrap().unwrap()
    }

    #[test]
    fn a_mirror_whose_files_somebody_wrote_loses_nothing_and_no_run_panics() {
        for (name, seeds) in seeds() {
            assert!(seeds.iter().all(|seed| !seed.is_empty()), "{name}: the real mirror has this file");
            corpus::write_seeds("mirror", name, &seeds);
        }
        corpus::replay("mirror", PARSERS);
    }
}
