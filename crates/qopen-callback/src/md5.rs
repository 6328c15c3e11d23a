//! MD5 of a message in pieces.

/// A message: its pieces in order.
pub(crate) type Message<'a> = [&'a [u8]; 5];

/// The MD5 of one message.
pub(crate) fn digest(message: &Message<'_>) -> [u8; 16] {
    let mut hasher = fast_md5::Md5::new();
    for piece in message {
        hasher.update(piece);
    }
    hasher.finalize()
}
