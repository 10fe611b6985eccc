//! The proxy does to a connection what it says, and nothing else.

use octo_testkit::proxy::{Proxy, Trouble};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A server that says back what it hears, until its listener's process ends.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    addr
}

fn to_client(trouble: Trouble) -> (Proxy, TcpStream) {
    let proxy = Proxy::start(echo()).unwrap();
    proxy.set(Trouble::default(), trouble);
    let stream = TcpStream::connect(proxy.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    (proxy, stream)
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n / 3) as u8).collect()
}

#[test]
fn everything_passes_both_ways_in_pieces_too() {
    for pieces_bytes_max in [None, Some(1000), Some(7)] {
        let (_proxy, stream) = to_client(Trouble { pieces_bytes_max, ..Trouble::default() });
        let sent = bytes(300_000);
        let mut got = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (&stream).write_all(&sent).unwrap();
                stream.shutdown(std::net::Shutdown::Write).unwrap();
            });
            (&stream).read_to_end(&mut got).unwrap();
        });
        assert!(got == sent);
    }
}

#[test]
fn latency_is_added_once_however_many_questions_are_under_way() {
    let proxy = Proxy::start(echo()).unwrap();
    let half = Trouble::delay(Duration::from_millis(100));
    proxy.set(half, half);
    let mut stream = TcpStream::connect(proxy.addr()).unwrap();
    let begin = Instant::now();
    for n in 0..1000u32 {
        stream.write_all(&[n as u8; 100]).unwrap();
    }
    let mut got = vec![0; 100_000];
    stream.read_exact(&mut got).unwrap();
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(200), "{took:?}");
    assert!(took < Duration::from_millis(1000 * 200), "the questions waited for each other: {took:?}");
}

#[test]
fn a_cut_ends_the_connection_after_exactly_so_many_bytes() {
    for cut in [0, 1, 1000, 99_999] {
        let (proxy, mut stream) = to_client(Trouble { cut_after_bytes: Some(cut), ..Trouble::default() });
        let sent = bytes(100_000);
        let _ = stream.write_all(&sent);
        let mut got = vec![0; sent.len()];
        let mut count = 0;
        while let Ok(read @ 1..) = stream.read(&mut got[count..]) {
            count += read;
        }
        assert_eq!((count as u64, &got[..count]), (cut, &sent[..count]));
        assert_eq!(proxy.connections(), 1);
    }
}

#[test]
fn a_stall_keeps_the_connection_open_and_silent() {
    let (proxy, mut stream) = to_client(Trouble { stall_after_bytes: Some(10), ..Trouble::default() });
    stream.write_all(&bytes(100)).unwrap();
    let mut got = [0; 100];
    stream.read_exact(&mut got[..10]).unwrap();
    assert_eq!(got[..10], bytes(10));
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let silent = stream.read(&mut got).unwrap_err();
    assert!(matches!(silent.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silent}");
    drop(proxy);
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert!(matches!(stream.read(&mut got), Ok(0) | Err(_)), "dropping the proxy ends its connections");
}

#[test]
fn dropping_it_frees_the_port_and_cutting_all_leaves_it_serving() {
    let (proxy, mut first) = to_client(Trouble::default());
    let mut answer = [0; 1];
    first.write_all(b"x").unwrap();
    first.read_exact(&mut answer).unwrap();
    proxy.cut_all();
    assert!(matches!(first.read(&mut answer), Ok(0) | Err(_)));
    let mut second = TcpStream::connect(proxy.addr()).unwrap();
    second.write_all(b"y").unwrap();
    second.read_exact(&mut answer).unwrap();
    assert_eq!((&answer, proxy.connections()), (b"y", 2));
    let addr = proxy.addr();
    drop(proxy);
    assert!(TcpStream::connect(addr).is_err(), "still listening");
}

#[test]
fn one_bit_is_turned_over_and_no_other() {
    let (_proxy, mut stream) = to_client(Trouble { flip_at_byte: Some(70_001), ..Trouble::default() });
    let mut sent = bytes(150_000);
    stream.write_all(&sent).unwrap();
    let mut got = vec![0; sent.len()];
    stream.read_exact(&mut got).unwrap();
    sent[70_001] ^= 1;
    assert!(got == sent);
}

#[test]
fn connections_share_one_line_in_turns() {
    let proxy = Proxy::start(echo()).unwrap();
    let line = Trouble { line_bytes_per_sec: Some(500_000), pieces_bytes_max: Some(5_000), ..Trouble::default() };
    proxy.set(Trouble::default(), line);
    // On the line for a minute; nobody waits for its end.
    const GREEDY_BYTES: usize = 30_000_000;
    let (greedy, got, begin) = (TcpStream::connect(proxy.addr()).unwrap(), AtomicUsize::new(0), Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(|| (&greedy).write_all(&bytes(GREEDY_BYTES)));
        scope.spawn(|| {
            let mut buffer = [0; 5_000];
            while let Ok(read @ 1..) = (&greedy).read(&mut buffer) {
                got.fetch_add(read, Ordering::SeqCst);
            }
        });
        while got.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        let mut modest = TcpStream::connect(proxy.addr()).unwrap();
        modest.write_all(&bytes(10_000)).unwrap();
        modest.read_exact(&mut [0; 10_000]).unwrap();
        // Its bytes wait for about as many of the other's, not for all.
        assert!(got.load(Ordering::SeqCst) < GREEDY_BYTES / 2, "the modest one had to wait for all");
        while got.load(Ordering::SeqCst) < 100_000 {
            std::thread::yield_now();
        }
        assert!(begin.elapsed() > Duration::from_millis(150), "faster than the line: {:?}", begin.elapsed());
        greedy.shutdown(std::net::Shutdown::Both).unwrap();
    });
}
