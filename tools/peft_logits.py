"""Logits as Hugging Face's peft computes them: python tools/peft_logits.py BASE ADAPTER IDS, ids with commas between.

Writes JSON to stdout: of a decoder the last position's logits, of a classifier the classes'. Needs torch, transformers and peft.
"""

import json
import sys

import torch
import transformers
from peft import PeftModel


def main(base: str, adapter: str, ids: str) -> None:
    config = transformers.AutoConfig.from_pretrained(base)
    name = (config.architectures or ["AutoModelForCausalLM"])[0]
    model = getattr(transformers, name).from_pretrained(base, dtype=torch.float64)
    model = PeftModel.from_pretrained(model, adapter).eval()
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[int(one) for one in ids.split(",")]])).logits[0]
    json.dump((logits[-1] if logits.dim() > 1 else logits).tolist(), sys.stdout)


main(*sys.argv[1:])
