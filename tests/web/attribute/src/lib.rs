//! The attribute `#[test]`, as it is in a browser.

use proc_macro::TokenStream;

/// A test for `wasm-bindgen-test-runner`. It stands in for the built-in attribute of this name where the crate is imported
/// with `#[macro_use]`.
#[proc_macro_attribute]
pub fn test(_: TokenStream, item: TokenStream) -> TokenStream {
    let mut tokens: TokenStream = "#[::wasm_bindgen_test::wasm_bindgen_test]".parse().unwrap_or_default();
    tokens.extend(item);
    tokens
}
