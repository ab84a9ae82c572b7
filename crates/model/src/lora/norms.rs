//! The lengths that the rows of adapted weights have now, which `DoRA` divides by.

use super::{Adapter, TargetModule};
use crate::config::DecoderConfig;
use crate::error::Result;
use crate::ops;
use crate::pool::Pool;
use crate::weights::{Frozen, Weights};

/// `|W + scaling · B · A|`, row by row, of every adapted projection of every layer. They depend on the adapter alone and so
/// are computed once for all that is done with one state of it.
pub(crate) struct RowNorms(Vec<[Vec<f32>; TargetModule::ALL.len()]>);

impl RowNorms {
    /// Of an adapter; `None` for one that does not look at them.
    ///
    /// # Errors
    /// When a frozen matrix cannot be expanded.
    pub(crate) fn of_adapter(
        adapter: &Adapter,
        config: &DecoderConfig,
        weights: &Weights,
        pool: &Pool,
    ) -> Result<Option<Self>> {
        if !adapter.config().use_dora {
            return Ok(None);
        }
        let mut layers = Vec::new();
        for (index, layer) in weights.layers.iter().enumerate() {
            let mut norms: [Vec<f32>; TargetModule::ALL.len()] = Default::default();
            let stacks: [(&Frozen, &[TargetModule]); 4] = [
                (&layer.qkv, TargetModule::qkv(config)),
                (&layer.output, &[TargetModule::OProj]),
                (&layer.gate_up, TargetModule::gate_up(config)),
                (&layer.down, &[TargetModule::DownProj]),
            ];
            for (stack, modules) in stacks {
                let mut first = 0;
                for module in modules {
                    let rows = first..first + module.shape(config)[0];
                    first = rows.end;
                    if let Some(slot) = adapter.slot(index, *module) {
                        let weight = stack.rows(rows, pool)?;
                        let (a, b) = (&adapter.params()[slot.a.clone()], &adapter.params()[slot.b.clone()]);
                        let lora = adapter.config();
                        norms[*module as usize] = ops::row_norms(pool, &weight, b, a, lora.rank, lora.scaling());
                    }
                }
            }
            layers.push(norms);
        }
        Ok(Some(Self(layers)))
    }

    /// Of one projection; empty where it is not adapted.
    pub(crate) fn of(&self, layer: usize, module: TargetModule) -> &[f32] {
        &self.0[layer][module as usize]
    }
}
