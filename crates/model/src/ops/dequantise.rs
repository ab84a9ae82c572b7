//! From GGUF's block types to f32, through candle's block decoders.
#![allow(unsafe_code)]

use candle_core::quantized::GgmlDType;
use candle_core::quantized::k_quants as q;
use candle_core::quantized::k_quants::GgmlType;
use rayon::prelude::*;

/// Numbers per parallel task; a multiple of every block size.
const TASK: usize = 1 << 16;

/// A block type that is made of plain integers and floats only.
///
/// # Safety
/// Every bit pattern of the right size must be a valid value, and the type must have no padding.
unsafe trait Plain: GgmlType {}

macro_rules! plain {
    ($($block:ident),*) => {
        $(
            // SAFETY: candle declares it `repr(C)` out of half floats and integer arrays, and asserts its size.
            unsafe impl Plain for q::$block {}
        )*
    };
}

plain!(BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0, BlockQ8_1);
plain!(BlockQ2K, BlockQ3K, BlockQ4K, BlockQ5K, BlockQ6K, BlockQ8K);

/// Expands `bytes` of type `dtype` into `out`, which must hold exactly as many numbers.
///
/// # Errors
/// Says what does not fit: the byte length, or a type that has no decoder.
pub(crate) fn dequantise(dtype: GgmlDType, bytes: &[u8], out: &mut [f32]) -> Result<(), String> {
    match dtype {
        GgmlDType::F32 => plain_numbers(bytes, out, f32::from_le_bytes),
        GgmlDType::F16 => plain_numbers(bytes, out, |bytes| half::f16::from_le_bytes(bytes).to_f32()),
        GgmlDType::BF16 => plain_numbers(bytes, out, |bytes| half::bf16::from_le_bytes(bytes).to_f32()),
        GgmlDType::Q4_0 => blocks::<q::BlockQ4_0>(bytes, out),
        GgmlDType::Q4_1 => blocks::<q::BlockQ4_1>(bytes, out),
        GgmlDType::Q5_0 => blocks::<q::BlockQ5_0>(bytes, out),
        GgmlDType::Q5_1 => blocks::<q::BlockQ5_1>(bytes, out),
        GgmlDType::Q8_0 => blocks::<q::BlockQ8_0>(bytes, out),
        GgmlDType::Q8_1 => blocks::<q::BlockQ8_1>(bytes, out),
        GgmlDType::Q2K => blocks::<q::BlockQ2K>(bytes, out),
        GgmlDType::Q3K => blocks::<q::BlockQ3K>(bytes, out),
        GgmlDType::Q4K => blocks::<q::BlockQ4K>(bytes, out),
        GgmlDType::Q5K => blocks::<q::BlockQ5K>(bytes, out),
        GgmlDType::Q6K => blocks::<q::BlockQ6K>(bytes, out),
        GgmlDType::Q8K => blocks::<q::BlockQ8K>(bytes, out),
    }
}

fn misfit(bytes: usize, numbers: usize) -> String {
    format!("{bytes} bytes do not hold {numbers} numbers")
}

fn plain_numbers<const SIZE: usize>(
    bytes: &[u8],
    out: &mut [f32],
    read: impl Fn([u8; SIZE]) -> f32 + Sync,
) -> Result<(), String> {
    if bytes.len() != out.len() * SIZE {
        return Err(misfit(bytes.len(), out.len()));
    }
    out.par_chunks_mut(TASK).zip(bytes.par_chunks(TASK * SIZE)).for_each(|(out, bytes)| {
        for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
            *out = read(*bytes);
        }
    });
    Ok(())
}

fn blocks<T: Plain>(bytes: &[u8], out: &mut [f32]) -> Result<(), String> {
    let count = out.len() / T::BLCK_SIZE;
    if count * T::BLCK_SIZE != out.len() || bytes.len() != count * size_of::<T>() {
        return Err(misfit(bytes.len(), out.len()));
    }
    if bytes.as_ptr().align_offset(align_of::<T>()) != 0 {
        return Err("the blocks are not aligned in memory".to_owned());
    }
    // SAFETY: the length and the alignment were just checked, `Plain` says that all bytes are valid values, and the
    // borrow of `bytes` outlives the slice.
    let blocks = unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast::<T>(), count) };
    let tasks = out.par_chunks_mut(TASK).zip(blocks.par_chunks(TASK / T::BLCK_SIZE));
    tasks.for_each(|(out, blocks)| T::to_float(blocks, out));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use GgmlDType as D;
    use candle_core::{Device, Tensor, quantized::QTensor};

    #[test]
    fn every_type_expands_to_what_candle_expands_it_to() {
        let values: Vec<f32> = (0..4096).map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect();
        let source = Tensor::from_vec(values, (8, 512), &Device::Cpu).unwrap();
        for dtype in [
            D::F32,
            D::F16,
            D::BF16,
            D::Q4_0,
            D::Q4_1,
            D::Q5_0,
            D::Q5_1,
            D::Q8_0,
            D::Q2K,
            D::Q3K,
            D::Q4K,
            D::Q5K,
            D::Q6K,
        ] {
            let stored = QTensor::quantize(&source, dtype).unwrap();
            let expected: Vec<f32> = stored.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let mut out = vec![0.0; 4096];
            dequantise(dtype, &stored.data().unwrap(), &mut out).unwrap();
            assert_eq!(out, expected, "{dtype:?}");
        }
    }

    #[test]
    fn bytes_of_another_length_are_refused() {
        assert!(dequantise(GgmlDType::Q8_0, &[0; 33], &mut [0.0; 32]).is_err());
        assert!(dequantise(GgmlDType::F32, &[0; 8], &mut [0.0; 3]).is_err());
    }
}
