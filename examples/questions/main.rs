//! What people ask when they want to look inside a model, and the answers.
//!
//! `cargo run --release --example questions`

mod model;

use std::env;
use std::fs;
use std::path::Path;
use std::process;

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use taper::Weights;

use model::{LAYERS, Net, count_calls};

fn main() -> Result<()> {
    let net = Net::load(VarBuilder::from_varmap(&VarMap::new(), DType::F32, &Device::Cpu))?;
    let x = Tensor::randn(0f32, 1.0, (2, 4), &Device::Cpu)?;
    by_name(&net, &x)?;
    by_index(&net, &x)?;
    without_the_rest(&net, &x)?;
    inside_a_layer(&net, &x)?;
    every_layer(&net, &x)?;
    from_a_file(&x)?;
    from_the_middle(&net, &x)?;
    by_a_wrong_name(&net, &x)
}

fn question(title: &str) {
    println!("\n{title}");
}

fn show(what: &str, value: &Tensor) {
    println!("    {what:<28}{:?}", value.dims());
}

fn by_name(net: &Net, x: &Tensor) -> Result<()> {
    question("How do I get the output of a layer by its name?");
    // In the code, a name is a field: the compiler checks it.
    show("t.blocks[1].find", &net.capture(x, |t| t.blocks[1].find)?);
    // In a string, it is looked up; the value is the same.
    let site = net.sites().find("blocks.1.find")?;
    show("blocks.1.find", &net.capture(x, |_| site)?);
    Ok(())
}

fn by_index(net: &Net, x: &Tensor) -> Result<()> {
    question("How do I get the output of a layer by its index?");
    // An index among all taps, in order of declaration; the last of them is the model's output.
    let sites = net.sites();
    for index in [2, -1, -3] {
        let site = sites.nth(index)?;
        show(&format!("sites.nth({index})"), &net.capture(x, |_| site)?);
    }
    // An index among the elements of a field.
    show("t.blocks.at(-1).output", &net.capture(x, |t| t.blocks.at(-1).output)?);
    Ok(())
}

fn without_the_rest(net: &Net, x: &Tensor) -> Result<()> {
    question("Does it compute the whole model to get at a layer in the middle?");
    let (calls, gate) = count_calls(|| net.capture(x, |t| t.blocks[0].gate));
    show("t.blocks[0].gate", &gate?);
    println!("    {calls} of {LAYERS} layers ran");
    let (calls, outputs) = count_calls(|| net.capture(x, |t| t.blocks.each(|b| b.output)));
    show("the last of the blocks", outputs?.last().context("no blocks")?);
    println!("    {calls} of {LAYERS} layers ran");
    let (calls, output) = count_calls(|| net.forward(x));
    show("net.forward(x)", &output?);
    println!("    {calls} of {LAYERS} layers ran");
    Ok(())
}

fn inside_a_layer(net: &Net, x: &Tensor) -> Result<()> {
    question("How do I get several tensors from inside a layer of my own?");
    // Ask for the layer: its taps come in a struct, of the type `GatedTaps`.
    let block = net.capture(x, |t| t.blocks[0].clone())?;
    println!("    {block:?}");
    // Or for what you need, in a tuple; `each` goes through the elements of a field.
    let (gates, (change, output)) =
        net.capture(x, |t| (t.blocks.each(|b| b.gate), (t.blocks[1].change, t.blocks[1].output)))?;
    for (i, gate) in gates.iter().enumerate() {
        show(&format!("gates[{i}]"), gate);
    }
    show("change", &change);
    show("output", &output);
    Ok(())
}

fn every_layer(net: &Net, x: &Tensor) -> Result<()> {
    question("How do I get the outputs of all layers at once?");
    let (output, taps) = net.forward_with_taps(x)?;
    show("output", &output);
    show("taps.blocks[1].change", &taps.blocks[1].change);
    println!("{}", indented(&format!("{taps:#?}")));
    Ok(())
}

fn from_a_file(x: &Tensor) -> Result<()> {
    question("How do I see which layers a loaded model has, and pick some?");
    let path = env::temp_dir().join(format!("taper-questions-{}.safetensors", process::id()));
    let net = save_and_load(&path);
    // It is missing only if it could not be written, which `net` says.
    let _ = fs::remove_file(&path);
    let net = net?;
    let sites = net.sites();
    for named in sites.iter() {
        println!("    {named}");
    }
    // `*` stands for one part of a name. What is found like this comes as a list, since a layer may run more than once.
    let gates = sites.matching_any("blocks.*.gate")?;
    let values = net.capture(x, |_| gates.clone())?;
    for (named, value) in gates.iter().zip(values.iter().flatten()) {
        show(named.name(), value);
    }
    Ok(())
}

/// What a training would have left, loaded: a tensor that is missing, misshapen or unused is an error.
fn save_and_load(path: &Path) -> Result<Net> {
    let trained = VarMap::new();
    Net::load(VarBuilder::from_varmap(&trained, DType::F32, &Device::Cpu))?;
    trained.save(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Weights::safetensors([path], DType::F32, &Device::Cpu)?.load(Net::load)?)
}

fn from_the_middle(net: &Net, x: &Tensor) -> Result<()> {
    question("Can I start in the middle, with a value of my own?");
    let (calls, recording) = count_calls(|| net.run().record(x));
    let recording = recording?;
    println!("    record: {calls} of {LAYERS} layers ran");
    let stream = recording.values(|t| t.blocks[0].output)?;
    // What comes before is taken from the recording; no layer of it runs.
    let (calls, output) =
        count_calls(|| recording.replay().start_at(|t| t.blocks[0].output, &(&stream * 2.)?).forward(x));
    show("start_at(blocks[0].output)", &output?);
    println!("    {calls} of {LAYERS} layers ran");
    // The same for a change anywhere: what comes before it is reused.
    let run = recording.replay().edit(|t| t.blocks[1].gate, |gate| gate.ones_like());
    let (calls, output) = count_calls(|| run.forward(x));
    show("edit(blocks[1].gate)", &output?);
    println!("    {calls} of {LAYERS} layers ran");
    Ok(())
}

fn by_a_wrong_name(net: &Net, x: &Tensor) -> Result<()> {
    question("What if a name or an index is wrong?");
    let sites = net.sites();
    let mistakes = [
        ("sites.find(\"blocks.1.fond\")", sites.find("blocks.1.fond").err()),
        ("sites.find(\"blocks.1\")", sites.find("blocks.1").err()),
        ("sites.find(\"attention\")", sites.find("attention").err()),
        ("sites.matching(\"blocks.gate\")", sites.matching("blocks.gate").err()),
        ("sites.nth(20)", sites.nth(20).err()),
        ("t.blocks.at(2).gate", net.capture(x, |t| t.blocks.at(2).gate).err()),
    ];
    for (asked, error) in mistakes {
        println!("    {asked}\n        {}", error.with_context(|| format!("{asked} is no mistake"))?);
    }
    println!("    t.blocks[1].fond\n        does not compile");
    Ok(())
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
