//! XML that callers send, as a tree.
//!
//! What it is for: the bodies of restXml requests. What it must not do: write XML, or know any service's shapes.

use quick_xml::Reader;
use quick_xml::events::Event;

/// An element: its name without a prefix, its own text, the elements inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Name.
    pub name: String,
    /// Text directly inside, trimmed.
    pub text: String,
    /// Elements inside.
    pub children: Vec<Node>,
}

/// How deep elements may lie in each other.
const DEEPEST: usize = 32;

impl Node {
    /// The first element of that name inside.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first element of that name inside; an empty one counts as absent.
    pub fn leaf(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str()).filter(|text| !text.is_empty())
    }

    /// The elements inside a list.
    pub fn list(&self, name: &str) -> &[Self] {
        self.child(name).map_or(&[], |list| &list.children)
    }
}

/// The root element of a body; `None` when it is no XML.
pub fn parse(body: &[u8]) -> Option<Node> {
    let text = std::str::from_utf8(body).ok()?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Node> = Vec::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                if open.len() >= DEEPEST {
                    return None;
                }
                open.push(named(start.local_name().as_ref()));
            }
            Event::Empty(start) => open.last_mut()?.children.push(named(start.local_name().as_ref())),
            Event::End(_) => {
                let mut done = open.pop()?;
                done.text.truncate(done.text.trim_end().len());
                done.text.drain(..done.text.len() - done.text.trim_start().len());
                match open.last_mut() {
                    Some(outer) => outer.children.push(done),
                    None => return Some(done),
                }
            }
            Event::Text(text) => {
                if let Some(node) = open.last_mut() {
                    node.text.push_str(&text);
                }
            }
            Event::GeneralRef(reference) => {
                let node = open.last_mut()?;
                match reference.resolve_char_ref().ok()? {
                    Some(one) => node.text.push(one),
                    None => {
                        node.text.push_str(quick_xml::escape::resolve_predefined_entity(&reference)?);
                    }
                }
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

fn named(name: &str) -> Node {
    Node { name: name.to_owned(), ..Node::default() }
}
