//! Where a decoder computes.

use std::fmt;
use std::str::FromStr;

use candle_core::DType;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

#[cfg(feature = "cuda")]
use super::card::{memory as memory_of, open as open_card};
use crate::error::{ModelError, Result};
use crate::weights::WeightStorage;

/// What computes a decoder's layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// `cpu`: the processor, with the fused kernels.
    #[default]
    Cpu,
    /// `cpu-tensors`: the operations of a graphics card on the processor. Slow; for tests, and for comparing a card with.
    CpuTensors,
    /// `cuda` or `cuda:N`: an NVIDIA card by its number, the first being 0.
    Cuda(usize),
}

/// What frozen matrices are kept and multiplied in on a graphics card. The processor computes in f32 only: see
/// [`Device::check_precision`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Precision {
    /// As the processor does.
    #[default]
    F32,
    /// Half the memory, several times as fast on cards with tensor cores, three significant digits.
    Bf16,
    /// As fast and as small, four significant digits, but nothing above 65,504 and little below 1e-7: for cards that do not
    /// multiply bf16. Gradients have to be scaled up on their way, and a model with large activations does not fit.
    F16,
}

/// Where a decoder's numbers lie and how they are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// What computes.
    pub device: Device,
    /// How the frozen matrices lie in the computer's own memory. With a card it does not matter: they stay as stored there.
    pub storage: WeightStorage,
    /// What the card multiplies in.
    pub precision: Precision,
}

/// Of a graphics card, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardMemory {
    /// What this process can still take.
    pub free: u64,
    /// The most that tensors of this process took at once.
    pub peak: u64,
}

impl Default for Placement {
    fn default() -> Self {
        Self { device: Device::Cpu, storage: WeightStorage::Expanded, precision: Precision::F32 }
    }
}

impl Device {
    /// Whether this build can compute on graphics cards at all.
    pub fn cards_are_built_in() -> bool {
        cfg!(feature = "cuda")
    }

    /// The graphics cards that answer, in the order of their numbers; none in a build without CUDA.
    pub fn cards() -> Vec<Self> {
        // A build for cards on a machine with more of them than this is not expected; the search ends at the first gap.
        (0..64).map(Self::Cuda).take_while(|card| Self::cards_are_built_in() && card.open().is_ok()).collect()
    }

    /// The memory of a card; `None` for the processor, whose memory the system tells, and when the card does not tell.
    ///
    /// # Errors
    /// [`ModelError::Device`] when there is no such card, or this build computes on no cards.
    pub fn memory(self) -> Result<Option<CardMemory>> {
        Ok(self.open()?.and_then(|opened| memory_of(&opened)))
    }

    /// Whether it computes such a training, full fine-tuning or one with `DoRA`.
    ///
    /// # Errors
    /// [`ModelError::Device`] naming what it does not compute and what to choose instead.
    pub fn check_trains(self, full: bool, dora: bool) -> Result<()> {
        let (problem, advice) = match self {
            Self::CpuTensors | Self::Cuda(_) if full => (
                "training the whole model is computed on the processor only",
                "Set `method` to `lora`, or choose the device `cpu`",
            ),
            Self::CpuTensors | Self::Cuda(_) if dora => {
                ("DoRA is computed on the processor only", "Set `lora.use_dora` to `false`, or choose the device `cpu`")
            }
            _ => return Ok(()),
        };
        Err(ModelError::Device { device: self.to_string(), problem: problem.to_owned(), advice })
    }

    /// Whether it multiplies in such numbers.
    ///
    /// # Errors
    /// [`ModelError::Device`] with the reason: half the bits are slower on a processor, and its memory is saved by other means.
    pub fn check_precision(self, precision: Precision) -> Result<()> {
        if self != Self::Cpu || precision == Precision::F32 {
            return Ok(());
        }
        Err(ModelError::Device {
            device: self.to_string(),
            problem: format!(
                "`{precision}` is for graphics cards: a processor multiplies numbers of 16 bits more slowly than those of 32"
            ),
            advice: "Set `precision` to `f32`; `stored_weights` and `gradient_checkpointing` save more memory than half the bits would",
        })
    }

    /// candle's device, or `None` where the fused kernels compute.
    pub(crate) fn open(self) -> Result<Option<candle_core::Device>> {
        match self {
            Self::Cpu => Ok(None),
            Self::CpuTensors => Ok(Some(candle_core::Device::Cpu)),
            Self::Cuda(_) if !Self::cards_are_built_in() => Err(ModelError::Device {
                device: self.to_string(),
                problem: "this worker was built for the processor only".to_owned(),
                advice: "Choose the device `cpu`, or use a worker that was built with `--features cuda`",
            }),
            Self::Cuda(number) => {
                let opened = open_card(number);
                opened.map(Some).map_err(|error| ModelError::Device {
                    device: self.to_string(),
                    problem: error.to_string(),
                    advice: "Look whether `nvidia-smi` lists the card, or choose the device `cpu`",
                })
            }
        }
    }
}

#[cfg(not(feature = "cuda"))]
fn memory_of(_opened: &candle_core::Device) -> Option<CardMemory> {
    None
}

#[cfg(not(feature = "cuda"))]
fn open_card(number: usize) -> candle_core::Result<candle_core::Device> {
    candle_core::Device::new_cuda(number)
}

impl Precision {
    /// Of one number.
    pub(crate) fn bytes(self) -> usize {
        self.dtype().size_in_bytes()
    }

    pub(crate) fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
            Self::F16 => DType::F16,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::CpuTensors => f.write_str("cpu-tensors"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "cpu-tensors" => Ok(Self::CpuTensors),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let number = text.strip_prefix("cuda:").and_then(|number| number.parse().ok());
                number
                    .map(Self::Cuda)
                    .ok_or_else(|| format!("`{text}` is not a device; write `cpu`, `cuda` or `cuda:1`"))
            }
        }
    }
}

impl TryFrom<String> for Device {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            "f16" => Ok(Self::F16),
            _ => Err(format!("`{text}` is not a precision; write `f32`, `bf16` or `f16`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_read_as_it_is_written() {
        for device in [Device::Cpu, Device::CpuTensors, Device::Cuda(0), Device::Cuda(3)] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "cuda:x"] {
            assert!(wrong.parse::<Device>().is_err(), "`{wrong}`");
        }
    }

    #[test]
    fn the_processor_refuses_half_the_bits_and_says_what_saves_memory_instead() {
        for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
            assert_eq!(precision.to_string().parse(), Ok(precision));
            assert!(Device::Cuda(0).check_precision(precision).is_ok());
            let refused = Device::Cpu.check_precision(precision);
            assert_eq!(refused.is_err(), precision != Precision::F32);
            if let Err(error) = refused {
                assert!(error.to_string().contains(&format!("`{precision}` is for graphics cards")), "{error}");
            }
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_promises_no_card() {
        assert!(Device::cards().is_empty());
        let error = Device::Cuda(0).memory().unwrap_err();
        assert!(error.to_string().contains("`cuda:0`") && error.to_string().contains("processor only"), "{error}");
    }
}
