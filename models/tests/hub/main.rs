//! The hub, against a server on this machine and a cache of its own.

mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use candle_core::{DType, Device, Result};
use server::Server;
use taper_models::gpt2::Gpt2;
use taper_models::hub::Repository;
use taper_models::{AnyModel, Pretrained, open_hub};

/// A cache of one test, gone when the test is done.
struct Cache(PathBuf);

impl Cache {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("taper-hub-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn repository(&self, server: &Server) -> Repository {
        Repository::new("some/model").cache(&self.0).endpoint(&server.url).offline(false)
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn file(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/gpt2").join(name)).unwrap()
}

fn whole() -> Vec<(&'static str, Vec<u8>)> {
    vec![("config.json", file("config.json")), ("model.safetensors", file("model.safetensors"))]
}

/// The weights in two files, and their index.
fn sharded() -> Vec<(&'static str, Vec<u8>)> {
    const SHARDS: [&str; 2] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let tensors = candle_core::safetensors::load_buffer(&file("model.safetensors"), &Device::Cpu).unwrap();
    let mut shards = [Vec::new(), Vec::new()];
    let mut index = serde_json::Map::new();
    for (i, (name, tensor)) in tensors.into_iter().enumerate() {
        index.insert(name.clone(), SHARDS[i % 2].into());
        shards[i % 2].push((name, tensor));
    }
    let cache = Cache::new("shards");
    let mut files = vec![("config.json", file("config.json"))];
    for (name, shard) in SHARDS.into_iter().zip(shards) {
        let path = cache.0.join(name);
        candle_core::safetensors::save(&shard.into_iter().collect(), &path).unwrap();
        files.push((name, fs::read(path).unwrap()));
    }
    files.push(("model.safetensors.index.json", serde_json::json!({"weight_map": index}).to_string().into_bytes()));
    files
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

#[test]
fn a_model_is_fetched_once() {
    let (server, cache) = (Server::new(&whole(), None), Cache::new("once"));
    let repository = cache.repository(&server);
    let model = open_hub(repository.clone(), DType::F32, &Device::Cpu).unwrap();
    assert!(matches!(model, AnyModel::Gpt2(_)));
    assert!(server.asked().iter().any(|path| path == "/some/model/resolve/main/model.safetensors"));
    // From now on the cache has it, online or not.
    Gpt2::from_hub(repository.clone(), DType::F32, &Device::Cpu).unwrap();
    Gpt2::from_hub(repository.offline(true), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(server.asked(), [""; 0]);
}

#[test]
fn shards_are_fetched_with_their_index() {
    let (server, cache) = (Server::new(&sharded(), None), Cache::new("sharded"));
    let repository = cache.repository(&server);
    Gpt2::from_hub(repository.clone(), DType::F32, &Device::Cpu).unwrap();
    server.asked();
    Gpt2::from_hub(repository.clone(), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(server.asked(), [""; 0]);
    // A shard that was lost is fetched again, and offline it is named.
    let lost = repository.folder().unwrap().join("model-00002-of-00002.safetensors");
    fs::remove_file(&lost).unwrap();
    let text = message(repository.clone().offline(true).folder());
    contains(&text, &["`some/model` at `main`", "`model-00002-of-00002.safetensors` is lacking", "HF_HUB_OFFLINE"]);
    Gpt2::from_hub(repository, DType::F32, &Device::Cpu).unwrap();
    assert!(lost.exists());
}

#[test]
fn other_files_come_into_the_same_folder() {
    let files = [whole(), vec![("tokenizer.json", b"{}".to_vec())]].concat();
    let (server, cache) = (Server::new(&files, None), Cache::new("other"));
    let repository = cache.repository(&server);
    let folder = repository.folder().unwrap();
    assert_eq!(repository.file("tokenizer.json").unwrap(), folder.join("tokenizer.json"));
    contains(&message(repository.file("merges.txt")), &["`some/model` at `main` has no `merges.txt`"]);
    contains(&message(repository.offline(true).file("merges.txt")), &["`merges.txt` is lacking"]);
}

/// Between two fetches the branch may move: a configuration is not combined with the weights of another commit.
#[test]
fn all_files_are_of_one_commit() {
    let (server, cache) = (Server::new(&whole(), None), Cache::new("moved"));
    let repository = cache.repository(&server);
    repository.file("config.json").unwrap();
    let config = String::from_utf8(file("config.json")).unwrap().replace("\"gpt2\"", "\"gpt2\" ");
    server.push("decaf", "config.json", config.clone().into_bytes());
    let folder = repository.folder().unwrap();
    assert!(folder.ends_with("snapshots/decaf"), "{}", folder.display());
    assert_eq!(fs::read_to_string(folder.join("config.json")).unwrap(), config);
}

#[test]
fn whoever_is_refused_is_told_of_the_token() {
    let (server, cache) = (Server::new(&whole(), Some("hf_secret")), Cache::new("token"));
    let repository = cache.repository(&server);
    let text = message(repository.clone().token("hf_other").folder());
    contains(&text, &["`some/model` at `main`", "`config.json` was refused", "HF_TOKEN"]);
    assert!(!text.contains("hf_other"), "{text}");
    repository.token("hf_secret").folder().unwrap();
}

#[test]
fn what_is_not_there_is_named() {
    let (server, cache) = (Server::new(&whole()[..1], None), Cache::new("absent"));
    contains(
        &message(cache.repository(&server).folder()),
        &["has neither `model.safetensors` nor `pytorch_model.bin`"],
    );
    let other = Repository::new("some/other@v2").cache(&cache.0).endpoint(&server.url).offline(false);
    contains(&message(other.folder()), &["`some/other` at `v2` has no `config.json`, or there is no such repository"]);
    contains(&message(other.offline(true).folder()), &["`some/other` at `v2` is not in the cache", "`config.json`"]);
    // Nobody listens there.
    let deaf = Repository::new("some/model").cache(cache.0.join("deaf")).endpoint("http://127.0.0.1:9").offline(false);
    contains(&message(deaf.folder()), &["`config.json` of `some/model` at `main` cannot be fetched"]);
}

/// The environment is a process's own, so it takes another one to look at.
#[test]
fn the_environment_is_heeded() {
    const CHILD: &str = "TAPER_TEST_HUB";
    if std::env::var_os(CHILD).is_some() {
        match Repository::new("some/model").folder() {
            Ok(folder) => println!("folder: {}", folder.display()),
            Err(error) => println!("error: {error}"),
        }
        return;
    }
    let (server, cache) = (Server::new(&whole(), Some("hf_secret")), Cache::new("environment"));
    let child = |variables: &[(&str, &str)]| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "the_environment_is_heeded", "--nocapture"]).env(CHILD, "1");
        for name in ["HF_HOME", "HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "HF_ENDPOINT"] {
            command.env_remove(name);
        }
        let output = command.envs(variables.iter().copied()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let home = ("HF_HOME", cache.0.to_str().unwrap());
    let endpoint = ("HF_ENDPOINT", server.url.as_str());
    contains(&child(&[home, endpoint, ("HF_HUB_OFFLINE", "1")]), &["error: ", "HF_HUB_OFFLINE"]);
    assert_eq!(server.asked(), [""; 0]);
    contains(&child(&[home, endpoint]), &["was refused"]);
    let hub = cache.0.join("hub");
    contains(&child(&[home, endpoint, ("HF_TOKEN", "hf_secret")]), &["folder: ", hub.to_str().unwrap()]);
    // The token that a login leaves.
    fs::remove_dir_all(hub).unwrap();
    fs::write(cache.0.join("token"), "hf_secret\n").unwrap();
    let elsewhere = cache.0.join("elsewhere");
    let elsewhere = ("HF_HUB_CACHE", elsewhere.to_str().unwrap());
    contains(&child(&[home, endpoint, elsewhere]), &["folder: ", elsewhere.1]);
}
