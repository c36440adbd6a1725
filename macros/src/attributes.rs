//! To what does an attribute of the function belong: to the type that is the tool, or to the function behind it?

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token, parse_quote};

/// The attributes of a function, where they belong.
pub(crate) struct Attributes {
    /// What is said of the tool: its documentation, when it is there, which lints hold.
    pub(crate) of_struct: Vec<Attribute>,
    /// Of the block behind it, which is there when the type is.
    pub(crate) of_block: Vec<Attribute>,
    /// All that says how the function is compiled, and what other macros make of it.
    pub(crate) of_function: Vec<Attribute>,
}

impl Attributes {
    pub(crate) fn of(attributes: &[Attribute]) -> Self {
        let (mut of_struct, mut of_block, mut of_function) = (Vec::new(), Vec::new(), Vec::new());
        for attribute in attributes {
            let place = place(&attribute.meta);
            if place != Place::Function {
                of_struct.push(attribute.clone());
            }
            if matches!(place, Place::Function | Place::Both) {
                of_function.push(attribute.clone());
            }
            if attribute.path().is_ident("cfg") {
                of_block.push(attribute.clone());
            }
            if attribute.path().is_ident("deprecated") {
                // It is a warning for whoever uses it, and not for what makes it a tool.
                of_block.push(parse_quote!(#[allow(deprecated)]));
            }
        }
        Self { of_struct, of_block, of_function }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Struct,
    Function,
    Both,
}

fn place(meta: &Meta) -> Place {
    let is = |names: &[&str]| names.iter().any(|name| meta.path().is_ident(name));
    if is(&["doc", "cfg", "deprecated"]) {
        Place::Struct
    } else if is(&["allow", "warn", "deny", "forbid"]) {
        Place::Both
    } else if is(&["cfg_attr"]) {
        conditional(meta)
    } else {
        // `expect` too: that nothing is met in the other one would be a warning.
        Place::Function
    }
}

/// Of what stands behind the condition, if all of it belongs to one place.
fn conditional(meta: &Meta) -> Place {
    let parsed = meta.require_list().and_then(|list| {
        let behind = Punctuated::<Meta, Token![,]>::parse_terminated;
        list.parse_args_with(behind)
    });
    let Ok(parts) = parsed else { return Place::Function };
    let mut places = parts.iter().skip(1).map(place);
    let Some(first) = places.next() else { return Place::Function };
    if places.all(|other| other == first) { first } else { Place::Function }
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;

    use super::*;

    #[test]
    fn each_attribute_has_its_place() {
        for (attribute, of_struct, of_block, of_function) in [
            ("#[doc = \"x\"]", true, false, false),
            ("#[cfg(unix)]", true, true, false),
            ("#[deprecated]", true, true, false),
            ("#[allow(dead_code)]", true, false, true),
            ("#[expect(dead_code)]", false, false, true),
            ("#[inline]", false, false, true),
            ("#[must_use]", false, false, true),
            ("#[tracing::instrument(skip_all)]", false, false, true),
            ("#[cfg_attr(unix, doc = \"x\")]", true, false, false),
            ("#[cfg_attr(unix, allow(dead_code), deny(unused))]", true, false, true),
            ("#[cfg_attr(unix, cold, inline)]", false, false, true),
            ("#[cfg_attr(unix, doc = \"x\", inline)]", false, false, true),
        ] {
            let function: syn::ItemFn = syn::parse_str(&format!("{attribute} fn look() {{}}")).unwrap();
            let found = Attributes::of(&function.attrs);
            let has = |found: &[Attribute]| !found.is_empty();
            let places = (has(&found.of_struct), has(&found.of_block), has(&found.of_function));
            assert_eq!(places, (of_struct, of_block, of_function), "{}", function.to_token_stream());
        }
    }
}
