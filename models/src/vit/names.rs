//! What tensors are called in the files of Hugging Face's library, of every version, and in timm's.

use candle_core::Result;
use taper::Weights;

use crate::shared::replaced;

/// The weights of a file of Hugging Face's or timm's, by the names that are asked for.
pub(super) fn with_our_names(weights: Weights) -> Result<Weights> {
    if !weights.contains("patch_embed.proj.weight") {
        return weights.renamed(block_names);
    }
    // Queries, keys and values are one layer there.
    let apart = |name: &str, rows: usize| {
        let (layer, part) = name.split_once(".attn.qkv.")?;
        let parts = ["q", "k", "v"].map(|of| (format!("{layer}.self_attn.{of}_proj.{part}"), rows / 3));
        Some(parts.to_vec())
    };
    weights.divided(apart)?.renamed(name_of_timm)
}

/// A name in timm's files.
fn name_of_timm(name: &str) -> String {
    const NAMES: &[(&str, &str)] = &[
        ("cls_token", "vit.embeddings.cls_token"),
        ("pos_embed", "vit.embeddings.position_embeddings"),
        ("patch_embed.proj.", "vit.embeddings.patch_embeddings.projection."),
        ("norm.", "vit.layernorm."),
        ("head.", "classifier."),
    ];
    const OF_BLOCKS: &[(&str, &str)] =
        &[(".norm1.", ".layer_norm1."), (".norm2.", ".layer_norm2."), (".attn.proj.", ".self_attn.out_proj.")];
    match (name.strip_prefix("blocks."), NAMES.iter().find(|(theirs, _)| name.starts_with(theirs))) {
        (Some(rest), _) => format!("vit.layers.{}", replaced(rest, OF_BLOCKS)),
        (None, Some((theirs, ours))) => name.replacen(theirs, ours, 1),
        (None, None) => name.to_owned(),
    }
}

/// A name in Hugging Face's files, as [`Block`](crate::shared::vision::Block) asks for it.
fn block_names(name: &str) -> String {
    const NAMES: &[(&str, &str)] = &[
        ("encoder.layer.", "layers."),
        ("attention.attention.query.", "self_attn.q_proj."),
        ("attention.attention.key.", "self_attn.k_proj."),
        ("attention.attention.value.", "self_attn.v_proj."),
        ("attention.output.dense.", "self_attn.out_proj."),
        ("intermediate.dense.", "mlp.fc1."),
        ("output.dense.", "mlp.fc2."),
        ("layernorm_before.", "layer_norm1."),
        ("layernorm_after.", "layer_norm2."),
        // As of version 5.
        (".attention.o_proj.", ".self_attn.out_proj."),
        (".attention.", ".self_attn."),
    ];
    replaced(name, NAMES)
}
