//! How similar each two texts are, for a terminal.

use std::fmt::Write;

/// Of more texts than these, each is listed with its nearest.
const MOST: usize = 16;
const NEAREST: usize = 3;

/// The texts, numbered, beside the similarities of each with all; of many texts, the nearest of each.
pub(crate) fn similarities(texts: &[String], similarities: &[Vec<f32>]) -> String {
    if texts.len() > MOST { nearest(texts, similarities) } else { table(texts, similarities) }
}

fn table(texts: &[String], similarities: &[Vec<f32>]) -> String {
    let mut out = String::from("   ");
    for i in 1..=texts.len() {
        let _ = write!(out, "{i:>6}");
    }
    out.push('\n');
    for (i, (text, row)) in texts.iter().zip(similarities).enumerate() {
        let _ = write!(out, "{:>3}", i + 1);
        for similarity in row {
            let _ = write!(out, "{similarity:>6.2}");
        }
        let _ = writeln!(out, "  {}", cut(text, 48));
    }
    out
}

fn nearest(texts: &[String], similarities: &[Vec<f32>]) -> String {
    let mut out = String::new();
    for (i, (text, row)) in texts.iter().zip(similarities).enumerate() {
        let mut others: Vec<_> = row.iter().enumerate().filter(|&(other, _)| other != i).collect();
        others.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let _ = writeln!(out, "{}", cut(text, 76));
        for (other, similarity) in others.into_iter().take(NEAREST) {
            let _ = writeln!(out, "  {similarity:>5.2}  {}", cut(&texts[other], 68));
        }
    }
    out
}

fn cut(text: &str, len: usize) -> String {
    match text.chars().count() > len {
        true => text.chars().take(len - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}
