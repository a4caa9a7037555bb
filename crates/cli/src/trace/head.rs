//! The head of a trace says what the program was asked to do (docs/trace-format.md). Images that stand in for the recorded ones can
//! be made from it.

use std::io::{self, Read};

use firmware_image::source::{self, ImageSource};
use firmware_image::{Family, FileKind, Finding, Report};
use serde::{Deserialize, Serialize};
use update_engine::{Firmware, Request, Selector};

/// The largest size for which a stand-in is made: the largest size that a CWE header can state.
const LARGEST: u64 = (1 << 32) + 400;

/// A line of the head about one image.
#[derive(Debug, Serialize, Deserialize)]
struct HeadImageLine {
    name: String,
    size: u64,
    header: String,
    families: Vec<String>,
}

/// The head's lines, without the `# ` in front.
pub(crate) fn write(request: &Request, firmware: &Firmware) -> io::Result<String> {
    let mut line = request.clone();
    // An IMEI can identify a person: keep it out of traces.
    if matches!(line.select, Selector::Imei(_)) {
        line.select = Selector::Only;
    }
    let mut text = format!(
        "modemflash {}\nrequest {}\n",
        env!("CARGO_PKG_VERSION"),
        serde_json::to_string(&line)?
    );
    for (report, source) in firmware.images() {
        let header = match report.kind {
            FileKind::Cwe => {
                let mut header = [0; firmware_image::cwe::HEADER_SIZE];
                source.open()?.read_exact(&mut header)?;
                header.iter().map(|byte| format!("{byte:02x}")).collect()
            }
            FileKind::Gobi(_) => String::new(),
        };
        // The user's folders are private: write the file name only.
        let name = report.name.rsplit('/').next().unwrap_or_default().to_owned();
        let families = report.families.iter().map(ToString::to_string).collect();
        let line = HeadImageLine {
            name,
            size: report.size,
            header,
            families,
        };
        text.push_str(&format!("image {}\n", serde_json::to_string(&line)?));
    }
    Ok(text)
}

/// What the head of a trace says.
#[derive(Debug)]
pub(crate) struct TraceHead {
    pub(crate) request: Request,
    images: Vec<HeadImageLine>,
}

impl TraceHead {
    /// Finds the head's lines among the comments of a trace. An error says what is wrong with them.
    pub(crate) fn parse(comments: &[String]) -> Result<Self, String> {
        let mut request = None;
        let mut images = Vec::new();
        for comment in comments {
            if let Some(json) = comment.strip_prefix("request ") {
                let asked: Request =
                    serde_json::from_str(json).map_err(|error| format!("request: {error}"))?;
                request = Some(Request {
                    confirmed: true,
                    ..asked
                });
            } else if let Some(json) = comment.strip_prefix("image ") {
                images.push(serde_json::from_str(json).map_err(|error| format!("image: {error}"))?);
            }
        }
        let request = request.ok_or("it doesn't say what was asked for (`# request`)")?;
        Ok(Self { request, images })
    }

    /// Makes images that consist of the recorded headers and zeros behind them.
    pub(crate) fn stand_ins(self) -> Result<Firmware, String> {
        let mut checked: Vec<(Report, Box<dyn ImageSource>)> = Vec::new();
        for image in self.images {
            if image.size > LARGEST {
                return Err(format!(
                    "image {}: {} bytes are more than an image has",
                    image.name, image.size
                ));
            }
            let families = image.families.iter().filter_map(|name| family(name)).collect();
            let header =
                bytes(&image.header).ok_or_else(|| format!("image {}: the header isn't hex", image.name))?;
            let source = StandInImage {
                name: image.name,
                size: image.size,
                header,
            };
            let report =
                inspect(&source, families).map_err(|error| format!("image {}: {error}", source.name))?;
            checked.push((report, Box::new(source)));
        }
        Ok(Firmware::from_reports(checked))
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hex
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect();
    let digits = digits?;
    digits
        .chunks(2)
        .map(|pair| {
            if let [high, low] = pair {
                Some(high << 4 | low)
            } else {
                None
            }
        })
        .collect()
}

fn family(name: &str) -> Option<Family> {
    use Family::{
        Gobi1000, Gobi2000, Gobi3000, Sdx12, Sdx55, Sdx65, Swi9x06, Swi9x07, Swi9x15, Swi9x30, Swi9x40,
        Swi9x50, Swi9200,
    };
    let all = [
        Gobi1000, Gobi2000, Gobi3000, Swi9200, Swi9x15, Swi9x30, Swi9x40, Swi9x50, Swi9x07, Swi9x06, Sdx12,
        Sdx55, Sdx65,
    ];
    all.into_iter().find(|family| family.to_string() == name)
}

fn inspect(source: &StandInImage, families: Vec<Family>) -> Result<Report, Box<dyn std::error::Error>> {
    let mut report = source::check(source, 64 * 1024)?;
    // The checksum of the zeros is wrong, but that says nothing about the images that were sent.
    report.findings.retain(|finding| {
        !matches!(
            finding,
            Finding::BodyDamaged { .. } | Finding::BodySuspicious { .. }
        )
    });
    report.families = families;
    Ok(report)
}

/// An image that consists of a header and zeros behind it.
#[derive(Debug)]
struct StandInImage {
    name: String,
    size: u64,
    header: Vec<u8>,
}

impl ImageSource for StandInImage {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        let header = u64::try_from(self.header.len()).unwrap_or(u64::MAX);
        let zeros = io::repeat(0).take(self.size.saturating_sub(header));
        Ok(Box::new(self.header.as_slice().take(self.size).chain(zeros)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_without_a_request_is_named() {
        assert!(TraceHead::parse(&["modemflash 0.1.0".into()]).is_err());
    }

    #[test]
    fn a_broken_image_line_is_named() {
        let lines = [
            r#"request {"select":{"port":"/dev/ttyUSB0"},"force":false}"#.into(),
            "image {".into(),
        ];
        assert!(TraceHead::parse(&lines).unwrap_err().starts_with("image:"));
    }

    #[test]
    fn odd_or_foreign_digits_are_no_header() {
        assert_eq!(bytes("0a1"), None);
        assert_eq!(bytes("zz"), None);
        assert_eq!(bytes("0aFF"), Some(vec![0x0A, 0xFF]));
    }

    #[test]
    fn every_family_is_found_by_its_name() {
        assert_eq!(family("9x50"), Some(Family::Swi9x50));
        assert_eq!(family("SDX65"), Some(Family::Sdx65));
        assert_eq!(family("unknown (9X40)"), None);
    }
}
