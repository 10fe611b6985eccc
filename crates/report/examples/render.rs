//! Writes the sample reports as text and HTML into a folder, to be looked at: `cargo run -p octo-report --example render DIR`.

#[allow(dead_code, unused_imports, clippy::unwrap_used)]
#[path = "../tests/it/samples.rs"]
mod samples;

use octo_report::{html, text};
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| ".".into()));
    std::fs::create_dir_all(&folder)?;
    for (name, document) in samples::all() {
        std::fs::write(folder.join(name).with_extension("txt"), text::render(&document))?;
        std::fs::write(folder.join(name).with_extension("html"), html::render(&document))?;
    }
    Ok(())
}
