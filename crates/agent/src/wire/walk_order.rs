//! The order in which a walk tells folders.

use octo_core::RelPath;
use std::cmp::Ordering;

/// A folder before what is inside it, names in byte order: no name has a NUL, so it can stand for the separator.
pub(crate) fn walk_order(a: &RelPath, b: &RelPath) -> Ordering {
    let key = |path: &RelPath| path.as_bytes().iter().map(|&b| if b == b'/' { 0 } else { b }).collect::<Vec<_>>();
    key(a).cmp(&key(b))
}
