//! The program that has a port open.

use std::fmt;

/// The process that has a port open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortHolder {
    /// Its name as the kernel reports it, at most 15 bytes: `ModemManager`.
    pub name: String,
    /// Its process id, when it is known.
    pub process: Option<u32>,
}

/// The programs that may have a port open and that this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Program {
    /// ModemManager itself.
    ModemManager,
    /// The program that shares a QMI port between others (qmi.md §6).
    QmiProxy,
    /// The program that shares an MBIM port between others (mbim.md §6).
    MbimProxy,
    /// Any other program.
    Other,
}

impl PortHolder {
    /// A holder of which only the name is known.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            process: None,
        }
    }

    /// Reads `ModemManager (pid 812)`, as [`Display`](fmt::Display) writes it. Any other text is a name.
    pub fn parse(text: &str) -> Self {
        let parts = || {
            let (name, rest) = text.rsplit_once(" (pid ")?;
            let digits = rest.strip_suffix(')')?;
            let process = digits.parse().ok()?;
            let holder = Self {
                name: name.to_owned(),
                process: Some(process),
            };
            // Another spelling of the number, such as 0812, would be lost.
            (holder.to_string() == text).then_some(holder)
        };
        parts().unwrap_or_else(|| Self::named(text))
    }

    /// Which program it is, by its name.
    pub fn program(&self) -> Program {
        match self.name.as_str() {
            "ModemManager" => Program::ModemManager,
            "qmi-proxy" => Program::QmiProxy,
            "mbim-proxy" => Program::MbimProxy,
            _ => Program::Other,
        }
    }
}

impl fmt::Display for PortHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match self.process {
            Some(process) => write!(f, " (pid {process})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_read_as_it_is_written() {
        let known = PortHolder::parse("ModemManager (pid 812)");
        assert_eq!((known.name.as_str(), known.process), ("ModemManager", Some(812)));
        for text in [
            "ModemManager (pid 812)",
            "a process (pid 1)",
            "minicom (7)",
            "odd (pid 0812)",
            "odd (pid +8)",
            "odd (pid x)",
            "twice (pid 1) (pid 2)",
            "",
        ] {
            assert_eq!(PortHolder::parse(text).to_string(), text);
        }
        assert_eq!(PortHolder::parse("odd (pid 0812)").process, None);
    }

    #[test]
    fn a_program_is_known_by_its_whole_name() {
        let program = |text| PortHolder::parse(text).program();
        assert_eq!(program("ModemManager"), Program::ModemManager);
        assert_eq!(program("ModemManager (pid 812)"), Program::ModemManager);
        assert_eq!(program("qmi-proxy (pid 9)"), Program::QmiProxy);
        assert_eq!(program("mbim-proxy (pid 9)"), Program::MbimProxy);
        for other in [
            "minicom (pid 9)",
            "qmi-proxy-test",
            "modemmanager",
            "this program",
        ] {
            assert_eq!(program(other), Program::Other, "{other}");
        }
    }
}
