//! The credentials of clients, and how they come over HTTP.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use url::form_urlencoded;

use rooms_protocol::{ErrorCode, ErrorInfo};

/// What a client shows to be let in. Debug output never contains it.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// An API key, `APP.KEYID:SECRET`.
    Key(String),
    /// A token.
    Token(String),
}

impl Credentials {
    /// Reads the `Authorization` header, or else the query; `None` where neither holds credentials.
    ///
    /// # Errors
    /// 40005 for a header that cannot be read.
    pub fn from_http(authorization: Option<&str>, query: &str) -> Result<Option<Self>, ErrorInfo> {
        if let Some(header) = authorization {
            return Self::from_header(header).map(Some).ok_or_else(|| {
                let why = "the Authorization header must be Basic with an API key, or Bearer with a token";
                ErrorInfo::new(ErrorCode::UNREADABLE_CREDENTIALS, 400, why)
            });
        }
        let mut token = None;
        for (name, value) in form_urlencoded::parse(query.trim_start_matches('?').as_bytes()) {
            match &*name {
                "key" => return Ok(Some(Self::Key(value.into_owned()))),
                "access_token" | "accessToken" => token = Some(Self::Token(value.into_owned())),
                _ => {}
            }
        }
        Ok(token)
    }

    /// The text of an API key.
    pub(crate) fn key_text(&self) -> Option<&str> {
        match self {
            Self::Key(text) => Some(text),
            Self::Token(_) => None,
        }
    }

    fn from_header(header: &str) -> Option<Self> {
        let (scheme, value) = header.trim().split_once(' ')?;
        let value = value.trim();
        let decoded = STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        if scheme.eq_ignore_ascii_case("basic") {
            decoded.map(Self::Key)
        } else if scheme.eq_ignore_ascii_case("bearer") {
            // SDKs send tokens as base64, other programs as they are.
            Some(Self::Token(decoded.unwrap_or_else(|| value.to_owned())))
        } else {
            None
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key(…)",
            Self::Token(_) => "Token(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: Option<&str>, query: &str) -> Result<Option<Credentials>, u32> {
        Credentials::from_http(header, query).map_err(|error| error.code.0)
    }

    #[test]
    fn credentials_come_in_the_header_or_else_in_the_query() {
        let key = Credentials::Key("a.b:c".to_owned());
        let token = Credentials::Token("x.y.z".to_owned());
        assert_eq!(read(Some("Basic YS5iOmM="), "key=d.e:f"), Ok(Some(key.clone())));
        assert_eq!(read(Some("bearer eC55Lno="), ""), Ok(Some(token.clone())));
        assert_eq!(read(Some("Bearer x.y.z"), ""), Ok(Some(token.clone())));
        assert_eq!(read(None, "?key=a.b%3Ac&v=6"), Ok(Some(key)));
        for name in ["access_token", "accessToken"] {
            assert_eq!(read(None, &format!("{name}=x.y.z")), Ok(Some(token.clone())));
        }
        assert_eq!(read(None, "v=6"), Ok(None));
    }

    #[test]
    fn a_header_that_cannot_be_read_is_an_error() {
        for header in ["", "Basic", "Basic ?", "Basic /w==", "Digest x", "YS5iOmM="] {
            assert_eq!(read(Some(header), "key=a.b:c"), Err(40005), "{header}");
        }
    }

    #[test]
    fn credentials_do_not_show_in_debug_output() {
        for credentials in [Credentials::Key("a.b:s3cret".to_owned()), Credentials::Token("s3cret".to_owned())] {
            assert!(!format!("{credentials:?}").contains("s3cret"));
        }
    }
}
