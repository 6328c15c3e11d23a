//! `qopen_fuzz::journal`, with libFuzzer choosing the bytes.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| qopen_fuzz::journal::run(bytes));

#[cfg(not(fuzzing))]
fn main() {}
