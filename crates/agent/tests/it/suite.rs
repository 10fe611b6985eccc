//! The suite that every source must pass, against a real agent over real TLS.

use crate::world::{Agent, World, loopback};
use octo_agent::{AgentListener, AgentSource};
use octo_core::Source;
use octo_testkit::source_suite;
use octo_testkit::source_suite::Fixture;
use std::path::PathBuf;

struct AgentFixture {
    source: AgentSource,
    _agent: Agent,
    _hub: AgentListener,
    world: World,
}

impl AgentFixture {
    fn new() -> AgentFixture {
        let world = World::new();
        let listener = world.listener(loopback());
        let agent = world.join(&listener, listener.address());
        AgentFixture { source: world.source(&listener), _agent: agent, _hub: listener, world }
    }
}

impl Fixture for AgentFixture {
    fn source(&self) -> &dyn Source {
        &self.source
    }
    fn folder(&self) -> PathBuf {
        self.world.data()
    }
}

source_suite!(AgentFixture::new(), ids, links);
