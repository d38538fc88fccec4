//! Where in the control flow a call or a tap stands: what decides the container that its site gets.

use std::collections::HashSet;

use syn::visit::{self, Visit};
use syn::{BinOp, Expr, ExprReturn, Pat};

use super::walk::Walker;

/// How often a run produces a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Often {
    Once,
    /// At most once: `Maybe`.
    Maybe,
    /// Any number of times: `Visits`.
    Visits,
}

/// What the walk is inside of, outermost first.
#[derive(Debug)]
pub(crate) enum Region {
    /// The body of a function or closure. `exited`: code after a conditional `return`.
    Body { exited: bool },
    /// A branch.
    Branch,
    /// A labelled block. `exited`: code after a conditional `break` out of it.
    Labelled { label: String, exited: bool },
    /// A loop, with the variables that change in it.
    Loop { id: usize, varying: HashSet<String> },
}

impl Walker<'_> {
    /// How often what stands here is produced, loops that visit each element once apart.
    pub(crate) fn often(&self, own_loops: &[usize]) -> Often {
        let mut often = Often::Once;
        let mut within_own = false;
        for region in &self.regions {
            let here = match region {
                Region::Loop { id, .. } if own_loops.contains(id) => {
                    // What skips an element inside its own loop is `#[model(partial)]`'s business.
                    within_own = true;
                    Often::Once
                }
                Region::Loop { .. } => Often::Visits,
                Region::Branch | Region::Body { exited: true } | Region::Labelled { exited: true, .. }
                    if !within_own =>
                {
                    Often::Maybe
                }
                _ => Often::Once,
            };
            often = often.max(here);
        }
        often
    }

    pub(crate) fn inside<R>(&mut self, region: Region, walk: impl FnOnce(&mut Self) -> R) -> R {
        self.regions.push(region);
        let result = walk(self);
        self.regions.pop();
        result
    }

    /// What follows in the body is reached only sometimes, unless the `return` is an error, which ends the run.
    pub(crate) fn on_return(&mut self, expr: &ExprReturn) {
        if expr.expr.as_deref().is_some_and(is_err) {
            return;
        }
        if let Some(Region::Body { exited }) = self.regions.iter_mut().rev().find(|r| matches!(r, Region::Body { .. }))
        {
            *exited = true;
        }
    }

    /// The same for `break 'label` out of a block. Loops need no note: what stands in one is repeated as it is.
    pub(crate) fn on_break(&mut self, target: &syn::Lifetime) {
        let target = target.ident.to_string();
        for region in self.regions.iter_mut().rev() {
            if let Region::Labelled { label, exited } = region
                && *label == target
            {
                *exited = true;
                return;
            }
        }
    }

    /// The innermost loop in which an index changes: it visits each element once, as far as the macro can tell.
    pub(crate) fn loop_that_varies(&self, index: &Expr) -> Option<usize> {
        let mut mentioned = Mentioned::default();
        mentioned.visit_expr(index);
        self.regions.iter().rev().find_map(|region| match region {
            Region::Loop { id, varying, .. } if !varying.is_disjoint(&mentioned.0) => Some(*id),
            _ => None,
        })
    }
}

/// `Err(..)`, whatever its path.
fn is_err(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => {
            matches!(&*call.func, Expr::Path(p) if p.path.segments.last().is_some_and(|s| s.ident == "Err"))
        }
        Expr::Paren(e) => is_err(&e.expr),
        Expr::Group(e) => is_err(&e.expr),
        Expr::MethodCall(e) => matches!(e.method.to_string().as_str(), "into" | "map_err") && is_err(&e.receiver),
        _ => false,
    }
}

#[derive(Default)]
struct Mentioned(HashSet<String>);

impl<'ast> Visit<'ast> for Mentioned {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.extend(path.get_ident().map(ToString::to_string));
        visit::visit_path(self, path);
    }
}

/// The variables that are bound or assigned in what is visited.
#[derive(Default)]
pub(crate) struct Varying(pub(crate) HashSet<String>);

impl Varying {
    fn assigned(&mut self, place: &Expr) {
        if let Expr::Path(e) = place {
            self.0.extend(e.path.get_ident().map(ToString::to_string));
        }
    }
}

impl<'ast> Visit<'ast> for Varying {
    fn visit_pat(&mut self, pat: &'ast Pat) {
        if let Pat::Ident(p) = pat {
            self.0.insert(p.ident.to_string());
        }
        visit::visit_pat(self, pat);
    }

    fn visit_expr_assign(&mut self, e: &'ast syn::ExprAssign) {
        self.assigned(&e.left);
        visit::visit_expr_assign(self, e);
    }

    fn visit_expr_binary(&mut self, e: &'ast syn::ExprBinary) {
        if is_assignment(&e.op) {
            self.assigned(&e.left);
        }
        visit::visit_expr_binary(self, e);
    }
}

fn is_assignment(op: &BinOp) -> bool {
    use BinOp::*;
    matches!(
        op,
        AddAssign(_)
            | SubAssign(_)
            | MulAssign(_)
            | DivAssign(_)
            | RemAssign(_)
            | BitXorAssign(_)
            | BitAndAssign(_)
            | BitOrAssign(_)
            | ShlAssign(_)
            | ShrAssign(_)
    )
}
