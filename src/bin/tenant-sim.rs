//! A simulated tenant as a process.
fn main() {}
