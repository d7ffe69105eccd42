//! The one thread that spawns, and the promise each child makes to the kernel.
//!
//! A child is to be killed when its parent dies. The kernel ties that to the *thread* that spawned it, and the threads
//! of a runtime come and go, hence one that lives as long as the program. The child asks for it itself, through
//! `setpriv`, because asking in our own code between fork and exec would need `unsafe`.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};

/// Starts a command that dies with this program; what it says goes to `output`.
pub(super) fn spawn(program: &Path, arguments: &[OsString], output: File) -> io::Result<Child> {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--"])
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(output.try_clone()?)
        .stdout(output)
        .process_group(0);
    order(command)
}

type Order = (Command, Sender<io::Result<Child>>);

fn order(command: Command) -> io::Result<Child> {
    static SPAWNER: LazyLock<Sender<Order>> = LazyLock::new(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                // Nobody listening means that the caller is gone; the child is dropped and dies with the run.
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let (answer, result) = channel();
    let gone = || io::Error::other("the spawning thread is gone");
    SPAWNER.send((command, answer)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}
