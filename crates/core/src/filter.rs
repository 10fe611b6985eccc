//! Which entries a job is about. Excluded names are ignored on both sides: never copied, deleted or counted
//! (DESIGN rule 10). Patterns have gitignore's syntax; the last rule that matches decides.

use crate::error::{Code, Error};
use crate::path::{Name, RelPath};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What Windows keeps for itself: no use in a mirror, and locked anyway.
pub const DEFAULT_EXCLUDES: &[&str] =
    &["$RECYCLE.BIN/", "System Volume Information/", "DfsrPrivate/", "/pagefile.sys", "/hiberfil.sys", "/swapfile.sys"];

/// A list that is longer was not typed by a person: nobody wants to know which of its patterns match nothing.
const WATCHED_MAX: usize = 200;

/// Decides for each path whether it belongs to the job.
#[derive(Debug, Clone)]
pub struct Filter {
    defaults: Gitignore,
    rules: Gitignore,
    /// Whether any rule can be about a file below the root's own folder. Most jobs have none, and nearly all entries are
    /// such files.
    knows_deep_files: bool,
    /// Shared by all clones.
    watched: Arc<Watched>,
}

/// Which rules have matched something. A rule is tried by itself until it has, so later rules do not hide it.
#[derive(Debug, Default)]
struct Watched {
    /// How many have not.
    waiting: AtomicUsize,
    rules: Vec<WatchedRule>,
}

#[derive(Debug)]
struct WatchedRule {
    line: String,
    alone: Gitignore,
    has_matched: AtomicBool,
}

/// Collects rules in their order.
#[derive(Debug, Clone)]
pub struct FilterBuilder {
    case_insensitive: bool,
    defaults: bool,
    lines: Vec<String>,
}

impl Default for FilterBuilder {
    fn default() -> FilterBuilder {
        FilterBuilder { case_insensitive: false, defaults: true, lines: Vec::new() }
    }
}

impl FilterBuilder {
    /// Only the default excludes, upper and lower case distinct in further rules.
    pub fn new() -> FilterBuilder {
        FilterBuilder::default()
    }

    /// Whether the rules match without regard to case, as Windows does. The default excludes always do.
    pub fn case_insensitive(mut self, yes: bool) -> FilterBuilder {
        self.case_insensitive = yes;
        self
    }

    /// Whether [`DEFAULT_EXCLUDES`] apply, before all other rules.
    pub fn defaults(mut self, yes: bool) -> FilterBuilder {
        self.defaults = yes;
        self
    }

    /// Leaves out what matches. A line may also begin with `!` to take it in again.
    pub fn exclude(mut self, pattern: &str) -> Result<FilterBuilder, Error> {
        check(pattern)?;
        self.lines.push(pattern.to_owned());
        Ok(self)
    }

    /// Takes in again what an earlier rule left out (unless a folder above it is left out).
    pub fn include(mut self, pattern: &str) -> Result<FilterBuilder, Error> {
        check(pattern)?;
        self.lines.push(format!("!{pattern}"));
        Ok(self)
    }

    /// The filter.
    pub fn build(self) -> Result<Filter, Error> {
        let defaults: &[&str] = if self.defaults { DEFAULT_EXCLUDES } else { &[] };
        let mut lines = defaults.iter().copied().chain(self.lines.iter().map(String::as_str));
        let knows_deep_files = lines.any(is_about_deep_files);
        Ok(Filter {
            knows_deep_files,
            defaults: compile(defaults.iter().copied(), true)?,
            rules: compile(self.lines.iter().map(String::as_str), self.case_insensitive)?,
            watched: Arc::new(Watched::new(&self.lines, self.case_insensitive)?),
        })
    }
}

/// A pattern that would silently match nothing is refused when it is given.
fn check(pattern: &str) -> Result<(), Error> {
    compile([pattern].into_iter(), false).map(|_| ())
}

/// Whether a rule can match a file that is not in the root's own folder: not if it is for folders only, or names
/// something in the root.
fn is_about_deep_files(line: &str) -> bool {
    let in_root = line.strip_prefix('/').is_some_and(|rest| !rest.contains(['/', '*']));
    !line.trim_end().ends_with('/') && !in_root
}

fn compile<'a>(lines: impl Iterator<Item = &'a str>, case_insensitive: bool) -> Result<Gitignore, Error> {
    let bad = |line: &str, why: String| Error::new(Code::Usage, format!("pattern {line:?}: {why}"));
    let mut builder = GitignoreBuilder::new("");
    builder.case_insensitive(case_insensitive).map_err(|e| bad("", e.to_string()))?;
    for line in lines {
        builder.add_line(None, line).map_err(|e| bad(line, e.to_string()))?;
    }
    builder.build().map_err(|e| bad("", e.to_string()))
}

impl Watched {
    fn new(lines: &[String], case_insensitive: bool) -> Result<Watched, Error> {
        if lines.len() > WATCHED_MAX {
            return Ok(Watched::default());
        }
        let rule = |line: &String| {
            let pattern = line.strip_prefix('!').unwrap_or(line);
            let alone = compile([pattern].into_iter(), case_insensitive)?;
            Ok(WatchedRule { line: line.clone(), alone, has_matched: AtomicBool::new(false) })
        };
        let rules = lines.iter().map(rule).collect::<Result<Vec<_>, Error>>()?;
        Ok(Watched { waiting: AtomicUsize::new(rules.len()), rules })
    }

    fn record_match(&self, path: &Path, is_folder: bool) {
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return;
        }
        for rule in self.rules.iter().filter(|rule| !rule.has_matched.load(Ordering::Relaxed)) {
            if !rule.alone.matched(path, is_folder).is_none() && !rule.has_matched.swap(true, Ordering::Relaxed) {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

impl Filter {
    /// No rule at all: everything belongs to the job.
    pub fn everything() -> Filter {
        let (defaults, rules) = (Gitignore::empty(), Gitignore::empty());
        Filter { defaults, rules, knows_deep_files: false, watched: Arc::default() }
    }

    /// The rules that have matched no path so far, as gitignore would write them, in their order. Those of a very long list are
    /// not counted.
    pub fn unmatched(&self) -> Vec<&str> {
        let rules = self.watched.rules.iter().filter(|rule| !rule.has_matched.load(Ordering::Relaxed));
        rules.map(|rule| rule.line.as_str()).collect()
    }

    /// Whether the entry `name` of `folder` is left out, as [`Filter::excludes`] says.
    pub fn excludes_in(&self, folder: &RelPath, name: &Name, is_folder: bool) -> bool {
        (is_folder || folder.is_root() || self.knows_deep_files) && self.excludes(&folder.join(name), is_folder)
    }

    /// Whether the entry is left out by the default excludes, and no rule takes it in again: what Windows keeps for itself.
    pub fn excludes_by_default(&self, path: &RelPath, is_folder: bool) -> bool {
        let os_path = &*as_os(path);
        !self.rules.matched(os_path, is_folder).is_whitelist() && self.defaults.matched(os_path, is_folder).is_ignore()
    }

    /// Whether the entry is left out. The caller does not ask for what lies below a folder that is left out.
    pub fn excludes(&self, path: &RelPath, is_folder: bool) -> bool {
        if self.rules.is_empty() && self.defaults.is_empty() {
            return false;
        }
        let os_path = &*as_os(path);
        self.watched.record_match(os_path, is_folder);
        let decision = self.rules.matched(os_path, is_folder);
        if decision.is_none() { self.defaults.matched(os_path, is_folder).is_ignore() } else { decision.is_ignore() }
    }
}

/// The path as the patterns' library takes it.
#[cfg(unix)]
fn as_os(path: &RelPath) -> std::borrow::Cow<'_, Path> {
    std::borrow::Cow::Borrowed(path.to_os())
}

/// The path as the patterns' library takes it.
#[cfg(not(unix))]
fn as_os(path: &RelPath) -> std::borrow::Cow<'_, Path> {
    match String::from_utf8_lossy(path.as_bytes()) {
        std::borrow::Cow::Borrowed(text) => std::borrow::Cow::Borrowed(Path::new(text)),
        std::borrow::Cow::Owned(text) => std::borrow::Cow::Owned(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn p(text: &str) -> RelPath {
        RelPath::parse(text.as_bytes()).unwrap()
    }

    proptest! {
        #[test]
        fn an_entry_of_a_folder_is_left_out_as_its_path_is(
            pattern in "!?/?[ab*]{1,2}(/[ab*]{1,2})?/?",
            folder in "([ab](/[ab])?)?",
            name in "[ab]{1,2}",
            is_folder in any::<bool>(),
        ) {
            let filter = FilterBuilder::new().exclude(&pattern).unwrap().build().unwrap();
            let (folder, name) = (p(&folder), Name::new(name.into_bytes()).unwrap());
            prop_assert_eq!(filter.excludes_in(&folder, &name, is_folder), filter.excludes(&folder.join(&name), is_folder));
        }
    }

    #[test]
    fn windows_leftovers_are_left_out_whatever_their_case() {
        let filter = FilterBuilder::new().build().unwrap();
        assert!(filter.excludes(&p("$Recycle.Bin"), true));
        assert!(filter.excludes(&p("System Volume Information"), true));
        assert!(filter.excludes(&p("mounted/system volume information"), true));
        assert!(filter.excludes(&p("PAGEFILE.SYS"), false));
        assert!(!filter.excludes(&p("docs/pagefile.sys"), false), "only at the root");
        assert!(!filter.excludes(&p("$Recycle.Bin"), false), "a file of that name is data");
    }

    #[test]
    fn the_last_rule_decides_and_may_undo_a_default() {
        let filter = FilterBuilder::new()
            .exclude("*.tmp")
            .unwrap()
            .include("keep.tmp")
            .unwrap()
            .include("$RECYCLE.BIN/")
            .unwrap()
            .build()
            .unwrap();
        assert!(filter.excludes(&p("a/b.tmp"), false));
        assert!(!filter.excludes(&p("a/keep.tmp"), false));
        assert!(!filter.excludes(&p("$RECYCLE.BIN"), true));
    }

    #[test]
    fn anchors_folders_and_depth() {
        let filter = FilterBuilder::new()
            .defaults(false)
            .exclude("/top")
            .unwrap()
            .exclude("cache/")
            .unwrap()
            .exclude("logs/**/*.log")
            .unwrap()
            .build()
            .unwrap();
        assert!(filter.excludes(&p("top"), false));
        assert!(!filter.excludes(&p("a/top"), false));
        assert!(filter.excludes(&p("a/cache"), true));
        assert!(!filter.excludes(&p("a/cache"), false));
        assert!(filter.excludes(&p("logs/x/y/z.log"), false));
    }

    #[test]
    fn case_counts_only_when_asked() {
        let build =
            |insensitive| FilterBuilder::new().case_insensitive(insensitive).exclude("*.BAK").unwrap().build().unwrap();
        assert!(build(true).excludes(&p("a.bak"), false));
        assert!(!build(false).excludes(&p("a.bak"), false));
    }

    #[test]
    fn rules_that_match_nothing_are_told_and_those_that_a_later_one_hides_are_not() {
        let lines = ["*.tmp", "!keep.tmp", "*.tpm", "/top", "*.tmp", "!nothing"];
        let build = |lines: &[&str]| {
            lines.iter().fold(FilterBuilder::new(), |builder, line| builder.exclude(line).unwrap()).build().unwrap()
        };
        let filter = build(&lines);
        assert_eq!(filter.unmatched(), lines);
        let other_thread = filter.clone();
        assert!(other_thread.excludes(&p("a/keep.tmp"), false), "the last rule decides");
        filter.excludes(&p("b/top"), false);
        assert_eq!(filter.unmatched(), ["*.tpm", "/top", "!nothing"]);
        filter.excludes(&p("top"), true);
        assert_eq!(filter.unmatched(), ["*.tpm", "!nothing"]);
        assert!(build(&["x"; WATCHED_MAX + 1]).unmatched().is_empty());
    }

    #[test]
    fn a_broken_pattern_is_refused() {
        assert!(FilterBuilder::new().exclude("[z-a]").is_err());
    }

    proptest! {
        /// Against a naive oracle for the patterns `*.x` and a plain name.
        #[test]
        fn suffix_patterns_equal_the_naive_check(name in "[a-c.]{1,5}", dir in "[a-c]{1,3}") {
            prop_assume!(name != "." && name != "..");
            let filter = FilterBuilder::new().defaults(false).exclude("*.a").unwrap().exclude("abc").unwrap().build().unwrap();
            let path = p(&format!("{dir}/{name}"));
            prop_assert_eq!(filter.excludes(&path, false), name.ends_with(".a") || name == "abc");
        }
    }
}
