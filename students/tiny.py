"""The `tiny` student: a Llama of about 0.4 million parameters that reads and writes bytes.

Small enough to train from nothing in a minute or two on two cores, yet an ordinary model
folder: any server or trainer that takes Llama takes it. A head is 32 wide because that is
the narrowest that vLLM's CPU attention supports.
"""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

__all__ = ["TEMPLATE", "save_untrained", "tiny_config", "tiny_tokenizer"]

TEMPLATE = Path(__file__).with_name("tiny.j2")
"""Chat template: each turn is a role token, the text, and `<|end|>`."""

PAD, BOS, END = "<pad>", "<bos>", "<|end|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte of UTF-8, and one for each role, so that prompts stay short."""
    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={s: i for i, s in enumerate(symbols)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([PAD, BOS, END, *ROLES])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=END,
        chat_template=TEMPLATE.read_text(encoding="utf-8"),
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )


def tiny_config(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    """Three layers, 96 wide, three heads of 32; embeddings shared with the output."""
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=288,
        num_hidden_layers=3,
        num_attention_heads=3,
        num_key_value_heads=3,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        # Wider than the usual 0.02, which at this width makes the first hundred steps idle.
        initializer_range=0.05,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def save_untrained(folder: Path, seed: int) -> Path:
    """Write the model with its initial weights, which depend on `seed` alone."""
    tokenizer = tiny_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(tiny_config(tokenizer))
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
