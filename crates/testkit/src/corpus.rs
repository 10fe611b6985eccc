//! The corpora of the parsers, `fuzz/corpus/<room>/<parser>`: seeds, and what the fuzzer found worth keeping, crashes of old
//! among it. Each crate has a table of its parsers behind its feature `fuzzing`; the fuzz targets of `cargo xtask fuzz`
//! and the tests call the same functions.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a test that fails names the input")]

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A parser that must take any bytes: it does not panic, hang or grow. Whatever else must hold it asserts.
pub type Parser = fn(&[u8]);

/// Mutated inputs that a parser gets in a test at the most.
const MUTATIONS_MAX: u64 = 20_000;
/// And for how long, if it is slow.
const MUTATING: Duration = Duration::from_secs(2);

/// The folder of a parser's corpus.
pub fn folder(room: &str, parser: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(room).join(parser)
}

/// Every input of a parser, with its file.
pub fn inputs(room: &str, parser: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = folder(room, parser);
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).map(|names| names.flatten().map(|name| name.path()).collect()).unwrap_or_default();
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read(&file).expect("a file of the corpus"))).collect()
}

/// Seeds that the code can make: with `OCTO_WRITE_SEEDS=1` they become files of the corpus.
pub fn write_seeds(room: &str, parser: &str, seeds: &[Vec<u8>]) {
    if std::env::var_os("OCTO_WRITE_SEEDS").is_none() {
        return;
    }
    let folder = folder(room, parser);
    fs::create_dir_all(&folder).expect("the folder of the corpus");
    for (i, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(i.to_string()), seed).expect("a seed");
    }
}

/// Shows the corpus of every parser to it, and mutations of it.
///
/// # Panics
///
/// If a parser does, after the input was kept in a file; if a parser has no corpus; if a corpus has no parser.
pub fn replay(room: &str, parsers: &[(&str, Parser)]) {
    let names: BTreeSet<String> = parsers.iter().map(|(name, _)| (*name).to_owned()).collect();
    let there = fs::read_dir(folder(room, "")).expect("a folder of the room in fuzz/corpus");
    let corpora: BTreeSet<String> =
        there.flatten().map(|folder| folder.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(corpora, names, "each parser has a folder with seeds in fuzz/corpus/{room}, and each folder a parser");
    for (name, parser) in parsers {
        let inputs = inputs(room, name);
        assert!(!inputs.is_empty(), "fuzz/corpus/{room}/{name} holds no seeds");
        for (file, bytes) in &inputs {
            println!("{room}/{name}: {}", file.display());
            parser(bytes);
        }
        mutate_all(room, name, *parser, &inputs);
    }
}

fn mutate_all(room: &str, name: &str, parser: Parser, inputs: &[(PathBuf, Vec<u8>)]) {
    let mut numbers = Numbers(0x0C70);
    let begun = Instant::now();
    for round in 0..MUTATIONS_MAX {
        if begun.elapsed() > MUTATING {
            return;
        }
        let mut bytes = inputs[round as usize % inputs.len()].1.clone();
        for _ in 0..=numbers.below(4) {
            mutate(&mut bytes, &mut numbers);
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| parser(&bytes))) {
            let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/artifacts").join(room).join(name);
            let kept = kept.join(format!("crash-mutation-{round}"));
            let written = fs::create_dir_all(kept.parent().unwrap_or(&kept)).and_then(|()| fs::write(&kept, &bytes));
            eprintln!("{room}/{name}: a mutation makes it panic; the input: {} ({written:?})", kept.display());
            resume_unwind(panic);
        }
    }
}

fn mutate(data: &mut Vec<u8>, numbers: &mut Numbers) {
    const ODD: [u32; 8] = [0, 1, 7, 8, 0x7FFF_FFFF, 0x8000_0000, u32::MAX - 1, u32::MAX];
    let at = numbers.below(data.len());
    match numbers.below(6) {
        0 => data.truncate(at),
        1 if !data.is_empty() => data[at] ^= 1 << numbers.below(8),
        2 if data.len() >= at + 4 => data[at..at + 4].copy_from_slice(&ODD[numbers.below(ODD.len())].to_le_bytes()),
        3 if !data.is_empty() => data[at] = numbers.below(256) as u8,
        4 => {
            let piece = data[at..data.len().min(at + 1 + numbers.below(40))].to_vec();
            let to = numbers.below(data.len() + 1);
            data.splice(to..to, piece);
        }
        _ => data.insert(at, numbers.below(256) as u8),
    }
}

/// The same numbers each time (splitmix64).
struct Numbers(u64);

impl Numbers {
    /// A number below `end`; 0 if there is none.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }
}
