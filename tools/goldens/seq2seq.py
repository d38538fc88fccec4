"""Encoders with a decoder that reads them: T5 and Whisper."""
import torch
from .common import T, VOCAB, double, greedy, ids, last_pos, wide, write, zeros


def patterns(o):
    return {"encoder_attention": o.encoder_attentions, "decoder_attention": o.decoder_attentions, "cross_attention": o.cross_attentions}


def greedily(m, inputs, start):
    """From the start token on; equal to `generate`'s."""
    rest = {k: v for k, v in inputs.items() if k != "decoder_input_ids"}
    begin = torch.full((2, 1), start)
    whole = greedy(lambda t: m(**rest, decoder_input_ids=t, use_cache=False).logits, begin)
    m.generation_config.eos_token_id = None
    cached = T.GenerationMixin.generate(m, **rest, decoder_input_ids=begin, max_new_tokens=12, do_sample=False, pad_token_id=0)
    assert torch.equal(whole, cached), (whole, cached)
    return {"generated": (whole, "the start token and the twelve that `generate(do_sample=False)` adds to it")}


def t5(out, name, note, config=T.T5Config, model=T.T5ForConditionalGeneration, **kw):
    c = config(**dict(vocab_size=VOCAB, d_model=24, d_kv=6, d_ff=48, num_layers=2, num_decoder_layers=2, num_heads=4, dropout_rate=0, decoder_start_token_id=0,
                          relative_attention_num_buckets=8, relative_attention_max_distance=6, attn_implementation="eager") | kw)
    m = model(c).eval()
    if model is T.MT5ForConditionalGeneration:
        # The library ties it, and the checkpoints have one of their own.
        m.lm_head = torch.nn.Linear(c.d_model, c.vocab_size, bias=False)
    wide(m)
    text = ids()
    mask = torch.ones_like(text); mask[1, 6:] = 0
    answer = torch.randint(0, VOCAB, (2, 7), generator=torch.Generator().manual_seed(8)); answer[:, 0] = 0
    inputs = {"input_ids": text, "attention_mask": mask, "decoder_input_ids": answer}
    blocks = [(s, i) for s, n in (("encoder", c.num_layers), ("decoder", c.num_decoder_layers)) for i in range(n)]
    write(out, name, m, c.to_dict(), inputs, lambda: m(**inputs, use_cache=False), lambda o: o.logits, lambda: patterns(m(**inputs, output_attentions=True)),
          [f"{s}.block.{i}" for s, i in blocks] + [f"{s}.block.{i}.layer.0.SelfAttention" for s, i in blocks]
          + [f"decoder.block.{i}.layer.1.EncDecAttention" for i in range(c.num_decoder_layers)] + ["encoder.final_layer_norm", "decoder.final_layer_norm"],
          {"cross0_zero": ("decoder.block.0.layer.1.EncDecAttention", zeros), "encoder0_mlp_double": ("encoder.block.0.layer.1.DenseReluDense", double),
           "decoder0_pos0": ("decoder.block.0.layer.0", last_pos)}, note, greedily(m, inputs, 0))


def whisper(out, name, note, **kw):
    c = T.WhisperConfig(**dict(vocab_size=VOCAB, num_mel_bins=12, d_model=24, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
                               encoder_ffn_dim=48, decoder_ffn_dim=48, max_source_positions=11, max_target_positions=24, dropout=0, attn_implementation="eager",
                               decoder_start_token_id=3, pad_token_id=0, bos_token_id=1, eos_token_id=2) | kw)
    m = T.WhisperForConditionalGeneration(c).eval()
    # The encoder's positions are sinusoids, not drawn.
    sinusoids = m.model.encoder.embed_positions.weight.detach().clone()
    wide(m)
    m.model.encoder.embed_positions.weight.data.copy_(sinusoids)
    mel = torch.randn(2, c.num_mel_bins, 2 * c.max_source_positions, generator=torch.Generator().manual_seed(9))
    inputs = {"input_features": mel, "decoder_input_ids": ids()}
    blocks = [(s, i) for s, n in (("encoder", c.encoder_layers), ("decoder", c.decoder_layers)) for i in range(n)]
    write(out, name, m, c.to_dict(), inputs, lambda: m(**inputs, use_cache=False), lambda o: o.logits, lambda: patterns(m(**inputs, output_attentions=True)),
          [f"model.{s}.layers.{i}{part}" for s, i in blocks for part in ("", ".self_attn", ".fc2")] + [f"model.decoder.layers.{i}.encoder_attn" for i in range(c.decoder_layers)]
          + ["model.encoder.conv1", "model.encoder.layer_norm", "model.decoder.layer_norm"],
          {"cross1_zero": ("model.decoder.layers.1.encoder_attn", zeros), "encoder0_mlp_double": ("model.encoder.layers.0.fc2", double),
           "decoder0_pos0": ("model.decoder.layers.0", last_pos)}, note, greedily(m, inputs, c.decoder_start_token_id))


MAKERS = {
    "t5": lambda o, n: t5(o, n, "T5 with ReLU and a tied head, padding in the encoder's second text; eight buckets for distances below six."),
    "t5_gated": lambda o, n: t5(o, n, "T5 as of version 1.1: gated GELU and a head of its own; two encoder blocks for one of the decoder, heads of eight channels: 32 together, where the stream has 24.",
                                feed_forward_proj="gated-gelu", d_ff=32, tie_word_embeddings=False, num_decoder_layers=1, d_kv=8, relative_attention_num_buckets=16, relative_attention_max_distance=12,
                                layer_norm_epsilon=1e-3),
    "mt5": lambda o, n: t5(o, n, "mT5: gated GELU, a head of its own, which reads the stream as it is.", config=T.MT5Config, model=T.MT5ForConditionalGeneration, num_decoder_layers=1),
    "whisper": lambda o, n: whisper(o, n, "Whisper: the features of a sound, and a text that reads it by cross-attention."),
    "whisper_odd": lambda o, n: whisper(o, n, "Whisper with heads of ten channels in the encoder and five in the decoder, one encoder block and scaled embeddings.",
                                        d_model=20, encoder_attention_heads=2, encoder_ffn_dim=40, decoder_ffn_dim=28, encoder_layers=1, scale_embedding=True),
}
