//! The engine against the same model composed of candle's tensor operations and differentiated by candle.
//!
//! Only operations whose gradient candle really has are used: its fused norm, softmax and rotary embedding drop the gradient
//! without a word.

use candle_core::quantized::GgmlDType;
use candle_core::{D, DType, Device, Tensor, Var};
use hone_model::weights::dequantise;
use hone_model::{Adapter, Decoder, LoraConfig, StepOptions, TargetModule};

use crate::tiny::{self, HEAD_SIZE, HEADS, HIDDEN, KV_HEADS, LAYERS, Tiny, WINDOW};

struct Oracle<'a> {
    tiny: &'a Tiny,
    adapter: &'a Adapter,
    /// As `adapter.tensors()`.
    variables: Vec<Var>,
}

impl<'a> Oracle<'a> {
    fn new(tiny: &'a Tiny, adapter: &'a Adapter) -> Self {
        let variable = |tensor: &hone_model::lora::AdapterTensor| {
            let values = &adapter.params()[tensor.range.clone()];
            Var::from_tensor(&Tensor::from_slice(values, &tensor.shape[..], &Device::Cpu).unwrap()).unwrap()
        };
        Self { tiny, adapter, variables: adapter.tensors().iter().map(variable).collect() }
    }

    fn weight(&self, name: &str) -> Tensor {
        let entry = self.tiny.file.tensor(name).unwrap();
        Tensor::from_vec(dequantise(&self.tiny.file, entry).unwrap(), &entry.shape[..], &Device::Cpu).unwrap()
    }

    fn norm(&self, x: &Tensor, name: &str) -> Tensor {
        candle_nn::ops::rms_norm_slow(&x.contiguous().unwrap(), &self.weight(name), 1e-6).unwrap()
    }

    fn linear(&self, x: &Tensor, layer: usize, module: TargetModule) -> Tensor {
        let weight = self.weight(&format!("blk.{layer}.{}.weight", module.gguf_name()));
        let y = x.matmul(&weight.t().unwrap()).unwrap();
        let path = format!("layers.{layer}.{}.{}.", module.parent(), module.name());
        let of = |part: &str| {
            let named =
                |tensor: &hone_model::lora::AdapterTensor| tensor.name.contains(&path) && tensor.name.contains(part);
            self.adapter.tensors().iter().position(named).map(|at| self.variables[at].as_tensor())
        };
        let (Some(a), Some(b)) = (of("lora_A"), of("lora_B")) else { return y };
        let through = x.matmul(&a.t().unwrap()).unwrap().matmul(&b.t().unwrap()).unwrap();
        let scaling = f64::from(self.adapter.config().scaling());
        (y + (through * scaling).unwrap()).unwrap()
    }

    /// `[tokens, heads · size]` to `[heads, tokens, size]`, normed and rotated.
    fn heads(&self, x: &Tensor, heads: usize, norm: Option<&str>, base: f64) -> Tensor {
        let tokens = x.dim(0).unwrap();
        let x = x.reshape((tokens, heads, HEAD_SIZE)).unwrap();
        let Some(norm) = norm else { return x.transpose(0, 1).unwrap().contiguous().unwrap() };
        let x = self.norm(&x, norm).transpose(0, 1).unwrap().contiguous().unwrap();
        let half = HEAD_SIZE / 2;
        let angle = |at: usize| (at / half) as f64 / base.powf((2 * (at % half)) as f64 / HEAD_SIZE as f64);
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f32> = (0..tokens * half).map(|at| f(angle(at)) as f32).collect();
            Tensor::from_vec(values, (tokens, half), &Device::Cpu).unwrap()
        };
        candle_nn::rotary_emb::rope_slow(&x.unsqueeze(0).unwrap(), &table(f64::cos), &table(f64::sin))
            .unwrap()
            .squeeze(0)
            .unwrap()
    }

    fn attention(&self, x: &Tensor, layer: usize) -> Tensor {
        let tokens = x.dim(0).unwrap();
        let global = (layer + 1).is_multiple_of(6);
        let base = if global { 1e6 } else { 1e4 };
        let name = |leaf: &str| format!("blk.{layer}.{leaf}.weight");
        let q = self.linear(x, layer, TargetModule::QProj);
        let k = self.linear(x, layer, TargetModule::KProj);
        let v = self.linear(x, layer, TargetModule::VProj);
        let q = self.heads(&q, HEADS, Some(&name("attn_q_norm")), base);
        let repeated = |x: Tensor| {
            let shape = (KV_HEADS, HEADS / KV_HEADS, tokens, HEAD_SIZE);
            let x = x.unsqueeze(1).unwrap().broadcast_as(shape).unwrap();
            x.reshape((HEADS, tokens, HEAD_SIZE)).unwrap()
        };
        let k = repeated(self.heads(&k, KV_HEADS, Some(&name("attn_k_norm")), base));
        let v = repeated(self.heads(&v, KV_HEADS, None, base));
        let scores = q.matmul(&k.transpose(1, 2).unwrap()).unwrap() * (1.0 / (HEAD_SIZE as f64).sqrt());
        let seen = |at: usize| {
            let (query, key) = (at / tokens, at % tokens);
            key <= query && (global || query - key < WINDOW)
        };
        let mask: Vec<f32> = (0..tokens * tokens).map(|at| if seen(at) { 0.0 } else { f32::NEG_INFINITY }).collect();
        let mask = Tensor::from_vec(mask, (1, tokens, tokens), &Device::Cpu).unwrap();
        let p = candle_nn::ops::softmax(&scores.unwrap().broadcast_add(&mask).unwrap(), D::Minus1).unwrap();
        let out = p.matmul(&v).unwrap().transpose(0, 1).unwrap().contiguous().unwrap();
        self.linear(&out.reshape((tokens, HEADS * HEAD_SIZE)).unwrap(), layer, TargetModule::OProj)
    }

    fn logits(&self, ids: &[u32]) -> Tensor {
        let embedding = self.weight("token_embd.weight");
        let ids = Tensor::from_slice(ids, ids.len(), &Device::Cpu).unwrap();
        let mut x = (embedding.index_select(&ids, 0).unwrap() * (HIDDEN as f64).sqrt()).unwrap();
        for layer in 0..LAYERS {
            let name = |leaf: &str| format!("blk.{layer}.{leaf}.weight");
            let attended = self.attention(&self.norm(&x, &name("attn_norm")), layer);
            x = (x + self.norm(&attended, &name("post_attention_norm"))).unwrap();
            let h = self.norm(&x, &name("ffn_norm"));
            let gate = self.linear(&h, layer, TargetModule::GateProj).gelu().unwrap();
            let up = self.linear(&h, layer, TargetModule::UpProj);
            let down = self.linear(&(gate * up).unwrap(), layer, TargetModule::DownProj);
            x = (x + self.norm(&down, &name("post_ffw_norm"))).unwrap();
        }
        self.norm(&x, "output_norm.weight").matmul(&embedding.t().unwrap()).unwrap()
    }

    /// Mean loss of all sequences and its gradient, laid out as the adapter.
    fn loss_and_gradients(&self, sequences: &[(Vec<u32>, Vec<i64>)]) -> (f64, usize, Vec<f32>) {
        let mut total: Option<Tensor> = None;
        let mut tokens = 0;
        for (ids, labels) in sequences {
            let rows: Vec<u32> = (1..ids.len()).filter(|at| labels[*at] >= 0).map(|at| at as u32 - 1).collect();
            if rows.is_empty() {
                continue;
            }
            tokens += rows.len();
            let targets: Vec<u32> = rows.iter().map(|row| labels[*row as usize + 1] as u32).collect();
            let index = |values: &[u32]| Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
            let logits = self.logits(ids).index_select(&index(&rows), 0).unwrap();
            let logs = candle_nn::ops::log_softmax(&logits, D::Minus1).unwrap();
            let picked = logs.gather(&index(&targets).unsqueeze(1).unwrap(), 1).unwrap().sum_all().unwrap();
            total = Some(match total {
                Some(total) => (total - picked).unwrap(),
                None => picked.neg().unwrap(),
            });
        }
        let mean = (total.unwrap() / tokens as f64).unwrap();
        let store = mean.backward().unwrap();
        let gradient = |variable: &Var| {
            let gradient = store.get(variable).expect("candle dropped a gradient in the oracle");
            gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let loss = f64::from(mean.to_dtype(DType::F32).unwrap().to_scalar::<f32>().unwrap());
        (loss, tokens, self.variables.iter().flat_map(gradient).collect())
    }
}

fn check(config: &LoraConfig) {
    let tiny = tiny::model(GgmlDType::F32);
    let decoder = Decoder::load(&tiny.file, &hone_job::Job::silent()).unwrap();
    let adapter = tiny::adapter(&decoder, config);
    let sequences = tiny::sequences();
    let (loss, tokens, gradients) = Oracle::new(&tiny, &adapter).loss_and_gradients(&sequences);

    let batch = tiny::pack(&sequences);
    let mut grads = vec![0.0; adapter.params().len()];
    let options = StepOptions::default();
    let sum = decoder.loss_and_gradients(&adapter, &batch, 1.0 / tokens as f32, &options, &mut grads).unwrap();
    assert_eq!(sum.tokens, tokens);
    assert!((sum.mean() / loss - 1.0).abs() < 1e-5, "loss {} instead of {loss}", sum.mean());
    for tensor in adapter.tensors() {
        let range = tensor.range.clone();
        let distance = tiny::distance(&grads[range.clone()], &gradients[range]);
        assert!(distance < 1e-4, "the gradient of `{}` is off by {distance:e}", tensor.name);
    }
}

#[test]
fn loss_and_every_gradient_agree_with_candle_with_all_projections_adapted() {
    check(&tiny::lora(&TargetModule::SEVEN));
}

#[test]
fn loss_and_every_gradient_agree_with_candle_with_some_projections_adapted_and_rslora() {
    let modules = [TargetModule::VProj, TargetModule::QProj, TargetModule::DownProj];
    check(&LoraConfig { use_rslora: true, ..tiny::lora(&modules) });
}

#[test]
fn logits_agree_with_candle() {
    let tiny = tiny::model(GgmlDType::F32);
    let decoder = Decoder::load(&tiny.file, &hone_job::Job::silent()).unwrap();
    let adapter = tiny::adapter(&decoder, &tiny::lora(&TargetModule::SEVEN));
    let (ids, _) = tiny::sequence(3, 90, |_| true);
    let expected: Vec<f32> = Oracle::new(&tiny, &adapter).logits(&ids).flatten_all().unwrap().to_vec1().unwrap();
    let logits = decoder.logits(Some(&adapter), &ids).unwrap();
    let distance = tiny::distance(&logits, &expected);
    assert!(distance < 1e-5, "logits are off by {distance:e}");
}
