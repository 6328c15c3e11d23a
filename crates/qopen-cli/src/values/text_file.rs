//! Decoding of text files.

use zeroize::Zeroizing;

use crate::lang::{Phrase, phrase};

/// The byte order mark with which some editors begin a file in UTF-8.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The byte order marks of files in UTF-16.
const UTF_16: [&[u8]; 2] = [b"\xFF\xFE", b"\xFE\xFF"];

/// Refuses bytes that begin like a file in UTF-16.
///
/// # Errors
/// The bytes are UTF-16.
pub(crate) fn refuse_utf16(bytes: &[u8]) -> Result<(), Phrase> {
    match UTF_16.iter().any(|mark| bytes.starts_with(mark)) {
        false => Ok(()),
        true => Err(phrase!(
            "it is not UTF-8 but UTF-16; save it again, with the encoding UTF-8",
            "它的编码是 UTF-16 而不是 UTF-8；请以 UTF-8 编码重新保存",
        )),
    }
}

/// Returns the text of a file, without a byte order mark.
///
/// # Errors
/// The file is not UTF-8 text. The reason names the encoding or the line.
pub(crate) fn decode(bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>, Phrase> {
    let beginning = bytes.get(..64).unwrap_or(&bytes);
    // Every second byte of a Latin text in UTF-16 without a byte order mark is 0.
    let zeros = beginning.iter().filter(|it| **it == 0).count();
    refuse_utf16(if zeros * 4 > beginning.len() { UTF_16[0] } else { beginning })?;
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    match std::str::from_utf8(bytes) {
        // Old editors end lines with a carriage return.
        Ok(text) if !text.contains('\n') => Ok(Zeroizing::new(text.replace('\r', "\n"))),
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            let line = before.iter().filter(|it| **it == b'\n').count() + 1;
            Err(phrase!(
                "line {line} is not UTF-8; save the file again, with the encoding UTF-8",
                "第 {line} 行不是 UTF-8；请以 UTF-8 编码重新保存文件",
                line = line,
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_utf8_is_a_text_and_the_line_that_is_not_is_named() {
        let decode = |bytes: &[u8]| {
            let text = decode(Zeroizing::new(bytes.to_vec())).map(|it| it.to_string());
            text.map_err(|it| it.english().to_owned())
        };
        assert_eq!(decode(b"\xEF\xBB\xBFa\r\nb"), Ok("a\r\nb".to_owned()));
        assert_eq!(decode(b""), Ok(String::new()));
        assert_eq!(decode(b"a\rb\r"), Ok("a\nb\n".to_owned()));
        assert_eq!(decode(b"key = \"a\0b\"\n"), Ok("key = \"a\0b\"\n".to_owned()));
        for bytes in [&b"\xFF\xFEa\0"[..], b"\xFE\xFF\0a", b"a\0b\0"] {
            assert!(decode(bytes).is_err_and(|it| it.contains("UTF-16")));
        }
        assert!(decode(b"a\nb\xB0\xA1\n").is_err_and(|it| it.starts_with("line 2 is not UTF-8")));
    }
}
