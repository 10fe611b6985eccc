//! A document as HTML for mail clients: one page without scripts, pictures or anything from elsewhere.
//!
//! The template is checked when it is compiled and escapes every text by itself. Mail clients know inline styles, tables and
//! little else; browsers also get dark colours where they are preferred. It must never mark a text as safe.

use crate::document::{Document, Tone};
use askama::Template;

/// The whole page.
pub fn render(document: &Document) -> String {
    // Writing to a string fails only if one of our `Display`s does, and none does.
    Mail { document }.render().unwrap_or_default()
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Mail<'a> {
    document: &'a Document,
}

impl Tone {
    /// Of the bar beside a heading.
    fn colour(self) -> &'static str {
        match self {
            Tone::Good => "#2e9e5b",
            Tone::Attention => "#d99a1b",
            Tone::Bad => "#c8372d",
            Tone::Neutral => "#7a8794",
        }
    }
}
