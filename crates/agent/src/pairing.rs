//! The short conversation in which an agent gets a certificate: one JSON text each way, nothing before TLS is proven.

use crate::carrier::connection_lost;
use crate::wire::fault;
use crate::wire::messages::{JSON_BYTES_MAX, json, parse};
use octo_core::Error;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Sends one text.
pub(crate) async fn send(io: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> Result<(), Error> {
    let text = json(message);
    let length = u32::try_from(text.len()).map_err(|_| fault("a message is too long"))?;
    io.write_all(&length.to_le_bytes()).await.map_err(connection_lost)?;
    io.write_all(&text).await.map_err(connection_lost)?;
    io.flush().await.map_err(connection_lost)
}

/// Reads one text.
pub(crate) async fn receive<T: for<'de> Deserialize<'de>>(io: &mut (impl AsyncRead + Unpin)) -> Result<T, Error> {
    let length = usize::try_from(io.read_u32_le().await.map_err(connection_lost)?).unwrap_or(usize::MAX);
    if length > JSON_BYTES_MAX {
        return Err(fault("a message is too long"));
    }
    let mut text = vec![0; length];
    io.read_exact(&mut text).await.map_err(connection_lost)?;
    parse(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::Code;

    #[derive(Debug, Serialize, Deserialize)]
    struct Text {
        _text: String,
    }

    #[test]
    fn an_answer_that_is_garbage_too_long_or_cut_short_is_a_fault_and_takes_no_memory() {
        let with_length = |length: u32, rest: &[u8]| [&length.to_le_bytes()[..], rest].concat();
        let cases = [
            (with_length(u32::MAX, b""), Code::Protocol),
            (with_length(65_537, &[b' '; 70_000]), Code::Protocol),
            (with_length(0, b""), Code::Protocol),
            (with_length(4, b"\xFF\xFE\0\0"), Code::Protocol),
            (with_length(2, b"{}"), Code::Protocol),
            (with_length(60_000, &[b'['; 60_000]), Code::Protocol),
            (with_length(100, b"{\"_text\":"), Code::ConnectionLost),
            (vec![1, 0], Code::ConnectionLost),
            (Vec::new(), Code::ConnectionLost),
        ];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (said, code) in cases {
            let answer = runtime.block_on(receive::<Text>(&mut said.as_slice()));
            assert_eq!(answer.err().map(|error| error.code), Some(code), "{:?}", &said[..said.len().min(16)]);
        }
    }
}
