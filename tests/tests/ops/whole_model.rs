//! The gradient of a whole model, whose norms and softmaxes are candle's.

use candle_core::{DType, Device, Result, safetensors};
use candle_nn::{VarBuilder, VarMap};
use taper_models::gpt2::{Config, Gpt2};
use taper_models::pretrained::read_config;
use taper_tests::parity::Golden;

use super::assert_close;

/// Biases and the PyTorch modules whose outputs they are added to: the gradient of the one is that of the other, summed.
const BIASES: [(&str, &str); 4] =
    [("ln_1.bias", "ln_1"), ("ln_2.bias", "ln_2"), ("attn.c_proj.bias", "attn"), ("mlp.c_proj.bias", "mlp")];

#[test]
fn reaches_every_weight_of_gpt2_and_is_pytorchs() -> Result<()> {
    let golden = Golden::open("gpt2")?;
    let weights = safetensors::load(golden.file("model.safetensors"), &Device::Cpu)?;
    let config: Config = read_config(golden.file("config.json"))?;
    let vars = VarMap::new();
    let model = Gpt2::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu), &config)?;
    let vars = vars.data().lock().unwrap().clone();
    for (name, var) in &vars {
        var.set(&weights[name])?;
    }
    // The sum of the squares of the output, as for the reference.
    let grads = model.forward_with_taps(golden.tensor("input.input_ids"), None)?.0.sqr()?.sum_all()?.backward()?;
    for (name, var) in &vars {
        assert!(grads.get(var).is_some(), "no gradient for `{name}`");
    }

    let mut rows = vec![("transformer.ln_f.bias".to_owned(), "transformer.ln_f".to_owned())];
    for block in 0..config.n_layer {
        let name = |part: &str| format!("transformer.h.{block}.{part}");
        rows.extend(BIASES.map(|(bias, module)| (name(bias), name(module))));
    }
    for (bias, module) in rows {
        let expected = golden.tensor(&format!("grad.{module}")).sum((0, 1))?;
        assert_close(grads.get(&vars[&bias]).expect("seen above"), &expected, 1e-4, &bias);
    }
    // Nothing but the positions that there are has a gradient.
    let expected = golden.tensor("grad.transformer.drop").sum(0)?;
    let unused = config.n_positions - expected.dim(0)?;
    let positions = grads.get(&vars["transformer.wpe.weight"]).expect("seen above");
    assert_close(positions, &expected.pad_with_zeros(0, 0, unused)?, 1e-4, "the positions");
    Ok(())
}
