//! Metadata of a file or folder that is open: as much of it as the server takes; what it does not take is named.

use super::send::Connected;
use crate::attempts::is_loss;
use crate::open::Open;
use crate::wire::change::{self, Make, class, disposition, part, right};
use crate::wire::name;
use crate::wire::reply::Handle;
use crate::wire::request::option;
use octo_core::metadata::{Stream, StreamContent};
use octo_core::restore_target::LostParts;
use octo_core::{Code, Error, Metadata, Part, RelPath};

/// What ends the work: the connection is lost, or the share is full.
pub(super) fn ends(error: &Error) -> bool {
    is_loss(error) || error.code.stops_run()
}

/// The security descriptor of one entry, and what of it was set.
pub(super) struct Security {
    /// As it is set; `None` if there is none.
    descriptor: Option<Vec<u8>>,
    wanted: u32,
    set: u32,
    /// What the handle has the rights for.
    allowed: u32,
    why: Error,
}

impl Security {
    /// Nothing set yet, on a handle with these rights.
    pub fn of(metadata: &Metadata, rights: u32) -> Security {
        let (descriptor, wanted) = metadata.security.as_deref().and_then(change::descriptor).unzip();
        let mut allowed = u32::MAX;
        for (right, part) in [
            (right::SYSTEM_SECURITY, part::SACL),
            (right::WRITE_OWNER, part::OWNER_GROUP),
            (right::WRITE_DACL, part::DACL),
        ] {
            allowed &= if rights & right == 0 { !part } else { u32::MAX };
        }
        let why = Error::new(Code::AccessDenied, "the account lacks the privilege for that (SeRestorePrivilege)");
        Security { descriptor, wanted: wanted.unwrap_or(0), set: 0, allowed, why }
    }

    /// Sets these parts: all of them, or each by itself.
    pub async fn set(&mut self, to: &Connected, handle: Handle, parts: u32) -> Result<(), Error> {
        let Some(descriptor) = self.descriptor.as_deref() else { return Ok(()) };
        let parts = parts & self.wanted & self.allowed;
        for some in [parts, parts & part::OWNER_GROUP, parts & part::SACL] {
            if self.has(some) {
                continue;
            }
            match to.set_security(handle, some, descriptor).await {
                Ok(()) => self.set |= some,
                Err(error) if ends(&error) => return Err(error),
                Err(error) => self.why = error,
            }
        }
        Ok(())
    }

    /// Whether all of these parts were set.
    pub fn has(&self, parts: u32) -> bool {
        self.set & parts == parts
    }

    /// What could not be set.
    pub fn lost(self) -> LostParts {
        match self.wanted & !self.set {
            0 => Vec::new(),
            parts => vec![(Part::Security, missing(parts, self.why))],
        }
    }
}

/// Closes a new file to everybody but its owner and the server's administrators. Whether it is closed now.
pub(super) async fn make_private(to: &Connected, handle: Handle) -> Result<bool, Error> {
    match to.set_security(handle, part::DACL, &change::PRIVATE).await {
        Ok(()) => Ok(true),
        Err(error) if ends(&error) => Err(error),
        // A share without permissions has none to take away.
        Err(_) => Ok(false),
    }
}

fn missing(parts: u32, why: Error) -> Error {
    let names =
        [(part::OWNER_GROUP, "owner and group"), (part::DACL, "the access list"), (part::SACL, "audit entries")];
    let names: Vec<_> = names.iter().filter(|(part, _)| parts & part != 0).map(|(_, name)| *name).collect();
    Error::new(why.code, format!("not set: {}: {}", names.join(", "), why.detail))
}

/// Opens the streams, while the file still has the permissions of where it is.
pub(super) async fn open_streams<'m>(
    to: &Connected,
    path: &[u16],
    metadata: &'m Metadata,
    opened: &mut Vec<(Open, &'m Stream)>,
) -> Result<LostParts, Error> {
    for stream in &metadata.streams {
        let path = stream_path(path, &stream.name);
        let make = |path| Make {
            path,
            access: right::WRITE_DATA | right::READ_ATTRIBUTES | right::SYNCHRONIZE,
            attributes: 0,
            disposition: disposition::OPEN_OR_CREATE,
            options: option::OPEN_REPARSE_POINT,
        };
        let made = match &path {
            Ok(path) => to.make(&make(path)).await,
            Err(error) => Err(error.clone()),
        };
        match made {
            Ok((open, _)) => opened.push((open, stream)),
            Err(error) if ends(&error) => return Err(error),
            Err(error) => return Ok(vec![(Part::Streams, error)]),
        }
    }
    Ok(Vec::new())
}

fn stream_path(path: &[u16], stream: &[u8]) -> Result<Vec<u16>, Error> {
    let bad = || Error::new(Code::TargetEntry, "a stream has a name that the server cannot hold");
    let stream = RelPath::parse(stream).ok().filter(|path| path.names().count() == 1).ok_or_else(bad)?;
    let stream = name::to_utf16(&stream)?;
    if stream.contains(&u16::from(b':')) {
        return Err(bad());
    }
    let colon = [u16::from(b':')];
    Ok([path, &colon, &stream, &":$DATA".encode_utf16().collect::<Vec<_>>()].concat())
}

/// Writes and closes the streams.
pub(super) async fn write_streams(
    to: &Connected,
    metadata: &Metadata,
    streams: Vec<(Open, &Stream)>,
) -> Result<LostParts, Error> {
    let mut lost = Vec::new();
    for (open, stream) in streams {
        let written = async {
            match &stream.content {
                StreamContent::Bytes(bytes) => {
                    to.set_file(open.handle, class::END_OF_FILE, (bytes.len() as u64).to_le_bytes().to_vec()).await?;
                    to.write_all(open.handle, 0, bytes).await?;
                }
                StreamContent::Bulk { offset_bytes, size_bytes } => {
                    to.set_file(open.handle, class::END_OF_FILE, size_bytes.to_le_bytes().to_vec()).await?;
                    let bulk = metadata.bulk.as_deref();
                    let bulk = bulk.ok_or_else(|| Error::new(Code::TargetFailed, "a stream without its data"))?;
                    let mut buffer = vec![0; to.write_bytes()];
                    let mut at = 0;
                    while at < *size_bytes {
                        let most = usize::try_from(size_bytes - at).unwrap_or(buffer.len()).min(buffer.len());
                        let got = bulk.read_at(offset_bytes + at, &mut buffer[..most])?;
                        if got == 0 {
                            return Err(Error::new(Code::TargetFailed, "a temporary file ends early"));
                        }
                        to.write_all(open.handle, at, &buffer[..got]).await?;
                        at += got as u64;
                    }
                }
            }
            open.close().await.map(drop)
        };
        match written.await {
            Ok(()) => {}
            Err(error) if ends(&error) => return Err(error),
            Err(error) => lost = vec![(Part::Streams, error)],
        }
    }
    Ok(lost)
}

/// Sets extended attributes. Of what a share cannot hold at all, reparse points are said too.
pub(super) async fn set_extended(to: &Connected, handle: Handle, metadata: &Metadata) -> Result<LostParts, Error> {
    let mut lost = Vec::new();
    if metadata.reparse.is_some() {
        let what = "it was a reparse point, and is restored as an ordinary file or folder with its content";
        lost.push((Part::Reparse, Error::new(Code::TargetEntry, what)));
    }
    if metadata.extended.is_empty() {
        return Ok(lost);
    }
    let too_long = || Error::new(Code::TargetEntry, "an extended attribute is longer than the protocol can carry");
    let set = match change::extended(&metadata.extended) {
        Some(info) => to.set_file(handle, class::FULL_EXTENDED, info).await,
        None => Err(too_long()),
    };
    match set {
        Ok(()) => {}
        Err(error) if ends(&error) => return Err(error),
        Err(error) => lost.push((Part::Extended, error)),
    }
    Ok(lost)
}
