//! Ctrl-C and termination: the first asks the run to stop cleanly, the second ends the program at once. Both are safe:
//! nothing in a mirror is ever half written.

use crate::exit;
use octo_core::{Cancel, Code, Error};

/// From now on signals cancel what is returned.
pub fn on_signals() -> Result<Cancel, Error> {
    let cancel = Cancel::new();
    let asked = cancel.clone();
    ctrlc::set_handler(move || {
        if asked.is_cancelled() {
            std::process::exit(exit::CANCELLED.into());
        }
        asked.cancel();
        exit::complain("stopping; again to stop at once");
    })
    .map_err(|e| Error::new(Code::Usage, format!("signals cannot be handled: {e}")))?;
    Ok(cancel)
}
