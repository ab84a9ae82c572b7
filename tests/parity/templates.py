"""Chat templates rendered by Transformers, over a set of conversations.

    python tests/parity/templates.py --cache DIR

Writes `golden/templates.json`. The templates are ours; each has the turn form and the habits of the published ones of a family: white
space control, `namespace`, slices, Python's methods on texts and dictionaries, macros, loop controls, refusals, generation marks.
`crates/model/src/chat/tests.rs` holds our renderer to every rendering, and to every refusal.
"""

import argparse
import json
from pathlib import Path

import environment

OUT = Path(__file__).with_name("golden") / "templates.json"

TEMPLATES = {
    "chatml": """{%- if messages[0]['role'] != 'system' %}
    {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
""",
    # Indented blocks without dashes: `trim_blocks` and `lstrip_blocks` decide.
    "blocks": """{{ bos_token }}
{% for message in messages %}
    {% if loop.first and message.role == "system" %}
<<SYS>>
{{ message.content }}
    {% else %}
  {{ loop.index }}/{{ loop.length }} {{ message.role | upper }}: {{ message.content }}{{ eos_token }}

    {% endif %}
{% endfor %}
{% if add_generation_prompt %}ASSISTANT:
{% endif %}""",
    # Llama 3's way: a date, headers by a macro, the system text first whether there is one or not.
    "headers": """{{- bos_token }}
{%- macro header(role) -%}
<|start_header_id|>{{ role }}<|end_header_id|>{{ '\\n\\n' }}
{%- endmacro %}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- header('system') + "Today Date: " + date_string + "\\n\\n" + system_message + "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- header(message['role']) + message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {{- raise_exception("no tools here") }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- header('assistant') }}
{%- endif %}
""",
    # Mistral's way: turns must alternate, the system text goes into the last question.
    "instructions": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set ns = namespace(index=0) %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("Roles must alternate user/assistant/user/assistant/...") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"] | trim + eos_token }}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported!") }}
    {%- endif %}
{%- endfor %}
""",
    # Qwen 3's way: backwards through the messages, thoughts of earlier turns are left out.
    "thoughts": """{%- set ns = namespace(multi_step=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step and message.role == "user" and not (message.content.startswith('<tool>') and message.content.endswith('</tool>')) %}
        {%- set ns.multi_step = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if message.role == "assistant" %}
        {%- set thought = '' %}
        {%- if '</think>' in content %}
            {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last and (loop.last or thought) %}
            {{- '<|im_start|>assistant\\n<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>assistant\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' ~ message.role ~ '\\n' ~ content ~ '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
""",
    # Methods of Python's texts, lists and dictionaries, and filters.
    "methods": """{% set names = {'user': 'Asked', 'assistant': 'Said', 'system': 'Told'} %}
{% for message in messages %}
{% if message.role not in names.keys() %}{{ raise_exception('Unknown role: ' + message.role) }}{% endif %}
{{ names.get(message.role, '?').ljust(0) if false else names.get(message.role, '?') }}|{{ message.content.strip().replace('\\n', ' / ') | trim }}
{{ message.content.upper()[:7] }}|{{ message.content.lower()[-7:] }}|{{ message.content.title() | length }}|{{ message.content.split()[0] }}
{{ message.content.splitlines() | join(' + ') }}|{{ ['a', message.role] | join('-') }}|{{ message.items() | list | length }}
{% for key, value in message.items() %}{{ key }}={{ value | length }};{% endfor %}
{{ message.content.count('e') }}|{{ message.content.find('e') }}|{{ message.content.rstrip('.').lstrip(' ') }}|{{ loop.index0 // 2 }},{{ loop.index % 2 }},{{ 2 ** loop.index }}
{% endfor %}
{{ messages | map(attribute='role') | list | unique | list | length }}|{{ (messages | selectattr('role', 'equalto', 'user') | list | length) }}|{{ (messages | rejectattr('role', 'equalto', 'user') | map(attribute='role') | join(',')) }}|{{ messages | tojson | length }}
{% if add_generation_prompt %}>{% endif %}""",
    # Loop controls, loop variables, assignments of blocks, marks of what is generated.
    "controls": """{%- set intro %}
[{{ messages | length }} messages]
{%- endset %}
{{- intro }}
{%- for message in messages if message.role != 'system' %}
    {%- if loop.index > 4 %}{% break %}{% endif %}
    {%- if message.content == 'skip' %}{% continue %}{% endif %}
    {%- if message.role == 'assistant' %}
{% generation %}
<a>{{ message.content }}</a>
{% endgeneration %}
    {%- else %}
{{ '<q>' ~ message.content ~ '</q>' }}{{ ', ' if not loop.last else '.' }}{{ loop.previtem.role if loop.previtem is defined else 'first' }}
    {%- endif %}
{%- else %}
nothing
{%- endfor %}
{% if add_generation_prompt and messages[-1].role == 'user' %}
{%- generation -%}
<a>
{%- endgeneration -%}
{% endif %}""",
    # Conditions on what Transformers passes and on what it does not.
    "passed": """{% if tools is not none %}tools{% endif %}{% if documents is defined %}D{% endif %}{% if documents %}d{% endif %}
{{ 'defined' if chat is defined else 'undefined' }} {{ undefined_thing | default('default') }} {{ bos_token }}{{ eos_token }}
{%- if messages | length > 2 and messages[2].role == 'user' and (messages[1].content | length) is divisibleby 2 %} even{% endif %}
{{- ' ' ~ (messages | last).role ~ ' ' ~ (messages | first)['content'][0] ~ ' ' ~ [1, 2.5, true, none] | length }}
{%- for a, b in [('x', 1), ('y', 2)] %} {{ a }}{{ b }}{% endfor %}
{%- if add_generation_prompt is true %} yes{% elif not add_generation_prompt %} no{% endif %}""",
}

CONVERSATIONS = [
    [("user", "When does the vehicle gate close?"), ("assistant", "10 minutes before departure.")],
    [("system", "Answer in one sentence."), ("user", "Who is the engineer?"), ("assistant", "Halina Voss.")],
    [("user", "First?"), ("assistant", "One."), ("user", "And\n\nthen?"), ("assistant", "Two:\n\n- a\n- b")],
    [("user", "最近的医院 — où ?"), ("assistant", "圣布兰诺克医院 🚢 “é”")],
    [("user", "Think."), ("assistant", "<think>\nShort.\n</think>\n\nDone."), ("user", "Again."),
     ("assistant", "<think>\nLonger\nthought.\n</think>\n\nDone again.")],
    [("user", "skip"), ("assistant", "Yes <|im_end|> {{ no }} {% raw %}."), ("user", "a\tb"), ("assistant", "x"), ("user", "5"),
     ("assistant", "6")],
    [("user", "Twice"), ("user", "in a row"), ("assistant", "No.")],
    [("system", "Only a system text.")],
    [("user", "A question without an answer")],
    [("tool", "unknown role"), ("assistant", "What?")],
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", required=True, help="folder kept between runs")
    options = parser.parse_args()
    environment.enter(options.cache)

    import folders
    import jinja2
    import transformers
    from families import CONTROLS, train_tokenizer

    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=folders.byte_level(train_tokenizer(), "gpt-2"), bos_token=CONTROLS[0], eos_token=CONTROLS[1])
    made = []
    for name, template in TEMPLATES.items():
        for conversation in CONVERSATIONS:
            messages = [{"role": role, "content": text} for role, text in conversation]
            for prompt in [False, True]:
                try:
                    text = fast.apply_chat_template(messages, chat_template=template, tokenize=False, add_generation_prompt=prompt)
                except jinja2.exceptions.TemplateError:
                    text = None
                made.append({"template": name, "messages": conversation, "prompt": prompt, "text": text})
    # `golden.write_json` breaks lines at what also stands in templates.
    golden = {"made_with": {"transformers": transformers.__version__}, "bos": CONTROLS[0], "eos": CONTROLS[1], "templates": TEMPLATES}
    lines = ",\n".join(json.dumps(rendering, ensure_ascii=False) for rendering in made)
    text = json.dumps(golden, ensure_ascii=False)[:-1] + f', "renderings": [\n{lines}\n]}}\n'
    OUT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
