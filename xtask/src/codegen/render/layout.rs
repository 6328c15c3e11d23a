//! The layout, as data for the writers.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::names::{ident, snake};
use crate::Result;
use crate::codegen::layout::{Column, Layout};
use crate::codegen::model::{Field, Kind};

pub(super) fn file(layout: &Layout<'_>) -> Result<TokenStream> {
    let record = layout.objects.first().ok_or("a layout has a record")?;
    let (record_type, record_fields) = (ident(&record.name), table_name(&record.name));
    let most = layout.objects.iter().map(|it| it.fields().len()).max().unwrap_or_default();
    let tables = layout.objects.iter().map(|it| {
        let (name, rows) = (table_name(&it.name), it.fields().iter().map(json_field));
        quote!(const #name: &[Field] = &[#(#rows),*];)
    });
    let places = layout.places().into_iter().map(Literal::usize_unsuffixed);
    let columns = layout.columns.iter().map(column);
    let nested = layout.nested.iter().map(|field| {
        let (name, ident) = (&field.name, ident(&field.name));
        quote!((#name, |record| &record.#ident.extra))
    });
    Ok(quote! {
        use crate::layout::{Cell, Column, Extras, Field, Kind};
        use crate::#record_type;

        /// The most fields of an object.
        pub(crate) const MOST: usize = #most;

        /// The record's fields, in the order in which JSON has them.
        pub(crate) const RECORD: &[Field] = #record_fields;

        /// The column of each field that is no object, in the order in which JSON has the fields.
        pub(crate) const PLACES: &[usize] = &[#(#places),*];

        #(#tables)*

        impl #record_type {
            /// The columns of an account, in the order of CSV.
            pub const COLUMNS: &'static [Column] = &[#(#columns),*];
        }

        /// The objects in a record, each with its unknown fields.
        pub(crate) const OBJECTS: &[(&str, Extras)] = &[#(#nested),*];
    })
}

fn table_name(name: &str) -> Ident {
    format_ident!("{}", snake(name).to_uppercase())
}

fn json_field(field: &Field) -> TokenStream {
    let kind = match &field.kind {
        Kind::Scalar(_) => quote!(Kind::Id),
        Kind::Integer | Kind::OpenEnum(_) => quote!(Kind::Integer),
        Kind::Boolean => quote!(Kind::Flag),
        Kind::Object(name) => {
            let table = table_name(name);
            quote!(Kind::Object(#table))
        }
        Kind::List(name) => {
            let table = table_name(name);
            quote!(Kind::List(#table))
        }
        // The layout has refused the others.
        Kind::Text | Kind::Json | Kind::Entries(_) | Kind::Scalars(_) | Kind::ScalarEntries(_) => {
            quote!(Kind::Text)
        }
    };
    let name = &field.name;
    quote!(Field(#name, #kind))
}

fn column(column: &Column<'_>) -> TokenStream {
    let steps = column.path.iter().map(|field| ident(&field.name));
    let value = quote!(record #(.#steps)*);
    let last = column.path.last();
    let cell = match (column.elements, last.map(|it| &it.kind)) {
        (Some((between, fields)), _) => {
            let texts = fields.iter().map(|field| {
                let name = ident(&field.name);
                match &field.kind {
                    Kind::Text | Kind::Scalar(_) => quote!(it.#name.as_str().into()),
                    Kind::OpenEnum(_) => quote!(alloc::format!("{}", it.#name.code()).into()),
                    _ => quote!(alloc::format!("{}", it.#name).into()),
                }
            });
            quote!(Cell::Rows(#between, |record| {
                #value.iter().map(|it| vec![#(#texts),*]).collect()
            }))
        }
        (None, Some(Kind::Scalar(_))) => quote!(Cell::Text(|record| #value.as_str())),
        (None, Some(Kind::Integer)) if last.is_some_and(|it| it.unix_seconds) => {
            quote!(Cell::UnixSeconds(|record| #value))
        }
        (None, Some(Kind::Integer)) => quote!(Cell::Integer(|record| #value)),
        (None, Some(Kind::Boolean)) => quote!(Cell::Flag(|record| #value)),
        (None, Some(Kind::OpenEnum(_))) => quote!(Cell::Code(|record| #value.into())),
        // Every member writes itself as plain JSON, which cannot fail in memory.
        (None, Some(Kind::List(_))) => {
            quote!(Cell::Json(|record| serde_json::to_string(&#value).unwrap_or_default()))
        }
        (None, _) => quote!(Cell::Text(|record| &#value)),
    };
    let (name, path, zh, en) = (column.name, column.path_text(), column.zh, column.en);
    let in_tables = column.in_tables;
    quote! {
        Column {
            name: #name,
            path: #path,
            label_zh: #zh,
            label_en: #en,
            in_tables: #in_tables,
            cell: #cell,
        }
    }
}
