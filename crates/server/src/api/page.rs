//! Pages of lists that are sorted by id, the newest first.

use serde::Deserialize;

/// Which part of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// Rows with smaller ids only.
    pub(super) before: Option<i64>,
    /// The most rows.
    pub(super) limit: Option<u32>,
}
