//! Reading a `config.json`: errors name the file and the field.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A `config.json` before anybody knows of which architecture it is.
pub(crate) struct Json {
    path: PathBuf,
    fields: Map<String, Value>,
}

/// Reads a `config.json`.
///
/// # Errors
/// A file that can't be read, and one that is not a configuration of this architecture: the error names the field.
pub fn read_config<C: DeserializeOwned>(path: impl AsRef<Path>) -> Result<C> {
    Json::read(path)?.parse()
}

impl Json {
    pub(crate) fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let text = fs::read_to_string(&path);
        let text = text.map_err(|error| Error::Msg(format!("cannot read `{}`: {error}", path.display())))?;
        let fields = serde_json::from_str(&text);
        let fields = fields.map_err(|error| Error::Msg(format!("`{}` is no JSON object: {error}", path.display())))?;
        Ok(Self { path, fields })
    }

    pub(crate) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// Fields that are from elsewhere than a `config.json`.
    pub(crate) fn of(path: &Path, fields: Map<String, Value>) -> Self {
        Self { path: path.to_path_buf(), fields }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The architecture by Hugging Face's name for it.
    pub(crate) fn model_type(&self) -> Result<Option<&str>> {
        match self.fields.get("model_type") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(model_type)) => Ok(Some(model_type)),
            Some(other) => Err(self.fault(&format!("field `model_type` is {other}, and should be a text"))),
        }
    }

    /// A field that is known from elsewhere.
    pub(crate) fn set(&mut self, field: &str, value: Value) {
        self.fields.insert(field.to_owned(), value);
    }

    /// The name of the original's class, which older files have in place of `model_type`.
    pub(crate) fn class(&self) -> Option<&str> {
        self.fields.get("architectures")?.get(0)?.as_str()
    }

    /// timm's name of the sizes, which its files have in place of `model_type`.
    pub(crate) fn timm(&self) -> Option<&str> {
        self.fields.get("architecture")?.as_str()
    }

    /// The configuration of an architecture.
    pub(crate) fn parse<C: DeserializeOwned>(&self) -> Result<C> {
        serde_path_to_error::deserialize(&self.fields).map_err(|error| {
            let field = error.path().to_string();
            match field.as_str() {
                "." => self.fault(&error.inner().to_string()),
                field => self.fault(&format!("field `{field}`: {}", error.inner())),
            }
        })
    }

    pub(crate) fn fault(&self, fault: &str) -> Error {
        Error::Msg(format!("`{}`: {fault}", self.path.display()))
    }
}

/// A configuration of an architecture that is not among these.
pub(crate) fn not_of(config: &Json, model_type: &str, supported: &[&str]) -> Error {
    let supported = supported.join("`, `");
    config.fault(&format!("field `model_type` is `{model_type}`; what is supported here is `{supported}`"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Config {
        width: usize,
        scale: Option<f64>,
        rope: Option<Rope>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Rope {
        factor: f64,
    }

    fn error(text: &str) -> String {
        let path = std::env::temp_dir().join(format!("taper-config-{}-{:p}.json", std::process::id(), text));
        fs::write(&path, text).unwrap();
        let result = read_config::<Config>(&path);
        fs::remove_file(&path).unwrap();
        let text = result.unwrap_err().to_string();
        assert!(text.contains("taper-config"), "{text}");
        text
    }

    #[test]
    fn errors_name_the_file_and_the_field() {
        let cases = [
            ("{", "is no JSON object: EOF while parsing"),
            ("[1]", "is no JSON object: invalid type: sequence"),
            (r#"{"scale": 1.0}"#, "missing field `width`"),
            (r#"{"width": "3"}"#, "field `width`: invalid type: string \"3\", expected usize"),
            (r#"{"width": -3}"#, "field `width`: invalid value: integer `-3`, expected usize"),
            (r#"{"a": 1, "width": 3, "scale": "x"}"#, "field `scale`: invalid type"),
            (r#"{"width": 3, "rope": {}}"#, "field `rope`: missing field `factor`"),
            (r#"{"width": 3, "rope": {"factor": "a"}}"#, "field `rope.factor`: invalid type"),
        ];
        for (text, part) in cases {
            let error = error(text);
            assert!(error.contains(part) && !error.contains('\n'), "{error}");
        }
        let absent = read_config::<Config>("no-such-folder/config.json").unwrap_err().to_string();
        assert!(absent.contains("cannot read `no-such-folder/config.json`"), "{absent}");
    }
}
