//! Draws a program.

use crate::programs::*;

/// SplitMix64: the same programs on every machine.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn percent(&mut self, n: usize) -> bool {
        self.below(100) < n
    }

    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn op(&mut self) -> Op {
        self.one_of(&[Op::Relu, Op::Tanh, Op::Neg, Op::Half])
    }
}

const MODELS: usize = 4;

/// How much a check of a program may cost: every site is captured by a run of its own.
const BUDGET: usize = 500_000;

/// The first programs, in the order of their seeds, that are cheap enough to check.
pub fn programs(count: usize) -> Vec<Program> {
    (0..).map(program).filter(|program| cost(program) <= BUDGET).take(count).collect()
}

/// The longest run, times the number of sites.
fn cost(program: &Program) -> usize {
    let sum = |f: &dyn Fn(usize) -> usize| (0..program.models.len()).map(f).sum::<usize>();
    let sites = sum(&|i| program.models[i].methods.iter().map(|body| body.len()).sum::<usize>() + 4);
    run_cost(program, 0) * sites
}

fn run_cost(program: &Program, index: usize) -> usize {
    let model = &program.models[index];
    let field = |field: usize| match model.fields[field].layer {
        Layer::Linear => 1,
        Layer::Child(child) => run_cost(program, child),
    };
    let children = (0..model.fields.len()).map(field).max().unwrap_or(1);
    1 + body_cost(model, &model.methods[0], children)
}

/// Every call counts as one of the most expensive child.
fn body_cost(model: &Model, body: &[Stmt], child: usize) -> usize {
    let of = |stmt: &Stmt| match stmt {
        Stmt::Call(..) | Stmt::TapCall(..) | Stmt::IfSome(_) | Stmt::ApplyOption(_) => child,
        Stmt::Modulo { times, .. } => times * child,
        Stmt::Times { times, body, .. } => times * body_cost(model, body, child),
        Stmt::While { body, .. } | Stmt::Over { body, .. } => 3 * body_cost(model, body, child),
        Stmt::Help(helper) => body_cost(model, &model.methods[*helper], child),
        other => child + blocks(other).into_iter().map(|block| body_cost(model, block, child)).sum::<usize>(),
    };
    body.iter().map(of).sum()
}

/// The program of a seed.
fn program(seed: u64) -> Program {
    let mut draw = Draw { rng: Rng(seed), models: Vec::new(), planned: 0 };
    draw.model(0);
    Program { models: draw.models.into_iter().map(|model| model.expect("every model was drawn")).collect() }
}

struct Draw {
    rng: Rng,
    models: Vec<Option<Model>>,
    planned: usize,
}

/// What a statement may name.
struct Scope {
    fields: Vec<Field>,
    taps: usize,
    labels: usize,
    /// The labels around, and whether they are loops'.
    around: Vec<(usize, bool)>,
    /// The loops over elements around: label, field, second field.
    elements: Vec<(usize, usize, Option<usize>)>,
    helpers: usize,
    loops: usize,
    max_loops: usize,
}

impl Scope {
    fn tap(&mut self) -> usize {
        self.taps += 1;
        self.taps - 1
    }

    fn label(&mut self) -> usize {
        self.labels += 1;
        self.labels - 1
    }
}

impl Draw {
    fn model(&mut self, depth: usize) -> usize {
        let place = self.models.len();
        self.models.push(None);
        let fields = self.fields(depth);
        let mut scope = Scope {
            fields,
            taps: 0,
            labels: 0,
            around: Vec::new(),
            elements: Vec::new(),
            helpers: 0,
            loops: 0,
            max_loops: if depth == 0 { 2 } else { 1 },
        };
        let mut helpers = Vec::new();
        for _ in 0..self.rng.below(3) {
            let size = 1 + self.rng.below(3);
            helpers.push(self.block(&mut scope, size));
            scope.helpers += 1;
        }
        let size = if depth == 0 { 4 + self.rng.below(4) } else { 2 + self.rng.below(3) };
        let mut forward = self.block(&mut scope, size);
        self.call_the_rest(&mut scope, &mut forward, &helpers);
        let methods: Vec<_> = std::iter::once(forward).chain(helpers).collect();
        let fields = (0..scope.fields.len()).map(|i| self.marked(i, scope.fields[i].clone(), &scope, &methods));
        let fields = fields.collect();
        self.models[place] = Some(Model { fields, methods, taps_input: self.rng.percent(40) });
        place
    }

    fn fields(&mut self, depth: usize) -> Vec<Field> {
        let field = |layer, held| Field { layer, held, partial: false, repeated: false };
        // A loader needs at least one `#[load]`.
        let mut fields = vec![field(Layer::Linear, Held::One)];
        for _ in 0..2 + self.rng.below(3) {
            let child = depth < 2 && self.planned + 1 < MODELS && self.rng.percent(50);
            let layer = if child {
                self.planned += 1;
                Layer::Child(self.model(depth + 1))
            } else {
                Layer::Linear
            };
            let held = match self.rng.below(100) {
                0..35 => Held::One,
                35..75 => Held::Each(2 + self.rng.below(2)),
                75..90 => Held::Present,
                _ => Held::Absent,
            };
            fields.push(field(layer, held));
        }
        fields
    }

    /// Every field and helper is called at least once.
    fn call_the_rest(&mut self, scope: &mut Scope, forward: &mut Vec<Stmt>, helpers: &[Vec<Stmt>]) {
        for helper in 1..=helpers.len() {
            let calls = |body: &[Stmt]| any(body, &|s| matches!(s, Stmt::Help(h) if *h == helper));
            if !calls(forward) && !helpers.iter().any(|body| calls(body)) {
                forward.push(Stmt::Help(helper));
            }
        }
        for field in 0..scope.fields.len() {
            let bodies = || std::iter::once(forward.as_slice()).chain(helpers.iter().map(Vec::as_slice));
            if !bodies().any(|body| !calls_of(field, body).is_empty()) {
                let stmt = self.call_of(scope, field);
                forward.push(stmt);
            }
        }
    }

    /// `partial` where a run may pass over elements that the macro takes to be visited, `repeated` where it may come
    /// back to one.
    fn marked(&mut self, index: usize, field: Field, scope: &Scope, methods: &[Vec<Stmt>]) -> Field {
        let Held::Each(len) = field.held else { return field };
        let calls: Vec<_> = methods.iter().flat_map(|body| calls_of(index, body)).collect();
        let covered = (0..len).all(|i| calls.iter().any(|call| matches!(call, FieldCall::At(at) if *at == i)));
        let whole = match calls.as_slice() {
            [FieldCall::Safe { zip }] => zip.is_none_or(|other| held_len(&scope.fields[other]) >= len),
            calls => covered && calls.len() == len,
        };
        let repeated = calls.iter().any(|call| matches!(call, FieldCall::Modulo));
        Field { partial: !repeated && (!whole || self.rng.percent(15)), repeated, ..field }
    }

    fn block(&mut self, scope: &mut Scope, size: usize) -> Vec<Stmt> {
        (0..size).map(|_| self.stmt(scope)).collect()
    }

    fn stmt(&mut self, scope: &mut Scope) -> Stmt {
        let nested = scope.around.len();
        match self.rng.below(100) {
            0..6 => Stmt::Compute(self.rng.op()),
            6..20 => {
                let count = 1 + self.rng.below(2);
                Stmt::Tap((0..count).map(|_| (scope.tap(), self.rng.op())).collect())
            }
            20..30 if scope.helpers > 0 => Stmt::Help(1 + self.rng.below(scope.helpers)),
            30..42 if nested < 4 => self.conditional(scope),
            42..48 if nested < 4 => self.exit(scope),
            48..54 if nested < 3 => {
                let count = 2 + self.rng.below(2);
                Stmt::Match((0..count).map(|_| self.small_block(scope)).collect())
            }
            54..60 if scope.loops < scope.max_loops => {
                let (label, times) = (scope.label(), self.rng.below(4));
                let body = self.loop_body(scope, label);
                Stmt::Times { label, times, body }
            }
            60..63 if scope.loops < scope.max_loops => {
                let label = scope.label();
                let body = self.loop_body(scope, label);
                Stmt::While { label, body }
            }
            63..69 if nested < 3 => {
                let label = scope.label();
                scope.around.push((label, false));
                let mut body = vec![self.exit(scope)];
                body.extend(self.small_block(scope));
                scope.around.pop();
                Stmt::Block { label, body }
            }
            69..76 if !scope.elements.is_empty() => self.element_call(scope),
            _ => {
                let field = self.rng.below(scope.fields.len());
                self.call_of(scope, field)
            }
        }
    }

    fn small_block(&mut self, scope: &mut Scope) -> Vec<Stmt> {
        scope.around.push((usize::MAX, false));
        let size = 1 + self.rng.below(2);
        let block = self.block(scope, size);
        scope.around.pop();
        block
    }

    fn loop_body(&mut self, scope: &mut Scope, label: usize) -> Vec<Stmt> {
        scope.around.push((label, true));
        scope.loops += 1;
        let size = 1 + self.rng.below(2);
        let body = self.block(scope, size);
        scope.loops -= 1;
        scope.around.pop();
        body
    }

    fn conditional(&mut self, scope: &mut Scope) -> Stmt {
        let cond = match (self.rng.below(3), self.single(scope)) {
            (0, Some(place)) => Cond::And(place),
            (1, Some(place)) => Cond::Or(place),
            _ => Cond::Flag,
        };
        let then = self.small_block(scope);
        let otherwise = if self.rng.percent(40) { self.small_block(scope) } else { Vec::new() };
        Stmt::If(cond, then, otherwise)
    }

    /// A conditional `return`, `break` or `continue`.
    fn exit(&mut self, scope: &mut Scope) -> Stmt {
        let labels: Vec<_> = scope.around.iter().filter(|(label, _)| *label != usize::MAX).copied().collect();
        let exit = match labels.as_slice() {
            labels if !labels.is_empty() && self.rng.percent(80) => match self.rng.one_of(labels) {
                (label, true) if self.rng.percent(50) => Stmt::Continue(label),
                (label, _) => Stmt::Break(label),
            },
            _ => Stmt::Return(self.rng.op()),
        };
        let mut then = if self.rng.percent(30) { vec![Stmt::Compute(self.rng.op())] } else { Vec::new() };
        then.push(exit);
        Stmt::If(Cond::Flag, then, Vec::new())
    }

    /// A submodule that is held alone, or an element that a loop is at.
    fn single(&mut self, scope: &Scope) -> Option<Place> {
        let ones = (0..scope.fields.len()).filter(|i| scope.fields[*i].held == Held::One).map(Place::Whole);
        let places: Vec<_> = ones.chain(scope.elements.iter().map(|(label, ..)| Place::Element(*label))).collect();
        (!places.is_empty()).then(|| self.rng.one_of(&places))
    }

    fn element_call(&mut self, scope: &Scope) -> Stmt {
        let (label, _, zip) = self.rng.one_of(&scope.elements);
        let zipped = zip.is_some() && self.rng.percent(50);
        Stmt::Call(if zipped { Place::Zipped(label) } else { Place::Element(label) }, Form::Forward)
    }

    fn call_of(&mut self, scope: &mut Scope, field: usize) -> Stmt {
        let leaf = matches!(scope.fields[field].layer, Layer::Linear);
        match scope.fields[field].held {
            Held::One => self.call(scope, Place::Whole(field), leaf),
            Held::Present | Held::Absent if leaf && self.rng.percent(40) => Stmt::ApplyOption(field),
            Held::Present | Held::Absent => Stmt::IfSome(field),
            Held::Each(len) => match self.rng.below(100) {
                0..20 => {
                    let at = self.rng.below(len);
                    self.call(scope, Place::At(field, at), leaf)
                }
                20..30 => Stmt::Modulo { field, times: 1 + self.rng.below(4) },
                _ if scope.loops < scope.max_loops => self.over(scope, field),
                _ => self.call(scope, Place::At(field, 0), leaf),
            },
        }
    }

    fn call(&mut self, scope: &mut Scope, place: Place, leaf: bool) -> Stmt {
        match self.rng.below(5) {
            0 => Stmt::TapCall(scope.tap(), place, self.rng.op()),
            1 if leaf => Stmt::Call(place, Form::Apply),
            2 => Stmt::Call(place, Form::Let),
            _ => Stmt::Call(place, Form::Forward),
        }
    }

    fn over(&mut self, scope: &mut Scope, field: usize) -> Stmt {
        let others: Vec<_> =
            (0..scope.fields.len()).filter(|f| *f != field && held_len(&scope.fields[*f]) > 0).collect();
        let zip = (!others.is_empty() && self.rng.percent(30)).then(|| self.rng.one_of(&others));
        let mut adapters = Vec::new();
        while self.rng.percent(30) {
            let all = [Adapter::Rev, Adapter::Rev, Adapter::Skip(1), Adapter::Take(2), Adapter::StepBy(2)];
            adapters.push(self.rng.one_of(&all));
        }
        let label = scope.label();
        scope.around.push((label, true));
        scope.elements.push((label, field, zip));
        scope.loops += 1;
        let calls = [Some(Place::Element(label)), zip.map(|_| Place::Zipped(label))];
        let mut body: Vec<_> = calls.into_iter().flatten().map(|place| Stmt::Call(place, Form::Forward)).collect();
        if self.rng.percent(40) {
            body = vec![Stmt::If(Cond::Flag, body, Vec::new())];
        }
        for _ in 0..self.rng.below(3) {
            let (at, stmt) = (self.rng.below(body.len() + 1), self.stmt(scope));
            body.insert(at, stmt);
        }
        scope.loops -= 1;
        scope.elements.pop();
        scope.around.pop();
        Stmt::Over { label, field, zip, adapters, enumerate: self.rng.percent(30), body }
    }
}

fn held_len(field: &Field) -> usize {
    match field.held {
        Held::Each(len) => len,
        _ => 0,
    }
}

fn any(body: &[Stmt], of: &dyn Fn(&Stmt) -> bool) -> bool {
    body.iter().any(|stmt| of(stmt) || blocks(stmt).into_iter().any(|block| any(block, of)))
}

/// A call of a field.
enum FieldCall {
    /// By a loop that goes over all elements, in which nothing leaves out the call.
    Safe {
        zip: Option<usize>,
    },
    At(usize),
    Modulo,
    Other,
}

fn calls_of(field: usize, body: &[Stmt]) -> Vec<FieldCall> {
    let mut calls = Vec::new();
    gather(field, body, &mut Vec::new(), None, &mut calls);
    calls
}

/// A loop over elements that is around: its label, its field, the other one, and whether it is plain.
type Around = (usize, usize, Option<usize>, bool);

/// `direct` is the loop whose body this is.
fn gather(field: usize, body: &[Stmt], around: &mut Vec<Around>, direct: Option<usize>, calls: &mut Vec<FieldCall>) {
    let exits = |s: &Stmt| matches!(s, Stmt::Return(_) | Stmt::Break(_) | Stmt::Continue(_));
    for stmt in body {
        let mut places = Vec::new();
        match stmt {
            Stmt::Call(place, _) | Stmt::TapCall(_, place, _) => places.push((*place, direct)),
            Stmt::If(Cond::And(place) | Cond::Or(place), ..) => places.push((*place, None)),
            Stmt::Modulo { field: called, .. } if *called == field => calls.push(FieldCall::Modulo),
            Stmt::IfSome(called) | Stmt::ApplyOption(called) if *called == field => calls.push(FieldCall::Other),
            _ => {}
        }
        for (place, direct) in places {
            calls.extend(call_at(field, place, direct, around));
        }
        match stmt {
            Stmt::Over { label, field: over, zip, adapters, body, .. } => {
                let plain = adapters.iter().all(|a| matches!(a, Adapter::Rev)) && !any(body, &exits);
                around.push((*label, *over, *zip, plain));
                gather(field, body, around, Some(*label), calls);
                around.pop();
            }
            _ => blocks(stmt).into_iter().for_each(|block| gather(field, block, around, None, calls)),
        }
    }
}

fn call_at(field: usize, place: Place, direct: Option<usize>, around: &[Around]) -> Option<FieldCall> {
    let (label, zipped) = match place {
        Place::Whole(called) => return (called == field).then_some(FieldCall::Other),
        Place::At(called, at) => return (called == field).then_some(FieldCall::At(at)),
        Place::Element(label) => (label, false),
        Place::Zipped(label) => (label, true),
    };
    let (_, first, second, plain) = *around.iter().find(|(l, ..)| *l == label)?;
    let (called, other) = if zipped { (second?, Some(first)) } else { (first, second) };
    let safe = plain && direct == Some(label);
    (called == field).then_some(if safe { FieldCall::Safe { zip: other } } else { FieldCall::Other })
}
