//! A document as plain text: for terminals, and for mail clients that show no HTML.
//!
//! It must never print anything but the texts of the document: those are escaped already.

use crate::document::{Document, Item, Section};
use std::fmt::{Display, Write};

/// Names of rows are padded to this width.
const NAME_WIDTH: usize = 11;

/// The whole document.
pub fn render(document: &Document) -> String {
    let mut out = format!("{}\n", document.subject());
    lines(&mut out, "  ", &document.about);
    document.sections.iter().for_each(|it| section(&mut out, it));
    out
}

fn lines<T: Display>(out: &mut String, indent: &str, lines: &[T]) {
    for line in lines {
        let _ = writeln!(out, "{indent}{line}");
    }
}

fn section(out: &mut String, section: &Section) {
    out.push('\n');
    lines(out, "", section.heading.shown());
    let width = section.rows.iter().map(|row| row.name.as_str().chars().count()).fold(NAME_WIDTH, usize::max);
    for row in &section.rows {
        let _ = writeln!(out, "  {:<width$} {}", row.name.as_str(), row.value);
    }
    lines(out, "  ", &section.lines);
    section.items.iter().for_each(|it| item(out, it));
    lines(out, "  ", section.more.shown());
    lines(out, "  ", &section.steps);
    for row in &section.chart {
        let bars: Vec<&str> = row.bars.iter().map(|bar| bar.words.as_str()).collect();
        let _ = writeln!(out, "  {}  {}", row.name, bars.join(", "));
    }
}

fn item(out: &mut String, item: &Item) {
    let (beside, below) = match item.notes.as_slice() {
        [note] => (format!("  ({note})"), &[][..]),
        notes => (String::new(), notes),
    };
    let _ = writeln!(out, "  - {}{beside}", item.name);
    lines(out, "    ", below);
    lines(out, "    ", item.step.as_slice());
}
