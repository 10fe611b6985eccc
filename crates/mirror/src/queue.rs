//! Gathers files to copy into batches and hands them to the threads that copy.

use crate::context::Context;
use crate::copy::{Task, note_needed};
use crossbeam_channel::Sender;
use octo_core::{Change, Error, Kind};

/// A batch of this many bytes is handed on.
const BATCH_BYTES: u64 = 4 << 20;
/// A file of this size is a batch of its own.
const ALONE_BYTES: u64 = 1 << 20;

/// Files on their way to the threads that copy. In a dry run they are only reported.
pub struct Queue<'q> {
    context: &'q Context<'q>,
    batches: Sender<Vec<Task>>,
    batch_files: usize,
    batch: Vec<Task>,
    batch_bytes: u64,
}

impl<'q> Queue<'q> {
    /// An empty queue. Its other end must be read until it is dropped.
    pub fn new(context: &'q Context<'q>, batches: Sender<Vec<Task>>) -> Queue<'q> {
        let batch_files = context.source.features().batch_files.max(1);
        Queue { context, batches, batch_files, batch: Vec::new(), batch_bytes: 0 }
    }

    /// One more file.
    pub fn push(&mut self, task: Task) -> Result<(), Error> {
        if task.refresh {
            return self.push_refresh(task);
        }
        let size_bytes = task.meta.size_bytes;
        if self.context.options.dry_run {
            note_needed(self.context, &task);
            let path = task.place;
            self.context.changed(&match task.old {
                None => Change::Created { path, kind: Kind::File, size_bytes },
                Some(_) => Change::Replaced { path, size_bytes },
            });
            return Ok(());
        }
        if !task.verify {
            self.context.plan_copy(size_bytes);
        }
        if size_bytes >= ALONE_BYTES {
            self.send(vec![task]);
            return Ok(());
        }
        self.batch.push(task);
        self.batch_bytes += size_bytes;
        if self.batch.len() >= self.batch_files || self.batch_bytes >= BATCH_BYTES {
            self.flush();
        }
        Ok(())
    }

    /// One more entry of which only the metadata is read.
    fn push_refresh(&mut self, task: Task) -> Result<(), Error> {
        if self.context.options.dry_run {
            self.context.count(|c| c.metadata_refreshed += u64::from(task.old.is_some()));
            return Ok(());
        }
        self.batch.push(task);
        if self.batch.len() >= self.batch_files {
            self.flush();
        }
        Ok(())
    }

    /// Hands on what is there.
    pub fn flush(&mut self) {
        self.batch_bytes = 0;
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            self.send(batch);
        }
    }

    fn send(&self, batch: Vec<Task>) {
        // The readers are gone only when the run is over.
        let _ = self.batches.send(batch);
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}
