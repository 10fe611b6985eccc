//! smb: see ARCHITECTURE.md.
