//! Sums of products by an equation, `abc,cd->abd`.

use candle_core::Tensor;

use super::integer::Ints;
use super::{Build, Compute, broadcast, many, matrix};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[("Einsum", einsum)];

/// An axis: a letter, or one of those that `...` stands for, counted from the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Letter(char),
    Rest(usize),
}

fn einsum(attrs: &Attrs<'_>) -> Result<Compute> {
    let equation: String = attrs.str("equation")?.unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect();
    let Some((inputs, output)) = equation.split_once("->") else {
        return Err(Error::Msg(format!("the equation `{equation}` does not say what comes out")));
    };
    if inputs.split(',').count() > 2 {
        return Err(Error::Msg(format!("the equation `{equation}` is of more than two values")));
    }
    let (inputs, output): (Vec<String>, String) = (inputs.split(',').map(str::to_owned).collect(), output.to_owned());
    let ints = Ints::read(attrs)?;
    many(move |values| {
        let wrong = |why: &str| Error::Msg(format!("the equation `{equation}`: {why}"));
        if values.len() != inputs.len() {
            return Err(wrong(&format!("it is of {} values, and there are {}", inputs.len(), values.len())));
        }
        let labels = inputs.iter().zip(values).map(|(input, value)| labels(input, Some(value.rank())));
        let labels: Option<Vec<_>> = labels.collect();
        let Some(labels) = labels else { return Err(wrong("it does not fit the values")) };
        let diagonals = values.iter().zip(labels).map(|(value, labels)| diagonal(value, labels));
        let (values, labels): (Vec<Tensor>, Vec<Vec<Label>>) =
            diagonals.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let rest =
            labels.iter().flatten().filter_map(|l| if let Label::Rest(n) = l { Some(n + 1) } else { None }).max();
        let output = labels_of_output(&output, rest.unwrap_or(0)).ok_or_else(|| wrong("a letter comes out twice"))?;
        if let Some(label) = output.iter().find(|label| !labels.iter().any(|labels| labels.contains(label))) {
            return Err(wrong(&format!("{label:?} comes out, and does not go in")));
        }
        match (values.as_slice(), labels.as_slice()) {
            ([x], [own]) => {
                let (x, own) = sum_out(ints, x, own, |label| output.contains(label))?;
                order(&x, &own, &output)
            }
            ([a, b], [of_a, of_b]) => {
                let (a, of_a) = sum_out(ints, a, of_a, |label| output.contains(label) || of_b.contains(label))?;
                let (b, of_b) = sum_out(ints, b, of_b, |label| output.contains(label) || of_a.contains(label))?;
                product(ints, &a, &of_a, &b, &of_b, &output)
            }
            _ => Err(wrong("only one or two values are supported")),
        }
    })
}

fn labels_of_output(text: &str, rest: usize) -> Option<Vec<Label>> {
    let letters = text.replace("...", "").len();
    let labels = labels(text, Some(letters + if text.contains("...") { rest } else { 0 }))?;
    let twice = labels.iter().enumerate().any(|(at, label)| labels[..at].contains(label));
    (!twice).then_some(labels)
}

/// Of axes with the same letter, the places where their indices are the same.
fn diagonal(x: &Tensor, mut labels: Vec<Label>) -> Result<(Tensor, Vec<Label>)> {
    let mut x = x.clone();
    while let Some(second) = (0..labels.len()).find(|at| labels[..*at].contains(&labels[*at])) {
        let first = labels.iter().position(|label| *label == labels[second]).unwrap_or(0);
        let len = x.dims()[first];
        if x.dims()[second] != len {
            return Err(Error::Msg(format!("axes {first} and {second} of {:?} have one letter", x.dims())));
        }
        let rest: Vec<usize> = (0..labels.len()).filter(|at| ![first, second].contains(at)).collect();
        let sizes: Vec<usize> = rest.iter().map(|at| x.dims()[*at]).collect();
        let flat = x.permute([&rest[..], &[first, second]].concat())?.contiguous()?;
        let flat = flat.reshape([&sizes[..], &[len * len]].concat())?;
        let places: Vec<i64> = (0..len).map(|at| (at * (len + 1)) as i64).collect();
        x = flat.index_select(&Tensor::from_vec(places, len, x.device())?, rest.len())?;
        let both = labels[second];
        labels = rest.iter().map(|at| labels[*at]).chain([both]).collect();
    }
    Ok((x, labels))
}

/// The labels of a value's axes.
fn labels(text: &str, rank: Option<usize>) -> Option<Vec<Label>> {
    let mut labels = Vec::new();
    match text.split_once("...") {
        None => labels.extend(text.chars().map(Label::Letter)),
        Some((before, behind)) => {
            let rest = rank?.checked_sub(before.len() + behind.len())?;
            labels.extend(before.chars().map(Label::Letter));
            labels.extend((0..rest).rev().map(Label::Rest));
            labels.extend(behind.chars().map(Label::Letter));
        }
    }
    let letters = labels.iter().all(|label| !matches!(label, Label::Letter(c) if !c.is_ascii_alphabetic()));
    (letters && rank.is_none_or(|rank| rank == labels.len())).then_some(labels)
}

/// Without the axes that nobody needs.
fn sum_out(ints: Ints, x: &Tensor, labels: &[Label], needed: impl Fn(&Label) -> bool) -> Result<(Tensor, Vec<Label>)> {
    let gone: Vec<usize> = (0..labels.len()).filter(|at| !needed(&labels[*at])).collect();
    let left = labels.iter().copied().filter(needed).collect();
    let summed = match gone.is_empty() {
        true => x.clone(),
        false if ints.are(x) => ints.fold(x, &gone, 0, i64::wrapping_add)?,
        false => x.sum(gone)?,
    };
    Ok((summed, left))
}

/// With the axes in another order.
fn order(x: &Tensor, from: &[Label], to: &[Label]) -> Result<Tensor> {
    let places = to.iter().map(|label| from.iter().position(|other| other == label));
    let places: Option<Vec<usize>> = places.collect();
    let places = places.ok_or_else(|| Error::Msg("an axis comes out that does not go in".to_owned()))?;
    x.permute(places)?.contiguous()
}

fn product(ints: Ints, a: &Tensor, of_a: &[Label], b: &Tensor, of_b: &[Label], output: &[Label]) -> Result<Tensor> {
    let pick = |from: &[Label], both: bool, out: bool, other: &[Label]| {
        let is = |label: &&Label| other.contains(label) == both && output.contains(label) == out;
        from.iter().filter(is).copied().collect::<Vec<Label>>()
    };
    let (each, along) = (pick(of_a, true, true, of_b), pick(of_a, true, false, of_b));
    let (left, right) = (pick(of_a, false, true, of_b), pick(of_b, false, true, of_a));
    let a = order(a, of_a, &[&each[..], &left, &along].concat())?;
    let b = order(b, of_b, &[&each[..], &along, &right].concat())?;
    let (each_a, rest_a) = a.dims().split_at(each.len());
    let (left_sizes, along_sizes) = rest_a.split_at(left.len());
    let (each_b, rest_b) = b.dims().split_at(each.len());
    let (along_b, right_sizes) = rest_b.split_at(along.len());
    if along_sizes != along_b {
        return Err(Error::Msg(format!("{:?} and {:?} differ along what is summed", a.dims(), b.dims())));
    }
    let each_sizes = broadcast(each_a, each_b)?;
    let count = |sizes: &[usize]| sizes.iter().product::<usize>();
    let (rows, columns, inner) = (count(left_sizes), count(right_sizes), count(along_sizes));
    let a =
        a.broadcast_as([&each_sizes[..], rest_a].concat())?.contiguous()?.reshape((count(&each_sizes), rows, inner))?;
    let b = b.broadcast_as([&each_sizes[..], rest_b].concat())?.contiguous()?.reshape((
        count(&each_sizes),
        inner,
        columns,
    ))?;
    let sizes = [&each_sizes[..], left_sizes, right_sizes].concat();
    super::room(&sizes)?;
    let y = match count(&each_sizes) {
        1 => matrix::product(ints, &a.squeeze(0)?, &b.squeeze(0)?)?,
        _ => matrix::product(ints, &a, &b)?,
    };
    order(&y.reshape(sizes)?, &[each, left, right].concat(), output)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, output, outputs, rising, same};

    #[test]
    fn equations() {
        let of = |equation, inputs: &[candle_core::Tensor]| output("Einsum", &[("equation", A::Str(equation))], inputs);
        let (a, b) = (rising(&[2, 3]), rising(&[3, 2]));
        same(&of("ab,bc->ac", &[a.clone(), b.clone()]), &[2, 2], &[22., 28., 49., 64.]);
        same(&of("ab,bc->ca", &[a.clone(), b.clone()]), &[2, 2], &[22., 49., 28., 64.]);
        same(&of("ab,ab->a", &[a.clone(), a.clone()]), &[2], &[14., 77.]);
        same(&of("ab->b", std::slice::from_ref(&a)), &[3], &[5., 7., 9.]);
        same(&of("a,b->ba", &[rising(&[2]), rising(&[2])]), &[2, 2], &[1., 2., 2., 4.]);
        same(&of("...b,bc->...c", &[rising(&[1, 2, 3]), b.clone()]), &[1, 2, 2], &[22., 28., 49., 64.]);
        same(&of("aab->ba", &[rising(&[2, 2, 2])]), &[2, 2], &[1., 7., 2., 8.]);
        same(&of("aa->", &[rising(&[2, 2])]), &[], &[5.]);
        let whole = super::super::testing::i(&[2, 2], &[1, 2, 3, 4]);
        same(&of("ab,bc->ac", &[whole.clone(), whole]), &[2, 2], &[7., 10., 15., 22.]);
        // Attention: scores of heads.
        let q = rising(&[1, 2, 2, 2]);
        same(&of("aecd,abcd->acbe", &[q.clone(), q]), &[1, 2, 2, 2], &[5., 17., 17., 61., 25., 53., 53., 113.]);
        for equation in ["ab,bc", "a->aa", "ab,bd->c", "ab,ab,ab->a", "abc,bc->a"] {
            assert!(
                outputs("Einsum", &[("equation", A::Str(equation))], &[a.clone(), b.clone()]).is_err(),
                "{equation}"
            );
        }
    }
}
