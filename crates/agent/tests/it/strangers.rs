//! Strangers at the agents' port, who do nothing: an agent gets in all the same, and keeps its place.

use crate::world::{HOST, World, loopback, until};
use std::io::Write;
use std::net::TcpStream;

#[test]
fn strangers_who_never_shake_hands_keep_no_agent_out() {
    let world = World::new();
    let listener = world.listener(loopback());
    let besiege = |sent: &[u8]| {
        let stranger = |_| {
            let mut stream = TcpStream::connect(listener.address()).unwrap();
            let _ = stream.write(sent);
            stream
        };
        (0..300).map(stranger).collect::<Vec<_>>()
    };
    let mut strangers = besiege(b"");
    let agent = world.join(&listener, listener.address());
    until("the agent", || listener.is_connected(HOST));
    strangers.extend(besiege(&[0x16, 3, 1, 2, 0, 1]));
    assert!(listener.is_connected(HOST), "it keeps its place");
    agent.kill();
    until("its end", || !listener.is_connected(HOST));
    let _agent = world.start();
    until("the agent again", || listener.is_connected(HOST));
}
