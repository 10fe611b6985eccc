//! Cut connections, killed agents, restarted servers: what has not ended is asked for again.

use crate::world::{HOST, World, loopback, until};
use octo_core::{Code, FetchRequest, Listed, RelPath, Source};
use octo_testkit::proxy::{Proxy, Trouble};
use octo_testkit::source_suite::{fetch, keep_list, request};

/// Nothing that could be compressed: what is counted is what went over the line.
fn content(size: usize) -> Vec<u8> {
    let mixed = |n: u64| {
        let n = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (n ^ (n >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9).to_be_bytes()[0]
    };
    (0..size as u64).map(mixed).collect()
}

#[test]
fn a_cut_connection_is_made_anew_and_a_large_file_goes_on_where_it_stopped() {
    let world = World::new();
    let whole = content(6 << 20);
    std::fs::write(world.data().join("large"), &whole).unwrap();
    std::fs::write(world.data().join("small"), b"small").unwrap();
    let listener = world.listener(loopback());
    let proxy = Proxy::start(listener.address()).unwrap();
    let _agent = world.join(&listener, proxy.addr());
    let source = world.source(&listener);
    let before = proxy.connections();
    // Each connection lives for 3 MiB of the agent's words: the file needs several.
    proxy.set(Trouble { cut_after_bytes: Some(3 << 20), ..Trouble::default() }, Trouble::default());
    let files = fetch(&source, &[request("large"), request("small")], None);
    assert_eq!(files[0].error, None);
    assert!(files[0].content() == whole, "other bytes");
    assert_eq!(files[1].content(), b"small");
    assert!(proxy.connections() > before, "the connection was never cut");
    let came: usize = files[0].pieces.iter().map(|piece| piece.1.len()).sum();
    assert_eq!(came, whole.len(), "what had arrived was fetched again");
}

#[test]
fn a_killed_agent_that_comes_back_goes_on_serving_the_same_source() {
    let world = World::new();
    for n in 0..50 {
        std::fs::write(world.data().join(n.to_string()), n.to_string()).unwrap();
    }
    let listener = world.listener(loopback());
    let agent = world.join(&listener, listener.address());
    let source = world.source(&listener);
    assert_eq!(keep_list(&source, &RelPath::root(), usize::MAX).entries.len(), 50);
    agent.kill();
    let _agent = world.start();
    let list = keep_list(&source, &RelPath::root(), usize::MAX);
    assert_eq!((list.end, list.entries.len()), (Listed::Complete, 50));
    let batch: Vec<FetchRequest> = (0..50).map(|n| request(&n.to_string())).collect();
    for (n, file) in fetch(&source, &batch, None).iter().enumerate() {
        assert_eq!(file.content(), n.to_string().as_bytes());
    }
}

#[test]
fn an_agent_finds_a_restarted_server_by_itself() {
    let world = World::new();
    std::fs::write(world.data().join("file"), b"content").unwrap();
    let listener = world.listener(loopback());
    let address = listener.address();
    let _agent = world.join(&listener, address);
    until("the agent", || listener.is_connected(HOST));
    drop(listener);
    // The port may be held for a moment by connections that are ending.
    let mut again = None;
    until("the port", || {
        again = octo_agent::AgentListener::open(&world.at("server"), address).ok();
        again.is_some()
    });
    let listener = again.unwrap();
    let source = world.source(&listener);
    assert_eq!(keep_list(&source, &RelPath::root(), usize::MAX).names(), [b"file"]);
}

#[test]
fn another_volume_behind_the_same_path_ends_the_run() {
    let world = World::new();
    std::fs::write(world.data().join("file"), b"content").unwrap();
    let listener = world.listener(loopback());
    let agent = world.join(&listener, listener.address());
    let source = world.source(&listener);
    agent.kill();
    // The path leads elsewhere when the agent is back.
    std::fs::rename(world.data(), world.at("other")).unwrap();
    std::os::unix::fs::symlink(world.at("other"), world.data()).unwrap();
    let _agent = world.start();
    match keep_list(&source, &RelPath::root(), usize::MAX).end {
        Listed::Incomplete(error) => assert_eq!(error.code, Code::SourceChanged),
        Listed::Complete => panic!("another folder was taken for the same"),
    }
    assert!(matches!(source.pin(), Ok(pin) if pin.kind == "agent" && pin.server == HOST));
}

#[test]
fn thousands_of_listings_do_not_wear_out_the_connection() {
    let world = World::new();
    std::fs::write(world.data().join("file"), b"content").unwrap();
    let listener = world.listener(loopback());
    let proxy = Proxy::start(listener.address()).unwrap();
    let _agent = world.join(&listener, proxy.addr());
    let source = world.source(&listener);
    let before = proxy.connections();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..500 {
                    assert_eq!(keep_list(&source, &RelPath::root(), usize::MAX).end, Listed::Complete);
                }
            });
        }
    });
    assert_eq!(proxy.connections(), before);
}
