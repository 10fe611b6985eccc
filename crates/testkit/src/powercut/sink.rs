//! A recipient with a webhook, and the messages that reached it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longer than any message takes.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// One message, as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Delivery {
    /// The number of the message.
    pub id: u64,
    /// What it tells of.
    pub run: Option<u64>,
    /// What the clock of the sink showed: entries in the log.
    pub at: usize,
}

type Taken = Arc<Mutex<Vec<Delivery>>>;

/// Takes everything until it is dropped.
pub(super) struct Sink {
    pub url: String,
    taken: Taken,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sink {
    /// `clock` is looked at before a message is taken.
    pub fn start(clock: impl Fn() -> usize + Send + 'static) -> io::Result<Sink> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/", listener.local_addr()?);
        let (taken, ends) = (Taken::default(), Arc::new(AtomicBool::new(false)));
        let (to, until) = (Arc::clone(&taken), Arc::clone(&ends));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if until.load(Ordering::SeqCst) {
                    return;
                }
                // One who goes away in the middle comes again.
                let _ = stream.and_then(|stream| take(&stream, &clock, &to));
            }
        });
        Ok(Sink { url, taken, ends, thread: Some(thread) })
    }

    pub fn taken(&self) -> Vec<Delivery> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://").trim_end_matches('/'));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn take(stream: &TcpStream, clock: &dyn Fn() -> usize, taken: &Taken) -> io::Result<()> {
    stream.set_read_timeout(Some(WAIT_MAX))?;
    let mut reader = BufReader::new(stream);
    let (mut id, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        let value = value.trim().parse().unwrap_or(0);
        match name.to_ascii_lowercase().as_str() {
            "octobackup-delivery" => id = value,
            "content-length" => length = value,
            _ => {}
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    let delivery = Delivery { id, run: run_in(&String::from_utf8_lossy(&body)), at: clock() };
    taken.lock().unwrap_or_else(PoisonError::into_inner).push(delivery);
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// The run that a message's body, or its message in the outbox, tells of: the last number of this name is that of the whole.
pub(super) fn run_in(json: &str) -> Option<u64> {
    let (_, after) = json.rsplit_once("\"run\":")?;
    after.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}
