//! The tools of the tests are tested too.

mod generated;
