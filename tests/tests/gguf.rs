//! The Llama family from GGUF files: the same model as from Hugging Face's, quantized layers as they are, and what is wrong
//! with a file that is not what it should be.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::quantized::gguf_file::{Content, Value, write};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Module, Result, Tensor, Var};
use taper::Gguf;
use taper::ops::quantized_matmul;
use taper::quantized::Linear;
use taper_models::AnyModel;
use taper_models::llama::{Config, Llama};
use taper_models::pretrained::{Pretrained, read_config};
use taper_tests::originals::llama;
use taper_tests::parity::Golden;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/gguf").join(format!("{name}.gguf"))
}

fn load(path: &Path) -> Result<Llama> {
    Llama::from_gguf(path, DType::F32, &Device::Cpu)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_dtype(DType::F32).unwrap().to_vec1().unwrap()
}

/// The largest difference, by one plus the size of the reference.
fn off(tensor: &Tensor, reference: &Tensor) -> f32 {
    assert_eq!(tensor.dims(), reference.dims());
    let pairs = values(tensor).into_iter().zip(values(reference));
    pairs.map(|(value, reference)| (value - reference).abs() / (1.0 + reference.abs())).fold(0.0, f32::max)
}

/// Every tap of both, by name: queries and keys too, whose channels are in another order in some of the files.
fn compare(model: &Llama, reference: &Llama, golden: &Golden, tolerance: f32) {
    let ids = golden.tensor("input.input_ids");
    let (of, by) = (model.sites(), reference.sites());
    assert_eq!(of.len(), by.len());
    for (site, reference_site) in of.iter().zip(by.iter()) {
        assert_eq!(site.to_string(), reference_site.to_string());
        let name = site.to_string();
        let (Ok(site), Ok(reference_site)) = (of.find(&name), by.find(&name)) else { continue };
        let value = model.capture(ids, None, |_| site).unwrap();
        let expected = reference.capture(ids, None, |_| reference_site).unwrap();
        let finite = |tensor: &Tensor| tensor.clamp(-1e9, 1e9).unwrap();
        let off = off(&finite(&value), &finite(&expected));
        assert!(off <= tolerance, "{name} is off by {off}");
    }
}

#[test]
fn a_file_of_floats_is_the_original() {
    for name in ["llama", "llama_rope_llama3", "qwen2", "qwen3"] {
        let golden = Golden::open(name).unwrap();
        let model = load(&file(&format!("{name}-F32"))).unwrap();
        let logits = model.forward(golden.tensor("input.input_ids"), None).unwrap();
        let off = off(&logits, golden.tensor("output"));
        assert!(off <= 2e-5, "{name} is off by {off}");
        compare(&model, &llama(&golden).unwrap(), &golden, 2e-5);
    }
}

#[test]
fn biases_and_a_tied_head_are_found() {
    let golden = Golden::open("llama_tied").unwrap();
    let model = load(&file("llama_tied-F16")).unwrap();
    assert!(model.blocks[0].attn.q_proj.bias().is_some() && model.blocks[1].mlp.down.bias().is_some());
    compare(&model, &llama(&golden).unwrap(), &golden, 5e-3);
}

/// The format does not have the number by which Gemma 2 scales scores, so the reference gets that of llama.cpp.
#[test]
fn gemmas_norms_and_caps_are_found() {
    let golden = Golden::open("gemma2").unwrap();
    let config: Config = read_config(golden.file("config.json")).unwrap();
    let config = Config { attn_scale: (config.head_dim as f64).powf(-0.5), ..config };
    let weights = taper::Weights::safetensors([golden.file("model.safetensors")], DType::F32, &Device::Cpu).unwrap();
    let reference = Llama::from_weights(weights, &config).unwrap();
    compare(&load(&file("gemma2-F32")).unwrap(), &reference, &golden, 2e-5);
}

#[test]
fn quantized_layers_stay_quantized() {
    let golden = Golden::open("llama").unwrap();
    let (model, reference) = (load(&file("llama-Q8_0")).unwrap(), llama(&golden).unwrap());
    let block = |model: &Llama| {
        let block = &model.blocks[1];
        let (attn, mlp) = (&block.attn, &block.mlp);
        [&attn.q_proj, &attn.k_proj, &attn.v_proj, &attn.proj, &mlp.gate, &mlp.up, &mlp.down, &model.lm_head]
            .map(Clone::clone)
    };
    for (layer, reference) in block(&model).iter().zip(block(&reference)) {
        let Linear::Quantized { weight, .. } = layer else { panic!("{layer:?} is not quantized") };
        assert_eq!(weight.dtype(), GgmlDType::Q8_0);
        // Half a step of 127 in each block of 32.
        let (weight, reference) = (layer.weight().unwrap(), reference.weight().unwrap());
        let largest = values(&reference).into_iter().map(f32::abs).fold(0.0, f32::max);
        let worst = values(&(&weight - &reference).unwrap()).into_iter().map(f32::abs).fold(0.0, f32::max);
        assert!(worst <= 0.51 * largest / 127.0, "{layer:?}: {worst} of {largest}");
    }
    assert!(off_by_largest(&model, &golden) <= 0.1);
}

/// The largest difference of the logits, by the largest of the reference.
fn off_by_largest(model: &Llama, golden: &Golden) -> f32 {
    let logits = model.forward(golden.tensor("input.input_ids"), None).unwrap().to_dtype(DType::F32).unwrap();
    let most = |tensor: &Tensor| values(tensor).into_iter().map(f32::abs).fold(0.0, f32::max);
    most(&(&logits - golden.tensor("output")).unwrap()) / most(golden.tensor("output"))
}

#[test]
fn the_rest_may_be_of_half_precision() {
    let golden = Golden::open("llama").unwrap();
    for dtype in [DType::BF16, DType::F16] {
        let model = Llama::from_gguf(file("llama-Q8_0"), dtype, &Device::Cpu).unwrap();
        assert_eq!(model.wte.embeddings().dtype(), dtype);
        let off = off_by_largest(&model, &golden);
        assert!(off <= 0.1, "{dtype:?}: {off}");
    }
}

/// A quantized model is looked into, changed and differentiated like any other.
#[test]
fn quantized_models_are_run_like_others() -> Result<()> {
    let golden = Golden::open("llama")?;
    let ids = golden.tensor("input.input_ids");
    let model = load(&file("llama-Q8_0"))?;
    let zeroed =
        model.run().edit(|t| t.blocks[0].attn.q_proj, Tensor::zeros_like).capture(ids, None, |t| t.blocks[0].attn.q)?;
    assert!(values(&zeroed).iter().all(|value| *value == 0.0));
    let loss = model.run().loss(|t| t.output, |logits| logits.sqr()?.sum_all());
    let quantized = loss.gradients(ids, None, |t| t.blocks.each(|b| b.output))?;
    let float = llama(&golden)?;
    let float = float.run().loss(|t| t.output, |logits| logits.sqr()?.sum_all());
    let float = float.gradients(ids, None, |t| t.blocks.each(|b| b.output))?;
    for (gradient, reference) in quantized.gradients.iter().zip(&float.gradients) {
        let most = |tensor: &Tensor| values(tensor).into_iter().map(f32::abs).fold(0.0, f32::max);
        assert!(most(reference) > 0.0);
        assert!(most(&(gradient - reference)?) <= 0.2 * most(reference));
    }
    let narrow = model.run().edit(|t| t.blocks[1].ln_1, |x| x.narrow(2, 0, 31));
    let error = narrow.forward(ids, None).unwrap_err().to_string();
    assert!(error.contains("blocks.1.ln_1"), "{error}");
    assert_eq!(format!("{:?}", model.blocks[1].mlp.up), "Linear Q8_0 32→64");
    Ok(())
}

#[test]
fn the_gradient_of_a_quantized_product_is_that_of_the_dequantized_weight() -> Result<()> {
    let random = |shape: (usize, usize)| Tensor::randn(0f32, 1., shape, &Device::Cpu);
    for dtype in [GgmlDType::Q8_0, GgmlDType::Q4_0, GgmlDType::Q4K] {
        let weight = Arc::new(QTensor::quantize(&random((8, 256))?, dtype)?);
        let float = candle_nn::Linear::new(weight.dequantize(&Device::Cpu)?, None);
        let (x, by) = (Var::from_tensor(&random((3, 256))?)?, random((3, 8))?);
        let y = quantized_matmul(&x, &weight)?;
        let expected = float.forward(&x)?;
        // Rows of `x` are rounded to 8 bits on the way.
        assert!(values(&(&y - &expected)?).into_iter().all(|off| off.abs() < 0.5), "{dtype:?}");
        let gradient = |y: Tensor| (y * &by)?.sum_all()?.backward();
        let (gradient, expected) = (gradient(y)?, gradient(expected)?);
        assert!(off(gradient.get(&x).unwrap(), expected.get(&x).unwrap()) <= 1e-5, "{dtype:?}");
    }
    Ok(())
}

#[test]
fn a_gguf_file_is_opened_like_a_folder() {
    let model = taper_models::open(file("qwen2-F32"), DType::F32, &Device::Cpu).unwrap();
    assert!(matches!(model, AnyModel::Llama(_)));
    let gguf = Gguf::open(file("qwen2-F32")).unwrap();
    assert!(matches!(gguf.metadata()["general.architecture"], Value::String(ref name) if name == "qwen2"));
}

/// A folder of one test, gone when the test is done.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("taper-gguf-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn message(result: Result<Llama>) -> String {
    let Err(error) = result else { panic!("the fault was not reported") };
    let text = error.to_string();
    text.split("\n   0: ").next().unwrap_or_default().to_owned()
}

/// No cut gives a wrong tensor or a panic.
#[test]
fn a_file_that_is_cut_is_named_wherever_it_is_cut() {
    let folder = Folder::new("cut");
    let bytes = fs::read(file("llama-Q8_0")).unwrap();
    let path = folder.0.join("cut.gguf");
    // The last bytes fill the last tensor up to the alignment.
    for length in (0..bytes.len() - 32).step_by(101) {
        fs::write(&path, &bytes[..length]).unwrap();
        let text = message(load(&path));
        assert!(text.contains("cut.gguf` is ") && !text.contains('\n'), "{text}");
    }
}

/// Every byte of the header is changed in turn: what comes is an error or a model, never a panic.
#[test]
fn a_file_that_lies_does_no_harm() {
    let folder = Folder::new("lies");
    let whole = fs::read(file("llama-Q8_0")).unwrap();
    let header = Content::read(&mut Cursor::new(&whole)).unwrap().tensor_data_offset as usize;
    let path = folder.0.join("lies.gguf");
    for at in (4..header).step_by(2) {
        let mut bytes = whole.clone();
        bytes[at] ^= if at % 4 == 0 { 0x01 } else { 0x80 };
        fs::write(&path, bytes).unwrap();
        if let Err(error) = load(&path) {
            assert!(error.to_string().contains("lies.gguf"), "{error}");
        }
    }
}

#[test]
fn what_is_no_gguf_file_is_refused() {
    let folder = Folder::new("other");
    let path = folder.0.join("other.gguf");
    let whole = fs::read(file("llama-Q8_0")).unwrap();
    let version = [&whole[..4], &9u32.to_le_bytes(), &whole[8..]].concat();
    let aligned = [
        &b"GGUF\x03\0\0\0"[..],
        &0u64.to_le_bytes(),
        &1u64.to_le_bytes(),
        &17u64.to_le_bytes(),
        b"general.alignment",
        &4u32.to_le_bytes(),
        &0u32.to_le_bytes(),
    ]
    .concat();
    let many = [&whole[..8], &u64::MAX.to_le_bytes(), &whole[16..]].concat();
    let cases: [(&[u8], &str); 5] = [
        (b"PK\x03\x04 a zip", "is not a GGUF file: it does not begin with `GGUF`"),
        (b"", "is not a GGUF file"),
        (&version, "of a kind that is not known"),
        (&aligned, "is damaged: its `general.alignment` is 0"),
        (&many, "exceeds max"),
    ];
    for (bytes, part) in cases {
        fs::write(&path, bytes).unwrap();
        let text = message(load(&path));
        assert!(text.contains("other.gguf") && text.contains(part) && !text.contains('\n'), "{text}");
    }
    assert!(message(load(&folder.0.join("absent.gguf"))).contains("cannot read"));
}

/// The file written anew, with other metadata and tensors.
fn rewritten(path: &Path, edit: impl FnOnce(&mut HashMap<String, Value>, &mut HashMap<String, QTensor>)) -> String {
    let bytes = fs::read(file("llama-Q8_0")).unwrap();
    let mut reader = Cursor::new(&bytes);
    let content = Content::read(&mut reader).unwrap();
    let names: Vec<String> = content.tensor_infos.keys().cloned().collect();
    let tensor = |name: &String| (name.clone(), content.tensor(&mut reader, name, &Device::Cpu).unwrap());
    let mut tensors = names.iter().map(tensor).collect();
    let mut metadata = content.metadata;
    edit(&mut metadata, &mut tensors);
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    write(&mut File::create(path).unwrap(), &metadata, &tensors).unwrap();
    match load(path) {
        Ok(_) => "no error".to_owned(),
        Err(error) => message(Err(error)),
    }
}

#[test]
fn metadata_and_tensors_that_do_not_fit_are_named() {
    let folder = Folder::new("metadata");
    let path = folder.0.join("edited.gguf");
    assert_eq!(rewritten(&path, |_, _| ()), "no error");
    type Edit = fn(&mut HashMap<String, Value>, &mut HashMap<String, QTensor>);
    let cases: [(Edit, &[&str]); 9] = [
        (|meta, _| drop(meta.remove("llama.embedding_length")), &["missing field `llama.embedding_length`"]),
        (
            |meta, _| drop(meta.insert("llama.block_count".to_owned(), Value::String("three".to_owned()))),
            &["field `llama.block_count` is not one number"],
        ),
        (
            |meta, _| drop(meta.insert("general.architecture".to_owned(), Value::String("mamba".to_owned()))),
            &["field `general.architecture` is `mamba`, which is not supported; what is: `llama`"],
        ),
        (|meta, _| drop(meta.remove("general.architecture")), &["has no field `general.architecture`"]),
        (
            |meta, _| drop(meta.insert("llama.expert_count".to_owned(), Value::U32(8))),
            &["field `llama.expert_count`: a mixture of experts is not supported"],
        ),
        (|meta, _| drop(meta.insert("split.count".to_owned(), Value::U16(2))), &["is one of 2 files (`split.count`)"]),
        (
            |meta, _| drop(meta.insert("llama.rope.scaling.type".to_owned(), Value::String("yarn".to_owned()))),
            &["field `llama.rope.scaling.type`", "`yarn` are not supported"],
        ),
        (
            |_, tensors| {
                let moved = tensors.remove("blk.1.attn_q.weight").unwrap();
                tensors.insert("blk.1.attn_qq.weight".to_owned(), moved);
            },
            &["missing `model.layers.1.self_attn.q_proj.weight` [32, 32]", "unused `blk.1.attn_qq.weight` [32, 32]"],
        ),
        (
            |meta, _| drop(meta.insert("llama.feed_forward_length".to_owned(), Value::U32(32))),
            &["shape of `model.layers.0.mlp.gate_proj.weight`: the model asks for [32, 32], there is [64, 32]"],
        ),
    ];
    for (edit, parts) in cases {
        let text = rewritten(&path, edit);
        assert!(text.contains("edited.gguf"), "{text}");
        for part in parts {
            assert!(text.contains(part), "`{part}` is not in:\n{text}");
        }
    }
}
