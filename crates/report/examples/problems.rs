//! Writes docs/manual/problems.md: `cargo run -p octo-report --example problems > docs/manual/problems.md`.
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

fn main() {
    print!("{}", octo_report::problem_page());
}
