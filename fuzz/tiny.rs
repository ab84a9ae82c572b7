//! Tiny models of a few kilobytes, sound in themselves: what the targets for model files begin with. In the golden models of
//! `tests/parity` nearly every byte is a weight, and a change of it says nothing.

use std::path::Path;

const HIDDEN: usize = 32;
const HEAD: usize = 16;
const WIDE: usize = 32;
/// Blocks of 32 numbers: a scale of f16 and 32 bytes.
const Q8_0: u32 = 8;

/// A GGUF file of this architecture with one layer, matrices in `Q8_0`, and its tokenizer and template.
pub fn gguf(architecture: &str) -> Vec<u8> {
    let tokens = tokens(architecture == "gemma3" || architecture == "phi3");
    let mut keys = Vec::new();
    let mut count = 0_u64;
    let mut key = |name: &str, kind: u32, value: Vec<u8>| {
        count += 1;
        keys.extend(text(name));
        keys.extend(kind.to_le_bytes());
        keys.extend(value);
    };
    let number = |value: u32| value.to_le_bytes().to_vec();
    let decimal = |value: f32| value.to_le_bytes().to_vec();
    key("general.architecture", 8, text(architecture));
    let of = |leaf: &str| format!("{architecture}.{leaf}");
    for (leaf, value) in [
        ("context_length", 64),
        ("embedding_length", HIDDEN as u32),
        ("block_count", 1),
        ("feed_forward_length", WIDE as u32),
        ("attention.head_count", 2),
        ("attention.head_count_kv", 1),
        ("attention.key_length", HEAD as u32),
        ("attention.value_length", HEAD as u32),
        ("attention.sliding_window", 8),
        ("rope.dimension_count", HEAD as u32),
    ] {
        key(&of(leaf), 4, number(value));
    }
    key(&of("attention.layer_norm_rms_epsilon"), 6, decimal(1e-6));
    key(&of("rope.freq_base"), 6, decimal(10_000.0));
    if architecture == "qwen2" {
        key(&of("rope.scaling.type"), 8, text("yarn"));
        key(&of("rope.scaling.factor"), 6, decimal(4.0));
        key(&of("rope.scaling.original_context_length"), 4, number(16));
    }
    let spm = tokens[3].starts_with("<0x");
    key("tokenizer.ggml.model", 8, text(if spm { "llama" } else { "gpt2" }));
    if !spm {
        key("tokenizer.ggml.pre", 8, text("qwen2"));
    }
    let list = |kind: u32, items: Vec<Vec<u8>>| {
        [kind.to_le_bytes().to_vec(), (items.len() as u64).to_le_bytes().to_vec(), items.concat()].concat()
    };
    key("tokenizer.ggml.tokens", 9, list(8, tokens.iter().map(|token| text(token)).collect()));
    let kind = |at: usize| {
        if at < 3 {
            3
        } else if spm && at < 259 {
            6
        } else {
            1
        }
    };
    key("tokenizer.ggml.token_type", 9, list(5, (0..tokens.len()).map(|at| number(kind(at))).collect()));
    if spm {
        key("tokenizer.ggml.scores", 9, list(6, (0..tokens.len()).map(|at| decimal(-(at as f32))).collect()));
    } else {
        key("tokenizer.ggml.merges", 9, list(8, ["t h", "th e", "i n"].map(text).to_vec()));
    }
    key("tokenizer.ggml.bos_token_id", 4, number(0));
    key("tokenizer.ggml.eos_token_id", 4, number(1));
    key("tokenizer.chat_template", 8, text(TEMPLATE));

    let (mut infos, mut data) = (Vec::new(), Vec::new());
    let tensors = tensors(architecture, tokens.len());
    for (name, rows, columns) in &tensors {
        infos.extend(text(name));
        let dims = if *rows == 0 { vec![*columns] } else { vec![*columns, *rows] };
        infos.extend((dims.len() as u32).to_le_bytes());
        dims.iter().for_each(|size| infos.extend((*size as u64).to_le_bytes()));
        infos.extend(if *rows == 0 { 0 } else { Q8_0 }.to_le_bytes());
        infos.extend((data.len() as u64).to_le_bytes());
        if *rows == 0 {
            (0..*columns).for_each(|_| data.extend(1f32.to_le_bytes()));
        } else {
            for block in 0..rows * columns / 32 {
                data.extend(0x2000_u16.to_le_bytes());
                data.extend((0..32).map(|at| (block * 37 + at * 11) as u8));
            }
        }
        data.resize(data.len().next_multiple_of(32), 0);
    }
    let mut file = b"GGUF".to_vec();
    file.extend(3_u32.to_le_bytes());
    file.extend((tensors.len() as u64).to_le_bytes());
    file.extend(count.to_le_bytes());
    file.extend(keys);
    file.extend(infos);
    file.resize(file.len().next_multiple_of(32), 0);
    file.extend(data);
    file
}

const TEMPLATE: &str = "{% for m in messages %}{{ '<s>' + m['role'] + '\n' + m['content'] | trim + '</s>' }}{% endfor %}{% if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}";

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// A vocabulary with every byte: SentencePiece's names of them, or those of byte-level BPE.
fn tokens(spm: bool) -> Vec<String> {
    let mut tokens: Vec<String> = ["<s>", "</s>", "<unk>"].map(str::to_owned).to_vec();
    if spm {
        tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
        tokens.extend(["\u{2581}", "t", "h", "e", "th", "the"].map(str::to_owned));
    } else {
        // Printable bytes are themselves, the others follow from U+0100 on.
        let mut next = 0x100;
        tokens.extend((0..=255_u32).map(|byte| {
            let own = matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
            if !own {
                next += 1;
            }
            char::from_u32(if own { byte } else { next - 1 }).map_or_else(String::new, String::from)
        }));
        tokens.extend(["th", "the", "in"].map(str::to_owned));
    }
    tokens
}

/// Name, rows (0 for a vector), columns.
fn tensors(architecture: &str, vocabulary: usize) -> Vec<(String, usize, usize)> {
    let mut tensors =
        vec![("token_embd.weight".to_owned(), vocabulary, HIDDEN), ("output_norm.weight".to_owned(), 0, HIDDEN)];
    let mut add = |leaf: &str, rows, columns| tensors.push((format!("blk.0.{leaf}"), rows, columns));
    add("attn_norm.weight", 0, HIDDEN);
    add("ffn_norm.weight", 0, HIDDEN);
    if architecture == "phi3" {
        add("attn_qkv.weight", 4 * HEAD, HIDDEN);
        add("ffn_up.weight", 2 * WIDE, HIDDEN);
    } else {
        add("attn_q.weight", 2 * HEAD, HIDDEN);
        add("attn_k.weight", HEAD, HIDDEN);
        add("attn_v.weight", HEAD, HIDDEN);
        add("ffn_gate.weight", WIDE, HIDDEN);
        add("ffn_up.weight", WIDE, HIDDEN);
    }
    add("attn_output.weight", HIDDEN, 2 * HEAD);
    add("ffn_down.weight", HIDDEN, WIDE);
    match architecture {
        "qwen2" => add("attn_k.bias", 0, HEAD),
        "phi3" => {
            tensors.push(("rope_factors_short.weight".to_owned(), 0, HEAD / 2));
            tensors.push(("rope_factors_long.weight".to_owned(), 0, HEAD / 2));
        }
        "gemma3" => {
            add("post_attention_norm.weight", 0, HIDDEN);
            add("post_ffw_norm.weight", 0, HIDDEN);
            add("attn_q_norm.weight", 0, HEAD);
            add("attn_k_norm.weight", 0, HEAD);
        }
        _ => {}
    }
    tensors
}

/// A Hugging Face folder of a Llama with one layer: names of files and what they hold.
pub fn folder() -> Vec<(&'static str, Vec<u8>)> {
    let tokens = tokens(false);
    let vocabulary: Vec<String> =
        tokens.iter().enumerate().map(|(id, token)| format!("{}:{id}", json_text(token))).collect();
    let added: Vec<String> = tokens[..3]
        .iter()
        .enumerate()
        .map(|(id, token)| {
            format!(
                r#"{{"id":{id},"content":{},"single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}}"#,
                json_text(token)
            )
        })
        .collect();
    let byte_level = r#"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"#;
    let tokenizer = format!(
        r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{}],"normalizer":null,"pre_tokenizer":{byte_level},"post_processor":null,"decoder":{byte_level},"model":{{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"vocab":{{{}}},"merges":[["t","h"],["th","e"],["i","n"]]}}}}"#,
        added.join(","),
        vocabulary.join(",")
    );
    let config = format!(
        r#"{{"architectures":["LlamaForCausalLM"],"model_type":"llama","vocab_size":{},"hidden_size":{HIDDEN},"intermediate_size":{WIDE},"num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":{HEAD},"max_position_embeddings":64,"rms_norm_eps":1e-06,"rope_parameters":{{"rope_type":"llama3","rope_theta":10000.0,"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":32}},"tie_word_embeddings":true,"bos_token_id":0,"eos_token_id":1,"torch_dtype":"float16"}}"#,
        tokens.len()
    );
    let about = format!(
        r#"{{"tokenizer_class":"PreTrainedTokenizerFast","bos_token":"<s>","eos_token":"</s>","chat_template":{}}}"#,
        json_text(TEMPLATE)
    );
    vec![
        ("config.json", config.into_bytes()),
        ("tokenizer.json", tokenizer.into_bytes()),
        ("tokenizer_config.json", about.into_bytes()),
        ("model.safetensors", safetensors(tokens.len())),
    ]
}

fn safetensors(vocabulary: usize) -> Vec<u8> {
    let layer = |leaf: &str| format!("model.layers.0.{leaf}.weight");
    let matrices = [
        ("model.embed_tokens.weight".to_owned(), vec![vocabulary, HIDDEN]),
        ("model.norm.weight".to_owned(), vec![HIDDEN]),
        (layer("input_layernorm"), vec![HIDDEN]),
        (layer("post_attention_layernorm"), vec![HIDDEN]),
        (layer("self_attn.q_proj"), vec![2 * HEAD, HIDDEN]),
        (layer("self_attn.k_proj"), vec![HEAD, HIDDEN]),
        (layer("self_attn.v_proj"), vec![HEAD, HIDDEN]),
        (layer("self_attn.o_proj"), vec![HIDDEN, 2 * HEAD]),
        (layer("mlp.gate_proj"), vec![WIDE, HIDDEN]),
        (layer("mlp.up_proj"), vec![WIDE, HIDDEN]),
        (layer("mlp.down_proj"), vec![HIDDEN, WIDE]),
    ];
    let (mut header, mut end) = (Vec::new(), 0);
    for (name, shape) in &matrices {
        let from = end;
        end += 2 * shape.iter().product::<usize>();
        header.push(format!(r#""{name}":{{"dtype":"F16","shape":{shape:?},"data_offsets":[{from},{end}]}}"#));
    }
    let header = format!(r#"{{"__metadata__":{{"format":"pt"}},{}}}"#, header.join(","));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.into_bytes());
    // 1.0 and a half, in turn.
    file.extend((0..end / 2).flat_map(|at| if at % 2 == 0 { 0x3C00_u16 } else { 0xB800 }.to_le_bytes()));
    file
}

fn json_text(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|letter| match letter {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            '\n' => "\\n".to_owned(),
            letter if u32::from(letter) < 0x20 => format!("\\u{:04x}", u32::from(letter)),
            letter => letter.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

/// Writes what each target for model files begins with to `corpus/<target>/`.
pub fn write_seeds(corpus: &Path) {
    let put = |target: &str, name: &str, bytes: &[u8]| {
        let folder = corpus.join(target);
        std::fs::create_dir_all(&folder).expect("a folder to write to");
        std::fs::write(folder.join(name), bytes).expect("a file to write");
    };
    for architecture in ["llama", "gemma3", "qwen2", "phi3"] {
        put("gguf", architecture, &gguf(architecture));
    }
    for (name, bytes) in folder() {
        match name {
            "config.json" => put("model_config", name, &bytes),
            "tokenizer.json" => put("tokenizer", name, &bytes),
            "model.safetensors" => put("safetensors", name, &bytes),
            _ => {}
        }
    }
    put("template", "turns", TEMPLATE.as_bytes());
}
