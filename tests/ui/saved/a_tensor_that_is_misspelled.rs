//! A tensor, a layer and an argument that the model has not.

taper_saved::saved_model! { Net = "models/custom/export" }

fn tensor(net: &Net, x: &taper_saved::candle_core::Tensor) {
    let _ = net.capture(x, |t| t.custom.two.tahn);
}

fn layer(net: &Net, x: &taper_saved::candle_core::Tensor) {
    let _ = net.run().edit(|t| t.custom.tow.tanh, |h| h.relu());
    let _ = net.run().replace(|t| t.custom.two.d1.biasadd, x);
}

fn output(net: &Net, x: &taper_saved::candle_core::Tensor) {
    let _ = net.forward(x).map(|y| y.output_2);
}

fn main() {}
