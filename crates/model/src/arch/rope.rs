//! Rotary position embedding: how GGUF's keys and `config.json` say it. Formulas as in Transformers' `modeling_rope_utils.py`.

use std::f64::consts::PI;

use super::reader::Reader;
use super::settings::Shape;
use crate::config::RopeConfig;
use crate::error::Result;
use crate::huggingface::{Config, Keys};

/// The rotation that a GGUF file describes, but for `LongRope`, which only Phi-3 has.
pub(super) fn read(reader: &Reader<'_>, head_size: usize) -> Result<RopeConfig> {
    let base = reader.decimal_or("rope.freq_base", 10_000.0)?;
    let mut rope = RopeConfig::plain(base, reader.size_or("rope.dimension_count", head_size)?);
    rope.frequency_factors = reader.frequency_factors("rope_freqs.weight")?;
    match reader.text("rope.scaling.type") {
        None | Some("none" | "longrope") => {}
        Some("linear") => {
            let factor = reader.decimal_or("rope.scaling.factor", 1.0)?;
            // llama.cpp takes 0 for none.
            rope.scaling_factor = if factor == 0.0 { 1.0 } else { factor };
        }
        Some("yarn") => {
            for leaf in ["rope.scaling.yarn_ext_factor", "rope.scaling.yarn_attn_factor"] {
                if (reader.decimal_or(leaf, 1.0)? - 1.0).abs() > 1e-6 {
                    return Err(reader.wrong(leaf, "other than 1, which Hone does not compute"));
                }
            }
            let yarn = Yarn {
                factor: f64::from(reader.decimal_or("rope.scaling.factor", 1.0)?),
                original: reader.size_or("rope.scaling.original_context_length", reader.size("context_length")?)?
                    as f64,
                beta_fast: f64::from(reader.decimal_or("rope.scaling.yarn_beta_fast", 32.0)?),
                beta_slow: f64::from(reader.decimal_or("rope.scaling.yarn_beta_slow", 1.0)?),
            };
            if !(yarn.factor >= 1.0 && yarn.factor.is_finite()) {
                return Err(reader.wrong("rope.scaling.factor", "not a number of at least 1"));
            }
            rope.frequency_factors = yarn.frequency_factors(f64::from(base), rope.dimensions);
            let attention = f64::from(reader.decimal_or("rope.scaling.attn_factor", 1.0)?);
            rope.magnitude = (attention * magnitude(yarn.factor, 1.0)) as f32;
        }
        Some(_) => {
            let problem = "a way of stretching positions that Hone does not compute";
            return Err(reader.wrong("rope.scaling.type", problem));
        }
    }
    Ok(rope)
}

/// `YaRN` (<https://arxiv.org/abs/2309.00071>): fast pairs turn as they did, slow ones are stretched, those between by degrees.
struct Yarn {
    factor: f64,
    /// Context before it was stretched, tokens.
    original: f64,
    /// Turns within `original` from which on a pair is fast.
    beta_fast: f64,
    /// Turns within `original` up to which a pair is slow.
    beta_slow: f64,
}

impl Yarn {
    /// What the frequency of each pair is divided by.
    fn frequency_factors(&self, base: f64, dimensions: usize) -> Vec<f32> {
        let width = dimensions as f64;
        let pair_of = |turns: f64| width * (self.original / (turns * 2.0 * PI)).ln() / (2.0 * base.ln());
        let low = pair_of(self.beta_fast).floor().max(0.0);
        let mut high = pair_of(self.beta_slow).ceil().min(width - 1.0);
        if high - low == 0.0 {
            high += 0.001;
        }
        let factor = |pair: usize| {
            let kept = 1.0 - ((pair as f64 - low) / (high - low)).clamp(0.0, 1.0);
            (1.0 / ((1.0 - kept) / self.factor + kept)) as f32
        };
        (0..dimensions / 2).map(factor).collect()
    }
}

/// How much longer queries and keys become where positions are stretched (`YaRN`, equation 22).
fn magnitude(factor: f64, scale: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { 0.1 * scale * factor.ln() + 1.0 }
}

/// Writes the rotation of a `config.json` whose rotary settings are in `section`; `theta` is the base where it names none.
///
/// Returns how many leading numbers of a head are rotated.
pub(super) fn write(
    config: &Config,
    section: Option<&Config>,
    theta: f64,
    shape: &Shape,
    keys: &mut Keys,
) -> Result<u32> {
    let part = match section.map(|section| section.decimal("partial_rotary_factor")).transpose()?.flatten() {
        Some(part) => part,
        None => config.decimal("partial_rotary_factor")?.unwrap_or(1.0),
    };
    if !(part > 0.0 && part <= 1.0) {
        return Err(config.wrong("partial_rotary_factor", "not a part of a head"));
    }
    let dimensions = (f64::from(shape.head_size) * part) as u32;
    keys.number("rope.dimension_count", dimensions);
    let base = match section.map(|section| section.decimal("rope_theta")).transpose()?.flatten() {
        Some(base) => base,
        None => theta,
    };
    keys.decimal("rope.freq_base", base);
    let Some(section) = section else { return Ok(dimensions) };
    let key = if section.get("rope_type").is_some() { "rope_type" } else { "type" };
    match section.text(key)?.unwrap_or("default") {
        "default" => {}
        "linear" => {
            keys.text("rope.scaling.type", "linear");
            keys.decimal("rope.scaling.factor", section.decimal_needed("factor")?);
        }
        "llama3" => keys.vector("rope_freqs.weight", llama3(config, section, base, dimensions, shape)?),
        "yarn" => yarn(config, section, shape, keys)?,
        "longrope" | "su" => longrope(config, section, shape, keys)?,
        _ => return Err(section.wrong(key, "a way of stretching positions that Hone does not compute")),
    }
    Ok(dimensions)
}

/// The context before it was stretched, tokens.
fn original(config: &Config, section: &Config, shape: &Shape) -> Result<u32> {
    const KEY: &str = "original_max_position_embeddings";
    config.size_or(KEY, section.size_or(KEY, shape.context_length)?)
}

/// Llama 3.1's factors: long waves are stretched, short ones stay, those between by degrees.
fn llama3(config: &Config, section: &Config, base: f64, dimensions: u32, shape: &Shape) -> Result<Vec<f32>> {
    let factor = section.decimal_needed("factor")?;
    let (low, high) = (section.decimal_needed("low_freq_factor")?, section.decimal_needed("high_freq_factor")?);
    if !(factor >= 1.0 && low > 0.0 && high > low) {
        return Err(section.wrong("factor", "which does not fit `low_freq_factor` and `high_freq_factor`"));
    }
    let original = f64::from(original(config, section, shape)?);
    let of = |pair: u32| {
        let wave = 2.0 * PI * base.powf(f64::from(2 * pair) / f64::from(dimensions));
        let kept = ((original / wave - low) / (high - low)).clamp(0.0, 1.0);
        (1.0 / ((1.0 - kept) / factor + kept)) as f32
    };
    Ok((0..dimensions / 2).map(of).collect())
}

fn yarn(config: &Config, section: &Config, shape: &Shape, keys: &mut Keys) -> Result<()> {
    let original = original(config, section, shape)?;
    let by_length = f64::from(shape.context_length) / f64::from(original);
    let factor = section.decimal("factor")?.unwrap_or(by_length);
    if factor < 1.0 {
        return Err(section.wrong("factor", "below 1"));
    }
    if !section.flag_or("truncate", true)? {
        return Err(section.wrong("truncate", "which neither Hone nor llama.cpp computes"));
    }
    keys.text("rope.scaling.type", "yarn");
    keys.decimal("rope.scaling.factor", factor);
    keys.number("rope.scaling.original_context_length", original);
    for (written, leaf, default) in [("beta_fast", "yarn_beta_fast", 32.0), ("beta_slow", "yarn_beta_slow", 1.0)] {
        let beta = section.decimal(written)?.filter(|beta| *beta != 0.0).unwrap_or(default);
        if beta - default != 0.0 {
            keys.decimal(&format!("rope.scaling.{leaf}"), beta);
        }
    }
    let set = |key: &str| section.decimal(key).map(|scale| scale.filter(|scale| *scale != 0.0));
    let attention = match (section.decimal("attention_factor")?, set("mscale")?, set("mscale_all_dim")?) {
        (Some(attention), _, _) => attention,
        (None, Some(scale), Some(all)) => magnitude(factor, scale) / magnitude(factor, all),
        _ => magnitude(factor, 1.0),
    };
    // llama.cpp multiplies by the paper's magnitude itself.
    let rest = attention / magnitude(factor, 1.0);
    if (rest - 1.0).abs() > 1e-7 {
        keys.decimal("rope.scaling.attn_factor", rest);
    }
    Ok(())
}

fn longrope(config: &Config, section: &Config, shape: &Shape, keys: &mut Keys) -> Result<()> {
    let original = original(config, section, shape)?;
    let by_length = f64::from(shape.context_length) / f64::from(original);
    let factor = section.decimal("factor")?.unwrap_or(by_length);
    let of_length = || if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / f64::from(original).ln()).sqrt() };
    keys.text("rope.scaling.type", "longrope");
    keys.number("rope.scaling.original_context_length", original);
    keys.decimal("rope.scaling.attn_factor", section.decimal("attention_factor")?.unwrap_or_else(of_length));
    keys.vector("rope_factors_short.weight", section.decimals("short_factor")?);
    keys.vector("rope_factors_long.weight", section.decimals("long_factor")?);
    Ok(())
}
