//! The short conversation in which an agent gets a certificate: one JSON text each way, nothing before TLS is proven.

use crate::carrier::lost;
use crate::messages::{JSON_BYTES_MAX, json, parse};
use crate::wire::fault;
use octo_core::Error;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Sends one text.
pub(crate) async fn send(io: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> Result<(), Error> {
    let text = json(message);
    let length = u32::try_from(text.len()).map_err(|_| fault("a message is too long"))?;
    io.write_all(&length.to_le_bytes()).await.map_err(lost)?;
    io.write_all(&text).await.map_err(lost)?;
    io.flush().await.map_err(lost)
}

/// Reads one text.
pub(crate) async fn receive<T: for<'de> Deserialize<'de>>(io: &mut (impl AsyncRead + Unpin)) -> Result<T, Error> {
    let length = usize::try_from(io.read_u32_le().await.map_err(lost)?).unwrap_or(usize::MAX);
    if length > JSON_BYTES_MAX {
        return Err(fault("a message is too long"));
    }
    let mut text = vec![0; length];
    io.read_exact(&mut text).await.map_err(lost)?;
    parse(&text)
}
