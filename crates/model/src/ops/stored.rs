//! A few rows of numbers times a matrix that stays as its file stores it: what writing text one token at a time needs.
//!
//! Each block of the matrix is unpacked in registers and multiplied with the unquantised input, so that the result is that
//! of the expanded matrix up to the order of additions; nothing is rounded to 8 bits on the way. The time goes into
//! reading the matrix once from memory, a quarter or an eighth of what f32 would be.

use candle_core::quantized::GgmlDType;
use half::{bf16, f16};
use rayon::prelude::*;

use super::dequantise::dequantise;
use super::lanes::{LANES, dot, fold};
use super::simd::wide;

/// A matrix of blocks, row after row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoredRows<'a> {
    pub(crate) dtype: GgmlDType,
    pub(crate) bytes: &'a [u8],
    pub(crate) rows: usize,
}

/// Rows of the matrix per parallel task.
const ROWS: usize = 32;
/// Numbers in the large blocks (`k-quants`).
const SUPER: usize = 256;

/// `y = x · Wᵀ` for `x` `[tokens, columns]`, into the columns of `y` that begin at `column` and are `W`'s rows many; a row of
/// `y` is `stride` wide.
pub(crate) fn stored_product(
    w: StoredRows<'_>,
    columns: usize,
    x: &[f32],
    y: &mut [f32],
    stride: usize,
    column: usize,
) {
    let row_bytes = w.bytes.len() / w.rows.max(1);
    for (x, y) in x.chunks_exact(columns).zip(y.chunks_exact_mut(stride)) {
        // Sums of the input's groups of 32, for types whose blocks have an offset.
        let sums: Vec<f32> = x.chunks(32).map(|group| group.iter().sum()).collect();
        let y = &mut y[column..column + w.rows];
        y.par_chunks_mut(ROWS).zip(w.bytes.par_chunks(ROWS * row_bytes)).for_each(|(y, bytes)| {
            for (y, row) in y.iter_mut().zip(bytes.chunks_exact(row_bytes)) {
                *y = row_product(w.dtype, row, x, &sums);
            }
        });
    }
}

fn row_product(dtype: GgmlDType, row: &[u8], x: &[f32], sums: &[f32]) -> f32 {
    match dtype {
        GgmlDType::F32 => f32_row(row, x),
        GgmlDType::F16 => f16_row(row, x),
        GgmlDType::BF16 => bf16_row(row, x),
        GgmlDType::Q8_0 => q8_0_row(row, x),
        GgmlDType::Q4_0 => q4_0_row(row, x, sums),
        GgmlDType::Q4_1 => q4_1_row(row, x, sums),
        GgmlDType::Q5_0 => q5_0_row(row, x, sums),
        GgmlDType::Q5_1 => q5_1_row(row, x, sums),
        GgmlDType::Q4K => q4_k_row(row, x, sums),
        GgmlDType::Q5K => q5_k_row(row, x, sums),
        GgmlDType::Q6K => q6_k_row(row, x),
        other => any_row(other, row, x),
    }
}

/// Types that are rare: expanded block by block.
fn any_row(dtype: GgmlDType, row: &[u8], x: &[f32]) -> f32 {
    let mut numbers = [0.0; SUPER];
    let block = row.len() / (x.len() / SUPER).max(1);
    let blocks = row.chunks_exact(block).zip(x.chunks_exact(SUPER));
    blocks
        .map(|(bytes, x)| if dequantise(dtype, bytes, &mut numbers).is_ok() { dot(&numbers, x) } else { f32::NAN })
        .sum()
}

#[inline(always)]
fn half(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// Adds `factor · q · x` for 32 unpacked numbers lane by lane.
#[inline(always)]
fn add32(lanes: &mut [f32; LANES], q: &[i32; 32], x: &[f32], factor: f32) {
    let Some(x) = x.first_chunk::<32>() else { return };
    for i in 0..LANES {
        lanes[i] += (q[i] as f32 * x[i] + q[i + LANES] as f32 * x[i + LANES]) * factor;
    }
}

wide! {
    fn f32_row(row: &[u8], x: &[f32]) -> f32 {
        let mut lanes = [0.0f32; LANES];
        let (bytes, rest) = row.as_chunks::<{ 4 * LANES }>();
        for (bytes, x) in bytes.iter().zip(x.as_chunks::<LANES>().0) {
            for i in 0..LANES {
                lanes[i] += f32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]]) * x[i];
            }
        }
        let mut sum = fold(lanes);
        for (bytes, x) in rest.as_chunks::<4>().0.iter().zip(x.as_chunks::<LANES>().1) {
            sum += f32::from_le_bytes(*bytes) * x;
        }
        sum
    }
}

/// A half-precision number without branches, so that it vectorises; exact for all but infinities and NaN, which no sound
/// model file holds.
#[inline(always)]
fn half_lane(low: u8, high: u8) -> f32 {
    let bits = u32::from(low) | u32::from(high) << 8;
    // The exponent's offset is mended by the multiplication, which also makes subnormal numbers right.
    let magnitude = f32::from_bits((bits & 0x7FFF) << 13) * f32::from_bits(0x7780_0000);
    f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
}

wide! {
    fn f16_row(row: &[u8], x: &[f32]) -> f32 {
        let mut lanes = [0.0f32; LANES];
        let (bytes, rest) = row.as_chunks::<{ 2 * LANES }>();
        for (bytes, x) in bytes.iter().zip(x.as_chunks::<LANES>().0) {
            for i in 0..LANES {
                lanes[i] += half_lane(bytes[2 * i], bytes[2 * i + 1]) * x[i];
            }
        }
        let mut sum = fold(lanes);
        for (bytes, x) in rest.as_chunks::<2>().0.iter().zip(x.as_chunks::<LANES>().1) {
            sum += f16::from_le_bytes(*bytes).to_f32() * x;
        }
        sum
    }
}

wide! {
    fn bf16_row(row: &[u8], x: &[f32]) -> f32 {
        let mut lanes = [0.0f32; LANES];
        let (bytes, rest) = row.as_chunks::<{ 2 * LANES }>();
        for (bytes, x) in bytes.iter().zip(x.as_chunks::<LANES>().0) {
            for i in 0..LANES {
                let bits = u32::from(bytes[2 * i]) << 16 | u32::from(bytes[2 * i + 1]) << 24;
                lanes[i] += f32::from_bits(bits) * x[i];
            }
        }
        let mut sum = fold(lanes);
        for (bytes, x) in rest.as_chunks::<2>().0.iter().zip(x.as_chunks::<LANES>().1) {
            sum += bf16::from_le_bytes(*bytes).to_f32() * x;
        }
        sum
    }
}

wide! {
    fn q8_0_row(row: &[u8], x: &[f32]) -> f32 {
        let mut lanes = [0.0f32; LANES];
        let mut q = [0i32; 32];
        for (block, x) in row.as_chunks::<34>().0.iter().zip(x.as_chunks::<32>().0) {
            for i in 0..32 {
                q[i] = i32::from(block[2 + i] as i8);
            }
            add32(&mut lanes, &q, x, half(block, 0));
        }
        fold(lanes)
    }
}

/// Splits 16 bytes into 32 numbers: the low halves, then the high ones.
#[inline(always)]
fn nibbles(bytes: &[u8], q: &mut [i32; 32]) {
    let Some(bytes) = bytes.first_chunk::<16>() else { return };
    for i in 0..16 {
        q[i] = i32::from(bytes[i] & 15);
        q[i + 16] = i32::from(bytes[i] >> 4);
    }
}

/// Adds the fifth bit of 32 numbers.
#[inline(always)]
fn fifth_bits(bytes: &[u8], q: &mut [i32; 32]) {
    let bits = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    for (i, q) in q.iter_mut().enumerate() {
        *q |= ((bits >> i & 1) << 4) as i32;
    }
}

wide! {
    fn q4_0_row(row: &[u8], x: &[f32], sums: &[f32]) -> f32 {
        let mut lanes = [0.0f32; LANES];
        let (mut q, mut offset) = ([0i32; 32], 0.0f32);
        for ((block, x), sum) in row.as_chunks::<18>().0.iter().zip(x.as_chunks::<32>().0).zip(sums) {
            let scale = half(block, 0);
            nibbles(&block[2..], &mut q);
            add32(&mut lanes, &q, x, scale);
            offset -= 8.0 * scale * sum;
        }
        fold(lanes) + offset
    }
}

wide! {
    fn q4_1_row(row: &[u8], x: &[f32], sums: &[f32]) -> f32 {
        let mut lanes = [0.0f32; LANES];
        let (mut q, mut offset) = ([0i32; 32], 0.0f32);
        for ((block, x), sum) in row.as_chunks::<20>().0.iter().zip(x.as_chunks::<32>().0).zip(sums) {
            nibbles(&block[4..], &mut q);
            add32(&mut lanes, &q, x, half(block, 0));
            offset += half(block, 2) * sum;
        }
        fold(lanes) + offset
    }
}

wide! {
    fn q5_0_row(row: &[u8], x: &[f32], sums: &[f32]) -> f32 {
        let mut lanes = [0.0f32; LANES];
        let (mut q, mut offset) = ([0i32; 32], 0.0f32);
        for ((block, x), sum) in row.as_chunks::<22>().0.iter().zip(x.as_chunks::<32>().0).zip(sums) {
            let scale = half(block, 0);
            nibbles(&block[6..], &mut q);
            fifth_bits(&block[2..6], &mut q);
            add32(&mut lanes, &q, x, scale);
            offset -= 16.0 * scale * sum;
        }
        fold(lanes) + offset
    }
}

wide! {
    fn q5_1_row(row: &[u8], x: &[f32], sums: &[f32]) -> f32 {
        let mut lanes = [0.0f32; LANES];
        let (mut q, mut offset) = ([0i32; 32], 0.0f32);
        for ((block, x), sum) in row.as_chunks::<24>().0.iter().zip(x.as_chunks::<32>().0).zip(sums) {
            nibbles(&block[8..], &mut q);
            fifth_bits(&block[4..8], &mut q);
            add32(&mut lanes, &q, x, half(block, 0));
            offset += half(block, 2) * sum;
        }
        fold(lanes) + offset
    }
}

/// Scale and offset of group `at` of the eight in a large block: six bits each, packed into 12 bytes.
#[inline(always)]
fn scale_and_offset(packed: &[u8], at: usize) -> (f32, f32) {
    let (scale, offset) = if at < 4 {
        (packed[at] & 63, packed[at + 4] & 63)
    } else {
        (packed[at + 4] & 15 | packed[at - 4] >> 6 << 4, packed[at + 4] >> 4 | packed[at] >> 6 << 4)
    };
    (f32::from(scale), f32::from(offset))
}

wide! {
    fn q4_k_row(row: &[u8], x: &[f32], sums: &[f32]) -> f32 {
        let mut lanes = [0.0f32; LANES];
        let (mut low, mut high, mut total) = ([0i32; 32], [0i32; 32], 0.0f32);
        let blocks = row.as_chunks::<144>().0.iter().zip(x.as_chunks::<SUPER>().0).zip(sums.as_chunks::<8>().0);
        for ((block, x), sums) in blocks {
            let (scale, least) = (half(block, 0), half(block, 2));
            for pair in 0..4 {
                for i in 0..32 {
                    let byte = block[16 + 32 * pair + i];
                    low[i] = i32::from(byte & 15);
                    high[i] = i32::from(byte >> 4);
                }
                for (q, group) in [(&low, 2 * pair), (&high, 2 * pair + 1)] {
                    let (factor, offset) = scale_and_offset(&block[4..16], group);
                    add32(&mut lanes, q, &x[32 * group..], scale * factor);
                    total -= least * offset * sums[group];
                }
            }
        }
        fold(lanes) + total
    }
}

wide! {
    fn q5_k_row(row: &[u8], x: &[f32], sums: &[f32]) -> f32 {
        let mut lanes = [0.0f32; LANES];
        let (mut low, mut high, mut total) = ([0i32; 32], [0i32; 32], 0.0f32);
        let blocks = row.as_chunks::<176>().0.iter().zip(x.as_chunks::<SUPER>().0).zip(sums.as_chunks::<8>().0);
        for ((block, x), sums) in blocks {
            let (scale, least) = (half(block, 0), half(block, 2));
            for pair in 0..4 {
                for i in 0..32 {
                    let (byte, fifth) = (block[48 + 32 * pair + i], block[16 + i] >> (2 * pair));
                    low[i] = i32::from(byte & 15 | (fifth & 1) << 4);
                    high[i] = i32::from(byte >> 4 | (fifth & 2) << 3);
                }
                for (q, group) in [(&low, 2 * pair), (&high, 2 * pair + 1)] {
                    let (factor, offset) = scale_and_offset(&block[4..16], group);
                    add32(&mut lanes, q, &x[32 * group..], scale * factor);
                    total -= least * offset * sums[group];
                }
            }
        }
        fold(lanes) + total
    }
}

wide! {
    fn q6_k_row(row: &[u8], x: &[f32]) -> f32 {
        let mut lanes = [0.0f32; LANES];
        let mut q = [[0i32; 32]; 4];
        for (block, x) in row.as_chunks::<210>().0.iter().zip(x.as_chunks::<SUPER>().0) {
            let scale = half(block, 208);
            for part in 0..2 {
                let (low, high) = (&block[64 * part..64 * part + 64], &block[128 + 32 * part..160 + 32 * part]);
                for i in 0..32 {
                    let top = high[i];
                    q[0][i] = i32::from(low[i] & 15 | (top & 3) << 4) - 32;
                    q[1][i] = i32::from(low[i + 32] & 15 | (top >> 2 & 3) << 4) - 32;
                    q[2][i] = i32::from(low[i] >> 4 | (top >> 4 & 3) << 4) - 32;
                    q[3][i] = i32::from(low[i + 32] >> 4 | (top >> 6) << 4) - 32;
                }
                for (group, q) in q.iter().enumerate() {
                    let at = 128 * part + 32 * group;
                    let x = &x[at..at + 32];
                    // Each half of a group has a scale of its own.
                    for half in 0..2 {
                        let factor = scale * f32::from(block[192 + at / 16 + half] as i8);
                        for i in 0..LANES {
                            lanes[i] += q[LANES * half + i] as f32 * x[LANES * half + i] * factor;
                        }
                    }
                }
            }
        }
        fold(lanes)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::QTensor;
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn the_product_with_stored_blocks_is_that_with_the_expanded_matrix() {
        use GgmlDType as D;
        let (rows, columns, tokens) = (70, 512, 3);
        let values: Vec<f32> = (0..rows * columns).map(|i| ((i * 37 % 1013) as f32 - 500.0) / 250.0).collect();
        let x: Vec<f32> = (0..tokens * columns).map(|i| ((i * 53 % 211) as f32 - 90.0) / 70.0).collect();
        let source = Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap();
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
            let expanded: Vec<f32> = stored.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let bytes = stored.data().unwrap();
            // Between columns that belong to others.
            let mut y = vec![7.0; tokens * (rows + 5)];
            let w = StoredRows { dtype, bytes: &bytes, rows };
            stored_product(w, columns, &x, &mut y, rows + 5, 2);
            for token in 0..tokens {
                let (y, x) = (&y[token * (rows + 5)..][..rows + 5], &x[token * columns..][..columns]);
                assert!(y[..2].iter().chain(&y[rows + 2..]).all(|value| (*value - 7.0).abs() < 1e-9));
                for row in 0..rows {
                    let weights = &expanded[row * columns..][..columns];
                    let expected: f64 = weights.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
                    let size: f64 = weights.iter().zip(x).map(|(w, x)| f64::from(w * x).abs()).sum();
                    let error = (f64::from(y[row + 2]) - expected).abs();
                    assert!(error < 1e-6 * size, "{dtype:?}, row {row}: {} instead of {expected}", y[row + 2]);
                }
            }
        }
    }

    #[test]
    fn every_finite_half_precision_number_is_read_exactly() {
        for bits in 0..=u16::MAX {
            let value = f16::from_bits(bits);
            if value.is_finite() {
                let [low, high] = bits.to_le_bytes();
                assert_eq!(half_lane(low, high).to_bits(), value.to_f32().to_bits(), "{bits:#06x}");
            }
        }
    }
}
