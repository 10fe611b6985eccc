//! A batch of files, fetched until each is copied, put off, or given up.
//!
//! Files whose time or size moved while they were read, or of which fewer bytes came than announced, are read again at once.

use super::batch::Batch;
use super::copier::Copier;
use super::stage::{self, Stage, part_key};
use super::task::Task;
use crate::layout;
use octo_core::{Error, FetchRequest, Meta, Ranges};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

impl Copier<'_> {
    /// Copies a batch; everything that happens to its files is reported to the context.
    pub fn copy(&self, tasks: Vec<Task>) {
        let (live, mut tasks): (Vec<_>, Vec<_>) = tasks.into_iter().partition(|task| task.is_live);
        for task in live.iter().take_while(|_| !self.context.is_over()) {
            self.copy_live(task);
        }
        while !tasks.is_empty() && !self.context.is_over() {
            if self.postponed.waits() {
                tasks.retain(|task| task.refresh || !self.postpone(task));
            }
            tasks = self.copy_once(tasks);
        }
    }

    /// One fetch. Returns what is to be read again at once.
    fn copy_once(&self, tasks: Vec<Task>) -> Vec<Task> {
        let keys: Vec<_> = tasks.iter().filter(|task| task.has_part()).map(|task| self.part_key(task)).collect();
        let parts_in_use = || self.parts_in_use.lock().unwrap_or_else(PoisonError::into_inner);
        parts_in_use().extend(keys.iter().cloned());
        let requests: Vec<_> = tasks.iter().map(|task| self.request(task)).collect();
        let mut batch = Batch::new(self, tasks, &requests);
        self.context.source.fetch(&requests, &mut batch);
        let again = batch.finish();
        parts_in_use().retain(|key| !keys.contains(key));
        again
    }

    fn request(&self, task: &Task) -> FetchRequest {
        let (path, listed) = (task.source.clone(), task.meta);
        if task.refresh {
            return FetchRequest { path, listed, parts: Some(Ranges::new()), snapshot: None, metadata: true };
        }
        let parts = task.has_part().then(|| {
            let size_bytes = task.meta.size_bytes;
            stage::parts_there(self.context.target, &self.part_key(task), size_bytes).missing(size_bytes)
        });
        let snapshot = task.stand_in.as_ref().map(|s| s.taken);
        FetchRequest { path, listed, parts, snapshot, metadata: self.context.wants_metadata() }
    }

    pub(super) fn part_key(&self, task: &Task) -> String {
        part_key(&task.source, &task.meta, self.context.source.features().invents_creation_times)
    }

    pub(super) fn stage(&self, task: &Task, opened: &Meta, request: &FetchRequest) -> Result<Stage, Error> {
        let stage = match &request.parts {
            Some(missing) => {
                let mut there = Ranges::new();
                missing.missing(opened.size_bytes).iter().for_each(|range| there.insert(range));
                Stage::part(self.context.target, &self.part_key(task), opened.size_bytes, there)
            }
            None => {
                let number = self.next_stage.fetch_add(1, Ordering::Relaxed);
                Stage::small(self.context.target, &layout::stage(self.ops.run, number))
            }
        };
        stage.map(|mut stage| {
            stage.hash_is_told = self.context.source.features().tells_hashes;
            stage
        })
    }

    /// There is no space for this copy. Whether it waits for the deletions.
    pub(super) fn postpone(&self, task: &Task) -> bool {
        let waits = self.postponed.add(task);
        if waits {
            self.push_later(task);
        }
        waits
    }
}
