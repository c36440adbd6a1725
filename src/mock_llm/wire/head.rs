//! What does the head of a request say? `httparse` reads it; here is what the mock makes of it.

use httparse::Status;

use crate::mock_llm::api::error::ApiError;

/// The longest head, in bytes.
pub(crate) const LONGEST_HEAD: usize = 16 * 1024;

/// The longest body, in bytes.
pub(crate) const LONGEST_BODY: usize = 16 * 1024 * 1024;

/// The most headers.
const MOST_HEADERS: usize = 64;

/// What the request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Chat,
    Embeddings,
    Models,
    Model(String),
    Stats,
    Reset,
    Limits,
    Unknown(String),
}

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Other,
}

/// How long the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Known(usize),
    Chunked,
}

/// A request without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) route: Route,
    pub(crate) method: Method,
    /// HTTP/1.0, which has no chunks.
    pub(crate) is_old: bool,
    /// Whether another request may follow on the connection.
    pub(crate) keep: bool,
    pub(crate) length: Length,
    /// The client waits for `100 Continue` before it sends the body.
    pub(crate) expects: bool,
    /// Whether there is a key. It is neither kept nor looked at.
    pub(crate) has_key: bool,
    /// The value of `x-mock-fault`.
    pub(crate) fault: Option<String>,
}

/// Reads a head; `None` when it is not complete. With its length in bytes.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<(Head, usize)>, ApiError> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(&bytes[..bytes.len().min(LONGEST_HEAD)]) {
        Ok(Status::Complete(length)) => head(&request).map(|head| Some((head, length))),
        Ok(Status::Partial) if bytes.len() < LONGEST_HEAD => Ok(None),
        Ok(Status::Partial) => Err(ApiError::invalid(431, "The head of the request has more than 16 KiB.")),
        Err(httparse::Error::TooManyHeaders) => Err(ApiError::invalid(431, "The request has more than 64 headers.")),
        Err(error) => Err(ApiError::invalid(400, format!("This is no HTTP/1.1 request: {error}."))),
    }
}

fn head(request: &httparse::Request<'_, '_>) -> Result<Head, ApiError> {
    let is_old = request.version == Some(0);
    let mut head = Head {
        route: route(request.path.unwrap_or_default()),
        method: match request.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            Some("POST") => Method::Post,
            _ => Method::Other,
        },
        is_old,
        keep: !is_old,
        length: Length::Known(0),
        expects: false,
        has_key: false,
        fault: None,
    };
    let (mut length, mut is_chunked) = (None, false);
    for header in request.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        // Only a few names matter; their lengths tell most others apart.
        match header.name.len() {
            14 if is("content-length") => {
                let number = number(header.value)?;
                if length.is_some_and(|known| known != number) {
                    return Err(ApiError::invalid(400, "The request has two different lengths."));
                }
                length = Some(number);
            }
            17 if is("transfer-encoding") => {
                if !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(ApiError::invalid(501, "The only transfer encoding that is known is `chunked`."));
                }
                is_chunked = true;
            }
            10 if is("connection") => {
                let has =
                    |word: &[u8]| header.value.split(|b| *b == b',').any(|w| w.trim_ascii().eq_ignore_ascii_case(word));
                head.keep = if is_old { has(b"keep-alive") } else { !has(b"close") };
            }
            6 if is("expect") => head.expects = header.value.eq_ignore_ascii_case(b"100-continue") && !is_old,
            13 if is("authorization") => {
                let (scheme, key) = header.value.split_at(header.value.len().min(7));
                head.has_key = scheme.eq_ignore_ascii_case(b"bearer ") && !key.trim_ascii().is_empty();
            }
            12 if is("x-mock-fault") => head.fault = Some(String::from_utf8_lossy(header.value).trim().to_owned()),
            _ => {}
        }
    }
    head.length = match (length, is_chunked) {
        (Some(_), true) => return Err(ApiError::invalid(400, "The request has both a length and chunks.")),
        (_, true) => Length::Chunked,
        (Some(length), false) if length > LONGEST_BODY => return Err(too_large()),
        (length, false) => Length::Known(length.unwrap_or(0)),
    };
    Ok(head)
}

/// What is said of a body that is too large.
pub(crate) fn too_large() -> ApiError {
    ApiError::invalid(413, "The body of the request has more than 16 MiB.")
}

fn number(value: &[u8]) -> Result<usize, ApiError> {
    let text =
        std::str::from_utf8(value.trim_ascii()).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| ApiError::invalid(400, "The length of the body is no number."))
}

fn route(path: &str) -> Route {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    match path {
        "/v1/chat/completions" => Route::Chat,
        "/v1/embeddings" => Route::Embeddings,
        "/v1/models" => Route::Models,
        "/stats" => Route::Stats,
        "/reset" => Route::Reset,
        "/limits" => Route::Limits,
        _ => match path.strip_prefix("/v1/models/") {
            Some(name) if !name.is_empty() => Route::Model(name.to_owned()),
            _ => Route::Unknown(path.chars().take(200).collect()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Option<(Head, usize)>, u16> {
        read(text.as_bytes()).map_err(|error| error.status)
    }

    #[test]
    fn what_matters_is_found() {
        let text = "POST /v1/chat/completions?x=1 HTTP/1.1\r\nHost: a\r\nAUTHORIZATION: bearer k\r\nexpect: 100-continue\r\n\
            content-length: 12\r\nX-Mock-Fault:  cut \r\n\r\nrest";
        let (head, length) = of(text).unwrap().unwrap();
        assert_eq!(length, text.len() - 4);
        assert_eq!((head.route, head.method, head.length), (Route::Chat, Method::Post, Length::Known(12)));
        assert!(head.keep && head.has_key && head.expects && !head.is_old);
        assert_eq!(head.fault.as_deref(), Some("cut"));
    }

    #[test]
    fn connections_are_kept_as_the_version_says() {
        for (version, header, keep) in [
            ("1.1", "", true),
            ("1.1", "connection: Close\r\n", false),
            ("1.1", "connection: foo, close\r\n", false),
            ("1.0", "", false),
            ("1.0", "Connection: keep-alive\r\n", true),
        ] {
            let (head, _) = of(&format!("GET /stats HTTP/{version}\r\n{header}\r\n")).unwrap().unwrap();
            assert_eq!(head.keep, keep, "{version} {header}");
        }
    }

    #[test]
    fn paths_lead_to_routes() {
        for (path, route) in [
            ("/v1/models", Route::Models),
            ("/v1/models/a/b", Route::Model("a/b".into())),
            ("/v1/models/", Route::Unknown("/v1/models/".into())),
            ("/v1/embeddings?", Route::Embeddings),
            ("/", Route::Unknown("/".into())),
        ] {
            assert_eq!(of(&format!("GET {path} HTTP/1.1\r\n\r\n")).unwrap().unwrap().0.route, route);
        }
    }

    #[test]
    fn what_is_unclear_is_refused() {
        let many = "x: y\r\n".repeat(MOST_HEADERS + 1);
        let long = format!("x: {}\r\n", "y".repeat(LONGEST_HEAD));
        for (headers, status) in [
            ("content-length: x\r\n", 400),
            ("content-length: -1\r\n", 400),
            ("content-length: +1\r\n", 400),
            ("content-length: 99999999999999999999999\r\n", 400),
            ("content-length: 1\r\ncontent-length: 2\r\n", 400),
            ("content-length: 1\r\ntransfer-encoding: chunked\r\n", 400),
            ("transfer-encoding: gzip, chunked\r\n", 501),
            ("content-length: 16777217\r\n", 413),
            (&many, 431),
            (&long, 431),
            ("no header\r\n", 400),
        ] {
            assert_eq!(of(&format!("POST / HTTP/1.1\r\n{headers}\r\n")).unwrap_err(), status, "{headers:.60}");
        }
        assert_eq!(of("\u{16}\u{3}\u{1} tls"), Err(400));
        assert_eq!(of("GET / HTTP/1.1\r\nhost: "), Ok(None));
    }
}
