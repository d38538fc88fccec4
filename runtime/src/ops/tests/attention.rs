use super::*;

/// What a query may read, and what is added for it.
type Bias = fn(query: usize, key: usize) -> f64;

/// The definition, loop by loop: pattern and output of each head.
fn by_hand(t: &[Tensor], scale: f64, bias: Bias) -> (Vec<f64>, Vec<f64>) {
    let [q, k, v] = [&t[0], &t[1], &t[2]].map(doubles);
    let (&[batch, heads, queries, channels], &[_, k_heads, keys, width]) = (t[0].dims(), t[2].dims()) else {
        panic!("four dimensions each");
    };
    let (mut pattern, mut output) = (Vec::new(), Vec::new());
    for (b, h, query) in (0..batch * heads * queries).map(|i| (i / queries / heads, i / queries % heads, i % queries)) {
        let shared = b * k_heads + h * k_heads / heads;
        let q = &q[((b * heads + h) * queries + query) * channels..][..channels];
        let score = |key: usize| {
            let k = &k[(shared * keys + key) * channels..][..channels];
            q.iter().zip(k).map(|(q, k)| q * k).sum::<f64>() * scale + bias(query, key)
        };
        let exps: Vec<f64> = (0..keys).map(|key| score(key).exp()).collect();
        let weights: Vec<f64> = exps.iter().map(|exp| exp / exps.iter().sum::<f64>()).collect();
        let read = |c: usize| (0..keys).map(|key| weights[key] * v[(shared * keys + key) * width + c]).sum::<f64>();
        output.extend((0..width).map(read));
        pattern.extend(weights);
    }
    (pattern, output)
}

#[track_caller]
fn check(t: &[Tensor], mask: Mask<'_>, bias: Bias) -> Result<()> {
    let read = attention(&t[0], &t[1], &t[2], 0.4, mask)?;
    let (pattern, output) = by_hand(t, 0.4, bias);
    for (actual, expected) in [(read.pattern, pattern), (read.output, output)] {
        let expected = Tensor::from_vec(expected, actual.shape(), &Device::Cpu)?;
        assert_close(&actual, &expected, 1e-12, "attention");
    }
    Ok(())
}

fn qkv(heads: usize, k_heads: usize, queries: usize, keys: usize) -> [Tensor; 3] {
    [numbers((2, heads, queries, 4), 0.), numbers((2, k_heads, keys, 4), 1.), numbers((2, k_heads, keys, 3), 2.)]
}

fn earlier(query: usize, key: usize) -> f64 {
    if key > query { f64::NEG_INFINITY } else { 0. }
}

#[test]
fn is_its_definition() -> Result<()> {
    check(&qkv(3, 3, 5, 5), Mask::None, |_, _| 0.)?;
    check(&qkv(3, 3, 5, 5), Mask::Causal, earlier)?;
    check(&qkv(2, 2, 2, 7), Mask::None, |_, _| 0.)?;
    check(&qkv(1, 1, 1, 1), Mask::Causal, earlier)
}

#[test]
fn lets_consecutive_heads_share_keys() -> Result<()> {
    check(&qkv(6, 2, 4, 4), Mask::Causal, earlier)?;
    check(&qkv(4, 1, 2, 3), Mask::None, |_, _| 0.)?;
    // As if the keys were repeated, head by head.
    let [q, k, v] = qkv(6, 2, 4, 4);
    let repeat = |x: &Tensor| Tensor::stack(&[x, x, x], 2)?.flatten(1, 2);
    let (shared, repeated) = (
        attention(&q, &k, &v, 0.4, Mask::None)?.output,
        attention(&q, &repeat(&k)?, &repeat(&v)?, 0.4, Mask::None)?.output,
    );
    assert_close(&shared, &repeated, 1e-12, "grouped queries");
    Ok(())
}

#[test]
fn takes_queries_for_the_last_of_the_keys() -> Result<()> {
    check(&qkv(2, 2, 2, 5), Mask::Causal, |query, key| earlier(query + 3, key))?;
    check(&qkv(2, 2, 1, 5), Mask::Causal, |_, _| 0.)?;
    // What the last rows of the whole are.
    let [q, k, v] = qkv(2, 2, 5, 5);
    let whole = attention(&q, &k, &v, 0.4, Mask::Causal)?.output;
    let last = attention(&q.narrow(2, 3, 2)?, &k, &v, 0.4, Mask::Causal)?.output;
    assert_close(&last, &whole.narrow(2, 3, 2)?, 1e-12, "with a cache");
    Ok(())
}

#[test]
fn takes_masks_of_both_kinds() -> Result<()> {
    let device = &Device::Cpu;
    let t = qkv(2, 2, 3, 3);
    let never = f64::NEG_INFINITY;
    let added = Tensor::new(&[[0., never, 0.5], [1., 0., never], [0., 0., 0.]], device)?;
    let bias: Bias = |query, key| [[0., f64::NEG_INFINITY, 0.5], [1., 0., f64::NEG_INFINITY], [0.; 3]][query][key];
    check(&t, Mask::Added(&added), bias)?;
    check(&t, Mask::Added(&added.broadcast_as((2, 2, 3, 3))?.contiguous()?), bias)?;
    // Any number but 0 allows.
    let allowed = Tensor::new(&[[1u8, 0, 1], [7, 1, 0], [1, 1, 1]], device)?;
    let bias: Bias = |query, key| if [(0, 1), (1, 2)].contains(&(query, key)) { f64::NEG_INFINITY } else { 0. };
    check(&t, Mask::Allowed(&allowed), bias)?;
    check(&t, Mask::Allowed(&allowed.reshape((1, 1, 3, 3))?), bias)
}

#[test]
fn takes_views_and_other_types() -> Result<()> {
    // As they come from [batch, token, head, channel].
    let t = [numbers((2, 5, 3, 4), 0.), numbers((2, 5, 3, 4), 1.), numbers((2, 5, 3, 3), 2.)];
    let t = t.iter().map(|x| x.transpose(1, 2)).collect::<Result<Vec<_>>>()?;
    check(&t, Mask::Causal, earlier)?;
    for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F16, 1e-2), (DType::BF16, 6e-2)] {
        let [q, k, v] = [&t[0], &t[1], &t[2]].map(|x| x.to_dtype(dtype).unwrap());
        let read = attention(&q, &k, &v, 0.4, Mask::Causal)?;
        let (_, output) = by_hand(&t, 0.4, earlier);
        assert_eq!((read.pattern.dtype(), read.output.dtype()), (dtype, dtype));
        assert_close(
            &read.output,
            &Tensor::from_vec(output, read.output.shape(), &Device::Cpu)?,
            tolerance,
            "attention",
        );
    }
    Ok(())
}

#[test]
fn has_gradients_with_respect_to_everything() -> Result<()> {
    let [q, k, v] = qkv(4, 2, 3, 3);
    let inputs = [q, k, v, numbers((4, 1, 3), 3.)];
    let learned = |t: &[Tensor]| Ok(attention(&t[0], &t[1], &t[2], 0.4, Mask::Added(&t[3]))?.output);
    let causal = |t: &[Tensor]| Ok(attention(&t[0], &t[1], &t[2], 0.4, Mask::Causal)?.output);
    let allowed = Tensor::new(&[[1u8, 0, 1], [1, 1, 0], [0, 0, 1]], &Device::Cpu)?;
    let some = |t: &[Tensor]| Ok(attention(&t[0], &t[1], &t[2], 0.4, Mask::Allowed(&allowed))?.output);
    let pattern = |t: &[Tensor]| Ok(attention(&t[0], &t[1], &t[0], 0.4, Mask::Causal)?.pattern);
    type Of<'a> = (&'a str, usize, &'a dyn Fn(&[Tensor]) -> Result<Tensor>);
    let [_, small_k, _] = qkv(4, 4, 3, 3);
    let same_heads = [inputs[0].clone(), small_k];
    let all: [Of<'_>; 3] = [("learned mask", 4, &learned), ("causal", 3, &causal), ("allowed", 3, &some)];
    for (what, count, op) in all {
        for (actual, expected) in gradients(op, &inputs[..count])?.iter().zip(differences(op, &inputs[..count])?) {
            assert_close(actual, &expected, 1e-7, what);
        }
    }
    for (actual, expected) in gradients(pattern, &same_heads)?.iter().zip(differences(pattern, &same_heads)?) {
        assert_close(actual, &expected, 1e-7, "pattern");
    }
    Ok(())
}

#[test]
fn says_what_does_not_fit() -> Result<()> {
    let [q, k, v] = qkv(4, 2, 3, 3);
    let wrong = |q: &Tensor, k: &Tensor, v: &Tensor, mask: Mask<'_>, parts: &[&str]| {
        assert_error(attention(q, k, v, 0.4, mask), parts);
    };
    wrong(&q.squeeze(0)?.narrow(0, 0, 1)?.squeeze(0)?, &k, &v, Mask::None, &["`q`", "[batch, head, query, channel]"]);
    wrong(&q, &numbers((2, 3, 3, 4), 0.), &v, Mask::None, &["4 heads of `q`", "3 of `k`"]);
    wrong(&q, &numbers((2, 2, 3, 5), 0.), &v, Mask::None, &["`k`, [2, 2, 3, 5]", "differ in batch or channels"]);
    wrong(&q, &k, &numbers((2, 2, 4, 3), 0.), Mask::None, &["`v`, [2, 2, 4, 3]", "differ in batch or keys"]);
    wrong(&q, &k, &numbers((2, 3, 3, 3), 0.), Mask::None, &["3 of `v`"]);
    wrong(&q, &k.to_dtype(DType::F32)?, &v, Mask::None, &["`k` is F32 where `q` is F64"]);
    wrong(&q, &k.narrow(2, 0, 2)?, &v, Mask::Causal, &["3 queries for 2 keys"]);
    // It would make a batch of four.
    wrong(&q, &k, &v, Mask::Added(&numbers((4, 1, 3, 3), 0.)), &["the mask, [4, 1, 3, 3], does not broadcast"]);
    wrong(&q, &k, &v, Mask::Added(&numbers((3, 3), 0.).to_dtype(DType::F32)?), &["`mask` is F32"]);
    wrong(&q, &k, &v, Mask::Allowed(&numbers((3, 3), 0.)), &["U8, not F64", "`Mask::Added`"]);
    Ok(())
}
