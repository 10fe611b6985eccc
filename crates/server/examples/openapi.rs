//! Writes docs/openapi.json: `cargo run -p octo-server --example openapi > docs/openapi.json`.
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

fn main() -> serde_json::Result<()> {
    println!("{}", serde_json::to_string_pretty(&octo_server::api::openapi())?);
    Ok(())
}
