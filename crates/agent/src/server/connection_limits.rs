//! ConnectionLimits of strangers at a port: at most so many in all, and so many from one address.
//!
//! When there is no place for a newcomer, the connection that is missed least is closed: of the newcomer's own address where that
//! address has its share already, otherwise of the address that holds the most places. So no address keeps others out, and
//! connections that do nothing do not keep out those that do. A connection that is let in and at work is never closed.
//! Decides and counts only; the code that accepts the connection says how it is closed.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Closes a connection, without waiting.
type Close = Box<dyn FnOnce() + Send + Sync>;

/// The places at a port. `K` is who has a share of them: an address, or a name.
pub struct ConnectionLimits<K> {
    places_max: usize,
    share_max: usize,
    held: Arc<Mutex<HeldPlaces<K>>>,
}

struct HeldPlaces<K> {
    next: u64,
    /// By age: the oldest has the smallest number.
    places: HashMap<u64, OpenConnection<K>>,
}

struct OpenConnection<K> {
    of: K,
    close: Option<Close>,
    is_known: bool,
    /// Requests that are being answered.
    at_work: u32,
    /// When it last began or ended something, counted, not timed.
    last: u64,
}

/// The place of one connection; free again when dropped.
pub struct ConnectionPlace<K: Eq + Hash> {
    number: u64,
    held: Arc<Mutex<HeldPlaces<K>>>,
}

/// While it lives, the connection is at work.
pub struct BusyConnection<K: Eq + Hash>(Arc<ConnectionPlace<K>>);

/// Who has a share of the places: an IPv4 address, or the network of 64 bits that one customer has.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl<K: Eq + Hash + Clone> ConnectionLimits<K> {
    /// So many places in all, and for each.
    pub fn new(places_max: usize, share_max: usize) -> ConnectionLimits<K> {
        let held = HeldPlaces { next: 0, places: HashMap::new() };
        ConnectionLimits { places_max, share_max, held: Arc::new(Mutex::new(held)) }
    }

    /// A place for a newcomer; another connection may be closed for it. None if all are at work.
    pub fn enter(&self, of: K) -> Option<Arc<ConnectionPlace<K>>> {
        let mut held = lock(&self.held);
        let mut shares: HashMap<&K, usize> = HashMap::new();
        held.places.values().for_each(|place| *shares.entry(&place.of).or_default() += 1);
        let victim = if shares.get(&of).is_some_and(|share| *share >= self.share_max) {
            Some(held.least_missed(|place| place.of == of)?)
        } else if held.places.len() >= self.places_max {
            let most = shares.values().max().copied().unwrap_or(0);
            let of_most = held.least_missed(|place| shares.get(&place.of) == Some(&most));
            Some(of_most.or_else(|| held.least_missed(|_| true))?)
        } else {
            None
        };
        if let Some(closed) = victim.and_then(|number| held.places.remove(&number))
            && let Some(close) = closed.close
        {
            close();
        }
        let number = held.next;
        held.next += 1;
        held.places.insert(number, OpenConnection { of, close: None, is_known: false, at_work: 0, last: number });
        Some(Arc::new(ConnectionPlace { number, held: Arc::clone(&self.held) }))
    }
}

impl<K> HeldPlaces<K> {
    /// A stranger before somebody known, who does nothing before who is at work, and of those the one that did nothing for the
    /// longest time. Nobody who is known and at work.
    fn least_missed(&self, among: impl Fn(&OpenConnection<K>) -> bool) -> Option<u64> {
        let may_go = |place: &OpenConnection<K>| !(place.is_known && place.at_work > 0);
        let candidates = self.places.iter().filter(|(_, place)| among(place) && may_go(place));
        candidates.min_by_key(|(_, place)| (place.is_known, place.at_work > 0, place.last)).map(|(number, _)| *number)
    }
}

fn lock<K>(held: &Mutex<HeldPlaces<K>>) -> MutexGuard<'_, HeldPlaces<K>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Eq + Hash> ConnectionPlace<K> {
    fn change(&self, change: impl FnOnce(&mut OpenConnection<K>)) {
        let mut held = lock(&self.held);
        held.next += 1;
        let now = held.next;
        if let Some(place) = held.places.get_mut(&self.number) {
            place.last = now;
            change(place);
        }
    }

    /// How it is closed for a newcomer. Called before another connection is accepted; it must not come back here.
    pub fn closed_by(&self, close: impl FnOnce() + Send + Sync + 'static) {
        self.change(|place| place.close = Some(Box::new(close)));
    }

    /// Who is at the other end has proven who they are, or has not this time.
    pub fn set_known(&self, is_known: bool) {
        self.change(|place| place.is_known = is_known);
    }

    /// A request is being answered until this is dropped.
    pub fn begin_work(self: &Arc<Self>) -> BusyConnection<K> {
        self.change(|place| place.at_work += 1);
        BusyConnection(Arc::clone(self))
    }

    /// It is no stranger's any more: nobody closes it for a newcomer.
    pub fn leave(&self) {
        lock(&self.held).places.remove(&self.number);
    }
}

impl<K: Eq + Hash> Drop for BusyConnection<K> {
    fn drop(&mut self) {
        self.0.change(|place| place.at_work = place.at_work.saturating_sub(1));
    }
}

impl<K: Eq + Hash> Drop for ConnectionPlace<K> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_there<K: Eq + Hash>(place: &ConnectionPlace<K>) -> bool {
        lock(&place.held).places.contains_key(&place.number)
    }

    #[test]
    fn the_oldest_idle_stranger_of_the_greediest_address_gives_way() {
        let places = ConnectionLimits::new(6, 4);
        let greedy: Vec<_> = (0..4).map(|_| places.enter('g').unwrap()).collect();
        let (other, third) = (places.enter('o').unwrap(), places.enter('t').unwrap());
        let newcomer = places.enter('n').unwrap();
        assert!(!is_there(&greedy[0]) && [&other, &third, &newcomer].into_iter().all(|place| is_there(place)));
        let _again = places.enter('g').unwrap();
        assert!(!is_there(&greedy[1]), "within its own share");
        assert!(is_there(&other) && is_there(&third));
    }

    #[test]
    fn who_is_known_and_at_work_stays_and_a_share_is_never_exceeded() {
        let places = ConnectionLimits::new(3, 2);
        let (one, two) = (places.enter(1).unwrap(), places.enter(1).unwrap());
        one.set_known(true);
        two.set_known(true);
        let work = (one.begin_work(), two.begin_work());
        assert!(places.enter(1).is_none());
        assert!(is_there(&one) && is_there(&two));
        drop(work.1);
        let stranger = places.enter(1).unwrap();
        assert!(is_there(&one) && !is_there(&two), "somebody known who waits gives way too");
        stranger.leave();
        drop((stranger, two));
        assert_eq!(lock(&places.held).places.len(), 1);
    }

    #[test]
    fn a_network_of_one_customer_is_one_address() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
        assert_ne!(network("10.0.0.2"), network("10.0.0.1"));
    }
}
