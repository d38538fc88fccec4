//! Every case of `ui/`, in folders named after the rule that they show: one mistake, one error, with its remedy.

/// The `.stderr` files are pinned to one toolchain, the `rust-version` of the workspace: rustc's part of them changes with
/// its releases. `TRYBUILD=overwrite cargo test -p taper-syntax-tests` writes them anew; read what it wrote.
#[test]
fn ui() {
    trybuild::TestCases::new().compile_fail("ui/**/*.rs");
}
