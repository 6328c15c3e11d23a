//! Requests over HTTP/1.1, one a connection, with as little work as possible.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::Result;

/// The body of an answer with a status of 2xx.
pub(crate) fn get(url: &str) -> Result<Vec<u8>> {
    request("GET", url, "")
}

/// As [`get`], to a POST of JSON.
pub(crate) fn post(url: &str, json: &str) -> Result<Vec<u8>> {
    request("POST", url, json)
}

fn request(method: &str, url: &str, json: &str) -> Result<Vec<u8>> {
    let rest = url.strip_prefix("http://").ok_or("an http URL is wanted")?;
    let (address, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut stream = TcpStream::connect(address)?;
    let length = json.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{json}"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").ok_or("no answer")?;
    let body = answer.split_off(end + 4);
    match answer.starts_with(b"HTTP/1.1 2") {
        true => Ok(body),
        false => {
            let (head, body) = (String::from_utf8_lossy(&answer), String::from_utf8_lossy(&body));
            Err(format!("{method} {url}: {}{body}", head.lines().next().unwrap_or_default()).into())
        }
    }
}
