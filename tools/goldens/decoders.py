"""Decoders: GPT-2, GPT-NeoX, and Llama with its relatives."""
import torch
from .common import T, TEXT, VOCAB, double, greedy, ids, last_pos, nonzero_biases, write, zeros


def generated(m, tokens):
    """What `generate` gives, which must be what every step of the whole text gives."""
    whole = greedy(lambda t: m(input_ids=t, use_cache=False).logits, tokens)
    m.generation_config.eos_token_id = None
    cached = m.generate(tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=12, do_sample=False, pad_token_id=0)
    assert torch.equal(whole, cached), (whole, cached)
    return {"generated": (whole, "the inputs and the twelve tokens that `generate(do_sample=False)` adds to them")}


def causal(out, name, m, cfg, grads, edits, note, generate=True):
    m = m.eval(); nonzero_biases(m)
    tokens = ids()
    kw = dict(input_ids=tokens, use_cache=False)
    write(out, name, m, cfg, {"input_ids": tokens}, lambda: m(**kw), lambda o: o.logits, lambda: m(**kw, output_attentions=True).attentions,
          grads, edits, note, generated(m, tokens) if generate else None)


def gpt2(out, name, note, **kw):
    kw = dict(vocab_size=VOCAB, n_positions=32, n_embd=24, n_layer=2, n_head=4, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0) | TEXT | kw
    c = T.GPT2Config(**kw)
    causal(out, name, T.GPT2LMHeadModel(c), c.to_dict(),
           [f"transformer.h.{i}{s}" for i in range(c.n_layer) for s in ("", ".attn", ".mlp", ".ln_1", ".ln_2")] + ["transformer.drop", "transformer.ln_f"],
           {"h1_attn_zero": ("transformer.h.1.attn", zeros), "h0_mlp_double": ("transformer.h.0.mlp", double), "h1_pos0": ("transformer.h.1", last_pos)}, note)


def neox(out, name, note, **kw):
    kw = dict(vocab_size=VOCAB, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, max_position_embeddings=32) | TEXT | kw
    c = T.GPTNeoXConfig(**kw)
    causal(out, name, T.GPTNeoXForCausalLM(c), c.to_dict(),
           [f"gpt_neox.layers.{i}{s}" for i in range(c.num_hidden_layers) for s in ("", ".attention", ".mlp", ".input_layernorm", ".post_attention_layernorm")]
           + ["gpt_neox.embed_in", "gpt_neox.final_layer_norm"],
           {"l1_attn_zero": ("gpt_neox.layers.1.attention", zeros), "l0_mlp_double": ("gpt_neox.layers.0.mlp", double), "l0_pos0": ("gpt_neox.layers.0", last_pos)}, note)


def llama(out, name, note, config=T.LlamaConfig, model=T.LlamaForCausalLM, mlp="mlp", generate=True, **kw):
    kw = dict(vocab_size=VOCAB, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=40, max_position_embeddings=64) | TEXT | kw
    c = config(**kw)
    causal(out, name, model(c), c.to_dict(),
           [f"model.layers.{i}{s}" for i in range(c.num_hidden_layers) for s in ("", ".self_attn", ".mlp", ".input_layernorm", ".post_attention_layernorm")]
           + ["model.embed_tokens", "model.norm"],
           {"l1_attn_zero": ("model.layers.1.self_attn", zeros), "l0_mlp_double": (f"model.layers.0.{mlp}", double), "l0_pos0": ("model.layers.0", last_pos)}, note, generate)


def relative(config, model, **kw):
    return dict(config=config, model=model, head_dim=8, **kw)


QWEN2 = dict(config=T.Qwen2Config, model=T.Qwen2ForCausalLM)
LLAMA3 = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8)
GEMMA2 = relative(T.Gemma2Config, T.Gemma2ForCausalLM, num_hidden_layers=3, mlp="post_feedforward_layernorm", sliding_window=4, query_pre_attn_scalar=24, attn_logit_softcapping=3.0, final_logit_softcapping=5.0)

MAKERS = {
    "gpt2_untied": lambda o, n: gpt2(o, n, "GPT-2 with a head of its own, exact GELU and an MLP of another width.", tie_word_embeddings=False, activation_function="gelu", n_inner=48),
    "gpt2_by_layer": lambda o, n: gpt2(o, n, "GPT-2 whose scores are divided by the number of the block too.", scale_attn_by_inverse_layer_idx=True),
    "gpt2_odd": lambda o, n: gpt2(o, n, "GPT-2 with heads of five channels and another epsilon.", n_embd=20, layer_norm_epsilon=1e-3),
    "neox": lambda o, n: neox(o, n, "GPT-NeoX: attention and MLP side by side, a quarter of each head's channels rotated."),
    "neox_serial": lambda o, n: neox(
        o, n, "GPT-NeoX, one after the other: the MLP reads what the attention wrote. Half of the channels rotated, by another base; no biases in the attention, tanh GELU, tied head.",
        use_parallel_residual=False, rope_parameters=dict(rope_type="default", rope_theta=1000.0, partial_rotary_factor=0.5),
        attention_bias=False, hidden_act="gelu_new", tie_word_embeddings=True, num_attention_heads=4),
    "neox_rope_yarn": lambda o, n: neox(
        o, n, "GPT-NeoX with YaRN's scaling of the rotary positions, half of the channels rotated, a text that is longer than those of the training.", num_attention_heads=2, max_position_embeddings=64,
        rope_parameters=dict(rope_type="yarn", rope_theta=100.0, partial_rotary_factor=0.5, factor=8.0, original_max_position_embeddings=8, beta_fast=2.0, beta_slow=0.1)),
    "llama_tied": lambda o, n: llama(o, n, "Llama with a tied head, and biases in attention and MLP.", tie_word_embeddings=True, attention_bias=True, mlp_bias=True),
    "llama_heads": lambda o, n: llama(o, n, "Llama with as many keys as queries, in heads of 8 channels: 32 together, where the stream has 24.", num_key_value_heads=4, head_dim=8, rms_norm_eps=1e-3),
    "llama_multi_query": lambda o, n: llama(o, n, "Llama with one key for all queries, and another base of the rotary positions.", num_key_value_heads=1, rope_parameters=dict(rope_type="default", rope_theta=500.0)),
    "llama_rope_llama3": lambda o, n: llama(o, n, "Llama with Llama 3's scaling of the rotary positions.", rope_parameters=LLAMA3),
    "llama_rope_linear": lambda o, n: llama(o, n, "Llama with linear scaling of the rotary positions.", rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=3.0)),
    "llama_rope_yarn": lambda o, n: llama(o, n, "Llama with YaRN's scaling of the rotary positions, heads of sixteen channels.", head_dim=16,
                                          max_position_embeddings=256, rope_parameters=dict(rope_type="yarn", rope_theta=100.0, factor=4.0, original_max_position_embeddings=64, beta_fast=4.0, beta_slow=0.5)),
    "qwen2_rope_yarn": lambda o, n: llama(o, n, "Qwen2 with YaRN's scaling of the rotary positions, a ramp between pairs, and factors of its own for the scores.", hidden_size=48,
                                          rope_parameters=dict(rope_type="yarn", rope_theta=1000.0, factor=8.0, original_max_position_embeddings=12, beta_fast=3.0, beta_slow=0.25, truncate=False, mscale=0.9, mscale_all_dim=0.4), **QWEN2),
    # Dynamic angles are those of the longest text that the original has read, so that it must not have read another.
    "llama_rope_dynamic": lambda o, n: llama(o, n, "Llama with dynamic rotary positions, in a text that is longer than those of the training.", generate=False, max_position_embeddings=6, rope_parameters=dict(rope_type="dynamic", rope_theta=10000.0, factor=2.0)),
    # Both texts are longer than those of the training; what a shorter one is divided by stands beside.
    "llama_rope_long": lambda o, n: llama(o, n, "Llama with LongRoPE's scaling of the rotary positions, in texts that are longer than those of the training.", generate=False, max_position_embeddings=32,
                                          rope_parameters=dict(rope_type="longrope", rope_theta=100.0, original_max_position_embeddings=6, short_factor=[1.0, 1.1, 1.3], long_factor=[1.0, 2.5, 4.0])),
    "mistral": lambda o, n: llama(o, n, "Mistral, with a window of four tokens.", **relative(T.MistralConfig, T.MistralForCausalLM, sliding_window=4)),
    "qwen2": lambda o, n: llama(o, n, "Qwen2: biases of queries, keys and values alone.", **QWEN2),
    "qwen2_window": lambda o, n: llama(o, n, "Qwen2 with a window of four tokens in the second layer, and a tied head.", use_sliding_window=True, sliding_window=4, max_window_layers=1, tie_word_embeddings=True, **QWEN2),
    "qwen3": lambda o, n: llama(o, n, "Qwen3: queries and keys normalized in each head; heads of 12 channels.", config=T.Qwen3Config, model=T.Qwen3ForCausalLM, head_dim=12),
    "gemma": lambda o, n: llama(o, n, "Gemma: embeddings scaled, norms that multiply by 1 + weight, tanh GELU.", config=T.GemmaConfig, model=T.GemmaForCausalLM, head_dim=12),
    "gemma2": lambda o, n: llama(o, n, "Gemma 2: four norms a block, capped scores and logits, a window of four tokens in every second layer, scores scaled by another number than the heads' width.", **GEMMA2),
}
