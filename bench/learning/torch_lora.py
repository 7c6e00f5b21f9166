"""LoRA of all-MiniLM-L6-v2 on messages, as bench/learning.mjs trains it: a run for each line of stdin, its seconds to stdout."""

import json
import random
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModel, AutoTokenizer

torch.set_num_threads(2)
folder, messages = sys.argv[1:]
examples = json.load(open(messages))["train"]
labels = sorted({one["label"] for one in examples})
tokenizer = AutoTokenizer.from_pretrained(folder)
print("ready", flush=True)
for seed, _ in enumerate(sys.stdin):
    torch.manual_seed(seed)
    base = AutoModel.from_pretrained(folder)
    targets = [name for name, one in base.named_modules() if isinstance(one, torch.nn.Linear) and ".layer." in name]
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules=targets))
    head = torch.nn.Linear(base.config.hidden_size, len(labels))
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    own = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW([{"params": own, "lr": 1e-3}, {"params": head.parameters(), "lr": 1e-2}], weight_decay=0.01)
    model.eval()  # without dropout, as there
    began = time.perf_counter()
    for epoch in range(12):
        order = random.Random(epoch).sample(examples, len(examples))
        for at in range(0, len(order), 8):
            some = order[at : at + 8]
            inputs = tokenizer([one["text"] for one in some], padding=True, return_tensors="pt")
            hidden = model(**inputs).last_hidden_state
            mask = inputs["attention_mask"].unsqueeze(-1)
            mean = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1))
            loss = torch.nn.functional.cross_entropy(head(mean), torch.tensor([labels.index(one["label"]) for one in some]))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*own, *head.parameters()], 1.0)
            optimizer.step()
    print(time.perf_counter() - began, flush=True)
