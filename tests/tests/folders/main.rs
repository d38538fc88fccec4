//! Folders of Hugging Face: which architecture is loaded, and what is wrong with a bad one.

mod images;

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Result, Tensor};
use taper::Model;
use taper_models::any::WithDecoder;
use taper_models::gpt2::Gpt2;
use taper_models::{AnyModel, Architecture, Decoder, Pretrained, open};
use taper_tests::parity::Golden;

/// A folder of one test, with the reference's GPT-2 in it; gone when the test is done.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("taper-folders-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let golden = Golden::open("gpt2").unwrap();
        for file in ["config.json", "model.safetensors"] {
            fs::copy(golden.file(file), folder.join(file)).unwrap();
        }
        Self(folder)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    fn config(&self) -> serde_json::Map<String, serde_json::Value> {
        serde_json::from_slice(&fs::read(self.path("config.json")).unwrap()).unwrap()
    }

    fn edit_config(&self, edit: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) {
        let mut config = self.config();
        edit(&mut config);
        fs::write(self.path("config.json"), serde_json::to_vec(&config).unwrap()).unwrap();
    }

    /// The file written anew with other names.
    fn rename(&self, rename: impl Fn(&str) -> String) {
        let path = self.path("model.safetensors");
        let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        let tensors = tensors.into_iter().map(|(name, tensor)| (rename(&name), tensor)).collect();
        candle_core::safetensors::save(&tensors, path).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn message<T>(result: Result<T>) -> String {
    let Err(error) = result else { panic!("the fault was not reported") };
    let text = error.to_string();
    text.split("\n   0: ").next().unwrap_or_default().to_owned()
}

#[track_caller]
fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

/// The logits of the reference's input, whatever language model it is.
struct Logits<'a>(&'a Tensor);

impl WithDecoder for Logits<'_> {
    type Output = Result<Tensor>;

    fn run<D: Decoder<Source = ()>>(self, model: &D) -> Result<Tensor> {
        Ok(Model::forward_with_taps(model, D::args(self.0, &(), None))?.0)
    }
}

fn logits(model: &AnyModel) -> Vec<f32> {
    let golden = Golden::open("gpt2").unwrap();
    let logits = model.with_decoder(Logits(golden.tensor("input.input_ids"))).unwrap().unwrap();
    logits.flatten_all().unwrap().to_vec1().unwrap()
}

fn load(folder: &Path) -> Result<AnyModel> {
    open(folder, DType::F32, &Device::Cpu)
}

#[test]
fn the_configuration_picks_the_architecture() {
    let folder = Folder::new("pick");
    let model = load(&folder.0).unwrap();
    assert_eq!(model.model_type(), "gpt2");
    let golden = Golden::open("gpt2").unwrap();
    let reference: Vec<f32> = golden.tensor("output").flatten_all().unwrap().to_vec1().unwrap();
    for (value, reference) in logits(&model).iter().zip(&reference) {
        assert!((value - reference).abs() <= 2e-5 * (1.0 + reference.abs()));
    }
    // Older files have the original's class in place of the type.
    folder.edit_config(|config| {
        config.remove("model_type");
        config.insert("architectures".to_owned(), serde_json::json!(["GPT2LMHeadModel"]));
    });
    assert_eq!(Architecture::of(&folder.0).unwrap().model_type(), "gpt2");
    assert_eq!(logits(&load(&folder.0).unwrap()), logits(&model));
}

#[test]
fn names_that_old_checkpoints_use_load() {
    let folder = Folder::new("names");
    let reference = logits(&load(&folder.0).unwrap());
    let bare = |name: &str| name.strip_prefix("transformer.").unwrap_or(name).to_owned();
    let old = |name: &str| {
        let name = bare(name);
        if !name.contains("ln_") {
            return name;
        }
        name.replace(".weight", ".gamma").replace(".bias", ".beta")
    };
    folder.rename(bare);
    assert_eq!(logits(&load(&folder.0).unwrap()), reference);
    folder.rename(old);
    assert_eq!(logits(&load(&folder.0).unwrap()), reference);
    folder.rename(|name| if name == "lm_head.weight" { name.to_owned() } else { format!("transformer.{name}") });
    assert_eq!(logits(&load(&folder.0).unwrap()), reference);
}

#[test]
fn halves_load_as_halves_and_as_floats() {
    let folder = Folder::new("halves");
    let reference = logits(&load(&folder.0).unwrap());
    let path = folder.path("model.safetensors");
    let whole = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    for (dtype, error) in [(DType::F16, 1e-2), (DType::BF16, 1e-1)] {
        let halves = whole.iter().map(|(name, tensor)| (name.clone(), tensor.to_dtype(dtype).unwrap())).collect();
        candle_core::safetensors::save(&halves, &path).unwrap();
        let Ok(AnyModel::Gpt2(model)) = open(&folder.0, dtype, &Device::Cpu) else { panic!("no GPT-2 of {dtype:?}") };
        assert_eq!(model.wte.embeddings().dtype(), dtype);
        for (value, reference) in logits(&load(&folder.0).unwrap()).iter().zip(&reference) {
            assert!((value - reference).abs() <= error * (1.0 + reference.abs()), "{value} {reference}");
        }
    }
}

/// One error that names the file, and the field or the tensor.
#[test]
fn each_bad_folder_is_one_clear_error() {
    type Spoil = fn(&Folder);
    let cases: &[(&str, Spoil, &[&str])] = &[
        ("no-config", |f| fs::remove_file(f.path("config.json")).unwrap(), &["cannot read", "config.json", "No such"]),
        ("torn-config", |f| fs::write(f.path("config.json"), "{\"n_embd\": 4,").unwrap(), &["config.json` is no JSON"]),
        (
            "no-field",
            |f| f.edit_config(|config| drop(config.remove("n_embd"))),
            &["config.json`: missing field `n_embd`"],
        ),
        (
            "bad-field",
            |f| f.edit_config(|config| drop(config.insert("n_layer".to_owned(), "two".into()))),
            &["config.json`: field `n_layer`: invalid type: string \"two\""],
        ),
        (
            "bad-value",
            |f| f.edit_config(|config| drop(config.insert("n_head".to_owned(), 7.into()))),
            &["config.json", "7 heads"],
        ),
        (
            "activation",
            |f| f.edit_config(|config| drop(config.insert("activation_function".to_owned(), "snake".into()))),
            &["field `activation_function`: unknown variant `snake`, expected one of", "gelu_new"],
        ),
        (
            "unknown",
            |f| f.edit_config(|config| drop(config.insert("model_type".to_owned(), "gpt22".into()))),
            &["config.json`: field `model_type` is `gpt22`, which is not supported", "did you mean `gpt2`?"],
        ),
        (
            "untyped",
            |f| {
                f.edit_config(|config| {
                    config.remove("model_type");
                    config.remove("architectures");
                });
            },
            &["config.json`: has neither a field `model_type` nor a field `architectures`"],
        ),
        (
            "no-weights",
            |f| fs::remove_file(f.path("model.safetensors")).unwrap(),
            &["has neither `model.safetensors` nor"],
        ),
        (
            "torn-weights",
            |f| {
                let bytes = fs::read(f.path("model.safetensors")).unwrap();
                fs::write(f.path("model.safetensors"), &bytes[..bytes.len() / 2]).unwrap();
            },
            &["model.safetensors` is cut short: its header promises"],
        ),
        (
            "integers",
            |f| {
                let path = f.path("model.safetensors");
                let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
                let name = "transformer.ln_f.weight";
                let integers = tensors[name].to_dtype(DType::I64).unwrap();
                tensors.insert(name.to_owned(), integers);
                candle_core::safetensors::save(&tensors, path).unwrap();
            },
            &["model.safetensors", "dtype of `transformer.ln_f.weight`: the model needs F32, and there it is I64"],
        ),
        (
            "lacking",
            |f| f.rename(|name| name.replace("ln_f.bias", "ln_g.bias")),
            &["model.safetensors", "missing `transformer.ln_f.bias`", "unused `transformer.ln_g.bias`"],
        ),
    ];
    for (name, spoil, parts) in cases {
        let folder = Folder::new(name);
        spoil(&folder);
        contains(&message(load(&folder.0)), parts);
        // The architecture's own function says the same, but for what is about picking one.
        if !["unknown", "untyped"].contains(name) {
            contains(&message(Gpt2::from_folder(&folder.0, DType::F32, &Device::Cpu)), parts);
        }
    }
}

/// Once, and not for every tensor.
#[test]
fn weights_are_floats() {
    let folder = Folder::new("dtype");
    let gguf = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/gguf/llama-F32.gguf");
    for dtype in [DType::U8, DType::I64] {
        for error in [
            message(open(&folder.0, dtype, &Device::Cpu)),
            message(open(&gguf, dtype, &Device::Cpu)),
            message(Gpt2::from_folder(&folder.0, dtype, &Device::Cpu)),
        ] {
            contains(&error, &[&format!("cannot be {dtype:?}: open it as F32")]);
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
    open(&folder.0, DType::F64, &Device::Cpu).unwrap();
}

#[test]
fn a_folder_of_another_architecture_is_refused() {
    let folder = Folder::new("other");
    folder.edit_config(|config| drop(config.insert("model_type".to_owned(), "llama".into())));
    let text = message(Gpt2::from_folder(&folder.0, DType::F32, &Device::Cpu));
    contains(&text, &["config.json`: field `model_type` is `llama`; what is supported here is `gpt2`"]);
}

/// Every reference that has a `config.json` of Hugging Face: the one call loads it as what it is.
#[test]
fn every_reference_is_opened_as_what_it_is() {
    let mut opened = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("data")).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(config) = fs::read_to_string(folder.join("config.json")) else { continue };
        let config: serde_json::Value = serde_json::from_str(&config).unwrap();
        let Some(model_type) = config["model_type"].as_str() else { continue };
        assert_eq!(Architecture::of(&folder).unwrap().model_type(), model_type);
        load(&folder).map_err(|error| error.context(folder.display().to_string())).unwrap();
        opened += 1;
    }
    assert!(opened >= 32, "{opened}");
}
