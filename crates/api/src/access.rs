//! The form of an API token, for those who make and those who send one.

/// Marks an API token, so that people and scanners recognise one that lies about.
pub const TOKEN_PREFIX: &str = "octo_";
/// Its random part, in bytes.
pub const TOKEN_BYTES: usize = 32;

/// Whether a text has the form of an API token.
pub fn is_token(text: &str) -> bool {
    let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix(TOKEN_PREFIX).is_some_and(|rest| rest.len() == 2 * TOKEN_BYTES && rest.bytes().all(digit))
}
