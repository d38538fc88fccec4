//! NumPy's files: `.npy`, the header as NEP 1 describes it, and `.npz`, which is a ZIP of such.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;

use super::array::{Array, Element};
use crate::failure::{Failure, Outcome};

const MAGIC: &[u8] = b"\x93NUMPY";
const SUFFIX: &str = ".npy";

/// The array of an `.npy` file.
pub(super) fn npy(path: &Path) -> Outcome<Array> {
    let mut reader = BufReader::new(opened(path)?);
    read(&mut reader).map_err(|why| fault(path, &why))
}

/// An `.npz` file.
pub(super) struct Npz<'p> {
    path: &'p Path,
    archive: ZipArchive<BufReader<File>>,
    /// The names of the arrays, in the order of the file, and their places in it.
    members: Vec<(String, usize)>,
}

impl<'p> Npz<'p> {
    pub(super) fn open(path: &'p Path) -> Outcome<Self> {
        let not = |error: &dyn std::fmt::Display| fault(path, &format!("is not a whole `.npz` file: {error}"));
        let mut archive = ZipArchive::new(BufReader::new(opened(path)?)).map_err(|error| not(&error))?;
        let mut members = Vec::new();
        for place in 0..archive.len() {
            let member = archive.by_index(place).map_err(|error| not(&error))?;
            let name = member.name().map_err(|error| not(&error))?.into_owned();
            members.push((name.strip_suffix(SUFFIX).map_or(name.clone(), str::to_owned), place));
        }
        Ok(Self { path, archive, members })
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.members.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn array(&mut self, name: &str) -> Outcome<Array> {
        let place = self.members.iter().find(|(own, _)| own == name).map_or(0, |(_, place)| *place);
        let mut read_member = || {
            let mut member = self.archive.by_index(place).map_err(|error| format!("cannot be read: {error}"))?;
            read(&mut member)
        };
        read_member().map_err(|why| Failure::file(format!("`{name}` of `{}` {why}", self.path.display())))
    }
}

fn opened(path: &Path) -> Outcome<File> {
    let file = File::open(path).map_err(|error| Failure::file(format!("cannot read `{}`: {error}", path.display())))?;
    match file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        true => Err(fault(path, "is a folder")),
        false => Ok(file),
    }
}

fn fault(path: &Path, why: &str) -> Failure {
    Failure::file(format!("`{}` {why}", path.display()))
}

/// An error goes on after the name of the file.
fn read(reader: &mut impl Read) -> Result<Array, String> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "is cut short in its header".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    let mut start = [0; 8];
    reader.read_exact(&mut start).map_err(unreadable)?;
    let (magic, version) = start.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err("is not a `.npy` file: it does not begin as one".to_owned());
    }
    let length = match version[0] {
        1 => {
            let mut length = [0; 2];
            reader.read_exact(&mut length).map_err(unreadable)?;
            u64::from(u16::from_le_bytes(length))
        }
        2 | 3 => {
            let mut length = [0; 4];
            reader.read_exact(&mut length).map_err(unreadable)?;
            u64::from(u32::from_le_bytes(length))
        }
        other => return Err(format!("is of version {other} of the format, which is not known")),
    };
    let mut header = Vec::new();
    reader.by_ref().take(length).read_to_end(&mut header).map_err(unreadable)?;
    if header.len() as u64 != length {
        return Err("is cut short in its header".to_owned());
    }
    let header = String::from_utf8_lossy(&header);
    let Header { element, shape } = Header::parse(&header)?;
    let size = shape.iter().try_fold(element.size(), |size, dim| size.checked_mul(*dim));
    let size = size.ok_or_else(|| format!("is damaged: it would be of shape {shape:?}"))?;
    let mut bytes = Vec::new();
    reader.by_ref().take(size as u64).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() != size {
        return Err(format!("is cut short: its header promises {size} bytes, and it has {}", bytes.len()));
    }
    // The end of a member of an archive is where its checksum is compared.
    let more = reader.read(&mut [0]).map_err(|error| format!("is damaged: {error}"))?;
    if more > 0 {
        return Err(format!("is damaged: its header promises {size} bytes, and it has more"));
    }
    element.array(&bytes, &shape)
}

#[derive(Debug, PartialEq)]
struct Header {
    element: Element,
    shape: Vec<usize>,
}

impl Header {
    /// Of a dict such as `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(header: &str) -> Result<Self, String> {
        let damaged = || format!("is damaged, or of a kind that is not known: its header is `{}`", header.trim());
        let value = |key: &str| {
            let rest = header.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
            rest.ok_or_else(damaged)
        };
        let descr = value("descr")?;
        if descr.starts_with('[') {
            return Err("is an array of records; save the one of its fields that the model takes".to_owned());
        }
        let quoted = descr.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
        let (descr, _) = quoted.ok_or_else(damaged)?;
        let element = element(descr)?;
        let fortran = value("fortran_order")?;
        let (_, shape) = value("shape")?.split_once('(').ok_or_else(damaged)?;
        let (shape, _) = shape.split_once(')').ok_or_else(damaged)?;
        let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
        let shape = sizes.map(|size| size.parse().map_err(|_| damaged())).collect::<Result<Vec<_>, _>>()?;
        if fortran.starts_with("True") {
            return Err("is in the order of Fortran; save it by `np.save(path, np.ascontiguousarray(x))`".to_owned());
        }
        if !fortran.starts_with("False") {
            return Err(damaged());
        }
        Ok(Header { element, shape })
    }
}

fn element(descr: &str) -> Result<Element, String> {
    let known = match descr.trim_start_matches(['<', '|', '=', '>']) {
        "b1" => Element::Bool,
        "u1" => Element::U8,
        "i1" => Element::I8,
        "u2" => Element::U16,
        "i2" => Element::I16,
        "u4" => Element::U32,
        "i4" => Element::I32,
        "u8" => Element::U64,
        "i8" => Element::I64,
        "f2" => Element::F16,
        "f4" => Element::F32,
        "f8" => Element::F64,
        _ => {
            return Err(format!("holds values of NumPy's type `{descr}`; a model takes numbers and truth values"));
        }
    };
    match descr.starts_with('>') && known.size() > 1 {
        true => Err(format!("is big-endian; save it by `np.save(path, x.astype(\"{}\"))`", known.name())),
        false => Ok(known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(header: &str) -> Result<(Element, Vec<usize>), String> {
        Header::parse(header).map(|header| (header.element, header.shape))
    }

    #[test]
    fn headers_as_numpy_writes_them() {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }          \n";
        assert_eq!(parsed(header).unwrap(), (Element::F32, vec![3, 4]));
        let one = "{'descr': '|b1', 'fortran_order': False, 'shape': (5,), }\n";
        assert_eq!(parsed(one).unwrap(), (Element::Bool, vec![5]));
        let none = "{'descr': '<i8', 'fortran_order': False, 'shape': (), }\n";
        assert_eq!(parsed(none).unwrap(), (Element::I64, vec![]));
    }

    #[test]
    fn what_is_refused_says_what_to_do() {
        let big = parsed("{'descr': '>f8', 'fortran_order': False, 'shape': (2, 2), }").unwrap_err();
        assert!(big.contains("big-endian") && big.contains("astype(\"float64\")"), "{big}");
        let fortran = parsed("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 2), }").unwrap_err();
        assert!(fortran.contains("ascontiguousarray"), "{fortran}");
        let objects = parsed("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }").unwrap_err();
        assert!(objects.contains("`|O`"), "{objects}");
        let records = parsed("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }").unwrap_err();
        assert!(records.contains("records"), "{records}");
        assert!(parsed("{'descr': '<f4', 'fortran_order': False, 'shape': (2,-1), }").unwrap_err().contains("damaged"));
        assert!(parsed("").unwrap_err().contains("damaged"));
    }
}
