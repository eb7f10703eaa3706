//! What is in the batch, and what is looked for in it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use arrow_array::{Array, Float64Array, Int32Array, RecordBatch, StringArray, cast::AsArray, types};
use arrow_schema::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};

use crate::Failure;

const GOODS: [&str; 5] = ["wool", "hay", "Käse", "milk", "timber"];

/// Trades that are made up: every tenth has no price.
pub(crate) fn batch(rows: usize) -> Result<RecordBatch, Failure> {
    let prices: Float64Array = (0..rows).map(|row| (row % 10 != 3).then(|| (row % 1000) as f64 / 8.0)).collect();
    let pieces: Int32Array = (0..rows).map(|row| Some((row % 7) as i32 - 1)).collect();
    let goods: StringArray = (0..rows).map(|row| Some(GOODS[row % 11 % 5])).collect();
    let schema = Schema::new(vec![
        Field::new("price", DataType::Float64, true),
        Field::new("pieces", DataType::Int32, false),
        Field::new("good", DataType::Utf8, false),
    ]);
    Ok(RecordBatch::try_new(Arc::new(schema), vec![Arc::new(prices), Arc::new(pieces), Arc::new(goods)])?)
}

/// What all three columns are needed for.
#[derive(Serialize, Deserialize, PartialEq, Debug)]
pub(crate) struct Summary {
    without_price: usize,
    /// Price times pieces, of each good.
    turnover: BTreeMap<String, f64>,
}

pub(crate) fn summary(batch: &RecordBatch) -> Result<Summary, Failure> {
    let column = |name| batch.column_by_name(name).ok_or_else(|| format!("no column {name}"));
    let prices = column("price")?.as_primitive_opt::<types::Float64Type>().ok_or("prices are no numbers")?;
    let pieces = column("pieces")?.as_primitive_opt::<types::Int32Type>().ok_or("pieces are no numbers")?;
    let goods = column("good")?.as_string_opt::<i32>().ok_or("goods are no text")?;
    let mut turnover = BTreeMap::new();
    for ((price, pieces), good) in prices.iter().zip(pieces).zip(goods) {
        if let (Some(price), Some(pieces), Some(good)) = (price, pieces, good) {
            let so_far = match turnover.get_mut(good) {
                Some(so_far) => so_far,
                None => turnover.entry(good.to_owned()).or_insert(0.0),
            };
            *so_far += price * f64::from(pieces);
        }
    }
    Ok(Summary { without_price: prices.null_count(), turnover })
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (good, turnover) in &self.turnover {
            write!(f, "{good} {turnover}, ")?;
        }
        write!(f, "{} trades without a price", self.without_price)
    }
}
