//! A reader over bytes that cannot run past their end and never allocates more than the bytes can hold.

use super::value::{Array, Value};

/// The longest text, and the largest list, that is read (bytes in the file).
pub(super) const MAX_VALUE_BYTES: u64 = 64 << 20;

/// What is wrong at the cursor's place.
pub(super) type Problem = String;

pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Problem> {
        let taken =
            self.bytes.get(self.at..).and_then(|rest| rest.get(..count)).ok_or_else(|| {
                format!("the file ends here, {count} more bytes were expected, {} are left", self.left())
            })?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Problem> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Problem> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn string(&mut self) -> Result<String, Problem> {
        let length = self.u64()?;
        if length > MAX_VALUE_BYTES {
            return Err(format!("a text of {length} bytes is longer than the {MAX_VALUE_BYTES} that are allowed"));
        }
        Ok(String::from_utf8_lossy(self.take(length as usize)?).into_owned())
    }

    pub(super) fn value(&mut self) -> Result<Value, Problem> {
        let kind = self.u32()?;
        Ok(match kind {
            0 => Value::U8(self.take(1)?[0]),
            1 => Value::I8(i8::from_le_bytes(self.array()?)),
            2 => Value::U16(u16::from_le_bytes(self.array()?)),
            3 => Value::I16(i16::from_le_bytes(self.array()?)),
            4 => Value::U32(self.u32()?),
            5 => Value::I32(i32::from_le_bytes(self.array()?)),
            6 => Value::F32(f32::from_le_bytes(self.array()?)),
            7 => Value::Bool(self.truth()?),
            8 => Value::String(self.string()?),
            9 => Value::Array(self.list()?),
            10 => Value::U64(self.u64()?),
            11 => Value::I64(i64::from_le_bytes(self.array()?)),
            12 => Value::F64(f64::from_le_bytes(self.array()?)),
            other => return Err(format!("there is no value type {other}")),
        })
    }

    fn truth(&mut self) -> Result<bool, Problem> {
        match self.take(1)?[0] {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(format!("a truth value is {other}, not 0 or 1")),
        }
    }

    fn list(&mut self) -> Result<Array, Problem> {
        let kind = self.u32()?;
        let count = self.u64()?;
        Ok(match kind {
            0 => Array::U8(self.numbers(count, |[byte]: [u8; 1]| byte)?),
            1 => Array::I8(self.numbers(count, i8::from_le_bytes)?),
            2 => Array::U16(self.numbers(count, u16::from_le_bytes)?),
            3 => Array::I16(self.numbers(count, i16::from_le_bytes)?),
            4 => Array::U32(self.numbers(count, u32::from_le_bytes)?),
            5 => Array::I32(self.numbers(count, i32::from_le_bytes)?),
            6 => Array::F32(self.numbers(count, f32::from_le_bytes)?),
            7 => {
                self.reserve(count, 1)?;
                Array::Bool((0..count).map(|_| self.truth()).collect::<Result<_, _>>()?)
            }
            8 => {
                self.reserve(count, 8)?;
                let start = self.at;
                let mut texts = Vec::with_capacity(count as usize);
                for _ in 0..count {
                    texts.push(self.string()?);
                    if (self.at - start) as u64 > MAX_VALUE_BYTES {
                        return Err(format!("a list of texts is larger than the {MAX_VALUE_BYTES} bytes allowed"));
                    }
                }
                Array::String(texts)
            }
            9 => return Err("lists of lists are not used by any model and are refused".to_owned()),
            10 => Array::U64(self.numbers(count, u64::from_le_bytes)?),
            11 => Array::I64(self.numbers(count, i64::from_le_bytes)?),
            12 => Array::F64(self.numbers(count, f64::from_le_bytes)?),
            other => return Err(format!("there is no value type {other}")),
        })
    }

    /// Checks that `count` elements of at least `width` bytes fit in what is left and under the cap.
    fn reserve(&self, count: u64, width: u64) -> Result<(), Problem> {
        let bytes = count.checked_mul(width).filter(|bytes| *bytes <= MAX_VALUE_BYTES);
        match bytes {
            None => Err(format!("a list of {count} values is larger than the {MAX_VALUE_BYTES} bytes allowed")),
            Some(bytes) if bytes > self.left() as u64 => {
                Err(format!("a list of {count} values is announced, only {} bytes are left", self.left()))
            }
            Some(_) => Ok(()),
        }
    }

    fn numbers<const N: usize, T>(&mut self, count: u64, read: impl Fn([u8; N]) -> T) -> Result<Vec<T>, Problem> {
        self.reserve(count, N as u64)?;
        let (chunks, _) = self.take(count as usize * N)?.as_chunks::<N>();
        Ok(chunks.iter().map(|chunk| read(*chunk)).collect())
    }
}
