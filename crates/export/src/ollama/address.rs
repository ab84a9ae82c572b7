//! Where Ollama listens.

use std::net::{IpAddr, Ipv4Addr};

use crate::error::{ExportError, Result};

/// Where Ollama listens when nobody says otherwise.
pub const DEFAULT_ADDRESS: &str = "http://127.0.0.1:11434";

/// The address that `OLLAMA_HOST` means (Ollama's `envconfig.Host`): scheme, host and port may each be left out.
/// A server that listens everywhere is asked on the loopback.
///
/// # Errors
/// [`ExportError::RemoteOllama`] when it is not this machine.
pub fn address(ollama_host: Option<&str>) -> Result<String> {
    let given = ollama_host.map_or("", |host| host.trim().trim_matches(['"', '\'']));
    if given.is_empty() {
        return Ok(DEFAULT_ADDRESS.to_owned());
    }
    let remote = || ExportError::RemoteOllama { address: given.to_owned() };
    let (scheme, rest) = given.split_once("://").unwrap_or(("http", given));
    if scheme != "http" {
        return Err(remote()); // a local server speaks plain HTTP; anything else stands behind another machine
    }
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && !port.contains(']') => (host, port),
        _ => (authority, if given.contains("://") { "80" } else { "11434" }),
    };
    let host = host.trim_matches(['[', ']']);
    let port: u16 = port.parse().map_err(|_| remote())?;
    let host = match host.parse::<IpAddr>() {
        _ if host.is_empty() || host.eq_ignore_ascii_case("localhost") => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Ok(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Ok(ip) if ip.is_loopback() => ip,
        _ => return Err(remote()),
    };
    Ok(match host {
        IpAddr::V4(host) => format!("http://{host}:{port}"),
        IpAddr::V6(host) => format!("http://[{host}]:{port}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_variable_that_means_this_machine_is_understood() {
        for (given, expected) in [
            ("", "http://127.0.0.1:11434"),
            ("127.0.0.1", "http://127.0.0.1:11434"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            (":11500", "http://127.0.0.1:11500"),
            ("localhost:1", "http://127.0.0.1:1"),
            ("http://localhost:11434/", "http://127.0.0.1:11434"),
            ("http://127.0.0.1", "http://127.0.0.1:80"),
            ("[::1]:11434", "http://[::1]:11434"),
            ("[::]", "http://127.0.0.1:11434"),
        ] {
            assert_eq!(address(Some(given)).unwrap(), expected, "{given}");
        }
    }

    #[test]
    fn another_machine_is_refused() {
        for given in
            ["192.168.0.7", "gpu.example.org:11434", "https://127.0.0.1", "http://10.0.0.1:11434", "localhost:x"]
        {
            assert!(matches!(address(Some(given)), Err(ExportError::RemoteOllama { .. })), "{given}");
        }
    }
}
