//! Files that are written together: what one file waits for, the others use.

use super::connections::{Connections, IN_FLIGHT};
use super::send::Connected;
use super::staged::Staged;

use futures_util::stream::{self, StreamExt};
use octo_core::restore_target::{LostParts, Placing};
use octo_core::{Code, Error, Meta, Metadata, RelPath, RestoreBatch};
use std::sync::atomic::AtomicUsize;

/// Files on their way over one connection.
pub(super) struct SmbBatch<'t> {
    connections: &'t Connections,
    /// What the server gives of the rights that are asked for.
    rights: &'t AtomicUsize,
    connected: Option<Connected>,
    files: Vec<Option<Staged>>,
}

fn never_begun() -> Error {
    Error::new(Code::TargetFailed, "a file that was never begun")
}

impl<'t> SmbBatch<'t> {
    pub fn new(connections: &'t Connections, rights: &'t AtomicUsize) -> SmbBatch<'t> {
        SmbBatch { connections, rights, connected: None, files: Vec::new() }
    }

    /// All files of a batch go over one connection.
    fn connected(&mut self) -> Result<Connected, Error> {
        if let Some(connected) = &self.connected {
            return Ok(connected.clone());
        }
        let connected = self.connections.run(self.connections.connected())?;
        self.connected = Some(connected.clone());
        Ok(connected)
    }

    fn file(&mut self, file: usize) -> Result<&mut Staged, Error> {
        self.files.get_mut(file).and_then(Option::as_mut).ok_or_else(never_begun)
    }

    /// Does the same with some files, many at once. One result for each, in this order.
    fn with_all<W, T>(
        &mut self,
        wanted: Vec<(usize, W)>,
        work: impl AsyncFn(&Connected, &mut Staged, W) -> Result<T, Error>,
    ) -> Vec<Result<T, Error>> {
        let count = wanted.len();
        let connected = match self.connected() {
            Ok(connected) => connected,
            Err(error) => return wanted.iter().map(|_| Err(error.clone())).collect(),
        };
        let jobs: Vec<_> = wanted
            .into_iter()
            .map(|(file, wish)| (file, self.files.get_mut(file).and_then(Option::take), wish))
            .collect();
        let done = self.connections.run(async {
            let one = async |(file, staged, wish): (usize, Option<Staged>, W)| {
                let Some(mut staged) = staged else { return (file, None, Err(never_begun())) };
                let done = work(&connected, &mut staged, wish).await;
                (file, Some(staged), done.map_err(|error| self.connections.noted(&connected, error)))
            };
            Ok(stream::iter(jobs).map(one).buffered(IN_FLIGHT).collect::<Vec<_>>().await)
        });
        match done {
            Ok(done) => {
                if done.iter().any(|(.., result)| result.is_ok()) {
                    self.connections.driver.pool.went_well();
                }
                let put_back = |(file, staged, result): (usize, Option<Staged>, _)| {
                    if let Some(slot) = self.files.get_mut(file) {
                        *slot = staged;
                    }
                    result
                };
                done.into_iter().map(put_back).collect()
            }
            Err(error) => (0..count).map(|_| Err(error.clone())).collect(),
        }
    }
}

impl Drop for SmbBatch<'_> {
    fn drop(&mut self) {
        let _inside = self.connections.driver.enter();
        self.files.clear();
    }
}

impl RestoreBatch for SmbBatch<'_> {
    fn create(&mut self, file: usize, stage: &RelPath, meta: &Meta) -> Result<(), Error> {
        let path = self.connections.driver.wire_path(stage)?;
        if self.files.len() <= file {
            self.files.resize_with(file + 1, || None);
        }
        self.files[file] = Some(Staged::new(path, meta));
        Ok(())
    }

    fn set_len(&mut self, file: usize, size_bytes: u64) -> Result<(), Error> {
        self.file(file)?.set_len(size_bytes);
        Ok(())
    }

    fn write_at(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Error> {
        if self.file(file)?.keeps(offset_bytes, bytes) {
            return Ok(());
        }
        let (connected, connections, rights) = (self.connected()?, self.connections, self.rights);
        let staged = self.file(file)?;
        let written = connections.run(staged.write((&connected, rights), offset_bytes, bytes));
        written.map_err(|error| connections.noted(&connected, error)).inspect_err(|error| staged.fail(error.clone()))
    }

    fn finish(&mut self, files: Vec<(usize, Meta, Metadata)>) -> Vec<Result<LostParts, Error>> {
        let rights = self.rights;
        let wanted = files.into_iter().map(|(file, meta, metadata)| (file, (meta, metadata))).collect();
        self.with_all(wanted, async |to, staged, (meta, metadata): (Meta, Metadata)| {
            staged.finish((to, rights), &meta, &metadata).await
        })
    }

    fn place(&mut self, files: &[(usize, Placing)]) -> Vec<Result<LostParts, Error>> {
        let driver = &self.connections.driver;
        self.with_all(files.to_vec(), async |to, staged, placing: Placing| {
            let place = driver.wire_path(&placing.place)?;
            staged.place(to, &place, &placing).await
        })
    }

    fn discard(&mut self, file: usize) {
        let staged = self.files.get_mut(file).and_then(Option::take);
        if let (Some(staged), Some(connected)) = (staged, self.connected.clone())
            && !connected.session.is_lost()
        {
            let _ = self.connections.run(async {
                staged.discard(&connected).await;
                Ok(())
            });
        }
    }
}
