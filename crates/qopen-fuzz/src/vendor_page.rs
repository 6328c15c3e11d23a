//! Any text as a vendor's page: compared with the spec, or refused.

/// Compares the page with the spec.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let spec = include_str!("../../qopen-types/openapi.yaml");
    let _ = xtask::differences(text, spec);
}
