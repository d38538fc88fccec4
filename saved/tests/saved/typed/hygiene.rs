//! Generated code names nothing but its own.

/// No prelude, and other things by the names that generated code uses.
#[no_implicit_prelude]
#[deny(missing_docs)]
pub(crate) mod bare {
    #[allow(dead_code)]
    struct Tensor;
    #[allow(dead_code)]
    struct Result;
    #[allow(dead_code)]
    struct Ok;
    #[allow(dead_code)]
    mod private {}

    ::taper_saved::saved_model! {
        /// In a crate without a prelude.
        pub(crate) Net = "../tests/data/saved/transformer/export"
    }
    ::taper_saved::saved_model! {
        #[allow(dead_code)]
        pub(in crate::typed) Inner = "../tests/data/saved/mlp/tfsave",
    }
}

/// Two types of one file, one of them in a function.
#[test]
fn a_type_stands_anywhere() {
    taper_saved::saved_model! { Local = "../tests/data/saved/mlp/export" }
    let local = Local::load(&candle_core::Device::Cpu).unwrap();
    let net = bare::Net::load(&candle_core::Device::Cpu).unwrap();
    assert!(format!("{local:?}{net:?}").contains("serving_default"));
}
