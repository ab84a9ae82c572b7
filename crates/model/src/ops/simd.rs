//! Run-time choice between the build's baseline, AVX2 with FMA, and AVX-512.

/// Defines a function whose body is compiled three times, for the baseline, for AVX2 with FMA and for AVX-512, and that picks
/// one on each call. The body is ordinary Rust written so that the compiler vectorises it (fixed-size lanes, no early exit);
/// it contains no fused multiply-add, so all give the same bits.
macro_rules! wide {
    ($(#[$note:meta])* $visibility:vis fn $name:ident($($argument:ident: $kind:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$note])*
        $visibility fn $name($($argument: $kind),*) $(-> $result)? {
            #[inline(always)]
            fn body($($argument: $kind),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn wide($($argument: $kind),*) $(-> $result)? {
                    body($($argument),*)
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn widest($($argument: $kind),*) $(-> $result)? {
                    body($($argument),*)
                }
                if crate::ops::simd::has_avx512() {
                    // SAFETY: the processor has the features that `widest` is compiled for, as was just checked.
                    #[allow(unsafe_code)]
                    return unsafe { widest($($argument),*) };
                }
                if crate::ops::simd::has_avx2() {
                    // SAFETY: the processor has the features that `wide` is compiled for, as was just checked.
                    #[allow(unsafe_code)]
                    return unsafe { wide($($argument),*) };
                }
            }
            body($($argument),*)
        }
    };
}
pub(crate) use wide;

/// Whether this processor has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// Whether this processor has the parts of AVX-512 that the widest kernels use.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && has_avx2()
}
