"""Encoders of text: BERT and RoBERTa."""
import torch
from .common import T, TEXT, VOCAB, double, ids, nonzero_biases, write, zeros


def encoder(out, name, m, c, inputs, note):
    m = m.eval(); nonzero_biases(m)
    write(out, name, m, c.to_dict(), inputs, lambda: m(**inputs), lambda o: o.last_hidden_state, lambda: m(**inputs, output_attentions=True).attentions,
          [f"encoder.layer.{i}{s}" for i in range(c.num_hidden_layers) for s in ("", ".attention", ".intermediate")] + ["embeddings"],
          {"layer1_attention_zero": ("encoder.layer.1.attention.output.dense", zeros), "layer0_double": ("encoder.layer.0", double)}, note,
          sentences(m(**inputs).last_hidden_state, inputs.get("attention_mask")))


def sentences(tokens, mask):
    """As sentence-transformers pools: the mean of what is no padding."""
    mask = torch.ones(tokens.shape[:2]) if mask is None else mask.to(tokens.dtype)
    mean = (tokens * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
    return {"mean": (mean, "the mean of each text's tokens that are no padding"),
            "sentence": (torch.nn.functional.normalize(mean, dim=-1), "the same, divided by its length")}


def bert(out, name, inputs, note, pooler=True, **kw):
    c = T.BertConfig(**dict(vocab_size=VOCAB, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, max_position_embeddings=32,
                            hidden_dropout_prob=0, attention_probs_dropout_prob=0) | TEXT | kw)
    encoder(out, name, T.BertModel(c, add_pooling_layer=pooler), c, inputs, note)


def roberta(out, name, inputs, note, **kw):
    c = T.RobertaConfig(**dict(vocab_size=VOCAB, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, max_position_embeddings=14, type_vocab_size=1,
                               hidden_dropout_prob=0, attention_probs_dropout_prob=0, layer_norm_eps=1e-5) | TEXT | kw)
    encoder(out, name, T.RobertaModel(c, add_pooling_layer=False), c, inputs, note)


def plain():
    return {"input_ids": ids()}


def padded(pad):
    """The second text is six tokens long; nothing else is padding."""
    text = ids()
    text[text == pad] = 5
    text[1, 6:] = pad
    return {"input_ids": text, "attention_mask": (text != pad).long()}


def inside(pad):
    """A token of padding within the first text, and no mask."""
    text = padded(pad)["input_ids"]
    text[0, 3] = pad
    return {"input_ids": text}


def typed():
    text = ids()
    types = torch.zeros_like(text); types[:, 5:] = 1; types[1, 2:] = 1
    return padded(0) | {"input_ids": text, "token_type_ids": types}


MAKERS = {
    "bert_plain": lambda o, n: bert(o, n, plain(), "BERT with neither mask nor token types, tanh GELU, 16 positions, heads of five channels and no pooler.",
                                    pooler=False, hidden_act="gelu_new", max_position_embeddings=16, hidden_size=20, layer_norm_eps=1e-3),
    "bert_types": lambda o, n: bert(o, n, typed(), "BERT with token types and padding, and ReLU.", hidden_act="relu"),
    "roberta": lambda o, n: roberta(o, n, padded(1), "RoBERTa: positions are counted from the padding's id on, over what is no padding."),
    "roberta_inside": lambda o, n: roberta(o, n, inside(3), "RoBERTa with another id of the padding, which also stands within a text; no mask is given.", pad_token_id=3),
}
