use std::collections::HashMap;
use std::f32::consts::TAU;
use std::f64::consts::PI;

use candle_core::{D, DType, Device, Result, Tensor, bail};
use serde::Deserialize;
use serde_json::Value;
use taper::ops::rope;

/// Rotary positions: pair `i` of a head's channels turns by `theta^(−2i / channels)` radians a token, so that the product of
/// a query and a key depends on how far apart they are (Su et al., 2021). Channel `i` is a pair with that half of the
/// channels further on, as in `apply_rotary_pos_emb` of Hugging Face's models.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotary {
    /// How many of a head's channels turn, from the first on.
    pub channels: usize,
    /// The base of the angles.
    pub theta: f64,
    /// How the angles are changed for texts that are longer than those of the training.
    pub scaling: RotaryScaling,
}

/// How the angles of [`Rotary`] are changed for long texts: the `rope_type` of a `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub enum RotaryScaling {
    /// `default`: not at all.
    None,
    /// `linear`: all are divided by the factor.
    Linear {
        /// How much longer texts are.
        factor: f64,
    },
    /// `dynamic`: beyond `tokens`, the base grows with the length of the text, and with it every angle changes. **There is
    /// no past of such a text**: its keys were turned by other angles.
    Dynamic {
        /// How fast the base grows.
        factor: f64,
        /// Up to this length nothing is changed.
        tokens: usize,
    },
    /// `llama3`: what turns less than `low_freq_factor` times in `tokens` is divided by `factor`, what turns more than
    /// `high_freq_factor` times is not, and between there is a ramp.
    Llama3 {
        /// How much longer texts are.
        factor: f64,
        /// Where the ramp begins, in turns.
        low_freq_factor: f64,
        /// Where it ends, in turns.
        high_freq_factor: f64,
        /// The longest text before.
        tokens: usize,
    },
    /// `yarn`: what turns less than `beta_slow` times in `tokens` is divided by `factor`, what turns more than `beta_fast`
    /// times is not, and between there is a ramp over the pairs; cosines and sines are multiplied by `attention_factor` (Peng
    /// et al., [YaRN](https://arxiv.org/abs/2309.00071)).
    Yarn {
        /// How much longer texts are.
        factor: f64,
        /// The longest text before.
        tokens: usize,
        /// Where the ramp begins, in turns.
        beta_fast: f64,
        /// Where it ends, in turns.
        beta_slow: f64,
        /// Whether the ramp begins and ends at whole pairs.
        truncate: bool,
        /// What cosines and sines are multiplied by.
        attention_factor: f64,
    },
    /// `longrope`: each pair is divided by a number of its own, by another in texts of more than `tokens`; cosines and sines
    /// are multiplied by `attention_factor` (Ding et al., [LongRoPE](https://arxiv.org/abs/2402.13753)). **A text that
    /// becomes longer than that has no past**: its keys were turned by other angles.
    LongRope {
        /// The divisors in texts that are not longer, one for each pair.
        short: Vec<f32>,
        /// The divisors in texts that are longer.
        long: Vec<f32>,
        /// The longest text before.
        tokens: usize,
        /// What cosines and sines are multiplied by.
        attention_factor: f64,
    },
    /// Each pair by a divisor of its own, as GGUF files have it.
    Divided {
        /// One for each pair.
        by: Vec<f32>,
    },
}

impl Rotary {
    /// The radians by which each pair turns a token, in a text of so many tokens: as PyTorch computes them, in `f32`.
    fn frequencies(&self, len: usize) -> Vec<f32> {
        let (mut theta, channels) = (self.theta as f32, self.channels as f32);
        if let RotaryScaling::Dynamic { factor, tokens } = self.scaling
            && len > tokens
        {
            let grown = factor as f32 * len as f32 / tokens as f32 - (factor - 1.0) as f32;
            theta *= grown.powf(channels / (channels - 2.0));
        }
        let scaled = |(pair, frequency): (usize, f32)| match self.scaling {
            RotaryScaling::None | RotaryScaling::Dynamic { .. } => frequency,
            RotaryScaling::Divided { ref by } => frequency / by[pair],
            RotaryScaling::LongRope { ref short, ref long, tokens, .. } => {
                frequency / if len > tokens { long[pair] } else { short[pair] }
            }
            RotaryScaling::Linear { factor } => frequency / factor as f32,
            RotaryScaling::Llama3 { factor, low_freq_factor, high_freq_factor, tokens } => {
                let (factor, low, high) = (factor as f32, low_freq_factor as f32, high_freq_factor as f32);
                let turns = tokens as f32 / (TAU / frequency);
                let ramp = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                (1.0 - ramp) * frequency / factor + ramp * frequency
            }
            RotaryScaling::Yarn { factor, tokens, beta_fast, beta_slow, truncate, .. } => {
                // The pair that turns so often in so many tokens.
                let pair_of = |turns: f64| {
                    let turns = (tokens as f64 / (turns * 2.0 * PI)).ln();
                    self.channels as f64 * turns / (2.0 * self.theta.ln())
                };
                let (mut low, mut high) = (pair_of(beta_fast), pair_of(beta_slow));
                if truncate {
                    (low, high) = (low.floor(), high.ceil());
                }
                let (low, mut high) = (low.max(0.0), high.min(self.channels as f64 - 1.0));
                if low == high {
                    high += 0.001;
                }
                let ramp = ((pair as f32 - low as f32) / (high - low) as f32).clamp(0.0, 1.0);
                ramp * frequency / factor as f32 + (1.0 - ramp) * frequency
            }
        };
        let frequencies = (0..self.channels).step_by(2).map(|i| 1.0 / theta.powf(i as f32 / channels));
        frequencies.enumerate().map(scaled).collect()
    }

    /// The cosines and the sines of the angles of `tokens` tokens that follow `past` others: each [token, pair].
    ///
    /// # Errors
    /// A past of which the keys were turned by other angles.
    pub(crate) fn angles(&self, tokens: usize, past: usize, dtype: DType, device: &Device) -> Result<(Tensor, Tensor)> {
        let len = past + tokens;
        match self.scaling {
            RotaryScaling::Dynamic { tokens: most, .. } if past > 0 && len > most => bail!(
                "`dynamic` rotary positions turn every key of a text of more than {most} tokens anew with each token: \
                 read the text of {len} at once, without a past: `forward(&ids, None)`"
            ),
            RotaryScaling::LongRope { tokens: most, .. } if past > 0 && past <= most && len > most => bail!(
                "`longrope` rotary positions turn every key of a text anew when it becomes longer than {most} tokens: \
                 read the text of {len} at once, without a past: `forward(&ids, None)`"
            ),
            _ => (),
        }
        let frequencies = self.frequencies(len);
        let angles = (past..len).flat_map(|token| frequencies.iter().map(move |frequency| token as f32 * frequency));
        let factor = match self.scaling {
            RotaryScaling::Yarn { attention_factor, .. } | RotaryScaling::LongRope { attention_factor, .. } => {
                attention_factor as f32
            }
            _ => 1.0,
        };
        let table = |of: fn(f32) -> f32| {
            let entries = angles.clone().map(|angle| of(angle) * factor).collect();
            Tensor::from_vec(entries, (tokens, frequencies.len()), device)?.to_dtype(dtype)
        };
        Ok((table(f32::cos)?, table(f32::sin)?))
    }
}

/// `x` turned by the angles: [batch, head, token, channel of the head] to the same. Channels beyond the pairs stay.
pub(crate) fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let (channels, turned) = (x.dim(D::Minus1)?, 2 * cos.dim(D::Minus1)?);
    if channels == turned {
        return rope(x, cos, sin);
    }
    let first = rope(&x.narrow(D::Minus1, 0, turned)?.contiguous()?, cos, sin)?;
    Tensor::cat(&[&first, &x.narrow(D::Minus1, turned, channels - turned)?], D::Minus1)
}

/// `rope_parameters` of a `config.json`, `rope_scaling` in older ones.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RotaryFields {
    rope_type: Option<String>,
    // As `rope_type` was called first.
    r#type: Option<String>,
    pub(crate) rope_theta: Option<f64>,
    pub(crate) partial_rotary_factor: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<usize>,
    beta_fast: Option<f64>,
    beta_slow: Option<f64>,
    truncate: Option<bool>,
    attention_factor: Option<f64>,
    mscale: Option<f64>,
    mscale_all_dim: Option<f64>,
    short_factor: Option<Vec<f32>>,
    long_factor: Option<Vec<f32>>,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

impl RotaryFields {
    /// With the longest text of the training, where it stands beside these fields: it then counts before one among them, as
    /// in the original.
    pub(crate) fn of_length(mut self, beside: Option<usize>) -> Self {
        self.original_max_position_embeddings = beside.or(self.original_max_position_embeddings);
        self
    }

    /// What they say of heads of so many channels. What they lack is `theta` and `part`, the part of the channels that
    /// turns; `longest` is the longest text.
    pub(crate) fn rotary(
        &self,
        head_width: usize,
        theta: f64,
        part: f64,
        longest: Option<usize>,
    ) -> std::result::Result<Rotary, String> {
        if let Some((kind, _)) = self.rest.iter().find(|(_, value)| value.is_object()) {
            return Err(format!("rotary positions of their own for `{kind}` layers are not supported"));
        }
        let kind = self.rope_type.as_deref().or(self.r#type.as_deref()).unwrap_or("default");
        let need = |field: &str, value: Option<f64>| {
            value.ok_or_else(|| format!("rotary positions of the type `{kind}` need the field `{field}`"))
        };
        let factor = || need("factor", self.factor);
        // Without a factor, texts are as much longer as the two lengths say.
        let longer = || Some(longest? as f64 / self.original_max_position_embeddings.or(longest)? as f64);
        let channels = (head_width as f64 * self.partial_rotary_factor.unwrap_or(part)) as usize;
        let divisors = |field: &str, value: &Option<Vec<f32>>| match value {
            Some(divisors) if divisors.len() == channels / 2 => Ok(divisors.clone()),
            _ => {
                Err(format!("rotary positions of the type `{kind}` need the field `{field}`, {} numbers", channels / 2))
            }
        };
        let tokens = |own: Option<usize>| {
            own.or(longest).ok_or_else(|| {
                format!("rotary positions of the type `{kind}` need the field `max_position_embeddings`")
            })
        };
        let scaling = match kind {
            "default" => RotaryScaling::None,
            "linear" => RotaryScaling::Linear { factor: factor()? },
            "dynamic" => RotaryScaling::Dynamic { factor: factor()?, tokens: tokens(None)? },
            "llama3" => RotaryScaling::Llama3 {
                factor: factor()?,
                low_freq_factor: need("low_freq_factor", self.low_freq_factor)?,
                high_freq_factor: need("high_freq_factor", self.high_freq_factor)?,
                tokens: tokens(self.original_max_position_embeddings)?,
            },
            "yarn" => {
                let factor = need("factor", self.factor.or_else(longer))?;
                // Zero is as good as absent, as in the original.
                let given = |value: Option<f64>| value.filter(|&value| value != 0.0);
                RotaryScaling::Yarn {
                    factor,
                    tokens: tokens(self.original_max_position_embeddings)?,
                    beta_fast: given(self.beta_fast).unwrap_or(32.0),
                    beta_slow: given(self.beta_slow).unwrap_or(1.0),
                    truncate: self.truncate.unwrap_or(true),
                    attention_factor: self.attention_factor.unwrap_or_else(|| {
                        let scale = |by: f64| if factor <= 1.0 { 1.0 } else { 0.1 * by * factor.ln() + 1.0 };
                        match (given(self.mscale), given(self.mscale_all_dim)) {
                            (Some(mscale), Some(all)) => scale(mscale) / scale(all),
                            _ => scale(1.0),
                        }
                    }),
                }
            }
            "longrope" => {
                let tokens = tokens(self.original_max_position_embeddings)?;
                let factor = need("factor", self.factor.or_else(longer))?;
                let scale = || if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / (tokens as f64).ln()).sqrt() };
                RotaryScaling::LongRope {
                    short: divisors("short_factor", &self.short_factor)?,
                    long: divisors("long_factor", &self.long_factor)?,
                    tokens,
                    attention_factor: self.attention_factor.unwrap_or_else(scale),
                }
            }
            other => {
                return Err(format!(
                    "rotary positions of the type `{other}` are not supported: `default`, `linear`, `dynamic`, `llama3`, \
                     `yarn` and `longrope` are"
                ));
            }
        };
        if channels == 0 || channels.next_multiple_of(2) > head_width {
            return Err(format!("{channels} of the {head_width} channels of a head cannot turn in pairs"));
        }
        // The original divides by what is none, or has fewer steps of its ramp than pairs.
        if (kind == "dynamic" && channels < 3) || (matches!(kind, "yarn" | "longrope") && !channels.is_multiple_of(2)) {
            return Err(format!(
                "`{kind}` rotary positions are not defined for heads of which {channels} channels turn"
            ));
        }
        Ok(Rotary { channels, theta: self.rope_theta.unwrap_or(theta), scaling })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> RotaryFields {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn both_spellings_are_read() {
        let new = fields(r#"{"rope_type": "linear", "factor": 4, "rope_theta": 500}"#).rotary(8, 10000.0, 1.0, None);
        let old = fields(r#"{"type": "linear", "factor": 4.0}"#).rotary(8, 500.0, 1.0, None);
        assert_eq!(new, old);
        assert_eq!(new.unwrap(), Rotary { channels: 8, theta: 500.0, scaling: RotaryScaling::Linear { factor: 4.0 } });
        assert_eq!(fields("{}").rotary(8, 500.0, 0.5, None).unwrap().channels, 4);
    }

    #[test]
    fn yarn_without_a_factor_has_it_of_the_lengths() {
        let factor = |json: &str| fields(json).rotary(8, 1e4, 1.0, Some(32)).unwrap().scaling;
        let absent = factor(r#"{"rope_type": "yarn", "factor": null, "original_max_position_embeddings": 8}"#);
        assert_eq!(absent, factor(r#"{"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8}"#));
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        let error = |json: &str| fields(json).rotary(8, 1e4, 1.0, None).unwrap_err();
        assert!(error(r#"{"rope_type": "su", "factor": 2.0}"#).contains("`su` are not supported"));
        let short =
            r#"{"rope_type": "longrope", "factor": 2.0, "original_max_position_embeddings": 4, "short_factor": [1]}"#;
        assert!(error(short).contains("need the field `short_factor`, 4 numbers"));
        assert!(error(r#"{"rope_type": "yarn"}"#).contains("need the field `factor`"));
        assert!(error(r#"{"rope_type": "linear"}"#).contains("need the field `factor`"));
        assert!(error(r#"{"rope_type": "dynamic", "factor": 2.0}"#).contains("`max_position_embeddings`"));
        let two = fields(r#"{"rope_type": "dynamic", "factor": 2.0}"#).rotary(2, 1e4, 1.0, Some(9));
        assert!(two.unwrap_err().contains("2 channels turn"));
        assert!(
            error(r#"{"rope_type": "yarn", "factor": 2.0, "partial_rotary_factor": 0.4, "original_max_position_embeddings": 8}"#).contains("3 channels turn")
        );
        assert!(error(r#"{"full_attention": {"rope_theta": 1.0}}"#).contains("`full_attention` layers"));
        assert!(error(r#"{"partial_rotary_factor": 2.0}"#).contains("16 of the 8 channels"));
    }

    /// A pair that turns fast is not scaled by `llama3`, one that turns slowly by all of the factor.
    #[test]
    fn the_ramp_is_between_the_two() {
        let frequencies = |scaling| Rotary { channels: 8, theta: 1e4, scaling }.frequencies(9);
        let plain = frequencies(RotaryScaling::None);
        let scaled = RotaryScaling::Llama3 { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, tokens: 8 };
        let ratios: Vec<f32> = plain.iter().zip(frequencies(scaled)).map(|(plain, scaled)| plain / scaled).collect();
        assert!(1.0 < ratios[0] && ratios[0] < 8.0, "{ratios:?}");
        assert_eq!(ratios[1..], [8.0; 3]);
        let long = RotaryScaling::Llama3 { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, tokens: 8192 };
        assert_eq!(plain[..2], frequencies(long)[..2]);
    }

    /// What was read before the text became longer was turned by other angles; what is read after it, by the same.
    #[test]
    fn a_long_text_is_divided_by_other_numbers() {
        let (short, long) = (vec![1.0, 2.0], vec![4.0, 8.0]);
        let scaling =
            RotaryScaling::LongRope { short: short.clone(), long: long.clone(), tokens: 4, attention_factor: 1.0 };
        let rotary = Rotary { channels: 4, theta: 1e4, scaling };
        let divided = |by| Rotary { scaling: RotaryScaling::Divided { by }, ..rotary.clone() }.frequencies(1);
        assert_eq!((rotary.frequencies(4), rotary.frequencies(5)), (divided(short), divided(long)));
        let angles = |tokens, past| rotary.angles(tokens, past, DType::F32, &Device::Cpu);
        assert!(angles(8, 0).is_ok() && angles(1, 3).is_ok() && angles(1, 5).is_ok());
        assert!(angles(1, 4).unwrap_err().to_string().contains("without a past"));
    }

    #[test]
    fn dynamic_angles_are_those_of_the_length() {
        let scaling = RotaryScaling::Dynamic { factor: 2.0, tokens: 4 };
        let rotary = Rotary { channels: 4, theta: 1e4, scaling };
        let plain = Rotary { scaling: RotaryScaling::None, ..rotary.clone() };
        assert_eq!(rotary.frequencies(4), plain.frequencies(4));
        // The base times (2·8/4 − 1)².
        assert_eq!(rotary.frequencies(8), Rotary { theta: 9e4, ..plain }.frequencies(8));
        let angles = |tokens, past| rotary.angles(tokens, past, DType::F32, &Device::Cpu);
        assert!(angles(8, 0).is_ok() && angles(1, 3).is_ok());
        assert!(angles(1, 4).unwrap_err().to_string().contains("without a past"));
    }
}
