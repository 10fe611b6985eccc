//! The parsers of bytes from the network, and of the credential cache that other programs write, one name each, as the
//! fuzz targets and the run over their corpus call them. Not an interface: only there in tests and with the feature `fuzzing`.

use crate::ccache;
use crate::wire::{details, listing, name, reply, shares, snapshots, volume};
use octo_core::SmbAddress;
use octo_core::metadata::is_security_descriptor;
use smb2::auth::kerberos::messages;
use smb2::auth::ntlm::{NtlmAuthenticator, NtlmCredentials};
use smb2::auth::spnego::parse_neg_token_resp;
use smb2::msg::session_setup::SessionSetupResponse;
use smb2::pack::{ReadCursor, Unpack};

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
    // What a server and a KDC answer in a logon: the library's parsers, called as the logon calls them.
    ("session_setup", |data| ignore(SessionSetupResponse::unpack(&mut ReadCursor::new(data)))),
    ("ntlm", |data| {
        let who = NtlmCredentials { username: "backupop".into(), password: "secret".into(), domain: "CORP".into() };
        let mut ntlm = NtlmAuthenticator::new(who);
        ignore(ntlm.negotiate());
        ignore(ntlm.authenticate(data));
    }),
    ("spnego", |data| ignore(parse_neg_token_resp(data))),
    ("kerberos", |data| {
        ignore((
            messages::parse_kdc_rep(data),
            messages::parse_enc_kdc_rep_part(data),
            messages::parse_krb_error(data),
        ));
        ignore((messages::parse_ap_rep(data), messages::parse_enc_ap_rep_part(data)));
        ignore((messages::parse_gss_api_wrapper(data), messages::parse_ticket(data)));
    }),
    ("security", |data| ignore(is_security_descriptor(data))),
    ("address", |data| ignore(SmbAddress::parse(&String::from_utf8_lossy(data)))),
];

#[cfg(test)]
mod tests {
    use octo_testkit::corpus::{replay, write_seeds};

    /// CHALLENGE_MESSAGE (MS-NLMP 2.2.1.2): the target's name, and a list of its names.
    fn challenge() -> Vec<u8> {
        let name = "CORP".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let pairs = [
            &2u16.to_le_bytes()[..],
            &8u16.to_le_bytes(),
            &name,
            &7u16.to_le_bytes(),
            &8u16.to_le_bytes(),
            &[9; 8],
            &[0; 4],
        ];
        let pairs = pairs.concat();
        let field = |len: usize, at: u32| {
            let len = u16::try_from(len).unwrap().to_le_bytes();
            [&len[..], &len, &at.to_le_bytes()].concat()
        };
        let head =
            [b"NTLMSSP\0".to_vec(), 2u32.to_le_bytes().to_vec(), field(8, 56), 0xE289_8235u32.to_le_bytes().to_vec()];
        let rest = [vec![7; 8], vec![0; 8], field(pairs.len(), 64), vec![10, 0, 0x61, 0x4A, 0, 0, 0, 15], name, pairs];
        [head.concat(), rest.concat()].concat()
    }

    /// DER: tag, length, content.
    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(content.len()).unwrap()][..], content].concat()
    }

    /// NegTokenResp (RFC 4178 4.2.2) with what the mechanism answers.
    fn neg_token(answer: &[u8]) -> Vec<u8> {
        let state = der(0xA0, &[0x0A, 1, 1]);
        let answer = [
            &[0xA2, 0x81, u8::try_from(answer.len() + 3).unwrap(), 0x04, 0x81, u8::try_from(answer.len()).unwrap()][..],
            answer,
        ]
        .concat();
        let inner = [state, answer].concat();
        let len = |more: usize| u8::try_from(inner.len() + more).unwrap();
        [&[0xA1, 0x81, len(3), 0x30, 0x81, len(0)][..], &inner].concat()
    }

    /// KRB-ERROR (RFC 4120 5.9.1): a password is needed first.
    fn krb_error() -> Vec<u8> {
        let number = |tag: u8, n: u8| der(tag, &[2, 1, n]);
        let time = der(0xA4, &der(0x18, b"20260804210000Z"));
        let realm = der(0xA9, &der(0x1B, b"CORP.EXAMPLE"));
        let names = der(0xA1, &der(0x30, &[der(0x1B, b"krbtgt"), der(0x1B, b"CORP.EXAMPLE")].concat()));
        let service = der(0xAA, &der(0x30, &[number(0xA0, 2), names].concat()));
        let all = [number(0xA0, 5), number(0xA1, 30), time, number(0xA5, 0), number(0xA6, 25), realm, service].concat();
        der(0x7E, &der(0x30, &all))
    }

    #[test]
    fn no_parser_panics_on_its_corpus_and_mutations_of_it() {
        let setup = [&[9, 0, 0, 0, 72, 0, 3, 0][..], &[1, 2, 3]].concat();
        let descriptor =
            [&[1, 0, 4, 0x80][..], &20u32.to_le_bytes(), &[0; 12], &[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0]].concat();
        write_seeds("smb", "session_setup", &[setup]);
        write_seeds("smb", "ntlm", &[challenge()]);
        write_seeds("smb", "spnego", &[neg_token(&challenge())]);
        write_seeds("smb", "kerberos", &[krb_error(), der(0x6F, &der(0x30, &der(0xA0, &[2, 1, 5])))]);
        write_seeds("smb", "security", &[descriptor]);
        let addresses = ["smb://CORP;user@host:4450/share/folder", r"\\host\d$\data", "//[fe80::1%eth0]/c$"];
        write_seeds("smb", "address", &addresses.map(|it| it.as_bytes().to_vec()));
        replay("smb", super::PARSERS);
    }
}
