//! The integration tests, one binary.

mod clixml;
mod endpoint;
mod interop;
mod psrp;
#[allow(dead_code, reason = "helpers for several topics")]
mod support;
