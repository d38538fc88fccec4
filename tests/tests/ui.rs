//! Every case of `ui/` in which types matter, in folders named after the rule that they show: one mistake, one error, with
//! its remedy. What the macros report by themselves is in `syntax/`, whose cases need no candle.

/// The `.stderr` files are pinned to one toolchain, the `rust-version` of the workspace: rustc's part of them changes with
/// its releases. `TRYBUILD=overwrite cargo test -p taper-tests --test ui` writes them anew; read what it wrote.
///
/// No case here passes: one that did would make every check a build.
#[test]
fn ui() {
    trybuild::TestCases::new().compile_fail("ui/**/*.rs");
}
