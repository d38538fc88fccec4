use std::process;
use std::sync::OnceLock;

use taper_models::Pooling;

use super::*;

/// A folder of its own for a test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("taper-embed-{name}-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// With the model that is trained on the spot, once for all tests.
    fn trained(name: &str) -> Self {
        static FILES: OnceLock<Vec<(&str, Vec<u8>)>> = OnceLock::new();
        let folder = Self::new(name);
        let files = FILES.get_or_init(|| {
            train::train(&folder.0).unwrap();
            let files = ["config.json", "tokenizer.json", "model.safetensors"];
            files.map(|file| (file, fs::read(folder.0.join(file)).unwrap())).to_vec()
        });
        for (file, content) in files {
            fs::write(folder.0.join(file), content).unwrap();
        }
        folder
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn error(&self) -> String {
        let error = format!("{:#}", Encoder::open(&self.0).map(|_| ()).unwrap_err());
        assert!(!error.contains("panicked"), "{error}");
        error
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

#[test]
fn a_batch_gives_what_each_sentence_gives_alone() {
    let folder = Folder::trained("batch");
    let encoder = Encoder::open(&folder.0).unwrap();
    let texts: Vec<String> = texts(None).unwrap();
    for pooling in [Pooling::Mean, Pooling::Cls] {
        let (alone, _) = encoder.embed(&texts, pooling, 1).unwrap();
        for batch in [3, 32] {
            let (together, unknown) = encoder.embed(&texts, pooling, batch).unwrap();
            assert!(largest_difference(&together, &alone) <= 1e-5);
            assert_eq!(unknown, 0);
        }
        let lengths = alone.sqr().unwrap().sum(1).unwrap().to_vec1::<f32>().unwrap();
        assert!(lengths.iter().all(|length| (length - 1.0).abs() < 1e-5), "{lengths:?}");
    }
    // Lines two by two are about one thing.
    let (vectors, _) = encoder.embed(&texts, Pooling::Mean, 32).unwrap();
    let similar = vectors.matmul(&vectors.t().unwrap()).unwrap().to_vec2::<f32>().unwrap();
    for (i, row) in similar.iter().enumerate() {
        let others = row.iter().enumerate().filter(|&(other, _)| other != i);
        let (nearest, _) = others.max_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap();
        assert_eq!(nearest, i ^ 1, "the nearest of {:?} is {:?}", texts[i], texts[nearest]);
    }
}

#[test]
fn what_a_folder_says_is_done_or_refused() {
    let folder = Folder::trained("settings");
    let pooling = |modes: &str| {
        let modules = r#"[{"path": "", "type": "sentence_transformers.models.Transformer"},
            {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]"#;
        folder.write("modules.json", modules);
        folder.write("1_Pooling/config.json", modes);
    };
    pooling(r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#);
    assert_eq!(Encoder::open(&folder.0).unwrap().pooling, Pooling::Cls);
    pooling(r#"{"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}"#);
    assert_eq!(Encoder::open(&folder.0).unwrap().pooling, Pooling::Mean);
    pooling(r#"{"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true}"#);
    assert!(folder.error().contains("1_Pooling/config.json says"), "{}", folder.error());
    // As sentence-transformers writes it from its version 6 on.
    pooling(r#"{"embedding_dimension": 8, "pooling_mode": "cls", "include_prompt": true}"#);
    assert_eq!(Encoder::open(&folder.0).unwrap().pooling, Pooling::Cls);
    pooling(r#"{"pooling_mode": ["mean"], "pooling_mode_cls_token": true}"#);
    assert_eq!(Encoder::open(&folder.0).unwrap().pooling, Pooling::Mean);
    for (modes, part) in [
        (r#"{"pooling_mode": ["mean", "max"]}"#, r#"["mean", "max"]"#),
        (r#"{"pooling_mode": "lasttoken"}"#, "lasttoken"),
        (r#"{"pooling_mode": 3}"#, "field `pooling_mode` is 3"),
        ("{}", "`mean` or `cls` alone"),
    ] {
        pooling(modes);
        assert!(folder.error().contains(part), "{}", folder.error());
    }
    folder.write("modules.json", r#"[{"path": "2_Dense", "type": "sentence_transformers.models.Dense"}]"#);
    assert!(folder.error().contains("models.Dense`, which is not supported"), "{}", folder.error());
    fs::remove_file(folder.0.join("modules.json")).unwrap();

    // Texts are cut where the folder says.
    folder.write("sentence_bert_config.json", r#"{"max_seq_length": 4}"#);
    let encoder = Encoder::open(&folder.0).unwrap();
    let embed = |text: &str| encoder.embed(&[text.to_owned()], Pooling::Mean, 1).unwrap().0;
    assert_eq!(largest_difference(&embed("the chef tastes the soup"), &embed("the chef serves a cake")), 0.0);
    // In newer folders the tokenizer says it, and 1e30 where it has no limit.
    folder.write("sentence_bert_config.json", r#"{"transformer_task": "feature-extraction"}"#);
    folder.write("tokenizer_config.json", r#"{"model_max_length": 4}"#);
    let encoder = Encoder::open(&folder.0).unwrap();
    let embed = |text: &str| encoder.embed(&[text.to_owned()], Pooling::Mean, 1).unwrap().0;
    assert_eq!(largest_difference(&embed("the chef tastes the soup"), &embed("the chef serves a cake")), 0.0);
    folder.write("tokenizer_config.json", r#"{"model_max_length": 1000000000000000019884624838656}"#);
    let encoder = Encoder::open(&folder.0).unwrap();
    let embed = |text: &str| encoder.embed(&[text.to_owned()], Pooling::Mean, 1).unwrap().0;
    assert_ne!(largest_difference(&embed("the chef tastes the soup"), &embed("the chef serves a cake")), 0.0);
    // Texts are put in lower case if the folder says so, where the tokenizer does not.
    let tokenizer = fs::read_to_string(folder.0.join("tokenizer.json")).unwrap();
    let cased = tokenizer
        .replace("\"lowercase\": true", "\"lowercase\": false")
        .replace("\"lowercase\":true", "\"lowercase\":false");
    assert_ne!(cased, tokenizer);
    folder.write("tokenizer.json", &cased);
    for lower in [false, true] {
        folder.write("sentence_bert_config.json", &format!(r#"{{"do_lower_case": {lower}}}"#));
        let encoder = Encoder::open(&folder.0).unwrap();
        let embed = |text: &str| encoder.embed(&[text.to_owned()], Pooling::Mean, 1).unwrap().0;
        let difference = largest_difference(&embed("The CHEF tastes the soup"), &embed("the chef tastes the soup"));
        assert_eq!(difference == 0.0, lower, "{difference}");
    }
    folder.write("sentence_bert_config.json", r#"{"max_seq_length": "long"}"#);
    assert!(folder.error().contains("field `max_seq_length` is \"long\""), "{}", folder.error());
}

#[test]
fn a_folder_that_is_none_gives_one_error() {
    let folder = Folder::trained("bad");
    let config = fs::read_to_string(folder.0.join("config.json")).unwrap();
    let broken = |name: &str, text: &str, parts: &[&str]| {
        let path = folder.0.join(name);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, text).unwrap();
        let error = folder.error();
        for part in parts.iter().chain(&[name]) {
            assert!(error.contains(part), "no {part:?} in {error}");
        }
        fs::write(&path, whole).unwrap();
    };
    broken("tokenizer.json", "{}", &["cannot read"]);
    broken("config.json", "{}", &["missing field `model_type`"]);
    broken("config.json", &config.replace("hidden_size", "width"), &["missing field `hidden_size`"]);
    broken("config.json", &config.replace("\"bert\"", "\"gpt2\""), &["model_type", "`gpt2`"]);
    broken("model.safetensors", "short", &[]);
    for name in ["tokenizer.json", "config.json", "model.safetensors"] {
        let path = folder.0.join(name);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(folder.error().contains(name), "{}", folder.error());
        fs::write(&path, whole).unwrap();
    }
    assert!(Encoder::open(&folder.0).is_ok());
}

#[test]
fn words_that_are_not_known_are_counted() {
    let folder = Folder::trained("unknown");
    let (_, unknown) =
        Encoder::open(&folder.0).unwrap().embed(&["the chef frobnicates".to_owned()], Pooling::Mean, 1).unwrap();
    assert_eq!(unknown, 1);
}

#[test]
fn many_texts_are_listed_with_their_nearest() {
    let texts: Vec<String> = (0..20).map(|i| format!("text {i}")).collect();
    let similar: Vec<Vec<f32>> =
        (0..20i32).map(|i| (0..20i32).map(|j| 1.0 - (i - j).abs() as f32 / 20.0).collect()).collect();
    let listed = table::similarities(&texts, &similar);
    assert!(listed.starts_with("text 0\n   0.95  text 1\n   0.90  text 2\n   0.85  text 3\ntext 1\n"), "{listed}");
    let table = table::similarities(&texts[..3], &similar[..3]);
    assert_eq!(table.lines().count(), 4, "{table}");
}

#[test]
fn json_has_the_sentences_the_vectors_and_the_similarities() {
    let texts = ["a".to_owned(), "say \"b\"".to_owned()];
    let vectors = Tensor::new(&[[1f32, 0.], [0.1, 0.2]], &candle_core::Device::Cpu).unwrap();
    let text = json(&texts, &vectors, &[vec![1.0, 0.1], vec![0.1, 0.05]]).unwrap();
    let expected =
        r#"{"sentences":["a","say \"b\""],"embeddings":[[1.0,0.0],[0.1,0.2]],"similarities":[[1.0,0.1],[0.1,0.05]]}"#;
    assert_eq!(text, expected);
}
