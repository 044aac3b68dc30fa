//! Who is being listened to: many at once, so that a slow sender holds up nobody, and
//! only so many, so that none of them can take everything.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::http::{Incoming, Refusal};

/// How many senders are listened to at the same time.
const AT_ONCE: usize = 64;
/// How long one who leaves waits for the place to be free.
const MOMENT: Duration = Duration::from_secs(1);

/// What becomes of a request: the status of the answer, and the words. It calls the
/// second argument once it knows who sends, and has everything.
pub(super) type Serve =
    dyn Fn(&mut Incoming, &dyn Fn() -> Result<(), Refusal>) -> (u16, String) + Send + Sync;

/// An open door, until it is dropped.
pub(super) struct Door {
    address: SocketAddr,
    inside: Arc<Inside>,
    thread: thread::JoinHandle<()>,
}

#[derive(Default)]
struct Inside {
    closed: AtomicBool,
    senders: Mutex<Senders>,
}

#[derive(Default)]
struct Senders {
    /// The next one's number.
    next: u64,
    /// Those whose message has not arrived yet, the oldest first.
    arriving: VecDeque<(u64, TcpStream)>,
    /// How many messages are being taken in.
    taking: usize,
}

impl Inside {
    fn senders(&self) -> MutexGuard<'_, Senders> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn came(&self, stream: TcpStream) -> u64 {
        let mut senders = self.senders();
        // Whoever has kept us waiting longest makes room.
        if senders.arriving.len() >= AT_ONCE
            && let Some((_, slow)) = senders.arriving.pop_front()
        {
            let _ = slow.shutdown(Shutdown::Both);
        }
        let number = senders.next;
        senders.next += 1;
        senders.arriving.push_back((number, stream));
        number
    }

    fn left(&self, number: u64) {
        self.senders().arriving.retain(|(known, _)| *known != number);
    }
}

impl Door {
    pub(super) fn open(listener: TcpListener, serve: Arc<Serve>) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let inside = Arc::new(Inside::default());
        let shared = Arc::clone(&inside);
        let thread = thread::Builder::new().spawn(move || listen(&listener, &shared, &serve))?;
        Ok(Self { address, inside, thread })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.inside.closed.store(true, Ordering::Relaxed);
        // The thread waits for somebody to come.
        let here: IpAddr = match self.address.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        let address = SocketAddr::new(here, self.address.port());
        let _ = TcpStream::connect_timeout(&address, MOMENT);
        for (_, stream) in self.inside.senders().arriving.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // So that the address is free when this returns; nobody can make it take longer.
        let until = Instant::now() + MOMENT;
        while !self.thread.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn listen(listener: &TcpListener, inside: &Arc<Inside>, serve: &Arc<Serve>) {
    for stream in listener.incoming() {
        if inside.closed.load(Ordering::Relaxed) {
            return;
        }
        let Ok((stream, known)) = stream.and_then(|stream| Ok((stream.try_clone()?, stream)))
        else {
            // Too many open files, or a sender that is gone: both pass.
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        let number = inside.came(known);
        let (shared, serve) = (Arc::clone(inside), Arc::clone(serve));
        let spawned = thread::Builder::new().spawn(move || {
            let mut incoming = Incoming::new(stream);
            let (status, said) = listened_to(&mut incoming, number, &shared, &*serve);
            incoming.answer(status, &said);
            shared.left(number);
        });
        if spawned.is_err() {
            inside.left(number);
        }
    }
}

fn listened_to(
    incoming: &mut Incoming,
    number: u64,
    inside: &Inside,
    serve: &Serve,
) -> (u16, String) {
    let taking = AtomicBool::new(false);
    let arrived = || {
        let mut senders = inside.senders();
        if senders.taking >= AT_ONCE {
            return Err((503, "too many messages at once".to_owned()));
        }
        senders.taking += 1;
        senders.arriving.retain(|(known, _)| *known != number);
        taking.store(true, Ordering::Relaxed);
        Ok(())
    };
    // A mistake in here costs one message, and its sender is told.
    let served = catch_unwind(AssertUnwindSafe(|| serve(incoming, &arrived)));
    if taking.load(Ordering::Relaxed) {
        inside.senders().taking -= 1;
    }
    served.unwrap_or_else(|_| (500, "a mistake in backout; send it again".to_owned()))
}
