//! `qopen_fuzz::journal`, with libFuzzer choosing the bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| qopen_fuzz::journal::run(bytes));
