//! Writes the random models that `tests/random_models.rs` checks.

#[path = "build/generate.rs"]
mod generate;
#[path = "build/print.rs"]
mod print;
#[path = "src/programs.rs"]
mod programs;

const COUNT: usize = 40;

fn main() {
    for file in ["build.rs", "build/generate.rs", "build/print.rs", "src/programs.rs"] {
        println!("cargo::rerun-if-changed={file}");
    }
    let programs = generate::programs(COUNT);
    let named = || programs.iter().enumerate().map(|(i, program)| (format!("m{i}"), program));
    let modules: String = named().map(|(name, program)| print::module(&name, program)).collect();
    let names: Vec<_> = named().map(|(name, _)| name).collect();
    let all = names.join(" ");
    let source = format!("{modules}\nmacro_rules! each_random_model {{ ($do:ident) => {{ $do! {{ {all} }} }} }}\n");
    let folder = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    std::fs::write(std::path::Path::new(&folder).join("random_models.rs"), source).expect("OUT_DIR can be written");
}
