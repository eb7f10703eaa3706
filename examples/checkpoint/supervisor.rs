//! Who starts the simulation, kills it, and looks at what has come of it.

use std::{
    env, fs,
    hint::spin_loop,
    io::{self, BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use commonage::{Value, file};

use crate::{
    Failure,
    args::Options,
    directory::Directory,
    plate::Plate,
    random::Random,
    worker::{DONE, FROM, KEPT},
};

/// What became of all workers.
struct Tally {
    kills: u64,
    checkpoints: u64,
    repeated: u64,
    /// The last step that any has done, and that any has said it has kept.
    done: u64,
    kept: u64,
    /// How long it was from one checkpoint to the next.
    lasted: Duration,
}

pub(crate) fn watch(options: &Options) -> Result<(), Failure> {
    let mut expected = Plate::cold();
    (0..options.steps).for_each(|_| expected.heat());

    let directory = Directory::new("checkpoint")?;
    let path = directory.0.join("plate");
    let name = path.to_str().ok_or("the directory for temporary files has a name that is no text")?;
    let (mut random, mut tally) = (Random(options.seed), Tally::new());
    while !live(name, options, &mut random, &mut tally)? {}

    let kept = file::read::<Value<Plate>>(&path)?;
    let Tally { kills, checkpoints, repeated, .. } = tally;
    let warmth = kept.as_view().warmth();
    writeln!(
        io::stdout(),
        "{kills} times killed, {checkpoints} checkpoints, {repeated} steps repeated\n\
         after {} steps the plate has {warmth:.6} of the {} units of heat",
        kept.as_view().step,
        options.steps,
    )?;
    if !kept.as_view().is(&expected) {
        return Err("a run without interruption gives another plate".into());
    }
    let left: Vec<_> = fs::read_dir(&directory.0)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    if left != ["plate"] {
        return Err(format!("there should be one file, but there are {left:?}").into());
    }
    Ok(writeln!(io::stdout(), "it is, bit by bit, that of a run without interruption, and nothing else is left")?)
}

/// One life of the worker, which may be cut short; whether it has come to the end.
fn live(file: &str, options: &Options, random: &mut Random, tally: &mut Tally) -> Result<bool, Failure> {
    let mut worker = Worker::start(options, file)?;
    let mut lines = worker.lines()?;
    let from = match lines.next().transpose()? {
        Some((what, from)) if what == FROM => from,
        _ => return Err(ended(worker)),
    };
    // What has been kept is there; and so may be what its writer could not say any more.
    if from < tally.kept || from > tally.done {
        return Err(format!("step {} was kept, but it went on from step {from}", tally.kept).into());
    }
    tally.checkpoints += u64::from(from > tally.kept);
    tally.repeated += tally.done - from;
    (tally.kept, tally.done) = (from, from);

    while tally.kept < options.steps {
        // The steps, and the checkpoint after them, that it may do now.
        let begin = Instant::now();
        if worker.go_on().is_err() {
            return Err(ended(worker));
        }
        if random.below(3) == 0 {
            let moment = tally.lasted.mul_f64(random.below(1000) as f64 / 1000.0);
            while begin.elapsed() < moment {
                spin_loop();
            }
            // `kill -9`, or what comes closest. What it has said before can still be read.
            worker.process.kill()?;
            lines.try_for_each(|line| line.map(|line| tally.note(line)))?;
            let finished = worker.process.wait()?.success();
            tally.kills += u64::from(!finished);
            return Ok(finished);
        }
        let before = tally.kept;
        while tally.kept == before {
            match lines.next() {
                Some(line) => tally.note(line?),
                None => return Err(ended(worker)),
            }
        }
        tally.lasted = begin.elapsed();
    }
    match worker.process.wait()?.success() {
        true => Ok(true),
        false => Err(ended(worker)),
    }
}

fn ended(mut worker: Worker) -> Failure {
    let status = worker.process.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
    format!("a worker has ended by itself ({status})").into()
}

impl Tally {
    fn new() -> Self {
        Tally { kills: 0, checkpoints: 0, repeated: 0, done: 0, kept: 0, lasted: Duration::from_millis(5) }
    }

    fn note(&mut self, (what, step): (String, u64)) {
        match &what[..] {
            DONE => self.done = step,
            KEPT => {
                self.kept = step;
                self.checkpoints += 1;
            }
            _ => {}
        }
    }
}

/// This program, as another process. It is killed if this one gives up before.
struct Worker {
    process: Child,
}

impl Worker {
    fn start(options: &Options, file: &str) -> Result<Self, Failure> {
        let mut command = Command::new(env::current_exe()?);
        command.args(options.arguments(file)).stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(Worker { process: command.spawn()? })
    }

    /// Lets it do what comes before the next checkpoint, and that.
    fn go_on(&mut self) -> io::Result<()> {
        self.process.stdin.as_mut().map_or(Ok(()), |input| input.write_all(b"\n"))
    }

    /// What it says, until it ends. Of a line that its death has cut short nothing is said.
    fn lines(&mut self) -> Result<impl Iterator<Item = Result<(String, u64), Failure>> + use<>, Failure> {
        let output = self.process.stdout.take().ok_or("a process without a pipe")?;
        let mut output = BufReader::new(output);
        Ok(std::iter::from_fn(move || {
            let mut line = String::new();
            match output.read_line(&mut line) {
                Ok(_) => {
                    let (what, step) = line.strip_suffix('\n')?.split_once(' ')?;
                    Some(step.trim_end().parse().map(|step| (what.to_owned(), step)).map_err(Failure::from))
                }
                Err(error) => Some(Err(error.into())),
            }
        }))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Without effect on one that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
