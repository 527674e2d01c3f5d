//! Figures of the soak: what was measured, what was promised, kept as JSON and told in a table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The figures of all tests, by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Figures {
    /// The tests.
    pub tests: BTreeMap<String, Test>,
}

/// One test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Test {
    /// What was played.
    pub setup: String,
    /// How long it took on the clock, in seconds.
    pub seconds: f64,
    /// What was measured.
    pub figures: Vec<Figure>,
}

/// Something measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    /// What.
    pub what: String,
    /// How much.
    pub measured: f64,
    /// Of what.
    pub unit: String,
    /// What was promised, where anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

/// A promise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
}

impl Target {
    fn is_met(self, measured: f64) -> bool {
        match self {
            Self::AtMost(most) => measured <= most,
            Self::AtLeast(least) => measured >= least,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {}", number(most)),
            Self::AtLeast(least) => format!("≥ {}", number(least)),
        }
    }
}

impl Figure {
    /// A figure nothing was promised of.
    pub fn of(what: &str, measured: f64, unit: &str) -> Self {
        Self { what: what.to_owned(), measured, unit: unit.to_owned(), target: None }
    }

    /// A figure that must not be more.
    pub fn at_most(what: &str, (measured, most): (f64, f64), unit: &str) -> Self {
        Self { target: Some(Target::AtMost(most)), ..Self::of(what, measured, unit) }
    }

    /// A figure that must not be less.
    pub fn at_least(what: &str, (measured, least): (f64, f64), unit: &str) -> Self {
        Self { target: Some(Target::AtLeast(least)), ..Self::of(what, measured, unit) }
    }

    /// Whether the promise was kept.
    pub fn is_met(&self) -> bool {
        self.target.is_none_or(|target| target.is_met(self.measured))
    }

    fn row(&self, test: &str) -> String {
        let target = self.target.map(Target::text).unwrap_or_default();
        let met = match (self.target, self.is_met()) {
            (None, _) => "",
            (Some(_), true) => "yes",
            (Some(_), false) => "**no**",
        };
        format!("| {test} | {} | {} {} | {target} | {met} |\n", self.what, number(self.measured), self.unit)
    }
}

impl Test {
    /// Its rows of the table.
    pub fn rows(&self, name: &str) -> String {
        self.figures.iter().map(|figure| figure.row(name)).collect()
    }
}

impl Figures {
    /// The whole table, with what was played below it.
    pub fn table(&self) -> String {
        let rows: String = self.tests.iter().map(|(name, test)| test.rows(name)).collect();
        let setup = |(name, test): (&String, &Test)| format!("- {name}: {} ({:.0} s)\n", test.setup, test.seconds);
        let setups: String = self.tests.iter().map(setup).collect();
        format!("{HEAD}{rows}\n{setups}")
    }
}

/// The head of the table.
pub const HEAD: &str = "| test | figure | measured | target | met |\n|---|---|---:|---:|---|\n";

/// Where the table begins and ends.
const MARKS: (&str, &str) = ("<!-- soak -->\n", "<!-- /soak -->");

/// `text` with the table of `figures` between its marks; none where there are no marks.
pub fn in_text(text: &str, figures: &Figures) -> Option<String> {
    let (before, rest) = text.split_once(MARKS.0)?;
    let (_, after) = rest.split_once(MARKS.1)?;
    Some([before, MARKS.0, &figures.table(), MARKS.1, after].concat())
}

/// Three digits that count, no more.
fn number(value: f64) -> String {
    let magnitude = value.abs();
    if value.fract() == 0.0 || magnitude >= 100.0 {
        format!("{value:.0}")
    } else if magnitude >= 10.0 {
        format!("{value:.1}")
    } else if magnitude >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_that_was_not_kept_stands_out() {
        let rows = |figure: Figure| Test { figures: vec![figure], ..Test::default() }.rows("L-0");
        assert_eq!(rows(Figure::at_most("calls", (3.0, 2.0), "calls")), "| L-0 | calls | 3 calls | ≤ 2 | **no** |\n");
        assert_eq!(rows(Figure::at_least("share", (92.5, 90.0), "%")), "| L-0 | share | 92.5 % | ≥ 90 | yes |\n");
        assert_eq!(rows(Figure::of("memory", 1234.5, "MB")), "| L-0 | memory | 1234 MB |  |  |\n");
    }

    #[test]
    fn the_figures_of_the_documentation_are_those_of_the_report() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let read = |name: &str| std::fs::read_to_string(format!("{root}/{name}")).expect("a file of the repository");
        let figures: Figures = serde_json::from_str(&read("soak-report.json")).expect("a report");
        let text = read("docs/benchmarks.md");
        assert_eq!(in_text(&text, &figures).as_deref(), Some(text.as_str()), "cargo xtask bench soak --tell");
    }
}
