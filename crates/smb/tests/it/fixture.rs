//! A Samba, a source on it, and sinks that keep everything.

use octo_core::{Account, SmbAddress};
use octo_core::{
    Code, Entry, Error, FetchRequest, FetchSink, Kind, ListSink, Listed, Meta, Name, RelPath, Source, Stop, Timestamp,
};
use octo_smb::{Credentials, Password, SmbOptions, SmbSource};
use octo_testkit::samba::{Samba, SambaOptions};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Whatever comes, comes within this time, on a busy machine too.
pub const WAIT_MAX: Duration = Duration::from_secs(60);

/// Waits for something that will come.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < WAIT_MAX, "{what} did not come true");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn samba() -> Samba {
    Samba::start(SambaOptions::new())
}

pub fn address(samba: &Samba, share: &str) -> SmbAddress {
    SmbAddress::parse(&format!("//{}/{share}", samba.addr())).unwrap().0
}

pub fn credentials(user: &str) -> Credentials {
    Credentials { account: Account::parse(user).unwrap(), password: Password::new(Samba::password(user)) }
}

/// Connects with the default options.
pub fn connect(samba: &Samba, share: &str, user: &str) -> SmbSource {
    in_time(|| SmbSource::connect(address(samba, share), credentials(user), SmbOptions::default()))
}

/// Connects with limits that are short on purpose.
pub fn connect_in_time(address: SmbAddress, options: SmbOptions) -> SmbSource {
    in_time(|| SmbSource::connect(address.clone(), credentials("plain"), options.clone()))
}

/// A busy machine may need several attempts, and the server on it may be short of memory for a moment.
fn in_time(connect: impl Fn() -> Result<SmbSource, Error>) -> SmbSource {
    let may_work_later = [Code::TimedOut, Code::Unreachable];
    let later = |tried: &Result<SmbSource, Error>| tried.as_ref().is_err_and(|e| may_work_later.contains(&e.code));
    (0..10).map(|_| connect()).find(|tried| !later(tried)).expect("never in time").unwrap()
}

pub fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

/// Keeps a listing.
#[derive(Default)]
pub struct Kept {
    pub entries: Vec<Entry>,
    pub problems: Vec<(Vec<u8>, Error)>,
}

impl ListSink for Kept {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        self.entries.push(entry);
        ControlFlow::Continue(())
    }

    fn problem(&mut self, name: &[u8], error: Error) {
        self.problems.push((name.to_vec(), error));
    }

    fn restart(&mut self) {
        *self = Kept::default();
    }
}

impl Kept {
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.entries.iter().map(|e| e.name.to_string()).collect();
        names.sort();
        names
    }

    pub fn meta(&self, name: &[u8]) -> Meta {
        let name = Name::new(name).unwrap();
        self.entries.iter().find(|e| e.name == name).unwrap_or_else(|| panic!("{name} is not listed")).meta
    }
}

pub fn list(source: &SmbSource, folder: &str) -> (Listed, Kept) {
    let mut kept = Kept::default();
    let listed = source.list(&path(folder), &mut kept);
    (listed, kept)
}

pub fn list_all(source: &SmbSource, folder: &str) -> Kept {
    let (listed, kept) = list(source, folder);
    assert_eq!(listed, Listed::Complete);
    assert!(kept.problems.is_empty(), "{:?}", kept.problems);
    kept
}

/// What became of one file.
#[derive(Debug, Default)]
pub struct Fetched {
    pub opened: Option<Meta>,
    pub pieces: BTreeMap<u64, Vec<u8>>,
    pub holes: octo_core::Ranges,
    pub finished: Option<Meta>,
    pub failed: Option<Error>,
}

impl Fetched {
    /// The pieces joined; they must not overlap or leave a gap.
    pub fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for (&at, piece) in &self.pieces {
            assert_eq!(at, all.len() as u64, "a gap or an overlap");
            all.extend_from_slice(piece);
        }
        all
    }
}

/// Keeps a batch, and checks the order of calls that the port promises.
pub struct Basket(pub Vec<Fetched>);

impl FetchSink for Basket {
    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        let it = &mut self.0[file];
        assert!(it.opened.is_none() && it.finished.is_none() && it.failed.is_none());
        it.opened = Some(meta);
        Ok(())
    }

    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        let it = &mut self.0[file];
        assert!(it.opened.is_some() && it.finished.is_none() && it.failed.is_none());
        assert!(it.pieces.insert(offset_bytes, bytes.to_vec()).is_none());
        Ok(())
    }

    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        let it = &mut self.0[file];
        assert!(it.opened.is_some() && it.finished.is_none() && it.failed.is_none());
        it.finished = Some(meta);
        Ok(())
    }

    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        let it = &mut self.0[file];
        assert!(it.finished.is_none() && it.failed.is_none());
        it.failed = Some(error);
        Ok(())
    }
}

pub fn request(file: &str, listed_bytes: u64) -> FetchRequest {
    let listed = Meta::new(Kind::File, listed_bytes, Timestamp(0));
    FetchRequest { path: path(file), listed, parts: None, snapshot: None, metadata: false }
}

pub fn fetch(source: &SmbSource, batch: &[FetchRequest]) -> Vec<Fetched> {
    let mut basket = Basket(batch.iter().map(|_| Fetched::default()).collect());
    source.fetch(batch, &mut basket);
    basket.0
}

/// Fetches one file that must be readable.
pub fn fetch_one(source: &SmbSource, file: &str, listed_bytes: u64) -> Fetched {
    let mut fetched = fetch(source, &[request(file, listed_bytes)]);
    fetched.pop().unwrap()
}
