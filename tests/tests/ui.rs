//! Every case of `ui/` in which types matter, in folders named after the rule that they show: one mistake, one error, with
//! its remedy. What the macros report by themselves is in `syntax/`, whose cases need no candle.

use std::path::Path;

/// The `.stderr` files are pinned to one toolchain, the `rust-version` of the workspace: rustc's part of them changes with
/// its releases. `TRYBUILD=overwrite cargo test -p taper-tests --test ui` writes them anew; read what it wrote.
///
/// No case here passes: one that did would make every check a build.
#[test]
fn ui() {
    link_models();
    trybuild::TestCases::new().compile_fail("ui/**/*.rs");
}

/// The models stand beside the `Cargo.toml` that the cases are built by, wherever cargo builds.
fn link_models() {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("tests/trybuild/taper-tests");
    let (models, link) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("data/saved"), built.join("models"));
    std::fs::create_dir_all(&built).unwrap();
    if link.canonicalize().ok() == models.canonicalize().ok() {
        return;
    }
    let _ = std::fs::remove_file(&link);
    #[cfg(unix)]
    std::os::unix::fs::symlink(models, link).unwrap();
    #[cfg(windows)]
    std::os::windows::fs::symlink_dir(models, link).unwrap();
}
