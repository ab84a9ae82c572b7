//! Every backward pass against finite differences of its forward pass, and forward passes against plain f64 loops.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::linear::{Linear, LoraGroup, LoraPiece};
use super::*;
use crate::config::{Activation, RopeConfig};
use crate::objective::Objective;
use crate::pool::Pool;

const BIAS: &[f32] = &[0.5, -1.0, 0.25, 0.0, 2.0, -0.5, 1.0, 0.75, -0.25, 0.1, -2.0, 0.3, 1.5];

fn random(seed: u64, length: usize) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..length).map(|_| random.random_range(-1.0..1.0)).collect()
}

fn inner(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// Compares `gradient` of the function `value` at `x` with central differences along three random directions.
#[track_caller]
fn check_gradient(x: &[f32], gradient: &[f32], value: impl Fn(&[f32]) -> f64) {
    const STEP: f32 = 5e-3;
    for seed in 100..103 {
        let direction = random(seed, x.len());
        let moved = |step: f32| -> Vec<f32> { x.iter().zip(&direction).map(|(x, d)| x + step * d).collect() };
        let measured = (value(&moved(STEP)) - value(&moved(-STEP))) / (2.0 * f64::from(STEP));
        let expected = inner(gradient, &direction);
        let size = (inner(gradient, gradient) * inner(&direction, &direction)).sqrt().max(1e-3);
        assert!(
            (measured - expected).abs() < 2e-3 * size,
            "measured {measured}, gradient says {expected}, size {size}"
        );
    }
}

#[test]
fn rms_norm_has_unit_mean_square_before_its_weight() {
    let (x, mut y) = (random(1, 3 * 24), vec![0.0; 3 * 24]);
    rms_forward(&x, &[1.0; 24], 0.0, &mut y);
    for row in y.chunks(24) {
        assert!((inner(row, row) / 24.0 - 1.0).abs() < 1e-5);
    }
}

#[test]
fn the_gradient_of_rms_norm_is_that_of_finite_differences() {
    let (x, weight, dy) = (random(1, 5 * 24), random(2, 24), random(3, 5 * 24));
    let value = |x: &[f32]| {
        let mut y = vec![0.0; x.len()];
        rms_forward(x, &weight, 1e-6, &mut y);
        inner(&y, &dy)
    };
    let mut gradient = dy.clone();
    rms_backward(&mut gradient, &x, &weight, 1e-6);
    check_gradient(&x, &gradient, value);

    let mut sum = vec![1.0; x.len()];
    rms_backward_add(&mut dy.clone(), &x, &weight, 1e-6, &mut sum);
    for (sum, gradient) in sum.iter().zip(&gradient) {
        assert!((sum - 1.0 - gradient).abs() < 1e-5);
    }
}

/// Rows without gaps.
fn glu(activation: Activation, width: usize) -> Glu {
    Glu { activation, width, gate_up_step: 2 * width, step: width }
}

/// Rows of `width` numbers, each followed by `gap` that mean nothing, for a result or as a gradient that is zero there.
fn spread(values: &[f32], width: usize, gap: usize) -> Vec<f32> {
    values.chunks_exact(width).flat_map(|row| row.iter().copied().chain(vec![0.0; gap])).collect()
}

#[test]
fn the_gradient_of_the_gated_activation_is_that_of_finite_differences() {
    let (x, dy) = (random(1, 3 * 40).iter().map(|x| x * 3.0).collect::<Vec<_>>(), random(2, 3 * 20));
    for (activation, gap) in
        [(Activation::Gelu, 0), (Activation::Silu, 0), (Activation::Gelu, 3), (Activation::Silu, 5)]
    {
        let glu = Glu { gate_up_step: 40 + gap, step: 20 + 2 * gap, ..glu(activation, 20) };
        let (x, dy) = (spread(&x, 40, gap), spread(&dy, 20, 2 * gap));
        let value = |x: &[f32]| {
            let mut y = vec![0.0; dy.len()];
            glu_forward(glu, x, &mut y);
            inner(&y, &dy)
        };
        let mut gradient = x.clone();
        glu_backward(glu, &dy, &mut gradient);
        check_gradient(&x, &gradient, value);
    }
}

#[test]
fn the_gated_activations_agree_with_their_formulas() {
    let gate_up = [-2.0, 0.5, 3.0, 1.0, 2.0, -1.0];
    let mut y = [0.0; 3];
    glu_forward(glu(Activation::Silu, 3), &gate_up, &mut y);
    // x / (1 + e^-x) times the second half, in f64.
    let silu = |x: f64| x / (1.0 + (-x).exp());
    for (y, expected) in y.iter().zip([silu(-2.0), 2.0 * silu(0.5), -silu(3.0)]) {
        assert!((f64::from(*y) - expected).abs() < 1e-6, "{y} instead of {expected}");
    }
    glu_forward(glu(Activation::Gelu, 3), &gate_up, &mut y);
    // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) times the second half, with f64 tanh.
    let gelu = |x: f64| 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh());
    for (y, expected) in y.iter().zip([gelu(-2.0), 2.0 * gelu(0.5), -gelu(3.0)]) {
        assert!((f64::from(*y) - expected).abs() < 1e-6, "{y} instead of {expected}");
    }
}

#[test]
fn rotation_depends_on_distance_alone_and_turns_back() {
    // Three of the four pairs of a head are rotated, as in Phi-4-mini, with a factor on each frequency, as in Llama 3.1.
    let config = RopeConfig { frequency_factors: vec![1.0, 1.5, 8.0], ..RopeConfig::plain(10_000.0, 6) };
    let table = RopeTable::new(&config, 50);
    let (q, k) = (random(1, 8), random(2, 8));
    let score = |query: usize, key: usize| {
        let (mut q, mut k) = (q.clone(), k.clone());
        rotate(&mut q, table.at(query), false);
        rotate(&mut k, table.at(key), false);
        inner(&q, &k)
    };
    assert!((score(9, 4) - score(45, 40)).abs() < 1e-5);
    assert!((score(9, 4) - score(9, 5)).abs() > 1e-3);
    let mut turned = q.clone();
    rotate(&mut turned, table.at(17), false);
    assert!(turned[..6].iter().zip(&q).all(|(turned, q)| (turned - q).abs() > 1e-6) && turned[6..] == q[6..]);
    rotate(&mut turned, table.at(17), true);
    for (turned, q) in turned.iter().zip(&q) {
        assert!((turned - q).abs() < 1e-6);
    }
}

/// Attention by its definition, in f64.
fn plain_attention(shape: &AttentionShape, qkv: &[f32], starts: &[usize], tokens: usize) -> Vec<f64> {
    let (size, width) = (shape.head_size, (shape.heads + 2 * shape.kv_heads) * shape.head_size);
    let mut out = vec![0.0; tokens * shape.heads * size];
    for query in 0..tokens {
        let start = *starts.iter().rfind(|start| **start <= query).unwrap();
        for head in 0..shape.heads {
            let kv_head = head / (shape.heads / shape.kv_heads);
            let at = |token: usize, head: usize| &qkv[token * width + head * size..][..size];
            let keys: Vec<usize> =
                (start..=query).filter(|key| shape.window.is_none_or(|window| query - key < window)).collect();
            let scores: Vec<f64> = keys
                .iter()
                .map(|key| inner(at(query, head), at(*key, shape.heads + kv_head)) * f64::from(shape.scale))
                .map(|score| shape.softcap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh()))
                .collect();
            let total: f64 = scores.iter().map(|score| score.exp()).sum();
            for (key, score) in keys.iter().zip(&scores) {
                let value = at(*key, shape.heads + shape.kv_heads + kv_head);
                for (i, value) in value.iter().enumerate() {
                    out[(query * shape.heads + head) * size + i] += score.exp() / total * f64::from(*value);
                }
            }
        }
    }
    out
}

/// Sequences of 150, 1 and 70 tokens: more than one block of queries, and less.
const STARTS: [usize; 3] = [0, 150, 151];
const TOKENS: usize = 221;

fn shapes() -> [AttentionShape; 4] {
    let shape = |heads, kv_heads, window| {
        let (step, out_step) = ((heads + 2 * kv_heads) * 8, heads * 8);
        AttentionShape { heads, kv_heads, head_size: 8, scale: 0.7, softcap: None, window, step, out_step }
    };
    let capped = AttentionShape { softcap: Some(1.5), ..shape(4, 2, None) };
    [shape(4, 1, None), shape(4, 2, Some(20)), shape(2, 2, Some(100)), capped]
}

fn attend(shape: &AttentionShape, qkv: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let mut out = vec![f32::NAN; TOKENS * shape.heads * shape.head_size];
    let mut log_sums = vec![f32::NAN; TOKENS * shape.heads];
    attention_forward(&Pool::default(), shape, qkv, &STARTS, &mut out, &mut log_sums);
    (out, log_sums)
}

#[test]
fn attention_is_what_its_definition_says() {
    for shape in shapes() {
        let qkv = random(5, TOKENS * (shape.heads + 2 * shape.kv_heads) * 8);
        let (out, _) = attend(&shape, &qkv);
        for (out, expected) in out.iter().zip(plain_attention(&shape, &qkv, &STARTS, TOKENS)) {
            assert!((f64::from(*out) - expected).abs() < 1e-5, "{out} instead of {expected} with {shape:?}");
        }
    }
}

#[test]
fn the_gradient_of_attention_is_that_of_finite_differences() {
    for shape in shapes() {
        let qkv = random(5, TOKENS * (shape.heads + 2 * shape.kv_heads) * 8);
        let dout = random(6, TOKENS * shape.heads * 8);
        let (out, log_sums) = attend(&shape, &qkv);
        let mut gradient = vec![f32::NAN; qkv.len()];
        attention_backward(&Pool::default(), &shape, &qkv, &STARTS, (&out, &log_sums), &dout, &mut gradient);
        check_gradient(&qkv, &gradient, |qkv| inner(&attend(&shape, qkv).0, &dout));

        // The same numbers in rows that do not touch.
        let (width, out_width) = (shape.step, shape.out_step);
        let apart = AttentionShape { step: width + 3, out_step: out_width + 5, ..shape };
        let (qkv, out, dout) = (spread(&qkv, width, 3), spread(&out, out_width, 5), spread(&dout, out_width, 5));
        let mut again = vec![0.0; TOKENS * apart.out_step];
        attention_forward(&Pool::default(), &apart, &qkv, &STARTS, &mut again, &mut log_sums.clone());
        assert_eq!(again, out);
        let mut again = vec![0.0; qkv.len()];
        attention_backward(&Pool::default(), &apart, &qkv, &STARTS, (&out, &log_sums), &dout, &mut again);
        assert_eq!(again, spread(&gradient, width, 3));
    }
}

#[test]
fn attention_over_a_cache_is_the_last_row_of_attention() {
    for shape in shapes() {
        let width = (shape.heads + 2 * shape.kv_heads) * 8;
        let qkv = random(5, TOKENS * width);
        let (out, _) = attend(&shape, &qkv);
        let (query_size, kv_size) = (shape.heads * 8, shape.kv_heads * 8);
        let rows = || qkv[151 * width..].chunks_exact(width);
        let keys: Vec<f32> = rows().flat_map(|row| &row[query_size..query_size + kv_size]).copied().collect();
        let values: Vec<f32> = rows().flat_map(|row| &row[query_size + kv_size..]).copied().collect();
        let mut last = vec![f32::NAN; query_size];
        let query = &qkv[(TOKENS - 1) * width..][..query_size];
        attend_cached(&Pool::default(), &shape, query, &keys, &values, &mut last);
        for (last, expected) in last.iter().zip(&out[(TOKENS - 1) * query_size..]) {
            assert!((last - expected).abs() < 1e-5);
        }
    }
}

/// Two adapted projections (of 6 and 4 columns) and one without between them, of an input of 10. With `norms` they are
/// adapted by `DoRA`, their magnitudes behind all else.
fn linear<'a>(
    weight: &'a [f32],
    params: &'a [f32],
    dropout_seed: Option<u64>,
    norms: Option<&'a [Vec<f32>; 2]>,
) -> Linear<'a> {
    let piece = |index: usize, column, out, a, b, magnitude: std::ops::Range<usize>| LoraPiece {
        column,
        out,
        a,
        b,
        dropout_seed: dropout_seed.map(|seed| seed + 1000 * index as u64),
        magnitude: norms.map(|norms| Magnitude { range: magnitude, norms: &norms[index] }),
    };
    let pieces = vec![piece(0, 0, 6, 0..30, 60..78, 90..96), piece(1, 9, 4, 30..60, 78..90, 96..100)];
    let lora = LoraGroup { params, rank: 3, scaling: 1.5, dropout: 0.3, pieces };
    let weight = Weight::Expanded(weight);
    Linear { weight, out: 13, input: 10, x_step: 10, y_step: 13, bias: Some(BIAS), lora: Some(lora) }
}

fn with_gaps(linear: Linear<'_>, x_gap: usize, y_gap: usize) -> Linear<'_> {
    Linear { x_step: linear.input + x_gap, y_step: linear.out + y_gap, ..linear }
}

#[test]
fn the_gradients_of_an_adapted_projection_are_those_of_finite_differences() {
    let (weight, params, x, dy) = (random(1, 130), random(2, 100), random(3, 70), random(4, 91));
    // The backward pass takes them for constants, and so must the differences.
    let norms = [vec![1.5, 0.8, 2.0, 1.1, 0.9, 1.3], vec![1.2, 0.7, 1.0, 1.9]];
    let cases = [
        (None, None, 0, 0),
        (None, None, 2, 3),
        (Some(9), None, 0, 4),
        (None, Some(&norms), 5, 1),
        (Some(9), Some(&norms), 0, 0),
        (Some(9), Some(&norms), 0, 2),
    ];
    for (dropout_seed, norms, x_gap, y_gap) in cases {
        let pool = Pool::default();
        let (x, dy) = (spread(&x, 10, x_gap), spread(&dy, 13, y_gap));
        let value = |params: &[f32], x: &[f32]| {
            let mut y = vec![0.0; dy.len()];
            with_gaps(linear(&weight, params, dropout_seed, norms), x_gap, y_gap).forward(&pool, x, &mut y);
            inner(&y, &dy)
        };
        let of = with_gaps(linear(&weight, &params, dropout_seed, norms), x_gap, y_gap);
        let saved = of.forward(&pool, &x, &mut vec![0.0; dy.len()]);
        let (mut grads, mut dx) = (vec![0.0; params.len()], vec![0.0; x.len()]);
        of.backward(&pool, &x, &saved, &dy, &mut grads, Some(&mut dx));
        check_gradient(&params, &grads, |params| value(params, &x));
        check_gradient(&x, &dx, |x| value(&params, x));

        let mut twice = grads.clone();
        of.backward(&pool, &x, &saved, &dy, &mut twice, None);
        for (twice, once) in twice.iter().zip(&grads) {
            assert!((twice - 2.0 * once).abs() < 1e-4, "gradients must add up");
        }
    }
}

#[test]
fn dora_gives_what_its_definition_says() {
    // One projection of everything, without dropout: gain · (W + s · B · A) x, bias apart.
    let (rank, out, input) = (2, 300, 5);
    let (weight, a, b) = (random(1, out * input), random(2, rank * input), random(3, out * rank));
    let lengths: Vec<f32> = random(4, out).iter().map(|value| value + 2.0).collect();
    let params = [a.as_slice(), &b, &lengths].concat();
    let pool = Pool::default();
    let norms = row_norms(&pool, &weight, &b, &a, rank, 0.5);
    let magnitude = Magnitude { range: a.len() + b.len()..params.len(), norms: &norms };
    let piece =
        LoraPiece { column: 0, out, a: 0..10, b: 10..10 + out * rank, dropout_seed: None, magnitude: Some(magnitude) };
    let lora = LoraGroup { params: &params, rank, scaling: 0.5, dropout: 0.0, pieces: vec![piece] };
    let bias = random(5, out);
    let at_work = Weight::Expanded(&weight);
    let linear =
        Linear { weight: at_work, out, input, x_step: input, y_step: out, bias: Some(&bias), lora: Some(lora) };
    let x = random(6, input);
    let mut y = vec![f32::NAN; out];
    linear.forward(&pool, &x, &mut y);
    for row in 0..out {
        let merged: Vec<f64> = (0..input)
            .map(|at| {
                let product: f64 = (0..rank).map(|r| f64::from(b[row * rank + r]) * f64::from(a[r * input + at])).sum();
                f64::from(weight[row * input + at]) + 0.5 * product
            })
            .collect();
        let norm = merged.iter().map(|value| value * value).sum::<f64>().sqrt();
        let through: f64 = merged.iter().zip(&x).map(|(w, x)| w * f64::from(*x)).sum();
        let expected = f64::from(lengths[row]) / norm * through + f64::from(bias[row]);
        assert!((f64::from(y[row]) - expected).abs() < 1e-5, "row {row}: {} instead of {expected}", y[row]);
    }
}

#[test]
fn the_loss_and_gradient_of_the_head_are_those_of_the_definition() {
    // More rows than one chunk, more vocabulary than one tile.
    let (rows, width, vocabulary) = (1030, 6, 4100);
    let (hidden, weight) = (random(1, rows * width), random(2, vocabulary * width));
    let ids: Vec<u32> = (0..rows).map(|row| (row * 1031 % vocabulary) as u32).collect();
    let weights: Vec<f32> = (0..rows).map(|row| (row % 5) as f32 * 0.5).collect();
    let objective = |label_smoothing, focal_gamma| Objective { label_smoothing, focal_gamma };
    let plain = objective(0.0, 0.0);
    for (softcap, objective, weights) in [
        (None, plain, None),
        (Some(0.8), plain, None),
        (None, plain, Some(&weights[..])),
        (None, objective(0.2, 0.0), None),
        (Some(0.8), objective(0.2, 0.0), Some(&weights[..])),
        (None, objective(0.0, 2.0), Some(&weights[..])),
        (Some(0.8), objective(0.0, 0.5), None),
    ] {
        let targets = Targets { ids: &ids, weights, objective };
        let head = |hidden: &[f32], gradient: Option<HeadGradient<'_>>| {
            let mut nats = vec![f64::NAN; rows];
            let lend = |range: std::ops::Range<usize>| Ok(&weight[range.start * width..range.end * width]);
            let head = Head { weight: lend, vocabulary, softcap };
            head_loss(&Pool::default(), &head, hidden, targets, &mut nats, gradient).unwrap();
            nats
        };
        let nats = head(&hidden, None);
        for (row, nats) in nats.iter().enumerate() {
            let x = &hidden[row * width..][..width];
            let logit = |id: usize| {
                let logit = inner(x, &weight[id * width..][..width]);
                softcap.map_or(logit, |cap| f64::from(cap) * (logit / f64::from(cap)).tanh())
            };
            let log_sum = (0..vocabulary).map(|id| logit(id).exp()).sum::<f64>().ln();
            let nll = log_sum - logit(ids[row] as usize);
            let everywhere = (0..vocabulary).map(|id| log_sum - logit(id)).sum::<f64>() / vocabulary as f64;
            let smoothing = f64::from(objective.label_smoothing);
            let focal = (1.0 - (-nll).exp()).powf(f64::from(objective.focal_gamma));
            let expected = f64::from(weights.map_or(1.0, |weights| weights[row]))
                * (focal * (1.0 - smoothing) * nll + smoothing * everywhere);
            assert!((nats - expected).abs() < 1e-5, "row {row}: {nats} instead of {expected}");
        }
        let mut gradient = vec![f32::NAN; hidden.len()];
        let with = head(&hidden, Some(HeadGradient { scale: 0.25, d_hidden: &mut gradient, d_weight: None }));
        assert_eq!(with, nats);
        check_gradient(&hidden, &gradient, |hidden| 0.25 * head(hidden, None).iter().sum::<f64>());
    }
}
