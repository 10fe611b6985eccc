//! The parsers of bytes from the network, and of the credential cache that other programs write, one name each, as the
//! fuzz targets and the run over their corpus call them. Not an interface: only there in tests and with the feature `fuzzing`.

use crate::ccache;
use crate::wire::{details, listing, name, reply, shares, snapshots, volume};

/// A parser that must take any bytes without panicking.
pub type Parser = fn(&[u8]);

/// Only that it came is of interest.
fn ignore<T>(_: T) {}

/// Every parser, by the name of its corpus.
pub const PARSERS: &[(&str, Parser)] = &[
    ("listing", |data| {
        let Ok(buffer) = reply::query(data) else { return };
        let read = listing::entries(buffer, 1).count();
        assert!(read <= buffer.len() / 80 + 1, "entries do not overlap");
    }),
    ("create", |data| ignore(reply::create(data, 1))),
    ("close", |data| ignore(reply::close(data))),
    ("read", |data| {
        let read = reply::read(data, 4096);
        assert!(read.is_err() || read.is_ok_and(|d| d.len() <= 4096));
    }),
    ("query_info", |data| {
        let Ok(info) = reply::query(data) else { return };
        ignore((volume::volume(info), volume::filesystem(info), reply::is_link(info)));
        ignore((details::streams(info), details::extended(info)));
    }),
    ("ioctl", |data| {
        let Ok(output) = reply::ioctl(data) else { return };
        ignore((reply::reparse(output), reply::validate_negotiate(output), snapshots::snapshots(output)));
    }),
    ("shares", |data| {
        let Ok(message) = reply::ioctl(data) else { return };
        let Ok((stub, _)) = smb2::rpc::parse_response_fragment(message) else { return };
        ignore(shares::shares(stub));
    }),
    ("negotiate", |data| ignore((reply::negotiate(data), reply::server_time(data)))),
    ("name", |data| ignore(name::from_utf16le(data))),
    ("ccache", |data| {
        let Some(cache) = ccache::parse(data) else { return };
        assert!(cache.credentials.len() <= data.len() / 80, "tickets do not overlap");
    }),
];

#[cfg(test)]
mod tests {
    #[test]
    fn no_parser_panics_on_its_corpus_and_mutations_of_it() {
        octo_testkit::corpus::replay("smb", super::PARSERS);
    }
}
