//! What is written for a tool: a type of the function's name, which is the tool.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ReturnType;
use syn::spanned::Spanned;

use super::attributes::Attributes;
use super::function::{Argument, Function};
use super::options::Options;

/// The whole of it.
pub(crate) fn write(options: &Options, spoken: &str, function: &Function) -> TokenStream {
    let Function { item, description, arguments } = function;
    let (name, visibility) = (&item.sig.ident, &item.vis);
    let Attributes { of_struct, of_block, of_function } = Attributes::of(&item.attrs);
    let fields = arguments.iter().filter_map(|argument| match argument {
        Argument::Given { name, r#type, attributes } => Some(quote! { #(#attributes)* #name: #r#type, }),
        Argument::Context => None,
    });
    // Each by itself, at its own place: what is wrong with a type is told there.
    let checked = arguments.iter().filter_map(|argument| match argument {
        Argument::Given { r#type, .. } => {
            Some(quote_spanned! { r#type.span() => const _: () = __port::is_an_argument::<#r#type>(); })
        }
        Argument::Context => None,
    });
    let passed = arguments.iter().map(|argument| match argument {
        Argument::Given { name, .. } => quote! { __arguments.#name },
        Argument::Context => quote! { __context.clone() },
    });
    // By its own name, which spans, backtraces and a call of itself have: within the block it is the function's.
    let call = quote! { #name(#(#passed),*) };
    let is_async = item.sig.asyncness.is_some();
    let (body, policy) = (body(is_async, &call, &output(&item.sig.output)), policy(options, !is_async));
    let mut inner = item.clone();
    inner.attrs = of_function;
    inner.vis = syn::Visibility::Inherited;
    quote! {
        #(#of_struct)*
        #[allow(non_camel_case_types)]
        #[derive(Debug, Clone, Copy)]
        #visibility struct #name;

        #(#of_block)*
        const _: () = {
            use ::callboard::tools::port as __port;

            #[derive(__port::serde::Deserialize, __port::schemars::JsonSchema)]
            #[serde(crate = "::callboard::tools::port::serde", deny_unknown_fields)]
            #[schemars(crate = "::callboard::tools::port::schemars")]
            struct Arguments { #(#fields)* }

            #(#checked)*

            #[allow(clippy::unused_async)]
            #inner

            impl __port::Tool for #name {
                fn spec(&self) -> ::std::sync::Arc<__port::ToolSpec> {
                    static SPEC: ::std::sync::OnceLock<::std::sync::Arc<__port::ToolSpec>> = ::std::sync::OnceLock::new();
                    SPEC.get_or_init(|| ::std::sync::Arc::new(__port::spec_of::<Arguments>(#spoken, #description))).clone()
                }

                #policy

                fn call(
                    &self,
                    __arguments: __port::Value,
                    __context: __port::ToolContext,
                ) -> __port::BoxFuture<'static, ::std::result::Result<::std::string::String, __port::ToolError>> {
                    static CHECKED: __port::Checked = __port::Checked::new();
                    let __read = __port::arguments(__arguments, &CHECKED, &__port::Tool::spec(self));
                    ::std::boxed::Box::pin(async move {
                        let __arguments: Arguments = __read?;
                        let _ = (&__arguments, &__context);
                        #body
                    })
                }
            }
        };
    }
}

/// A plain function may block: it runs on the pool for that.
fn body(is_async: bool, call: &TokenStream, output: &TokenStream) -> TokenStream {
    match is_async {
        true => quote! { #output(#call.await) },
        false => quote! {
            let __place = __context.place.hold();
            __port::blocking(__place, move || #output(#call)).await
        },
    }
}

/// What makes words of the result. Where its type can be written it is, so that what is wrong with it is told there.
fn output(output: &ReturnType) -> TokenStream {
    match output {
        ReturnType::Type(_, r#type) if !has_impl(r#type.to_token_stream()) => {
            quote_spanned! { r#type.span() => <#r#type as __port::ToolOutput>::into_output }
        }
        _ => quote! { __port::output },
    }
}

/// Whether a type has a part that only its function can name.
fn has_impl(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => has_impl(group.stream()),
        TokenTree::Ident(ident) => ident == "impl",
        _ => false,
    })
}

fn policy(options: &Options, blocks: bool) -> TokenStream {
    let Options { timeout, attempts, at_once, max_output, sequential, needs_approval, .. } = options;
    let timeout = timeout.map(|time| quote! { policy.timeout = ::std::time::Duration::from_millis(#time); });
    let attempts = attempts.map(|attempts| quote! { policy.attempts = #attempts; });
    let at_once = at_once.map(|calls| quote! { policy.at_once = ::std::option::Option::Some(#calls); });
    let max_output = max_output.map(|bytes| quote! { policy.max_output = #bytes; });
    let needs_approval = needs_approval.then(|| quote! { policy.needs_approval = true; });
    let blocks = blocks.then(|| quote! { policy.blocks = true; });
    let sequential = sequential.then(|| quote! { policy.sequential = true; });
    quote! {
        fn policy(&self) -> __port::ToolPolicy {
            #[allow(unused_mut)]
            let mut policy = __port::ToolPolicy::default();
            #timeout #attempts #at_once #max_output #blocks #sequential #needs_approval
            policy
        }
    }
}
