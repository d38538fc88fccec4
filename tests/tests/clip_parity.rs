//! Every tensor inside CLIP against Hugging Face's, and proof that the comparison finds typical mistakes.

use candle_core::{DType, Device, Result, Tensor};
use taper::parity::Parity;
use taper_models::clip::{Clip, Config};
use taper_models::shared::Activation;
use taper_tests::fixtures::{assert_error, assert_same};
use taper_tests::originals::pretrained;
use taper_tests::parity::Golden;
use taper_tests::rows::{Row, compare_all, first_of, first_to_diverge, row, with_rows};

/// The taps of a block in the order of execution, with the references below `encoder.layers.I` (or the patterns).
const BLOCK: &[(&str, &str)] = &[
    ("ln_1", ".layer_norm1"),
    ("attn.q_proj", ".self_attn.q_proj"),
    ("attn.k_proj", ".self_attn.k_proj"),
    ("attn.v_proj", ".self_attn.v_proj"),
    ("attn.pattern", "attention"),
    ("attn.proj", ".self_attn.out_proj"),
    ("attn.output", ".self_attn"),
    ("ln_2", ".layer_norm2"),
    ("mlp.up", ".mlp.fc1"),
    ("mlp.act", ".mlp.activation_fn"),
    ("mlp.down", ".mlp.fc2"),
    ("mlp.output", ".mlp"),
    ("output", ""),
];

fn blocks(tower: &str) -> impl Iterator<Item = Row> {
    let rows = (0..2).flat_map(move |i| BLOCK.iter().map(move |&(name, golden)| (i, name, golden)));
    rows.map(move |(i, name, golden)| match golden {
        "attention" => row(format!("{tower}.blocks.{i}.{name}"), format!("{tower}_attention.{i}")),
        golden => row(format!("{tower}.blocks.{i}.{name}"), format!("module.{tower}_model.encoder.layers.{i}{golden}")),
    })
}

/// Images of another size than that of which the positions are, whose embedding is not called then.
#[test]
fn interpolated_positions_are_those_of_the_original() -> Result<()> {
    let golden = Golden::open("clip_interpolated")?;
    let mut model = pretrained::<Clip>(&golden, |_| ())?;
    assert_error(model.vision.forward(golden.tensor("input.pixel_values")), &["[batch, 3, 16, 16]", "`for_images`"]);
    model.vision = model.vision.for_images([28, 12])?;
    let mut rows = rows();
    rows.retain(|row| row.tap != "vision.position_embedding");
    compare_all(&model, &golden, &rows)
}

/// Every row in the order of execution. Hugging Face's vision tower gives the stream first, and what is pooled of it second.
fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("vision.patch_embedding", "module.vision_model.embeddings.patch_embedding"),
        row("vision.position_embedding", "module.vision_model.embeddings.position_embedding"),
        row("vision.embed", "module.vision_model.embeddings"),
        row("vision.ln_pre", "module.vision_model.pre_layrnorm"),
    ];
    rows.extend(blocks("vision"));
    rows.extend([
        row("vision.blocks.1.output", "module.vision_model.encoder"),
        row("vision.blocks.1.output", "module.vision_model"),
        row("vision.ln_post", "module.vision_model.post_layernorm"),
        row("vision.output", "vision_pooled"),
        row("visual_projection", "module.visual_projection"),
        row("image_embeds", "image_embeds"),
        row("text.token_embedding", "module.text_model.embeddings.token_embedding"),
        row("text.position_embedding", "module.text_model.embeddings.position_embedding"),
        row("text.embed", "module.text_model.embeddings"),
    ]);
    rows.extend(blocks("text"));
    rows.extend([
        row("text.blocks.1.output", "module.text_model.encoder"),
        row("text.ln_f", "module.text_model.final_layer_norm"),
        row("text.ln_f", "module.text_model"),
        row("text.output", "text_pooled"),
        row("text_projection", "module.text_projection"),
        row("text_embeds", "text_embeds"),
        row("output", "output"),
    ]);
    rows
}

#[test]
fn every_tap_is_that_of_the_original() -> Result<()> {
    for name in ["clip", "clip_gelu", "clip_padded"] {
        let golden = Golden::open(name)?;
        compare_all(&pretrained::<Clip>(&golden, |_| ())?, &golden, &rows())?;
    }
    Ok(())
}

#[test]
fn mistakes_diverge_where_they_are() -> Result<()> {
    type Mistake = (&'static str, fn(&mut Config), &'static str);
    let mistakes: [Mistake; 6] = [
        ("clip", |config| config.vision_config.hidden_act = Activation::Gelu, "vision.blocks.0.mlp.act"),
        ("clip", |config| config.text_config.hidden_act = Activation::Gelu, "text.blocks.0.mlp.act"),
        ("clip", |config| config.text_config.num_attention_heads = 2, "text.blocks.0.attn.pattern"),
        ("clip_gelu", |config| config.vision_config.layer_norm_eps = 1e-5, "vision.ln_pre"),
        ("clip_gelu", |config| config.text_config.layer_norm_eps = 1e-3, "text.blocks.0.ln_1"),
        // The largest token is another than the one that ends a text.
        ("clip_gelu", |config| config.text_config.eos_token_id = 2, "text.output"),
    ];
    for (name, mistake, tap) in mistakes {
        let golden = Golden::open(name)?;
        let found = match first_to_diverge(&pretrained::<Clip>(&golden, mistake)?, &golden, &rows()) {
            Ok(found) => found,
            Err(error) => panic!("{tap}: {error}"),
        };
        assert_eq!(found, tap);
    }
    // What no configuration says.
    let golden = Golden::open("clip")?;
    let mut model = pretrained::<Clip>(&golden, |_| ())?;
    model.text.blocks[1].attn.scale = 1.0;
    assert_eq!(first_to_diverge(&model, &golden, &rows())?, "text.blocks.1.attn.pattern");
    Ok(())
}

#[test]
fn what_follows_the_end_of_a_text_is_not_read() -> Result<()> {
    let golden = Golden::open("clip_gelu")?;
    let model = pretrained::<Clip>(&golden, |_| ())?;
    let text = |ids: &[u32]| model.text.forward(&Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?, None);
    let padded = text(&[7, 8, 30, 30, 30])?;
    assert_same(&text(&[7, 8, 30, 3, 4])?, &padded);
    let short = taper_tests::parity::max_error(&text(&[7, 8, 30])?, &padded)?;
    assert!(short <= taper_tests::parity::TOLERANCE, "{short}");
    Ok(())
}

/// What is padding before the end of a text is what a mask is for.
#[test]
fn padding_that_is_read_diverges_at_the_first_pattern() -> Result<()> {
    let golden = Golden::open("clip_padded")?;
    let model = pretrained::<Clip>(&golden, |_| ())?;
    let (images, texts) = (golden.tensor("input.pixel_values"), golden.tensor("input.input_ids"));
    let report = with_rows(Parity::of(&model, &golden.reference()?), &rows()).run((images, texts, None))?;
    assert_eq!(first_of(report), "text.blocks.0.attn.pattern");
    Ok(())
}

/// Masks of other lengths are of other texts, and masks of floats are likely to be added to scores.
#[test]
fn masks_of_another_kind_are_refused() -> Result<()> {
    let model = pretrained::<Clip>(&Golden::open("clip_padded")?, |_| ())?;
    let ids = Tensor::new(&[[7u32, 60]], &Device::Cpu)?;
    let mask = |dims: (usize, usize), dtype| Tensor::ones(dims, dtype, &Device::Cpu);
    assert_error(model.text.forward(&ids, Some(&mask((1, 3), DType::U32)?)), &["1 texts of 2 tokens"]);
    assert_error(model.text.forward(&ids, Some(&mask((1, 2), DType::F32)?)), &["give integers"]);
    Ok(())
}

#[test]
fn a_text_without_an_end_is_refused() -> Result<()> {
    let model = pretrained::<Clip>(&Golden::open("clip_gelu")?, |_| ())?;
    let ids = Tensor::new(&[[7u32, 30], [7, 8]], &Device::Cpu)?;
    assert_error(model.text.forward(&ids, None), &["no token 30"]);
    Ok(())
}

/// Where texts are padded by the token that ends them, the first of these is none of a text that has padding before it.
#[test]
fn an_end_in_the_padding_before_a_text_is_refused() -> Result<()> {
    let model = pretrained::<Clip>(&Golden::open("clip_padded")?, |_| ())?;
    let read = |ids: [u32; 3], mask: [u32; 3]| {
        let texts = Tensor::new(&[[7, 60, 60], ids], &Device::Cpu)?;
        model.text.forward(&texts, Some(&Tensor::new(&[[1, 1, 0], mask], &Device::Cpu)?))
    };
    assert_error(read([60, 7, 60], [0, 1, 1]), &["text 1", "padding before it"]);
    for (ids, mask) in [([5, 7, 60], [0, 1, 1]), ([7, 60, 60], [1, 0, 0]), ([60, 60, 60], [0, 0, 0])] {
        assert_eq!(read(ids, mask)?.dims()[0], 2);
    }
    Ok(())
}

#[test]
fn a_text_that_is_too_long_is_refused() -> Result<()> {
    let model = pretrained::<Clip>(&Golden::open("clip_gelu")?, |_| ())?;
    let ids = Tensor::new(vec![vec![30u32; 13]], &Device::Cpu)?;
    assert_error(model.text.forward(&ids, None), &["13 tokens", "12 positions"]);
    Ok(())
}

#[test]
fn images_of_another_size_are_refused() -> Result<()> {
    let model = pretrained::<Clip>(&Golden::open("clip")?, |_| ())?;
    let images = Tensor::zeros((1, 3, 16, 24), DType::F32, &Device::Cpu)?;
    assert_error(model.vision.forward(&images), &["[1, 3, 16, 24]", "[batch, 3, 16, 16]"]);
    Ok(())
}
