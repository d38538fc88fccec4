//! From a directory to what is known of one of its signatures.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::checkpoint::{Checkpoint, contents};
use crate::graph::{self, Engine, Graph};
use crate::layers::{self, Aliases, Layer};
use crate::limits::Budget;
use crate::proto;
use crate::tensors::Tensors;
use crate::{Error, Result};

/// One signature of a SavedModel: its graph, its tensors and its layers.
pub struct Structure<E: Engine> {
    /// The graph.
    pub graph: Graph<E>,
    /// Its tensors by name.
    pub tensors: Tensors,
    /// The layers that own them.
    pub layers: Vec<Layer>,
    /// The name of the signature.
    pub signature: String,
    /// Those of all signatures in the file.
    pub signatures: Vec<String>,
    /// The version of TensorFlow that wrote the file.
    pub version: String,
    /// Tells it from other models.
    pub identity: u64,
}

impl<E: Engine> std::fmt::Debug for Structure<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Structure")
            .field("signature", &self.signature)
            .field("nodes", &self.graph.nodes.len())
            .finish_non_exhaustive()
    }
}

/// Reads a signature of a SavedModel directory; without a name it is `serving_default`, or else the first.
///
/// # Errors
/// A file that is missing, cut off or damaged, a graph that can't be read, and a signature that there is not.
pub fn open<E: Engine>(path: &Path, signature: Option<&str>, engine: &E) -> Result<Structure<E>> {
    let (file, bytes) = graph_file(path)?;
    let prefix = path.join("variables").join("variables");
    let index = path.join("variables").join("variables.index");
    let checkpoint = if E::WEIGHTS && index.exists() { Some(Checkpoint::open(&prefix)?) } else { None };
    Structure::read(&bytes, signature, checkpoint, engine).map_err(|error| error.in_file(&file))
}

/// The path and the bytes of the file that has the graphs.
pub(crate) fn graph_file(path: &Path) -> Result<(PathBuf, Vec<u8>)> {
    let file = path.join("saved_model.pb");
    if path.is_file() {
        return Err(Error::Msg(format!(
            "`{}` is a file; a SavedModel is a directory, such as `model.export(dir)` writes",
            path.display()
        )));
    }
    let bytes = contents(&file).map_err(|error| {
        let what = match path.join("saved_model.pbtxt").exists() {
            true => "; a model written as text (`saved_model.pbtxt`) is not supported: save it again without `as_text`",
            false => "",
        };
        Error::Msg(format!("`{}`: {error}{what}", file.display()))
    })?;
    Ok((file, bytes))
}

impl<E: Engine> Structure<E> {
    /// Reads a signature of a file `saved_model.pb`.
    fn read(bytes: &[u8], signature: Option<&str>, checkpoint: Option<Checkpoint>, engine: &E) -> Result<Self> {
        let model = proto::SavedModel::parse(bytes)?;
        let meta = model.serving()?;
        let callable = || meta.callable();
        let names: Vec<String> = callable().map(|(name, _)| (*name).to_owned()).collect();
        let default = || {
            let mut signatures = callable();
            match (signatures.clone().find(|(name, _)| **name == "serving_default"), signatures.next()) {
                (Some(found), _) | (None, Some(found)) => Some(found),
                (None, None) => None,
            }
        };
        let found = match signature {
            Some(wanted) => callable().find(|(name, _)| **name == wanted),
            None => default(),
        };
        let Some((name, signature)) = found else {
            let near = |wanted: &str, quoted: &[String]| match near_name(wanted, &names) {
                Some(name) if quoted.len() > 1 => format!("; did you mean `{name}`?"),
                _ => String::new(),
            };
            let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            return Err(match (signature, names.is_empty()) {
                (Some(wanted), false) => Error::Signature(format!(
                    "there is no signature `{wanted}`{}; there are {}",
                    near(wanted, &quoted),
                    quoted.join(", ")
                )),
                _ => Error::Msg(
                    "it has no signature, so that nothing says what goes in and what comes out; save it with `signatures=`"
                        .to_owned(),
                ),
            });
        };
        let budget = Budget::of(bytes.len());
        let graph = graph::flatten(meta, signature, checkpoint, &budget, engine)?;
        let aliases = Aliases::of(&graph, &budget)?;
        let tensors = Tensors::of(&graph, &aliases, &budget)?;
        let layers = layers::layers(&graph, &aliases, &tensors, &budget)?;
        let mut hasher = DefaultHasher::new();
        let sited = tensors.all.iter().filter(|tensor| tensor.site.is_some());
        let sites: Vec<&str> = sited.map(|tensor| tensor.name.as_str()).collect();
        (sites, bytes).hash(&mut hasher);
        Ok(Structure {
            tensors,
            layers,
            identity: hasher.finish(),
            signature: (*name).to_owned(),
            signatures: names,
            version: meta.version.to_owned(),
            graph,
        })
    }
}

impl<E: Engine> Structure<E> {
    /// The first weight that the checkpoint has not, and why it can't be read.
    pub fn missing_weight(&self) -> Option<(&str, &str)> {
        let weights =
            self.graph.nodes.iter().filter(|node| matches!(&*node.op, "VarHandleOp" | "VariableV2" | "Variable"));
        weights.into_iter().find_map(|node| match &node.what {
            graph::What::Unsupported(why) | graph::What::Unreadable(why) => Some((node.name.as_str(), why.as_str())),
            _ => None,
        })
    }
}

/// The name that is nearest to another, if one is near.
fn near_name<'n>(name: &str, names: &'n [String]) -> Option<&'n String> {
    let distance = |other: &&String| strsim::damerau_levenshtein(name, other);
    names.iter().min_by_key(distance).filter(|near| distance(near) <= 1 + name.len() / 3)
}
