//! What a name was before some run, from what that run and the later ones recorded of it. Pure.

use octo_core::{Error, Timestamp};

/// When something was recorded: the run, and the number of the record in it.
pub type Moment = (u64, u64);

/// One record, as far as it concerns one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// It was not there before.
    Made,
    /// It was replaced, deleted or renamed. Its old content is a version, if that was done.
    Kept(Timestamp),
    /// Its last write time was set, or moved.
    Time(Timestamp),
    /// Its metadata was set. The old is that of the version.
    Metadata,
}

/// Where the content of a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Was {
    /// It was not there.
    Nothing,
    /// In the versions of this run.
    Version(u64),
    /// Still in its place, if anything is there.
    InPlace,
}

/// What a name was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Where its content is.
    pub was: Was,
    /// Its last write time, if that is another now.
    pub write_time: Option<Timestamp>,
    /// The run that left its metadata, if that is other now.
    pub metadata: Option<u64>,
    /// When something else was made in its place later.
    pub made_again: Option<Moment>,
}

/// Decides from the facts of a name, oldest first. `is_kept` says whether the versions of a run have it: a record whose change did
/// not happen, because the process died between the two, says nothing but the time.
pub fn decide(
    facts: impl Iterator<Item = (Moment, Fact)>,
    mut is_kept: impl FnMut(u64) -> Result<bool, Error>,
) -> Result<Decision, Error> {
    let mut decision = Decision { was: Was::InPlace, write_time: None, metadata: None, made_again: None };
    for (moment @ (run, _), fact) in facts {
        match (fact, decision.was) {
            (Fact::Made, Was::InPlace) => return Ok(Decision { was: Was::Nothing, ..decision }),
            (Fact::Made, _) => return Ok(Decision { made_again: Some(moment), ..decision }),
            (Fact::Kept(time), Was::InPlace) => {
                decision.write_time = decision.write_time.or(Some(time));
                if is_kept(run)? {
                    decision.was = Was::Version(run);
                }
            }
            (Fact::Time(time), Was::InPlace) => decision.write_time = decision.write_time.or(Some(time)),
            (Fact::Metadata, Was::InPlace) => decision.metadata = decision.metadata.or(Some(run)),
            _ => {}
        }
    }
    Ok(decision)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(facts: &[(u64, Fact)], kept: &[u64]) -> Decision {
        decide(facts.iter().map(|(run, fact)| ((*run, 1), *fact)), |run| Ok(kept.contains(&run))).unwrap()
    }

    #[test]
    fn the_first_change_that_happened_decides() {
        let [t1, t2] = [Timestamp(1), Timestamp(2)];
        let plain = Decision { was: Was::InPlace, write_time: None, metadata: None, made_again: None };
        assert_eq!(decided(&[], &[]), plain);
        assert_eq!(decided(&[(3, Fact::Made), (4, Fact::Kept(t1))], &[4]).was, Was::Nothing);
        let kept = decided(&[(3, Fact::Kept(t1)), (4, Fact::Kept(t2))], &[3, 4]);
        assert_eq!(kept, Decision { was: Was::Version(3), write_time: Some(t1), ..plain });
        let late = decided(&[(3, Fact::Kept(t1)), (4, Fact::Kept(t2))], &[4]);
        assert_eq!(late, Decision { was: Was::Version(4), write_time: Some(t1), ..plain });
        let not_done = decided(&[(3, Fact::Kept(t1))], &[]);
        assert_eq!(not_done, Decision { was: Was::InPlace, write_time: Some(t1), ..plain });
        let again = decided(&[(3, Fact::Kept(t1)), (5, Fact::Made)], &[3]);
        assert_eq!(again.made_again, Some((5, 1)));
        let stamped = decided(&[(3, Fact::Time(t1)), (4, Fact::Metadata), (5, Fact::Kept(t2))], &[5]);
        assert_eq!(stamped, Decision { was: Was::Version(5), write_time: Some(t1), metadata: Some(4), ..plain });
    }
}
