//! Folders are looked for from that of `Cargo.toml`.

taper_saved::saved_model! { Missing = "models/missing" }

taper_saved::saved_model! { NoModel = "models/custom" }

fn main() {
    let _ = Missing::load(&taper_saved::candle_core::Device::Cpu);
}
