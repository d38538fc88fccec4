use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor, safetensors};
use console::measure_text_width;

use super::*;

/// A folder of its own with a model that has hardly learned anything.
struct Trained(PathBuf);

impl Trained {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("taper-lens-{}-{name}", std::process::id()));
        train::train(&path, 3).unwrap();
        Self(path)
    }

    fn error(&self) -> String {
        match Folder::open(&self.0, DType::F32) {
            Ok(_) => panic!("the folder is bad and was read"),
            Err(error) => format!("{error:#}"),
        }
    }
}

impl Drop for Trained {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_last_row_is_what_the_model_says() {
    let trained = Trained::new("rows");
    let folder = Folder::open(&trained.0, DType::F32).unwrap();
    let text = folder.read("Subject to the terms and\nconditions — of this License").unwrap();
    // The dash is three bytes, each a token.
    for label in ["\\n", "·", "\\xe2", "\\x80", "\\x94"] {
        assert!(text.labels.iter().any(|other| other == label), "{:?}", text.labels);
    }
    let seen = folder.look(Lens { ids: &text.ids, top: 2, layers: None }).unwrap();
    let names: Vec<_> = seen.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["embedding", "block 0", "block 1", "block 2", "output"]);
    // The stream after the last block, normalized and through the head, is the output.
    assert_eq!(seen.rows[3].next, seen.rows[4].next);
    assert_ne!(seen.rows[0].next, seen.rows[4].next);
    let tokens = text.labels.len();
    for row in &seen.rows {
        assert_eq!(row.next.len(), tokens);
        assert!(row.next.iter().all(|next| next.len() == 2 && next[0].1 >= next[1].1 && next[0].1 <= 1.0));
    }
    assert_eq!(seen.patterns[2].1.dims(), [4, tokens, tokens]);

    let some = folder.look(Lens { ids: &text.ids, top: 2, layers: Some(vec![0, 2]) }).unwrap();
    assert_eq!(
        some.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(),
        ["embedding", "block 0", "block 2", "output"]
    );
    assert_eq!(some.rows[1].next, seen.rows[1].next);
    let error = folder.look(Lens { ids: &text.ids, top: 2, layers: Some(vec![3]) }).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("no block 3; the model has 3"), "{error}");

    for width in [40, 80, 200] {
        let table = table::by_token(&seen, &text.labels, &folder, 2, width);
        assert!(table.lines().all(|line| measure_text_width(line) <= width), "{table}");
        let table = table::at_the_end(&seen, &folder, width);
        assert!(table.lines().all(|line| measure_text_width(line) <= width), "{table}");
    }
    for (_, pattern) in &seen.patterns {
        picture::heads("heads", pattern, &text.labels).unwrap();
    }
    assert!(folder.read("").is_err());
    let long = folder.read(&"and so on ".repeat(200)).unwrap();
    let error = folder.look(Lens { ids: &long.ids, top: 1, layers: None }).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("longer than the 64 positions"), "{error}");
}

/// Halves give nearly the same.
#[test]
fn other_dtypes() {
    let trained = Trained::new("dtypes");
    let probability = |dtype| {
        let folder = Folder::open(&trained.0, dtype).unwrap();
        let text = folder.read("the License").unwrap();
        folder.look(Lens { ids: &text.ids, top: 1, layers: None }).unwrap().rows[4].next[0][0].1
    };
    assert!((probability(DType::F32) - probability(DType::BF16)).abs() < 0.02);
}

#[test]
fn bad_folders_are_told_by_file_and_field() {
    let trained = Trained::new("bad");
    let file = |name: &str| trained.0.join(name);
    let bad = |name: &str, content: &str, parts: &[&str]| {
        let whole = fs::read(file(name)).unwrap();
        fs::write(file(name), content).unwrap();
        let error = trained.error();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        fs::write(file(name), whole).unwrap();
    };
    bad("config.json", r#"{"model_type": "gpt3"}"#, &["config.json", "`model_type` is `gpt3`"]);
    bad("config.json", r#"{"model_type": "gpt2"}"#, &["config.json", "vocab_size"]);
    bad("config.json", "no JSON", &["config.json"]);
    bad("tokenizer.json", "{}", &["tokenizer.json"]);
    let weights = fs::read(file("model.safetensors")).unwrap();
    fs::write(file("model.safetensors"), &weights[..weights.len() / 2]).unwrap();
    assert!(trained.error().contains("model.safetensors` is cut short"), "{}", trained.error());
    let mut tensors: HashMap<String, Tensor> = safetensors::load_buffer(&weights, &Device::Cpu).unwrap();
    let name = "transformer.h.1.mlp.c_fc.bias";
    tensors.insert(name.to_owned(), tensors[name].to_dtype(DType::I64).unwrap());
    safetensors::save(&tensors, file("model.safetensors")).unwrap();
    assert!(trained.error().contains(name) && trained.error().contains("I64"), "{}", trained.error());
    fs::write(file("model.safetensors"), weights).unwrap();
    for name in ["tokenizer.json", "config.json", "model.safetensors"] {
        let whole = fs::read(file(name)).unwrap();
        fs::remove_file(file(name)).unwrap();
        assert!(trained.error().contains(name), "{}", trained.error());
        fs::write(file(name), whole).unwrap();
    }
    Folder::open(&trained.0, DType::F32).unwrap();
}
