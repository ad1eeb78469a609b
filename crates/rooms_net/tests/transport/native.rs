//! Tokio's sockets, and the server in the same process.

use std::{
    io::Read,
    sync::{LazyLock, mpsc},
    thread,
    time::Duration,
};

use rooms_net::transport::{Link, native::NativeConnector};

use crate::server::start;

/// Whether pings are told of, which no frame is needed for.
pub const TELLS_OF_PINGS: bool = true;

/// Whether it is told that the machine is reached, before the socket is open.
pub const TELLS_OF_REACHING: bool = true;

pub fn connector() -> NativeConnector {
    NativeConnector::new().unwrap()
}

/// The server's address.
pub async fn server() -> String {
    static SERVER: LazyLock<String> = LazyLock::new(|| {
        let (tell, told) = mpsc::channel();
        // On a thread of its own, since each test has a runtime of its own.
        thread::spawn(move || {
            run(async {
                tell.send(start().await).unwrap();
                std::future::pending::<()>().await;
            });
        });
        format!("ws://{}", told.recv().unwrap())
    });
    SERVER.clone()
}

fn run(task: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(task);
}

/// The server for the same tests in a browser. Tells its address, and ends with its input.
#[test]
#[ignore = "is no test: serves those in a browser"]
fn serve() {
    run(async {
        println!("ws://{}", start().await);
        let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
        // At once: nobody hears any more how this "test" went.
        std::process::exit(0);
    });
}

pub async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Longer than it takes to fill the link.
pub async fn nobody_reads() {
    pause(Duration::from_millis(200)).await;
}

/// A socket waits for its reader, so all of them are.
pub fn frames_kept_for_a_late_reader(sent: usize) -> usize {
    sent
}

/// Natively sockets have nothing that could stay behind in a page.
pub async fn all_are_closed() {}

pub async fn assert_end_of_a_late_reader(link: &mut Link) {
    assert!(link.incoming.try_recv().is_err(), "the socket is open");
}
