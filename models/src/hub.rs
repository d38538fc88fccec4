//! Models from the Hugging Face hub, by name: fetched into the cache that Hugging Face's other programs use, from then on
//! read there.
//!
//! The environment says what it says to those programs: `HF_HOME` and `HF_HUB_CACHE` where the cache is, `HF_TOKEN` (or
//! the file `token` in `HF_HOME`, which `hf auth login` writes) who asks, `HF_HUB_OFFLINE=1` that the cache must do,
//! `HF_ENDPOINT` which server is meant.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use candle_core::{DType, Device, Error, Result, bail};
use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};

use crate::any::{AnyModel, open};

/// The weights that are looked for, in this order; each may be divided among files that `NAME.index.json` lists.
const WEIGHTS: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];

/// The model of a repository of the hub, of the architecture that its `config.json` says. The weights become `dtype` on
/// `device`.
///
/// ```no_run
/// use candle_core::{DType, Device};
///
/// let model = taper_models::open_hub("openai-community/gpt2", DType::F32, &Device::Cpu)?;
/// println!("{}", model.model_type());
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Those of [`Repository::folder`] and of [`open`].
pub fn open_hub(repository: impl Into<Repository>, dtype: DType, device: &Device) -> Result<AnyModel> {
    open(repository.into().folder()?, dtype, device)
}

/// A repository of the hub: its name, or `NAME@REVISION` with a branch, a tag or a commit.
///
/// ```no_run
/// use taper_models::hub::Repository;
///
/// let folder = Repository::new("openai-community/gpt2").folder()?;
/// let tokenizer = Repository::new("openai-community/gpt2@main").file("tokenizer.json")?;
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Repository {
    name: String,
    revision: String,
    cache: Option<PathBuf>,
    endpoint: Option<String>,
    token: Option<String>,
    offline: bool,
    progress: bool,
}

impl From<&str> for Repository {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl Repository {
    /// The repository of this name, `OWNER/NAME` or `OWNER/NAME@REVISION`, as the environment says how to get it.
    pub fn new(name: &str) -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (name, revision) = name.split_once('@').unwrap_or((name, "main"));
        let offline = variable("HF_HUB_OFFLINE");
        Self {
            name: name.to_owned(),
            revision: revision.to_owned(),
            cache: variable("HF_HUB_CACHE").map(PathBuf::from),
            endpoint: variable("HF_ENDPOINT"),
            token: variable("HF_TOKEN"),
            offline: offline.is_some_and(|on| ["1", "on", "yes", "true"].contains(&on.to_lowercase().as_str())),
            progress: false,
        }
    }

    /// Another folder than the environment's to keep files in.
    #[must_use]
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// Another server than the environment's, such as `https://huggingface.co`.
    #[must_use]
    pub fn endpoint(mut self, url: &str) -> Self {
        self.endpoint = Some(url.to_owned());
        self
    }

    /// Another token than the environment's.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Whether the cache must do.
    #[must_use]
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// Whether a bar on the terminal shows how much of a file has been fetched.
    #[must_use]
    pub fn progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }

    /// A folder with `config.json` and the weights, fetched if they are not in the cache: what
    /// [`Pretrained::from_folder`](crate::Pretrained::from_folder) takes.
    ///
    /// The weights are `model.safetensors`, else `pytorch_model.bin`, whole or in shards. What is in the cache is not
    /// asked for again: a branch that has moved since is read as it was.
    ///
    /// # Errors
    /// A repository, a revision or a file that the hub does not have or does not give to this token; no connection; and
    /// offline, a file that is not in the cache. All name the repository and the file.
    pub fn folder(&self) -> Result<PathBuf> {
        let cached = self.cached();
        if let Some(folder) = cached.as_ref().filter(|folder| files(folder).is_some_and(|files| all(folder, &files))) {
            return Ok(folder.clone());
        }
        if self.offline {
            // Of the files that there would be, the first that is lacking.
            let files = cached.as_deref().and_then(files).unwrap_or_default();
            let lacks = |file: &&String| !cached.as_ref().is_some_and(|folder| folder.join(file).exists());
            let config = "config.json".to_owned();
            let lacking = std::iter::once(&config).chain(&files).find(lacks);
            return Err(self.not_cached(lacking.map_or(WEIGHTS[0], String::as_str)));
        }
        let repo = self.connect()?;
        self.get(&repo, "config.json")?;
        let mut files = vec!["config.json".to_owned()];
        let mut folder = None;
        for weights in WEIGHTS {
            if let Some(path) = self.get_if_there(&repo, weights)? {
                folder = parent(&path);
                files.push(weights.to_owned());
                break;
            }
            let index = format!("{weights}.index.json");
            if let Some(path) = self.get_if_there(&repo, &index)? {
                folder = parent(&path);
                files.push(index);
                for shard in shards(&path) {
                    folder = parent(&self.get(&repo, &shard)?);
                    files.push(shard);
                }
                break;
            }
        }
        let Some(folder) = folder else {
            let [first, second] = WEIGHTS;
            bail!("{self} has neither `{first}` nor `{second}`, nor an index of either", self = self.shown());
        };
        // Where the branch has moved since a part of them was fetched, the others are of another folder.
        for file in files.iter().filter(|file| !folder.join(file).exists()) {
            repo.download(file).map_err(|error| self.fault(file, &error))?;
        }
        Ok(folder)
    }

    /// One file, such as `tokenizer.json`, fetched if it is not in the cache.
    ///
    /// # Errors
    /// Those of [`folder`](Self::folder).
    pub fn file(&self, name: &str) -> Result<PathBuf> {
        match self.cached().map(|folder| folder.join(name)).filter(|path| path.exists()) {
            Some(path) => Ok(path),
            None if self.offline => Err(self.not_cached(name)),
            None => self.get(&self.connect()?, name),
        }
    }

    fn cache_folder(&self) -> Cache {
        self.cache.clone().map_or_else(Cache::from_env, Cache::new)
    }

    /// The folder of the revision in the cache, if there is one.
    fn cached(&self) -> Option<PathBuf> {
        let folder = self.cache_folder().path().join(self.repo().folder_name());
        let commit = fs::read_to_string(folder.join("refs").join(&self.revision));
        let snapshot = folder.join("snapshots").join(commit.as_deref().unwrap_or(&self.revision).trim());
        snapshot.is_dir().then_some(snapshot)
    }

    fn repo(&self) -> Repo {
        Repo::with_revision(self.name.clone(), RepoType::Model, self.revision.clone())
    }

    fn connect(&self) -> Result<ApiRepo> {
        let cache = self.cache_folder();
        // The token's file is beside the environment's cache, wherever the files are kept.
        let token = self.token.clone().or_else(|| Cache::from_env().token());
        let mut api = ApiBuilder::from_cache(cache).with_token(token).with_progress(self.progress).with_retries(2);
        if let Some(endpoint) = &self.endpoint {
            api = api.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        let api = api.build().map_err(|error| Error::Msg(format!("{} cannot be fetched: {error}", self.shown())))?;
        Ok(api.repo(self.repo()))
    }

    fn get(&self, repo: &ApiRepo, file: &str) -> Result<PathBuf> {
        repo.get(file).map_err(|error| self.fault(file, &error))
    }

    fn get_if_there(&self, repo: &ApiRepo, file: &str) -> Result<Option<PathBuf>> {
        match repo.get(file) {
            Ok(path) => Ok(Some(path)),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(self.fault(file, &error)),
        }
    }

    fn fault(&self, file: &str, error: &ApiError) -> Error {
        let repository = self.shown();
        Error::Msg(match status(error) {
            Some(404) => format!("{repository} has no `{file}`, or there is no such repository or revision"),
            Some(401 | 403) => format!(
                "{repository} is not there, or is not given to everybody: `{file}` was refused; set `HF_TOKEN`, or run \
                 `hf auth login`, as one who may read it"
            ),
            _ => format!("`{file}` of {repository} cannot be fetched: {error}"),
        })
    }

    fn not_cached(&self, file: &str) -> Error {
        let cache = self.cache_folder();
        Error::Msg(format!(
            "{} is not in the cache `{}` as a whole, `{file}` is lacking, and `HF_HUB_OFFLINE` forbids to fetch it",
            self.shown(),
            cache.path().display()
        ))
    }

    fn shown(&self) -> String {
        format!("`{}` at `{}`", self.name, self.revision)
    }
}

fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::RequestError(error) => match &**error {
            ureq::Error::StatusCode(status) => Some(*status),
            _ => None,
        },
        _ => None,
    }
}

fn parent(path: &Path) -> Option<PathBuf> {
    path.parent().map(Path::to_path_buf)
}

/// The files of a folder by what is there of them: the configuration, and the weights or the shards of the index.
fn files(folder: &Path) -> Option<Vec<String>> {
    let config = "config.json".to_owned();
    WEIGHTS.iter().find_map(|weights| {
        if folder.join(weights).exists() {
            return Some(vec![config.clone(), (*weights).to_owned()]);
        }
        let index = folder.join(format!("{weights}.index.json"));
        index.exists().then(|| std::iter::once(config.clone()).chain(shards(&index)).collect())
    })
}

fn all(folder: &Path, files: &[String]) -> bool {
    files.iter().all(|file| folder.join(file).exists())
}

/// The files that an index names, none outside its folder. What is wrong with an index is said where it is read for
/// loading.
fn shards(index: &Path) -> BTreeSet<String> {
    let index: serde_json::Value =
        fs::read(index).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let shards = index.get("weight_map").and_then(serde_json::Value::as_object);
    let shards = shards.into_iter().flat_map(|map| map.values().filter_map(|shard| shard.as_str()));
    let inside = |shard: &&str| Path::new(shard).components().all(|part| matches!(part, Component::Normal(_)));
    shards.filter(inside).map(str::to_owned).collect()
}
