//! Something that answers and is no server of SMB 2 or 3: said to be that, and not a lost connection or a broken server.

use crate::fixture::*;
use octo_core::SmbAddress;
use octo_core::{Code, Error};
use octo_smb::{SmbOptions, SmbSource};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};

/// What a connection to something that answers so comes to. `speaks_first`: it does not wait to be asked.
fn meets(answer: &'static [u8], speaks_first: bool) -> Error {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 4096];
            let length = if speaks_first { 1 } else { stream.read(&mut asked).unwrap_or(0) };
            if length == 0 {
                // The end of the test: a connection that asks nothing.
                return;
            }
            let _ = stream.write_all(answer);
            let _ = stream.shutdown(Shutdown::Write);
            // Bytes that are left unread would make a reset of the end, and the answer would be lost with it.
            while stream.read(&mut asked).is_ok_and(|length| length > 0) {}
            if speaks_first {
                return;
            }
        }
    });
    let address = SmbAddress::parse(&format!("smb://127.0.0.1:{port}/data")).unwrap().0;
    let error = SmbSource::connect(address, credentials("plain"), SmbOptions::default()).map(drop).unwrap_err();
    if !speaks_first {
        let _ = std::net::TcpStream::connect(("127.0.0.1", port));
    }
    server.join().unwrap();
    error
}

#[test]
fn what_speaks_another_protocol_is_called_that() {
    for (name, answer, speaks_first) in [
        ("a web server", &b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"[..], false),
        ("a TLS server", b"\x15\x03\x01\x00\x02\x02\x46", false),
        ("an SSH server", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", true),
        ("a mail server", b"220 mail.example.org ESMTP\r\n", true),
    ] {
        let error = meets(answer, speaks_first);
        assert_eq!(error.code, Code::NoSmb, "{name}: {error}");
    }
}

#[test]
fn a_server_of_smb_1_is_called_that() {
    // NetBIOS length, then an answer to NEGOTIATE (MS-CIFS 2.2.4.52.2): 32 bytes of header, no words, no bytes.
    const ANSWER: &[u8; 39] =
        b"\0\0\0\x23\xFFSMB\x72\0\0\0\0\x98\x01\x28\0\0\0\0\0\0\0\0\0\0\0\0\xFF\xFE\0\0\0\0\0\0\0\0\0";
    let error = meets(ANSWER, false);
    assert!(error.code == Code::NoSmb && error.detail.contains("SMB 1"), "{error}");
}
