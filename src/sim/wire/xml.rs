//! XML as AWS writes it.
//!
//! What it is for: building answers of awsQuery and restXml services, and their two error shapes.
//! What it must not do: parse XML, or know any service's shapes.

use std::fmt::{Display, Write};

use jiff::Timestamp;

use crate::sim::call::{Call, Fault, Reply};

/// XML under construction.
#[derive(Clone, Debug, Default)]
pub struct Xml(String);

impl Xml {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An element with text.
    pub fn leaf(&mut self, name: &str, value: impl Display) -> &mut Self {
        let value = value.to_string();
        let _ = write!(self.0, "<{name}>{}</{name}>", quick_xml::escape::escape(value.as_str()));
        self
    }

    /// Text by itself.
    pub fn text(&mut self, value: &str) {
        self.0.push_str(&quick_xml::escape::escape(value));
    }

    /// An element with text, when there is any.
    pub fn maybe(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.leaf(name, value);
        }
        self
    }

    /// An element with others inside.
    pub fn group(&mut self, name: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        let _ = write!(self.0, "<{name}>");
        inside(self);
        let _ = write!(self.0, "</{name}>");
        self
    }

    /// An element with attributes (already XML) and others inside.
    pub fn with(&mut self, name: &str, attributes: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        let _ = write!(self.0, "<{name} {attributes}>");
        inside(self);
        let _ = write!(self.0, "</{name}>");
        self
    }

    /// A list: `name` around one `item` each.
    pub fn list<T>(
        &mut self,
        name: &str,
        item: &str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.group(name, |xml| {
            for one in items {
                xml.group(item, |xml| each(xml, one));
            }
        })
    }

    /// Other XML, as it is.
    pub fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// What has been written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A time as XML services write it.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// A restXml answer with the XML declaration.
pub fn reply(operation: &str, body: &Xml) -> Reply {
    Reply {
        status: 200,
        headers: vec![("content-type", "text/xml".into())],
        body: format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", body.as_str()).into_bytes(),
        operation: operation.to_owned(),
        error: None,
    }
}

/// The error of awsQuery services and Route 53.
pub fn error(call: &Call, operation: &str, fault: &Fault) -> Reply {
    let mut xml = Xml::new();
    xml.group("ErrorResponse", |xml| {
        xml.group("Error", |xml| {
            xml.leaf("Type", if fault.status < 500 { "Sender" } else { "Receiver" });
            xml.leaf("Code", &fault.code).leaf("Message", &fault.message);
        });
        xml.leaf("RequestId", &call.request_id);
    });
    failed(operation, fault, &xml)
}

/// EC2's error.
pub fn ec2_error(call: &Call, operation: &str, fault: &Fault) -> Reply {
    let mut xml = Xml::new();
    xml.group("Response", |xml| {
        xml.list("Errors", "Error", [fault], |xml, fault| {
            xml.leaf("Code", &fault.code).leaf("Message", &fault.message);
        });
        xml.leaf("RequestID", &call.request_id);
    });
    failed(operation, fault, &xml)
}

/// S3's error: bare, with whatever its code adds, and without a body for HEAD.
pub fn s3_error(call: &Call, operation: &str, fault: &Fault, details: &[(&str, &str)]) -> Reply {
    let mut xml = Xml::new();
    xml.group("Error", |xml| {
        xml.leaf("Code", &fault.code).leaf("Message", &fault.message);
        for (name, value) in details {
            xml.leaf(name, value);
        }
        xml.leaf("RequestId", &call.request_id).leaf("HostId", super::super::route::host_id(call));
    });
    let mut reply = failed(operation, fault, &xml);
    if call.method == "HEAD" {
        reply.body.clear();
    }
    reply
}

fn failed(operation: &str, fault: &Fault, body: &Xml) -> Reply {
    Reply { status: fault.status, error: Some(fault.code.clone()), ..reply(operation, body) }
}
