//! Structs with their readers.

use proc_macro2::TokenStream;
use quote::quote;

use super::names::{doc, ident, snake};
use crate::Result;
use crate::codegen::model::{Field, Kind, Tolerant, Type};

impl Field {
    fn optional(&self) -> bool {
        self.nullable && !self.required
    }

    fn rust_type(&self) -> TokenStream {
        let plain = match &self.kind {
            Kind::Text => quote!(String),
            Kind::Integer => quote!(i64),
            Kind::Boolean => quote!(bool),
            Kind::Json => quote!(crate::Json),
            Kind::Scalar(name) | Kind::OpenEnum(name) | Kind::Object(name) => {
                let name = ident(name);
                quote!(crate::#name)
            }
            Kind::List(name) => {
                let name = ident(name);
                quote!(Vec<crate::#name>)
            }
            Kind::Entries(name) => {
                let name = ident(name);
                quote!(crate::TolerantVec<crate::#name>)
            }
            Kind::Scalars(name) => {
                let name = scalar_type(name);
                quote!(Vec<#name>)
            }
            Kind::ScalarEntries(name) => {
                let name = scalar_type(name);
                quote!(crate::TolerantVec<#name>)
            }
        };
        if self.optional() { quote!(Option<#plain>) } else { plain }
    }

    /// The call that reads this field; a required one yields an `Option`.
    fn reader(&self) -> TokenStream {
        let (name, optional) = (&self.name, self.optional() || self.required);
        let reader = match &self.kind {
            Kind::Json => quote!(wire::json),
            Kind::OpenEnum(_) => quote!(wire::open_enum),
            Kind::List(_) => quote!(wire::list),
            Kind::Entries(_) if optional => quote!(crate::tolerant_vec::read_given),
            Kind::Entries(_) => quote!(crate::tolerant_vec::read),
            Kind::Scalars(_) => quote!(wire::scalars),
            Kind::ScalarEntries(_) => quote!(crate::tolerant_vec::read_scalars),
            Kind::Object(_) if optional => quote!(wire::optional_object),
            Kind::Object(_) => quote!(wire::object),
            _ if optional => quote!(wire::optional),
            _ => quote!(wire::scalar),
        };
        quote!(#reader(&mut map, #name)?)
    }

    /// The reader of `unread` for this field; a required one yields an `Option`.
    fn tolerant_reader(&self) -> Result<TokenStream> {
        let (name, optional) = (&self.name, self.optional() || self.required);
        let reader = match &self.kind {
            Kind::OpenEnum(_) if !optional => quote!(open_enum),
            Kind::List(_) if !optional => quote!(list),
            Kind::Scalars(_) if !optional => quote!(scalars),
            Kind::Object(_) if !optional => quote!(object),
            Kind::Text | Kind::Integer | Kind::Boolean | Kind::Scalar(_) if optional => {
                quote!(optional)
            }
            Kind::Text | Kind::Integer | Kind::Boolean | Kind::Scalar(_) => quote!(scalar),
            other => return Err(format!("{name}: {other:?} is not read tolerantly").into()),
        };
        Ok(quote!(unread.#reader(#name, value)))
    }
}

/// The path of a scalar's type.
fn scalar_type(name: &str) -> TokenStream {
    let ident = ident(name);
    if name == "String" { quote!(String) } else { quote!(crate::#ident) }
}

pub(super) fn file(it: &Type, fields: &[Field]) -> Result<TokenStream> {
    let (name, text) = (ident(&it.name), &it.name);
    let certainty = it.certainty.as_ref().map(|it| format!("\n\n{it}")).unwrap_or_default();
    let plain_doc = doc(&format!("{}{certainty}", it.doc));
    let any_required = fields.iter().any(|field| field.required);
    let default = (!any_required).then(|| quote!(, Default));
    let members = fields.iter().map(|field| {
        let (ident, ty, doc) = (ident(&field.name), field.rust_type(), doc(&field.doc));
        quote!(#doc pub #ident: #ty,)
    });
    let constructor = any_required.then(|| constructor(it, fields));
    let debug = fields.iter().map(|field| {
        let (ident, name) = (ident(&field.name), &field.name);
        let value = if field.personal { quote!(&wire::Redacted) } else { quote!(&self.#ident) };
        quote!(.field(#name, #value))
    });
    let writes = fields.iter().map(|field| {
        let (ident, name) = (ident(&field.name), &field.name);
        if field.optional() {
            quote!(if let Some(value) = &self.#ident { map.serialize_entry(#name, value)?; })
        } else {
            quote!(map.serialize_entry(#name, &self.#ident)?;)
        }
    });
    let reader = reader(it, fields);
    let tolerant = it.tolerant.map(|kind| tolerant(it, fields, kind)).transpose()?;
    let keeps = it.tolerant == Some(Tolerant::Keeps);
    // A record is written by the outputs too, with fields of their own.
    let (writer, write_all) = match it.columns {
        None => (None, quote!(#(#writes)*)),
        Some(_) => (
            Some(quote! {
                impl #name {
                    /// Writes the known fields into an object, in their order.
                    ///
                    /// # Errors
                    /// The writer's.
                    pub fn write_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                        #(#writes)*
                        Ok(())
                    }
                }
            }),
            quote!(self.write_fields(&mut map)?;),
        ),
    };
    let unread = keeps.then(|| {
        quote! {
            /// Unreadable fields, with their raw values; written as `_unread`.
            pub unread: crate::UnreadFields,
        }
    });
    let debug_unread = keeps.then(|| quote!(.field("unread", &self.unread)));
    let write_unread = keeps.then(|| {
        quote! {
            if !self.unread.is_empty() {
                map.serialize_entry("_unread", &self.unread)?;
            }
        }
    });
    let event = it.event_type.map(|event_type| event(it, event_type));
    let response = it.is_response.then(|| {
        quote! {
            impl crate::Response for #name {
                fn refusal(&self) -> Option<crate::Refusal> {
                    crate::Refusal::of(self.errcode, &self.errmsg, &self.hint)
                }
            }
        }
    });
    Ok(quote! {
        use serde::ser::SerializeMap;
        use crate::wire;

        #plain_doc
        #[derive(Clone, PartialEq, Eq #default)]
        #[non_exhaustive]
        pub struct #name {
            #(#members)*
            /// Unknown fields, kept and written again.
            pub extra: crate::Extra,
            #unread
        }
        #constructor
        #writer
        impl core::fmt::Debug for #name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(#text)#(#debug)*.field("extra", &self.extra)#debug_unread.finish()
            }
        }
        impl serde::Serialize for #name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                #write_all
                self.extra.write(&mut map)?;
                #write_unread
                map.end()
            }
        }
        impl<'de> serde::Deserialize<'de> for #name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                wire::whole_object(deserializer)
            }
        }
        #reader
        #tolerant
        #event
        #response
    })
}

/// What tells a payload from others.
fn event(it: &Type, event_type: i64) -> TokenStream {
    let name = ident(&it.name);
    let called = snake(it.name.trim_end_matches("Callback")).to_uppercase();
    let (called, text) =
        (ident(&called), doc(&format!("The type of [`{}`](crate::{}).", it.name, it.name)));
    let event_type = proc_macro2::Literal::i64_unsuffixed(event_type);
    quote! {
        impl crate::CallbackPayload for #name {
            const EVENT_TYPE: i64 = #event_type;
        }
        impl crate::EventType {
            #text
            pub const #called: Self = Self::Code(#event_type);
        }
    }
}

/// A local variable for each field.
fn locals(fields: &[Field]) -> impl Iterator<Item = TokenStream> {
    fields.iter().map(|field| {
        let ident = ident(&field.name);
        if field.required {
            quote!(let mut #ident = None;)
        } else {
            quote!(let mut #ident = Default::default();)
        }
    })
}

fn tolerant(it: &Type, fields: &[Field], kind: Tolerant) -> Result<TokenStream> {
    let name = ident(&it.name);
    let locals = locals(fields);
    let arms = fields.iter().map(|field| {
        let reader = field.tolerant_reader().map_err(|error| format!("{}.{error}", it.name))?;
        let ident = ident(&field.name);
        let names: Vec<_> = std::iter::once(&field.name).chain(&field.aliases).collect();
        let name = &field.name;
        Ok(match field.required {
            // An identifier occurs once, and is read or is not.
            true => quote! {
                #(#names)|* if #ident.is_some() => return None,
                #(#names)|* => #ident = unread.required(#name, value)?,
            },
            false => quote!(#(#names)|* => #ident = #reader,),
        })
    });
    let arms = arms.collect::<Result<Vec<_>>>()?;
    let members = fields.iter().map(|field| {
        let ident = ident(&field.name);
        if field.required { quote!(#ident: #ident?) } else { quote!(#ident) }
    });
    let unread = unread(it);
    let with_unread = (kind == Tolerant::Keeps).then(|| {
        quote! {
            fn with_unread(mut self, fields: crate::UnreadFields) -> Self {
                self.unread = fields;
                self
            }
        }
    });
    Ok(quote! {
        impl crate::Tolerant for #name {
            fn read_members(
                members: crate::unread::Members<'_>,
                unread: &mut crate::unread::Unread<'_>,
            ) -> Option<Self> {
                #(#locals)*
                let mut extra = crate::Extra::default();
                for (member, value) in members.into_iter() {
                    match &*member {
                        #(#arms)*
                        _ => extra.insert(member, crate::Json::from_raw(value)),
                    }
                }
                Some(Self { #(#members,)* extra, #unread })
            }
            #with_unread
        }
    })
}

/// Where a type keeps what could not be read: nothing yet.
fn unread(it: &Type) -> Option<TokenStream> {
    let keeps = it.tolerant == Some(Tolerant::Keeps);
    keeps.then(|| quote!(unread: crate::UnreadFields::default(),))
}

fn constructor(it: &Type, fields: &[Field]) -> TokenStream {
    let name = ident(&it.name);
    let (arguments, members): (Vec<_>, Vec<_>) = fields
        .iter()
        .map(|field| {
            let (ident, ty) = (ident(&field.name), field.rust_type());
            if field.required {
                (Some(quote!(#ident: #ty)), quote!(#ident))
            } else {
                (None, quote!(#ident: Default::default()))
            }
        })
        .unzip();
    let arguments = arguments.into_iter().flatten();
    let unread = unread(it);
    quote! {
        impl #name {
            /// One with what it must have, and nothing else.
            #[must_use]
            pub fn new(#(#arguments),*) -> Self {
                Self { #(#members,)* extra: crate::Extra::default(), #unread }
            }
        }
    }
}

fn reader(it: &Type, fields: &[Field]) -> TokenStream {
    let name = ident(&it.name);
    let called = snake(&it.name).replace('_', " ");
    let article = if called.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    let called = format!("{article} {called} object");
    let locals = locals(fields);
    let arms = fields.iter().map(|field| {
        let (ident, reader) = (ident(&field.name), field.reader());
        let names: Vec<_> = std::iter::once(&field.name).chain(&field.aliases).collect();
        let name = &field.name;
        let twice = field
            .required
            .then(|| quote!(#(#names)|* if #ident.is_some() => return Err(wire::twice(#name)),));
        quote!(#twice #(#names)|* => #ident = #reader,)
    });
    let members = fields.iter().map(|field| {
        let (ident, name) = (ident(&field.name), &field.name);
        if field.required {
            quote!(#ident: #ident.ok_or_else(|| wire::missing(#name))?)
        } else {
            quote!(#ident)
        }
    });
    let unread = unread(it);
    quote! {
        impl<'de> wire::Object<'de> for #name {
            const NAME: &'static str = #called;

            fn read<A: serde::de::MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
                #(#locals)*
                let mut extra = crate::Extra::default();
                while let Some(key) = map.next_key::<wire::Key<'de>>()? {
                    match key.as_str() {
                        #(#arms)*
                        _ => wire::unknown(&mut map, &key, &mut extra)?,
                    }
                }
                Ok(Self { #(#members,)* extra, #unread })
            }
        }
    }
}
