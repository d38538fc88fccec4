//! What `tools/compare_tensorflow.py` times against TensorFlow: this side of it.
//!
//! `cargo bench -p taper-saved --bench speed -- MODEL INPUT` opens the SavedModel `MODEL`, with the only tensor of the
//! safetensors file `INPUT` as its only input, and says `ready` and how many seconds the opening took. Then it takes lines,
//! does what each says, and answers `done`: `plain` runs the model, `taps` runs it with every tensor captured, and `write FILE` writes
//! the outputs to a file.

use std::io::{self, BufRead};
use std::time::Instant;

use candle_core::{Device, Result, bail, safetensors};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [model, input] = &args[..] else { bail!("usage: speed MODEL INPUT") };
    let start = Instant::now();
    let model = taper_saved::open(model)?;
    let opened = start.elapsed().as_secs_f64();
    let input = safetensors::load(input, &Device::Cpu)?;
    let input: Vec<_> = input.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    println!("ready {opened:.3}");
    for line in io::stdin().lock().lines() {
        let line = line?;
        match (line.as_str(), line.split_once(' ')) {
            ("plain", _) => drop(model.forward(input.iter().copied())?),
            ("taps", _) => drop(model.forward_with_taps(input.iter().copied())?),
            (_, Some(("write", path))) => {
                let outputs = model.forward(input.iter().copied())?;
                let outputs = outputs.iter().map(|(name, tensor)| (name.to_owned(), tensor.clone()));
                safetensors::save(&outputs.collect(), path)?;
            }
            _ => bail!("not `plain`, `taps` or `write FILE`: `{line}`"),
        }
        println!("done");
    }
    Ok(())
}
