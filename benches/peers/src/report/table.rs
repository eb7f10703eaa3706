//! The tables in Markdown.

use std::fmt::Write as _;

use super::{Finding, Measured, significant, time, words::machine};
use crate::peers::{COMMONAGE, LIMITS, PEERS};

/// One table for each work and one for how commonage scales, with what must be known to read them.
pub(crate) fn tables(measured: &[Measured], findings: &[Finding]) -> String {
    let mut text = String::new();
    for measured in measured {
        let contenders: Vec<&str> =
            [COMMONAGE].into_iter().chain(PEERS).chain(LIMITS).filter(|contender| measured.has(contender)).collect();
        let work = &measured.work;
        let _ = writeln!(text, "### {}\n\nTouched: {}. {}.\n", work.name, work.touched, work.how);
        let head = ["", "rounds"].into_iter().chain(contenders.iter().copied()).chain(["to reach", "reached"]);
        let head: Vec<String> = head.map(str::to_owned).collect();
        text += &line(&head);
        text += &line(&vec!["---".to_owned(); head.len()]);
        for (at, row) in work.rows.iter().enumerate() {
            let rounds = measured.at(COMMONAGE, at).map_or(0, <[f64]>::len);
            let mut cells = vec![row.name.clone(), rounds.to_string()];
            cells.extend(contenders.iter().map(|contender| cell(measured, contender, at)));
            let judged = row.targets.iter().map(|&target| measured.judge(target, at));
            let (asked, outcomes): (Vec<_>, Vec<_>) = judged.unzip();
            cells.extend([asked.join("; "), outcomes.join("; ")]);
            text += &line(&cells);
        }
        text.push('\n');
    }
    let _ = writeln!(text, "### limits of scale\n");
    text += &line(&["what", "found", "to reach", "reached"].map(str::to_owned));
    text += &line(&["---", "---", "---", "---"].map(str::to_owned));
    for Finding { what, found, asked, reached } in findings {
        let reached = match reached {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "not measured",
        };
        text += &line(&[(*what).to_owned(), found.clone(), asked.clone(), reached.to_owned()]);
    }
    let _ = writeln!(
        text,
        "\nMedians of interleaved rounds; beside them, how many times as long as commonage: the median of the paired \
         ratios, and their quartiles. What is to be reached is judged by the median; “no slower” is reached if a quartile is \
         no more than one. One thread, and both processes, on one core, but where threads are counted or a work says that \
         each has its own: {}.",
        machine()
    );
    text
}

/// The median, and for all but commonage the ratio to it.
fn cell(measured: &Measured, contender: &str, row: usize) -> String {
    let Some(median) = measured.median(contender, row) else { return "–".to_owned() };
    match measured.ratio(contender, COMMONAGE, row).filter(|_| contender != COMMONAGE) {
        Some(ratio) => {
            let [lower, middle, upper] = [ratio.lower_quartile, ratio.median, ratio.upper_quartile].map(significant);
            format!("{} · {middle} × ({lower}–{upper})", time(median))
        }
        None => time(median),
    }
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}
