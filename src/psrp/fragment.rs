//! Fragments (MS-PSRP 2.2.4): messages cut to the transport's size and joined again.

use crate::error::{Error, ErrorKind, Result, fact};
use bytes::{BufMut, Bytes, BytesMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Bytes of a fragment's header: object id, fragment id, flags, length of the data.
const HEADER: usize = 21;
const START: u8 = 1;
const END: u8 = 2;

/// Cuts messages into fragments. A clone is the same cutter: a pool and its pipelines share one, since object ids
/// count up across them.
#[derive(Debug, Clone)]
pub struct Fragmenter(Arc<Cutter>);

#[derive(Debug)]
struct Cutter {
    size: AtomicUsize,
    /// The id of the last object; the first is 1, since 0 is not allowed.
    last: AtomicU64,
}

impl Fragmenter {
    /// Fragments of at most `size` bytes each, header of 21 bytes included. Less than 22 counts as 22.
    pub fn new(size: usize) -> Self {
        Self(Arc::new(Cutter { size: AtomicUsize::new(size), last: AtomicU64::new(0) }))
    }

    /// Takes another size, when the other side's envelope limit becomes known.
    pub fn set_size(&self, size: usize) {
        self.0.size.store(size, Ordering::Relaxed);
    }

    /// One message as fragments, each complete with its header.
    pub fn cut(&self, message: &[u8]) -> Vec<Bytes> {
        self.cut_parts(&[message])
    }

    /// One message, given in parts, as fragments.
    pub(super) fn cut_parts(&self, parts: &[&[u8]]) -> Vec<Bytes> {
        let room = self.0.size.load(Ordering::Relaxed).max(HEADER + 1) - HEADER;
        let id = self.0.last.fetch_add(1, Ordering::Relaxed) + 1;
        let total: usize = parts.iter().map(|p| p.len()).sum();
        let count = total.div_ceil(room).max(1);
        let mut buffer = BytesMut::with_capacity(total + count * HEADER);
        let mut parts = parts.iter().copied();
        let mut part: &[u8] = &[];
        let mut left = total;
        let fragment = |number: usize| {
            let length = left.min(room);
            left -= length;
            buffer.put_u64(id);
            buffer.put_u64(number as u64);
            buffer.put_u8(if number == 0 { START } else { 0 } | if left == 0 { END } else { 0 });
            buffer.put_u32(length as u32);
            let mut missing = length;
            while missing > 0 {
                if part.is_empty() {
                    part = parts.next().expect("the parts are as long as their sum");
                }
                let (now, later) = part.split_at(part.len().min(missing));
                buffer.extend_from_slice(now);
                part = later;
                missing -= now.len();
            }
            buffer.split().freeze()
        };
        (0..count).map(fragment).collect()
    }
}

/// Joins the fragments of one stream (the pool's or one pipeline's), which come one object after the other.
///
/// What it holds is bounded by the object limit and one header; its cost is linear in the bytes pushed, however they
/// are cut. After an error the stream is beyond repair: nothing more should be pushed.
#[derive(Debug)]
pub struct Defragmenter {
    limit: usize,
    /// How many bytes may still come, and how many there might be at first; None without such a bound.
    allowance: Option<(usize, usize)>,
    /// The beginning of a fragment whose end has not come yet.
    pending: BytesMut,
    object: Option<Joining>,
}

/// An object whose last fragment has not come yet.
#[derive(Debug)]
struct Joining {
    id: u64,
    /// The id that the next fragment must have.
    next: u64,
    data: BytesMut,
}

struct Header {
    object: u64,
    fragment: u64,
    start: bool,
    end: bool,
    length: usize,
}

impl Header {
    /// Of the first bytes, unless there are fewer than a header has.
    fn read(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER>()?;
        let (object, rest) = header.split_first_chunk()?;
        let (fragment, rest) = rest.split_first_chunk()?;
        let (flags, length) = rest.split_first()?;
        Some(Self {
            object: u64::from_be_bytes(*object),
            fragment: u64::from_be_bytes(*fragment),
            start: flags & START != 0,
            end: flags & END != 0,
            length: u32::from_be_bytes(*length.first_chunk()?) as usize,
        })
    }
}

impl Defragmenter {
    /// Refuses an object of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, allowance: None, pending: BytesMut::new(), object: None }
    }

    /// Refuses also more than `total` bytes altogether.
    pub fn with_total(self, total: Option<usize>) -> Self {
        Self { allowance: total.map(|t| (t, t)), ..self }
    }

    /// Takes bytes that hold any number of whole fragments, or a part of one, and hands each completed object to `each`.
    /// An object that came in one fragment is handed over without a copy. An error of `each` comes back at once, and
    /// what followed the object in `bytes` is lost.
    pub fn push(&mut self, bytes: &Bytes, each: &mut dyn FnMut(Bytes) -> Result<()>) -> Result<()> {
        if let Some((left, total)) = &mut self.allowance {
            *left = left.checked_sub(bytes.len()).ok_or_else(|| too_much(*total))?;
        }
        let mut rest = bytes.clone();
        while !rest.is_empty() {
            let Some(fragment) = self.whole_fragment(&mut rest)? else { break };
            let Some(header) = Header::read(&fragment) else { break };
            if let Some(object) = self.join(&header, fragment.slice(HEADER..))? {
                each(object)?;
            }
        }
        Ok(())
    }

    /// Whether an object has begun and not ended: what a stream must not be when it ends.
    pub fn in_object(&self) -> bool {
        self.object.is_some() || !self.pending.is_empty()
    }

    /// Takes the next whole fragment off `rest`; a part of one is kept until the remainder comes.
    fn whole_fragment(&mut self, rest: &mut Bytes) -> Result<Option<Bytes>> {
        if self.pending.is_empty()
            && let Some(header) = Header::read(rest)
        {
            self.check(&header)?;
            if rest.len() >= HEADER + header.length {
                return Ok(Some(rest.split_to(HEADER + header.length)));
            }
        }
        loop {
            let wanted = match Header::read(&self.pending) {
                None => HEADER,
                Some(header) => {
                    self.check(&header)?;
                    HEADER + header.length
                }
            };
            if self.pending.len() == wanted && Header::read(&self.pending).is_some() {
                return Ok(Some(self.pending.split().freeze()));
            }
            if rest.is_empty() {
                return Ok(None);
            }
            let missing = (wanted - self.pending.len()).min(rest.len());
            self.pending.extend_from_slice(&rest.split_to(missing));
        }
    }

    /// What can be said of a fragment before its data is here.
    fn check(&self, header: &Header) -> Result<()> {
        let expected = match &self.object {
            None if !header.start => return Err(malformed("a fragment without the start flag begins an object")),
            None => (header.object, 0),
            Some(_) if header.start => return Err(malformed("an object begins inside another")),
            Some(object) => (object.id, object.next),
        };
        if header.object == 0 {
            return Err(malformed("an object has the id 0"));
        }
        if header.object != expected.0 {
            return Err(malformed("fragments of two objects are interleaved"));
        }
        if header.fragment != expected.1 {
            return Err(malformed("a fragment is missing or out of order"));
        }
        let size = self.object.as_ref().map_or(0, |o| o.data.len()).saturating_add(header.length);
        if size > self.limit {
            return Err(too_large(size, self.limit));
        }
        Ok(())
    }

    fn join(&mut self, header: &Header, data: Bytes) -> Result<Option<Bytes>> {
        let Some(object) = &mut self.object else {
            if header.end {
                return Ok(Some(data));
            }
            let joined = BytesMut::from(&*data);
            self.object = Some(Joining { id: header.object, next: 1, data: joined });
            return Ok(None);
        };
        object.data.extend_from_slice(&data);
        object.next += 1;
        if !header.end {
            return Ok(None);
        }
        Ok(self.object.take().map(|o| o.data.freeze()))
    }
}

fn malformed(detail: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, "join fragments", detail)
}

fn too_large(size: usize, limit: usize) -> Error {
    let native = format!(
        "The current deserialized object size of the data received from the remote server exceeded the allowed maximum object size. \
         The current deserialized object size is {size}. The allowed maximum object size is {limit}."
    );
    Error::new(ErrorKind::Protocol, "join fragments", format!("an object of {size} bytes or more exceeds the maximum of {limit}"))
        .with_fact(fact::NATIVE_MESSAGE, native)
        .with_fact(fact::REMEDY, "Ask for less at a time, or raise MaximumReceivedObjectSize in the session option.")
}

fn too_much(limit: usize) -> Error {
    let native = format!("The total data received from the remote server exceeded the allowed maximum. The allowed maximum is {limit}.");
    Error::new(ErrorKind::Protocol, "join fragments", format!("the data of one command exceeds the maximum of {limit} bytes"))
        .with_fact(fact::NATIVE_MESSAGE, native)
        .with_fact(fact::REMEDY, "Ask for less at a time, or raise MaximumReceivedDataSizePerCommand in the session option.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(object: u64, number: u64, flags: u8, data: &[u8]) -> Bytes {
        let mut b = BytesMut::new();
        b.put_u64(object);
        b.put_u64(number);
        b.put_u8(flags);
        b.put_u32(data.len() as u32);
        b.extend_from_slice(data);
        b.freeze()
    }

    fn joined(limit: usize, pushes: &[Bytes]) -> Result<Vec<Bytes>> {
        let mut objects = Vec::new();
        let mut defragmenter = Defragmenter::new(limit);
        for push in pushes {
            defragmenter.push(push, &mut |o| {
                objects.push(o);
                Ok(())
            })?;
        }
        Ok(objects)
    }

    #[test]
    fn the_sample_of_the_specification_is_read() {
        // MS-PSRP 2.2.4: object id, fragment id, flags and blob length are big endian.
        let b = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 0xab, 0xcd];
        assert_eq!(Fragmenter::new(100).cut(&[0xab, 0xcd]), [Bytes::copy_from_slice(&b)]);
        assert_eq!(joined(2, &[Bytes::copy_from_slice(&b)]).unwrap(), [Bytes::from_static(&[0xab, 0xcd])]);
    }

    #[test]
    fn every_size_and_every_way_to_push_gives_the_message_again() {
        let message: Vec<u8> = (0..200u8).collect();
        for size in [0, 22, 23, 40, 121, 220, 221, 222, 4096] {
            let fragmenter = Fragmenter::new(size);
            let mut stream = BytesMut::new();
            for _ in 0..3 {
                for f in fragmenter.cut_parts(&[&message[..7], &[], &message[7..]]) {
                    assert!(f.len() <= size.max(22));
                    stream.extend_from_slice(&f);
                }
            }
            let stream = stream.freeze();
            for step in [1, 2, 20, 21, 22, 100, stream.len()] {
                let pushes: Vec<Bytes> = stream.chunks(step).map(|c| stream.slice_ref(c)).collect();
                let objects = joined(200, &pushes).unwrap();
                assert_eq!(objects, vec![Bytes::copy_from_slice(&message); 3], "size {size}, step {step}");
            }
        }
    }

    #[test]
    fn an_object_of_one_fragment_is_not_copied() {
        let stream = fragment(9, 0, 3, b"whole");
        let objects = joined(100, std::slice::from_ref(&stream)).unwrap();
        assert_eq!(objects[0].as_ptr(), stream[HEADER..].as_ptr());
    }

    #[test]
    fn gaps_between_object_ids_are_normal() {
        let objects = joined(100, &[fragment(5, 0, 3, b"a"), fragment(70, 0, 3, b"b"), fragment(6, 0, 3, b"c")]).unwrap();
        assert_eq!(objects, ["a", "b", "c"]);
    }

    #[test]
    fn an_empty_fragment_does_no_harm() {
        let pushes = [fragment(5, 0, 1, b""), fragment(5, 1, 0, b"a"), fragment(5, 2, 2, b""), fragment(6, 0, 3, b"")];
        assert_eq!(joined(100, &pushes).unwrap(), ["a", ""]);
    }

    #[test]
    fn what_no_sender_may_do_is_refused() {
        let cases: [(&str, &[Bytes]); 6] = [
            ("without the start flag", &[fragment(1, 0, 2, b"a")]),
            ("out of order", &[fragment(1, 1, 1, b"a")]),
            ("out of order", &[fragment(1, 0, 1, b"a"), fragment(1, 2, 0, b"a")]),
            ("interleaved", &[fragment(1, 0, 1, b"a"), fragment(2, 1, 0, b"a")]),
            ("begins inside another", &[fragment(1, 0, 1, b"a"), fragment(2, 0, 3, b"a")]),
            ("id 0", &[fragment(0, 0, 3, b"a")]),
        ];
        for (text, pushes) in cases {
            let error = joined(100, pushes).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn too_large_an_object_is_refused_before_its_data_comes() {
        let mut header = fragment(1, 0, 1, b"").to_vec();
        header[17..].copy_from_slice(&u32::MAX.to_be_bytes());
        for pushes in [vec![Bytes::from(header)], vec![fragment(1, 0, 1, &[0; 60]), fragment(1, 1, 0, &[0; 60]).slice(..HEADER)]] {
            let error = joined(100, &pushes).unwrap_err();
            assert!(error.to_string().contains("exceeds the maximum of 100"), "{error}");
            assert!(error.fact(fact::NATIVE_MESSAGE).unwrap().ends_with("The allowed maximum object size is 100."));
        }
    }
}
