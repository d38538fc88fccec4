//! How things look: columns, numbers, shapes.

use std::io::Write;

use console::{measure_text_width, pad_str};
use taper_saved::Type;

use crate::failure::Outcome;

/// Where the text of a column stands.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Writes rows with aligned columns, and nothing behind the last that is filled.
pub(crate) fn table<const N: usize>(
    out: &mut impl Write,
    indent: usize,
    sides: [Side; N],
    rows: &[[String; N]],
) -> Outcome<()> {
    let width = |column: usize| rows.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for row in rows {
        let cells = row.iter().zip(widths).zip(sides).filter(|((_, width), _)| *width > 0);
        let cells: Vec<_> = cells
            .map(|((text, width), side)| {
                let side = match side {
                    Side::Left => console::Alignment::Left,
                    Side::Right => console::Alignment::Right,
                };
                pad_str(text, width, side, None)
            })
            .collect();
        writeln!(out, "{:indent$}{}", "", cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// With a comma between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parts = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    parts.collect::<Vec<_>>().join(",")
}

/// A number of something.
pub(crate) fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// Bytes as people say them: powers of 1000.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    let mut size = number as f64;
    let mut unit = "bytes";
    for next in UNITS {
        if size < 999.5 {
            break;
        }
        (size, unit) = (size / 1000., next);
    }
    match unit {
        "bytes" => counted(number, "byte"),
        unit if size < 9.95 => format!("{size:.1} {unit}"),
        unit => format!("{size:.0} {unit}"),
    }
}

/// Sizes as the file has them, `[?, 28, 28, 1]`; `[..]` where it does not tell how many there are.
pub(crate) fn sizes(shape: Option<&[Option<usize>]>) -> String {
    let Some(sizes) = shape else { return "[..]".to_owned() };
    let sizes = sizes.iter().map(|size| size.map_or("?".to_owned(), |size| size.to_string()));
    format!("[{}]", sizes.collect::<Vec<_>>().join(", "))
}

/// A type and sizes.
pub(crate) fn typed(ty: Type, shape: Option<&[Option<usize>]>) -> String {
    format!("{ty} {}", sizes(shape))
}
