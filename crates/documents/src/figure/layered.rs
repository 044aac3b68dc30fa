//! Graphs that flow one way, in layers (after Sugiyama, Tagawa and Toda, 1981):
//! each box one layer below the lowest it follows, lines through the layers in
//! between, an order within layers with few crossings, then straightening.

use super::{Anchor, LINE, Look, SIZE, Scene, Shape, width_of};

/// A box of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it says; the first line is the loudest.
    pub lines: Vec<String>,
    /// What it stands for.
    pub look: Look,
}

/// A line from one box to another, by position.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// Where it begins.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// What stands beside it.
    pub label: Option<String>,
}

const GAP_X: f32 = 24.0;
const GAP_Y: f32 = 34.0;
const MARGIN: f32 = 12.0;
const WIDEST: f32 = 210.0;

/// A box, or a point where a line passes a layer.
struct Place {
    node: Option<usize>,
    width: f32,
    x: f32,
    up: Vec<usize>,
    down: Vec<usize>,
}

/// Lays a graph out from top to bottom. Edges against the flow (there are none in
/// a graph without cycles) are left out.
#[must_use]
pub fn layered(nodes: &[Node], edges: &[Edge]) -> Scene {
    let texts: Vec<Vec<String>> = nodes.iter().map(|node| wrapped(&node.lines)).collect();
    let widths: Vec<f32> = texts.iter().map(|lines| box_width(lines)).collect();
    let heights: Vec<f32> = texts.iter().map(|lines| LINE * lines.len() as f32 + 14.0).collect();
    let rank = ranks(nodes.len(), edges);
    let edges: Vec<&Edge> = edges.iter().filter(|edge| rank[edge.from] < rank[edge.to]).collect();
    let layers_count = rank.iter().max().map_or(0, |most| most + 1);

    let mut places: Vec<Place> = (0..nodes.len())
        .map(|node| Place {
            node: Some(node),
            width: widths[node],
            x: 0.0,
            up: Vec::new(),
            down: Vec::new(),
        })
        .collect();
    let mut layers: Vec<Vec<usize>> = vec![Vec::new(); layers_count];
    for (node, rank) in rank.iter().enumerate() {
        layers[*rank].push(node);
    }
    let mut chains: Vec<Vec<usize>> = Vec::new();
    for edge in &edges {
        let mut chain = vec![edge.from];
        for layer in layers.iter_mut().take(rank[edge.to]).skip(rank[edge.from] + 1) {
            layer.push(places.len());
            chain.push(places.len());
            places.push(Place { node: None, width: 8.0, x: 0.0, up: Vec::new(), down: Vec::new() });
        }
        chain.push(edge.to);
        for pair in chain.windows(2) {
            places[pair[0]].down.push(pair[1]);
            places[pair[1]].up.push(pair[0]);
        }
        chains.push(chain);
    }
    order(&mut layers, &places);
    straighten(&layers, &mut places);

    let left = places.iter().map(|place| place.x - place.width / 2.0).fold(f32::MAX, f32::min);
    let right = places.iter().map(|place| place.x + place.width / 2.0).fold(f32::MIN, f32::max);
    let shift = if left.is_finite() { MARGIN - left } else { 0.0 };
    places.iter_mut().for_each(|place| place.x += shift);
    let mut tops = Vec::new();
    let mut y = MARGIN;
    for layer in &layers {
        let tall = layer
            .iter()
            .filter_map(|place| places[*place].node)
            .map(|node| heights[node])
            .fold(0.0, f32::max);
        tops.push((y, tall));
        y += tall + GAP_Y;
    }
    let mut scene = Scene {
        width: if nodes.is_empty() { 2.0 * MARGIN } else { right - left + 2.0 * MARGIN },
        height: y - GAP_Y + MARGIN,
        shapes: Vec::new(),
    };
    for (edge, chain) in edges.iter().zip(&chains) {
        let mut points: Vec<(f32, f32)> = Vec::new();
        for (step, pair) in chain.windows(2).enumerate() {
            let (from, to) = (&places[pair[0]], &places[pair[1]]);
            let layer = rank[edge.from] + step;
            let (top, tall) = tops[layer];
            let start = match from.node {
                Some(node) => top + (tall + heights[node]) / 2.0,
                None => top + tall,
            };
            let (below, tall_below) = tops[layer + 1];
            let end = match to.node {
                Some(node) => below + (tall_below - heights[node]) / 2.0,
                None => below,
            };
            let middle = below - GAP_Y / 2.0;
            points.extend([(from.x, start), (from.x, middle), (to.x, middle), (to.x, end)]);
            if to.node.is_none() {
                points.push((to.x, below + tall_below));
            }
        }
        points.dedup();
        if let (Some(label), [first, _, second, ..]) = (&edge.label, points.as_slice()) {
            let parts = edges.iter().filter(|other| other.from == edge.from).count() > 1;
            let joins = edges.iter().filter(|other| other.to == edge.to).count() > 1;
            // Beside the end that is this line's alone.
            let at = match (parts, joins) {
                (true, true) => ((first.0 + second.0) / 2.0 + 5.0, second.1 - 4.0),
                (false, true) => (first.0 + 5.0, first.1 + 13.0),
                _ => (second.0 + 5.0, second.1 + GAP_Y / 2.0 - 4.0),
            };
            scene.shapes.push(Shape::Text {
                at,
                text: label.clone(),
                anchor: Anchor::Start,
                look: Look::Quiet,
            });
            scene.width = scene.width.max(at.0 + width_of(label, SIZE) * 1.15 + MARGIN);
        }
        scene.shapes.push(Shape::Line { points, arrow: true, look: Look::Quiet });
    }
    for (layer, places_of) in layers.iter().enumerate() {
        for place in places_of {
            let Some(node) = places[*place].node else { continue };
            let (top, tall) = tops[layer];
            let at = [
                places[*place].x - widths[node] / 2.0,
                top + (tall - heights[node]) / 2.0,
                widths[node],
                heights[node],
            ];
            scene.shapes.push(Shape::Box {
                at,
                look: nodes[node].look,
                lines: texts[node].clone(),
            });
        }
    }
    scene
}

fn box_width(lines: &[String]) -> f32 {
    // Other typefaces than the built-in one are wider, and the first line is bold.
    let slack = |index: usize| if index == 0 { 1.32 } else { 1.22 };
    let widths = lines.iter().enumerate().map(|(index, line)| width_of(line, SIZE) * slack(index));
    (widths.fold(0.0, f32::max) + 20.0).max(70.0)
}

fn wrapped(lines: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for line in lines {
        let mut current = String::new();
        for word in line.split_whitespace() {
            let longer =
                if current.is_empty() { word.to_owned() } else { format!("{current} {word}") };
            if !current.is_empty() && width_of(&longer, SIZE) > WIDEST {
                out.push(std::mem::take(&mut current));
                current = word.to_owned();
            } else {
                current = longer;
            }
        }
        // A word that is wider than any box is cut.
        while width_of(&current, SIZE) > WIDEST * 1.5 {
            let keep = current.chars().count() * 2 / 3;
            current = current.chars().take(keep).collect::<String>() + "…";
        }
        out.push(current);
    }
    out
}

/// The longest way to each box, in edges; a cycle is cut where it is met.
fn ranks(count: usize, edges: &[Edge]) -> Vec<usize> {
    let mut waits = vec![0_usize; count];
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); count];
    for edge in
        edges.iter().filter(|edge| edge.from < count && edge.to < count && edge.from != edge.to)
    {
        waits[edge.to] += 1;
        next[edge.from].push(edge.to);
    }
    let mut rank = vec![0; count];
    let mut open: Vec<usize> = (0..count).filter(|node| waits[*node] == 0).collect();
    while let Some(node) = open.pop() {
        for &to in &next[node] {
            rank[to] = rank[to].max(rank[node] + 1);
            waits[to] -= 1;
            if waits[to] == 0 {
                open.push(to);
            }
        }
    }
    rank
}

/// Orders each layer by the middle of its neighbours, up and down in turn.
fn order(layers: &mut [Vec<usize>], places: &[Place]) {
    let mut position = vec![0.0_f32; places.len()];
    let note = |layer: &[usize], position: &mut [f32]| {
        for (index, place) in layer.iter().enumerate() {
            position[*place] = index as f32 - layer.len() as f32 / 2.0;
        }
    };
    for layer in layers.iter() {
        note(layer, &mut position);
    }
    for sweep in 0..8 {
        let down = sweep % 2 == 0;
        let range: Vec<usize> =
            if down { (0..layers.len()).collect() } else { (0..layers.len()).rev().collect() };
        for at in range {
            let middle = |place: usize| -> f32 {
                let near = if down { &places[place].up } else { &places[place].down };
                if near.is_empty() {
                    return position[place];
                }
                near.iter().map(|other| position[*other]).sum::<f32>() / near.len() as f32
            };
            let mut keyed: Vec<(f32, usize)> =
                layers[at].iter().map(|place| (middle(*place), *place)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            layers[at] = keyed.into_iter().map(|(_, place)| place).collect();
            note(&layers[at], &mut position);
        }
    }
}

/// Moves each layer towards its neighbours, never closer than the gap.
fn straighten(layers: &[Vec<usize>], places: &mut [Place]) {
    for layer in layers {
        let mut x = 0.0;
        for &place in layer {
            places[place].x = x + places[place].width / 2.0;
            x += places[place].width + GAP_X;
        }
        let middle = (x - GAP_X) / 2.0;
        layer.iter().for_each(|place| places[*place].x -= middle);
    }
    for sweep in 0..24 {
        let range: Vec<usize> = if sweep % 2 == 0 {
            (0..layers.len()).collect()
        } else {
            (0..layers.len()).rev().collect()
        };
        for at in range {
            let layer = &layers[at];
            let wished: Vec<f32> = layer
                .iter()
                .map(|place| {
                    let near =
                        if sweep % 2 == 0 { &places[*place].up } else { &places[*place].down };
                    match near.len() {
                        0 => places[*place].x,
                        count => {
                            near.iter().map(|other| places[*other].x).sum::<f32>() / count as f32
                        }
                    }
                })
                .collect();
            let mut put = wished.clone();
            for index in 1..layer.len() {
                let apart =
                    (places[layer[index - 1]].width + places[layer[index]].width) / 2.0 + GAP_X;
                put[index] = put[index].max(put[index - 1] + apart);
            }
            // Pushing only to the right would drift; the layer moves back as a whole.
            let drift: f32 = put.iter().zip(&wished).map(|(put, wished)| put - wished).sum::<f32>()
                / put.len().max(1) as f32;
            for (index, place) in layer.iter().enumerate() {
                places[*place].x = put[index] - drift;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop, prop_assert, proptest};

    use super::*;

    fn graph() -> impl Strategy<Value = (Vec<Node>, Vec<Edge>)> {
        (1..30_usize).prop_flat_map(|count| {
            let pair = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
            prop::collection::vec(pair, 0..60).prop_map(move |pairs| {
                let node = |index: usize| Node {
                    lines: vec![format!("step {}", "x".repeat(index % 17)), "somebody".to_owned()],
                    look: Look::Plain,
                };
                let edges = pairs.iter().filter_map(|(a, b)| {
                    let (a, b) = (a.index(count), b.index(count));
                    (a != b).then(|| Edge { from: a.min(b), to: a.max(b), label: None })
                });
                ((0..count).map(node).collect(), edges.collect())
            })
        })
    }

    proptest! {
        #[test]
        fn no_box_is_over_another_and_lines_go_down((nodes, edges) in graph()) {
            let scene = layered(&nodes, &edges);
            let boxes: Vec<[f32; 4]> = scene.shapes.iter().filter_map(|shape| match shape {
                Shape::Box { at, .. } => Some(*at),
                _ => None,
            }).collect();
            prop_assert!(boxes.len() == nodes.len());
            for (index, a) in boxes.iter().enumerate() {
                prop_assert!(a[0] >= 0.0 && a[1] >= 0.0);
                prop_assert!(a[0] + a[2] <= scene.width + 0.1 && a[1] + a[3] <= scene.height + 0.1);
                for b in &boxes[index + 1..] {
                    let apart = a[0] + a[2] <= b[0] || b[0] + b[2] <= a[0] || a[1] + a[3] <= b[1] || b[1] + b[3] <= a[1];
                    prop_assert!(apart, "{a:?} {b:?}");
                }
            }
            for shape in &scene.shapes {
                if let Shape::Line { points, .. } = shape {
                    for pair in points.windows(2) {
                        prop_assert!(pair[1].1 >= pair[0].1 - 0.01, "{points:?}");
                    }
                }
            }
            prop_assert!(scene == layered(&nodes, &edges));
        }
    }
}
