//! How reports are written as JSON: the fields, and next to them the facts that methods compute.

use crate::{CrcVerdict, Finding, ImageNode, Report, Severity};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use serde::{Serialize, Serializer, ser::SerializeStruct};

/// A finding with what a program needs to act on it and a person to read it.
#[derive(Serialize)]
struct Described<'f> {
    severity: Severity,
    code: &'static str,
    message: String,
    #[serde(flatten)]
    finding: &'f Finding,
}

/// Findings with severity, code and message.
pub(crate) fn findings<S: Serializer>(findings: &[Finding], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(findings.iter().map(|finding| Described {
        severity: finding.severity(),
        code: finding.code(),
        message: finding.to_string(),
        finding,
    }))
}

/// An image with its place in the tree and its verdict.
#[derive(Serialize)]
struct Placed<'i> {
    path: String,
    verdict: CrcVerdict,
    #[serde(flatten)]
    image: &'i ImageNode,
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let images: Vec<Placed<'_>> = self
            .images
            .iter()
            .enumerate()
            .map(|(place, image)| Placed {
                path: self.path(place),
                verdict: image.verdict(),
                image,
            })
            .collect();
        let protocols: Vec<_> = self
            .families
            .iter()
            .map(crate::Family::download_protocol)
            .collect();
        let mut fields = serializer.serialize_struct("Report", 12)?;
        fields.serialize_field("name", &self.name)?;
        fields.serialize_field("size", &self.size)?;
        fields.serialize_field("kind", &self.kind)?;
        fields.serialize_field("versions", &self.versions)?;
        fields.serialize_field("platforms", &self.platforms)?;
        fields.serialize_field("families", &self.families)?;
        fields.serialize_field("families_from", &self.families_from)?;
        fields.serialize_field("protocols", &protocols)?;
        fields.serialize_field("images", &images)?;
        fields.serialize_field("trailer", &self.trailer)?;
        fields.serialize_field("settings", &self.settings)?;
        fields.serialize_field("findings", &Findings(&self.findings))?;
        fields.end()
    }
}

struct Findings<'f>(&'f [Finding]);

impl Serialize for Findings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        findings(self.0, serializer)
    }
}
