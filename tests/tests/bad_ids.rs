//! What every model that reads a text says of one that it can't read.

use candle_core::{DType, Device, Result, Tensor};
use taper_models::bert::Bert;
use taper_models::clip::Clip;
use taper_models::gpt2::Gpt2;
use taper_models::llama::Llama;
use taper_models::neox::NeoX;
use taper_models::t5::T5;
use taper_models::whisper::Whisper;
use taper_models::{Pretrained, Source};
use taper_tests::fixtures::assert_error;
use taper_tests::originals::pretrained;
use taper_tests::parity::Golden;

/// The model of a reference, and the inputs that came with it.
fn open<M: Pretrained>(reference: &str) -> (M, Golden) {
    let golden = Golden::open(reference).unwrap();
    (pretrained(&golden, |_| ()).unwrap(), golden)
}

/// `ids` of the reference are read; each fault of them is told as what it is.
#[track_caller]
fn refuses(ids: &Tensor, vocabulary: usize, most: Option<usize>, read: impl Fn(&Tensor) -> Result<Tensor>) {
    read(ids).unwrap();
    let mut texts = ids.to_dtype(DType::I64).unwrap().to_vec2::<i64>().unwrap();
    let (text, token) = (texts.len() - 1, texts[0].len() - 1);
    texts[text][token] = vocabulary as i64;
    let place = format!("id {vocabulary} at text {text}, token {token}");
    let sizes = format!("vocabulary, which are {vocabulary}: 0 to {}", vocabulary - 1);
    assert_error(read(&Tensor::new(texts, &Device::Cpu).unwrap()), &[&place, &sizes]);
    assert_error(read(&ids.get(0).unwrap()), &["should be [batch, token]", "`unsqueeze(0)`"]);
    assert_error(read(&ids.unsqueeze(0).unwrap()), &["should be [batch, token]"]);
    assert_error(read(&ids.to_dtype(DType::F32).unwrap()), &["ids are F32: give integers"]);
    if let Some(most) = most {
        let long = ids.narrow(1, 0, 1).unwrap().repeat((1, most + 1)).unwrap();
        let (tokens, positions) = (format!("{} tokens", most + 1), format!("{most} positions"));
        assert_error(read(&long), &["a text of", &tokens, &positions]);
    }
}

#[test]
fn gpt2() {
    let (model, golden) = open::<Gpt2>("gpt2");
    let most = model.wpe.embeddings().dims()[0];
    refuses(golden.tensor("input.input_ids"), model.wte.embeddings().dims()[0], Some(most), |ids| {
        model.forward(ids, None)
    });
    // The same in a traced run.
    assert_error(
        model.forward_with_taps(&golden.tensor("input.input_ids").get(0).unwrap(), None),
        &["should be [batch, token]"],
    );
}

#[test]
fn neox_and_llama() {
    let (model, golden) = open::<NeoX>("neox");
    refuses(golden.tensor("input.input_ids"), model.wte.embeddings().dims()[0], None, |ids| model.forward(ids, None));
    let (model, golden) = open::<Llama>("llama");
    refuses(golden.tensor("input.input_ids"), model.wte.embeddings().dims()[0], None, |ids| model.forward(ids, None));
}

#[test]
fn bert_and_roberta() {
    let (model, golden) = open::<Bert>("bert");
    let table = |model: &Bert| {
        let rows = |table: &candle_nn::Embedding| table.embeddings().dims()[0];
        (rows(&model.embeddings.word_embeddings), rows(&model.embeddings.position_embeddings))
    };
    let (vocabulary, most) = table(&model);
    let ids = golden.tensor("input.input_ids");
    refuses(ids, vocabulary, Some(most), |ids| model.forward(ids, None, None));
    let types = ids.ones_like().unwrap();
    assert_error(model.forward(ids, Some(&types.get(0).unwrap()), None), &["give a type for each token"]);
    assert_error(
        model.forward(ids, Some(&(types * 7.0).unwrap()), None),
        &["token type 7 at text 0, token 0", "types, which are 2: 0 to 1"],
    );
    let (model, golden) = open::<Bert>("roberta");
    let (vocabulary, positions) = table(&model);
    let padding = model.embeddings.padding.unwrap() as usize;
    refuses(golden.tensor("input.input_ids"), vocabulary, Some(positions - padding - 1), |ids| {
        model.forward(ids, None, None)
    });
}

#[test]
fn t5() {
    let (model, golden) = open::<T5>("t5");
    let vocabulary = model.encoder.embed.embeddings().dims()[0];
    let (ids, answer) = (golden.tensor("input.input_ids"), golden.tensor("input.decoder_input_ids"));
    refuses(ids, vocabulary, None, |ids| model.encoder.forward(ids, None));
    refuses(answer, vocabulary, None, |answer| model.forward(ids, None, answer));
}

#[test]
fn whisper() {
    let (model, golden) = open::<Whisper>("whisper");
    let encoded = model.encoder.forward(golden.tensor("input.input_features")).unwrap();
    let (vocabulary, most) = (model.decoder.wte.embeddings().dims()[0], model.decoder.wpe.embeddings().dims()[0]);
    let source = Source::new(encoded, None);
    refuses(golden.tensor("input.decoder_input_ids"), vocabulary, Some(most), |ids| {
        model.decoder.forward(ids, &source, None)
    });
}

#[test]
fn clip() {
    let (model, golden) = open::<Clip>("clip");
    let (vocabulary, most) =
        (model.text.token_embedding.embeddings().dims()[0], model.text.config.max_position_embeddings);
    refuses(golden.tensor("input.input_ids"), vocabulary, Some(most), |ids| model.text.forward(ids, None));
}
