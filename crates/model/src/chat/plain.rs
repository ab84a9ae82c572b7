//! The plain formats for base models that carry no template, or one that cannot be trained on. Which one a model gets depends on
//! the control tokens in its vocabulary, which say how its family marks turns.

/// The first that fits the vocabulary is used.
pub(super) const FORMS: &[&str] = &[GEMMA, CHATML, LLAMA_3, PHI_3, WRITTEN];

/// `ChatML`, as Qwen and `SmolLM2` have it:
///
/// ```text
/// <|im_start|>system
/// {system}<|im_end|>
/// <|im_start|>user
/// {user}<|im_end|>
/// <|im_start|>assistant
/// {assistant}<|im_end|>
/// ```
const CHATML: &str = "\
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\n' + (message['content'] | trim) + '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
";

/// Llama 3's turns, without the dates that the instructed models' template puts into the system text:
///
/// ```text
/// <|begin_of_text|><|start_header_id|>user<|end_header_id|>
///
/// {user}<|eot_id|><|start_header_id|>assistant<|end_header_id|>
///
/// {assistant}<|eot_id|>
/// ```
const LLAMA_3: &str = "\
{{- bos_token }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + (message['content'] | trim) + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
";

/// Phi-3's turns:
///
/// ```text
/// <|user|>
/// {user}<|end|>
/// <|assistant|>
/// {assistant}<|end|>
/// ```
const PHI_3: &str = "\
{%- for message in messages %}
    {{- '<|' + message['role'] + '|>\n' + (message['content'] | trim) + '<|end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>\n' }}
{%- endif %}
";

/// For a vocabulary without marks for turns, such as a bare Llama 2 or Mistral: the roles are written out, and an answer ends with
/// the token that ends a text:
///
/// ```text
/// <s>{system}
///
/// User:
/// {user}
///
/// Assistant:
/// {assistant}</s>
/// ```
const WRITTEN: &str = "\
{{- bos_token }}
{%- for message in messages %}
    {%- if message['role'] == 'assistant' %}
        {{- 'Assistant:\n' + (message['content'] | trim) + eos_token + '\n\n' }}
    {%- elif message['role'] == 'user' %}
        {{- 'User:\n' + (message['content'] | trim) + '\n\n' }}
    {%- else %}
        {{- (message['content'] | trim) + '\n\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- 'Assistant:\n' }}
{%- endif %}
";

/// Gemma's own turn form, with the system text in front of the first user turn as Gemma 3's instructed models do:
///
/// ```text
/// <bos><start_of_turn>user
/// {system}
///
/// {user}<end_of_turn>
/// <start_of_turn>model
/// {assistant}<end_of_turn>
/// ```
///
/// Roles must alternate, beginning with the user; contents are trimmed.
const GEMMA: &str = "\
{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {%- set first = messages[0]['content'] | trim + '\n\n' %}
    {%- set turns = messages[1:] %}
{%- else %}
    {%- set first = '' %}
    {%- set turns = messages %}
{%- endif %}
{%- for message in turns %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('roles must alternate: user, assistant, user, assistant') }}
    {%- endif %}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] %}
    {{- '<start_of_turn>' + role + '\n' + (first if loop.first else '') }}
    {{- message['content'] | trim }}
    {{- '<end_of_turn>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<start_of_turn>model\n' }}
{%- endif %}
";
