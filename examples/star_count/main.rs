//! Counts the stars in a photograph, with several processes that share it.
//!
//! ```text
//! cargo run --release --example star_count [-- [--workers N] [--out FILE] [IMAGE]]
//! ```
//!
//! The photograph is put into shared memory once, and so is room for a smoothed one. Through `ipc-channel` each worker
//! process gets a handle on all of the first and a part of the second, a tile that it alone writes, and gives its part back
//! with the stars that it found. Put together, the parts are the smoothed photograph: no pixel is ever copied. The number of
//! stars does not depend on the number of workers.

mod annotate;
mod args;
mod conversation;
#[path = "../workers/crew.rs"]
mod crew;
mod detect;
mod worker;

use std::{
    env,
    error::Error,
    fs,
    io::{self, Cursor, Write},
    path::Path,
    process::ExitCode,
    time::Instant,
};

use args::{Command, Options};
use commonage::{Shared, SharedArray, SharedArrayMut};
use conversation::{Outcome, converse};
use crew::Crew;
use detect::Star;
use image::{DynamicImage, ImageFormat, ImageReader};
use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array3, ArrayView2, ArrayView3, Ix3, s};
use postcard::experimental::serialized_size;
use worker::{Job, Reply};

/// Why the program ends early: a sentence for whoever started it.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let result = args::parse(env::args_os().skip(1)).and_then(|command| match command {
        Command::Count(options) => count(&options),
        Command::Work(server) => worker::work(server),
        Command::Help => Ok(writeln!(io::stdout(), "{}", args::HELP)?),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("star_count: {error}");
            ExitCode::FAILURE
        }
    }
}

fn count(options: &Options) -> Result<(), Failure> {
    let photograph = load(&options.image)?;
    let begin = Instant::now();
    // The one copy: from here on the photograph is read where it is, by every process.
    let image: SharedArray<u8, Ix3> = Shared::copy_from(&photograph)?;
    drop(photograph);
    let pixels = image.as_view();
    let sky = detect::sky(pixels);

    let (rows, columns, _) = pixels.dim();
    let workers = options.workers.min(rows);
    let bar = ProgressBar::new(rows as u64).with_style(ProgressStyle::with_template("{bar:40} {pos} of {len} rows")?);
    let mut crew = Crew::of(workers)?;
    let mut first = 0;
    for smoothed in SharedArrayMut::zeroed((rows, columns))?.split_into(workers)? {
        let tile = first..first + smoothed.as_view().nrows();
        first = tile.end;
        let job = Job { image: image.clone(), tile, smoothed, level: sky.level };
        let bar = bar.clone();
        crew.hire(move |worker| converse(worker, job, &bar))?;
    }
    let (results, parts): (Vec<Outcome>, Vec<_>) = crew.results()?.into_iter().unzip();
    bar.finish_and_clear();

    let smoothed = SharedArrayMut::unsplit_all(parts)?.freeze()?;
    let stars: Vec<Star> = results.iter().flat_map(|result| &result.stars).copied().collect();
    let seconds = begin.elapsed().as_secs_f64();

    let out = options.out.display();
    annotate::annotate(pixels, smoothed.as_view(), &stars, sky)
        .save_with_format(&options.out, ImageFormat::Png)
        .map_err(|error| format!("can't write {out}: {error}"))?;

    let moved: usize = results.iter().map(|result| result.moved).sum();
    let copied =
        results.iter().map(|result| copied(pixels, smoothed.as_view(), sky.level, result)).sum::<Result<usize, _>>()?;
    let report = format!(
        "{} stars\n{seconds:.3} s, worker processes: {workers}\n\
         {copied} bytes would have moved through a channel that copies\n{moved} bytes moved\n{out} shows where they are\n",
        stars.len(),
    );
    // At once, so that a reader that wants the first line only does not make it fail.
    io::stdout().write_all(report.as_bytes())?;
    Ok(())
}

/// The photograph in a file, as rows x columns x RGB.
fn load(path: &Path) -> Result<Array3<u8>, Failure> {
    let image = read(path).map_err(|error| format!("can't read {}: {error}", path.display()))?.into_rgb8();
    let (width, height) = image.dimensions();
    Ok(Array3::from_shape_vec((height as usize, width as usize, 3), image.into_raw())?)
}

fn read(path: &Path) -> Result<DynamicImage, Failure> {
    if !fs::metadata(path)?.is_file() {
        return Err("it is not a file".into());
    }
    let bytes = fs::read(path)?;
    let format = match image::guess_format(&bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => format,
        _ => return Err("it is neither a PNG nor a JPEG file".into()),
    };
    // The decoder paints over what is missing at the end of a JPEG file: after the last start of a scan there has to be
    // an end of the image.
    let last = |marker: [u8; 2]| bytes.windows(2).rposition(|window| window == marker);
    if format == ImageFormat::Jpeg && last([0xff, 0xd9]) < last([0xff, 0xda]) {
        return Err("it is cut short".into());
    }
    Ok(ImageReader::with_format(Cursor::new(bytes), format).decode()?)
}

/// The bytes that a worker's messages would have been with pixels in them in place of handles.
fn copied(
    image: ArrayView3<'_, u8>,
    smoothed: ArrayView2<'_, f32>,
    level: f32,
    result: &Outcome,
) -> postcard::Result<usize> {
    let image: Vec<u8> = image.iter().copied().collect();
    let tile = result.tile.clone();
    let smoothed: Vec<f32> = smoothed.slice(s![tile.clone(), ..]).iter().copied().collect();
    let job = serialized_size(&Job { image, tile, smoothed: (), level })?;
    let reply = serialized_size(&Reply::Done { smoothed, stars: result.stars.clone() })?;
    Ok(result.moved - result.with_handle + job + reply)
}
