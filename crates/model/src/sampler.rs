//! Which token comes next, from its logits.

use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling};

use crate::generate::GenerateOptions;

/// Draws the tokens of one prompt. The steps come in llama.cpp's order: the repeat penalty, then `top_k`, `top_p` and `min_p`
/// on the model's own probabilities, then the temperature.
pub(crate) struct Sampler {
    options: GenerateOptions,
    /// Applies the temperature to what is kept and draws.
    processor: LogitsProcessor,
    /// The newest tokens of prompt and text, for the penalty.
    recent: Vec<u32>,
}

impl Sampler {
    /// For prompt number `prompt` of a call.
    pub(crate) fn new(options: &GenerateOptions, prompt: usize, ids: &[u32]) -> Self {
        let recent = ids[ids.len().saturating_sub(options.repeat_last)..].to_vec();
        let sampling = Sampling::All { temperature: options.temperature };
        let processor = LogitsProcessor::from_sampling(options.seed.wrapping_add(prompt as u64), sampling);
        Self { options: options.clone(), processor, recent }
    }

    /// The next token. Without a temperature it is the likeliest (the first of equals).
    pub(crate) fn choose(&mut self, logits: &mut [f32]) -> u32 {
        self.penalise(logits);
        let id = if self.options.temperature <= 0.0 { likeliest(logits) } else { self.draw(logits) };
        if self.options.repeat_last > 0 {
            self.recent.push(id);
            let excess = self.recent.len().saturating_sub(self.options.repeat_last);
            self.recent.drain(..excess);
        }
        id
    }

    /// Keskar et al. 2019 (<https://arxiv.org/abs/1909.05858>): positive logits of recent tokens are divided, negative ones
    /// multiplied; each token once.
    fn penalise(&self, logits: &mut [f32]) {
        let penalty = self.options.repeat_penalty as f32;
        if (penalty - 1.0).abs() < f32::EPSILON {
            return;
        }
        for (at, id) in self.recent.iter().enumerate() {
            if let Some(logit) = logits.get_mut(*id as usize).filter(|_| !self.recent[..at].contains(id)) {
                *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
            }
        }
    }

    fn draw(&mut self, logits: &[f32]) -> u32 {
        let mut kept: Vec<(u32, f32)> = logits.iter().enumerate().map(|(id, logit)| (id as u32, *logit)).collect();
        // Falling, the first of equals first, so that the same logits always give the same order.
        let falling = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        let top_k = self.options.top_k.unwrap_or(usize::MAX).max(1);
        if top_k < kept.len() {
            kept.select_nth_unstable_by(top_k, falling);
            kept.truncate(top_k);
        }
        if self.options.top_p.is_some_and(|p| p < 1.0) {
            kept.sort_unstable_by(falling);
            kept.truncate(nucleus(&kept, self.options.top_p.unwrap_or(1.0)));
        }
        let highest = kept.iter().fold(f32::NEG_INFINITY, |most, (_, logit)| most.max(*logit));
        if let Some(min_p) = self.options.min_p.filter(|min_p| *min_p > 0.0) {
            // A probability of `min_p` times the highest is a logit that much lower.
            let least = highest + min_p.min(1.0).ln() as f32;
            kept.retain(|(_, logit)| *logit >= least);
        }
        if kept.is_empty() {
            return likeliest(logits);
        }
        let below: Vec<f32> = kept.iter().map(|(_, logit)| logit - highest).collect();
        let drawn =
            Tensor::from_slice(&below, below.len(), &Device::Cpu).and_then(|below| self.processor.sample(&below));
        // Nothing can be drawn from logits that are not numbers.
        drawn.ok().and_then(|at| kept.get(at as usize)).map_or_else(|| likeliest(logits), |(id, _)| *id)
    }
}

/// How many of the sorted tokens it takes to reach the probability `top_p`.
fn nucleus(kept: &[(u32, f32)], top_p: f64) -> usize {
    let highest = kept.first().map_or(0.0, |(_, logit)| *logit);
    let weights = || kept.iter().map(|(_, logit)| f64::from(logit - highest).exp());
    let total: f64 = weights().sum();
    let mut reached = 0.0;
    for (at, weight) in weights().enumerate() {
        reached += weight / total;
        if reached >= top_p {
            return at + 1;
        }
    }
    kept.len()
}

/// The first of the highest.
fn likeliest(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (id, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = id;
        }
    }
    best as u32
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // zero is exact
mod tests {
    use super::*;

    /// Probabilities 0.5, 0.25, 0.15, 0.1 at tokens 3, 0, 2, 1.
    const PROBABILITIES: [f32; 4] = [0.25, 0.1, 0.15, 0.5];

    fn shares(change: impl FnOnce(&mut GenerateOptions)) -> [f64; 4] {
        let mut options = GenerateOptions { temperature: 1.0, repeat_penalty: 1.0, ..GenerateOptions::default() };
        change(&mut options);
        let mut sampler = Sampler::new(&options, 0, &[]);
        let mut counts = [0.0; 4];
        for _ in 0..20_000 {
            let mut logits = PROBABILITIES.map(f32::ln);
            counts[sampler.choose(&mut logits) as usize] += 1.0 / 20_000.0;
        }
        counts
    }

    #[track_caller]
    fn check(found: [f64; 4], expected: [f64; 4]) {
        for (found, expected) in found.iter().zip(expected) {
            // Five standard deviations of a share among 20,000 draws are 0.018 at most.
            let allowed = if expected == 0.0 { 0.0 } else { 0.018 };
            assert!((found - expected).abs() <= allowed, "{found}, expected {expected}");
        }
    }

    #[test]
    fn tokens_come_as_often_as_their_probabilities_say() {
        check(shares(|_| {}), [0.25, 0.1, 0.15, 0.5]);
        // A temperature of 2 takes the square root: 0.5, 0.3162, 0.3873, 0.7071 over 1.9106.
        check(shares(|options| options.temperature = 2.0), [0.2617, 0.1655, 0.2027, 0.3701]);
    }

    #[test]
    fn top_k_top_p_and_min_p_keep_what_they_say() {
        check(shares(|options| options.top_k = Some(2)), [1.0 / 3.0, 0.0, 0.0, 2.0 / 3.0]);
        // 0.5 is not enough for 0.6; 0.75 is.
        check(shares(|options| options.top_p = Some(0.6)), [1.0 / 3.0, 0.0, 0.0, 2.0 / 3.0]);
        // A fifth of 0.5 is 0.1, a little more leaves the last one out.
        check(shares(|options| options.min_p = Some(0.21)), [0.25 / 0.9, 0.0, 0.15 / 0.9, 0.5 / 0.9]);
    }

    #[test]
    fn a_penalty_makes_what_was_said_less_likely_once_however_often_it_was_said() {
        let options = GenerateOptions { repeat_penalty: 2.0, repeat_last: 3, ..GenerateOptions::default() };
        let mut sampler = Sampler::new(&options, 0, &[2, 0, 0, 1]);
        let mut logits = [3.0, -1.0, 2.0, 1.0];
        // Token 2 lies too far back; 3 / 2 and -1 * 2 do not.
        assert_eq!(sampler.choose(&mut logits), 2);
        assert_eq!(logits.map(f32::to_bits), [1.5f32, -2.0, 2.0, 1.0].map(f32::to_bits));
    }

    #[test]
    fn a_seed_repeats_itself_and_prompts_differ() {
        let options = GenerateOptions { temperature: 1.0, seed: 5, ..GenerateOptions::default() };
        let draw = |prompt| {
            let mut sampler = Sampler::new(&options, prompt, &[]);
            (0..50).map(|_| sampler.choose(&mut PROBABILITIES.map(f32::ln))).collect::<Vec<u32>>()
        };
        assert_eq!(draw(0), draw(0));
        assert_ne!(draw(0), draw(1));
    }
}
