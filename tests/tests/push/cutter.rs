//! A connection that breaks: TCP carried to the broker, and cut whenever so many bytes have gone over it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Carries any number of connections; ends with the process.
pub struct Cutter {
    /// Where it listens.
    pub port: u16,
    state: Arc<State>,
}

struct State {
    /// Bytes carried, both ways and all connections together.
    carried: AtomicUsize,
    cuts: AtomicUsize,
    /// Cut at these, ascending.
    at: Mutex<Vec<usize>>,
}

impl Cutter {
    /// Listens on a port of its own for what goes to `broker`.
    pub fn start(broker: u16, at: Vec<usize>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State { carried: 0.into(), cuts: 0.into(), at: Mutex::new(at) });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for from in listener.incoming().flatten() {
                let Ok(to) = TcpStream::connect(("127.0.0.1", broker)) else { continue };
                let state = Arc::clone(&shared);
                let (back, forth) = (to.try_clone().unwrap(), from.try_clone().unwrap());
                let other = Arc::clone(&shared);
                std::thread::spawn(move || carry(back, forth, |bytes| other.cut(bytes)));
                std::thread::spawn(move || carry(from, to, |bytes| state.cut(bytes)));
            }
        });
        Self { port, state }
    }

    /// How often it was cut.
    pub fn cuts(&self) -> usize {
        self.state.cuts.load(Ordering::SeqCst)
    }

    /// Bytes that went over it.
    pub fn carried(&self) -> usize {
        self.state.carried.load(Ordering::SeqCst)
    }
}

impl State {
    /// Whether to cut after so many more bytes.
    fn cut(&self, bytes: usize) -> bool {
        let carried = self.carried.fetch_add(bytes, Ordering::SeqCst) + bytes;
        let mut at = self.at.lock().unwrap();
        let cut = at.first().is_some_and(|at| carried >= *at);
        if cut {
            at.remove(0);
            self.cuts.fetch_add(1, Ordering::SeqCst);
        }
        cut
    }
}

/// Carries one way until it ends or is cut; then both ways end, in the middle of whatever was said.
fn carry(mut from: TcpStream, mut to: TcpStream, mut cut: impl FnMut(usize) -> bool) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if cut(count) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
