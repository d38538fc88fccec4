//! Which tap is compared with which reference.

use candle_core::Tensor;

use super::pattern::Pattern;
use super::reference::{Reference, near};
use crate::{Error, Result};

/// A function of a tensor that is compared.
pub(super) type View<'e> = Box<dyn Fn(&Tensor) -> Result<Tensor> + 'e>;

/// A function from the name of a tap to that of its reference.
type Renamed<'e> = Box<dyn Fn(&str) -> Option<String> + 'e>;

/// One line of a mapping.
pub(super) struct Rule<'e> {
    names: Names<'e>,
    rank: Rank,
    pub(super) tap_as: Option<View<'e>>,
    pub(super) reference_as: Option<View<'e>>,
}

enum Names<'e> {
    Patterns { tap: Pattern, reference: Pattern },
    Function(Renamed<'e>),
}

/// What is meant for whatever there is, is not meant for what is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rank {
    /// A tap by its name: the reference must exist.
    Named,
    /// Any tap of which there is a reference, `{path*}`.
    Open,
    /// The same, and it may be of no use at all.
    Default,
}

/// A reference that a tap has, and by which rule.
#[derive(Debug)]
pub(super) struct Match {
    pub(super) reference: String,
    pub(super) rule: usize,
}

/// All lines of a mapping, and what is wrong with them.
#[derive(Default)]
pub(super) struct Mapping<'e> {
    pub(super) rules: Vec<Rule<'e>>,
    pub(super) fault: Option<String>,
}

impl<'e> Mapping<'e> {
    fn push(&mut self, names: Names<'e>, rank: Rank) {
        self.rules.push(Rule { names, rank, tap_as: None, reference_as: None });
    }

    pub(super) fn patterns(&mut self, tap: &str, reference: &str) {
        let patterns = || -> std::result::Result<_, String> {
            let (tap, reference) = (Pattern::parse(tap)?, Pattern::parse(reference)?);
            tap.check_fills(&reference)?;
            Ok((tap, reference))
        };
        match patterns() {
            Ok((tap, reference)) => {
                let rank = if tap.is_open() { Rank::Open } else { Rank::Named };
                self.push(Names::Patterns { tap, reference }, rank);
            }
            Err(fault) => self.fail(fault),
        }
    }

    pub(super) fn function(&mut self, names: impl Fn(&str) -> Option<String> + 'e) {
        self.push(Names::Function(Box::new(names)), Rank::Named);
    }

    /// Taps are called what the original's modules are.
    pub(super) fn same_names(&mut self) {
        let module = |path: &str| Some(format!("module.{path}"));
        self.push(Names::Function(Box::new(module)), Rank::Default);
        let output = move |tap: &str| match tap.strip_suffix(".output") {
            Some(path) => module(path),
            None => (tap == "output").then(|| tap.to_owned()),
        };
        self.push(Names::Function(Box::new(output)), Rank::Default);
    }

    /// The line that was added last; without one, a fault.
    pub(super) fn last(&mut self, what: &str) -> Option<&mut Rule<'e>> {
        if self.rules.is_empty() {
            self.fail(format!("`{what}` is about the `map` before it, and there is none"));
        }
        self.rules.last_mut()
    }

    fn fail(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }

    /// The references of every tap, in the order of `taps`. `possible` are taps that the run might have produced.
    ///
    /// # Errors
    /// Everything that is wrong with the mapping, at once.
    pub(super) fn resolve(&self, taps: &[&str], possible: &[String], reference: &Reference) -> Result<Vec<Vec<Match>>> {
        if let Some(fault) = &self.fault {
            return Err(Error::Msg(fault.clone()));
        }
        let mut faults = Vec::new();
        let mut used = vec![false; self.rules.len()];
        let mut found = Vec::new();
        for tap in taps {
            let mut matches = Vec::new();
            for rank in [Rank::Named, Rank::Open, Rank::Default] {
                if !matches.is_empty() {
                    break;
                }
                let rules = self.rules.iter().zip(&mut used).enumerate();
                for (place, (rule, used)) in rules.filter(|(_, (rule, _))| rule.rank == rank) {
                    let name = match rule.reference_of(tap) {
                        Ok(Some(name)) => name,
                        Ok(None) => continue,
                        Err(fault) => {
                            faults.push(fault);
                            continue;
                        }
                    };
                    *used |= rank == Rank::Named;
                    if let Some(name) = reference.key(&name) {
                        *used = true;
                        matches.push(Match { reference: name.to_owned(), rule: place });
                    } else if rank == Rank::Named {
                        let near = reference.near(&name);
                        faults.push(format!("`{tap}` is mapped to `{name}`, which is not in {reference}{near}"));
                    }
                }
            }
            found.push(matches);
        }
        for (rule, _) in self.rules.iter().zip(used).filter(|(_, used)| !used) {
            faults.extend(rule.unused(taps, possible, reference));
        }
        match faults.is_empty() {
            true => Ok(found),
            false => Err(Error::Msg(listed(&faults))),
        }
    }
}

/// The first of many faults, and how many there are beside.
fn listed(faults: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut shown: Vec<String> = faults.iter().take(SHOWN).cloned().collect();
    if faults.len() > SHOWN {
        shown.push(format!("and {} more", faults.len() - SHOWN));
    }
    shown.join("\n")
}

impl Rule<'_> {
    /// What the reference of a tap is called by this rule.
    fn reference_of(&self, name: &str) -> std::result::Result<Option<String>, String> {
        match &self.names {
            Names::Patterns { tap, reference } => tap.find(name).map(|holes| reference.fill(&holes)).transpose(),
            Names::Function(names) => Ok(names(name)),
        }
    }

    /// What is wrong with a rule that gave nothing to compare.
    fn unused(&self, taps: &[&str], possible: &[String], from: &Reference) -> Option<String> {
        match &self.names {
            Names::Function(_) if self.rank == Rank::Default => None,
            Names::Function(_) => Some("the function that maps names maps no tap".to_owned()),
            Names::Patterns { tap, reference } => {
                let pattern = tap.text();
                if taps.iter().any(|name| tap.find(name).is_some()) {
                    let wanted = reference.text();
                    return Some(format!(
                        "`{pattern}` is mapped to `{wanted}`, and there is none such in {from}{}",
                        from.near(wanted)
                    ));
                }
                // What these inputs do not reach may be mapped all the same.
                if possible.iter().any(|name| tap.find(name).is_some()) {
                    return None;
                }
                Some(format!("no tap is called `{pattern}`{}", near(pattern, taps.iter().copied())))
            }
        }
    }
}
