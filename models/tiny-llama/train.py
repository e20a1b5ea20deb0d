#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Trains models/tiny-llama: a byte-level Llama of 0.8 million parameters on Jane Austen's novels.

    apt-get install python3-torch r-cran-janeaustenr
    nice /usr/bin/python3 models/tiny-llama/train.py --out models/tiny-llama

The text is in the public domain; Debian's r-cran-janeaustenr carries it (package under the MIT licence). The last
4 % of every novel are held out. Beside the weights, the script measures what the model must beat: a 5-gram of bytes
with modified Kneser-Ney smoothing (Chen and Goodman 1998), trained on and tested with the same bytes.
"""
import argparse
import collections
import json
import math
import os
import struct
import time
import zlib

import torch
import torch.nn.functional as F

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": 256,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}
RDB = "/usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"
HELD_OUT = 0.04  # of every novel, at its end
EXCERPT = 20000  # bytes of the held-out text that lie beside the weights


# --- Text ------------------------------------------------------------------------------------------------------------


def character_vector(data):
    """The strings of a serialised R character vector (XDR, version 2 or 3)."""
    at = 2 + 4  # "X\n", version
    version = struct.unpack_from(">i", data, 2)[0]
    at += 8  # versions of the writer
    if version == 3:
        at += 4 + struct.unpack_from(">i", data, at)[0]  # native encoding
    flags, count = struct.unpack_from(">ii", data, at)
    if flags & 255 != 16:
        return None  # something else
    at += 8
    lines = []
    for _ in range(count):
        length = struct.unpack_from(">i", data, at + 4)[0]
        at += 8
        if length < 0:
            length = 0  # NA
        lines.append(data[at : at + length].decode("latin-1"))
        at += length
    return lines


def novels(path):
    """Every character vector of a lazy-load data base: chunks of [length, zlib stream], in the file's order."""
    data = open(path, "rb").read()
    at, out = 0, []
    while at < len(data):
        stream = zlib.decompressobj()
        raw = stream.decompress(data[at + 4 :])
        at = len(data) - len(stream.unused_data)
        lines = character_vector(raw)
        if lines is not None and len(lines) > 1000:
            out.append(paragraphs(lines))
    return out


def paragraphs(lines):
    """Lines of a paragraph joined by spaces, paragraphs by newlines; ASCII."""
    out, current = [], []
    for line in lines + [""]:
        line = line.strip().replace("\u2019", "'").replace("_", "")
        if line:
            current.append(line)
        elif current:
            out.append(" ".join(current))
            current = []
    return ("\n".join(out) + "\n").encode("ascii", "ignore")


# --- What the model must beat ----------------------------------------------------------------------------------------


class kneser_ney:
    """Interpolated, modified Kneser-Ney over bytes. The highest order uses counts, lower ones how many different
    bytes an n-gram follows; three discounts an order come from how many n-grams were seen once to four times."""

    def __init__(self, text, order):
        self.order = order
        counts = [collections.Counter() for _ in range(order + 1)]
        counts[order] = collections.Counter(text[i : i + order] for i in range(len(text) - order + 1))
        for n in range(order - 1, 0, -1):
            for gram in counts[n + 1]:
                counts[n][gram[1:]] += 1  # different bytes before it
        self.levels = []
        for n in range(1, order + 1):
            of = collections.Counter(counts[n].values())
            n1, n2, n3, n4 = (max(of[k], 1) for k in (1, 2, 3, 4))
            y = n1 / (n1 + 2 * n2)
            discount = [0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
            discount = [min(max(d, 0), k) for k, d in enumerate(discount)]
            total, kept_back = collections.Counter(), collections.Counter()
            for gram, c in counts[n].items():
                total[gram[:-1]] += c
                kept_back[gram[:-1]] += discount[min(c, 3)]
            self.levels.append((counts[n], total, kept_back, discount))

    def probability(self, context, byte):
        p = 1 / 256
        for n, (counts, total, kept_back, discount) in enumerate(self.levels, start=1):
            history = context[len(context) - (n - 1) :]
            if total[history] == 0:
                continue
            c = counts[history + byte]
            p = (max(c - discount[min(c, 3)], 0) + kept_back[history] * p) / total[history]
        return p

    def bits_per_byte(self, text):
        bits = 0.0
        for i in range(self.order - 1, len(text)):
            bits -= math.log2(self.probability(text[i - self.order + 1 : i], text[i : i + 1]))
        return bits / (len(text) - self.order + 1)


# --- The model, with the names that Hugging Face gives to its tensors --------------------------------------------------


def names(config):
    d, m, h = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    q, kv = config["num_attention_heads"] * h, config["num_key_value_heads"] * h
    out = {"model.embed_tokens.weight": (config["vocab_size"], d)}
    for i in range(config["num_hidden_layers"]):
        p = f"model.layers.{i}."
        out[p + "input_layernorm.weight"] = (d,)
        out[p + "self_attn.q_proj.weight"] = (q, d)
        out[p + "self_attn.k_proj.weight"] = (kv, d)
        out[p + "self_attn.v_proj.weight"] = (kv, d)
        out[p + "self_attn.o_proj.weight"] = (d, q)
        out[p + "post_attention_layernorm.weight"] = (d,)
        out[p + "mlp.gate_proj.weight"] = (m, d)
        out[p + "mlp.up_proj.weight"] = (m, d)
        out[p + "mlp.down_proj.weight"] = (d, m)
    out["model.norm.weight"] = (d,)
    return out


def start(config):
    torch.manual_seed(1)
    out = {}
    for name, shape in names(config).items():
        if len(shape) == 1:
            w = torch.ones(shape)
        else:
            w = torch.randn(shape) * (0.5 / math.sqrt(shape[1]))
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                w /= math.sqrt(2 * config["num_hidden_layers"])
            if "embed" in name:
                w = torch.randn(shape) * 0.05
        out[name] = w.requires_grad_()
    return out


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


def forward(w, tokens, config):
    batch, length = tokens.shape
    h, heads, kv = config["head_dim"], config["num_attention_heads"], config["num_key_value_heads"]
    eps = config["rms_norm_eps"]
    norm = lambda x, g: x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * g
    angle = torch.outer(torch.arange(length).float(), config["rope_theta"] ** (-torch.arange(0, h, 2).float() / h))
    cos, sin = torch.cat((angle, angle), -1).cos(), torch.cat((angle, angle), -1).sin()
    mask = torch.full((length, length), float("-inf")).triu(1)
    x = F.embedding(tokens, w["model.embed_tokens.weight"])
    for i in range(config["num_hidden_layers"]):
        p = f"model.layers.{i}."
        y = norm(x, w[p + "input_layernorm.weight"])
        split = lambda name, n: F.linear(y, w[p + name]).view(batch, length, n, h).transpose(1, 2)
        q = rotate(split("self_attn.q_proj.weight", heads), cos, sin)
        k = rotate(split("self_attn.k_proj.weight", kv), cos, sin).repeat_interleave(heads // kv, 1)
        v = split("self_attn.v_proj.weight", kv).repeat_interleave(heads // kv, 1)
        a = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(h) + mask, -1) @ v
        x = x + F.linear(a.transpose(1, 2).reshape(batch, length, heads * h), w[p + "self_attn.o_proj.weight"])
        y = norm(x, w[p + "post_attention_layernorm.weight"])
        y = F.silu(F.linear(y, w[p + "mlp.gate_proj.weight"])) * F.linear(y, w[p + "mlp.up_proj.weight"])
        x = x + F.linear(y, w[p + "mlp.down_proj.weight"])
    return F.linear(norm(x, w["model.norm.weight"]), w["model.embed_tokens.weight"])


def bits_per_byte(w, text, config, length=256):
    """Windows that overlap by half: every byte but those of the first half window is predicted from at least
    length / 2 bytes before it."""
    data = torch.tensor(list(text))
    bits = count = 0
    with torch.no_grad():
        for at in range(0, len(data) - length - 1, length // 2):
            logits = forward(w, data[at : at + length][None], config)[0]
            nll = F.cross_entropy(logits, data[at + 1 : at + length + 1], reduction="none")
            nll = nll if at == 0 else nll[length // 2 :]
            bits += nll.sum().item() / math.log(2)
            count += len(nll)
    return bits / count


# --- Training ----------------------------------------------------------------------------------------------------------


def orthogonal(g):
    """Nearest orthogonal matrix, roughly: five Newton-Schulz steps (the Muon optimiser, Jordan 2024)."""
    flip = g.shape[0] > g.shape[1]
    x = g.t() if flip else g
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.t()
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.t() if flip else x


def noisy(w, sigma, products):
    """Weights with the noise of analog cells: sigma of the largest weight of each product. Gradients pass."""
    if sigma == 0:
        return w
    out = dict(w)
    for n in products:
        out[n] = w[n] + sigma * w[n].detach().abs().max() * torch.randn_like(w[n])
    return out


def train(text, config, a):
    w = start(config)
    products = [n for n, t in w.items() if t.dim() == 2 and "embed" not in n]
    others = [n for n in w if n not in products]
    adam = torch.optim.AdamW([w[n] for n in others], lr=3e-3, betas=(0.9, 0.98), weight_decay=0.0)
    momentum = {n: torch.zeros_like(w[n]) for n in products}
    data = torch.tensor(list(text), dtype=torch.int64)
    draw = torch.Generator().manual_seed(2)
    begin, smooth, first = time.process_time(), None, 0
    if a.state and os.path.exists(a.state):
        saved = torch.load(a.state)
        first = saved["step"]
        with torch.no_grad():
            for n in w:
                w[n].copy_(saved["w"][n])
        momentum = saved["momentum"]
        adam.load_state_dict(saved["adam"])
        draw.set_state(saved["draw"])
    for step in range(first, a.steps):
        if a.state and step > first and step % 100 == 0 and step <= 0.6 * a.steps:
            saved = {"step": step, "w": w, "momentum": momentum, "adam": adam.state_dict(), "draw": draw.get_state()}
            torch.save(saved, a.state + ".part")
            os.replace(a.state + ".part", a.state)
        # Warm up, stay, then fall to nothing over the last 40 %: runs of other lengths begin alike, so that a saved
        # state can be finished with another --steps.
        scale = min(1.0, (step + 1) / 50, max(0.01, (a.steps - step) / (0.4 * a.steps)))
        at = torch.randint(len(data) - a.length - 1, (a.batch,), generator=draw)
        rows = torch.stack([data[i : i + a.length + 1] for i in at])
        logits = forward(noisy(w, a.weight_noise, products), rows[:, :-1], config)
        loss = F.cross_entropy(logits.reshape(-1, config["vocab_size"]), rows[:, 1:].reshape(-1))
        loss.backward()
        for group in adam.param_groups:
            group["lr"] = 3e-3 * scale
        adam.step()
        with torch.no_grad():
            for n in products:
                t, g, m = w[n], w[n].grad, momentum[n]
                m.mul_(0.95).add_(g, alpha=0.05)
                u = orthogonal(g * 0.05 + m * 0.95)
                lr = 0.02 * scale
                t.mul_(1 - lr * 0.05).add_(u, alpha=-lr * math.sqrt(max(1.0, t.shape[0] / t.shape[1])))
        for t in w.values():
            t.grad = None
        smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
        if step % 50 == 0 or step + 1 == a.steps:
            print(f"step {step} bits {smooth / math.log(2):.3f} cpu {time.process_time() - begin:.0f} s", flush=True)
    return w


# --- Files -------------------------------------------------------------------------------------------------------------


def write_safetensors(path, w):
    header, blob = {"__metadata__": {"format": "pt"}}, b""
    for name in sorted(w):
        t = w[name].detach().to(torch.bfloat16).contiguous()
        data = t.view(torch.int16).numpy().tobytes()
        header[name] = {"dtype": "BF16", "shape": list(t.shape), "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + blob)
    os.replace(path + ".part", path)


def byte_names():
    """The printable character that byte-level BPE (GPT-2) writes for each byte."""
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    rest = [b for b in range(256) if b not in plain]
    return {b: chr(b) if b in plain else chr(256 + rest.index(b)) for b in range(256)}


def tokenizer():
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {"type": "BPE", "vocab": {c: b for b, c in byte_names().items()}, "merges": []},
    }


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--text", default=RDB)
    p.add_argument("--out", default=".")
    p.add_argument("--steps", type=int, default=4000)
    p.add_argument("--batch", type=int, default=12)
    p.add_argument("--length", type=int, default=256)
    p.add_argument("--state", help="file that keeps the state of an interrupted training")
    p.add_argument("--weight-noise", type=float, default=0.0, help="train with noisy weights (0.02: noise-aware)")
    a = p.parse_args()
    torch.set_num_threads(1)
    books = novels(a.text)
    cut = [int(len(b) * (1 - HELD_OUT)) for b in books]
    text = b"".join(b[:c] for b, c in zip(books, cut))
    held = b"".join(b[c:] for b, c in zip(books, cut))
    print(f"{len(books)} novels, {len(text)} bytes to train on, {len(held)} held out")
    baseline = kneser_ney(text, 5).bits_per_byte(held)
    print(f"5-gram, modified Kneser-Ney: {baseline:.4f} bits a byte", flush=True)
    w = train(text, CONFIG, a)
    rounded = {n: t.detach().to(torch.bfloat16).float() for n, t in w.items()}
    bits = bits_per_byte(rounded, held, CONFIG)
    print(f"model, weights in BF16: {bits:.4f} bits a byte")
    os.makedirs(a.out, exist_ok=True)
    write_safetensors(os.path.join(a.out, "model.safetensors"), w)
    with open(os.path.join(a.out, "config.json"), "w") as f:
        f.write(json.dumps(CONFIG, indent=2) + "\n")
    with open(os.path.join(a.out, "tokenizer.json"), "w", encoding="utf-8") as f:
        f.write(json.dumps(tokenizer(), indent=1, ensure_ascii=False) + "\n")
    with open(os.path.join(a.out, "held-out.txt"), "wb") as f:
        f.write(held[:EXCERPT])
    with open(os.path.join(a.out, "training.json"), "w") as f:
        figures = {
            "parameters": sum(t.numel() for t in w.values()),
            "steps": a.steps,
            "bytes_trained_on": len(text),
            "bytes_held_out": len(held),
            "held_out_bits_per_byte": round(bits, 4),
            "kneser_ney_5gram_bits_per_byte": round(baseline, 4),
        }
        f.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
