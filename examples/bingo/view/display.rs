//! Whether there is a display to show a window on.

use std::env;

/// Whether there is a display to show a window on.
///
/// Where windows go through X11, the display has to answer: a variable that names a display which is gone, as in a shell
/// that outlived its session, is no display. The examples build without Wayland, whose sessions have an X display too.
pub fn has_display() -> bool {
    if !cfg!(all(unix, not(target_os = "macos"))) {
        return true;
    }
    let value = |variable| env::var(variable).ok().filter(|value| !value.is_empty());
    value("DISPLAY").is_some_and(|display| answers(&display))
}

/// The number of a display of this machine, such as 7 of `:7` and `:7.0`; `None` for a display elsewhere.
fn local_number(display: &str) -> Option<u32> {
    let number = display.strip_prefix("unix:").or_else(|| display.strip_prefix(':'))?;
    number.split('.').next()?.parse().ok()
}

/// Whether an X server answers. One on another machine is taken at its word.
#[cfg(unix)]
fn answers(display: &str) -> bool {
    use std::os::unix::net::UnixStream;

    let Some(number) = local_number(display) else { return true };
    let path = format!("/tmp/.X11-unix/X{number}");
    UnixStream::connect(&path).is_ok() || answers_in_the_abstract(&path)
}

#[cfg(not(unix))]
fn answers(_: &str) -> bool {
    true
}

/// Linux has a second place for the same socket, without a file.
#[cfg(target_os = "linux")]
fn answers_in_the_abstract(path: &str) -> bool {
    use std::os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixStream},
    };

    SocketAddr::from_abstract_name(path).and_then(|address| UnixStream::connect_addr(&address)).is_ok()
}

#[cfg(all(unix, not(target_os = "linux")))]
fn answers_in_the_abstract(_: &str) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_of_this_machine_have_a_number_and_others_have_none() {
        assert_eq!(local_number(":7"), Some(7));
        assert_eq!(local_number(":7.0"), Some(7));
        assert_eq!(local_number("unix:12"), Some(12));
        assert_eq!(local_number("elsewhere:0"), None);
        assert_eq!(local_number(":x"), None);
    }

    #[test]
    #[cfg(unix)]
    fn a_display_that_is_gone_does_not_answer() {
        assert!(!answers(":4123456"));
    }
}
