//! The connections that a restore to a share uses, and how its requests wait for them.

use super::send::Connected;
use crate::attempts::{Attempts, is_loss};
use crate::driver::Driver;
use crate::fetch::Budget;
use crate::logon::Session;
use crate::open;
use crate::options::{Credentials, SmbOptions};
use crate::window::Window;
use octo_core::{Code, Error, SmbAddress};
use std::sync::Arc;

/// Requests of one kind on their way at once.
pub(super) const IN_FLIGHT: usize = 64;

/// Connections to the folder that is restored to.
pub(super) struct Connections {
    pub driver: Driver,
    pub budget: Budget,
    pub listings: Window,
}

impl Connections {
    /// Connects and logs on.
    pub fn connect(address: SmbAddress, credentials: &Credentials, options: &SmbOptions) -> Result<Connections, Error> {
        Ok(Connections {
            driver: Driver::connect(address, credentials.clone(), options.clone())?,
            budget: Budget::new(),
            listings: Window::new(),
        })
    }

    /// Waits for something that changes the share: cancelling leaves it time to end.
    pub fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.driver.run_until(self.driver.pool.given_up(), work)
    }

    /// A connection for some requests.
    pub async fn connected(&self) -> Result<Connected, Error> {
        let lease = self.driver.pool.lease(Attempts::default()).await.map_err(final_loss)?;
        self.by(&lease)
    }

    fn by(&self, session: &Arc<Session>) -> Result<Connected, Error> {
        let options = open::intent_option(self.driver.pool.options().backup_intent);
        let volume = self.driver.pool.place()?.volume.serial.into();
        Ok(Connected { session: Arc::clone(session), options, volume })
    }

    /// Does one thing over one connection, and notes if that was lost.
    pub async fn once<T>(&self, work: impl AsyncFnOnce(&Connected) -> Result<T, Error>) -> Result<T, Error> {
        let connected = self.connected().await?;
        let done = work(&connected).await;
        done.map_err(|error| self.noted(&connected, error))
    }

    /// The same with an error that is known already.
    pub fn noted(&self, connected: &Connected, error: Error) -> Error {
        match is_loss(&error) {
            true => self.driver.pool.lost(&connected.session, &error).err().map_or(error, final_loss),
            false => error,
        }
    }

    /// Does what may be done again until it is done.
    pub async fn again<T>(
        &self,
        mut work: impl AsyncFnMut(&Connected, Attempts) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let done = self.driver.pool.persistently(async |lease, attempts| work(&self.by(lease)?, attempts).await);
        done.await.map_err(final_loss)
    }

    /// The same, and waits for it.
    pub fn persistently<T>(&self, work: impl AsyncFnMut(&Connected, Attempts) -> Result<T, Error>) -> Result<T, Error> {
        self.run(self.again(work))
    }
}

/// No connection can be had any more: nothing is done again.
fn final_loss(error: Error) -> Error {
    match error.code {
        Code::ConnectionLost | Code::TimedOut => Error { code: Code::Unreachable, ..error },
        _ => error,
    }
}
