//! From the model to Rust.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};

use super::model::{Code, Endpoint, Field, Kind, Model, Shape, Tolerant, Type};
use crate::Result;

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
    files.sort_by(|a, b| a.0.cmp(&b.0));
    for pair in files.windows(2) {
        if pair[0].0 == pair[1].0 {
            return Err(format!("{} and {} would share a file", pair[0].1, pair[1].1).into());
        }
    }
    for (module, name, _) in &files {
        let (module, name) = (format_ident!("{module}"), format_ident!("{name}"));
        modules.push((quote!(mod #module;), quote!(pub use #module::#name;)));
    }
    let (mods, uses): (Vec<_>, Vec<_>) = modules.into_iter().unzip();
    let index = quote!(#(#mods)* #(#uses)*);
    let mut out = vec![("mod.rs".to_owned(), pretty(index)?)];
    for (module, _, tokens) in files {
        out.push((format!("{module}.rs"), pretty(tokens)?));
    }
    Ok(out)
}

fn pretty(tokens: TokenStream) -> Result<String> {
    Ok(prettyplease::unparse(&syn::parse2(tokens)?))
}

/// `RobotAccountList` to `robot_account_list`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

fn ident(name: &str) -> Ident {
    syn::parse_str::<Ident>(name).unwrap_or_else(|_| Ident::new_raw(name, Span::call_site()))
}

fn doc(text: &str) -> TokenStream {
    let lines = text.lines().map(|line| format!(" {}", line.trim()));
    quote!(#(#[doc = #lines])*)
}

fn type_file(it: &Type) -> Result<TokenStream> {
    match &it.shape {
        Shape::Struct(fields) => struct_file(it, fields),
        Shape::OpenEnum(codes) => enum_file(it, codes),
    }
}

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
                quote!(crate::Entries<crate::#name>)
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
            Kind::Entries(_) => quote!(crate::entries::read),
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

fn struct_file(it: &Type, fields: &[Field]) -> Result<TokenStream> {
    let (name, text, plain_doc) = (ident(&it.name), &it.name, doc(&it.doc));
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
    let unread = keeps.then(|| {
        quote! {
            /// Fields that could not be read, with their raw values; written as `_unread`.
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
    let event = it.event_type.map(|event_type| {
        let event_type = proc_macro2::Literal::i64_unsuffixed(event_type);
        quote! {
            impl crate::CallbackPayload for #name {
                const EVENT_TYPE: i64 = #event_type;
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
            /// Fields that are not known here, kept and written again.
            pub extra: crate::Extra,
            #unread
        }
        #constructor
        impl std::fmt::Debug for #name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(#text)#(#debug)*.field("extra", &self.extra)#debug_unread.finish()
            }
        }
        impl serde::Serialize for #name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                #(#writes)*
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
    })
}

/// Where what is read of each field is put.
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
        let (ident, reader) = (ident(&field.name), field.tolerant_reader()?);
        let names: Vec<_> = std::iter::once(&field.name).chain(&field.aliases).collect();
        let name = &field.name;
        Ok(match field.required {
            // What identifies it stands there once, and is read or is not.
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

fn enum_file(it: &Type, codes: &[Code]) -> Result<TokenStream> {
    let (name, doc_text) = (ident(&it.name), doc(&it.doc));
    let variants: Vec<_> = codes.iter().map(|code| ident(&code.name)).collect();
    let values: Vec<_> =
        codes.iter().map(|code| proc_macro2::Literal::i64_unsuffixed(code.value)).collect();
    let docs = codes
        .iter()
        .map(|code| doc(&format!("{}: {} ({}).", code.value, code.label_en, code.label_zh)));
    let (en, zh) = (codes.iter().map(|it| &it.label_en), codes.iter().map(|it| &it.label_zh));
    if !codes.iter().any(|code| code.value == 0) {
        return Err(
            format!("{}: no code 0, which stands for a value that is not given", it.name).into()
        );
    }
    Ok(quote! {
        #doc_text
        ///
        /// Open: a code that nobody knew when this was written is kept as the number it came as.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum #name {
            #(#docs #variants,)*
            /// A code that is not known here. Make it with `from`, which finds the known ones.
            Unknown(i64),
        }
        impl #name {
            /// Every code that is known here.
            pub const KNOWN: &'static [Self] = &[#(Self::#variants),*];

            /// The number that stands for it on the wire.
            #[must_use]
            pub const fn code(self) -> i64 {
                match self {
                    #(Self::#variants => #values,)*
                    Self::Unknown(code) => code,
                }
            }

            /// What it means, in English.
            #[must_use]
            pub const fn label_en(self) -> &'static str {
                match self {
                    #(Self::#variants => #en,)*
                    Self::Unknown(_) => "unknown code",
                }
            }

            /// What it means, in Chinese.
            #[must_use]
            pub const fn label_zh(self) -> &'static str {
                match self {
                    #(Self::#variants => #zh,)*
                    Self::Unknown(_) => "未知代码",
                }
            }
        }
        impl From<i64> for #name {
            fn from(code: i64) -> Self {
                match code {
                    #(#values => Self::#variants,)*
                    code => Self::Unknown(code),
                }
            }
        }
        impl From<#name> for i64 {
            fn from(value: #name) -> Self {
                value.code()
            }
        }
        impl Default for #name {
            fn default() -> Self {
                Self::from(0)
            }
        }
        impl serde::Serialize for #name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_i64(self.code())
            }
        }
        impl<'de> serde::Deserialize<'de> for #name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::wire::required_scalar::<D, i64>(deserializer, "code").map(Self::from)
            }
        }
    })
}

fn endpoint_file(it: &Endpoint) -> TokenStream {
    let (name, text, path) = (ident(&it.name), &it.name, &it.path);
    let (request, answer, doc) = (ident(&it.request), ident(&it.answer), doc(&it.doc));
    quote! {
        #doc
        #[derive(Clone, Copy, Debug)]
        #[non_exhaustive]
        pub struct #name;

        impl crate::Endpoint for #name {
            const NAME: &'static str = #text;
            const PATH: &'static str = #path;
            type Request = crate::#request;
            type Answer = crate::#answer;
        }
    }
}
