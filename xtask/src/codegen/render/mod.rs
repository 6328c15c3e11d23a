//! From the model to Rust.

mod enums;
mod layout;
mod names;
mod structs;

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use quote::{format_ident, quote};

use super::layout::Layout;
use super::model::{Endpoint, Model, Shape, Type};
use crate::Result;
use names::{doc, ident, snake};

/// File names and their contents, not yet formatted.
pub(crate) fn files(model: &Model) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    let mut modules = Vec::new();
    for it in &model.types {
        files.push((snake(&it.name), it.name.clone(), type_file(it)?));
    }
    for it in &model.endpoints {
        files.push((snake(&it.name), it.name.clone(), endpoint_file(it)));
    }
    let layout = Layout::of(model)?;
    if let Some(layout) = &layout {
        files.push(("layout".to_owned(), "the layout".to_owned(), layout::file(layout)?));
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    for pair in files.windows(2) {
        if pair[0].0 == pair[1].0 {
            return Err(format!("{} and {} would share a file", pair[0].1, pair[1].1).into());
        }
    }
    for (module, name, _) in &files {
        let ident = format_ident!("{module}");
        modules.push(if module == "layout" {
            (quote!(pub(crate) mod #ident;), None)
        } else {
            let name = format_ident!("{name}");
            (quote!(mod #ident;), Some(quote!(pub use #ident::#name;)))
        });
    }
    let (mods, uses): (Vec<_>, Vec<_>) = modules.into_iter().unzip();
    let uses = uses.into_iter().flatten();
    let index = quote!(#(#mods)* #(#uses)*);
    let mut out = vec![("mod.rs".to_owned(), pretty(index)?)];
    for (module, _, tokens) in files {
        let uses = of_alloc(&tokens);
        out.push((format!("{module}.rs"), pretty(quote!(#uses #tokens))?));
    }
    Ok(out)
}

/// Imports of the names that are in no prelude without `std`.
fn of_alloc(tokens: &TokenStream) -> TokenStream {
    let mut names = BTreeSet::new();
    gather(tokens.clone(), &mut names);
    let known = [
        (
            "String",
            quote!(
                use alloc::string::String;
            ),
        ),
        (
            "vec",
            quote!(
                use alloc::vec;
            ),
        ),
        (
            "Vec",
            quote!(
                use alloc::vec::Vec;
            ),
        ),
    ];
    known.into_iter().filter(|(name, _)| names.contains(*name)).map(|(_, uses)| uses).collect()
}

fn gather(tokens: TokenStream, names: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(name) => drop(names.insert(name.to_string())),
            TokenTree::Group(group) => gather(group.stream(), names),
            _ => {}
        }
    }
}

fn pretty(tokens: TokenStream) -> Result<String> {
    Ok(prettyplease::unparse(&syn::parse2(tokens)?))
}

fn type_file(it: &Type) -> Result<TokenStream> {
    match &it.shape {
        Shape::Struct(fields) => structs::file(it, fields),
        Shape::OpenEnum(codes) => enums::file(it, codes),
    }
}

fn endpoint_file(it: &Endpoint) -> TokenStream {
    let (name, text, path) = (ident(&it.name), &it.name, &it.path);
    let doc = doc(&format!("{}\n\n{}", it.doc, it.certainty));
    let (request, response) = (ident(&it.request), ident(&it.response));
    let needs_token = it.needs_token;
    quote! {
        #doc
        #[derive(Clone, Copy, Debug)]
        #[non_exhaustive]
        pub struct #name;

        impl crate::Endpoint for #name {
            const NAME: &'static str = #text;
            const PATH: &'static str = #path;
            const NEEDS_TOKEN: bool = #needs_token;
            type Request = crate::#request;
            type Response = crate::#response;
        }
    }
}
