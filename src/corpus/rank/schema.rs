//! How does a passage stand in the word index? Three fields of words, and the place of the passage in its document.

use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};

/// The field with the key of the document: what its passages are removed by.
pub(super) const DOCUMENT: &str = "document";
/// The field with the passage's place in its document.
pub(super) const PASSAGE: &str = "passage";

#[derive(Clone, Copy)]
pub(super) struct Fields {
    /// Text, headings, title.
    pub(super) words: [Field; 3],
    pub(super) document: Field,
    pub(super) passage: Field,
}

pub(super) fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let indexing =
        TextFieldIndexing::default().set_tokenizer("whitespace").set_index_option(IndexRecordOption::WithFreqs);
    let options = TextOptions::default().set_indexing_options(indexing);
    let words = ["text", "headings", "title"].map(|name| builder.add_text_field(name, options.clone()));
    let document = builder.add_u64_field(DOCUMENT, FAST | INDEXED);
    let passage = builder.add_u64_field(PASSAGE, FAST);
    (builder.build(), Fields { words, document, passage })
}
