//! Tensor names between Transformers and GGUF.

/// Modules of a layer, with GGUF's name. Gate and up in one matrix have up's name in llama.cpp's converter.
const MODULES: &[(&str, &str)] = &[
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.qkv_proj", "attn_qkv"),
    ("self_attn.o_proj", "attn_output"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.gate_up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];
/// The norm before the feed-forward part; elsewhere than in Gemma.
const PRE_NORMS: &[(&str, &str)] = &[("post_attention_layernorm", "ffn_norm")];
/// Gemma's norms before and after both parts.
const POST_NORMS: &[(&str, &str)] = &[
    ("post_attention_layernorm", "post_attention_norm"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("post_feedforward_layernorm", "post_ffw_norm"),
];
/// Outside the layers.
const OUTER: &[(&str, &str)] = &[
    ("model.embed_tokens.weight", "token_embd.weight"),
    ("model.norm.weight", "output_norm.weight"),
    ("lm_head.weight", "output.weight"),
];

fn modules(architecture: &str) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    MODULES.iter().chain(if architecture.starts_with("gemma") { POST_NORMS } else { PRE_NORMS })
}

/// GGUF's name of a tensor; `None` for one that no family has.
pub(super) fn gguf_name(name: &str, architecture: &str) -> Option<String> {
    if let Some((_, gguf)) = OUTER.iter().find(|(written, _)| *written == name) {
        return Some((*gguf).to_owned());
    }
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (module, kind) = rest.rsplit_once('.')?;
    let (_, leaf) = modules(architecture).find(|(written, _)| *written == module)?;
    let layer: usize = layer.parse().ok()?;
    Some(format!("blk.{layer}.{leaf}.{kind}"))
}

/// What a folder calls a tensor of GGUF's name, for messages about one that it lacks.
pub(crate) fn written_name(gguf: &str, architecture: &str) -> Option<String> {
    if let Some((written, _)) = OUTER.iter().find(|(_, name)| *name == gguf) {
        return Some((*written).to_owned());
    }
    let (layer, rest) = gguf.strip_prefix("blk.")?.split_once('.')?;
    let (leaf, kind) = rest.rsplit_once('.')?;
    let fused = architecture == "phi3";
    let here = |written: &str| leaf != "ffn_up" || fused == (written == "mlp.gate_up_proj");
    let (written, _) = modules(architecture).find(|(written, name)| *name == leaf && here(written))?;
    Some(format!("model.layers.{layer}.{written}.{kind}"))
}

/// Whether a tensor holds nothing that the settings do not say: old checkpoints keep their rotary frequencies and masks.
pub(super) fn is_derived(name: &str) -> bool {
    name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".attention.bias") || name.ends_with(".masked_bias")
}
