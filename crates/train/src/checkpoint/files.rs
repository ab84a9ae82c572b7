//! One checkpoint folder: writing its files and reading them back with every byte checked.

use std::borrow::Cow;
use std::path::Path;

use hone_job::fs;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Checkpoint, Fingerprint, Progress};
use crate::error::{Result, TrainError};
use crate::optimiser::{Coded, Moments};
use crate::sequences::hex;

const ABOUT: &str = "checkpoint.toml";
const STATE: &str = "state.safetensors";
const SUMS: &str = "SHA256SUMS";
const VERSION: u32 = 1;

/// `checkpoint.toml`. TOML, because its numbers are read back to the same bits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    version: u32,
    progress: Progress,
    fingerprint: Fingerprint,
}

/// Writes the three files into `folder`, which is there and empty.
pub(super) fn write(folder: &Path, checkpoint: &Checkpoint<'_>) -> Result<()> {
    let damaged = |problem: String| TrainError::DamagedCheckpoint { path: folder.to_owned(), problem };
    let about =
        About { version: VERSION, progress: checkpoint.progress.clone(), fingerprint: checkpoint.fingerprint.clone() };
    let about = toml::to_string(&about).map_err(|error| damaged(error.to_string()))?.into_bytes();
    let state = state_bytes(checkpoint).map_err(|error| damaged(error.to_string()))?;
    let sums = format!("{}  {ABOUT}\n{}  {STATE}\n", sum(&about), sum(&state));
    fs::write_atomic(&folder.join(ABOUT), &about)?;
    fs::write_atomic(&folder.join(STATE), &state)?;
    Ok(fs::write_atomic(&folder.join(SUMS), sums.as_bytes())?)
}

/// Reads a checkpoint.
///
/// # Errors
/// [`TrainError::DamagedCheckpoint`] when a file is missing, a sum does not match or the content makes no sense.
pub(super) fn read(folder: &Path) -> Result<Checkpoint<'static>> {
    let damaged = |problem: String| TrainError::DamagedCheckpoint { path: folder.to_owned(), problem };
    let about = String::from_utf8(verified(folder, ABOUT)?).map_err(|_| damaged(format!("`{ABOUT}` is not text")))?;
    let about: About = toml::from_str(&about).map_err(|error| damaged(error.message().to_owned()))?;
    if about.version != VERSION {
        return Err(damaged(format!("it has version {}, this Hone reads {VERSION}", about.version)));
    }
    let state = verified(folder, STATE)?;
    let tensors = SafeTensors::deserialize(&state).map_err(|error| damaged(error.to_string()))?;
    let numbers = |name: &str| {
        let tensor = tensors.tensor(name).map_err(|error| damaged(error.to_string()))?;
        if tensor.dtype() != Dtype::F32 {
            return Err(damaged(format!("`{name}` is not f32")));
        }
        let numbers = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        Ok(numbers.collect::<Vec<f32>>())
    };
    let coded = |name: &str| {
        let tensor = tensors.tensor(name).map_err(|error| damaged(error.to_string()))?;
        Ok::<_, TrainError>(Coded { codes: tensor.data().to_vec(), scales: numbers(&format!("{name}_scales"))? })
    };
    let eight_bit = tensors.tensor("exp_avg").is_ok_and(|tensor| tensor.dtype() == Dtype::U8);
    let moments = if eight_bit {
        Moments::Eight { exp_avg: coded("exp_avg")?, exp_avg_sq: coded("exp_avg_sq")? }
    } else {
        Moments::Full { exp_avg: numbers("exp_avg")?, exp_avg_sq: numbers("exp_avg_sq")? }
    };
    let checkpoint = Checkpoint {
        progress: about.progress,
        fingerprint: about.fingerprint,
        params: Cow::Owned(numbers("params")?),
        moments: Cow::Owned(moments),
        best_params: Cow::Owned(numbers("best_params")?),
    };
    let len = checkpoint.params.len();
    let best_fits = [0, len].contains(&checkpoint.best_params.len());
    if checkpoint.moments.len() != len || !checkpoint.moments.is_whole() || !best_fits {
        return Err(damaged("its parts differ in length".to_owned()));
    }
    Ok(checkpoint)
}

/// Reads back what [`write`] wrote.
///
/// # Errors
/// [`TrainError::DamagedCheckpoint`] when the disk gives something else.
pub(super) fn verify(folder: &Path) -> Result<()> {
    verified(folder, ABOUT)?;
    verified(folder, STATE)?;
    Ok(())
}

/// The bytes of one file, if they have their sum.
fn verified(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let damaged = |problem: String| TrainError::DamagedCheckpoint { path: folder.to_owned(), problem };
    let read = |name: &str| fs::read(&folder.join(name)).map_err(|error| damaged(error.to_string()));
    let sums = String::from_utf8(read(SUMS)?).map_err(|_| damaged(format!("`{SUMS}` is not text")))?;
    let bytes = read(name)?;
    let line = format!("{}  {name}", sum(&bytes));
    if sums.lines().any(|known| known == line) {
        return Ok(bytes);
    }
    Err(damaged(format!("`{name}` is not what was written")))
}

fn state_bytes(checkpoint: &Checkpoint<'_>) -> std::result::Result<Vec<u8>, safetensors::SafeTensorError> {
    let mut parts: Vec<(&str, Dtype, &[u8])> = vec![("params", Dtype::F32, bytemuck::cast_slice(&checkpoint.params))];
    match &*checkpoint.moments {
        Moments::Full { exp_avg, exp_avg_sq } => {
            parts.push(("exp_avg", Dtype::F32, bytemuck::cast_slice(exp_avg)));
            parts.push(("exp_avg_sq", Dtype::F32, bytemuck::cast_slice(exp_avg_sq)));
        }
        Moments::Eight { exp_avg, exp_avg_sq } => {
            parts.push(("exp_avg", Dtype::U8, &exp_avg.codes));
            parts.push(("exp_avg_scales", Dtype::F32, bytemuck::cast_slice(&exp_avg.scales)));
            parts.push(("exp_avg_sq", Dtype::U8, &exp_avg_sq.codes));
            parts.push(("exp_avg_sq_scales", Dtype::F32, bytemuck::cast_slice(&exp_avg_sq.scales)));
        }
    }
    parts.push(("best_params", Dtype::F32, bytemuck::cast_slice(&checkpoint.best_params)));
    let views = parts
        .into_iter()
        .map(|(name, dtype, bytes)| {
            let size = if dtype == Dtype::U8 { 1 } else { size_of::<f32>() };
            Ok((name, TensorView::new(dtype, vec![bytes.len() / size], bytes)?))
        })
        .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()?;
    safetensors::serialize(views, None)
}

fn sum(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
