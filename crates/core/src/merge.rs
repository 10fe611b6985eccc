//! Walks two sorted streams side by side. The streams come from our own sorter, so an order that goes backwards is a
//! defect of ours or damaged spill data, and is an error, never a wrong answer.

use std::cmp::Ordering;
use std::iter::Peekable;

/// One step of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pair<A, B> {
    /// Only on the source.
    Source(A),
    /// Only on the target.
    Target(B),
    /// On both sides.
    Both(A, B),
}

/// Merges two streams sorted by the order that `compare` tells. An error of either side is handed on at once.
pub fn merge<A, B, E>(
    source: impl Iterator<Item = Result<A, E>>,
    target: impl Iterator<Item = Result<B, E>>,
    compare: impl Fn(&A, &B) -> Ordering,
) -> impl Iterator<Item = Result<Pair<A, B>, E>> {
    let (mut source, mut target) = (source.peekable(), target.peekable());
    std::iter::from_fn(move || step(&mut source, &mut target, &compare))
}

fn step<A, B, E>(
    source: &mut Peekable<impl Iterator<Item = Result<A, E>>>,
    target: &mut Peekable<impl Iterator<Item = Result<B, E>>>,
    compare: &impl Fn(&A, &B) -> Ordering,
) -> Option<Result<Pair<A, B>, E>> {
    let order = match (source.peek(), target.peek()) {
        (None, None) => return None,
        (Some(Ok(a)), Some(Ok(b))) => compare(a, b),
        (Some(Err(_)), _) | (_, None) => Ordering::Less,
        (_, Some(Err(_))) | (None, _) => Ordering::Greater,
    };
    match order {
        Ordering::Less => source.next().map(|a| a.map(Pair::Source)),
        Ordering::Greater => target.next().map(|b| b.map(Pair::Target)),
        Ordering::Equal => match (source.next()?, target.next()?) {
            (Ok(a), Ok(b)) => Some(Ok(Pair::Both(a, b))),
            (Err(e), _) | (_, Err(e)) => Some(Err(e)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    proptest! {
        #[test]
        fn equals_a_map(a in proptest::collection::btree_set(0u8..40, 0..20), b in proptest::collection::btree_set(0u8..40, 0..20)) {
            let run = |set: &BTreeSet<u8>| set.iter().map(|v| Ok::<u8, ()>(*v)).collect::<Vec<_>>();
            let merged: Vec<_> = merge(run(&a).into_iter(), run(&b).into_iter(), Ord::cmp).map(Result::unwrap).collect();
            let mut naive = BTreeMap::new();
            for v in a.union(&b) {
                naive.insert(*v, match (a.contains(v), b.contains(v)) {
                    (true, true) => Pair::Both(*v, *v),
                    (true, false) => Pair::Source(*v),
                    _ => Pair::Target(*v),
                });
            }
            prop_assert_eq!(merged, naive.into_values().collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_is_never_taken_for_an_end() {
        for (a, b) in [(vec![Ok(1), Err("cut")], vec![Ok(1), Ok(2)]), (vec![Ok(1), Ok(2)], vec![Ok(1), Err("cut")])] {
            let merged: Vec<_> = merge(a.into_iter(), b.into_iter(), Ord::cmp).take(2).collect();
            assert!(merged.contains(&Err("cut")) || merged.len() == 2 && merged[1].is_err(), "{merged:?}");
        }
    }
}
