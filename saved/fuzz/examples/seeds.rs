//! Makes the corpora of the targets from the models that the tests have: `cargo run --example seeds` in this directory.

use std::fs;
use std::path::{Path, PathBuf};

use taper_saved_fuzz::folder;

/// Larger files are read too slowly to be changed often.
const MOST: usize = 48 << 10;

/// The directories that have a `saved_model.pb`, in order.
fn models(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.is_dir()) {
        if path.join("saved_model.pb").is_file() {
            found.push(path.clone());
        } else {
            models(path, found);
        }
    }
}

fn main() -> std::io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.join("../../tests/data/saved");
    let mut found = Vec::new();
    models(&root, &mut found);
    let mut made = 0;
    for model in found {
        let name = model.strip_prefix(&root).unwrap_or(&model).display().to_string().replace('/', "-");
        let graph = fs::read(model.join("saved_model.pb"))?;
        let index = fs::read(model.join("variables/variables.index")).ok();
        let data = fs::read(model.join("variables/variables.data-00000-of-00001")).unwrap_or_default();
        let mut put = |target: &str, bytes: &[u8]| {
            let corpus = here.join("corpus").join(target);
            fs::create_dir_all(&corpus)?;
            made += usize::from(bytes.len() <= MOST);
            if bytes.len() <= MOST { fs::write(corpus.join(&name), bytes) } else { Ok(()) }
        };
        if let Some(index) = &index {
            put("table", index)?;
        }
        put("proto", &graph)?;
        if let Some(input) = folder::input(graph, index.as_deref(), &data) {
            put("open", &input)?;
            put("run", &input)?;
        }
    }
    println!("{made} files in {}", here.join("corpus").display());
    Ok(())
}
