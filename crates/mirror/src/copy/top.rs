//! The metadata of the root folder itself, which is in no listing. It is read once in every run, in one request, and
//! kept if it is another than what is there.

use super::copier::Copier;
use super::gathering::{Gathering, is_alike};
use super::metadata::keep;
use octo_core::{Error, FetchRequest, FetchSink, Kind, Meta, Part, Piece, Ranges, RelPath, Stop, Target, Timestamp};

/// Takes the one entry of the fetch.
struct Sink<'t> {
    target: &'t dyn Target,
    gathering: Gathering,
    opened: Option<Meta>,
    is_whole: bool,
    /// The source's side.
    refused: Option<Error>,
    /// Our own side.
    failed: Option<Error>,
}

impl FetchSink for Sink<'_> {
    fn opened(&mut self, _: usize, meta: Meta) -> Result<(), Stop> {
        self.opened = Some(meta);
        Ok(())
    }

    fn data(&mut self, _: usize, _: u64, _: &[u8]) -> Result<(), Stop> {
        Err(Stop::ThisFile)
    }

    fn metadata(&mut self, _: usize, piece: Piece<'_>) -> Result<(), Stop> {
        self.gathering.take(self.target, piece).map_err(|error| {
            self.failed = Some(error);
            Stop::Everything
        })
    }

    fn finished(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        self.is_whole = true;
        Ok(())
    }

    fn failed(&mut self, _: usize, error: Error) -> Result<(), Stop> {
        self.refused = Some(error);
        Ok(())
    }
}

impl Copier<'_> {
    /// Keeps what the root folder has besides its entries. Fails only with what ends the run.
    pub fn keep_top(&self) -> Result<(), Error> {
        let (context, root) = (self.context, RelPath::root());
        if !context.wants_metadata() || context.options.dry_run || context.is_over() {
            return Ok(());
        }
        let listed = Meta::new(Kind::Folder, 0, Timestamp::default());
        let parts = Some(Ranges::new());
        let wanted = FetchRequest { path: root.clone(), listed, parts, snapshot: None, metadata: true };
        let (target, gathering) = (context.target, Gathering::default());
        let mut sink = Sink { target, gathering, opened: None, is_whole: false, refused: None, failed: None };
        context.source.fetch(&[wanted], &mut sink);
        let Sink { gathering, opened, is_whole, refused, failed, .. } = sink;
        if let Some(error) = failed.into_iter().chain(refused.clone()).find(|error| error.code.stops_run()) {
            return Err(error);
        }
        let Some(opened) = opened.filter(|_| is_whole) else {
            let lost = refused.map(|error| (Part::Attributes, error));
            context.lost_metadata(&root, lost.into_iter().collect());
            return Ok(());
        };
        let (metadata, lost) = gathering.finish(&opened);
        let old = target.metadata(&root)?;
        match &old {
            Some(old) if is_alike(old, &metadata) && lost.is_empty() => return Ok(()),
            Some(_) => {
                self.ops.leave_metadata(&root, &listed)?;
                context.count(|c| c.metadata_refreshed += 1);
            }
            None => {}
        }
        keep(context, &root, &root, (metadata, lost)).map(drop)
    }
}
