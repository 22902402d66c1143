//! The integration tests, one binary.

mod abi;
mod clixml;
mod endpoint;
mod examples;
mod faults;
mod header;
mod http;
mod interop;
mod layering;
mod ledger;
mod module;
mod oauth;
#[cfg(target_os = "linux")]
mod package;
mod psrp;
mod rest;
mod session;
mod sim;
mod sim_rest;
mod soak;
mod soap;
#[allow(dead_code, reason = "helpers for several topics")]
mod support;
mod tenant;
#[cfg(target_os = "linux")]
mod windows;
