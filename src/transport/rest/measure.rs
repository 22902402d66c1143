//! Measure-Object behind a cmdlet, on this side, in the engine's shapes.

use super::bind::{Bound, refused};
use super::encode::text;
use super::proxy::{Description, functions};
use super::records::Failure;
use super::select::{matches, names};
use crate::clixml::{Object, Property, TypeNames, Value, type_names};
use std::sync::{Arc, LazyLock};

const NAME: &str = "Measure-Object";

static TYPES: LazyLock<TypeNames> = LazyLock::new(|| {
    type_names(&["Microsoft.PowerShell.Commands.GenericMeasureInfo", "Microsoft.PowerShell.Commands.MeasureInfo", "System.Object"])
});

/// What the engine knows of it.
pub(super) static DESCRIPTION: LazyLock<Option<Arc<Description>>> = LazyLock::new(|| {
    let script = "function script:Measure-Object { param([Parameter(ValueFromPipeline)] $InputObject, [Parameter(Position=0)] $Property, \
        [switch] $Sum, [switch] $AllStats, [switch] $Average, [switch] $Maximum, [switch] $Minimum, [switch] $StandardDeviation, \
        [switch] $Line, [switch] $Word, [switch] $Character, [switch] $IgnoreWhiteSpace) }";
    functions(script).next().map(Arc::new)
});

/// One Measure-Object of a pipeline.
#[derive(Debug, Default)]
pub(super) struct Measure {
    properties: Vec<String>,
    sum: bool,
    average: bool,
    maximum: bool,
    minimum: bool,
    count: i32,
    found: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    name: Option<String>,
    count: i32,
    sum: f64,
    maximum: f64,
    minimum: f64,
}

impl Measure {
    pub(super) fn new(bound: &Bound) -> Result<Self, Failure> {
        let mut measure = Self::default();
        for (name, value) in &bound.parameters {
            let on = value.as_bool().unwrap_or(true);
            match name.to_ascii_lowercase().as_str() {
                "property" => measure.properties = names(NAME, value)?,
                "sum" => measure.sum = on,
                "average" => measure.average = on,
                "maximum" => measure.maximum = on,
                "minimum" => measure.minimum = on,
                _ => {
                    let message = format!("{NAME}: the parameter '{name}' is not supported on the REST road.");
                    return Err(refused(NAME, message, "NamedParameterNotFound"));
                }
            }
        }
        Ok(measure)
    }

    fn is_statistical(&self) -> bool {
        self.sum || self.average || self.maximum || self.minimum
    }

    /// Counts an object in; errors for what is no number though numbers are wanted.
    pub(super) fn take(&mut self, value: &Value) -> Vec<Failure> {
        self.count += 1;
        let mut failures = Vec::new();
        if self.properties.is_empty() {
            if self.is_statistical() {
                failures.extend(self.add(None, value));
            }
            return failures;
        }
        for pattern in self.properties.clone() {
            let found: Vec<Property> = value
                .as_object()
                .into_iter()
                .flat_map(|o| o.extended.iter().chain(&o.adapted).flatten())
                .filter(|p| matches(&pattern, &p.name.to_str_lossy()) && p.value != Value::Nil)
                .cloned()
                .collect();
            for property in found {
                failures.extend(self.add(Some(property.name.to_str_lossy().into_owned()), &property.value));
            }
        }
        failures
    }

    fn add(&mut self, name: Option<String>, value: &Value) -> Option<Failure> {
        let number = match value.unwrapped() {
            Value::F64(n) => Some(*n),
            Value::F32(n) => Some(f64::from(*n)),
            other => text(other).trim().parse::<f64>().ok().filter(|n| n.is_finite()),
        };
        let is_number = number.is_some();
        let at = match self.found.iter().position(|c| c.name == name) {
            Some(at) => at,
            None => {
                self.found.push(Column { name, count: 0, sum: 0.0, maximum: f64::NEG_INFINITY, minimum: f64::INFINITY });
                self.found.len() - 1
            }
        };
        let (column, wanted) = (&mut self.found[at], self.sum || self.average || self.maximum || self.minimum);
        if wanted && !is_number {
            let message = format!("Input object \"{}\" is not numeric.", text(value));
            let id = "NonNumericInputObject,Microsoft.PowerShell.Commands.MeasureObjectCommand";
            return Some(Failure::engine("PSInvalidCastException", message, id, "InvalidType", NAME).about(&text(value)));
        }
        column.count += 1;
        if let Some(number) = number {
            column.sum += number;
            column.maximum = column.maximum.max(number);
            column.minimum = column.minimum.min(number);
        }
        None
    }

    /// The results: one, or one for each property.
    pub(super) fn end(&mut self) -> Vec<Value> {
        let info = |count: i32, column: Option<&Column>| {
            let number = |on: bool, of: fn(&Column) -> f64| match column.filter(|c| on && c.count > 0) {
                Some(column) => Value::F64(of(column)),
                None => Value::Nil,
            };
            let properties = vec![
                Property::new("Count", count),
                Property::new("Average", number(self.average, |c| c.sum / f64::from(c.count))),
                Property::new("Sum", number(self.sum, |c| c.sum)),
                Property::new("Maximum", number(self.maximum, |c| c.maximum)),
                Property::new("Minimum", number(self.minimum, |c| c.minimum)),
                Property::new("Property", column.and_then(|c| c.name.as_deref())),
            ];
            let to_string = Some("Microsoft.PowerShell.Commands.GenericMeasureInfo".into());
            Value::from(Object { type_names: Some(TYPES.clone()), to_string, adapted: Some(properties), ..Object::new() })
        };
        if self.properties.is_empty() {
            return vec![info(self.count, self.found.first())];
        }
        self.found.iter().map(|column| info(column.count, Some(column))).collect()
    }
}
