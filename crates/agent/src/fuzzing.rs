//! The decoders of what comes over the network, and of files that lie where others may have written, one name each, as the
//! fuzz targets and the run over their corpus call them. Not an interface: only there in tests and with the feature `fuzzing`.

use crate::agent::identity::Identity;
use crate::server::agent_registry::Host;
use crate::tls;
use crate::token::Token;
use crate::wire::messages::{Hello, Introduction, Open, Opened, PairAnswer, PairRequest, parse, printable};
use crate::wire::{Answer, Decoder, FetchOrder, Order};
use octo_core::Timestamp;

/// What the names of one frame can be together: a frame's entries take at least six bytes each, a name at most 4 KiB.
const NAMES_BYTES_MAX: usize = (1 << 20) / 6 * (4 << 10);

/// A parser that must take any bytes without panicking or growing.
pub type Parser = fn(&[u8]);

/// Every parser, by the name of its corpus.
pub const PARSERS: &[(&str, Parser)] = &[
    // What a hostile agent sends.
    ("answers", answers),
    // The same with a length that fits, so that the frame itself is read.
    ("frame", |bytes| answers(&[&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()[..], bytes].concat())),
    // What a hostile server asks.
    ("orders", |bytes| {
        let _ = Order::decode(bytes);
        let _ = FetchOrder::decode(bytes);
    }),
    // JSON of both sides, pairing included: each as every message that it could be.
    ("messages", |bytes| {
        let _ = (parse::<Hello>(bytes), parse::<Open>(bytes), parse::<PairRequest>(bytes), parse::<PairAnswer>(bytes));
        let _ = parse::<Opened>(bytes).map(Opened::result);
        let _ = parse::<Introduction>(bytes).map(|said| printable(&said.host));
    }),
    ("token", |bytes| drop(Token::parse(&String::from_utf8_lossy(bytes)))),
    ("certificate", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _ = (tls::certificate(&text), tls::private_key(&text));
    }),
    // The files that agent and server keep: damaged by a disk, or written by somebody else.
    ("state", |bytes| {
        let _ = serde_json::from_slice::<Vec<Host>>(bytes);
        if let Ok(identity) = serde_json::from_slice::<Identity>(bytes) {
            let _ = (identity.is_due(Timestamp(0)), identity.config(b"octo"));
        }
    }),
];

fn answers(bytes: &[u8]) {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    while let Ok(Some(frame)) = decoder.next() {
        if let Ok(Answer::Entries(mut entries)) = Answer::decode(&frame) {
            let mut names_bytes = 0;
            while let Ok(Some(entry)) = entries.next() {
                names_bytes += entry.map_or(0, |entry| entry.name.as_bytes().len());
            }
            assert!(names_bytes <= NAMES_BYTES_MAX, "a frame that unfolds without bound");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{EntryBatch, Frame, FrameCompression};
    use octo_core::{
        Entry, Error, FetchRequest, FileId, Kind, LinkTarget, LinkType, Listed, Meta, Name, Part, Piece, Ranges,
        RelPath, Timestamp, metadata::Posix,
    };
    use octo_testkit::corpus;

    fn meta() -> Meta {
        let id = Some(FileId { volume: 7, id: 1 << 70 });
        Meta {
            id,
            change_time: Some(Timestamp(5)),
            creation_time: Some(Timestamp(-5)),
            ..Meta::new(Kind::File, 3000, Timestamp(1 << 60))
        }
    }

    fn holes() -> Ranges {
        let mut holes = Ranges::new();
        holes.insert(5..1000);
        holes.insert(1 << 40..1 << 41);
        holes
    }

    /// One answer of each kind.
    fn seeds() -> Vec<Vec<u8>> {
        let mut batch = EntryBatch::default();
        for n in 0..40 {
            let name = Name::new(format!("Invoice {n:03} of somebody.pdf").into_bytes()).unwrap();
            assert!(batch.push(&Entry { name, meta: meta() }).is_none());
        }
        let cause = Error::new(octo_core::Code::AccessDenied, "no");
        let link = LinkTarget { kind: LinkType::Windows(0xA000_000C), data: b"there".to_vec() };
        [
            batch.take().unwrap(),
            Frame::bad_name(b"odd", &cause),
            Frame::listed(&Listed::Incomplete(cause.clone())),
            Frame::opened(3, &meta()),
            Frame::piece(3, 77, &[b'x'; 900], FrameCompression::Zstd),
            Frame::finished(3, &meta(), &[7; 32]),
            Frame::failed(3, &cause),
            Frame::link(&link),
            Frame::folder(&RelPath::parse(b"folder/inner").unwrap()),
            Frame::metadata(3, &Piece::Security(&[1; 40])),
            Frame::metadata(3, &Piece::Xattr { name: b"user.note", value: b"noted" }),
            Frame::metadata(3, &Piece::Stream { name: b"stream", size_bytes: 1 << 40 }),
            Frame::metadata(3, &Piece::StreamData(b"data")),
            Frame::metadata(3, &Piece::Reparse { tag: 0x9000_001A, data: b"data" }),
            Frame::metadata(3, &Piece::Posix(Posix { uid: 1, gid: 1 << 31, mode: 0o7777 })),
            Frame::metadata(3, &Piece::Unknown(Part::Streams, Some(cause.clone()))),
            Frame::holes(3, &holes()),
        ]
        .map(Into::into)
        .to_vec()
    }

    fn requests() -> Vec<Vec<u8>> {
        let path = RelPath::parse(b"folder/file").unwrap();
        let mut writer = FetchOrder::writer("/srv", true, true);
        let wanted = FetchRequest {
            path: path.clone(),
            listed: meta(),
            parts: Some(holes()),
            snapshot: Some(Timestamp(-9)),
            metadata: true,
        };
        assert!(writer.push(&wanted) && writer.push(&wanted));
        vec![Order::encode("/srv", &path), writer.finish()]
    }

    #[test]
    fn no_parser_panics_or_grows_on_its_corpus_and_mutations_of_it() {
        let frames = seeds();
        let bare: Vec<Vec<u8>> = frames.iter().map(|frame| frame[4..].to_vec()).collect();
        corpus::write_seeds("agent", "answers", &[&frames[..], &[frames.concat()]].concat());
        corpus::write_seeds("agent", "frame", &bare);
        corpus::write_seeds("agent", "orders", &requests());
        let messages = [
            r#"{"root":"/srv"}"#,
            r#"{"version":"1.0","host":"fs1","system":"linux x86_64","clock_ticks":1,"roots":["/srv"]}"#,
            r#"{"secret":"00ff","public_key":"04","host":"fs1","version":"1.0"}"#,
            r#"{"ok":{"agent":"fs1","certificate":"-----BEGIN CERTIFICATE-----","authority":"x"}}"#,
            r#"{"error":"not allowed"}"#,
        ];
        corpus::write_seeds("agent", "messages", &messages.map(|it| it.as_bytes().to_vec()));
        let token = format!("octo1-{}", "0123456789abcdef".repeat(4));
        corpus::write_seeds("agent", "token", &[token.into_bytes()]);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["fs1".to_owned()]).unwrap().self_signed(&key).unwrap();
        corpus::write_seeds("agent", "certificate", &[certificate.pem().into_bytes()]);
        let state = serde_json::json!({
            "server": "backup:8735", "agent": "fs1", "key": "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----",
            "certificate": certificate.pem(), "authority": certificate.pem(), "issued": 1
        });
        corpus::write_seeds("agent", "state", &[state.to_string().into_bytes(), b"[]".to_vec()]);
        corpus::replay("agent", PARSERS);
    }

    #[test]
    fn each_kind_of_answer_that_is_read_has_a_seed() {
        let is_read =
            |kind: &u8| Answer::decode(&[*kind]).err().is_none_or(|error| !error.detail.contains("unknown frame"));
        let read: Vec<u8> = (0..=255).filter(is_read).collect();
        let mut seeded: Vec<u8> = seeds().iter().map(|frame| frame[4]).collect();
        seeded.sort_unstable();
        seeded.dedup();
        assert_eq!(seeded, read);
    }

    /// Every byte at every place of interest, every cut, every two neighbours swapped, every piece repeated.
    fn mutations(seed: &[u8], mut show: impl FnMut(&[u8])) {
        for at in 0..seed.len() {
            show(&seed[..at]);
            let mut bytes = seed.to_vec();
            for value in 0..=255 {
                bytes[at] = value;
                show(&bytes);
            }
            bytes[at] = seed[at];
            bytes.swap(at, (at + 1) % seed.len());
            show(&bytes);
            show(&[&seed[..at], &[0xFF; 19], &seed[at..]].concat());
            show(&[seed, &seed[at..]].concat());
        }
    }

    #[test]
    fn no_single_change_of_an_answer_or_a_request_makes_a_decoder_panic_or_grow() {
        for seed in [seeds(), requests()].concat() {
            mutations(&seed, |bytes| PARSERS.iter().for_each(|(_, parser)| parser(bytes)));
        }
    }
}
