//! The tensors of a graph by name: which there are, and which have a site.

use std::collections::HashMap;
use std::sync::Arc;

use crate::Result;
use crate::dtype::Type;
use crate::graph::{Engine, Graph, Value, What};
use crate::layers::Aliases;
use crate::limits::{Budget, TENSOR};
use crate::proto::Shape;

/// A tensor of a saved model: one output of one node.
#[derive(Clone, Debug)]
pub struct TensorInfo {
    #[doc(hidden)]
    pub name: String,
    #[doc(hidden)]
    pub short: String,
    #[doc(hidden)]
    pub op: String,
    #[doc(hidden)]
    pub ty: Type,
    #[doc(hidden)]
    pub shape: Shape,
    #[doc(hidden)]
    pub value: Value,
    /// Its place among the sites.
    #[doc(hidden)]
    pub site: Option<usize>,
    /// Why it can't be computed.
    #[doc(hidden)]
    pub blocked: Option<Arc<str>>,
    /// Whether that is because of a weight that can't be read.
    #[doc(hidden)]
    pub unreadable: bool,
    /// It holds no data of the run: a weight, or a constant.
    #[doc(hidden)]
    pub fixed: bool,
    /// The name by the layers alone, if it stands in a branch or a loop.
    #[doc(hidden)]
    pub owned: Option<String>,
    /// The functions of branches and loops that it stands in, outermost first.
    #[doc(hidden)]
    pub within: Vec<Within>,
}

/// A function of a branch or a loop, and what it is called in the names of what stands in it.
#[derive(Clone, Copy, Debug)]
pub struct Within {
    /// Which function.
    pub body: u32,
    /// Whether a run may call it several times.
    pub is_repeated: bool,
    /// Where its name ends in the whole name.
    pub name_end: usize,
    /// Where it ends in the name by layers.
    pub short_end: usize,
}

impl TensorInfo {
    /// The whole name in the file, `StatefulPartitionedCall/mlp_1/dense_1/MatMul`; of outputs after a node's first, with
    /// their number, `…/Split:1`.
    ///
    /// What stands in a branch or a loop has the name of its node in front, and what TensorFlow calls the function there:
    /// `then_branch` or `else_branch`, `branch_2`, `cond` or `body`, as in `net_1/lstm_1/while/body/lstm_cell_1/MatMul`. The
    /// name inside the function follows, without that of the node if it begins so.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name by the layers that it stands in, `mlp/dense/MatMul`. It need not be one tensor's alone: a layer that is
    /// called twice has every tensor twice.
    pub fn short_name(&self) -> &str {
        &self.short
    }

    /// The whole name in one step of every loop around it, outermost first: `net_1/lstm_1/while/body.2/lstm_cell_1/MatMul`.
    pub fn name_at(&self, visits: &[u32]) -> String {
        self.numbered(&self.name, visits, |within| within.name_end)
    }

    /// The same of the name by the layers: `net/lstm/while/body.2/lstm_cell/MatMul`.
    pub fn short_name_at(&self, visits: &[u32]) -> String {
        self.numbered(&self.short, visits, |within| within.short_end)
    }

    fn numbered(&self, name: &str, visits: &[u32], end: impl Fn(&Within) -> usize) -> String {
        let loops = self.within.iter().filter(|within| within.is_repeated).map(end);
        let mut numbered = name.to_owned();
        for (end, visit) in loops.zip(visits).collect::<Vec<_>>().into_iter().rev() {
            numbered.insert_str(end, &format!(".{visit}"));
        }
        numbered
    }

    /// Whether it stands in a branch, so that a run may do without it.
    pub fn is_conditional(&self) -> bool {
        self.within.iter().any(|within| !within.is_repeated)
    }

    /// Whether it stands in a loop, so that a run has a value of it for every step.
    pub fn is_repeated(&self) -> bool {
        self.within.iter().any(|within| within.is_repeated)
    }

    /// TensorFlow's name of the operation that makes it.
    pub fn op(&self) -> &str {
        &self.op
    }

    /// The type in the file.
    pub fn ty(&self) -> Type {
        self.ty
    }

    /// The sizes as far as the file tells: `None` for one that it does not, and for all if it does not tell their number.
    /// The axes are in the order of the file, which for pictures is `[batch, height, width, channel]`.
    pub fn shape(&self) -> Option<Vec<Option<usize>>> {
        Some(self.shape.0.as_ref()?.iter().map(|size| usize::try_from(*size).ok()).collect())
    }

    /// Name, operation, type and sizes in a line: `custom/two/Tanh (Tanh): float32 [?, 16]`.
    pub fn described(&self) -> String {
        format!("{} ({}): {} {}", self.name, self.op, self.ty, self.shape)
    }

    /// Whether a run can capture it. The handle of a weight is no tensor, and text has none of candle's.
    pub fn is_capturable(&self) -> bool {
        self.site.is_some()
    }

    /// Why it can't be computed, with the node that is to blame; `None` if it can.
    pub fn unsupported(&self) -> Option<&str> {
        self.blocked.as_deref()
    }

    /// Whether it can't be computed because it depends on a weight that can't be read: its file is missing, cut off or
    /// damaged.
    pub fn is_unreadable(&self) -> bool {
        self.unreadable
    }
}

/// Every tensor, in the order in which they are computed, and where those of each node begin.
#[derive(Debug)]
pub struct Tensors {
    /// In that order.
    pub all: Vec<TensorInfo>,
    /// Of each node, its first.
    first: Vec<u32>,
    /// How many have a site.
    pub sites: usize,
}

impl Tensors {
    /// Those of a graph.
    ///
    /// # Errors
    /// Names and shapes that would take more memory than the file's budget has.
    pub fn of<E: Engine>(graph: &Graph<E>, aliases: &Aliases, budget: &Budget) -> Result<Self> {
        let mut tensors = Tensors { all: Vec::new(), first: Vec::new(), sites: 0 };
        let mut reasons: HashMap<u32, Arc<str>> = HashMap::new();
        for (index, node) in (0..).zip(&graph.nodes) {
            tensors.first.push(tensors.all.len() as u32);
            // Those that depend on one node share what is said of it.
            let blocked = node.blocked.map(|blame| match blame == index {
                true => why(graph, index, blame),
                false => reasons.entry(blame).or_insert_with(|| why(graph, index, blame)).clone(),
            });
            let unreadable =
                node.blocked.is_some_and(|blame| matches!(graph.nodes[blame as usize].what, What::Unreadable(_)));
            let names = aliases.of_node(graph, index);
            let within = graph.bodies_around(index).map(|body| {
                let inside = &graph.bodies[body as usize];
                let short_end = names.bodies.iter().find(|end| end.body == body).map_or(0, |end| end.short);
                Within { body, is_repeated: inside.part.is_repeated(), name_end: inside.name.len(), short_end }
            });
            let mut within: Vec<_> = within.collect();
            within.reverse();
            let text = node.name.len() + names.short.len() + names.owned.len() + node.op.len();
            for (output, port) in (0..).zip(&node.outputs) {
                let sizes = port.shape.0.as_ref().map_or(0, Vec::len);
                budget.spend(TENSOR + text + size_of::<Within>() * within.len() + 8 * sizes)?;
                // A handle is no tensor. A variable of TensorFlow 1 is its own value.
                let handle = &*node.op == "VarHandleOp";
                // A file without descriptions of its operations does not tell types.
                let is_tensor = port.ty.0 == 0 || port.ty.held_as().is_some();
                let site = (is_tensor && !handle && blocked.is_none()).then_some(tensors.sites);
                tensors.sites += usize::from(site.is_some());
                let number = if output == 0 { String::new() } else { format!(":{output}") };
                tensors.all.push(TensorInfo {
                    name: format!("{}{number}", node.name),
                    short: format!("{}{number}", names.short),
                    owned: node.within.map(|_| format!("{}{number}", names.owned)),
                    within: within.clone(),
                    op: node.op.to_string(),
                    ty: port.ty,
                    shape: port.shape.clone(),
                    value: Value { node: index, output },
                    site,
                    blocked: blocked.clone(),
                    unreadable,
                    fixed: matches!(node.what, What::Variable(_) | What::Constant(_)) || &*node.op == "ReadVariableOp",
                });
            }
        }
        tensors.first.push(tensors.all.len() as u32);
        Ok(tensors)
    }

    /// The tensors of a node.
    pub fn of_node(&self, node: u32) -> &[TensorInfo] {
        let at = |node: usize| self.first[node] as usize;
        &self.all[at(node as usize)..at(node as usize + 1)]
    }

    /// The place of a value among all.
    pub fn place(&self, value: Value) -> usize {
        self.first[value.node as usize] as usize + value.output as usize
    }

    /// The tensor that is a value.
    pub fn get(&self, value: Value) -> Option<&TensorInfo> {
        self.of_node(value.node).get(value.output as usize)
    }
}

/// Why a node can't be computed.
fn why<E: Engine>(graph: &Graph<E>, node: u32, blame: u32) -> Arc<str> {
    let to_blame = &graph.nodes[blame as usize];
    let reason = match &to_blame.what {
        What::Unsupported(reason) => reason,
        What::Unreadable(reason) => {
            let depends = if node == blame { "it is" } else { "it depends on" };
            return format!("{depends} the weight `{}`, which can't be read: {reason}", to_blame.name).into();
        }
        _ => "it can't be computed",
    };
    match node == blame {
        true => format!("the node is `{}` ({}): {reason}", to_blame.name, to_blame.op),
        false => format!("it depends on the node `{}` ({}): {reason}", to_blame.name, to_blame.op),
    }
    .into()
}
