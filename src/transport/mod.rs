//! The contract of every road: open, invoke -> records, close.

pub mod soap;
