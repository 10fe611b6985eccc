//! Who may ask: roles, passwords, the secrets that prove who somebody is, and how often one may try.
//!
//! Words and pure functions. What a route needs is written beside the route (`api`); users, sessions and tokens are kept by
//! `store::access`. Neither a password nor a secret is ever stored, logged or compared as it is.

mod password;
mod refusals;
mod secret;
mod throttle;

pub use octo_api::access::Role;
pub use password::{check_password, hash_password, is_password};
pub use refusals::{Refusals, Row};
pub use secret::Secret;
pub use throttle::Throttle;
