//! Writing GGUF version 3, streaming: the header first, then one tensor at a time.

use std::io::{self, Write};
use std::path::Path;

use candle_core::quantized::GgmlDType;
use hone_model::gguf::{dtype_number, row_bytes};

use crate::error::{ExportError, Result};

/// A tensor as it will stand in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorPlan {
    /// Its name.
    pub name: String,
    /// Outermost dimension first.
    pub shape: Vec<usize>,
    /// How its values are stored.
    pub dtype: GgmlDType,
}

impl TensorPlan {
    /// Bytes that its values take, without padding.
    pub fn bytes(&self) -> u64 {
        let (row, outer) = self.shape.split_last().unwrap_or((&0, &[]));
        let rows: usize = outer.iter().product();
        row_bytes(self.dtype, *row as u64).unwrap_or(0) * rows as u64
    }
}

/// Writes a file whole or not at all. `keys` are metadata with their values as they stand in a GGUF file (type number
/// and value); `fill` writes the bytes of the tensor with that index. Returns the file's size.
///
/// # Errors
/// When the disk refuses, `fill` fails, or a tensor takes another number of bytes than its plan says.
pub fn write_gguf(
    path: &Path,
    keys: &[(String, Vec<u8>)],
    tensors: &[TensorPlan],
    alignment: u64,
    mut fill: impl FnMut(usize, &mut dyn Write) -> Result<()>,
) -> Result<u64> {
    let mut failure = None;
    let mut written = 0;
    let outcome = hone_job::fs::write_atomic_with(path, |writer| {
        let mut out = Counted { inner: writer, count: 0 };
        header(&mut out, keys, tensors, alignment)?;
        for (index, tensor) in tensors.iter().enumerate() {
            pad(&mut out, alignment)?;
            let start = out.count;
            if let Err(error) = fill(index, &mut out) {
                failure = Some(error);
                return Err(io::Error::other("stopped"));
            }
            let (expected, found) = (tensor.bytes(), out.count - start);
            if expected != found {
                failure = Some(ExportError::TensorSize { tensor: tensor.name.clone(), expected, found });
                return Err(io::Error::other("stopped"));
            }
        }
        pad(&mut out, alignment)?;
        written = out.count;
        Ok(())
    });
    match (failure, outcome) {
        // A write error inside `fill` is the disk's, and names the path.
        (Some(ExportError::Fs(mut error)), _) => {
            path.clone_into(&mut error.path);
            Err(error.into())
        }
        (Some(failure), _) => Err(failure),
        (None, outcome) => {
            outcome?;
            Ok(written)
        }
    }
}

struct Counted<'a, W> {
    inner: &'a mut W,
    count: u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.count += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn header(out: &mut impl Write, keys: &[(String, Vec<u8>)], tensors: &[TensorPlan], alignment: u64) -> io::Result<()> {
    out.write_all(b"GGUF")?;
    out.write_all(&3_u32.to_le_bytes())?;
    out.write_all(&(tensors.len() as u64).to_le_bytes())?;
    out.write_all(&(keys.len() as u64).to_le_bytes())?;
    for (key, value) in keys {
        text(out, key)?;
        out.write_all(value)?;
    }
    let mut offset = 0_u64;
    for tensor in tensors {
        text(out, &tensor.name)?;
        out.write_all(&(tensor.shape.len() as u32).to_le_bytes())?;
        for size in tensor.shape.iter().rev() {
            out.write_all(&(*size as u64).to_le_bytes())?;
        }
        out.write_all(&dtype_number(tensor.dtype).to_le_bytes())?;
        out.write_all(&offset.to_le_bytes())?;
        offset = (offset + tensor.bytes()).next_multiple_of(alignment);
    }
    Ok(())
}

fn text(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(&(text.len() as u64).to_le_bytes())?;
    out.write_all(text.as_bytes())
}

fn pad<W: Write>(out: &mut Counted<'_, W>, alignment: u64) -> io::Result<()> {
    let missing = out.count.next_multiple_of(alignment) - out.count;
    io::copy(&mut io::Read::take(io::repeat(0), missing), out).map(drop)
}

/// A 32-bit number as a metadata value.
pub(crate) fn u32_value(number: u32) -> Vec<u8> {
    [4_u32.to_le_bytes(), number.to_le_bytes()].concat()
}

/// A decimal number of 32 bits as a metadata value.
pub(crate) fn f32_value(number: f32) -> Vec<u8> {
    [6_u32.to_le_bytes(), number.to_le_bytes()].concat()
}

/// A text as a metadata value.
pub(crate) fn text_value(text: &str) -> Vec<u8> {
    let mut value = 8_u32.to_le_bytes().to_vec();
    value.extend((text.len() as u64).to_le_bytes());
    value.extend(text.as_bytes());
    value
}
