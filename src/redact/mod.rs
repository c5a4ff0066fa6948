//! Values that must not be printed, usable from every module.

mod url;
mod value;

pub use url::{is_secret_parameter, url_credentials, without_url_credentials};
pub use value::Secret;
