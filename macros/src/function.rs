//! What can be read off a function that is to be a tool?

use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, FnArg, Ident, ItemFn, Lit, Meta, Pat, PatType, Token, Type, parse_quote};

/// A function as the tool needs it.
pub(crate) struct Function {
    /// Without what is said of its arguments, which no function may say.
    pub(crate) item: ItemFn,
    /// What its documentation says.
    pub(crate) description: String,
    pub(crate) arguments: Vec<Argument>,
}

/// One argument, in its place.
pub(crate) enum Argument {
    /// The model gives it. `attributes` are those of a field: its documentation, and what serde and schemars are told.
    Given { name: Ident, r#type: Box<Type>, attributes: Vec<Attribute> },
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
        let own = |argument: &Argument| match argument {
            Argument::Given { name, .. } if *name == item.sig.ident => Some(name.span()),
            _ => None,
        };
        if let Some(span) = arguments.iter().find_map(own) {
            let what =
                "an argument cannot have the name of its tool, which is a type of this name: give it another one";
            return Err(syn::Error::new(span, what));
        }
        Ok(Self { item, description, arguments })
    }
}

fn arguments(inputs: &mut Punctuated<FnArg, Token![,]>) -> syn::Result<Vec<Argument>> {
    let of = |input: &mut FnArg| match input {
        FnArg::Receiver(receiver) => {
            let what = "a tool is a function of its own and no method. One with state is a closure that holds it, by \
                        `DynamicTool::typed`, or a type of yours with the trait `Tool`";
            Err(syn::Error::new(receiver.span(), what))
        }
        FnArg::Typed(PatType { pat, ty, attrs, .. }) => {
            if is_context(ty) {
                return Ok(Argument::Context);
            }
            if let Type::Reference(reference) = &**ty {
                if is_context(&reference.elem) {
                    let what = "write `ToolContext` by value: it is a handle, and the tool has its own";
                    return Err(syn::Error::new(reference.span(), what));
                }
                let what = "an argument comes out of JSON and is owned: write String for &str, Vec<T> for &[T]. What the model \
                            does not give, such as the handle of a database, is held by a closure: `DynamicTool::typed`";
                return Err(syn::Error::new(reference.span(), what));
            }
            if let Type::ImplTrait(generic) = &**ty {
                let what = "an argument comes out of JSON and is of one type, which its schema is of: write String for impl Into<String>";
                return Err(syn::Error::new(generic.span(), what));
            }
            let Pat::Ident(name) = &**pat else {
                return Err(syn::Error::new(pat.span(), "an argument of a tool needs a name, which the model is told"));
            };
            let is_of_a_field =
                |attribute: &mut Attribute| ["doc", "serde", "schemars"].iter().any(|of| attribute.path().is_ident(of));
            let attributes = attrs.extract_if(.., is_of_a_field).map(without_stars).collect();
            Ok(Argument::Given { name: name.ident.clone(), r#type: ty.clone(), attributes })
        }
    };
    inputs.iter_mut().map(of).collect()
}

fn is_context(r#type: &Type) -> bool {
    matches!(r#type, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "ToolContext"))
}

/// The lines of a documentation comment.
fn documentation(attributes: &[Attribute]) -> String {
    let lines: Vec<_> = attributes.iter().filter_map(said).map(|lines| plain(&lines)).collect();
    let lines: Vec<_> = lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}

/// What a part of a documentation comment says: a line, or a whole `/** .. */`.
fn said(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// The same of an argument, whose schema has the words of its documentation as they are.
fn without_stars(attribute: Attribute) -> Attribute {
    match said(&attribute).filter(|lines| lines.contains('\n')) {
        Some(lines) => {
            let lines = plain(&lines);
            parse_quote!(#[doc = #lines])
        }
        None => attribute,
    }
}

/// What a `/** .. */` says, without the ` * ` or the spaces that its lines begin with; one line is left as it is.
fn plain(comment: &str) -> String {
    let Some((first, rest)) = comment.split_once('\n') else { return comment.to_owned() };
    let written = || rest.lines().filter(|line| !line.trim().is_empty());
    let is_starred = |line: &str| line == "*" || line.starts_with("* ");
    let starred = written().all(|line| is_starred(line.trim()));
    let margin = written().map(|line| line.len() - line.trim_start().len()).min().unwrap_or_default();
    let line = |line: &str| {
        let line = line.get(margin..).unwrap_or(line.trim_start());
        let line = if starred { line.trim_start().strip_prefix('*').unwrap_or_default() } else { line };
        let line = if starred { line.strip_prefix(' ').unwrap_or(line) } else { line };
        line.trim_end().to_owned()
    };
    let lines: Vec<_> = std::iter::once(first.trim().to_owned()).chain(rest.lines().map(line)).collect();
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of functions that are no tools.
    #[test]
    fn what_cannot_be_a_tool_says_what_to_do_instead() {
        for (function, words) in [
            (
                "/// Looks.\nfn look(&self, city: String) {}",
                &["no method", "state", "DynamicTool::typed", "`Tool`"][..],
            ),
            ("/// Looks.\nfn look(self: Arc<Self>) {}", &["no method"]),
            ("/// Looks.\nfn look(city: &str) {}", &["String for &str", "DynamicTool::typed"]),
            ("/// Looks.\nfn look(pool: &Pool, city: String) {}", &["does not give", "DynamicTool::typed"]),
            ("/// Looks.\nfn look(ctx: &ToolContext) {}", &["write `ToolContext` by value"]),
            ("/// Looks.\nfn look(city: impl Into<String>) {}", &["one type", "String for impl Into<String>"]),
            ("/// Looks.\nfn look((a, b): (u8, u8)) {}", &["needs a name"]),
            ("/// Looks.\nfn look(look: String) {}", &["another"]),
            ("/// Looks.\nfn look<T>(city: T) {}", &["no generic parameters"]),
            ("fn look(city: String) {}", &["documentation comment"]),
        ] {
            let said = Function::of(syn::parse_str(function).unwrap()).err().expect(function).to_string();
            assert!(words.iter().all(|word| said.contains(word)), "{function}: {said}");
        }
    }

    #[test]
    fn the_model_is_told_the_words_of_a_comment_and_not_how_it_is_drawn() {
        for (comment, words) in [
            ("/// Looks.\n///\n///   - far\n", "Looks.\n\n  - far"),
            ("/** Looks. */", "Looks."),
            ("/**\n * Looks.\n *\n *   - far\n */", "Looks.\n\n  - far"),
            ("    /** Looks.\n     * Far. */", "Looks.\nFar."),
            ("/**\n    Looks.\n\n      - far\n*/", "Looks.\n\n  - far"),
            ("/**\n * Looks.\n */\n/// Far.\n", "Looks.\nFar."),
            ("/** Grüße\n\u{a0}* größer. */", "Grüße\ngrößer."),
        ] {
            let function =
                Function::of(syn::parse_str(&format!("{comment} fn look({comment} city: String) {{}}")).unwrap());
            let Function { description, arguments, .. } = function.ok().unwrap();
            assert_eq!(description, words, "{comment}");
            let [Argument::Given { attributes, .. }] = &arguments[..] else { panic!("{comment}") };
            // As schemars puts them together.
            let lines: Vec<_> = attributes.iter().filter_map(said).collect();
            let lines: Vec<_> = lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
            assert_eq!(lines.join("\n").trim(), words, "{comment}");
        }
    }

    #[test]
    fn what_is_said_of_an_argument_goes_to_its_field() {
        let text = "/// Looks.\nfn look(/// Where.\n#[schemars(length(max = 9))] #[serde(default)] city: String, context: ToolContext) {}";
        let function = Function::of(syn::parse_str(text).unwrap()).ok().unwrap();
        let [Argument::Given { attributes, .. }, Argument::Context] = &function.arguments[..] else { panic!("{text}") };
        assert_eq!(attributes.len(), 3);
        let left = function.item.sig.inputs.iter().map(|input| match input {
            FnArg::Typed(input) => input.attrs.len(),
            FnArg::Receiver(_) => 1,
        });
        assert_eq!(left.sum::<usize>(), 0, "no function may say it");
    }
}
