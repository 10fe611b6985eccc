//! The metadata of a file on the way: what does not come with the message that opens it, and large streams.

use super::fetcher::{FetchStop, Fetcher, READ_BYTES, read_request, shrunk};
use crate::attempts;
use crate::metadata::{self, Details, MetadataRequest};
use crate::open::{self, NOT_IN_A_COMPOUND, Open};
use crate::status::{self, nt};
use crate::wire::attribute;
use crate::wire::details::StreamInfo;
use crate::wire::reply::{self, Opened};
use crate::wire::request::{self, Create, RELATED};
use octo_core::{Code, Error, FetchRequest, FetchSink, Meta, Part, Piece};
use smb2::types::Command;

impl Fetcher<'_> {
    /// Reads the streams and the reparse point of a small file. False if that needs more than one message for each.
    pub(super) async fn small_details(
        &self,
        path: &[u16],
        wanted: &FetchRequest,
        details: &mut Details,
        opened: &Meta,
    ) -> Result<bool, Error> {
        for stream in std::mem::take(&mut details.streams) {
            let data = match self.small_stream(&metadata::stream_path(path, &stream), &stream, wanted).await {
                Ok(None) => return Ok(false),
                Ok(Some(data)) => Ok(data),
                Err(error) => Err(error),
            };
            details.stream(stream, data)?;
        }
        if opened.attributes & attribute::REPARSE_POINT != 0 {
            let point = metadata::reparse_point(self.session, path, self.options, wanted.snapshot).await;
            details.reparse(point)?;
        }
        Ok(true)
    }

    /// Opens, reads and closes a stream in one message. `None` if the server does not take it so.
    async fn small_stream(
        &self,
        path: &[u16],
        info: &StreamInfo,
        wanted: &FetchRequest,
    ) -> Result<Option<Vec<u8>>, Error> {
        let bytes = u32::try_from(info.size_bytes).unwrap_or(READ_BYTES);
        let create = self.create_stream(path, wanted);
        // One more byte tells whether it has grown.
        let (read, close) = (read_request(RELATED, 0, bytes + 1), open::close_request(RELATED));
        let parts: [open::Part<'_>; 3] =
            [(Command::Create, &create, 0), (Command::Read, &read, bytes + 1), (Command::Close, &close, 0)];
        let Some(frames) = open::compound(self.session, &parts).await? else { return Ok(None) };
        let mut frames = frames.into_iter();
        let mut next = || open::next(&mut frames);
        let created = open::success(next()?)?;
        let (open, _) = Open::from_reply(self.session, &created, self.volume)?;
        let read = next()?;
        if next()?.header.status.0 == nt::SUCCESS {
            open.was_closed();
        }
        match read.header.status.0 {
            nt::END_OF_FILE if bytes == 0 => Ok(Some(Vec::new())),
            NOT_IN_A_COMPOUND => Ok(None),
            nt::SUCCESS => {
                let data = reply::read(&read.body, bytes + 1)?;
                let changed = || Error::new(Code::ChangedWhileRead, "a stream changed while it was read");
                if data.len() as u64 == info.size_bytes { Ok(Some(data.to_vec())) } else { Err(changed()) }
            }
            refused => Err(status::entry(refused)),
        }
    }

    fn create_stream<'p>(&self, path: &'p [u16], wanted: &FetchRequest) -> Create<'p> {
        Create { path, access: request::READ, options: self.options, with_id: false, snapshot: wanted.snapshot }
    }

    /// Opens a file, if need be without the rights that only its metadata takes.
    pub(super) async fn open_large(
        &self,
        path: &[u16],
        wanted: &FetchRequest,
    ) -> Result<(Open, Opened, MetadataRequest, Option<Error>), Error> {
        let ask = self.first_ask(wanted);
        let create = async |ask| {
            let request = self.create(path, wanted, ask);
            open::single(self.session, (Command::Create, &request, 0)).await.and_then(open::success)
        };
        let (created, ask, denied) = match create(ask).await {
            Err(denied) if denied.code == Code::AccessDenied && ask.access() != 0 => {
                let ask = ask.without_rights();
                (create(ask).await?, ask, Some(denied))
            }
            other => (other?, ask, None),
        };
        let (open, opened) = Open::from_reply(self.session, &created, self.volume)?;
        Ok((open, opened, ask, denied))
    }

    /// Asks for the metadata of an open file and reads its streams, whatever their size.
    pub(super) async fn large_details(
        &self,
        file: usize,
        path: &[u16],
        (open, opened): (&Open, &Meta),
        wanted: &FetchRequest,
        (ask, denied): (MetadataRequest, Option<Error>),
        sink: &mut dyn FetchSink,
    ) -> Result<(), FetchStop> {
        let mut answers = Vec::new();
        for question in ask.questions(open.handle) {
            answers.push(open::single(self.session, (Command::QueryInfo, &question, metadata::ANSWER_BYTES)).await);
        }
        let mut details = Details::gather(self.asks, ask, denied.as_ref(), answers.into_iter())?;
        if opened.attributes & attribute::REPARSE_POINT != 0 {
            details.reparse(metadata::reparse_point(self.session, path, self.options, wanted.snapshot).await)?;
        }
        details.hand_over(file, sink)?;
        for stream in &details.streams {
            match self.large_stream(file, &metadata::stream_path(path, stream), stream, wanted, sink).await {
                Err(FetchStop::Failed(error)) if !error.code.stops_run() && !attempts::is_loss(&error) => {
                    sink.metadata(file, Piece::Unknown(Part::Streams, Some(error)))?;
                }
                other => other?,
            }
        }
        Ok(())
    }

    async fn large_stream(
        &self,
        file: usize,
        path: &[u16],
        info: &StreamInfo,
        wanted: &FetchRequest,
        sink: &mut dyn FetchSink,
    ) -> Result<(), FetchStop> {
        let create = self.create_stream(path, wanted);
        let created = open::single(self.session, (Command::Create, &create, 0)).await.and_then(open::success)?;
        let (open, opened) = Open::from_reply(self.session, &created, self.volume)?;
        let size = opened.meta.size_bytes;
        sink.metadata(file, Piece::Stream { name: &info.name, size_bytes: size })?;
        let mut at = 0;
        while at < size {
            let most = READ_BYTES.min(self.session.read_bytes_max).max(1);
            let bytes = u32::try_from(size - at).unwrap_or(most).min(most);
            let (frame, _held) = self.read(open.handle, at, bytes).await?;
            let data = reply::read(&frame.body, bytes)?;
            if data.is_empty() {
                return Err(shrunk().into());
            }
            sink.metadata(file, Piece::StreamData(data))?;
            at += data.len() as u64;
        }
        open.close().await?;
        Ok(())
    }
}
