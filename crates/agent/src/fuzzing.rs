//! The decoders of network bytes, for the fuzz targets: they must neither panic nor grow.

use crate::wire::{Answer, Decoder, FetchOrder, Order};

/// What a hostile agent sends.
pub fn answers(bytes: &[u8]) {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    while let Ok(Some(frame)) = decoder.next() {
        if let Ok(Answer::Entries(mut entries)) = Answer::decode(&frame) {
            while let Ok(Some(_)) = entries.next() {}
        }
    }
}

/// What a hostile server asks.
pub fn orders(bytes: &[u8]) {
    let _ = Order::decode(bytes);
    let _ = FetchOrder::decode(bytes);
}
