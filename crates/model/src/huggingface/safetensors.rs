//! The header of a safetensors file, checked before anything is believed
//! (<https://github.com/huggingface/safetensors>, "Format").

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::error::{ModelError, Result};

/// The format's own limit.
const MAX_HEADER_BYTES: u64 = 100_000_000;
const MAX_DIMENSIONS: usize = 8;

/// A tensor of a safetensors file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) name: String,
    /// As the file writes it, e.g. `BF16`.
    pub(super) dtype: String,
    pub(super) shape: Vec<usize>,
    /// Bytes from the start of the file.
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(serde::Deserialize)]
struct Description {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// The header's entries in their order; a name that is there twice stays twice.
struct Entries(Vec<(String, Description)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Entries;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list of tensors by name")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<Entries, M::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        entries.push((name, map.next_value()?));
                    }
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The tensors of a whole file, in the order of the header.
///
/// # Errors
/// [`ModelError::Damaged`] naming the tensor or the place.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Vec<Stored>> {
    check(bytes).map_err(|(place, problem)| ModelError::Damaged { path: path.to_owned(), place, problem })
}

type Refusal = (String, String);

fn check(bytes: &[u8]) -> std::result::Result<Vec<Stored>, Refusal> {
    let start = |problem: String| ("the start of the file".to_owned(), problem);
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(start(format!("it is {} bytes long, too short for a safetensors file", bytes.len())));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER_BYTES || length > rest.len() as u64 {
        return Err(start(format!("a header of {length} bytes is announced, {} bytes follow", rest.len())));
    }
    let (header, values) = rest.split_at(length as usize);
    let Entries(entries) =
        serde_json::from_slice(header).map_err(|error| ("the header".to_owned(), error.to_string()))?;
    let mut names = HashSet::new();
    let mut tensors = Vec::with_capacity(entries.len());
    for (name, description) in entries {
        let at = |problem: &str| (format!("tensor `{name}`"), problem.to_owned());
        if !names.insert(name.clone()) {
            return Err(at("it is there twice"));
        }
        let (first, last) = description.data_offsets;
        if first > last || last > values.len() as u64 {
            return Err(at("its values lie beyond the end of the file"));
        }
        if description.shape.len() > MAX_DIMENSIONS {
            return Err(at("it has more than 8 dimensions"));
        }
        let count = description.shape.iter().try_fold(1_u64, |product, size| product.checked_mul(*size));
        let bits = bits(&description.dtype).ok_or_else(|| at(&format!("there is no type `{}`", description.dtype)))?;
        let fits = count.and_then(|count| count.checked_mul(bits)).is_some_and(|bits| bits == (last - first) * 8);
        if !fits {
            let (shape, held) = (&description.shape, last - first);
            return Err(at(&format!("its shape {shape:?} of {} does not fit its {held} bytes", description.dtype)));
        }
        let header_end = 8 + length as usize;
        let shape = description.shape.iter().map(|size| *size as usize).collect();
        let (start, end) = (header_end + first as usize, header_end + last as usize);
        tensors.push(Stored { name, dtype: description.dtype, shape, start, end });
    }
    refuse_overlaps(&tensors)?;
    Ok(tensors)
}

/// Bits of one number; `None` for a type that the format does not have.
fn bits(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F64" | "I64" | "U64" | "C64" => 64,
        "F32" | "I32" | "U32" => 32,
        "F16" | "BF16" | "I16" | "U16" => 16,
        "I8" | "U8" | "BOOL" | "F8_E4M3" | "F8_E5M2" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => 8,
        "F6_E2M3" | "F6_E3M2" => 6,
        "F4" => 4,
        _ => return None,
    })
}

fn refuse_overlaps(tensors: &[Stored]) -> std::result::Result<(), Refusal> {
    let mut order: Vec<&Stored> = tensors.iter().filter(|tensor| tensor.end > tensor.start).collect();
    order.sort_by_key(|tensor| tensor.start);
    match order.windows(2).find(|pair| pair[0].end > pair[1].start) {
        Some(pair) => {
            Err((format!("tensor `{}`", pair[1].name), format!("its values overlap those of `{}`", pair[0].name)))
        }
        None => Ok(()),
    }
}
