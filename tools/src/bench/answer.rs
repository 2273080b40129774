//! The head of an HTTP/1.1 answer, as far as a load test looks at it.

use std::io;

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes follow.
    Length(u64),
    /// Chunks follow, each with its length, and one of length 0.
    Chunked,
    /// The connection ends with the body.
    UntilClose,
}

/// Status and the headers that somebody here asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// How the body ends; of an answer that has none, a length of 0.
    pub framing: Framing,
    /// Whether the server closes the connection after it.
    pub closes: bool,
    /// `Location`.
    pub location: Option<String>,
    /// `Link`.
    pub link: Option<String>,
    /// `WWW-Authenticate`: every challenge.
    pub challenges: Vec<String>,
    /// Whether tags named by `?tag=` were moved: only a registry that knows them says `OCI-Tag`.
    pub moved_tags: bool,
    /// `Server`.
    pub server: Option<String>,
    /// Whether it speaks the registry protocol by its own word.
    pub is_registry: bool,
}

/// Where the head that begins `bytes` ends, the empty line included.
pub fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

impl Head {
    /// Reads a head; `to_head` says that the request was a HEAD, whose answer has no body.
    pub fn parse(bytes: &[u8], to_head: bool) -> io::Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| broken("a head that is no text"))?;
        let mut lines = text.split("\r\n");
        let mut head = Self::of_status(lines.next().unwrap_or_default())?;
        let mut length = None;
        let mut chunked = false;
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or_else(|| broken(line))?;
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.parse().map_err(|_| broken(line))?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = value.eq_ignore_ascii_case("chunked");
            } else {
                head.keep(name, value);
            }
        }
        head.framing = match (chunked, length) {
            _ if to_head || matches!(head.status, 100..=199 | 204 | 304) => Framing::Length(0),
            (true, _) => Framing::Chunked,
            (false, Some(length)) => Framing::Length(length),
            (false, None) => Framing::UntilClose,
        };
        head.closes |= head.framing == Framing::UntilClose;
        Ok(head)
    }

    fn of_status(line: &str) -> io::Result<Self> {
        let mut words = line.split(' ');
        let version = words.next().unwrap_or_default();
        let status = words.next().and_then(|word| word.parse().ok());
        if !version.starts_with("HTTP/1.") {
            return Err(broken(line));
        }
        Ok(Self {
            status: status.ok_or_else(|| broken(line))?,
            framing: Framing::UntilClose,
            closes: version == "HTTP/1.0",
            location: None,
            link: None,
            challenges: Vec::new(),
            moved_tags: false,
            server: None,
            is_registry: false,
        })
    }

    fn keep(&mut self, name: &str, value: &str) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("connection") {
            self.closes |= value.eq_ignore_ascii_case("close");
        } else if is("location") {
            self.location = Some(value.to_owned());
        } else if is("link") {
            self.link = Some(value.to_owned());
        } else if is("www-authenticate") {
            self.challenges.push(value.to_owned());
        } else if is("oci-tag") {
            self.moved_tags = true;
        } else if is("server") {
            self.server = Some(value.to_owned());
        } else if is("docker-distribution-api-version") {
            self.is_registry = true;
        }
    }
}

/// What the server sent is no HTTP/1.1.
pub fn broken(what: &str) -> io::Error {
    let shown: String = what.chars().take(80).collect();
    io::Error::new(io::ErrorKind::InvalidData, format!("the answer is no HTTP/1.1: {shown:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, to_head: bool) -> Option<Head> {
        Head::parse(text.as_bytes(), to_head).ok()
    }

    #[test]
    fn the_end_of_a_body_follows_from_the_head() {
        let cases = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", false, Framing::Length(12), false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n", true, Framing::Length(0), false),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                false,
                Framing::Chunked,
                false,
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n", false, Framing::Length(0), false),
            ("HTTP/1.1 200 OK\r\n\r\n", false, Framing::UntilClose, true),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                false,
                Framing::Length(0),
                true,
            ),
        ];
        for (text, to_head, framing, closes) in cases {
            let head = parse(text, to_head).unwrap();
            assert_eq!((head.framing, head.closes), (framing, closes), "{text}");
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for text in ["", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nx\r\n\r\n"]
        {
            assert_eq!(parse(text, false), None, "{text}");
        }
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", false).is_err());
    }

    #[test]
    fn a_head_ends_at_its_empty_line() {
        assert_eq!(end_of_head(b"HTTP/1.1 200 OK\r\na: b\r\n\r\nbody"), Some(25));
        assert_eq!(end_of_head(b"HTTP/1.1 200 OK\r\na: b\r\n"), None);
    }
}
