//! Text from elsewhere, for the eyes of a person: nothing in it may move the cursor, hide, or turn around what stands beside it.
//!
//! The one place that knows which characters do that: reports, pages, tables, logs and letters all show names by way of it.

/// Whether a character is not to be seen as itself: controls, Unicode's format characters (which turn the direction of text,
/// join, or have no width), separators of lines, and blanks that are not called so.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{AD}' | '\u{34F}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{890}' | '\u{891}' | '\u{8E2}'
                | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}'
                | '\u{FFF0}'..='\u{FFFB}' | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}'
                | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}'
        )
}

/// The text on one line, with such characters as `\u{202e}`.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) && c.is_ascii() {
            out.extend(c.escape_default());
        } else if is_hidden(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// A number with its noun: `1 entry`, `2 entries`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RelPath;

    #[test]
    fn nothing_hides_or_turns_around_and_everything_else_stays() {
        let hostile = "gnp.\u{202E}exe\u{200B}a\u{2028}b\u{2066}c\u{FEFF}\u{E0041}\n\u{1b}[2J";
        for shown in [printable(hostile), RelPath::parse(hostile.as_bytes()).unwrap().to_string()] {
            assert!(!shown.chars().any(is_hidden), "{shown}");
            assert!(shown.starts_with("gnp.\\u{202e}exe\\u{200b}a\\u{2028}b"), "{shown}");
        }
        for honest in ["na\u{ef}ve \u{1f419}", "\u{5e9}\u{5dc}\u{5d5}\u{5dd}", "\u{65e5}\u{672c}", "a b"] {
            assert_eq!(printable(honest), honest);
        }
    }
}
