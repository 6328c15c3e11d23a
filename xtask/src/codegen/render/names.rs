//! Names and documentation as Rust writes them.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// `RobotAccountList` to `robot_account_list`.
pub(super) fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

pub(super) fn ident(name: &str) -> Ident {
    syn::parse_str::<Ident>(name).unwrap_or_else(|_| Ident::new_raw(name, Span::call_site()))
}

pub(super) fn doc(text: &str) -> TokenStream {
    let lines = text.lines().map(|line| match line.trim() {
        "" => String::new(),
        line => format!(" {line}"),
    });
    quote!(#(#[doc = #lines])*)
}
