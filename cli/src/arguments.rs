//! What the command line says.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

// None of the lines is longer than 79, so that no terminal breaks them.

const EXIT_CODES: &str = "\
Exit codes:
  0  it is done
  1  the run failed, or what it gave can't be written
  2  the command or an input does not fit: an unknown option, an input that is
     missing, or of another shape or type
  3  a file can't be read, is damaged, or is of another kind
  4  a name means nothing or several things: of a tensor, a layer, an input, a
     signature, an array in a file, a file in a folder
  5  an operation or a type is needed that is not supported";

const EXAMPLES: &str = "\
Examples:
  taper inspect model/               its inputs, outputs and layers
  taper taps model/ 'encoder/**'     the tensors inside a layer
  taper run model/ -i random:0       whether it runs
  taper run model/ -i x=x.npy --tap encoder/dense --save out.safetensors
  taper run model/ -i x=x.npy --zero encoder/dense    without that layer

In Python, `safetensors.numpy.load_file(\"out.safetensors\")` reads what was
saved; in Rust, `candle_core::safetensors::load`.
";

const NAMES: &str = "\
Names of tensors:
  encoder/dense/MatMul  by the layers that it stands in, or the end of that
  encoder/dense         a layer: what others take of its values
  'encoder/**/Tanh'     a pattern: `*` is one part between slashes, `**`
                        several, `?` a character; quoted, for the shell; of
                        layers, if it matches no tensor
  while/body.2/MatMul   in a loop: that of one step; without a number, of all
  while/body.2/cell     a layer in one step
  '#12', '#-1'          its place in the list of `taper taps`
  StatefulPartitionedCall/model_1/dense_1/MatMul
                        the whole name in the file
";

const INPUTS: &str = "\
Inputs, with `NAME=` before them where the model has several, and what replaces
tensors:
  x.npy                 an array of NumPy's
  x.npz, x.npz:ARRAY    one of several: ARRAY, that of the input's name, or the
                        only one
  x.safetensors, x.safetensors:TENSOR
                        the same
  inputs.npz            without NAME: every input, by its name in the file
  random:SEED           made up, in the model's own shape with a batch of 1 if
                        that is unknown: floats are normal (mean 0, deviation
                        1), truth values and integers 0 or 1, bytes 0 to 255
  random:SEED:1,224,224,3
                        of this shape: needed if other sizes are unknown
  random:SEED:0..30522  evenly from 0 up to 30522, which is left out: such as
                        ids of a vocabulary
  random:SEED:1,128:0..30522
                        both
Arrays are of the model's own type. Integers may be of another width if all
values fit. Results have 64 bits where the model has integers, and are uint8
where it has truth values.
";

/// Looks into saved models and files of weights, and runs models with any tensor captured.
#[derive(Debug, Parser)]
#[command(name = "taper", version, about = "Looks into saved models and files of weights, and runs models with any tensor captured", max_term_width = 80, after_help = format!("{EXAMPLES}\n{EXIT_CODES}"))]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows what is in a SavedModel, or in a file or folder of weights
    #[command(after_help = EXIT_CODES)]
    Inspect(Inspect),
    /// Lists the tensors of a SavedModel
    #[command(after_help = format!("{NAMES}\n{EXIT_CODES}"))]
    Taps(Taps),
    /// Runs a SavedModel; shows and saves what it gives, and any tensor inside it
    #[command(after_help = format!("{INPUTS}\n{NAMES}\n{EXIT_CODES}"))]
    Run(Run),
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// A SavedModel directory; a `.safetensors` or `.gguf` file, the index of shards, or a folder with such
    pub(crate) path: PathBuf,
    /// Of a SavedModel, the signature whose layers are shown [default: serving_default]
    #[arg(long, value_name = "NAME")]
    pub(crate) signature: Option<String>,
    /// Of a SavedModel, the weights and tensors of every layer, too
    #[arg(long)]
    pub(crate) tensors: bool,
    /// Of a SavedModel, reads every weight in the folder and compares its checksum
    #[arg(long)]
    pub(crate) check: bool,
    /// For machines: one JSON object, described in docs/command.md
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Taps {
    /// A SavedModel directory
    pub(crate) model: PathBuf,
    /// Which tensors: a name or a pattern [default: all]
    #[arg(value_name = "GLOB")]
    pub(crate) pattern: Option<String>,
    /// The signature whose tensors are listed [default: serving_default]
    #[arg(long, value_name = "NAME")]
    pub(crate) signature: Option<String>,
    /// Whole names, as the file has them, in place of names by layers
    #[arg(long)]
    pub(crate) full_names: bool,
    /// For machines: a JSON array with an object a line, described in docs/command.md
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Run {
    /// A SavedModel directory
    pub(crate) model: PathBuf,
    /// What goes in: `x=in.npy`, `x=in.npz:a`, `x=in.safetensors:a`, `x=random:0`; see below
    #[arg(short, long = "input", value_name = "NAME=SOURCE")]
    pub(crate) inputs: Vec<String>,
    /// Tensors to show and save beside the outputs: a name or a pattern, see below
    #[arg(short, long = "tap", value_name = "GLOB")]
    pub(crate) taps: Vec<String>,
    /// Tensors that are zero in this run: a name or a pattern as for `--tap`; a layer is what others take of it
    #[arg(short, long = "zero", value_name = "GLOB")]
    pub(crate) zeros: Vec<String>,
    /// A tensor that has another value in this run, from where an input may come
    #[arg(short, long = "replace", value_name = "NAME=SOURCE")]
    pub(crate) replaced: Vec<String>,
    /// Saves the outputs by their names and the tapped tensors by their paths, as safetensors
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    /// The signature to run [default: serving_default]
    #[arg(long, value_name = "NAME")]
    pub(crate) signature: Option<String>,
    /// Computes only the tapped tensors and what they depend on, and no outputs
    #[arg(long, requires = "taps")]
    pub(crate) only_taps: bool,
    /// Saves and shows tapped tensors by whole names, as the file has them, in place of names by layers
    #[arg(long)]
    pub(crate) full_names: bool,
    /// How many threads compute [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// For machines: one JSON object, described in docs/command.md
    #[arg(long)]
    pub(crate) json: bool,
}
