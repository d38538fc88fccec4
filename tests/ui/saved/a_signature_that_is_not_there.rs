//! The error stands at the name, with near names and all there are.

taper_saved::saved_model! { Net = "models/signatures/tfsave", signature = "clasify" }

fn main() {}
