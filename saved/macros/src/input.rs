//! What stands in `saved_model! { pub Net = "models/net", signature = "classify" }`.

use std::path::{Path, PathBuf};

use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, LitStr, Result, Token, Visibility};

/// The type that is asked for, and what it is for.
pub(crate) struct Input {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    /// The folder, from that of the crate's `Cargo.toml` on.
    pub(crate) path: LitStr,
    pub(crate) signature: Option<LitStr>,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = Attribute::parse_outer(input)?;
        let vis: Visibility = input.parse()?;
        let name: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        let path: LitStr = input.parse()?;
        let mut signature = None;
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let option: Ident = input.parse()?;
            match &*option.to_string() {
                "signature" if signature.is_some() => {
                    return Err(syn::Error::new(option.span(), "`signature` is given twice"));
                }
                "signature" => {
                    input.parse::<Token![=]>()?;
                    signature = Some(input.parse()?);
                }
                other => {
                    let error = format!("unknown option `{other}`; there is `signature = \"…\"`");
                    return Err(syn::Error::new(option.span(), error));
                }
            }
        }
        Ok(Input { attrs, vis, name, path, signature })
    }
}

impl Input {
    /// The folder.
    pub(crate) fn folder(&self) -> Result<PathBuf> {
        let root = std::env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| {
            let error = "the folder of the crate is not known (`CARGO_MANIFEST_DIR`), and the path begins there; build with cargo";
            syn::Error::new(self.path.span(), error)
        })?;
        Ok(plain(&PathBuf::from(root).join(self.path.value())))
    }
}

/// A path without `..` and links, as far as it exists: so it is shown.
fn plain(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(path), ..) => path,
        (Err(_), Some(around), Some(name)) => plain(around).join(name),
        _ => path.to_owned(),
    }
}
