//! Metadata values.

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Unsigned 8 bit.
    U8(u8),
    /// Signed 8 bit.
    I8(i8),
    /// Unsigned 16 bit.
    U16(u16),
    /// Signed 16 bit.
    I16(i16),
    /// Unsigned 32 bit.
    U32(u32),
    /// Signed 32 bit.
    I32(i32),
    /// 32-bit float.
    F32(f32),
    /// Truth value.
    Bool(bool),
    /// Text; bytes that are not UTF-8 became U+FFFD.
    String(String),
    /// A list of one type.
    Array(Array),
    /// Unsigned 64 bit.
    U64(u64),
    /// Signed 64 bit.
    I64(i64),
    /// 64-bit float.
    F64(f64),
}

/// A list of metadata values of one type. Lists of lists do not occur in model files and are refused.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    /// Unsigned 8 bit.
    U8(Vec<u8>),
    /// Signed 8 bit.
    I8(Vec<i8>),
    /// Unsigned 16 bit.
    U16(Vec<u16>),
    /// Signed 16 bit.
    I16(Vec<i16>),
    /// Unsigned 32 bit.
    U32(Vec<u32>),
    /// Signed 32 bit.
    I32(Vec<i32>),
    /// 32-bit floats.
    F32(Vec<f32>),
    /// Truth values.
    Bool(Vec<bool>),
    /// Texts.
    String(Vec<String>),
    /// Unsigned 64 bit.
    U64(Vec<u64>),
    /// Signed 64 bit.
    I64(Vec<i64>),
    /// 64-bit floats.
    F64(Vec<f64>),
}

impl Value {
    /// The type's name in messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::U8(_) | Self::U16(_) | Self::U32(_) | Self::U64(_) => "an unsigned number",
            Self::I8(_) | Self::I16(_) | Self::I32(_) | Self::I64(_) => "a signed number",
            Self::F32(_) | Self::F64(_) => "a decimal number",
            Self::Bool(_) => "a truth value",
            Self::String(_) => "a text",
            Self::Array(_) => "a list",
        }
    }

    /// Appends the value as a GGUF file writes it: type number, then value.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.type_number().to_le_bytes());
        match self {
            Self::U8(number) => out.push(*number),
            Self::I8(number) => out.extend(number.to_le_bytes()),
            Self::U16(number) => out.extend(number.to_le_bytes()),
            Self::I16(number) => out.extend(number.to_le_bytes()),
            Self::U32(number) => out.extend(number.to_le_bytes()),
            Self::I32(number) => out.extend(number.to_le_bytes()),
            Self::F32(number) => out.extend(number.to_le_bytes()),
            Self::Bool(truth) => out.push(u8::from(*truth)),
            Self::String(text) => write_text(text, out),
            Self::Array(array) => array.write(out),
            Self::U64(number) => out.extend(number.to_le_bytes()),
            Self::I64(number) => out.extend(number.to_le_bytes()),
            Self::F64(number) => out.extend(number.to_le_bytes()),
        }
    }

    /// `enum gguf_type`.
    fn type_number(&self) -> u32 {
        match self {
            Self::U8(_) => 0,
            Self::I8(_) => 1,
            Self::U16(_) => 2,
            Self::I16(_) => 3,
            Self::U32(_) => 4,
            Self::I32(_) => 5,
            Self::F32(_) => 6,
            Self::Bool(_) => 7,
            Self::String(_) => 8,
            Self::Array(_) => 9,
            Self::U64(_) => 10,
            Self::I64(_) => 11,
            Self::F64(_) => 12,
        }
    }

    /// The value as text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value as a whole number that is not negative, whatever its width.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::U8(number) => Some(number.into()),
            Self::U16(number) => Some(number.into()),
            Self::U32(number) => Some(number.into()),
            Self::U64(number) => Some(number),
            Self::I8(number) => number.try_into().ok(),
            Self::I16(number) => number.try_into().ok(),
            Self::I32(number) => number.try_into().ok(),
            Self::I64(number) => number.try_into().ok(),
            _ => None,
        }
    }

    /// The value as a decimal number.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::F32(number) => Some(number.into()),
            Self::F64(number) => Some(number),
            _ => None,
        }
    }

    /// The value as a truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Self::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// The value as a list.
    pub fn as_array(&self) -> Option<&Array> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

impl Array {
    fn write(&self, out: &mut Vec<u8>) {
        fn numbers<T: Copy, const N: usize>(kind: u32, list: &[T], bytes: impl Fn(T) -> [u8; N], out: &mut Vec<u8>) {
            out.extend(kind.to_le_bytes());
            out.extend((list.len() as u64).to_le_bytes());
            out.extend(list.iter().flat_map(|number| bytes(*number)));
        }
        match self {
            Self::U8(list) => numbers(0, list, u8::to_le_bytes, out),
            Self::I8(list) => numbers(1, list, i8::to_le_bytes, out),
            Self::U16(list) => numbers(2, list, u16::to_le_bytes, out),
            Self::I16(list) => numbers(3, list, i16::to_le_bytes, out),
            Self::U32(list) => numbers(4, list, u32::to_le_bytes, out),
            Self::I32(list) => numbers(5, list, i32::to_le_bytes, out),
            Self::F32(list) => numbers(6, list, f32::to_le_bytes, out),
            Self::Bool(list) => numbers(7, list, |truth| [u8::from(truth)], out),
            Self::String(list) => {
                out.extend(8_u32.to_le_bytes());
                out.extend((list.len() as u64).to_le_bytes());
                for text in list {
                    write_text(text, out);
                }
            }
            Self::U64(list) => numbers(10, list, u64::to_le_bytes, out),
            Self::I64(list) => numbers(11, list, i64::to_le_bytes, out),
            Self::F64(list) => numbers(12, list, f64::to_le_bytes, out),
        }
    }

    /// How many values it holds.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(list) => list.len(),
            Self::I8(list) => list.len(),
            Self::U16(list) => list.len(),
            Self::I16(list) => list.len(),
            Self::U32(list) => list.len(),
            Self::I32(list) => list.len(),
            Self::F32(list) => list.len(),
            Self::Bool(list) => list.len(),
            Self::String(list) => list.len(),
            Self::U64(list) => list.len(),
            Self::I64(list) => list.len(),
            Self::F64(list) => list.len(),
        }
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
