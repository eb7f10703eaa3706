//! A record batch in shared memory: what it is made of, and how a batch is made of that again.

use arrow_array::{RecordBatch, make_array};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use commonage::Shared;
use serde::{Deserialize, Serialize};

use crate::Failure;

/// The buffers of a batch, each a value in shared memory. What is sent of it are the schema, and a token for each buffer.
#[derive(Serialize, Deserialize)]
pub(crate) struct SharedBatch {
    schema: SchemaRef,
    rows: usize,
    columns: Vec<Column>,
}

/// A column of any type but nested ones.
#[derive(Serialize, Deserialize)]
struct Column {
    /// Where its elements begin in its buffers.
    offset: usize,
    buffers: Vec<Shared<[u8]>>,
    /// Bits that say which elements there are, and which of these is the first element's.
    nulls: Option<(Shared<[u8]>, usize)>,
}

impl SharedBatch {
    /// Copies a batch.
    pub(crate) fn copy_from(batch: &RecordBatch) -> Result<Self, Failure> {
        let columns = batch.columns().iter().map(|array| {
            let data = array.to_data();
            if !data.child_data().is_empty() {
                return Err(format!("a column of type {} is made of other columns", data.data_type()).into());
            }
            let copy = |buffer: &Buffer| Shared::copy_from(buffer.as_slice());
            let buffers = data.buffers().iter().map(copy).collect::<Result<_, _>>()?;
            let bits = |nulls: &NullBuffer| Ok::<_, commonage::Error>((copy(nulls.buffer())?, nulls.offset()));
            Ok(Column { offset: data.offset(), buffers, nulls: data.nulls().map(bits).transpose()? })
        });
        let columns = columns.collect::<Result<_, Failure>>()?;
        Ok(SharedBatch { schema: batch.schema(), rows: batch.num_rows(), columns })
    }

    /// The batch, where the shared values lie. Arrow looks at all that has come before it believes it.
    pub(crate) fn batch(&self) -> Result<RecordBatch, Failure> {
        let mut columns = Vec::new();
        for (field, column) in self.schema.fields().iter().zip(&self.columns) {
            let mut data = ArrayData::builder(field.data_type().clone()).len(self.rows).offset(column.offset);
            for shared in &column.buffers {
                data = data.add_buffer(buffer(shared));
            }
            let bits = |(shared, offset): &_| match buffer(shared) {
                bits if bits.len().saturating_mul(8) < self.rows.saturating_add(*offset) => Err("too few bits"),
                bits => Ok(NullBuffer::new(BooleanBuffer::new(bits, *offset, self.rows))),
            };
            let data = data.nulls(column.nulls.as_ref().map(bits).transpose()?).build()?;
            column.must_lie_at(&data)?;
            columns.push(make_array(data));
        }
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }

    /// What there is, in a line.
    pub(crate) fn described(&self) -> String {
        let fields = self.schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type()));
        let values = || self.columns.iter().flat_map(Column::values);
        let bytes: usize = values().map(|shared| shared.len()).sum();
        let fields: Vec<_> = fields.collect();
        format!("{} rows of {}; {} buffers, {bytes} bytes", self.rows, fields.join(", "), values().count())
    }
}

impl Column {
    /// All its values, the bits last.
    fn values(&self) -> impl Iterator<Item = &Shared<[u8]>> {
        self.buffers.iter().chain(self.nulls.iter().map(|(bits, _)| bits))
    }

    /// Fails if anything was copied.
    fn must_lie_at(&self, data: &ArrayData) -> Result<(), Failure> {
        let buffers = data.buffers().iter().chain(data.nulls().map(NullBuffer::buffer));
        match buffers.zip(self.values()).all(|(found, at)| found.as_ptr() == at.as_ptr() || at.is_empty()) {
            true => Ok(()),
            false => Err("a buffer does not lie where its shared value lies".into()),
        }
    }
}

/// Arrow's buffer at a value's memory, which it keeps.
fn buffer(shared: &Shared<[u8]>) -> Buffer {
    match shared.is_empty() {
        // Nothing lies anywhere, but Arrow wants it aligned.
        true => MutableBuffer::new(0).into(),
        false => Buffer::from(Bytes::from(shared.clone())),
    }
}
