//! The service: what a server has, for those who may use it.

use crate::app_state::AppState;
use crate::service_error::{Kind, ServiceError};
use std::sync::Arc;

/// Who asks. Whether they may ask at all was decided at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// For the audit log.
    pub name: String,
}

/// The service.
#[derive(Clone)]
pub struct Service {
    pub(super) shared: Arc<AppState>,
}

impl Service {
    /// Over what a server has.
    pub fn new(shared: Arc<AppState>) -> Service {
        Service { shared }
    }

    /// Something happened that nobody else sees.
    pub(crate) fn record(&self, event: &crate::event_log::LogEvent) {
        self.shared.record(event);
    }

    /// What goes on at this moment.
    pub fn live(&self) -> &crate::live::Live {
        &self.shared.live
    }
}

/// Something else stands in the way.
pub(super) fn conflict(detail: impl std::fmt::Display) -> ServiceError {
    ServiceError::new(Kind::Conflict, detail)
}
