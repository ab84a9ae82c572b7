//! Where a server is, and whether that is this computer.

use std::net::IpAddr;

use ureq::http::Uri;

use crate::error::{DraftError, Result};

/// Where Ollama listens when nobody says otherwise.
const OLLAMA: &str = "http://127.0.0.1:11434";

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Scheme, host, port and path, without a slash at the end.
    pub url: String,
    /// Whether what is sent there stays on this computer.
    pub local: bool,
}

impl Address {
    /// Reads an address; without a scheme it is plain HTTP. Local are `localhost` and the loopback addresses and nothing
    /// else: any other name could be anywhere.
    ///
    /// # Errors
    /// [`DraftError::BadAddress`].
    pub fn parse(text: &str) -> Result<Self> {
        let given = text.trim();
        let bad = |problem| DraftError::BadAddress { address: given.to_owned(), problem };
        let url = if given.contains("://") { given.to_owned() } else { format!("http://{given}") };
        let url = url.trim_end_matches('/').to_owned();
        let uri: Uri = url.parse().map_err(|_| bad("it cannot be read"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(bad("it is neither http nor https"));
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| bad("it names no computer"))?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(bad("it holds a name or a password; keys go elsewhere"));
        }
        if uri.query().is_some() {
            return Err(bad("it holds a question mark"));
        }
        let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let local = host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback());
        Ok(Self { url, local })
    }

    /// The Ollama that `OLLAMA_HOST` names, or the one at the usual place. A server that listens everywhere is asked on
    /// the loopback.
    ///
    /// # Errors
    /// [`DraftError::BadAddress`].
    pub fn ollama(ollama_host: Option<&str>) -> Result<Self> {
        let given = ollama_host.map_or("", |host| host.trim().trim_matches(['"', '\'']));
        if given.is_empty() {
            return Self::parse(OLLAMA);
        }
        let with_host = if given.starts_with(':') { format!("127.0.0.1{given}") } else { given.to_owned() };
        let with_host = with_host.replacen("0.0.0.0", "127.0.0.1", 1).replacen("[::]", "127.0.0.1", 1);
        let mut address = Self::parse(&with_host)?;
        let uri: Uri = address.url.parse().unwrap_or_default();
        if uri.port().is_none() && !given.contains("://") {
            address.url += ":11434";
        }
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_loopback_is_this_computer() {
        for (text, url, local) in [
            ("http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080/v1", true),
            ("localhost:1234/v1", "http://localhost:1234/v1", true),
            ("http://[::1]:1234", "http://[::1]:1234", true),
            ("127.8.9.1", "http://127.8.9.1", true),
            ("https://api.example.com/v1", "https://api.example.com/v1", false),
            ("http://192.168.1.5:11434", "http://192.168.1.5:11434", false),
            ("http://localhost.example.com", "http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", "http://127.0.0.1.example.com", false),
            ("http://0.0.0.0:80", "http://0.0.0.0:80", false),
        ] {
            assert_eq!(Address::parse(text).unwrap(), Address { url: url.into(), local }, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ftp://127.0.0.1",
            "http://localhost@example.com/",
            "http://127.0.0.1/v1?key=1",
            "http://",
            "file:///etc",
        ] {
            assert!(matches!(Address::parse(text), Err(DraftError::BadAddress { .. })), "{text}");
        }
    }

    #[test]
    fn ollama_is_where_its_variable_says() {
        for (host, url, local) in [
            (None, OLLAMA, true),
            (Some("0.0.0.0"), "http://127.0.0.1:11434", true),
            (Some(":8000"), "http://127.0.0.1:8000", true),
            (Some("\"127.0.0.1:9\""), "http://127.0.0.1:9", true),
            (Some("http://gpu.lan:11434"), "http://gpu.lan:11434", false),
            (Some("gpu.lan"), "http://gpu.lan:11434", false),
        ] {
            assert_eq!(Address::ollama(host).unwrap(), Address { url: url.into(), local }, "{host:?}");
        }
    }
}
