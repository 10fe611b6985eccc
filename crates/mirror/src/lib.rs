//! mirror: see ARCHITECTURE.md.
