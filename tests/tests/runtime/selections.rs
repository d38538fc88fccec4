//! What can be selected, and what is refused.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module, linear};
use taper::{Model, Selection, Site, forward};

use super::{assert_error, assert_same, bits, random, vb};

#[derive(Model)]
pub struct Block {
    #[load(each(0, |_| linear(4, 4)))]
    pub adapters: Vec<Linear>,
    #[load(linear(4, 4))]
    pub proj: Linear,
}

#[forward]
impl Block {
    pub fn forward(&self, x: &Tensor, gated: bool) -> Result<Tensor> {
        let mut x = x.clone();
        for adapter in &self.adapters {
            x = adapter.forward(&x)?;
        }
        #[tap]
        let h = self.proj.forward(&x)?.relu()?;
        if gated {
            #[tap]
            let g = h.affine(2., 1.)?;
            x = (x + g)?;
        }
        x + h
    }
}

#[derive(Model)]
#[model(config = usize)]
pub struct Net {
    #[load(linear(4, 4))]
    pub first: Linear,
    #[load(each(*cfg))]
    pub blocks: Vec<Block>,
    pub shared: Block,
    #[load(linear(4, 4))]
    pub gate: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.first.forward(x)?;
        for (i, block) in self.blocks.iter().enumerate().rev() {
            x = block.forward(&x, i % 2 == 1)?;
        }
        for i in 0..3 {
            x = self.shared.forward(&x, i == 1)?;
        }
        if x.dim(0)? > 1 {
            x = self.gate.forward(&x)?;
        }
        Ok(x)
    }
}

fn net() -> Result<(Net, Tensor, NetTaps)> {
    let (net, x) = (Net::load(vb(), &10)?, random((2, 4)));
    let (_, taps) = net.forward_with_taps(&x)?;
    Ok((net, x, taps))
}

#[test]
fn tuples_to_twelve() -> Result<()> {
    let (net, x, taps) = net()?;
    macro_rules! check {
        ($($i:tt)+) => {
            let values = net.capture(&x, |t| ($(t.blocks[$i % 10].h,)+))?;
            $(assert_same(&values.$i, &taps.blocks[$i % 10].h);)+
        };
    }
    check!(0);
    check!(0 1);
    check!(0 1 2 3);
    check!(0 1 2 3 4 5 6 7);
    check!(0 1 2 3 4 5 6 7 8 9 10);
    check!(0 1 2 3 4 5 6 7 8 9 10 11);
    Ok(())
}

#[test]
fn containers() -> Result<()> {
    let (net, x, taps) = net()?;
    let [a, b] = net.capture(&x, |t| [t.blocks[1].h, t.first])?;
    assert_same(&a, &taps.blocks[1].h);
    assert_same(&b, &taps.first);
    let list = net.capture(&x, |t| t.blocks.iter().map(|b| b.h).collect::<Vec<_>>())?;
    assert_same(&list[7], &taps.blocks[7].h);
    let some = net.capture(&x, |t| (Some(t.first), None::<Site<Tensor>>))?;
    assert_same(some.0.as_ref().unwrap(), &taps.first);
    assert!(some.1.is_none());
    net.capture(&x, |_| ())?;
    let block: BlockTaps = net.capture(&x, |t| t.blocks[3].clone())?;
    assert_same(&block.output, &taps.blocks[3].output);
    assert!(block.g.is_some());
    let whole: NetTaps = net.capture(&x, |t| t)?;
    assert_same(&whole.output, &taps.output);
    assert_same(&whole.shared[2].h, &taps.shared[2].h);
    let (_, (nested, [again])) = net.capture(&x, |t| ((), (t.blocks[2..].each(|b| (b.h, b.output)), [t.output])))?;
    assert_same(&nested[0].1, &taps.blocks[2].output);
    assert_same(&again, &taps.output);
    Ok(())
}

#[test]
fn parts_of_a_field() -> Result<()> {
    let (net, x, taps) = net()?;
    let check = |values: Vec<Tensor>, from: usize, len: usize| {
        assert_eq!(values.len(), len);
        values.iter().zip(&taps.blocks[from..]).for_each(|(value, block)| assert_same(value, &block.h));
    };
    check(net.capture(&x, |t| t.blocks[4..9].each(|b| b.h))?, 4, 5);
    check(net.capture(&x, |t| t.blocks[4..=9].each(|b| b.h))?, 4, 6);
    check(net.capture(&x, |t| t.blocks[8..].each(|b| b.h))?, 8, 2);
    check(net.capture(&x, |t| t.blocks[..3].each(|b| b.h))?, 0, 3);
    check(net.capture(&x, |t| t.blocks[..=3].each(|b| b.h))?, 0, 4);
    check(net.capture(&x, |t| t.blocks[..].each(|b| b.h))?, 0, 10);
    check(net.capture(&x, |t| t.blocks[3..9][1..3].each(|b| b.h))?, 4, 2);
    let whole: Vec<BlockTaps> = net.capture(&x, |t| t.blocks[4..6].clone())?;
    assert_same(&whole[1].output, &taps.blocks[5].output);
    let (last, second) = net.capture(&x, |t| (t.blocks.at(-1).output, t.blocks.at(1).h))?;
    assert_same(&last, &taps.blocks[9].output);
    assert_same(&second, &taps.blocks[1].h);
    assert_same(&net.capture(&x, |t| t.blocks[4..9].at(-1).h)?, &taps.blocks[8].h);
    Ok(())
}

#[test]
fn functions_of_what_is_selected() -> Result<()> {
    let (net, x, taps) = net()?;
    let sum = |x: &Tensor| x.sum_all();
    assert_same(&net.capture(&x, |t| t.blocks[1].h.map(sum))?, &taps.blocks[1].h.sum_all()?);
    let shape = net.capture(&x, |t| t.first.map(|x| Ok(x.dims().to_vec())))?;
    assert_eq!(shape, [2, 4]);
    let sums = net.capture(&x, |t| t.blocks.each(|b| b.output.map(sum)))?;
    assert_same(&sums[9], &taps.blocks[9].output.sum_all()?);
    let difference = net.capture(&x, |t| (t.blocks[0].h, t.blocks[9].h).map(|(a, b)| a - b))?;
    assert_same(&difference, &(&taps.blocks[0].h - &taps.blocks[9].h)?);
    let count = net.capture(&x, |t| t.map(|taps| Ok(taps.shared.len())))?;
    assert_eq!(count, 3);
    let visits = net.capture(&x, |t| t.shared.each(|s| s.h.map(sum)))?;
    assert_same(&visits[2], &taps.shared[2].h.sum_all()?);
    let gates = net.capture(&x, |t| t.shared.each(|s| s.g.map(|g| g.map(sum))))?;
    assert_eq!(gates.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false]);
    let twice = net.capture(&x, |t| (t.first.map(sum), t.first.map(|x| x.max_all()), t.first))?;
    assert_same(&twice.1, &taps.first.max_all()?);
    let failed = net.capture(&x, |t| t.first.map(|x| x.narrow(0, 5, 1)));
    assert_error(failed, &["narrow"]);
    Ok(())
}

#[test]
fn visits() -> Result<()> {
    let (net, x, taps) = net()?;
    assert_same(&net.capture(&x, |t| t.shared.at(1))?.h, &taps.shared[1].h);
    assert_same(&net.capture(&x, |t| t.shared.at(-1).select(|s| s.output))?, &taps.shared[2].output);
    assert_error(net.capture(&x, |t| t.shared.at(5)), &["visit 5 of `shared`", "the run made 3"]);
    assert_error(net.capture(&x, |t| t.shared.at(-4).select(|s| s.h)), &["visit -4 of `shared`"]);
    Ok(())
}

#[test]
fn an_element_beyond_the_end_is_an_error_that_names_field_and_length() -> Result<()> {
    let (net, x, _) = net()?;
    let parts = ["`blocks.at(..)` is out of range", "`blocks` has 10 elements"];
    assert_error(net.capture(&x, |t| t.blocks.at(99).h), &parts);
    assert_error(net.capture(&x, |t| t.blocks.at(-11).output), &parts);
    assert_error(net.capture(&x, |t| t.blocks.at(10)), &parts);
    assert_error(net.capture(&x, |t| t.blocks.at(99).g), &parts);
    assert_error(net.capture(&x, |t| t.blocks.at(99).g.map(|g| g)), &parts);
    assert_error(net.capture(&x, |t| t.blocks.at(99).h.map(|h| h.sum_all())), &parts);
    assert_error(net.capture(&x, |t| (t.first, t.blocks.at(99).h, t.blocks[1].h)), &parts);
    assert_error(net.capture(&x, |t| t.blocks.at(99).map(|_| Ok(()))), &parts);
    Ok(())
}

#[test]
#[should_panic(
    expected = "index 99 is out of range: the field has 10 elements of type `BlockSites`, 0 to 9; `at(99)` in its place"
)]
fn an_index_beyond_the_end_panics_as_a_slice_does() {
    let (net, x, _) = net().unwrap();
    let _ = net.capture(&x, |t| t.blocks[99].h);
}

#[test]
#[should_panic(expected = "4..99 is out of range: the field has 10 elements")]
fn a_range_beyond_the_end_panics_as_a_slice_does() {
    let (net, x, _) = net().unwrap();
    let _ = net.capture(&x, |t| t.blocks[4..99].each(|b| b.h));
}

#[test]
fn a_site_of_another_model_is_refused() -> Result<()> {
    let (net, x, taps) = net()?;
    let site = net.sites().blocks[3].h;
    let (shorter, same) = (Net::load(vb(), &9)?, Net::load(vb(), &10)?);
    let parts = ["a site of another model was used on a `Net`"];
    assert_error(shorter.capture(&x, |_| site), &parts);
    assert_error(shorter.capture(&x, |t| (t.first, site.map(|x| x.sum_all()), t.output)), &parts);
    assert_error(net.shared.capture(&x, false, |_| site), &["used on a `Block`"]);
    assert_error(net.capture(&x, |_| net.shared.sites().h), &parts);
    let (whole, found) = (shorter.sites().clone(), shorter.sites().find_any("gate")?);
    assert_error(net.capture(&x, |_| (*whole).clone()), &parts);
    assert_error(net.capture(&x, |_| found), &parts);
    // A model of the same type with as many layers has the same sites.
    same.capture(&x, |_| site)?;
    assert_same(&net.capture(&x, |_| site)?, &taps.blocks[3].h);
    Ok(())
}

/// Two loops, one in the other: frames inside frames.
#[derive(Model)]
pub struct Frames {
    pub net: Block,
    #[load(each(2))]
    pub inner: Vec<Block>,
}

#[forward]
impl Frames {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for _ in 0..2 {
            for block in &self.inner {
                x = block.forward(&x, true)?;
            }
        }
        self.net.forward(&x, true)
    }
}

#[test]
fn a_site_out_of_its_frame_is_refused() -> Result<()> {
    let (net, x, _) = net()?;
    let mut leaked = None;
    let select = |t: NetSites| {
        let _ = t.shared.each(|s| leaked = Some(s.h));
        leaked.unwrap()
    };
    assert_error(net.capture(&x, select), &["`shared.h`", "select it through `.map` or `.each` of `shared`"]);
    let mut leaked = None;
    let select = |t: NetSites| {
        let _ = t.blocks[1].clone().g.map(|g| leaked = Some(g));
        (t.first, leaked.unwrap().map(|g| g.sum_all()))
    };
    assert_error(net.capture(&x, select), &["`blocks.1.g`", "`.map`"]);
    // Out of a frame that is wanted itself.
    let mut leaked = None;
    let select = |t: NetSites| {
        let through = t.shared.each(|s| {
            leaked = Some(s.h);
            s.output
        });
        (through, leaked.unwrap())
    };
    assert_error(net.capture(&x, select), &["`shared.h`"]);
    Ok(())
}

#[test]
fn a_site_out_of_an_inner_frame_is_refused() -> Result<()> {
    let model = Frames::load(vb())?;
    let x = random((1, 4));
    let select = |t: FramesSites| {
        t.inner[1].clone().each(|block| {
            let mut leaked = None;
            let _ = block.g.map(|g| leaked = Some(g));
            leaked.unwrap()
        })
    };
    assert_error(model.capture(&x, select), &["`inner.1.g`", "`.map`"]);
    let values = model.capture(&x, |t| t.inner[1].clone().each(|block| (block.h, block.g.map(|g| g))))?;
    let (_, taps) = model.forward_with_taps(&x)?;
    assert_same(values[1].1.as_ref().unwrap(), taps.inner[1][1].g.as_ref().unwrap());
    Ok(())
}

#[test]
fn look_ups() -> Result<()> {
    let (net, x, taps) = net()?;
    let sites = net.sites();
    assert_same(&net.capture(&x, |_| sites.find("blocks.3.h").unwrap())?, &taps.blocks[3].h);
    assert_error(sites.find("shared.h"), &["`shared.h` is repeated", "`find_any`"]);
    assert_error(sites.find("gate"), &["`gate` is conditional", "`find_any`"]);
    assert_error(sites.find("blocks.3.hh"), &["no tap `blocks.3.hh`", "did you mean `blocks.3.h`"]);
    assert_error(sites.find("blocks.3"), &["is a submodule", "`blocks.3.output`"]);
    assert_error(sites.find("zzzzzzzzzzzz"), &["it has `first`"]);
    assert_error(sites.find_any("frist"), &["did you mean `first`"]);

    let shared = sites.find_any("shared.h")?;
    assert!(shared.is_repeated() && !shared.is_conditional());
    assert_eq!(shared.to_string(), "shared.h: Vec<Tensor>");
    let values = net.capture(&x, |_| shared)?;
    assert_eq!(values.iter().map(bits).collect::<Vec<_>>(), taps.shared.iter().map(|s| bits(&s.h)).collect::<Vec<_>>());
    assert_eq!(net.capture(&x, |_| sites.find_any("shared.g").unwrap())?.len(), 1);
    assert_eq!(net.capture(&x.narrow(0, 0, 1)?, |_| sites.find_any("gate").unwrap())?.len(), 0);

    let all = sites.matching("blocks.*.h")?;
    assert_eq!(all.len(), 10);
    let values = net.capture(&x, |_| all)?;
    assert_same(&values[6], &taps.blocks[6].h);
    assert_error(sites.matching("**.h"), &["`shared.h` is repeated", "`matching_any`"]);
    assert_eq!(sites.matching_any("**.h")?.len(), 11);
    assert_error(sites.matching("blocks.*.nothing"), &["no tap of `Net` matches `blocks.*.nothing`"]);

    assert_same(&net.capture(&x, |_| sites.nth(0).unwrap())?, &taps.first);
    assert_same(&net.capture(&x, |_| sites.nth(-1).unwrap())?, &taps.output);
    assert_error(sites.nth(999), &["there is no tap 999", "`Net` has"]);
    assert_error(sites.nth(-999), &["there is no tap -999"]);
    assert_eq!(sites.iter().len(), sites.len());
    Ok(())
}
