//! A source that hangs, and a run that is cancelled.

use super::*;
use octo_core::{Kind, Name};
use std::sync::Mutex;
use std::sync::mpsc::Sender;

/// Says a little, and then nothing until it is released.
struct Hanging(Mutex<Receiver<()>>);

impl Hanging {
    fn new() -> (Sender<()>, Hanging) {
        let (release, hangs) = channel();
        (release, Hanging(Mutex::new(hangs)))
    }

    fn hang(&self) {
        let _ = self.0.lock().map(|hangs| hangs.recv());
    }
}

impl Source for Hanging {
    fn features(&self) -> SourceFeatures {
        unreachable!("nobody asks")
    }
    fn pin(&self) -> Result<SourcePin, Error> {
        self.hang();
        unreachable!("it hangs")
    }
    fn list(&self, _: &RelPath, sink: &mut dyn ListSink) -> Listed {
        let entry = Entry { name: Name::new(*b"a").unwrap(), meta: Meta::new(Kind::File, 1, Timestamp(0)) };
        let _ = sink.entry(entry);
        self.hang();
        Listed::Complete
    }
    fn fetch(&self, _: &[FetchRequest], sink: &mut dyn FetchSink) {
        let meta = Meta::new(Kind::File, 1, Timestamp(0));
        let _ = sink.opened(0, meta).and_then(|()| sink.finished(0, meta)).and_then(|()| sink.opened(1, meta));
        self.hang();
    }
}

#[derive(Default)]
struct Kept {
    failed: Vec<(usize, Code)>,
}

impl ListSink for Kept {
    fn entry(&mut self, _: Entry) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    fn problem(&mut self, _: &[u8], _: Error) {}
    fn restart(&mut self) {}
}

impl FetchSink for Kept {
    fn opened(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        Ok(())
    }
    fn data(&mut self, _: usize, _: u64, _: &[u8]) -> Result<(), Stop> {
        Ok(())
    }
    fn finished(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        Ok(())
    }
    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        self.failed.push((file, error.code));
        Ok(())
    }
}

#[test]
fn no_question_to_a_source_that_hangs_outlives_the_wish_to_stop() {
    let cancel = Cancel::new();
    cancel.cancel();
    let (mut held, mut kept) = (Vec::new(), Kept::default());
    let mut hanging = || {
        let (release, source) = Hanging::new();
        held.push(release);
        CancellableSource::new(source, cancel.clone())
    };
    let is_cancelled = |error: &Error| error.code == Code::Cancelled;
    assert!(hanging().pin().is_err_and(|error| is_cancelled(&error)));
    let listed = hanging().list(&RelPath::root(), &mut kept);
    assert!(matches!(&listed, Listed::Incomplete(error) if is_cancelled(error)), "{listed:?}");
    let request = FetchRequest {
        path: RelPath::root(),
        listed: Meta::new(Kind::File, 1, Timestamp(0)),
        parts: None,
        snapshot: None,
        metadata: false,
    };
    hanging().fetch(&[request.clone(), request], &mut kept);
    assert_eq!(kept.failed.len(), 1);
    assert_eq!(kept.failed[0].1, Code::Cancelled);
}

#[test]
fn a_source_that_panics_is_an_error_of_the_program() {
    let (release, source) = Hanging::new();
    drop(release);
    let error = CancellableSource::new(source, Cancel::new()).pin().unwrap_err();
    assert_eq!(error, Error::panicked("reading the source"));
}
