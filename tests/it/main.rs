//! The integration tests, one binary.

#[allow(dead_code, reason = "helpers for several topics")]
mod support;
