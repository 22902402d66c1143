//! The two directions of a body: one that tells when it begins to leave, and one that is unpacked as it comes.

use super::Failure;
use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// The body of a request, which notes that it was asked for. hyper asks once it has a connection, and flushes nothing
/// before: until then no byte of the request has left. Being no buffer that reqwest could copy, it also cannot be resent.
pub(super) struct Outgoing {
    pub rest: Option<Bytes>,
    pub begun: Arc<AtomicBool>,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        self.begun.store(true, Ordering::Release);
        Poll::Ready(self.rest.take().map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.as_ref().map_or(0, |data| data.len() as u64))
    }
}

/// What a gzip stream begins with (RFC 1952, 2.3.1). Nothing else that a service answers begins with it.
const GZIP: [u8; 2] = [0x1F, 0x8B];

/// A body as it comes, unpacked where it is gzip, whatever Content-Encoding says: Exchange Online marks error pages as
/// gzip that are not. Never larger than the limit, packed or unpacked.
pub(super) enum Incoming {
    /// Not yet enough of it to know.
    Unknown(BytesMut, Bounded),
    Plain(Bounded),
    Packed(Box<MultiGzDecoder<Bounded>>),
}

impl Incoming {
    pub(super) fn new(limit: usize, announced: usize) -> Self {
        Self::Unknown(BytesMut::new(), Bounded { bytes: BytesMut::with_capacity(announced.min(limit)), limit })
    }

    pub(super) fn add(self, piece: &[u8]) -> Result<Self, Failure> {
        match self {
            Self::Unknown(mut head, whole) => {
                head.extend_from_slice(piece);
                if head.len() < GZIP.len() {
                    return Ok(Self::Unknown(head, whole));
                }
                let next = if head.starts_with(&GZIP) { Self::Packed(Box::new(MultiGzDecoder::new(whole))) } else { Self::Plain(whole) };
                next.add(&head)
            }
            Self::Plain(mut whole) => {
                whole.write_all(piece).map_err(refused)?;
                Ok(Self::Plain(whole))
            }
            Self::Packed(mut decoder) => {
                decoder.write_all(piece).map_err(refused)?;
                Ok(Self::Packed(decoder))
            }
        }
    }

    pub(super) fn end(self) -> Result<Bytes, Failure> {
        match self {
            Self::Unknown(head, _) => Ok(head.freeze()),
            Self::Plain(whole) => Ok(whole.bytes.freeze()),
            Self::Packed(decoder) => Ok(decoder.finish().map_err(refused)?.bytes.freeze()),
        }
    }
}

fn refused(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::FileTooLarge { Failure::TooLarge } else { Failure::Compression }
}

/// Bytes up to a limit.
pub(super) struct Bounded {
    bytes: BytesMut,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if piece.len() > self.limit - self.bytes.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
