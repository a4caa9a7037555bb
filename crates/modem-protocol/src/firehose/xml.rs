//! The small part of XML that Firehose uses: a root, elements with attributes, nothing nested.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use crate::ParseError;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n";

/// An element with its attributes in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
}

impl Element {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_string(),
            attributes: Vec::new(),
        }
    }

    pub(super) fn with(mut self, name: &str, value: impl core::fmt::Display) -> Self {
        self.attributes.push((name.to_string(), value.to_string()));
        self
    }

    /// Removes the attribute with exactly this name and returns its value.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.attributes.iter().position(|(present, _)| present == name)?;
        Some(self.attributes.remove(at).1)
    }

    /// Appends a document that contains only this element and ends with `</data>`.
    pub(super) fn encode_document(&self, out: &mut Vec<u8>) {
        let mut text = String::from(DECLARATION);
        text.push_str("<data>\n<");
        text.push_str(&self.name);
        for (name, value) in &self.attributes {
            text.push(' ');
            text.push_str(name);
            text.push_str("=\"");
            escape(value, &mut text);
            text.push('"');
        }
        text.push_str(" />\n</data>");
        out.extend_from_slice(text.as_bytes());
    }
}

/// The elements of a document, in order: the children of its root, or the root itself if it isn't `<data>`.
///
/// Characters that XML forbids are read as U+FFFD, so that an odd log line doesn't fail an update.
pub(super) fn elements(document: &[u8]) -> Result<Vec<Element>, ParseError> {
    let text = String::from_utf8_lossy(document);
    let text = if text.chars().all(is_allowed) {
        text
    } else {
        Cow::Owned(
            text.chars()
                .map(|c| {
                    if is_allowed(c) {
                        c
                    } else {
                        char::REPLACEMENT_CHARACTER
                    }
                })
                .collect(),
        )
    };
    let options = roxmltree::ParsingOptions {
        nodes_limit: 4096,
        ..Default::default()
    };
    let parsed =
        roxmltree::Document::parse_with_options(text.trim(), options).map_err(|_| ParseError::Text {
            field: "document",
            expected: "well-formed XML",
        })?;
    let root = parsed.root_element();
    let nodes: Vec<_> = if root.tag_name().name() == "data" {
        root.children().filter(roxmltree::Node::is_element).collect()
    } else {
        [root].into()
    };
    Ok(nodes
        .into_iter()
        .map(|node| {
            // Attribute names with a prefix don't belong to Firehose. Without their prefix, a name could occur twice.
            let attributes = node
                .attributes()
                .filter(|attribute| attribute.namespace().is_none());
            Element {
                name: node.tag_name().name().to_string(),
                attributes: attributes
                    .map(|a| (a.name().to_string(), a.value().to_string()))
                    .collect(),
            }
        })
        .collect())
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // An XML parser turns these into blanks unless they are written as character references.
            '\t' | '\n' | '\r' => drop(write!(out, "&#{};", u32::from(c))),
            c if is_allowed(c) => out.push(c),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
}
