//! Words in the database: they are spelled there as everywhere else.

use octo_api::Word;
use rusqlite::Row;
use rusqlite::types::{FromSqlError, Type, ValueRef};

/// The word in a column.
pub(super) fn word<W: Word>(row: &Row<'_>, column: usize) -> rusqlite::Result<W> {
    let text = row.get_ref(column)?.as_str()?;
    let unknown = || rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(FromSqlError::InvalidType));
    W::read(text).ok_or_else(unknown)
}

/// The word in a column that may be empty.
pub(super) fn optional_word<W: Word>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<W>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => word(row, column).map(Some),
    }
}
