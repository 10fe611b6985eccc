//! What server, realm and tests know of each other beforehand.

/// The port besides 445 that the server listens on.
pub(super) const OTHER_PORT: u16 = 4450;
/// The Kerberos realm.
pub(super) const REALM: &str = "OCTO.TEST";

/// The password of a user.
pub(super) fn password(user: &str) -> String {
    format!("pw-{user}")
}
