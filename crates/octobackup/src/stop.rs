//! Ctrl-C and termination: the first asks the run to stop cleanly, the second ends the program at once. Both are safe:
//! nothing in a mirror is ever half written.

use crate::exit;
use octo_core::clock::GRACE;
use octo_core::{Cancel, Code, Error};
use std::time::Duration;

/// What is under way has [`GRACE`] to come to its end, and so long the run has to write down how it ended. What takes longer is
/// given up: nothing is lost by it.
const STOPS_WITHIN: Duration = GRACE.saturating_add(Duration::from_secs(10));

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
        // Nobody can take back what was asked of a disk or mount that hangs.
        let give_up = || {
            std::thread::sleep(STOPS_WITHIN);
            exit::complain(
                "something does not answer (does a disk or mount hang?); stopped all the same, the next run continues",
            );
            std::process::exit(exit::CANCELLED.into());
        };
        let _ = std::thread::Builder::new().spawn(give_up);
    })
    .map_err(|e| Error::new(Code::Usage, format!("signals cannot be handled: {e}")))?;
    Ok(cancel)
}
