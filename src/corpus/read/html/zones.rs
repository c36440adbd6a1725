//! What is an element for? Content, navigation, a heading, a list: told from its name, role and class.

use super::scan::Tag;
use crate::corpus::read::Kind;

/// What an open element means for the text in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    /// Nothing of it is text of the document.
    Skip,
    /// Left out unless it stands in `main` or `article`.
    Fringe,
    /// The main content.
    Main,
    /// A self-contained piece of content.
    Article,
    Heading(u8),
    /// The page's title, in its head.
    Title,
    Pre,
    /// A block of this kind.
    Block(Kind),
    /// A row of a table.
    Row,
    /// A cell of a table.
    Cell,
    Link,
    /// A block without a meaning of its own.
    Box,
    /// Navigation, going by its id, if what stands in it is mostly links.
    Menu,
    /// Part of a line.
    Inline,
}

/// Elements without content: no end tag follows.
pub(super) const VOID: &[&str] = &[
    "area", "base", "basefont", "br", "col", "embed", "frame", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

/// Elements that are never text of a document.
const NEVER: &[&str] = &[
    "audio", "button", "canvas", "datalist", "iframe", "nav", "noembed", "noframes", "noscript", "object", "script",
    "select", "style", "svg", "template", "textarea", "video", "dialog",
];

/// Classes that mean navigation: DocBook's, Sphinx's and the usual names. Whole words of the attribute only. As an id they
/// may as well come from the heading of a chapter: see [`Zone::Menu`].
const NAVIGATION: &[&str] = &[
    "navheader",
    "navfooter",
    "toc",
    "navbar",
    "navigation",
    "breadcrumb",
    "breadcrumbs",
    "pagination",
    "headerlink",
    "sphinxsidebar",
    "skip-link",
    "table-of-contents",
    "indexdiv",
    "indextable",
    "genindextable",
];

const BOXES: &[&str] = &[
    "address",
    "body",
    "blockquote",
    "caption",
    "center",
    "details",
    "dir",
    "div",
    "dl",
    "fieldset",
    "figcaption",
    "figure",
    "form",
    "frameset",
    "head",
    "hgroup",
    "html",
    "legend",
    "menu",
    "ol",
    "optgroup",
    "option",
    "p",
    "section",
    "summary",
    "table",
    "tbody",
    "tfoot",
    "thead",
    "ul",
    "search",
    "colgroup",
];

/// What the element means.
pub(super) fn zone(tag: &Tag<'_>) -> Zone {
    let name = tag.name.as_str();
    if NEVER.contains(&name) || is_hidden(tag) || is_navigation(tag) {
        return Zone::Skip;
    }
    if may_be_menu(tag) {
        return Zone::Menu;
    }
    match (tag.role, name) {
        ("main", _) | (_, "main") => Zone::Main,
        ("banner" | "contentinfo" | "complementary", _) | (_, "header" | "footer" | "aside") => Zone::Fringe,
        (_, "article") => Zone::Article,
        (_, "title") => Zone::Title,
        (_, "h1") => Zone::Heading(1),
        (_, "h2") => Zone::Heading(2),
        (_, "h3") => Zone::Heading(3),
        (_, "h4") => Zone::Heading(4),
        (_, "h5") => Zone::Heading(5),
        (_, "h6") => Zone::Heading(6),
        (_, "pre" | "listing" | "xmp" | "plaintext") => Zone::Pre,
        (_, "li") => Zone::Block(Kind::Item),
        (_, "dt") => Zone::Block(Kind::Term),
        (_, "dd") => Zone::Block(Kind::Prose),
        (_, "tr") => Zone::Row,
        (_, "td" | "th") => Zone::Cell,
        (_, "a") => Zone::Link,
        _ if BOXES.contains(&name) => Zone::Box,
        _ => Zone::Inline,
    }
}

/// Whether a start tag of `name` ends an open element of the same name right below it.
pub(super) fn closes_itself(name: &str) -> bool {
    matches!(name, "p" | "li" | "dt" | "dd" | "tr" | "td" | "th" | "option")
}

fn is_hidden(tag: &Tag<'_>) -> bool {
    let style: String =
        tag.style.chars().take(512).filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    tag.hidden || style.contains("display:none") || style.contains("visibility:hidden")
}

fn is_navigation(tag: &Tag<'_>) -> bool {
    // The page's own body may carry any class.
    !matches!(tag.name.as_str(), "body" | "html" | "main" | "article")
        && (matches!(tag.role, "navigation" | "search" | "menu" | "menubar" | "toolbar")
            || tag.class.split_ascii_whitespace().any(means_navigation))
}

/// A box with the id of a menu. Sections, in HTML 4 a `div` of that class, get theirs from their headings.
fn may_be_menu(tag: &Tag<'_>) -> bool {
    matches!(tag.name.as_str(), "div" | "ul" | "ol" | "aside" | "table")
        && means_navigation(tag.id)
        && !tag.class.split_ascii_whitespace().any(|class| class.eq_ignore_ascii_case("section"))
}

fn means_navigation(word: &str) -> bool {
    NAVIGATION.iter().any(|known| known.eq_ignore_ascii_case(word))
}
