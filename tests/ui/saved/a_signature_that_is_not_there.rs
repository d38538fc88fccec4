//! The error stands at the name, with near names and all there are.

taper_saved::saved_model! { Net = "../../../../tests/data/saved/signatures/tfsave", signature = "clasify" }

fn main() {}
