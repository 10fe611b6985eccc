//! Fetching files, and keeping what is said.

use crate::ground::p;
use octo_core::{Error, FetchRequest, FetchSink, Kind, Meta, Source, Stop, Timestamp};

/// Keeps what a fetch says, in the order it says it.
#[derive(Default)]
pub struct Kept {
    pub told: Vec<(usize, &'static str)>,
    pub opened: Option<Meta>,
    pub finished: Option<Meta>,
    pub error: Option<Error>,
    pub data: Vec<(u64, Vec<u8>)>,
    /// Run when a file was opened.
    pub meanwhile: Option<Box<dyn FnMut()>>,
    pub stop_at: Option<(usize, Stop)>,
}

impl FetchSink for Kept {
    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.told.push((file, "opened"));
        self.opened = Some(meta);
        if let Some(act) = &mut self.meanwhile {
            act();
        }
        match self.stop_at {
            Some((at, stop)) if at == file => Err(stop),
            _ => Ok(()),
        }
    }

    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        if self.told.last() != Some(&(file, "data")) {
            self.told.push((file, "data"));
        }
        self.data.push((offset_bytes, bytes.to_vec()));
        Ok(())
    }

    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.told.push((file, "finished"));
        self.finished = Some(meta);
        Ok(())
    }

    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        self.told.push((file, "failed"));
        self.error = Some(error);
        Ok(())
    }
}

pub fn request(path: &str) -> FetchRequest {
    FetchRequest {
        path: p(path),
        listed: Meta::new(Kind::File, 1, Timestamp(0)),
        parts: None,
        snapshot: None,
        metadata: false,
    }
}

/// Opened, finished and all bytes of one file.
pub fn one(source: &dyn Source, path: &str) -> Result<(Meta, Meta, Vec<u8>), Error> {
    let mut kept = Kept::default();
    source.fetch(&[request(path)], &mut kept);
    match kept.error {
        Some(error) => Err(error),
        None => Ok((kept.opened.unwrap(), kept.finished.unwrap(), kept.data.into_iter().flat_map(|d| d.1).collect())),
    }
}
