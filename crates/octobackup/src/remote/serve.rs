//! `octobackup serve`.

use super::Ended;
use super::args::ServeArgs;
use crate::listeners::print;
use crate::{exit, stop};
use octo_server::Refusal;
use octo_server::config::Config;
use octo_server::serve::{self, Journal};
use std::net::SocketAddr;
use std::path::Path;

/// Serves until it is asked to stop.
pub fn serve(args: &ServeArgs) -> Ended {
    let config = Config::read(&args.config)?;
    let stop = stop::on_signals()?;
    serve::serve(&config, &stop, &Printed)?;
    Ok(exit::COMPLETE)
}

struct Printed;

impl Journal for Printed {
    fn ready(&self, socket: &Path) {
        print(&format!("octobackup serves at {}", socket.display()));
    }

    fn answers(&self, url: &str) {
        print(&format!("answers at {url}"));
    }

    fn awaits_setup(&self, link: &Path) {
        print(&format!("nobody can log on yet; the link for the first administrator is in {}", link.display()));
    }

    fn hears_agents(&self, address: SocketAddr) {
        print(&format!("listens for agents at {address}"));
    }

    fn complain(&self, refusal: &Refusal) {
        exit::complain(&refusal.to_string());
    }
}
