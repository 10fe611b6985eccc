//! Lines in columns.

use crate::listeners::print;

/// Prints rows under headings; columns are as wide as what is in them. A heading that begins with `@` is of moments, and
/// says by which clocks they are shown.
pub fn table(headings: &[&str], rows: &[Vec<String>]) {
    let safe = |row: &Vec<String>| row.iter().map(|cell| octo_core::printable::printable(cell)).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = rows.iter().map(safe).collect();
    let named = |heading: &&str| match heading.strip_prefix('@') {
        Some(heading) => format!("{heading} ({})", crate::zone::name()),
        None => (*heading).to_owned(),
    };
    let headings: Vec<String> = headings.iter().map(named).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([headings[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        print(padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    line(&headings);
    rows.iter().for_each(|row| line(row));
}
