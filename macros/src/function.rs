//! What can be read off a function that is to be a tool?

use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, FnArg, Ident, ItemFn, Lit, Meta, Pat, PatType, Token, Type};

/// A function as the tool needs it.
pub(crate) struct Function {
    /// Without the documentation of its arguments, which no function may have.
    pub(crate) item: ItemFn,
    /// What its documentation says.
    pub(crate) description: String,
    pub(crate) arguments: Vec<Argument>,
}

/// One argument, in its place.
pub(crate) enum Argument {
    /// The model gives it.
    Given { name: Ident, r#type: Box<Type>, docs: Vec<Attribute> },
    /// The `ToolContext`.
    Context,
}

impl Function {
    pub(crate) fn of(mut item: ItemFn) -> syn::Result<Self> {
        if let Some(generic) = item.sig.generics.params.first() {
            return Err(syn::Error::new(generic.span(), "a tool has no generic parameters: its schema is of one type"));
        }
        let description = documentation(&item.attrs);
        if description.is_empty() {
            let what =
                "a tool needs a documentation comment: it tells the model what the tool does and when to call it";
            return Err(syn::Error::new(item.sig.ident.span(), what));
        }
        let arguments = arguments(&mut item.sig.inputs)?;
        Ok(Self { item, description, arguments })
    }
}

fn arguments(inputs: &mut Punctuated<FnArg, Token![,]>) -> syn::Result<Vec<Argument>> {
    let of = |input: &mut FnArg| match input {
        FnArg::Receiver(receiver) => {
            Err(syn::Error::new(receiver.span(), "a tool is a function of its own and no method"))
        }
        FnArg::Typed(PatType { pat, ty, attrs, .. }) => {
            if is_context(ty) {
                return Ok(Argument::Context);
            }
            if let Type::Reference(reference) = &**ty {
                let what = "an argument comes out of JSON and is owned: write String for &str, Vec<T> for &[T]";
                return Err(syn::Error::new(reference.span(), what));
            }
            let Pat::Ident(name) = &**pat else {
                return Err(syn::Error::new(pat.span(), "an argument of a tool needs a name, which the model is told"));
            };
            let docs = attrs.extract_if(.., |attribute| attribute.path().is_ident("doc")).collect();
            Ok(Argument::Given { name: name.ident.clone(), r#type: ty.clone(), docs })
        }
    };
    inputs.iter_mut().map(of).collect()
}

fn is_context(r#type: &Type) -> bool {
    matches!(r#type, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "ToolContext"))
}

/// The lines of a documentation comment.
fn documentation(attributes: &[Attribute]) -> String {
    let line = |attribute: &Attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    };
    let lines: Vec<_> = attributes.iter().filter_map(line).collect();
    let lines: Vec<_> = lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}
