//! Open enumerations.

use proc_macro2::TokenStream;
use quote::quote;

use super::names::{doc, ident};
use crate::Result;
use crate::codegen::model::{Code, Type};

pub(super) fn file(it: &Type, codes: &[Code]) -> Result<TokenStream> {
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
        /// Open: an unknown code keeps its number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum #name {
            #(#docs #variants,)*
            /// An unknown code. Make it with `from`, which finds the known ones.
            Unknown(i64),
        }
        impl #name {
            /// Every known code.
            pub const KNOWN: &'static [Self] = &[#(Self::#variants),*];

            /// The number on the wire.
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
        impl From<#name> for crate::Code {
            fn from(value: #name) -> Self {
                match value {
                    #name::Unknown(code) => Self::unknown(code),
                    known => Self::known(known.code(), known.label_zh(), known.label_en()),
                }
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
