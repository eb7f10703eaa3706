//! This program, started once more to be something else.

use std::{env, process::Command};

use crate::{Outcome, partner, rings, scale, sync};

/// What starts this program in a role.
pub(crate) fn command(role: &str, contender: &str, with: &str) -> Outcome<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--be", role, "--contender", contender, "--with", with]);
    Ok(command)
}

/// Plays a role to its end.
pub(crate) fn play(role: &str, contender: &str, with: &str) -> Outcome {
    match role {
        "echo" => partner::echo(contender, with),
        "beside" => sync::beside::be(contender, with),
        "ring" => rings::other::be(contender, with),
        "holder" => scale::attached::hold(with),
        "idler" => scale::first_use::idle(with),
        "beginner" => scale::first_use::begin(),
        "spender" => scale::peak::spend(with),
        other => Err(format!("there is no role `{other}`").into()),
    }
}
