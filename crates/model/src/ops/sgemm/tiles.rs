//! Register tiles, the innermost loops of a matrix product: a few rows times a few vectors of lanes, kept in registers while the
//! sum runs. For AVX-512 and for AVX2 with FMA; each of several row counts.

#[allow(clippy::wildcard_imports)] // thirty instructions
use std::arch::x86_64::*;

/// One stretch of the sum of a tile: `Σ rows[r][d] · lanes[d][l]`.
#[derive(Clone, Copy)]
pub(super) struct Strip {
    /// The first number of the first row.
    pub(super) rows: *const f32,
    /// From one row to the next.
    pub(super) row_step: usize,
    /// From one number of a row to the next along the sum.
    pub(super) depth_step: usize,
    /// The first vector.
    pub(super) lanes: *const f32,
    /// From one vector to the next along the sum.
    pub(super) lane_step: usize,
    /// Summands.
    pub(super) depth: usize,
    /// What is needed soon: a cache line is asked for with each summand.
    pub(super) ahead: *const f32,
    /// From one of these to the next.
    pub(super) ahead_step: usize,
}

impl Strip {
    /// No summands.
    pub(super) const EMPTY: Self = Self {
        rows: std::ptr::null(),
        row_step: 0,
        depth_step: 0,
        lanes: std::ptr::null(),
        lane_step: 0,
        depth: 0,
        ahead: std::ptr::null(),
        ahead_step: 0,
    };
}

/// Computes one tile and writes or adds it. Lanes lie `1` and rows `step` apart in the result, or, turned, rows `1` and lanes `step`.
///
/// # Safety
/// The processor has the kernel's features; every number that the strips name may be read and every number of the tile written.
pub(super) type Tile = unsafe fn(strips: &[Strip], result: *mut f32, step: usize, add: bool);

/// A processor's tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// 12, 8 or 4 rows times 16 or 32 lanes.
    Avx512,
    /// 6 or 4 rows times 8 or 16 lanes.
    Avx2,
}

impl Kernel {
    /// Numbers of the largest tile.
    pub(super) const LARGEST: usize = 12 * 32;

    /// The best of this processor.
    pub(super) fn of_this_processor() -> Option<Self> {
        [Self::Avx512, Self::Avx2].into_iter().find(|kernel| kernel.runs_here())
    }

    /// Whether this processor has its features.
    pub(super) fn runs_here(self) -> bool {
        match self {
            Self::Avx512 => crate::ops::simd::has_avx512(),
            Self::Avx2 => crate::ops::simd::has_avx2(),
        }
    }

    /// Numbers of a vector.
    pub(super) fn vector(self) -> usize {
        match self {
            Self::Avx512 => 16,
            Self::Avx2 => 8,
        }
    }

    /// Lanes of the widest tile.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Avx512 => 32,
            Self::Avx2 => 16,
        }
    }

    /// Rows of the tallest tile.
    pub(super) fn height(self) -> usize {
        match self {
            Self::Avx512 => 12,
            Self::Avx2 => 6,
        }
    }

    /// Rows of the tile to begin `rows` rows with: the tallest, or the lowest that holds what is left.
    pub(super) fn rows(self, rows: usize) -> usize {
        match (self, rows) {
            // Two tiles of a kind rather than a tall one and one that is too low to keep the multipliers busy.
            (Self::Avx512, 16) => 8,
            (Self::Avx2, 7 | 8) => 4,
            (Self::Avx2, 5..) => 6,
            _ => rows.next_multiple_of(4).min(self.height()),
        }
    }

    /// The tile of so many rows and lanes, as [`Kernel::rows`] and whole vectors give them.
    pub(super) fn tile(self, rows: usize, lanes: usize, turned: bool) -> Tile {
        match (self, rows, lanes / self.vector(), turned) {
            (Self::Avx512, 12, 2, false) => avx512::straight::<12, 2>,
            (Self::Avx512, 8, 2, false) => avx512::straight::<8, 2>,
            (Self::Avx512, 4, 2, false) => avx512::straight::<4, 2>,
            (Self::Avx512, 12, 1, false) => avx512::straight::<12, 1>,
            (Self::Avx512, 8, 1, false) => avx512::straight::<8, 1>,
            (Self::Avx512, 4, 1, false) => avx512::straight::<4, 1>,
            (Self::Avx512, 12, 2, true) => avx512::turned::<12, 2>,
            (Self::Avx512, 8, 2, true) => avx512::turned::<8, 2>,
            (Self::Avx512, 4, 2, true) => avx512::turned::<4, 2>,
            (Self::Avx512, 12, 1, true) => avx512::turned::<12, 1>,
            (Self::Avx512, 8, 1, true) => avx512::turned::<8, 1>,
            (Self::Avx512, 4, 1, true) => avx512::turned::<4, 1>,
            (Self::Avx2, 6, 2, false) => avx2::straight::<6, 2>,
            (Self::Avx2, 6, 1, false) => avx2::straight::<6, 1>,
            (Self::Avx2, 4, 2, false) => avx2::straight::<4, 2>,
            (Self::Avx2, 4, 1, false) => avx2::straight::<4, 1>,
            (Self::Avx2, 6, 2, true) => avx2::turned::<6, 2>,
            (Self::Avx2, 6, 1, true) => avx2::turned::<6, 1>,
            (Self::Avx2, 4, 2, true) => avx2::turned::<4, 2>,
            (Self::Avx2, 4, 1, true) => avx2::turned::<4, 1>,
            _ => unreachable!("no tile of {rows} rows and {lanes} lanes"),
        }
    }
}

/// The same source for both vector sizes: the names of the instructions differ, and how a vector's quarters are taken.
macro_rules! tiles {
    (
        $name:ident, $features:literal, $vector:ident, $size:literal, $zero:ident, $load:ident, $store:ident, $broadcast:ident, $fma:ident,
        $add:ident, $low:ident, $high:ident, $shuffle:ident, [$($extract:expr),+]
    ) => {
        mod $name {
            use super::*;

            /// The sums of a tile.
            #[target_feature(enable = $features)]
            unsafe fn sums<const ROWS: usize, const VECTORS: usize>(strips: &[Strip]) -> [[$vector; VECTORS]; ROWS] {
                let mut sums = [[$zero(); VECTORS]; ROWS];
                for strip in strips {
                    let Strip { rows, row_step, depth_step, mut lanes, lane_step, depth, mut ahead, ahead_step } = *strip;
                    // Four rows from each of these: one row after the other would be a sum of addresses as long as the products take.
                    let mut fours: [*const f32; 3] = std::array::from_fn(|four| rows.wrapping_add(four * 4 * row_step));
                    let steps = [0, row_step, 2 * row_step, 3 * row_step];
                    for _ in 0..depth {
                        // SAFETY: the caller answers for the strip's numbers.
                        unsafe {
                            _mm_prefetch::<_MM_HINT_T1>(ahead.cast());
                            let vectors: [$vector; VECTORS] = std::array::from_fn(|at| $load(lanes.add(at * $size)));
                            for (row, sums) in sums.iter_mut().enumerate() {
                                let factor = $broadcast(*fours[row / 4].add(steps[row % 4]));
                                for (sum, vector) in sums.iter_mut().zip(vectors) {
                                    *sum = $fma(factor, vector, *sum);
                                }
                            }
                        }
                        fours = fours.map(|four| four.wrapping_add(depth_step));
                        lanes = lanes.wrapping_add(lane_step);
                        ahead = ahead.wrapping_add(ahead_step);
                    }
                }
                sums
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn straight<const ROWS: usize, const VECTORS: usize>(
                strips: &[Strip],
                result: *mut f32,
                step: usize,
                add: bool,
            ) {
                // SAFETY: as the caller promised.
                unsafe {
                    for row in 0..ROWS {
                        for at in 0..(VECTORS * $size).div_ceil(16) {
                            _mm_prefetch::<_MM_HINT_ET0>(result.wrapping_add(row * step + at * 16).cast());
                        }
                    }
                    for (row, sums) in sums::<ROWS, VECTORS>(strips).into_iter().enumerate() {
                        for (at, sum) in sums.into_iter().enumerate() {
                            let place = result.add(row * step + at * $size);
                            $store(place, if add { $add($load(place), sum) } else { sum });
                        }
                    }
                }
            }

            #[target_feature(enable = $features)]
            pub(super) unsafe fn turned<const ROWS: usize, const VECTORS: usize>(
                strips: &[Strip],
                result: *mut f32,
                step: usize,
                add: bool,
            ) {
                // SAFETY: as the caller promised.
                unsafe {
                    for lane in 0..VECTORS * $size {
                        _mm_prefetch::<_MM_HINT_ET0>(result.wrapping_add(lane * step).cast());
                        _mm_prefetch::<_MM_HINT_ET0>(result.wrapping_add(lane * step + ROWS - 1).cast());
                    }
                    let sums = sums::<ROWS, VECTORS>(strips);
                    for at in 0..VECTORS {
                        // Each of these vectors holds, in each quarter, four rows of one lane: `[row / 4][lane % 4]`.
                        let mut turned = [[$zero(); 4]; 3];
                        for (turned, rows) in turned.iter_mut().zip(sums.as_chunks::<4>().0) {
                            let [a, b, c, d] = rows.map(|sums| sums[at]);
                            let (ab, cd) = ($low(a, b), $low(c, d));
                            let (ef, gh) = ($high(a, b), $high(c, d));
                            *turned = [$shuffle::<0x44>(ab, cd), $shuffle::<0xee>(ab, cd), $shuffle::<0x44>(ef, gh), $shuffle::<0xee>(ef, gh)];
                        }
                        // Lane by lane: where lanes lie far apart, a cache has room for few of them at once.
                        for lane in 0..4 {
                            let fours = turned.map(|turned| [$($extract(turned[lane])),+]);
                            for quarter in 0..$size / 4 {
                                let place = result.add((at * $size + quarter * 4 + lane) * step);
                                for four in 0..ROWS / 4 {
                                    let (place, rows) = (place.add(four * 4), fours[four][quarter]);
                                    _mm_storeu_ps(place, if add { _mm_add_ps(_mm_loadu_ps(place), rows) } else { rows });
                                }
                            }
                        }
                        for row in ROWS / 4 * 4..ROWS {
                            let mut lanes = [0.0f32; $size];
                            $store(lanes.as_mut_ptr(), sums[row][at]);
                            for (lane, value) in lanes.into_iter().enumerate() {
                                let place = result.add((at * $size + lane) * step + row);
                                *place = if add { *place + value } else { value };
                            }
                        }
                    }
                }
            }
        }
    };
}

tiles!(
    avx512,
    "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma",
    __m512,
    16,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_set1_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps,
    _mm512_unpacklo_ps,
    _mm512_unpackhi_ps,
    _mm512_shuffle_ps,
    [
        _mm512_extractf32x4_ps::<0>,
        _mm512_extractf32x4_ps::<1>,
        _mm512_extractf32x4_ps::<2>,
        _mm512_extractf32x4_ps::<3>
    ]
);
tiles!(
    avx2,
    "avx2,fma",
    __m256,
    8,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_set1_ps,
    _mm256_fmadd_ps,
    _mm256_add_ps,
    _mm256_unpacklo_ps,
    _mm256_unpackhi_ps,
    _mm256_shuffle_ps,
    [_mm256_extractf128_ps::<0>, _mm256_extractf128_ps::<1>]
);
