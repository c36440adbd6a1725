//! What does a page of HTML say that came in place of a reply, as proxies send? Its title, or its first words; pure.

/// As much of a page as is shown, in characters.
const SHORT: usize = 200;

/// The words of a page without its marks, if it is one.
pub(super) fn words(text: &str) -> Option<String> {
    let text = text.trim_start();
    // The places in it are those in the page.
    let lower = text.to_ascii_lowercase();
    let is_page =
        text.starts_with('<') && ["<html", "<!doctype html", "<head", "<body"].iter().any(|mark| lower.contains(mark));
    is_page.then(|| {
        let title = title(text, &lower).map(|title| without_marks(title, &title.to_ascii_lowercase()));
        let words = title.filter(|title| !title.is_empty()).unwrap_or_else(|| without_marks(text, &lower));
        match words.is_empty() {
            true => "it is a page of HTML without words".to_owned(),
            false => words,
        }
    })
}

fn title<'a>(page: &'a str, lower: &str) -> Option<&'a str> {
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    Some(&page[start..end])
}

/// What stands between the marks, and not in a script or a style.
fn without_marks(page: &str, lower: &str) -> String {
    let (mut words, mut at) = (String::new(), 0);
    while let Some(mark) = page[at..].find('<').map(|mark| at + mark) {
        words.push_str(&page[at..mark]);
        words.push(' ');
        let hidden = ["script", "style", "title"].iter().find(|name| lower[mark + 1..].starts_with(**name));
        let end = match hidden {
            Some(name) => lower[mark..].find(&format!("</{name}")).map(|end| mark + end),
            None => Some(mark),
        };
        at = end.and_then(|end| page[end..].find('>').map(|close| end + close + 1)).unwrap_or(page.len());
    }
    words.push_str(&page[at..]);
    let signs = [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    let words = signs.iter().fold(words, |words, (written, sign)| words.replace(written, sign));
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.chars().count() > SHORT {
        true => words.chars().take(SHORT - 1).chain(['…']).collect(),
        false => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_its_title_or_its_first_words() {
        let long = format!("<html><body>{}", "word ".repeat(1_000));
        for (page, said) in [
            ("<html><head><title>502 Bad\n Gateway</title></head><body><h1>x</h1>", Some("502 Bad Gateway")),
            ("\n<!DOCTYPE HTML><TITLE lang=en>A &amp; B</TITLE>", Some("A & B")),
            (
                "<html><title> </title><style>a > b {}</style><SCRIPT>if (a < b) {}</SCRIPT><body>Not<b>here</b>.<img src=",
                Some("Not here ."),
            ),
            ("<html><title>cut", Some("it is a page of HTML without words")),
            ("<html>", Some("it is a page of HTML without words")),
            ("<html><body>Ä<ä>é", Some("Ä é")),
            ("<error>of XML</error>", None),
            ("x < y, <html>", None),
            ("", None),
        ] {
            assert_eq!(words(page).as_deref(), said, "{page}");
        }
        assert_eq!(words(&long).map(|said| said.chars().count()), Some(SHORT));
    }
}
