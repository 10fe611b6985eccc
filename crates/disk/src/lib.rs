//! disk: see ARCHITECTURE.md.
