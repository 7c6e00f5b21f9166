"""Logits as Hugging Face's peft computes them: python tools/peft_logits.py BASE ADAPTER IDS, ids with commas between.

Writes JSON to stdout: of a decoder the last position's logits, of a classifier the classes'. An adapter with a head.json has a head that was
made: on a base of its class with as many labels. `image` in place of ids stands for pixels cos(i). Needs torch, transformers and peft.
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from peft import PeftModel


def main(base: str, adapter: str, ids: str) -> None:
    config = transformers.AutoConfig.from_pretrained(base)
    name = (config.architectures or ["AutoModelForCausalLM"])[0]
    head = Path(adapter) / "head.json"
    if head.exists():
        head = json.loads(head.read_text())
        task = "AutoModelForImageClassification" if ids == "image" else "AutoModelForSequenceClassification"
        more = dict(num_labels=len(head["labels"]), ignore_mismatched_sizes=True)
        model = getattr(transformers, task).from_pretrained(base, dtype=torch.float64, **more)
        # The head that is made has a bias, where transformers' `score` has none.
        setattr(model, head["module"], torch.nn.Linear(head["features"], len(head["labels"])).double())
    else:
        model = getattr(transformers, name).from_pretrained(base, dtype=torch.float64)
    model = PeftModel.from_pretrained(model, adapter).eval()
    with torch.no_grad():
        if ids == "image":
            size = config.image_size
            shape = [1, config.num_channels, *(size if isinstance(size, (list, tuple)) else [size, size])]
            pixels = torch.cos(torch.arange(torch.Size(shape).numel(), dtype=torch.float64)).reshape(shape)
            logits = model(pixel_values=pixels).logits[0]
        else:
            logits = model(input_ids=torch.tensor([[int(one) for one in ids.split(",")]])).logits[0]
    json.dump((logits[-1] if logits.dim() > 1 else logits).tolist(), sys.stdout)


main(*sys.argv[1:])
