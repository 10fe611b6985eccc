//! What differs between two states.

use super::{History, State};
use crate::codec::{Reader, Writer};
use crate::spill::{Pool, Sorted, Sorter, Stack};
use octo_core::{Cancel, Code, Entry, Error, Kind, ListSink, Listed, Meta, Name, RelPath, Source, Target};
use std::ops::ControlFlow;

/// What is sorted in memory of one folder.
const SORT_BYTES: usize = 4 << 20;

/// One entry that is not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub path: RelPath,
    /// What it was in the earlier state; `None` if it was not there.
    pub earlier: Option<Meta>,
    /// What it was in the later state; `None` if it was not there.
    pub later: Option<Meta>,
}

/// A folder that is compared: its path, and whether each state has it.
struct Step(RelPath, [bool; 2]);

impl History<'_> {
    /// Shows what differs below a folder, in no order across folders. Of files size and last write time are compared; folders differ
    /// only if one is not there. Once cancelled, it fails with [`Code::Cancelled`].
    pub fn diff(
        &self,
        states: [&State<'_>; 2],
        below: &RelPath,
        cancel: &Cancel,
        each: &mut dyn FnMut(&Difference) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut steps = Stack::default();
        let mut has = [false; 2];
        for (has, state) in has.iter_mut().zip(states) {
            *has = below.is_root() || state.look(below)?.is_some_and(|meta| meta.kind == Kind::Folder);
        }
        push(self.target, &mut steps, &Step(below.clone(), has))?;
        while let Some(step) = steps.pop()? {
            if cancel.is_cancelled() {
                return Err(Error::new(Code::Cancelled, ""));
            }
            let mut r = Reader(&step);
            let step = Step(r.path()?, [r.u8()? != 0, r.u8()? != 0]);
            if self.folder(states, &step, &mut steps, each)?.is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn folder(
        &self,
        states: [&State<'_>; 2],
        Step(folder, has): &Step,
        steps: &mut Stack,
        each: &mut dyn FnMut(&Difference) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let pool = Pool::new(SORT_BYTES);
        let mut sides = Vec::new();
        for (state, has) in states.iter().zip(has) {
            sides.push(self.sorted(&pool, state, folder, *has)?);
        }
        let [a, b] = [0, 1].map(|side: usize| sides[side].iter());
        let (mut a, mut b) = (a?.peekable(), b?.peekable());
        loop {
            let key = |side: Option<&Result<crate::spill::Record, Error>>| {
                side.and_then(|record| record.as_ref().ok()).map(|record| record.key().to_vec())
            };
            let (of_a, of_b) = (key(a.peek()), key(b.peek()));
            let Some(name) = of_a.iter().chain(&of_b).min().cloned() else {
                // What is left is an error, if anything is.
                return [a.next(), b.next()]
                    .into_iter()
                    .flatten()
                    .try_for_each(|it| it.map(drop))
                    .map(ControlFlow::Continue);
            };
            let earlier = if of_a.as_ref() == Some(&name) { take(a.next())? } else { None };
            let later = if of_b.as_ref() == Some(&name) { take(b.next())? } else { None };
            let Ok(name) = Name::new(name) else { continue };
            let path = folder.join(&name);
            let is_folder = |meta: &Option<Meta>| meta.is_some_and(|meta| meta.kind == Kind::Folder);
            let has = [is_folder(&earlier), is_folder(&later)];
            if has != [false, false] {
                push(self.target, steps, &Step(path.clone(), has))?;
            }
            let difference = Difference { path, earlier, later };
            if difference.is_one() && each(&difference).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    fn sorted(
        &self,
        pool: &std::sync::Arc<Pool>,
        state: &State<'_>,
        folder: &RelPath,
        has: bool,
    ) -> Result<Sorted, Error> {
        let mut by_name = ByName { sorter: Sorter::new(self.target, pool), failed: None };
        if has && let Listed::Incomplete(error) = state.list(folder, &mut by_name) {
            return Err(error);
        }
        by_name.failed.map_or_else(|| by_name.sorter.finish(), Err)
    }
}

impl Difference {
    fn is_one(&self) -> bool {
        match (&self.earlier, &self.later) {
            (Some(a), Some(b)) if a.kind == Kind::Folder => b.kind != Kind::Folder,
            (Some(a), Some(b)) => (a.kind, a.size_bytes, a.write_time) != (b.kind, b.size_bytes, b.write_time),
            _ => true,
        }
    }
}

fn push(target: &dyn Target, steps: &mut Stack, Step(path, has): &Step) -> Result<(), Error> {
    let mut w = Writer::default();
    w.bytes(path.as_bytes());
    has.iter().for_each(|has| w.u8(u8::from(*has)));
    steps.push(target, &w.0)
}

fn take(record: Option<Result<crate::spill::Record, Error>>) -> Result<Option<Meta>, Error> {
    record.transpose()?.map(|record| Reader(record.value()).meta()).transpose()
}

struct ByName<'a> {
    sorter: Sorter<'a>,
    failed: Option<Error>,
}

impl ListSink for ByName<'_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        let mut w = Writer::default();
        w.meta(&entry.meta);
        match self.sorter.push(entry.name.as_bytes(), &w.0) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }
    fn problem(&mut self, _: &[u8], error: Error) {
        self.failed.get_or_insert(error);
    }
    fn restart(&mut self) {}
}
