//! The changes beside a list in a file.
