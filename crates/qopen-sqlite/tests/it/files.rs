//! What a file is, and where.
