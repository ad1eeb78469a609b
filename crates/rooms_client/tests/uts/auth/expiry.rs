//! Tokens that nothing can renew (`RSA4a`).

use std::sync::{Mutex, OnceLock};

use rooms_client::ConnectionState;
use rooms_protocol::ErrorCode;

use crate::support::*;

/// What was logged since the first look.
fn logged() -> &'static Mutex<Vec<String>> {
    static LINES: OnceLock<Mutex<Vec<String>>> = OnceLock::new();
    struct Collect;
    impl log::Log for Collect {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            if let Some(lines) = LINES.get() {
                lines.lock().unwrap().push(format!("{} {}", record.level(), record.args()));
            }
        }
        fn flush(&self) {}
    }
    LINES.get_or_init(|| {
        log::set_logger(&Collect).expect("this is the only logger");
        log::set_max_level(log::LevelFilter::Info);
        Mutex::new(vec![])
    })
}

/// Case: RSA4a1/non-renewable-token-logs-warning-0
#[test]
fn rsa4a1_a_token_without_means_to_renew_is_noted_in_the_log() {
    let lines = logged();
    Bench::with(with_token("token-1"));
    let lines = lines.lock().unwrap();
    assert!(lines.iter().any(|line| line.starts_with("INFO") && line.contains("40171")), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains("token-1")), "{lines:?}");
}

/// Case: RSA4a2/token-error-non-renewable-failed-0
#[test]
fn rsa4a2_a_refused_token_without_means_to_renew_fails_the_connection() {
    let mut bench = Bench::connecting(with_token("token-1"));
    assert_eq!(bench.param("access_token").as_deref(), Some("token-1"));
    bench.receive_and_cut(connection_error(40142, 401));
    assert_eq!(bench.history, [ConnectionState::Connecting, ConnectionState::Failed]);
    assert_eq!(bench.last_reason().unwrap().code, ErrorCode::NO_RENEWAL);
    assert_eq!(bench.client.error_reason().unwrap().code, ErrorCode::NO_RENEWAL);
}

/// Case: RSA4a2/token-error-non-renewable-no-retry-1
#[test]
fn rsa4a2_a_refused_token_without_means_to_renew_is_not_tried_again() {
    let mut bench = Bench::connecting(with_token("token-1"));
    bench.receive_and_cut(connection_error(40142, 401));
    bench.pass(600 * SECOND);
    assert_eq!((bench.urls.len(), bench.state()), (1, ConnectionState::Failed));
}
