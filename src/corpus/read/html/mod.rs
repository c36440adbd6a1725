//! How is a web page read? Its main content, without navigation, scripts and what is hidden.
//!
//! The main content is what stands in `main` (or `role="main"`), or else in `article` if that is at least half of the page,
//! or else in the body without headers, footers and asides. A page that only leads elsewhere is skipped: a redirect, a table of contents, an index.

mod collect;
mod entities;
mod scan;
mod zones;

use self::collect::{Collector, Piece, Shape};
use self::scan::{Scanner, Token};
use super::{Extract, Skip};

/// A page that redirects and has fewer characters than this is not a document.
const REDIRECT_CHARS: usize = 500;
/// A page with at least this many links ...
const MANY_LINKS: usize = 20;
/// ... whose letters and digits stand in links to this share, in percent, is a table of contents or an index.
const LINK_PERCENT: usize = 90;

/// Extracts the main content.
pub(super) fn read(page: &str) -> Result<Extract, Skip> {
    let mut collector = Collector::new(page.trim_start().starts_with("<?xml"));
    for token in Scanner::new(page) {
        match token {
            Token::Text(text) => collector.text(&text),
            Token::Start(tag) => collector.start(&tag),
            Token::End(name) => collector.end(&name),
        }
    }
    let page = collector.finish();
    let pieces = main_content(&page.pieces);
    let chars: usize = pieces.iter().map(|piece| piece.text.len()).sum();
    if page.redirects && chars < REDIRECT_CHARS {
        return Err(Skip::because("redirects to another page"));
    }
    let body = || pieces.iter().filter(|piece| !matches!(piece.shape, Shape::Heading(_)));
    let (said, linked): (usize, usize) = (body().map(|piece| piece.said).sum(), body().map(|piece| piece.linked).sum());
    let links: usize = body().map(|piece| piece.links).sum();
    if links >= MANY_LINKS && linked * 100 >= said * LINK_PERCENT {
        return Err(Skip::because("only links (a table of contents or an index)"));
    }
    let mut extract = assemble(&pieces);
    extract.title = page.title;
    Ok(extract)
}

/// Whether a file without a telling name is a web page.
pub(super) fn looks_like(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(15).collect::<String>().to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html")
}

fn main_content(pieces: &[Piece]) -> Vec<&Piece> {
    let within = |wanted: fn(&Piece) -> bool| pieces.iter().filter(|piece| wanted(piece)).collect::<Vec<_>>();
    let says = |pieces: &[&Piece]| pieces.iter().any(|piece| !matches!(piece.shape, Shape::Heading(_)));
    let main = within(|piece| piece.in_main);
    if says(&main) {
        return main;
    }
    let articles = within(|piece| piece.in_article);
    let body = within(|piece| piece.in_article || !piece.fringe);
    let said = |pieces: &[&Piece]| pieces.iter().map(|piece| piece.said).sum::<usize>();
    // A teaser or a comment is an article too.
    if says(&articles) && said(&articles) * 2 >= said(&body) { articles } else { body }
}

fn assemble(pieces: &[&Piece]) -> Extract {
    let mut extract = Extract::new();
    for piece in pieces {
        match piece.shape {
            Shape::Heading(level) => extract.heading(level, &piece.text),
            Shape::Lines(kind) => extract.lines(kind, &piece.text),
            Shape::Flowing(kind) => extract.flowing(kind, &piece.text),
        }
    }
    extract
}

#[cfg(test)]
mod tests;
