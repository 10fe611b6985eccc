//! Questions to disks, each in a thread of its own: a mount that hangs hides nothing of the others, and is not asked again
//! while it hangs.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What was found: all is well, or what is wrong.
pub type Answer = Result<String, String>;
type Question = Box<dyn FnOnce() -> Answer + Send>;

/// Who was asked and has not answered yet.
#[derive(Clone, Default)]
pub struct Asked(Arc<Mutex<BTreeSet<String>>>);

impl Asked {
    /// The answers, in the order of the questions; all of them within this time.
    pub fn all(&self, questions: Vec<(String, Question)>, within: Duration) -> Vec<(String, Answer)> {
        let begun = Instant::now();
        let asked: Vec<_> =
            questions.into_iter().map(|(about, question)| (self.ask(&about, question), about)).collect();
        let late = || Err(format!("it did not answer within {} s; does its disk or mount hang?", within.as_secs()));
        let answer = |answer: Option<Receiver<Answer>>| match answer {
            Some(answer) => answer.recv_timeout(within.saturating_sub(begun.elapsed())).unwrap_or_else(|_| late()),
            None => Err("it was asked before and has not answered yet; does its disk or mount hang?".to_owned()),
        };
        asked.into_iter().map(|(receiver, about)| (about, answer(receiver))).collect()
    }

    /// `None` if it has not answered the last question yet.
    fn ask(&self, about: &str, question: Question) -> Option<Receiver<Answer>> {
        if !self.lock().insert(about.to_owned()) {
            return None;
        }
        let (tell, told) = channel();
        let (asked, name) = (self.clone(), about.to_owned());
        let answer = move || {
            let answer = question();
            asked.lock().remove(&name);
            // Whoever asked may have lost patience.
            let _ = tell.send(answer);
        };
        if std::thread::Builder::new().name("self-check".to_owned()).spawn(answer).is_err() {
            self.lock().remove(about);
        }
        Some(told)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_hangs_hides_nothing_of_the_others_and_is_not_asked_again() {
        let asked = Asked::default();
        let (release, hangs) = channel::<()>();
        let hung: Question = Box::new(move || hangs.recv().map(|()| "back".to_owned()).map_err(|e| e.to_string()));
        let well = || -> Question { Box::new(|| Ok("well".to_owned())) };
        let short = Duration::from_millis(50);
        let answers = asked.all(vec![("a".into(), hung), ("b".into(), well())], short);
        assert!(answers[0].1.as_ref().unwrap_err().contains("did not answer within"), "{answers:?}");
        assert_eq!(answers[1], ("b".into(), Ok("well".into())));
        let long = Duration::from_secs(60);
        let never: Question = Box::new(|| unreachable!("it hangs still"));
        let answers = asked.all(vec![("a".into(), never), ("b".into(), well())], long);
        assert!(answers[0].1.as_ref().unwrap_err().contains("not answered yet"), "{answers:?}");
        assert!(answers[1].1.is_ok());
        release.send(()).unwrap();
        while asked.lock().contains("a") {
            std::thread::yield_now();
        }
        assert_eq!(asked.all(vec![("a".into(), well())], long)[0].1, Ok("well".into()));
    }
}
