//! The bare enumeration: every folder of a share listed once by our own client, and nothing else done. What an unchanged
//! run cannot be faster than. Started by the benchmark as a process of its own.

use crate::Result;
use octo_core::{Account, SmbAddress};
use octo_core::{Entry, Error, Kind, ListSink, Listed, RelPath, Source};
use octo_smb::{BackupIntent, Credentials, Encrypt, Password, SmbOptions, SmbSource};
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, PoisonError};

/// What the benchmark calls itself with.
pub const WORD: &str = "enumerate";

/// `ADDRESS USER PASSWORD`: lists everything below the address, as many folders at once as a run does.
pub fn run(args: &[String]) -> Result<()> {
    let [address, user, password] = args else { return Err("enumerate ADDRESS USER PASSWORD".into()) };
    let (address, _) = SmbAddress::parse(address)?;
    let credentials = Credentials { account: Account::parse(user)?, password: Password::new(password.clone()) };
    let options = SmbOptions { backup_intent: BackupIntent::Off, encrypt: Encrypt::Off, ..SmbOptions::default() };
    let source = SmbSource::connect(address, credentials, options)?;
    let folders = Folders { waiting: Mutex::new((vec![RelPath::root()], 0)), more: Condvar::new() };
    let failed: Mutex<Option<Error>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..source.features().listings_in_flight {
            scope.spawn(|| {
                while let Some(folder) = folders.next() {
                    let mut found = Found { folder: &folder, below: Vec::new() };
                    if let Listed::Incomplete(error) = source.list(&folder, &mut found) {
                        *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    }
                    folders.done(found.below);
                }
            });
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error.to_string().into()),
        None => Ok(()),
    }
}

/// The folders still to be listed, and how many are being listed.
struct Folders {
    waiting: Mutex<(Vec<RelPath>, usize)>,
    more: Condvar,
}

impl Folders {
    fn next(&self) -> Option<RelPath> {
        let mut state = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(folder) = state.0.pop() {
                state.1 += 1;
                return Some(folder);
            }
            if state.1 == 0 {
                return None;
            }
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self, below: Vec<RelPath>) {
        let mut state = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        state.0.extend(below);
        state.1 -= 1;
        self.more.notify_all();
    }
}

/// Keeps the subfolders of one folder.
struct Found<'a> {
    folder: &'a RelPath,
    below: Vec<RelPath>,
}

impl ListSink for Found<'_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        if entry.meta.kind == Kind::Folder {
            self.below.push(self.folder.join(&entry.name));
        }
        ControlFlow::Continue(())
    }

    fn problem(&mut self, _: &[u8], _: Error) {}

    fn restart(&mut self) {
        self.below.clear();
    }
}
