//! Holes of files are found and not read, and nothing is taken for a hole that is none.

use crate::fixture::*;
use octo_core::{Error, FetchSink, Meta, Ranges, Source, Stop};
use std::fs;
use std::os::unix::fs::FileExt;

const MIB: u64 = 1 << 20;

/// A basket that takes holes.
struct Holey(Basket);

impl FetchSink for Holey {
    fn wants_holes(&self, _: usize) -> bool {
        true
    }
    fn holes(&mut self, file: usize, holes: &Ranges) {
        assert!(self.0.0[file].opened.is_none(), "holes come before a file is opened");
        self.0.0[file].holes = holes.clone();
    }
    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.0.opened(file, meta)
    }
    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        let read: usize = self.0.0[file].pieces.values().map(Vec::len).sum();
        if read as u64 > 64 * MIB {
            // It reads holes.
            return Err(Stop::Everything);
        }
        self.0.data(file, offset_bytes, bytes)
    }
    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.0.finished(file, meta)
    }
    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        self.0.failed(file, error)
    }
}

fn sparse(path: &std::path::Path, size: u64, data: &[u64]) {
    let file = fs::File::create(path).unwrap();
    file.set_len(size).unwrap();
    data.iter().for_each(|at| file.write_all_at(b"data", *at).unwrap());
}

#[test]
fn holes_are_told_and_only_data_is_read() {
    let samba = samba();
    let data = samba.share_path("data");
    let at = [0, 4 << 40, (8 << 40) - 5 * MIB];
    sparse(&data.join("huge"), 8 << 40, &at);
    samba.mark_sparse(&data.join("huge"));
    sparse(&data.join("nothing"), 8 << 40, &[]);
    fs::write(data.join("dense"), vec![7; 3 << 20]).unwrap();
    let source = connect(&samba, "data", "plain");
    let batch = [request("huge", 8 << 40), request("nothing", 8 << 40), request("dense", 3 << 20)];
    let mut sink = Holey(Basket(batch.iter().map(|_| Fetched::default()).collect()));
    source.fetch(&batch, &mut sink);
    let [huge, nothing, dense] = sink.0.0.as_slice() else { panic!() };
    for one in [huge, nothing, dense] {
        assert_eq!(one.failed, None);
        let holes: Vec<_> = one.holes.iter().take(4).collect();
        let meta = one.opened.map(|meta| (meta.size_bytes, meta.attributes));
        assert!(one.finished.is_some(), "{meta:?}: holes were read besides {holes:?}");
        let mut all = one.holes.clone();
        one.pieces.iter().for_each(|(&at, piece)| all.insert(at..at + piece.len() as u64));
        let size = one.finished.unwrap().size_bytes;
        assert!(all.missing(size).is_empty() && all.total_bytes() == size, "nothing is left out");
    }
    assert!(huge.holes.total_bytes() > (8 << 40) - 64 * MIB, "{:?}", huge.holes);
    for at in at {
        let (start, piece) = huge.pieces.range(..=at).next_back().unwrap();
        let from = (at - start) as usize;
        assert_eq!(&piece[from..from + 4], b"data");
    }
    assert!(nothing.pieces.is_empty() && dense.holes.is_empty());
}
