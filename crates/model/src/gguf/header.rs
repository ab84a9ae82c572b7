//! The part of a GGUF file before the tensor data, parsed and checked from bytes.

use std::collections::HashSet;
use std::ops::Range;

use candle_core::quantized::GgmlDType;

use super::cursor::Cursor;
use super::dtype::{from_number, row_bytes};
use super::value::Value;

/// Where a tensor lies in the file and how to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorEntry {
    /// Its name, e.g. `blk.0.attn_q.weight`.
    pub name: String,
    /// Outermost dimension first: `[out, in]` for a linear layer's weight (the reverse of ggml's `ne`).
    pub shape: Vec<usize>,
    /// How its values are stored.
    pub dtype: GgmlDType,
    /// Bytes from the start of the file.
    pub offset: u64,
    /// Bytes in the file, without padding.
    pub byte_len: usize,
}

impl TensorEntry {
    /// How many values it has.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The parsed header.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) metadata: Vec<(String, Value)>,
    /// Where each metadata value lies in the file, its type number included; same order as `metadata`.
    pub(crate) raw: Vec<Range<usize>>,
    pub(crate) tensors: Vec<TensorEntry>,
}

/// Why a header was refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    NotGguf(String),
    Damaged { place: String, problem: String },
    Dtype { tensor: String, dtype: String },
}

const MAX_ALIGNMENT: u64 = 1 << 20;
const MAX_DIMENSIONS: u32 = 4;
const MAX_NAME_BYTES: usize = 1024;

fn damaged(place: impl Into<String>, problem: impl Into<String>) -> Refusal {
    Refusal::Damaged { place: place.into(), problem: problem.into() }
}

/// Parses the header of a whole file.
pub(crate) fn parse(bytes: &[u8]) -> Result<Header, Refusal> {
    let mut cursor = Cursor::new(bytes);
    let (tensor_count, metadata_count) = preamble(&mut cursor, bytes)?;
    let (metadata, raw) = metadata(&mut cursor, metadata_count)?;
    let alignment = alignment(&metadata)?;
    let tensors = tensors(&mut cursor, tensor_count, alignment, bytes.len() as u64)?;
    Ok(Header { metadata, raw, tensors })
}

fn preamble(cursor: &mut Cursor, bytes: &[u8]) -> Result<(u64, u64), Refusal> {
    match bytes.get(..4) {
        Some(b"GGUF") => {}
        _ if bytes.is_empty() => return Err(Refusal::NotGguf("is empty".to_owned())),
        Some(b"ggml" | b"tjgg" | b"lmgg" | b"fmgg") => {
            return Err(Refusal::NotGguf("is in an older format (GGML) that is not supported".to_owned()));
        }
        _ => return Err(Refusal::NotGguf("does not begin with the letters `GGUF`".to_owned())),
    }
    let at = |problem| damaged("the start of the file", problem);
    cursor.take(4).map_err(at)?;
    let version = cursor.u32().map_err(at)?;
    if version.swap_bytes() == 2 || version.swap_bytes() == 3 {
        return Err(Refusal::NotGguf("is written for big-endian machines".to_owned()));
    }
    if version != 2 && version != 3 {
        return Err(Refusal::NotGguf(format!("has version {version}; versions 2 and 3 are read")));
    }
    let tensor_count = cursor.u64().map_err(at)?;
    let metadata_count = cursor.u64().map_err(at)?;
    // The shortest entries: a tensor takes 32 bytes, a metadata value 13.
    let left = cursor.left() as u64;
    if tensor_count.checked_mul(32).is_none_or(|needed| needed > left) {
        return Err(at(format!("{tensor_count} tensors are announced, the file is too short for them")));
    }
    if metadata_count.checked_mul(13).is_none_or(|needed| needed > left) {
        return Err(at(format!("{metadata_count} metadata values are announced, the file is too short for them")));
    }
    Ok((tensor_count, metadata_count))
}

type Metadata = (Vec<(String, Value)>, Vec<Range<usize>>);

fn metadata(cursor: &mut Cursor, count: u64) -> Result<Metadata, Refusal> {
    let mut names = HashSet::new();
    let mut metadata = Vec::new();
    let mut raw = Vec::new();
    for index in 1..=count {
        let key = cursor.string().map_err(|problem| damaged(format!("metadata key {index} of {count}"), problem))?;
        if key.is_empty() || !names.insert(key.clone()) {
            return Err(damaged(
                format!("metadata key {index} of {count}"),
                format!("`{key}` is empty or there twice"),
            ));
        }
        let start = cursor.at;
        let value = cursor.value().map_err(|problem| damaged(format!("metadata `{key}`"), problem))?;
        raw.push(start..cursor.at);
        metadata.push((key, value));
    }
    Ok((metadata, raw))
}

fn alignment(metadata: &[(String, Value)]) -> Result<u64, Refusal> {
    let Some((key, value)) = metadata.iter().find(|(key, _)| key == "general.alignment") else {
        return Ok(32);
    };
    value
        .as_u64()
        .filter(|alignment| alignment.is_power_of_two() && *alignment <= MAX_ALIGNMENT)
        .ok_or_else(|| damaged(format!("metadata `{key}`"), format!("it must be a power of two up to {MAX_ALIGNMENT}")))
}

fn tensors(cursor: &mut Cursor, count: u64, alignment: u64, file_bytes: u64) -> Result<Vec<TensorEntry>, Refusal> {
    let mut names = HashSet::new();
    let mut tensors = Vec::new();
    for index in 1..=count {
        let place = format!("tensor {index} of {count}");
        let name = cursor.string().map_err(|problem| damaged(&place, problem))?;
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !names.insert(name.clone()) {
            return Err(damaged(place, "its name is empty, too long or there twice"));
        }
        tensors.push(tensor(cursor, name, alignment)?);
    }
    // Offsets count from the first aligned byte after the header.
    let base = (cursor.at as u64).next_multiple_of(alignment);
    for tensor in &mut tensors {
        let place = || format!("tensor `{}`", tensor.name);
        let end = tensor.offset.checked_add(base).and_then(|start| start.checked_add(tensor.byte_len as u64));
        match end {
            Some(end) if end <= file_bytes => tensor.offset += base,
            _ => return Err(damaged(place(), "its values lie beyond the end of the file")),
        }
    }
    refuse_overlaps(&tensors)?;
    Ok(tensors)
}

fn tensor(cursor: &mut Cursor, name: String, alignment: u64) -> Result<TensorEntry, Refusal> {
    let place = format!("tensor `{name}`");
    let at = |problem: String| damaged(&place, problem);
    let dimensions = cursor.u32().map_err(at)?;
    if dimensions == 0 || dimensions > MAX_DIMENSIONS {
        return Err(at(format!("it has {dimensions} dimensions, 1 to {MAX_DIMENSIONS} are possible")));
    }
    let mut ne = Vec::new();
    for _ in 0..dimensions {
        ne.push(cursor.u64().map_err(at)?);
    }
    let number = cursor.u32().map_err(at)?;
    let offset = cursor.u64().map_err(at)?;
    let dtype = from_number(number).map_err(|dtype| Refusal::Dtype { tensor: name.clone(), dtype })?;
    if ne.contains(&0) {
        return Err(at(format!("one of its dimensions {ne:?} is 0")));
    }
    if !offset.is_multiple_of(alignment) {
        return Err(at(format!("its offset {offset} is not a multiple of the alignment {alignment}")));
    }
    let rows = ne[1..].iter().try_fold(1_u64, |product, size| product.checked_mul(*size));
    let row = row_bytes(dtype, ne[0]);
    let byte_len = rows
        .zip(row)
        .and_then(|(rows, row)| rows.checked_mul(row))
        // The number of values must be a size too, so that shapes can be multiplied without a thought.
        .filter(|_| rows.and_then(|rows| rows.checked_mul(ne[0])).is_some_and(|values| isize::try_from(values).is_ok()))
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| at(format!("its dimensions {ne:?} do not fit its type {dtype:?}")))?;
    let shape = ne.iter().rev().map(|size| *size as usize).collect();
    Ok(TensorEntry { name, shape, dtype, offset, byte_len })
}

fn refuse_overlaps(tensors: &[TensorEntry]) -> Result<(), Refusal> {
    let mut order: Vec<&TensorEntry> = tensors.iter().collect();
    order.sort_by_key(|tensor| tensor.offset);
    for pair in order.windows(2) {
        if pair[0].offset + pair[0].byte_len as u64 > pair[1].offset {
            let problem = format!("its values overlap those of `{}`", pair[0].name);
            return Err(damaged(format!("tensor `{}`", pair[1].name), problem));
        }
    }
    Ok(())
}
