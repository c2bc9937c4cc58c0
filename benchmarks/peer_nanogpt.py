"""The peer of `language_model.py`: nanoGPT's network and recipe, written again.

Source: https://github.com/karpathy/nanoGPT, `model.py`, `train.py` and
`config/train_shakespeare_char.py`. It runs in a Python that has PyTorch, and imports
nothing of this project.

    python peer_nanogpt.py data.npz 2000
"""

import json
import math
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

ROWS, CONTEXT, WARM, WIDTH, HEADS, BLOCKS, WRITTEN = 12, 64, 50, 128, 4, 4, 60


class Block(nn.Module):
    """Attention and an MLP, without biases."""

    def __init__(self):
        super().__init__()
        self.norm_1 = nn.LayerNorm(WIDTH, bias=False)
        self.norm_2 = nn.LayerNorm(WIDTH, bias=False)
        self.read = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.write = nn.Linear(WIDTH, WIDTH, bias=False)
        self.expand = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.contract = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x):
        """`(rows, steps, WIDTH)` to the same."""
        rows, steps, _ = x.shape
        heads = (
            y.view(rows, steps, HEADS, -1).transpose(1, 2)
            for y in self.read(self.norm_1(x)).split(WIDTH, dim=2)
        )
        y = functional.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.write(y.transpose(1, 2).reshape(rows, steps, WIDTH))
        return x + self.contract(functional.gelu(self.expand(self.norm_2(x))))


class Network(nn.Module):
    """Logits of the next character."""

    def __init__(self, size):
        super().__init__()
        self.words = nn.Embedding(size, WIDTH)
        self.positions = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                ends = name.endswith(("write.weight", "contract.weight"))
                nn.init.normal_(weight, 0, 0.02 / math.sqrt(2 * BLOCKS if ends else 1))

    def forward(self, ids):
        """`(rows, steps)` to `(rows, steps, size)`."""
        x = self.words(ids) + self.positions(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return functional.linear(self.norm(x), self.words.weight)


def loss_of(model, blocks):
    """The mean loss of characters, in nats."""
    logits = model(blocks[:, :-1])
    return functional.cross_entropy(logits.flatten(0, 1), blocks[:, 1:].flatten())


def rate(step, steps):
    """Up within 100 steps, then down along half a cosine to a tenth."""
    if step < 100:
        return 1e-3 * (step + 1) / 101
    share = (step - 100) / max(1, steps - 100)
    return 1e-4 + 0.5 * (1 + math.cos(math.pi * share)) * 9e-4


def train(model, blocks, steps):
    """Trains, and returns CPU seconds of all steps after the first `WARM`."""
    matrices = [w for w in model.parameters() if w.ndim >= 2]
    others = [w for w in model.parameters() if w.ndim < 2]
    groups = [dict(params=matrices, weight_decay=0.1), dict(params=others)]
    optimizer = torch.optim.AdamW(
        groups, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.0, fused=True
    )
    begin = time.process_time()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps)
        loss = loss_of(model, blocks[step * ROWS : (step + 1) * ROWS])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step == WARM - 1:
            begin = time.process_time()
    return time.process_time() - begin


@torch.no_grad()
def write(model, ids, count):
    """Continues texts by `count` characters, as nanoGPT's `generate`."""
    for _ in range(count):
        logits = model(ids[:, -CONTEXT:])[:, -1]
        drawn = torch.multinomial(functional.softmax(logits, dim=-1), 1)
        ids = torch.cat([ids, drawn], dim=1)
    return ids


def main(file, steps):
    """Trains and writes, and prints losses and seconds as JSON."""
    torch.manual_seed(0)
    torch.set_num_threads(2)
    data = np.load(file)
    blocks = torch.from_numpy(data["train"].astype("int64") - 1)
    model = Network(int(data["size"]))
    seconds = train(model, blocks, int(steps))
    valid = torch.from_numpy(data["valid"].astype("int64") - 1)
    with torch.no_grad():
        parts = [(loss_of(model, x).item(), len(x)) for x in valid.split(128)]
    result = {
        "parameters": sum(w.numel() for w in model.parameters()),
        "loss": sum(loss * n for loss, n in parts) / sum(n for _, n in parts),
        "train_us_per_token": 1e6 * seconds / ((int(steps) - WARM) * ROWS * CONTEXT),
    }
    for rows in (1, 64):
        prompts = torch.from_numpy(data["prompts"].astype("int64") - 1)[:rows]
        write(model, prompts, 5)
        begin, times = time.process_time(), 64 // rows
        for _ in range(times):
            write(model, prompts, WRITTEN)
        seconds = time.process_time() - begin
        result[f"write_us_per_token_{rows}"] = 1e6 * seconds / (times * rows * WRITTEN)
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
