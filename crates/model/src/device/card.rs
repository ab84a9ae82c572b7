//! What candle leaves to the driver's defaults on an NVIDIA card: its memory, and whether every tensor is watched.
#![allow(unsafe_code)] // functions of the driver

use std::ffi::c_void;

use candle_core::cuda_backend::cudarc::driver::result::{DriverError, device, mem_pool};
use candle_core::cuda_backend::cudarc::driver::{CudaContext, sys};
use candle_core::{Device, Result};

use super::place::CardMemory;

/// Opens the card `number` for the calling thread.
pub(super) fn open(number: usize) -> Result<Device> {
    let opened = Device::new_cuda(number)?;
    let card = opened.as_cuda_device()?;
    // SAFETY: events keep apart the streams that use one tensor. A decoder's tensors are used on one stream: the calling thread's,
    // which candle's `new_cuda` stands for; what is uploaded is waited for before another thread can see it.
    unsafe { card.disable_event_tracking() };
    // By default the driver takes all free memory back whenever the host waits for the card, several times a step. A card that has
    // no pool, or keeps it as it was, is only slower.
    let _ = set(card.cuda_stream().context(), sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, u64::MAX);
    Ok(opened)
}

/// The memory of an open card; `None` when the card does not tell.
pub(super) fn memory(opened: &Device) -> Option<CardMemory> {
    let stream = opened.as_cuda_device().ok()?.cuda_stream();
    let card = stream.context();
    let (free, _) = card.mem_get_info().ok()?;
    let pool = |attribute| get(card, attribute).unwrap_or(0);
    let reserved = pool(sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT);
    let used = pool(sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT);
    let peak = pool(sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH);
    Some(CardMemory { free: free as u64 + reserved.saturating_sub(used), peak })
}

fn set(
    card: &CudaContext,
    attribute: sys::CUmemPool_attribute,
    mut value: u64,
) -> std::result::Result<(), DriverError> {
    // SAFETY: the device is that of an open context, the pool is the device's own, and the attribute is 64 bits wide.
    unsafe {
        let pool = device::get_mem_pool(card.cu_device())?;
        mem_pool::set_attribute(pool, attribute, (&raw mut value).cast::<c_void>())
    }
}

fn get(card: &CudaContext, attribute: sys::CUmemPool_attribute) -> std::result::Result<u64, DriverError> {
    let mut value = 0u64;
    // SAFETY: as in `set`; the attributes read here are 64 bits wide.
    unsafe {
        let pool = device::get_mem_pool(card.cu_device())?;
        mem_pool::get_attribute(pool, attribute, (&raw mut value).cast::<c_void>())?;
    }
    Ok(value)
}
