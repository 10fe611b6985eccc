//! Somebody in between who weakens the negotiation, which crosses the wire in the clear: always refused.

use crate::fixture::*;
use crate::proxy::{Fault, Proxy};
use octo_core::SmbAddress;
use octo_core::{Code, Error};
use octo_smb::{Dialect, Encrypt, SmbOptions, SmbSource};
use octo_testkit::samba::{Samba, SambaOptions};

/// The header of a message, and fields of a NEGOTIATE request (MS-SMB2 2.2.3) and answer (2.2.4) after it.
const HEADER: usize = 64;
const DIALECTS: usize = HEADER + 36;
const CONTEXTS_AT: usize = HEADER + 28;
const ANSWER_SECURITY_MODE: usize = HEADER + 2;
const ANSWER_DIALECT: usize = HEADER + 4;
const ANSWER_GUID: usize = HEADER + 8;
const ANSWER_CAPABILITIES: usize = HEADER + 24;
const ANSWER_CONTEXTS_AT: usize = HEADER + 60;

struct Bench {
    _samba: Samba,
    proxy: Proxy,
}

impl Bench {
    fn new(options: SambaOptions) -> Bench {
        let samba = Samba::start(options);
        let proxy = Proxy::start(format!("{}:{}", samba.addr(), Samba::OTHER_PORT));
        let bench = Bench { _samba: samba, proxy };
        bench.connect(Fault::Nothing, Encrypt::Auto).unwrap();
        bench
    }

    /// With the lowest demands, so that only what is altered is to be noticed.
    fn connect(&self, fault: Fault, encrypt: Encrypt) -> Result<(), Error> {
        self.proxy.set(fault);
        let address = SmbAddress::parse(&format!("//{}/data", self.proxy.addr)).unwrap().0;
        let options = SmbOptions { min_dialect: Dialect::Smb2_1, encrypt, ..SmbOptions::default() };
        SmbSource::connect(address, credentials("plain"), options).map(drop)
    }

    /// Refused as tampering, however much or little is demanded.
    fn refuses(&self, fault: Fault) {
        for encrypt in [Encrypt::Auto, Encrypt::Require, Encrypt::Off] {
            let error = self.connect(fault, encrypt).expect_err("altered on the way");
            // Who demands encryption refuses a server without it before anything can be proven; nobody else is told to lower a demand.
            let is_refused = matches!(error.code, Code::NegotiationAltered | Code::Protocol);
            assert!(
                is_refused || (encrypt == Encrypt::Require && error.code == Code::Insecure),
                "{encrypt:?}: {error}"
            );
        }
    }
}

fn u16_at(message: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(message[at..at + 2].try_into().unwrap())
}

/// Takes the dialects from `from` on out of the offer, by naming a lower one again.
fn strip_dialects(message: &mut [u8], from: u16) {
    let count = usize::from(u16_at(message, HEADER + 2));
    let lower = (0..count).map(|i| u16_at(message, DIALECTS + 2 * i)).filter(|&d| d < from).max().unwrap();
    for at in (0..count).map(|i| DIALECTS + 2 * i) {
        if u16_at(message, at) >= from {
            message[at..at + 2].copy_from_slice(&lower.to_le_bytes());
        }
    }
}

/// Makes the context about ciphers one that nobody knows.
fn strip_ciphers(message: &mut [u8], first_at: usize) {
    let mut at = u32::from_le_bytes(message[first_at..first_at + 4].try_into().unwrap()) as usize;
    while u16_at(message, at) != 2 {
        at = (at + 8 + usize::from(u16_at(message, at + 2))).next_multiple_of(8);
    }
    message[at] = 0xEE;
}

#[test]
fn stripping_the_newest_dialects_is_refused() {
    let bench = Bench::new(SambaOptions::new());
    bench.refuses(Fault::AlterQuestion(|m| strip_dialects(m, 0x0311)));
    bench.refuses(Fault::AlterQuestion(|m| strip_dialects(m, 0x0300)));
}

#[test]
fn stripping_encryption_from_the_newest_dialect_is_refused() {
    let bench = Bench::new(SambaOptions::new());
    bench.refuses(Fault::AlterQuestion(|m| strip_ciphers(m, CONTEXTS_AT)));
    bench.refuses(Fault::AlterAnswer(|m| strip_ciphers(m, ANSWER_CONTEXTS_AT)));
}

#[test]
fn whatever_is_altered_in_the_answer_of_older_dialects_is_refused() {
    for max in ["SMB3_02", "SMB3_00"] {
        let bench = Bench::new(SambaOptions::new().global(&format!("server max protocol = {max}")));
        bench.refuses(Fault::AlterQuestion(|m| m[HEADER + 8] ^= 0x40));
        bench.refuses(Fault::AlterQuestion(|m| strip_dialects(m, 0x0300)));
        bench.refuses(Fault::AlterAnswer(|m| m[ANSWER_CAPABILITIES] ^= 0x40));
        bench.refuses(Fault::AlterAnswer(|m| m[ANSWER_SECURITY_MODE] ^= 2));
        bench.refuses(Fault::AlterAnswer(|m| m[ANSWER_GUID] ^= 1));
        bench.refuses(Fault::AlterAnswer(|m| m[ANSWER_DIALECT..ANSWER_DIALECT + 2].copy_from_slice(&[0x10, 2])));
    }
}
