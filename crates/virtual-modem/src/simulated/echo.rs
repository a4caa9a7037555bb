//! The echo of a tty that isn't raw yet (linux.md, "The tty's echo at the first open").

use modem_world::{Instant, PortHandle, PortKind};

use super::socket::Socket;

impl Socket {
    /// Makes the tty raw that was opened with this handle. Before that, a fresh one sends back to the modem what it has said by now.
    pub(super) fn echo(&mut self, handle: PortHandle, now: Instant) {
        let Ok((modem, line)) = self.parts(handle) else {
            return;
        };
        let said = line.unread(now);
        if line.kind == PortKind::Serial && !std::mem::replace(&mut line.is_raw, true) && !said.is_empty() {
            line.write(modem, &shown(&said), now, None);
        }
    }
}

/// What a tty sends back for these bytes, with the usual settings: control characters in two characters (`ECHOCTL`).
fn shown(said: &[u8]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(said.len().saturating_mul(2));
    for &byte in said {
        match byte {
            b'\t' | b'\n' => shown.push(byte),
            0..=0x1f | 0x7f => shown.extend([b'^', byte ^ 0x40]),
            _ => shown.push(byte),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_comes_back_as_it_was_seen() {
        let hello = [1, 0, 0, 0, b'0', 0, 0, 0];
        assert_eq!(shown(&hello), b"^A^@^@^@0^@^@^@");
    }
}
