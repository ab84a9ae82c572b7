"""One training step as Transformers + PEFT + PyTorch do it, on the CPU."""

import json
from pathlib import Path

import torch
from peft import PeftModel
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

THREADS = 2


def load_base(folder, attention="eager"):
    """The converted checkpoint in f32; plain (eager) attention where figures are compared."""
    torch.set_num_threads(THREADS)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention)


def as_tensors(batch):
    """What the model takes; the weights of rows are the loss's business."""
    return {key: torch.tensor(rows) for key, rows in batch.items() if key != "row_weights"}


def attach(base, adapter, dtype=torch.float32):
    """`base` with the PEFT adapter in the folder `adapter`, ready to train."""
    model = PeftModel.from_pretrained(base, str(adapter), is_trainable=True, autocast_adapter_dtype=False)
    model.train()
    return model.to(dtype)


def optimiser(parameters, wanted):
    return torch.optim.AdamW(parameters, lr=wanted.learning_rate, betas=tuple(wanted.betas), eps=wanted.eps,
                             weight_decay=wanted.weight_decay)


def state(model):
    """The adapter named as in PEFT's own file, copied."""
    return {name: tensor.detach().clone() for name, tensor in get_peft_model_state_dict(model).items()}


def gradients(model):
    """Every adapter gradient under the name its tensor has in PEFT's file."""
    return {saved_name(name): parameter.grad.detach().clone()
            for name, parameter in model.named_parameters() if parameter.requires_grad}


def saved_name(name):
    """A parameter's name in PEFT's file; DoRA's magnitudes lose their leaf there."""
    return name.replace(".lora_magnitude_vector.default.weight", ".lora_magnitude_vector").replace(".default.", ".")


def precise_loss(logits, labels):
    """Cross-entropy of the trained rows with the softmax in f64.

    PyTorch's f32 log-softmax on the CPU adds 262,144 numbers in a few f32 lanes and loses about 6e-5 of their sum; the
    gradients of Transformers' own loss then differ from this one by up to 2e-3 in a tensor.
    """
    trained = labels[:, 1:] != -100
    return torch.nn.functional.cross_entropy(logits[:, :-1][trained].double(), labels[:, 1:][trained])


def step(base, case, adapter, dtype=torch.float32, stock=False, loss=precise_loss):
    """Loss, trained tokens, gradients and the adapter after one AdamW step. `base` comes back without the adapter.

    With `stock` the loss is the one that Transformers computes, else `loss` of the same f32 logits.
    """
    model = attach(base, adapter, dtype)
    batch = as_tensors(case.batch)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    adamw = optimiser(trainable, case.optimiser)
    out = model(**batch, use_cache=False)
    loss = out.loss if stock else loss(out.logits, batch["labels"])
    loss.backward()
    grads = gradients(model)
    adamw.step()
    after = state(model)
    model.unload()
    # A sequence's first label has no token before it that could predict it.
    trained = int((batch["labels"][:, 1:] != -100).sum())
    return {"loss": float(loss.detach()), "trained_tokens": trained, "grads": grads, "after": after}


def adamw_alone(start, grads, wanted):
    """What PyTorch's AdamW makes of given gradients: tells a wrong optimiser from a wrong gradient."""
    parameters = {name: torch.nn.Parameter(tensor.clone()) for name, tensor in start.items()}
    for name, parameter in parameters.items():
        parameter.grad = grads[name].clone()
    optimiser(list(parameters.values()), wanted).step()
    return {name: parameter.detach() for name, parameter in parameters.items()}


@torch.no_grad()
def logits(base, ids):
    """Logits `[tokens, vocab]` of one sequence, without an adapter."""
    base.eval()
    return base(torch.tensor([ids]), use_cache=False).logits[0]


def loads(base, folder):
    """The differences between an adapter folder and what PEFT makes of it: an empty list when it loads in full.

    PEFT loads with `strict=False`, so the keys and the values are compared after loading.
    """
    written = load_file(Path(folder) / "adapter_model.safetensors")
    model = PeftModel.from_pretrained(base, str(folder), autocast_adapter_dtype=False)
    loaded = state(model)
    model.unload()
    problems = [f"only in the file: {name}" for name in sorted(set(written) - set(loaded))]
    problems += [f"missing in the file: {name}" for name in sorted(set(loaded) - set(written))]
    problems += [f"not loaded as written: {name}" for name in sorted(set(loaded) & set(written))
                 if not torch.equal(loaded[name].float(), written[name].float())]
    return problems


def save_with_peft(base, adapter, folder):
    """The adapter in `adapter`, loaded and saved again by PEFT itself: what Hone must be able to read."""
    model = attach(base, adapter)
    model.save_pretrained(folder)
    model.unload()
    return Path(folder)


def write_state(tensors, like, folder):
    """An adapter folder of these tensors with the configuration of the folder `like`."""
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, Path(folder) / "adapter_model.safetensors",
              metadata={"format": "pt"})
    (Path(folder) / "adapter_config.json").write_text((Path(like) / "adapter_config.json").read_text())


def read_step(folder):
    """What `hone lab step` wrote: the loss file and both tensor files."""
    folder = Path(folder)
    note = json.loads((folder / "loss.json").read_text())
    return {"loss": note["loss"], "trained_tokens": note["trained_tokens"],
            "grads": load_file(folder / "grads.safetensors"), "after": load_file(folder / "adapter_model.safetensors")}
