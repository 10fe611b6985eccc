//! The service: what a server has, for those who may use it.

use crate::refusal::{Kind, Refusal};
use crate::shared::Shared;
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
    pub(super) shared: Arc<Shared>,
}

impl Service {
    /// Over what a server has.
    pub fn new(shared: Arc<Shared>) -> Service {
        Service { shared }
    }

    /// What goes on at this moment.
    pub fn live(&self) -> &crate::live::Live {
        &self.shared.live
    }
}

/// Something else stands in the way.
pub(super) fn conflict(detail: impl std::fmt::Display) -> Refusal {
    Refusal::new(Kind::Conflict, detail)
}
