//! How does a function become a tool? `#[tool]` writes what a person would: the arguments as a struct with its schema, and the
//! `Tool` port. Its documentation for users stands at `callboard::tool`.
//!
//! - `options`: what stands in the brackets of the attribute
//! - `function`: what can be read off the function
//! - `attributes`: to which of what is written an attribute of the function belongs
//! - `code`: what is written

mod attributes;
mod code;
mod function;
mod options;

use proc_macro::TokenStream;
use syn::{ItemFn, parse_macro_input};

/// Makes a tool of a function. See `callboard::tool`.
#[proc_macro_attribute]
pub fn tool(options: TokenStream, item: TokenStream) -> TokenStream {
    let options = parse_macro_input!(options as options::Options);
    let function = parse_macro_input!(item as ItemFn);
    function::Function::of(function)
        .and_then(|function| Ok(code::write(&options, &options.name_of(&function.item.sig.ident)?, &function)))
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
