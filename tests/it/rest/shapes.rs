//! Recorded shapes.
