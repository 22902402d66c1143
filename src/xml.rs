//! The only XML reading and writing, over quick-xml: no DTD, depth and size limits.
