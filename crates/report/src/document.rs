//! The document: a title, and sections of rows, lines, items and steps. Data only; how it looks is up to the renderings.

use octo_core::numbers::thousands;
use octo_core::printable::printable;
use std::fmt;

/// Text that is safe to show: on one line, with everything that hides or turns text around in an escaped form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(String);

impl Text {
    /// As a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Itself, if there is something to show.
    pub(crate) fn shown(&self) -> &[Text] {
        if self.is_empty() { &[] } else { std::slice::from_ref(self) }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(printable(text))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text::from(text.as_str())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How good or bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// As it should be.
    Good,
    /// A person has to look at it.
    Attention,
    /// There is no backup, or an old one.
    Bad,
    /// Neither good nor bad.
    #[default]
    Neutral,
}

/// What is said about a run, about all jobs, or about a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// What it is about, and the verdict.
    pub title: Text,
    /// How good or bad that is.
    pub tone: Tone,
    /// A few lines below the title.
    pub about: Vec<Text>,
    /// In the order in which they are read: what needs a decision first.
    pub sections: Vec<Section>,
}

/// A part of a document. What it does not have is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// Its heading.
    pub heading: Text,
    /// How good or bad it is, if that differs from section to section.
    pub tone: Option<Tone>,
    /// Names with their values.
    pub rows: Vec<Row>,
    /// Sentences.
    pub lines: Vec<Text>,
    /// Examples, reasons, remarks.
    pub items: Vec<Item>,
    /// How many more items there are, in words.
    pub more: Text,
    /// What a person can do.
    pub steps: Vec<Step>,
    /// A bar chart.
    pub chart: Vec<ChartRow>,
}

/// A name with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// A word or two.
    pub name: Text,
    /// In words and numbers.
    pub value: Text,
}

/// One item of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Item {
    /// A path, or a sentence.
    pub name: Text,
    /// Whether it is a path.
    pub is_path: bool,
    /// More about it.
    pub notes: Vec<Text>,
    /// What a person can do about this one.
    pub step: Option<Step>,
}

/// What a person can do: words, a command, or both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// When it is done, or to what end: "What to do".
    pub label: Text,
    /// In words.
    pub words: Text,
    /// To be typed as it stands.
    pub command: Text,
}

/// One row of a bar chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartRow {
    /// What it is about.
    pub name: Text,
    /// One bar for each series.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// What it shows, with the exact value.
    pub words: Text,
    /// How long it is, in percent of the longest of its series.
    pub percent: u8,
}

impl Document {
    /// A message of one sentence.
    pub fn message(title: &str, sentence: &str) -> Document {
        Document { title: title.into(), about: vec![sentence.into()], ..Document::default() }
    }

    /// The subject of a mail, and the first line of a text.
    pub fn subject(&self) -> String {
        format!("octoBackup: {}", self.title)
    }
}

impl Section {
    /// A section of items that are sentences, if there are any.
    pub fn of_sentences(heading: &str, sentences: impl IntoIterator<Item = String>) -> Option<Section> {
        let items: Vec<Item> = sentences.into_iter().map(Item::sentence).collect();
        (!items.is_empty()).then(|| Section { heading: heading.into(), items, ..Section::default() })
    }

    /// The same, with the number of items that are not shown.
    #[must_use]
    pub fn with_more(self, more: u64) -> Section {
        let words = if more == 0 { String::new() } else { format!("... and {} more", thousands(more)) };
        Section { more: words.into(), ..self }
    }
}

impl Row {
    /// A name with its value.
    pub fn new(name: &str, value: impl Into<Text>) -> Row {
        Row { name: name.into(), value: value.into() }
    }
}

impl Item {
    /// A sentence.
    pub fn sentence(text: impl Into<Text>) -> Item {
        Item { name: text.into(), ..Item::default() }
    }

    /// A path, in its text form.
    pub fn path(path: impl Into<Text>) -> Item {
        Item { name: path.into(), is_path: true, ..Item::default() }
    }
}

impl Step {
    /// What to do, in words.
    pub fn what_to_do(words: impl Into<Text>) -> Step {
        Step { label: "What to do".into(), words: words.into(), ..Step::default() }
    }

    /// A command, and what it is for.
    pub fn command(label: &str, command: impl Into<Text>) -> Step {
        Step { label: label.into(), command: command.into(), ..Step::default() }
    }
}

/// In one sentence.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.label)?;
        let parts = [&self.words, &self.command];
        parts.into_iter().filter(|part| !part.is_empty()).try_for_each(|part| write!(f, " {part}"))
    }
}
