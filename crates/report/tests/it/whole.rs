//! Every fact of a document is in every rendering, and hostile text is only text.

use crate::samples::{HOSTILE, all};
use octo_core::printable::is_hidden;
use octo_report::document::{Bar, ChartRow, Document, Item, Row, Section, Step, Text, Tone};
use octo_report::{html, text};
use proptest::prelude::*;

/// Every text of a document. A field that is added does not compile until it is here.
fn facts(document: &Document) -> Vec<&str> {
    let Document { title, tone: _, about, sections } = document;
    let mut facts = vec![title];
    facts.extend(about);
    for Section { heading, tone: _, rows, lines, items, more, steps, chart } in sections {
        facts.extend([heading, more]);
        facts.extend(lines);
        facts.extend(rows.iter().flat_map(|Row { name, value }| [name, value]));
        for Item { name, is_path: _, notes, step } in items {
            facts.push(name);
            facts.extend(notes);
            facts.extend(step.iter().flat_map(texts));
        }
        facts.extend(steps.iter().flat_map(texts));
        for ChartRow { name, bars } in chart {
            facts.push(name);
            facts.extend(bars.iter().map(|Bar { words, percent: _ }| words));
        }
    }
    facts.into_iter().map(Text::as_str).filter(|fact| !fact.is_empty()).collect()
}

fn texts(step: &Step) -> [&Text; 3] {
    let Step { label, words, command } = step;
    [label, words, command]
}

/// What a browser shows of a page, without its `<head>`.
fn shown(page: &str) -> String {
    let body = page.split_once("<body").expect("a body").1;
    let mut out = String::new();
    for part in body.split('<').skip(1) {
        out.push_str(part.split_once('>').map_or("", |(_, text)| text));
    }
    let entities = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    entities.iter().fold(out, |out, (entity, sign)| out.replace(entity, sign))
}

fn says_everything(document: &Document) {
    let (text, page) = (text::render(document), html::render(document));
    let seen = shown(&page);
    for fact in facts(document) {
        assert!(text.contains(fact), "the text lacks {fact:?}:\n{text}");
        assert!(seen.contains(fact), "the page lacks {fact:?}:\n{page}");
    }
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"), "{page}");
    // Nothing but line breaks of our own.
    assert!(!text.chars().chain(page.chars()).any(|c| is_hidden(c) && c != '\n'), "{text}\n{page}");
}

/// Every tag of a page, without its attributes.
fn tags(page: &str) -> Vec<&str> {
    let names =
        page.split('<').skip(1).map(|part| part.split(|c: char| !c.is_ascii_alphanumeric() && c != '/' && c != '!'));
    names.filter_map(|mut parts| parts.next()).collect()
}

/// Each field of each part, filled with one text.
fn full(of: &str) -> Document {
    let word = |name: &str| Text::from(format!("{name} {of}"));
    let step = || Step { label: word("label"), words: word("words"), command: word("command") };
    let item = |notes: &[&str], is_path| Item {
        name: word("item"),
        is_path,
        notes: notes.iter().map(|note| word(note)).collect(),
        step: Some(step()),
    };
    let bar = |name| Bar { words: word(name), percent: 50 };
    let section = |tone| Section {
        heading: word("heading"),
        tone,
        rows: vec![Row { name: word("name"), value: word("value") }],
        lines: vec![word("line")],
        items: vec![item(&[], false), item(&["one note"], true), item(&["note 1", "note 2"], true)],
        more: word("more"),
        steps: vec![step(), Step { words: Text::default(), ..step() }, Step { command: Text::default(), ..step() }],
        chart: vec![ChartRow { name: word("run"), bars: vec![bar("took"), bar("read")] }],
    };
    Document {
        title: word("title"),
        tone: Tone::Bad,
        about: vec![word("about")],
        sections: vec![section(None), section(Some(Tone::Attention)), Section::default()],
    }
}

#[test]
fn every_fact_of_every_document_is_in_every_rendering() {
    all().iter().for_each(|(_, document)| says_everything(document));
    says_everything(&full(""));
}

#[test]
fn a_hostile_text_is_only_text_wherever_it_stands() {
    says_everything(&full(HOSTILE));
    let (tame, page) = (html::render(&full("tame")), html::render(&full(HOSTILE)));
    assert_eq!(tags(&page), tags(&tame), "{page}");
    for page in all().iter().map(|(_, document)| html::render(document)).chain([page]) {
        for word in ["<script", "<img", "\u{1b}", "\u{202e}", "javascript:", "http"] {
            assert!(!page.contains(word), "{word:?} in {page}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_only_text(text in "\\PC{0,12}|[<>&\"'/={}% a-z\\n\u{202e}]{0,30}") {
        let document = full(&text);
        says_everything(&document);
        let (page, tame) = (html::render(&document), html::render(&full("tame")));
        prop_assert_eq!(tags(&page), tags(&tame));
    }
}
